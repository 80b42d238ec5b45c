// `npm start`: builds what is missing, then opens the app in Electron, else in a browser window, else prints its address.
//   --check      no window: boots Starter, runs a command, takes a snapshot, restores it, prints what it saw
//   --home DIR   data folder      --port N   port of the Node host      --no-window   only print the address
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runCheck } from "./check-run.ts";
import { appWindowArguments, findBrowser, hasDisplay } from "./setup/browser.ts";
import { buildAll } from "./setup/build.ts";
import { findElectron } from "./setup/electron.ts";
import { startHost } from "./setup/host.ts";
import { SetupError, seconds } from "./setup/progress.ts";
import { PROJECT } from "./setup/project.ts";

const { values: options } = parseArgs({
  options: {
    check: { type: "boolean", default: false },
    home: { type: "string" },
    port: { type: "string", default: "0" },
    "no-window": { type: "boolean", default: false },
  },
});

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(): Promise<number> {
  const start = performance.now();
  await buildAll();
  if (options.check) return runCheck();
  const electron = hasDisplay() && !options["no-window"] ? await findElectron() : undefined;
  if (electron) return runElectron(electron);
  return runInBrowser(start);
}

async function runElectron(binary: string): Promise<number> {
  // Imported here: it loads the bundler, which no other start needs.
  const { buildDesktop, DESKTOP_FOLDER } = await import("./setup/build-desktop.ts");
  await buildDesktop();
  return new Promise((resolve, reject) => {
    const child = spawn(binary, [DESKTOP_FOLDER, ...(options.home ? ["--home", options.home] : [])], {
      stdio: "inherit",
      cwd: PROJECT,
      env: { TERRARIUM_RESOURCES: join(PROJECT, "out/starter"), ...process.env },
    });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

async function runInBrowser(start: number): Promise<number> {
  const host = await startHost({ port: Number(options.port), ...(options.home ? { home: options.home } : {}) });
  const browser = hasDisplay() && !options["no-window"] ? findBrowser() : undefined;
  if (browser) {
    say(
      `Electron's binary is not here; opening the app in ${browser} (ready in ${seconds(performance.now() - start)}).`,
    );
    const profile = await mkdtemp(join(tmpdir(), "terrarium-window-"));
    const window = spawn(browser, appWindowArguments(host.url, profile), { stdio: "ignore" });
    window.on("error", () => say(`The browser did not start. Open this address yourself: ${host.url}`));
    window.on("exit", () => {
      void rm(profile, { recursive: true, force: true });
      host.stop();
    });
  } else {
    const reason = hasDisplay() ? "no browser of the Chromium family was found" : "there is no display";
    say(`${reason[0]?.toUpperCase()}${reason.slice(1)}, so open this address (it works once):`);
    process.stdout.write(`${host.url}\n`);
    say("Ctrl+C ends the app; running machines are saved.");
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => host.stop());
  return host.ended;
}

try {
  process.exitCode = await main();
} catch (error) {
  const expected = error instanceof SetupError;
  say(`Terrarium: ${expected ? error.message : error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
}
