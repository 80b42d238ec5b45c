// The Electron shell: one process for the services, one window, one utility process per running machine.
import path from "node:path";
import { parseArgs } from "node:util";
import { app, type BrowserWindow, dialog, session, type Tray } from "electron";
import { declareAppScheme, serveApp } from "./desktop/app-protocol.ts";
import { DataRelay } from "./desktop/data-relay.ts";
import { linkIn, routeOfLink } from "./desktop/deep-link.ts";
import { installMenu, installTray } from "./desktop/menu.ts";
import { brokerPorts } from "./desktop/port-broker.ts";
import { restrictAllContents, restrictSession } from "./desktop/session-policy.ts";
import { launchUtilityProcess } from "./desktop/utility-launcher.ts";
import { openWindow, showWindow } from "./desktop/window.ts";
import { defaultEngines } from "./engines/index.ts";
import { createRouter } from "./rpc/router.ts";
import { App, type StopAll } from "./services/app.ts";
import { failureOf } from "./services/failures.ts";
import { resolveHome } from "./store/data-folder.ts";

/** The folder with package.json: the project, or app.asar in a package. */
const root = app.getAppPath();
const files = {
  renderer: path.join(root, "out/renderer"),
  preload: path.join(root, "out/preload/preload.cjs"),
  vmProcess: path.join(root, "native-core/host/vm-process.ts"),
  relay: path.join(root, "main/desktop/relay-process.ts"),
  icon: path.join(root, "resources/icons/icon.png"),
  starter: app.isPackaged ? path.join(process.resourcesPath, "starter") : path.join(root, "out/starter"),
};

function readHome(argv: readonly string[]): string {
  const { values } = parseArgs({
    args: [...argv],
    options: { home: { type: "string" } },
    strict: false,
    allowPositionals: true,
  });
  return resolveHome(typeof values.home === "string" ? values.home : undefined);
}

async function run(home: string): Promise<void> {
  const engines = new Map(
    [...defaultEngines()].map(([id, engine]) => [
      id,
      id === "embedded" ? { ...engine, module: files.vmProcess } : engine,
    ]),
  );
  const starterFolder = process.env["TERRARIUM_RESOURCES"] ?? files.starter;
  const services = await App.open({ home, engines, launcher: launchUtilityProcess, starterFolder });
  const relay = new DataRelay(files.relay);
  brokerPorts(services, createRouter(services), relay);

  let window: BrowserWindow | null = null;
  // Held, or the garbage collector takes the icon away.
  let tray: Tray | null = null;
  app.on("will-quit", () => tray?.destroy());
  const show = (link: string | null) => {
    const route = link === null ? null : routeOfLink(link);
    if (window !== null && route === null) return showWindow(window);
    window?.destroy();
    window = openWindow({ preload: files.preload, route: route ?? undefined });
    window.on("closed", () => {
      window = null;
      if (services.running().length === 0 && process.platform !== "darwin") app.quit();
    });
  };

  let ended = false;
  const end = async (mode: StopAll) => {
    await services.close(mode);
    relay.dispose();
    ended = true;
    app.quit();
  };
  app.on("before-quit", (event) => {
    if (ended) return;
    // Machines are saved first; the second quit goes through.
    event.preventDefault();
    void end("save");
  });
  services.onShutdownRequested = (mode) => void end(mode);
  // Running machines keep the app alive without a window.
  app.on("window-all-closed", () => undefined);
  app.on("activate", () => show(null));
  app.on("second-instance", (_, argv) => show(linkIn(argv)));
  app.on("open-url", (event, url) => {
    event.preventDefault();
    show(url);
  });

  serveApp(session.defaultSession, files.renderer);
  restrictSession(session.defaultSession);
  installMenu();
  tray = installTray(files.icon, () => show(null));
  show(linkIn(process.argv));
}

declareAppScheme();
restrictAllContents();
app.enableSandbox();
if (!app.requestSingleInstanceLock()) {
  app.quit();
} else {
  app.setAsDefaultProtocolClient("terrarium");
  // Not awaited: Electron becomes ready only when this module has been evaluated.
  void app
    .whenReady()
    .then(() => run(readHome(process.argv.slice(1))))
    .catch((error: unknown) => {
      const { message, consequence, remedy } = failureOf(error);
      dialog.showErrorBox("Terrarium can't start", [message, consequence, remedy].filter(Boolean).join("\n\n"));
      app.exit(1);
    });
}
