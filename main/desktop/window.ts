// The main window: sandboxed, isolated, shown when it has something to show, and where it was the last time.
import { BrowserWindow, nativeTheme, screen } from "electron";
import { APP_ORIGIN } from "./app-protocol.ts";
import { recoverWindow } from "./recovery.ts";
import type { Texts } from "./texts.ts";
import { type Bounds, placeOf } from "./window-bounds.ts";

const SIZE = { width: 1280, height: 820 };
/** Moving a window makes an event for each step. */
const KEEP_AFTER_MS = 500;

interface Options {
  readonly preload: string;
  readonly texts: () => Texts;
  /** As it was kept. */
  bounds(): Promise<unknown>;
  keepBounds(bounds: Bounds): void;
  /** The user closed it; the app is asked what that means. */
  onClosed(): void;
}

export class MainWindow {
  readonly #options: Options;
  #window: BrowserWindow | null = null;
  #isOpening = false;
  #route: string | null = null;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Brings it to the front, opens it if need be, and goes to a place in it, such as `machines/<id>`; the page itself stays. */
  show(route: string | null): void {
    if (route !== null) this.#route = route;
    if (this.#window === null) {
      if (!this.#isOpening) void this.#open();
      return;
    }
    const window = this.#window;
    if (route !== null) void window.loadURL(pageUrl(route));
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    const screens = screen.getAllDisplays().map(({ workArea }) => workArea);
    const place = placeOf(await this.#options.bounds().catch(() => null), screens);
    const window = new BrowserWindow({
      ...SIZE,
      ...place,
      minWidth: 720,
      minHeight: 480,
      show: false,
      title: "Terrarium",
      backgroundColor: backgroundColor(),
      webPreferences: {
        preload: this.#options.preload,
        contextIsolation: true,
        sandbox: true,
        nodeIntegration: false,
        webviewTag: false,
        spellcheck: false,
        // A machine's display goes on while another window is in front of it.
        backgroundThrottling: false,
      },
    });
    this.#window = window;
    this.#isOpening = false;
    window.once("ready-to-show", () => window.show());
    window.on("closed", () => {
      this.#window = null;
      this.#options.onClosed();
    });
    this.#followBounds(window);
    recoverWindow(window, this.#options.texts);
    window.webContents.on("did-create-window", (child) => {
      // A machine's window has menus of its own, and every key in it is the guest's.
      child.setMenu(null);
      recoverWindow(child, this.#options.texts);
    });
    void window.loadURL(pageUrl(this.#route));
    this.#route = null;
  }

  #followBounds(window: BrowserWindow): void {
    let timer: NodeJS.Timeout | undefined;
    const keep = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (!window.isDestroyed()) this.#options.keepBounds(window.getNormalBounds());
      }, KEEP_AFTER_MS);
      timer.unref();
    };
    window.on("resize", keep);
    window.on("move", keep);
  }
}

/** Of a window before its page is there. */
const backgroundColor = (): string => (nativeTheme.shouldUseDarkColors ? "#1c2127" : "#f6f7f9");

function pageUrl(route: string | null): string {
  return `${APP_ORIGIN}/index.html${route === null ? "" : `#/${route}`}`;
}
