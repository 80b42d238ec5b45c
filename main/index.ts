// The Electron shell: one process for the services, one window, one utility process per running machine.
import path from "node:path";
import { fileURLToPath } from "node:url";
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
import { createRouter } from "./rpc/router.ts";
import { App, type StopAll } from "./services/app.ts";
import { failureOf } from "./services/failures.ts";
import { surviveDefects } from "./services/log.ts";
import { resolveHome } from "./store/data-folder.ts";

/** Beside this module, wherever the app was put; the names are those of the sources, which the build rewrites. */
const files = {
  renderer: fileURLToPath(new URL("../out/renderer", import.meta.url)),
  preload: fileURLToPath(new URL("./preload/preload.cjs", import.meta.url)),
  relay: fileURLToPath(new URL("./desktop/relay-process.ts", import.meta.url)),
  icon: fileURLToPath(new URL("../resources/icons/icon.png", import.meta.url)),
  /** Of a package; in development the launcher names the folder. */
  starter: path.join(process.resourcesPath, "starter"),
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
  const starterFolder = process.env["TERRARIUM_RESOURCES"] ?? files.starter;
  const services = await App.open({ home, launcher: launchUtilityProcess, starterFolder, keepsProcessReady: true });
  const relay = new DataRelay(files.relay);
  brokerPorts(services, createRouter(services), relay);

  let window: BrowserWindow | null = null;
  // Held, or the garbage collector takes the icon away.
  let tray: Tray | null = null;
  app.on("will-quit", () => tray?.destroy());
  const show = (link: string | null) => {
    const route = link === null ? null : routeOfLink(link);
    if (window !== null) return showWindow(window, route);
    window = openWindow({ preload: files.preload, route });
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

surviveDefects();
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
