// Everything around the services that a desktop gives an app: window, menus, tray, the session's start and end, sleep. Wiring only; what
// there is to decide is decided in the modules beside this one, most of which know nothing of Electron.
import os from "node:os";
import path from "node:path";
import { app, dialog, Menu, powerMonitor, session } from "electron";
import { createRouter } from "../rpc/router.ts";
import { App } from "../services/app.ts";
import { changePreferences, readPreferences } from "../services/host/preferences.ts";
import { log } from "../services/log.ts";
import { serveApp } from "./app-protocol.ts";
import { DataRelay } from "./data-relay.ts";
import { HIDDEN_OPTION, type LoginItem, linuxLoginItem, systemLoginItem } from "./login-item.ts";
import { menuBar } from "./menu-templates.ts";
import { brokerPorts } from "./port-broker.ts";
import { answerOf, Quitting, quitQuestion } from "./quitting.ts";
import { logHelperCrashes } from "./recovery.ts";
import { routeIn, routeOfFile, routeOfLink } from "./requests.ts";
import { restrictSession } from "./session-policy.ts";
import { SleepGuard } from "./sleep.ts";
import { textsFor } from "./texts.ts";
import { installTray } from "./tray.ts";
import { launchUtilityProcess } from "./utility-launcher.ts";
import { MainWindow } from "./window.ts";

export interface ShellFiles {
  readonly renderer: string;
  readonly preload: string;
  readonly relay: string;
  readonly icon: string;
  readonly starter: string;
}

/** What the operating system asked for before the services were there. */
export interface EarlyRequests {
  /** Takes over: each request so far, and all to come. */
  follow(show: (route: string | null) => void): void;
}

/** Links and files come by events on macOS, perhaps before the app is ready, and by arguments of a second start elsewhere. */
export function collectRequests(): EarlyRequests {
  const early: (string | null)[] = [];
  let take = (route: string | null): void => void early.push(route);
  app.on("second-instance", (_, argv, folder) => take(routeIn(argv.slice(1), folder)));
  app.on("activate", () => take(null));
  app.on("open-url", (event, url) => {
    event.preventDefault();
    take(routeOfLink(url));
  });
  app.on("open-file", (event, file) => {
    event.preventDefault();
    take(routeOfFile(file));
  });
  return {
    follow(show) {
      take = show;
      for (const route of early) show(route);
    },
  };
}

export async function openShell(home: string, files: ShellFiles, requests: EarlyRequests): Promise<void> {
  const services = await App.open({
    ...{ home, launcher: launchUtilityProcess, starterFolder: files.starter },
    keepsProcessReady: true,
  });
  const { context } = services;
  const relay = new DataRelay(files.relay);
  brokerPorts(services, createRouter(services), relay);
  serveApp(session.defaultSession, files.renderer);
  restrictSession(session.defaultSession);
  logHelperCrashes();

  let texts = textsFor((await readPreferences(context))["language"], app.getLocale());
  const remember = (changes: Record<string, unknown>) =>
    void changePreferences(context, changes).catch((error: unknown) => log.warn({ err: error }, "not remembered"));
  const window = new MainWindow({
    preload: files.preload,
    texts: () => texts,
    bounds: async () => (await readPreferences(context))["windowBounds"],
    keepBounds: (windowBounds) => remember({ windowBounds }),
    onClosed: () => {
      // Running machines keep the app alive, where the tray leads back to it.
      if ((services.running().length === 0 || tray === null) && process.platform !== "darwin") app.quit();
    },
  });
  const show = (route: string | null) => window.show(route);

  const quitting = new Quitting({
    running: () => services.running().map(({ name }) => name),
    ask: async (names) => answerOf((await dialog.showMessageBox(quitQuestion(names, texts))).response),
    close: async (mode) => {
      await services.close(mode);
      relay.dispose();
      tray?.destroy();
    },
    quit: () => app.quit(),
  });
  app.on("before-quit", (event) => {
    if (!quitting.request()) event.preventDefault();
  });
  app.on("window-all-closed", () => undefined);
  services.onShutdownRequested = (mode) => void quitting.end(mode);

  const installMenu = () =>
    Menu.setApplicationMenu(Menu.buildFromTemplate(menuBar(texts, process.platform === "darwin", show)));
  installMenu();
  // Held, or the garbage collector takes the icon away.
  const tray = installTray(files.icon, services, () => texts, { show, quit: () => app.quit() });

  followPower(new SleepGuard(() => services.running(), services.lifecycle), quitting);
  const login = loginItem();
  const startAtLogin = await login.isOn();
  if ((await readPreferences(context))["startAtLogin"] !== startAtLogin) remember({ startAtLogin });
  context.events.onChange((change) => {
    if (change.kind !== "preferences") return;
    const { language, startAtLogin: wanted } = change.changes;
    if (language !== undefined) {
      texts = textsFor(language, app.getLocale());
      installMenu();
    }
    if (typeof wanted === "boolean") void login.set(wanted).catch((error: unknown) => log.warn({ err: error }));
  });

  requests.follow(show);
  if (!process.argv.includes(HIDDEN_OPTION)) show(routeIn(process.argv.slice(1), process.cwd()));
}

function followPower(sleep: SleepGuard, quitting: Quitting): void {
  powerMonitor.on("suspend", () => void sleep.suspend());
  powerMonitor.on("resume", () => void sleep.resume());
  // The session ends: there is nobody to ask, and little time.
  powerMonitor.on("shutdown", (event?: Electron.Event) => {
    event?.preventDefault();
    void quitting.end("save");
  });
}

function loginItem(): LoginItem {
  if (process.platform !== "linux") return systemLoginItem(app);
  const configFolder = process.env["XDG_CONFIG_HOME"] || path.join(os.homedir(), ".config");
  // An AppImage runs from a mount that is gone after the session.
  const program = process.env["APPIMAGE"] ?? process.execPath;
  return linuxLoginItem(configFolder, app.isPackaged ? [program] : [program, app.getAppPath()]);
}
