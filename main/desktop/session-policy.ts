// What pages may do in this app: nothing but what the renderer needs. Denied by default, here and for every window to come.
import { app, type Session, type WebContents } from "electron";
import { APP_ORIGIN } from "./app-protocol.ts";

/** Copying from the console and full screen for a machine's display. */
const GRANTED: readonly string[] = [
  "clipboard-sanitized-write",
  "clipboard-read",
  "fullscreen",
  "pointerLock",
  "keyboardLock",
];

export function restrictSession(session: Session): void {
  session.setPermissionRequestHandler((contents, permission, answer) => {
    answer(isOwnPage(contents.getURL()) && GRANTED.includes(permission));
  });
  session.setPermissionCheckHandler((_, permission, origin) => isOwnPage(`${origin}/`) && GRANTED.includes(permission));
  session.setDevicePermissionHandler(() => false);
  // What the page made itself (a screenshot, a log) may be saved; nothing is fetched.
  session.on("will-download", (event, item) => {
    if (!item.getURL().startsWith(`blob:${APP_ORIGIN}/`)) event.preventDefault();
  });
  // The app needs no network: guests have their own way out, through their VM process.
  session.webRequest.onBeforeRequest((details, answer) => {
    answer({ cancel: !isOwnPage(details.url) && !/^(data|blob|devtools):/.test(details.url) });
  });
}

/** For every page there will ever be, whoever makes it. */
export function restrictAllContents(): void {
  app.on("web-contents-created", (_, contents) => restrictContents(contents));
}

function restrictContents(contents: WebContents): void {
  // A machine's own window is a page of the app with the same preload and the same limits; nothing else is ever opened.
  contents.setWindowOpenHandler(({ url }) =>
    isMachineWindow(url)
      ? { action: "allow", overrideBrowserWindowOptions: { minWidth: 400, minHeight: 300, backgroundColor: "#000000" } }
      : { action: "deny" },
  );
  contents.on("will-navigate", (event) => event.preventDefault());
  contents.on("will-frame-navigate", (event) => event.preventDefault());
  contents.on("will-redirect", (event) => event.preventDefault());
  contents.on("will-attach-webview", (event) => event.preventDefault());
}

export function isMachineWindow(url: string): boolean {
  return isOwnPage(url) && /#\/machines\/[0-9a-f]{12}\/window$/.test(url);
}

export function isOwnPage(url: string): boolean {
  return url.startsWith(`${APP_ORIGIN}/`);
}
