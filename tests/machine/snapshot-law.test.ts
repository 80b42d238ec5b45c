// The snapshot law: run N, save, run M equals restore, run M. In instruction time, where a run depends on nothing but its state, the
// two machines must agree in every register, every device and every byte of memory.
import { createHash } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import { LinuxBoot } from "../../native-core/firmware/linux-boot.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { PageCapture } from "../../native-core/host/state/page-capture.ts";
import { PageLoader } from "../../native-core/host/state/page-loader.ts";
import { PageMap } from "../../native-core/host/state/page-map.ts";
import { encodeState, type MachineShape, readState } from "../../native-core/host/state/state-folder.ts";
import { StateWriter } from "../../native-core/host/state/state-writer.ts";
import { encodeValue } from "../../native-core/host/state/value-codec.ts";
import { createMachine, type Machine } from "../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { STATE } from "../../native-core/x86/state-layout.ts";
import { debianKernel, initramfs } from "../support/linux-guest.ts";
import { temporaryFolder } from "../support/media/qemu-tools.ts";

const folder = temporaryFolder("snapshot-law");
afterAll(() => folder.remove());

const MEMORY_MIB = 128;
const SHAPE: MachineShape = { memoryMiB: MEMORY_MIB, videoMemoryMiB: 16, disks: [] };
const SLICE_NS = 10_000_000n;

interface Computer {
  readonly machine: Machine;
  readonly memory: CoreProcessor["memory"];
  readonly printed: () => string;
}

async function build(): Promise<Computer> {
  let text = "";
  let processor: CoreProcessor | undefined;
  const create = coreProcessor(await interpreterModule());
  const memoryBytes = MEMORY_MIB << 20;
  const machine = createMachine({
    memoryBytes,
    createProcessor: (options) => {
      processor = create(options);
      return processor;
    },
    firmware: new LinuxBoot({
      kernel: await debianKernel("cloud-amd64"),
      initrd: await initramfs("while true; do date; ls -R /sys/devices | md5sum; done"),
      commandLine: "console=ttyS0 panic=-1",
      memoryBytes,
    }),
    serial: [{ write: (byte) => void (text += String.fromCharCode(byte)) }, { write: () => undefined }],
    video: {},
  });
  if (!processor) throw new Error("the machine has no processor");
  return { machine, memory: processor.memory, printed: () => text };
}

/** Runs until the processor has retired this many instructions more, to the end of the slice. */
function run(machine: Machine, instructions: bigint): void {
  const count = () => machine.vcpu.state.get(STATE.instructionCount);
  const end = count() + instructions;
  machine.resume();
  while (count() < end) {
    const { state } = machine.runSlice(SLICE_NS);
    if (state !== "running" && state !== "halted") throw new Error(`the guest ended: ${state}`);
  }
  machine.pause();
}

function digest({ machine, memory }: Computer): { machine: string; memory: string } {
  for (let page = 0; page < memory.count; page++) memory.prepareRead(page * 4096, 4096);
  return {
    machine: encodeValue(machine.save()),
    memory: createHash("sha256")
      .update(memory.bytes().subarray(0, memory.count * 4096))
      .digest("hex"),
  };
}

function save({ machine, memory }: Computer, base: PageMap): { folder: string; map: PageMap } {
  const target = folder.file(`state-${machine.clock.nowNs()}`);
  const writer = new StateWriter({ folder: target, chunkFolder: folder.file("chunks"), baseFolder: null });
  const stateJson = encodeState(SHAPE, machine.save(), 0);
  const capture = new PageCapture(memory);
  capture.begin(false);
  for (let step = capture.next(1024); step; step = capture.next(1024)) {
    for (const { pages, bytes } of step.chunks) writer.addChunk(pages, bytes);
    writer.addZeroPages(step.zeroPages);
  }
  return { folder: target, map: writer.finish(base, stateJson).map };
}

async function restore(from: string): Promise<Computer> {
  const computer = await build();
  const state = await readState(from);
  new PageLoader(computer.memory, state.map, from);
  computer.machine.restore(state.machine);
  return computer;
}

describe("the snapshot law", () => {
  it("holds at several points of a Linux boot, for whole and incremental states", async () => {
    const original = await build();
    original.machine.powerOn();
    let base = PageMap.empty(original.memory.count);
    for (const before of [60_000_000n, 300_000_000n]) {
      run(original.machine, before);
      const saved = save(original, base);
      base = saved.map;
      run(original.machine, 30_000_000n);
      const copy = await restore(saved.folder);
      run(copy.machine, 30_000_000n);
      expect(digest(copy)).toEqual(digest(original));
      expect(original.printed().endsWith(copy.printed())).toBe(true);
      copy.machine.dispose();
    }
    expect(original.printed()).toContain("Linux version");
  }, 300_000);
});
