// One serial port's terminal: xterm.js on one side, the host's console channel on the other. Lives on while it is not shown.
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";
import { createStore } from "../../api/store.ts";
import { preferences } from "../../app/preferences.ts";
import { i18n } from "../../i18n/index.ts";
import { platform } from "../../platform/index.ts";
import type { DataSocket } from "../../platform/platform.ts";
import { LineTimes } from "./line-times.ts";
import { offerLink } from "./links.ts";
import { ReplayGuard } from "./replay-guard.ts";
import { matchColours, terminalTheme } from "./terminal-theme.ts";

export interface ConsoleState {
  readonly link: "off" | "connecting" | "open";
  readonly columns: number;
  readonly rows: number;
  /** Results of the search; index -1 when there are too many to count. */
  readonly matches: { readonly index: number; readonly count: number } | null;
}

const SCROLLBACK_LINES = 20_000;
const RETRY_MS = 500;

export class ConsoleSession {
  readonly state = createStore<ConsoleState>({ link: "off", columns: 80, rows: 24, matches: null });
  readonly terminal: Terminal;
  readonly element = document.createElement("div");
  /** When lines arrived, as far as it is known. */
  readonly times: LineTimes;
  readonly #machineId: string;
  readonly #port: 0 | 1;
  readonly #fit = new FitAddon();
  readonly #search = new SearchAddon();
  readonly #guard = new ReplayGuard();
  #socket: DataSocket | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #live = false;
  /** Which run of the machine the shown output belongs to. */
  #run: number | null = null;
  #dark = false;

  constructor(machineId: string, port: 0 | 1) {
    this.#machineId = machineId;
    this.#port = port;
    this.element.className = "terminal-host";
    this.terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: true,
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
      fontSize: preferences.get().consoleFontSize,
      scrollback: SCROLLBACK_LINES,
    });
    this.terminal.loadAddon(this.#fit);
    this.terminal.loadAddon(this.#search);
    this.times = new LineTimes(this.terminal);
    this.terminal.loadAddon(new WebLinksAddon((event, uri) => (event.ctrlKey || event.metaKey) && offerLink(uri)));
    this.terminal.onSelectionChange(() => this.#copySelection());
    this.terminal.onData((data) => this.#guard.allows(data) && this.send(data));
    this.terminal.onBinary((data) => this.#socket?.send(Uint8Array.from(data, (byte) => byte.charCodeAt(0))));
    this.terminal.onResize(({ cols, rows }) => this.state.set((state) => ({ ...state, columns: cols, rows })));
    this.#search.onDidChangeResults(({ resultIndex, resultCount }) =>
      this.state.set((state) => ({ ...state, matches: { index: resultIndex, count: resultCount } })),
    );
  }

  /** Puts the terminal into the page; the first time xterm.js is opened there. */
  attach(parent: HTMLElement): void {
    parent.append(this.element);
    if (this.terminal.element) return;
    this.terminal.open(this.element);
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => webgl.dispose());
      this.terminal.loadAddon(webgl);
    } catch {
      // Without WebGL xterm.js draws with the DOM.
    }
  }

  /** Out of the page: output goes on arriving, but a line that breaks is only made anew when the terminal is shown again. */
  detach(): void {
    this.#live = false;
    clearTimeout(this.#retry);
    this.element.remove();
  }

  fit(): void {
    this.#fit.fit();
  }

  setLook(dark: boolean, fontSize: number, screenReader: boolean): void {
    this.#dark = dark;
    this.terminal.options.theme = terminalTheme(dark);
    this.terminal.options.fontSize = fontSize;
    this.terminal.options.screenReaderMode = screenReader;
  }

  /** Follows the machine: connects while it is up. `run` tells one start from the next. */
  follow(live: boolean, run: number | null): void {
    this.#live = live;
    if (!live) return;
    // A machine that is just starting has no start time yet: it is the same run when the time becomes known.
    if (this.#socket && (run === this.#run || this.#run === null)) this.#run = run;
    else this.#connect(run);
  }

  #connect(run: number | null): void {
    clearTimeout(this.#retry);
    this.#close();
    this.state.set((state) => ({ ...state, link: "connecting" }));
    const socket = platform.openDataChannel(this.#machineId, `console/${this.#port}`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const sameRun = run === this.#run;
    this.#run = run;
    socket.onopen = () => {
      this.#beginOutput(sameRun);
      this.state.set((state) => ({ ...state, link: "open" }));
    };
    socket.onmessage = (event: MessageEvent<ArrayBuffer | string>) => {
      this.#guard.arrived();
      const replayed = this.#guard.replaying;
      const atMs = Date.now();
      this.terminal.write(typeof event.data === "string" ? event.data : new Uint8Array(event.data), () => {
        // What was said before this window looked has no time here; the log file on the host has it.
        if (!replayed) this.times.arrived(atMs);
      });
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.state.set((state) => ({ ...state, link: "off" }));
      if (this.#live) this.#retry = setTimeout(() => this.#live && this.#connect(this.#run), RETRY_MS);
    };
  }

  /** The host replays all it kept. Of the same run that replaces what is shown; a new run goes below the old one. */
  #beginOutput(sameRun: boolean): void {
    const shown = this.terminal.buffer.normal.length > this.terminal.rows || this.terminal.buffer.normal.cursorY > 0;
    if (sameRun || !shown) this.terminal.reset();
    else this.terminal.write(`\x1b[0m\x1b[?25h\r\n\x1b[2m── ${i18n.t("console.restarted")} ──\x1b[0m\r\n`);
    this.#guard.begin();
  }

  send(text: string): void {
    if (this.state.get().link === "open") this.#socket?.send(new TextEncoder().encode(text));
  }

  /** Empties the search when `text` is empty. */
  find(text: string, direction: "next" | "previous", incremental: boolean): void {
    if (!text) {
      this.#search.clearDecorations();
      this.state.set((state) => ({ ...state, matches: null }));
      return;
    }
    const options = { decorations: matchColours(this.#dark), incremental };
    if (direction === "next") this.#search.findNext(text, options);
    else this.#search.findPrevious(text, options);
  }

  #copySelection(): void {
    const text = this.terminal.getSelection();
    if (preferences.get().copyOnSelect && text) void navigator.clipboard.writeText(text);
  }

  /** Everything that is kept, as plain text without trailing blanks; with times in front of the lines that have one. */
  text(withTimes = false): string {
    const buffer = this.terminal.buffer.normal;
    let text = "";
    for (let row = 0; row < buffer.length; row++) {
      const line = buffer.getLine(row);
      const wraps = buffer.getLine(row + 1)?.isWrapped ?? false;
      const begins = !(line?.isWrapped ?? false);
      if (withTimes && begins) text += this.times.stampOf(row);
      text += line?.translateToString(!wraps) ?? "";
      if (!wraps) text += "\n";
    }
    return `${text.trimEnd()}\n`;
  }

  #close(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  dispose(): void {
    this.#live = false;
    clearTimeout(this.#retry);
    this.#guard.dispose();
    this.#close();
    this.detach();
    this.terminal.dispose();
  }
}
