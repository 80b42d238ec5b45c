// When lines of a console arrived: one mark per second at most, at the line that was being written. Marks move with the scroll-back and
// go with it (xterm.js markers).
import type { IMarker, Terminal } from "@xterm/xterm";
import { i18n } from "../../i18n/index.ts";

const MARK_EVERY_MS = 1000;

interface Mark {
  readonly marker: IMarker;
  readonly atMs: number;
}

/** `HH:MM:SS` in local time. */
export function clockOf(atMs: number): string {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false } as const;
  return new Intl.DateTimeFormat(i18n.language, options).format(atMs);
}

export class LineTimes {
  readonly #terminal: Terminal;
  #marks: Mark[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Called when output was written to the screen. */
  arrived(atMs: number): void {
    const last = this.#marks.at(-1);
    if (last && atMs - last.atMs < MARK_EVERY_MS) return;
    const { active } = this.#terminal.buffer;
    // The second screen of full-screen programs has no lines that stay.
    if (active.type !== "normal" || last?.marker.line === active.baseY + active.cursorY) return;
    const marker = this.#terminal.registerMarker(0);
    this.#marks.push({ marker, atMs });
    if (this.#marks.length % 256 === 0) this.#marks = this.#marks.filter((mark) => !mark.marker.isDisposed);
  }

  /** The time marked at a line of the buffer. */
  at(line: number): number | undefined {
    return this.#marks.find(({ marker }) => !marker.isDisposed && marker.line === line)?.atMs;
  }

  /** Text in front of a line: its time, or that of the last line above it that has one. */
  stampOf(line: number): string {
    const mark = this.#marks.findLast(({ marker }) => !marker.isDisposed && marker.line <= line);
    return mark ? `[${new Date(mark.atMs).toISOString()}] ` : "";
  }
}
