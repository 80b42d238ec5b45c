// A VM process whose guest is a few lines of script: the real host, store and interface around it, without an emulator.
// It speaks native-core/protocol/engine.ts, draws its console on an 80x25 text screen, and keeps "files" in memory that
// snapshots save and restore. Interface tests that need no real guest run on it in seconds.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import path from "node:path";
import { deflateSync } from "node:zlib";
import { encodePng } from "../../../native-core/display/png.ts";
import {
  ENGINE_PROTOCOL_VERSION,
  type EngineArgument,
  type EngineRequestName,
  type RunState,
  type SnapshotResult,
  type StopReason,
} from "../../../native-core/protocol/engine.ts";
import type { AdapterStatus } from "../../../native-core/protocol/network.ts";
import { layOverlays, pullLayer } from "../../support/vm/fake-disks.ts";
import { serveRfb } from "./scripted-rfb.ts";
import { TextScreen } from "./text-screen.ts";

interface GuestState {
  files: Record<string, string>;
  scrollback: string;
}

const screen = new TextScreen();
const consoles = new Set<Socket>();
let request: EngineArgument<"start"> | null = null;
let guest: GuestState = { files: {}, scrollback: "" };
let adapters: EngineArgument<"configureNetwork">["adapters"] = [];
/** Files by adapter. */
const captures = new Map<string, string>();
let line = "";
let commands = 0;

const post = (message: object) => process.send?.(message);
const runState = (state: RunState, reason: StopReason | null = null) =>
  post({ kind: "runState", state, reason, message: null });

function print(text: string): void {
  const output = text.replaceAll("\n", "\r\n");
  guest.scrollback = (guest.scrollback + output).slice(-(1 << 20));
  screen.write(output);
  for (const socket of consoles) socket.write(output);
}

function end(reason: StopReason): void {
  runState("stopped", reason);
  setTimeout(() => process.exit(0), 20);
}

function execute(command: string): void {
  commands++;
  const write = /^echo (.*?) > (\S+)$/.exec(command);
  const [name = "", argument = ""] = command.split(" ", 2);
  if (write) guest.files[write[2] ?? ""] = write[1] ?? "";
  else if (name === "cat") print(`${guest.files[argument] ?? `cat: can't open '${argument}'`}\n`);
  else if (name === "ls") print(`${Object.keys(guest.files).join("  ")}\n`);
  else if (name === "echo") print(`${command.slice(5)}\n`);
  else if (name === "rm") delete guest.files[argument];
  else if (name === "poweroff") {
    print("The system is going down.\n");
    return end("guest-shutdown");
  } else if (command.trim()) print(`-sh: ${name}: not found\n`);
  print("~ # ");
}

/** Line discipline of a serial terminal: echo, backspace, lines. */
function type(text: string): void {
  for (const character of text) {
    if (character === "\r" || character === "\n") {
      print("\n");
      const command = line;
      line = "";
      execute(command);
    } else if (character === "\x7f") {
      if (line) print("\b \b");
      line = line.slice(0, -1);
    } else if (character >= " ") {
      line += character;
      print(character);
    }
  }
}

function serveData(socket: Socket): void {
  socket.on("error", () => socket.destroy());
  socket.once("data", (head) => {
    const [channel = ""] = head.toString("latin1").split("\n", 1);
    if (channel === "rfb") return serveRfb(socket, screen, (key) => type(key));
    if (!channel.startsWith("console 0")) return;
    if (!channel.endsWith("tail")) socket.write(guest.scrollback);
    consoles.add(socket);
    socket.on("data", (bytes) => type(bytes.toString("utf8")));
    socket.on("close", () => consoles.delete(socket));
  });
}

async function saveTo(folder: string): Promise<SnapshotResult> {
  await mkdir(`${folder}.part`, { recursive: true });
  await writeFile(path.join(`${folder}.part`, "guest.json"), JSON.stringify(guest));
  await rename(`${folder}.part`, folder);
  const { width, height, pixels } = screen.thumbnail();
  const thumbnailPng = new Uint8Array(encodePng({ width, height, pixels }, (data) => deflateSync(data)));
  return { pauseMs: 12, writtenBytes: 3_400_000, newPages: 830, totalPages: 9120, thumbnailPng };
}

/** Of an adapter that has carried a little; a forward of port 1 can't be had. */
function adapterStatus({ id, mac, network, forwards }: (typeof adapters)[number]): AdapterStatus {
  const file = captures.get(id);
  return {
    id,
    isPlugged: true,
    counters: { receivedBytes: 48 << 10, receivedFrames: 60, sentBytes: 6 << 10, sentFrames: 40, deniedFrames: 7 },
    leases: network === "nat" ? [{ address: "10.0.2.15", mac, hostName: "starter" }] : [],
    capture: file === undefined ? null : { file, bytes: 2048, frames: 20 },
    problems: forwards.some(({ hostPort }) => hostPort === 1) ? ["The tcp port 1 can't be opened"] : [],
  };
}

type Handlers = { [N in EngineRequestName]: (argument: EngineArgument<N>) => unknown };

const handlers: Handlers = {
  async start(argument) {
    request = argument;
    adapters = argument.config.adapters;
    createServer(serveData).listen(argument.dataSocket);
    runState("starting");
    if (argument.restoreFrom) {
      guest = JSON.parse(await readFile(path.join(argument.restoreFrom, "guest.json"), "utf8")) as GuestState;
      screen.write(guest.scrollback);
    } else {
      print("Terrarium scripted guest\n\x1b[1;32mStarter Linux\x1b[0m is ready.\n\n~ # ");
    }
    runState(argument.startPaused ? "paused" : "running");
    const capabilities = {
      engine: "embedded",
      liveSnapshots: true,
      saveState: true,
      acpiShutdown: true,
      screenshots: true,
      maxCpus: 1,
      memoryMinMiB: 64,
      memoryMaxMiB: 3072,
    };
    return { capabilities, startMs: 5 };
  },
  changeDisc: () => ({ changed: true }),
  attachDisk: () => null,
  detachDisk: () => ({ detached: true }),
  mergeStep: (argument) => pullLayer(request, argument),
  reopenLayers: () => null,
  configureNetwork(argument) {
    adapters = argument.adapters;
    return null;
  },
  shareFolders: () => null,
  networkStatus: () => adapters.map(adapterStatus),
  capture({ adapterId, file }) {
    if (file === null) captures.delete(adapterId);
    else captures.set(adapterId, file);
    return null;
  },
  pause: () => (runState("paused"), null),
  resume: () => (runState("running"), null),
  reset() {
    line = "";
    screen.clear();
    post({ kind: "reset" });
    print("\nTerrarium scripted guest, once more\n~ # ");
    return null;
  },
  acpiShutdown() {
    print("The system is going down.\n");
    end("guest-shutdown");
    return null;
  },
  powerOff: () => (end("power-off"), null),
  async saveState({ folder }) {
    const result = await saveTo(folder);
    end("saved");
    return result;
  },
  async takeSnapshot(argument) {
    await layOverlays(request, argument);
    if (argument.folder !== null) return saveTo(argument.folder);
    return { pauseMs: 1, writtenBytes: 0, newPages: 0, totalPages: 0, thumbnailPng: null };
  },
  screenshot({ thumbnail }) {
    const { width, height, pixels } = thumbnail ? screen.thumbnail() : screen.picture();
    return { png: encodePng({ width, height, pixels }, (data) => deflateSync(data)), width, height };
  },
  sendText: ({ text }) => (type(text), null),
  profile: async ({ seconds }) => {
    await new Promise((resolve) => setTimeout(resolve, seconds * 100));
    return {
      ms: seconds * 1000,
      cpuMs: seconds * 400,
      instructions: seconds * 140e6,
      compiledInstructions: seconds * 126e6,
      tlbMisses: 2800 * seconds,
      exits: { linked: 1400, indirect: 28_000, fault: 140 },
      compiled: { regions: 3, modules: 1, wasmBytes: 24_576, compileMs: 4 },
      sampleCount: 100,
      samples: [
        { rip: "ffffffff81000104", user: false, count: 75 },
        { rip: "401000", user: true, count: 25 },
      ],
    };
  },
  metrics: () => ({
    mips: 140 + 60 * Math.sin(Date.now() / 4000) + commands * 10,
    cpuShare: 0.32 + 0.2 * Math.sin(Date.now() / 5000),
    residentBytes: 180 << 20,
    guestBytes: 61 << 20,
    diskReadBytes: 23 << 20,
    diskWrittenBytes: 1 << 20,
    network: {
      receivedBytes: commands * 1000,
      receivedFrames: commands,
      sentBytes: commands * 100,
      sentFrames: commands,
    },
  }),
};

process.on("message", (message: { id: number; request: EngineRequestName; argument: never }) => {
  void (async () => {
    try {
      post({ kind: "reply", id: message.id, result: await handlers[message.request](message.argument) });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      post({ kind: "failure", id: message.id, error: { code: "ENGINE_FAILED", message: text, details: {} } });
    }
  })();
});
process.on("disconnect", () => process.exit(0));
post({ kind: "hello", protocol: ENGINE_PROTOCOL_VERSION, pid: process.pid });
