// Finds the host of a data folder, or starts one in the background that outlives the command.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { assert } from "../../native-core/common/assert.ts";
import { AppError } from "../../native-core/common/errors.ts";
import { failureSchema } from "../contract/schemas.ts";
import { connectRpc } from "../rpc/client.ts";
import { fileOfError, ioFailure } from "../store/io-error.ts";
import { type HostControl, readControlFile } from "../web-host/control-file.ts";

const SERVER = fileURLToPath(new URL("../server.ts", import.meta.url));
const POLL_MS = 50;
const STARTING_MAX_MS = 20_000;

function runFolder(home: string): string {
  return path.join(home, "run");
}

/** What the last host of this data folder left about itself; it may have ended. */
export function readHostControl(home: string): Promise<HostControl | null> {
  return readControlFile(runFolder(home));
}

/** The control file of a host that answers, or null. */
export async function findHost(home: string): Promise<HostControl | null> {
  const control = await readHostControl(home);
  if (control === null || !isAlive(control.pid)) return null;
  try {
    (await connectRpc(control)).close();
    return control;
  } catch (error) {
    if (error instanceof AppError && error.code === "VERSION_MISMATCH") throw error;
    return null;
  }
}

export async function ensureHost(home: string): Promise<HostControl> {
  return (await findHost(home)) ?? startHost(home, 0);
}

/** @throws AppError: what kept the host from starting. */
export async function startHost(home: string, port: number): Promise<HostControl> {
  const logFile = await openLog(home);
  const child = spawn(process.execPath, [SERVER, "--home", home, "--port", String(port)], {
    detached: true,
    stdio: ["ignore", "pipe", logFile],
  });
  closeSync(logFile);
  const { stdout } = child;
  assert(stdout !== null, "stdout is a pipe");
  try {
    await readiness(stdout, child);
  } catch (error) {
    // Another command started one in the same moment: that one is as good.
    if (!(error instanceof AppError) || error.code !== "HOST_RUNNING") throw error;
  } finally {
    stdout.destroy();
    child.unref();
  }
  return untilFound(home);
}

/** @throws AppError naming the data folder, where nothing can be written. */
async function openLog(home: string): Promise<number> {
  try {
    await mkdir(runFolder(home), { recursive: true, mode: 0o700 });
    return openSync(path.join(runFolder(home), "host.log"), "a", 0o600);
  } catch (error) {
    const details = { field: "home", consequence: "Terrarium can't keep its data there." };
    throw ioFailure(error, fileOfError(error) ?? home, details);
  }
}

async function readiness(stdout: NodeJS.ReadableStream, child: NodeJS.EventEmitter): Promise<void> {
  const ended = new Promise<never>((_, reject) => {
    child.once("error", (error: Error) =>
      reject(new AppError("IO_ERROR", `The host can't be started: ${error.message}`)),
    );
    child.once("exit", () => setImmediate(() => reject(new AppError("IO_ERROR", "The host ended while it started"))));
  });
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: stdout }).once("line", (line) => {
      const { url, error } = JSON.parse(line) as { url?: string; error?: unknown };
      if (url !== undefined) return resolve();
      const failure = failureSchema.parse(error);
      reject(new AppError(failure.code, failure.message, { ...(failure as object) }));
    });
  });
  await Promise.race([ready, ended]);
}

async function untilFound(home: string): Promise<HostControl> {
  const deadline = Date.now() + STARTING_MAX_MS;
  while (Date.now() < deadline) {
    const control = await findHost(home);
    if (control !== null) return control;
    await pause();
  }
  throw new AppError("TIMEOUT", "The host does not answer", {
    remedy: `Look into ${path.join(runFolder(home), "host.log")}.`,
  });
}

/** Settles when the process is gone. */
export async function untilEnded(pid: number, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (isAlive(pid)) {
    if (Date.now() > deadline) throw new AppError("TIMEOUT", `The host (process ${pid}) has not ended yet`);
    await pause();
  }
}

/** A process that has ended but that its parent has not looked at yet (a zombie on Linux) does not live any more. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  if (process.platform !== "linux") return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch {
    return false;
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
