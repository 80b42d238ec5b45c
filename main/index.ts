// Entry of the Electron shell: one process for the services, one window, one utility process per running machine.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { app, dialog } from "electron";
import { declareAppScheme } from "./desktop/app-protocol.ts";
import { restrictAllContents } from "./desktop/session-policy.ts";
import { collectRequests, openShell } from "./desktop/shell.ts";
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
  starter: process.env["TERRARIUM_RESOURCES"] ?? path.join(process.resourcesPath, "starter"),
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

surviveDefects();
declareAppScheme();
restrictAllContents();
app.enableSandbox();
if (!app.requestSingleInstanceLock()) {
  app.quit();
} else {
  app.setAsDefaultProtocolClient("terrarium");
  const requests = collectRequests();
  // Not awaited: Electron becomes ready only when this module has been evaluated.
  void app
    .whenReady()
    .then(() => openShell(readHome(process.argv.slice(1)), files, requests))
    .catch((error: unknown) => {
      const { message, consequence, remedy } = failureOf(error);
      dialog.showErrorBox("Terrarium can't start", [message, consequence, remedy].filter(Boolean).join("\n\n"));
      app.exit(1);
    });
}
