// The Node host: the app served to a browser, and to scripts and the CLI. One line of JSON on stdout says when it is ready:
//   {"url": "http://127.0.0.1:PORT/?token=..."}         or, when it can't start,  {"error": {code, message, ...}}
import { parseArgs } from "node:util";
import { AppError, isAppError } from "../../native-core/common/errors.ts";
import { CONTRACT_VERSION } from "../contract/schemas.ts";
import { App, type StopAll } from "../services/app.ts";
import { failureOf } from "../services/failures.ts";
import { log, surviveDefects } from "../services/log.ts";
import { resolveHome } from "../store/data-folder.ts";
import { removeControlFile, writeControlFile } from "./control-file.ts";
import { startWebHost } from "./web-host.ts";

const USAGE = "Usage: node main/server.ts [--home DIR] [--port N]";

function readOptions(): { home: string; port: number } {
  try {
    const { values } = parseArgs({ options: { home: { type: "string" }, port: { type: "string", default: "0" } } });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      throw new AppError("INVALID_ARGUMENT", `It is not a port: ${values.port}`, {
        field: "port",
        remedy: "Choose 0 to 65535.",
      });
    }
    return { home: resolveHome(values.home), port };
  } catch (error) {
    if (isAppError(error)) throw error;
    throw new AppError("INVALID_ARGUMENT", error instanceof Error ? error.message : String(error), { remedy: USAGE });
  }
}

async function start(): Promise<void> {
  const { home, port } = readOptions();
  const app = await App.open({ home, keepsProcessReady: true });
  const { run } = app.context.store.data;
  const host = await startWebHost(app, { port }).catch(async (error: unknown) => {
    await app.close();
    throw error;
  });

  let ending = false;
  const end = async (mode: StopAll) => {
    if (ending) return;
    ending = true;
    try {
      await removeControlFile(run);
      await app.close(mode);
      await host.close();
    } catch (error) {
      log.error({ err: error }, "the host did not end cleanly");
      process.exitCode = 1;
    }
    process.exit();
  };
  app.onShutdownRequested = (mode) => void end(mode);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end("save"));

  await writeControlFile(run, {
    pid: process.pid,
    port: host.port,
    token: host.access.bearerToken,
    contractVersion: CONTRACT_VERSION,
    startedAtMs: Date.now(),
  });
  process.stdout.write(`${JSON.stringify({ url: host.entryUrl() })}\n`);
}

/** Runs the host until it is told to end; what keeps it from starting is said and becomes the exit code. */
export async function serve(): Promise<void> {
  surviveDefects();
  try {
    await start();
  } catch (error) {
    const failure = failureOf(error);
    if (!isAppError(error)) log.error({ err: error }, "the host could not start");
    process.stdout.write(`${JSON.stringify({ error: failure })}\n`);
    const parts = [failure.message, failure.consequence, failure.remedy].filter(Boolean);
    process.stderr.write(`Terrarium: ${parts.join("\n  ")}\n`);
    process.exitCode = 1;
  }
}
