// The main window: sandboxed, isolated, shown when it has something to show.
import { BrowserWindow, nativeTheme } from "electron";
import { APP_ORIGIN } from "./app-protocol.ts";

export interface WindowOptions {
  readonly preload: string;
  /** Part of the app to open, such as `machines/<id>`. */
  readonly route: string | null;
}

export function openWindow(options: WindowOptions): BrowserWindow {
  const window = new BrowserWindow({
    width: 1280,
    height: 820,
    minWidth: 720,
    minHeight: 480,
    show: false,
    title: "Terrarium",
    backgroundColor: nativeTheme.shouldUseDarkColors ? "#1c2127" : "#f6f7f9",
    webPreferences: {
      preload: options.preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webviewTag: false,
      spellcheck: false,
      // A machine's display goes on while another window is in front of it.
      backgroundThrottling: false,
    },
  });
  window.once("ready-to-show", () => window.show());
  void window.loadURL(pageUrl(options.route));
  return window;
}

function pageUrl(route: string | null): string {
  return `${APP_ORIGIN}/index.html${route === null ? "" : `#/${route}`}`;
}

/** Brings the window to the front and, with a route, goes there; the page itself stays. */
export function showWindow(window: BrowserWindow, route: string | null): void {
  if (route !== null) void window.loadURL(pageUrl(route));
  if (window.isMinimized()) window.restore();
  window.show();
  window.focus();
}
