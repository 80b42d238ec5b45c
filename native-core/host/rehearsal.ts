// A process that waits for a machine rehearses meanwhile: it runs a small machine of its own, saves its state and goes on from it in a second
// one. V8 compiles functions when they are first called and well only after many calls, so without this a third of the time in which a
// restored machine comes to its first answer would be spent on compiling the emulator itself.
import { defaultMachineConfig, MEMORY_MIN_MIB } from "../config/machine-config.ts";
import { LinuxBoot } from "../firmware/linux-boot.ts";
import { createMachine, type Machine, type ProcessorFactory } from "../machine/machine.ts";
import type { CoreProcessor } from "../machine/processor.ts";
import { ENGINE_REQUESTS, engineInboundSchema, startRequestSchema } from "../protocol/engine.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { hostInputs } from "./host-inputs.ts";
import { NetworkSet } from "./network/network-set.ts";
import { rehearsalKernel } from "./rehearsal-guest.ts";
import { CHUNK_PAGES } from "./state/format.ts";
import { PageMap } from "./state/page-map.ts";
import { decodeState, encodeState } from "./state/state-folder.ts";

const MEMORY_MIB = MEMORY_MIN_MIB;
const SLICE_NS = 4_000_000n;
/** Host time that each of the two machines gets. */
const RUN_MS = 250;
const BOOT = { kernel: "/rehearsal", initrd: null, commandLine: "" };

/** In steps, for a start that comes meanwhile waits for one; it ends once `isWanted` says no. Never rejects: it is for nothing but speed. */
export async function rehearse(
  createProcessor: ProcessorFactory<CoreProcessor>,
  isWanted: () => boolean,
): Promise<void> {
  try {
    await play(createProcessor, isWanted);
    if (isWanted()) await giveBackMemory();
  } catch (error) {
    process.stderr.write(`the rehearsal failed: ${String(error)}\n`);
  }
}

async function play(createProcessor: ProcessorFactory<CoreProcessor>, isWanted: () => boolean): Promise<void> {
  for (const step of steps(createProcessor)) {
    await new Promise(setImmediate);
    if (!isWanted()) return;
    step();
  }
}

/** The machines' memory; V8 would keep it until a collection that a process at rest has no reason for. */
async function giveBackMemory(): Promise<void> {
  await new Promise(setImmediate);
  // What was compiled is what this was for.
  collectGarbage("regular");
}

function* steps(createProcessor: ProcessorFactory<CoreProcessor>): Generator<() => void> {
  const config = { ...defaultMachineConfig("rehearsal", BOOT), memoryMiB: MEMORY_MIB };
  const kernel = { file: BOOT.kernel, bytes: rehearsalKernel() };
  let first: Machine | undefined;
  let second: Machine | undefined;
  let state: unknown;
  yield () => {
    const paths = { folder: "/", kernelFile: BOOT.kernel, initrdFile: null, chunkFolder: "/", logFolder: "/" };
    const request = {
      ...paths,
      machineId: "",
      config,
      disks: [],
      dataSocket: "/",
      restoreFrom: null,
      startPaused: true,
    };
    engineInboundSchema.safeParse({ id: 0, request: "start", argument: request });
    startRequestSchema.safeParse(request);
    for (const name of ["resume", "sendText"] as const) ENGINE_REQUESTS[name][0].safeParse(null);
  };
  const create = (): Machine => {
    const network = new NetworkSet(config.adapters, { machineId: "rehearsal", hubSocket: null, warn: () => undefined });
    const port = { write: () => undefined };
    return createMachine({
      memoryBytes: MEMORY_MIB << 20,
      createProcessor: (options) => createProcessor({ ...options, model: config.cpuModel }),
      firmware: new LinuxBoot({ kernel, commandLine: BOOT.commandLine, memoryBytes: MEMORY_MIB << 20 }),
      generationId: new Uint8Array(16),
      inputs: hostInputs,
      serial: [port, port],
      adapters: network.parts,
      video: { memoryBytes: config.display.videoMemoryMiB << 20 },
    });
  };
  yield () => {
    first = create();
  };
  yield () => first?.powerOn();
  yield* runs(() => first);
  yield () => {
    const shape = { memoryMiB: MEMORY_MIB, videoMemoryMiB: 0, disks: [] };
    state = decodeState("rehearsal", encodeState(shape, first?.save(), 0)).machine;
    first?.dispose();
    const pages = (MEMORY_MIB << 20) / 4096;
    const chunk = { pack: "0".repeat(32), offset: 0, storedBytes: 1, pages: CHUNK_PAGES, hash: "0".repeat(64) };
    PageMap.decode("rehearsal", new PageMap([chunk], new Uint32Array(pages).fill(1)).encode());
  };
  yield () => {
    second = create();
  };
  yield () => {
    second?.restore(state);
    // Its memory is not part of the state, and that of the kernel is all there is.
    second?.powerOn();
  };
  yield* runs(() => second);
  yield () => second?.dispose();
}

function* runs(machine: () => Machine | undefined): Generator<() => void> {
  yield () => machine()?.resume();
  const endMs = performance.now() + RUN_MS;
  while (performance.now() < endMs) {
    yield () => void machine()?.runSlice(SLICE_NS);
  }
  yield () => machine()?.pause();
}
