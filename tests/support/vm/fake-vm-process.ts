// A VM process without a guest, for tests of what surrounds it: it speaks the whole protocol, keeps "memory" as a number that counts
// typed lines, echoes its console and misbehaves where the kernel command line says so (`crash-on=takeSnapshot`, `hang-on=pause`, ...).
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import path from "node:path";
import { AppError, isAppError } from "../../../native-core/common/errors.ts";
import {
  ENGINE_PROTOCOL_VERSION,
  ENGINE_REQUESTS,
  type EngineArgument,
  type EngineRequestName,
  engineInboundSchema,
  type SnapshotResult,
} from "../../../native-core/protocol/engine.ts";
import { PNG_1X1 } from "../png.ts";
import { layOverlays, pullLayer } from "./fake-disks.ts";

let start: EngineArgument<"start"> | null = null;
let typedLines = 0;
let scrollback = "";
const consoles = new Set<Socket>();

function send(message: unknown): void {
  process.send?.(message);
}

function print(text: string): void {
  scrollback += text;
  for (const socket of consoles) socket.write(text);
}

function writeState(folder: string): SnapshotResult {
  const temporary = `${folder}.tmp`;
  mkdirSync(temporary, { recursive: true });
  writeFileSync(path.join(temporary, "memory.json"), JSON.stringify({ typedLines }));
  renameSync(temporary, folder);
  return { pauseMs: 1.5, writtenBytes: 100, newPages: 1, totalPages: 1, thumbnailPng: PNG_1X1 };
}

/** Which ports other machines are said to have. */
function takenBy({ portsElsewhere = [] }: Pick<EngineArgument<"start">, "portsElsewhere">): string {
  return portsElsewhere.map(({ machineName, hostPort }) => `, ${machineName} has ${hostPort}`).join("");
}

function stop(reason: string, message: string | null = null): void {
  send({ kind: "runState", state: "stopped", reason, message });
  server.close();
  for (const socket of consoles) socket.destroy();
  setImmediate(() => process.disconnect());
}

const server = createServer((socket) => {
  socket.once("data", (line) => {
    if (!line.toString().startsWith("console")) return void socket.end(`RFB of ${start?.machineId}\n`);
    consoles.add(socket);
    socket.write(scrollback);
    socket.on("data", (bytes) => print(`<${bytes.toString()}>`));
  });
  socket.on("error", () => undefined);
  socket.on("close", () => consoles.delete(socket));
});

const handlers: { [N in EngineRequestName]: (argument: EngineArgument<N>) => unknown } = {
  async start(argument) {
    start = argument;
    if (argument.restoreFrom !== null) {
      typedLines = JSON.parse(readFileSync(path.join(argument.restoreFrom, "memory.json"), "utf8")).typedLines;
    }
    rmSync(argument.dataSocket, { force: true });
    await new Promise<void>((resolve) => server.listen(argument.dataSocket, resolve));
    const menu = argument.kernelFile === null ? `, boot menu ${argument.config.boot.menuSeconds} s` : "";
    print(`booted ${argument.config.memoryMiB} MiB, typed lines: ${typedLines}${menu}${takenBy(argument)}\n`);
    return {
      capabilities: {
        engine: "fake",
        liveSnapshots: true,
        saveState: true,
        acpiShutdown: true,
        screenshots: true,
        maxCpus: 1,
        memoryMinMiB: 64,
        memoryMaxMiB: 3072,
      },
      startMs: 1,
    };
  },
  // A guest that keeps its disc until it is forced.
  changeDisc: ({ file, force }) => ({ changed: force || file !== null }),
  attachDisk: ({ disk }) => {
    start?.disks.push(disk);
    return null;
  },
  // It keeps its disks, too.
  detachDisk: ({ diskId, force }) => {
    if (force && start) start.disks = start.disks.filter(({ id }) => id !== diskId);
    return { detached: force };
  },
  pause: () => null,
  resume: () => null,
  reset: () => {
    send({ kind: "reset" });
    return null;
  },
  acpiShutdown: () => {
    setImmediate(() => stop("guest-shutdown"));
    return null;
  },
  powerOff: () => {
    setImmediate(() => stop("power-off"));
    return null;
  },
  saveState: ({ folder }) => {
    const result = writeState(folder);
    setImmediate(() => stop("saved"));
    return result;
  },
  async takeSnapshot(argument) {
    await layOverlays(start, argument);
    if (argument.folder !== null) return writeState(argument.folder);
    return { pauseMs: 1, writtenBytes: 0, newPages: 0, totalPages: 0, thumbnailPng: null };
  },
  mergeStep: (argument) => pullLayer(start, argument),
  reopenLayers: () => null,
  screenshot: () => ({ png: PNG_1X1, width: 1, height: 1 }),
  sendText: ({ text }) => {
    typedLines += text.split("\n").length - 1;
    print(text);
    if (text === "poweroff\n") setImmediate(() => stop("guest-shutdown"));
    if (text === "triple\n") setImmediate(() => stop("triple-fault"));
    if (text === "engine-failure\n") setImmediate(() => stop("failed", "the JIT ran out of pages"));
    if (text === "disk-full\n") send({ kind: "runState", state: "paused", reason: null, message: "the disk is full" });
    if (text === "crash\n") throw process.exit(3);
    return null;
  },
  shareFolders: ({ folders }) => {
    if (!folders.some(({ name }) => name === "refused")) return null;
    throw new AppError("UNSUPPORTED", "no folder can be shared now", { field: "sharedFolders" });
  },
  configureNetwork: ({ adapters, portsElsewhere }) => {
    const taken = adapters.flatMap(({ forwards }) => forwards).find(({ hostPort }) => hostPort === 1);
    if (taken) throw new AppError("PORT_TAKEN", `port 1 is taken${takenBy({ portsElsewhere })}`);
    return null;
  },
  networkStatus: () => [],
  capture: () => null,
  profile: ({ seconds }) => ({
    ms: seconds * 1000,
    cpuMs: seconds * 500,
    instructions: 2e9,
    compiledInstructions: 1.5e9,
    tlbMisses: 7,
    exits: { linked: 3 },
    compiled: { regions: 1, modules: 1, wasmBytes: 100, compileMs: 1 },
    sampleCount: 1,
    samples: [{ rip: "ffffffff81000000", user: false, count: 1 }],
  }),
  metrics: () => ({ mips: 1, cpuShare: 0.5, residentBytes: 1, guestBytes: 1, diskReadBytes: 0, diskWrittenBytes: 0 }),
};

async function serve(message: unknown): Promise<void> {
  const { id, request, argument } = engineInboundSchema.parse(message);
  const name = request as EngineRequestName;
  const commandLine =
    name === "start" ? (argument as EngineArgument<"start">).config.boot.commandLine : start?.config.boot.commandLine;
  const misbehaviour = new RegExp(`\\b(crash|hang|fail|nonsense)-on=${name}\\b`).exec(commandLine ?? "")?.[1];
  if (misbehaviour === "crash") {
    process.stderr.write("RangeError: the fake engine fell over\n");
    process.exit(7);
  }
  if (misbehaviour === "hang") return;
  if (misbehaviour === "nonsense") {
    send({ kind: "reply", id, result: { no: "sense" } });
    return;
  }
  if (misbehaviour === "fail") {
    const details = { file: "/some/disk", consequence: "Nothing was saved.", remedy: "Free some space." };
    send({ kind: "failure", id, error: { code: "NO_SPACE", message: "The disk is full", details } });
    return;
  }
  try {
    const parsed = ENGINE_REQUESTS[name][0].parse(argument);
    const result = await (handlers[name] as (value: unknown) => unknown)(parsed);
    send({ kind: "reply", id, result });
  } catch (error) {
    const code = isAppError(error) ? error.code : "ENGINE_FAILED";
    send({ kind: "failure", id, error: { code, message: String(error), details: {} } });
  }
}

process.on("message", (message) => void serve(message));
process.on("disconnect", () => process.exit(0));

send({ kind: "hello", protocol: ENGINE_PROTOCOL_VERSION, pid: process.pid });
