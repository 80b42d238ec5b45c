// What the snapshot law is tested with: a computer whose runs depend on nothing but its state, saved into a folder and restored from it,
// and a digest of everything that it holds.
import { createHash } from "node:crypto";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { PageCapture } from "../../native-core/host/state/page-capture.ts";
import { PageLoader } from "../../native-core/host/state/page-loader.ts";
import type { PageMap } from "../../native-core/host/state/page-map.ts";
import { encodeState, type MachineShape, readState } from "../../native-core/host/state/state-folder.ts";
import { StateWriter } from "../../native-core/host/state/state-writer.ts";
import { encodeValue } from "../../native-core/host/state/value-codec.ts";
import { createMachine, type Machine, type MachineParts } from "../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { STATE } from "../../native-core/x86/state-layout.ts";
import type { temporaryFolder } from "./media/qemu-tools.ts";

const SLICE_NS = 10_000_000n;
const SHAPE: MachineShape = { memoryMiB: 0, videoMemoryMiB: 16, disks: [] };

export interface Computer {
  readonly machine: Machine;
  readonly memory: CoreProcessor["memory"];
  readonly printed: () => string;
}

/** In instruction time, with a display. */
export async function buildComputer(parts: Omit<MachineParts, "createProcessor" | "serial">): Promise<Computer> {
  let text = "";
  let processor: CoreProcessor | undefined;
  const create = coreProcessor(await interpreterModule());
  const machine = createMachine({
    video: {},
    ...parts,
    createProcessor: (options) => {
      processor = create(options);
      return processor;
    },
    serial: [{ write: (byte) => void (text += String.fromCharCode(byte)) }, { write: () => undefined }],
  });
  if (!processor) throw new Error("the machine has no processor");
  return { machine, memory: processor.memory, printed: () => text };
}

/** Runs until the processor has retired this many instructions more, to the end of the slice. */
export function run(machine: Machine, instructions: bigint): void {
  const count = () => machine.vcpu.state.get(STATE.instructionCount);
  const end = count() + instructions;
  machine.resume();
  while (count() < end) runSlice(machine);
  machine.pause();
}

/** Runs until the guest has printed a text, and lets the host do its part between slices. */
export async function runUntil({ machine, printed }: Computer, text: string): Promise<void> {
  machine.resume();
  while (!printed().includes(text)) {
    runSlice(machine);
    await new Promise((resolve) => setImmediate(resolve));
  }
  machine.pause();
}

function runSlice(machine: Machine): void {
  const { state } = machine.runSlice(SLICE_NS);
  if (state !== "running" && state !== "halted") throw new Error(`the guest ended: ${state}`);
}

export function digest({ machine, memory }: Computer): { machine: string; memory: string } {
  for (let page = 0; page < memory.count; page++) memory.prepareRead(page * 4096, 4096);
  return {
    machine: encodeValue(machine.save()),
    memory: createHash("sha256")
      .update(memory.bytes().subarray(0, memory.count * 4096))
      .digest("hex"),
  };
}

export function save(
  { machine, memory }: Computer,
  folder: ReturnType<typeof temporaryFolder>,
  base: PageMap,
): { folder: string; map: PageMap } {
  const target = folder.file(`state-${machine.clock.nowNs()}`);
  const writer = new StateWriter({ folder: target, chunkFolder: folder.file("chunks"), baseFolder: null });
  const shape = { ...SHAPE, memoryMiB: machine.memoryBytes >> 20 };
  const stateJson = encodeState(shape, machine.save(), 0);
  const capture = new PageCapture(memory);
  capture.begin(false);
  for (let step = capture.next(1024); step; step = capture.next(1024)) {
    for (const { pages, bytes } of step.chunks) writer.addChunk(pages, bytes);
    writer.addZeroPages(step.zeroPages);
  }
  return { folder: target, map: writer.finish(base, stateJson).map };
}

/** `computer` is a new one with the same parts. */
export async function restore(computer: Computer, from: string): Promise<Computer> {
  const state = await readState(from);
  new PageLoader(computer.memory, state.map, from);
  computer.machine.restore(state.machine);
  return computer;
}
