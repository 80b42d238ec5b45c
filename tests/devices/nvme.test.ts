// NVMe disks through the controller's registers and the queues in guest memory (NVMe 1.4).
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chipsetModel } from "../../native-core/devices/chipset/models.ts";
import { NvmeController } from "../../native-core/devices/nvme/nvme-controller.ts";
import { PciBus } from "../../native-core/devices/pci/pci-bus.ts";
import { DeviceBench, Probe } from "../support/device-bench.ts";
import { FakeMemory } from "../support/fake-processor.ts";
import { memoryDisk } from "../support/memory-disk.ts";

const BASE = 0xd000_0000;
const ADMIN_SQ = 0x1000;
const ADMIN_CQ = 0x2000;
const IO_SQ = 0x3000;
const IO_CQ = 0x4000;
const LIST = 0x5000;
const DATA = 0x1_0000;
const ENTRIES = 8;

interface Submission {
  opcode: number;
  nsid?: number;
  prp1?: number;
  prp2?: number;
  words?: readonly number[];
}

/** A driver with one I/O queue. */
class NvmeBench {
  readonly bench = new DeviceBench();
  readonly memory = new FakeMemory(1 << 20);
  readonly disk = memoryDisk(1 << 20);
  readonly wires = Array.from({ length: 4 }, () => new Probe());
  readonly controller: NvmeController;
  readonly #delivered: (() => void)[] = [];
  readonly #tails = [0, 0];
  readonly #heads = [0, 0];

  constructor() {
    for (let at = 0; at < this.disk.content.length; at++) this.disk.content[at] = (at >> 9) + at;
    const deliver = (apply: () => void) => void this.#delivered.push(apply);
    const disks = [{ id: "disk0", backend: this.disk }];
    this.controller = new NvmeController({ memory: this.memory, disks, deliver });
    const pci = new PciBus({
      wireOf: chipsetModel("i440fx").wireOf,
      bus: this.bench.bus,
      messages: { send: () => {} },
      wires: this.wires,
      ramEnd: 1 << 20,
      resetControl: { read: () => 0, write: () => {} },
    });
    pci.attach(7, 0, this.controller.pci);
    this.controller.reset();
    this.controller.pci.writeConfig(0x10, 4, BASE);
    this.controller.pci.writeConfig(0x04, 2, 6);
  }

  enable(): void {
    this.bench.write32(BASE + 0x24, ((ENTRIES - 1) << 16) | (ENTRIES - 1));
    this.bench.write32(BASE + 0x28, ADMIN_SQ);
    this.bench.write32(BASE + 0x30, ADMIN_CQ);
    this.bench.write32(BASE + 0x14, 0x0046_0001);
  }

  get status(): number {
    return this.bench.read32(BASE + 0x1c);
  }

  /** Puts a command into queue 0 or 1 and rings its bell. */
  submit(queue: number, { opcode, nsid = 0, prp1 = 0, prp2 = 0, words = [] }: Submission): void {
    const tail = this.#tails[queue] ?? 0;
    const at = (queue === 0 ? ADMIN_SQ : IO_SQ) + tail * 64;
    const id = 0x100 + tail;
    [(id << 16) | opcode, nsid, 0, 0, 0, 0, prp1, 0, prp2, 0, ...words].forEach((word, index) =>
      this.memory.writeU32(at + index * 4, word >>> 0),
    );
    this.#tails[queue] = (tail + 1) % ENTRIES;
    this.bench.write32(BASE + 0x1000 + queue * 8, this.#tails[queue] ?? 0);
  }

  /** The next answer of a queue, taken: status and double word 0. Undefined: there is none. */
  take(queue: number): { status: number; result: number } | undefined {
    const head = this.#heads[queue] ?? 0;
    const at = (queue === 0 ? ADMIN_CQ : IO_CQ) + (head % ENTRIES) * 16;
    const phase = this.memory.readU16(at + 14) & 1;
    if (phase !== (Math.floor(head / ENTRIES) % 2 === 0 ? 1 : 0)) return undefined;
    this.#heads[queue] = head + 1;
    this.bench.write32(BASE + 0x1004 + queue * 8, (head + 1) % ENTRIES);
    return { status: this.memory.readU16(at + 14) >> 1, result: this.memory.readU32(at) };
  }

  async run(queue: number, command: Submission): Promise<number> {
    this.submit(queue, command);
    await this.settle();
    return this.take(queue)?.status ?? -1;
  }

  async settle(): Promise<void> {
    do {
      for (let round = 0; round < 20; round++) await Promise.resolve();
    } while (this.deliverAll() > 0);
  }

  deliverAll(): number {
    const ready = this.#delivered.splice(0);
    for (const apply of ready) apply();
    return ready.length;
  }
}

async function start(): Promise<NvmeBench> {
  const b = new NvmeBench();
  b.enable();
  expect(b.status).toBe(1);
  expect(await b.run(0, { opcode: 0x05, prp1: IO_CQ, words: [((ENTRIES - 1) << 16) | 1, 3] })).toBe(0);
  expect(await b.run(0, { opcode: 0x01, prp1: IO_SQ, words: [((ENTRIES - 1) << 16) | 1, (1 << 16) | 1] })).toBe(0);
  return b;
}

const rw = (opcode: number, lba: number, blocks: number, prp1 = DATA, prp2 = 0, flags = 0): Submission => ({
  ...{ opcode, nsid: 1, prp1, prp2 },
  words: [lba, 0, (blocks - 1) | flags],
});

describe("The NVMe controller", () => {
  it("becomes ready, stops, and refuses queues that are nowhere (3.1.5)", () => {
    const b = new NvmeBench();
    expect(b.status).toBe(0);
    b.enable();
    expect(b.status).toBe(1);
    b.bench.write32(BASE + 0x14, 0);
    expect(b.status).toBe(0);
    b.bench.write32(BASE + 0x2c, 0xffff);
    b.bench.write32(BASE + 0x14, 1);
    expect(b.status).toBe(2);
  });

  it("describes itself and its namespace (5.15)", async () => {
    const b = await start();
    expect(await b.run(0, { opcode: 0x06, prp1: DATA, words: [1] })).toBe(0);
    expect(new TextDecoder().decode(b.memory.bytes.subarray(DATA + 4, DATA + 9))).toBe("disk0");
    expect(b.memory.readU32(DATA + 516)).toBe(1);
    expect(await b.run(0, { opcode: 0x06, nsid: 1, prp1: DATA, words: [0] })).toBe(0);
    expect(b.memory.readU64(DATA)).toBe(2048n);
    expect(await b.run(0, { opcode: 0x06, nsid: 2, prp1: DATA, words: [0] })).toBe(0x0b);
    expect(await b.run(0, { opcode: 0x06, prp1: DATA, words: [2] })).toBe(0);
    expect([b.memory.readU32(DATA), b.memory.readU32(DATA + 4)]).toEqual([1, 0]);
    expect(await b.run(0, { opcode: 0x06, prp1: DATA, words: [0x77] })).toBe(2);
  });

  it("writes and reads over pages, lists of pages and lists of lists (4.3)", async () => {
    const b = await start();
    // 4 KiB from the middle of a page: two pages.
    b.memory.bytes.fill(0x5a, DATA + 0x800, DATA + 0x1800);
    expect(await b.run(1, rw(1, 8, 8, DATA + 0x800, DATA + 0x1000))).toBe(0);
    expect(b.disk.content.subarray(4096, 8192).every((byte) => byte === 0x5a)).toBe(true);
    // 32 KiB into every second page; the list goes on in another page.
    const pages = Array.from({ length: 8 }, (_, index) => DATA + index * 0x2000);
    b.memory.writeU64(LIST + 0xff0, BigInt(pages[1] ?? 0));
    b.memory.writeU64(LIST + 0xff8, BigInt(LIST + 0x1000));
    pages.slice(2).forEach((page, index) => b.memory.writeU64(LIST + 0x1000 + index * 8, BigInt(page)));
    expect(await b.run(1, rw(2, 0, 64, pages[0], LIST + 0xff0))).toBe(0);
    for (const [index, page] of pages.entries()) {
      expect(b.memory.bytes.slice(page, page + 4096)).toEqual(b.disk.content.slice(index * 4096, (index + 1) * 4096));
    }
    b.memory.writeU64(LIST, 0x1234n);
    expect(await b.run(1, rw(2, 0, 64, DATA, LIST))).toBe(0x13);
    b.memory.writeU64(LIST, 0x10_0000_0000n);
    expect(await b.run(1, rw(2, 0, 64, DATA, LIST))).toBe(4);
  });

  it("flushes, zeroes, discards, and makes writes durable when asked", async () => {
    const b = await start();
    const calls: string[] = [];
    b.disk.flush = async () => void calls.push("flush");
    b.disk.discard = async (offset, length) => void calls.push(`discard ${offset}+${length}`);
    b.disk.writeZeroes = async (offset, length, unmap) => void calls.push(`zero ${offset}+${length} ${unmap}`);
    expect(await b.run(1, { opcode: 0, nsid: 1 })).toBe(0);
    expect(await b.run(1, rw(1, 0, 1, DATA, 0, 1 << 30))).toBe(0);
    expect(await b.run(1, rw(8, 2, 4, 0, 0, 1 << 25))).toBe(0);
    b.memory.writeU32(DATA + 4, 8);
    b.memory.writeU64(DATA + 8, 16n);
    expect(await b.run(1, { opcode: 9, nsid: 1, prp1: DATA, words: [0, 4] })).toBe(0);
    expect(calls).toEqual(["flush", "flush", "zero 1024+2048 true", "discard 8192+4096"]);
    expect(await b.run(0, { opcode: 0x09, words: [6, 0] })).toBe(0);
    expect(await b.run(1, rw(1, 0, 1))).toBe(0);
    expect(calls.at(-1)).toBe("flush");
    expect(calls).toHaveLength(5);
  });

  it.each([
    ["an unknown command", { opcode: 0x55, nsid: 1 }, 0x001],
    ["another namespace", { opcode: 0x02, nsid: 2, prp1: DATA }, 0x00b],
    ["blocks behind the end", rw(2, 2048, 1), 0x080],
    ["blocks across the end", rw(1, 2047, 2), 0x080],
  ])("refuses %s", async (_what, command, status) => {
    expect(await (await start()).run(1, command)).toBe(status);
  });

  it("shows answers on its pin until they are taken, but for a masked vector", async () => {
    const b = await start();
    const level = () => b.wires.some((wire) => wire.level);
    expect(level()).toBe(false);
    b.submit(1, rw(2, 0, 1));
    await b.settle();
    expect(level()).toBe(true);
    b.bench.write32(BASE + 0x0c, 1);
    expect(level()).toBe(false);
    b.bench.write32(BASE + 0x10, 1);
    expect(b.take(1)?.status).toBe(0);
    expect(level()).toBe(false);
  });

  it("waits with answers and with new commands while the guest takes none", async () => {
    const b = await start();
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < ENTRIES - 1; n++) b.submit(1, rw(2, n, 1));
      await b.settle();
    }
    const seen: number[] = [];
    for (let answer = b.take(1); answer; answer = b.take(1)) {
      seen.push(answer.status);
      await b.settle();
    }
    expect(seen).toHaveLength(3 * (ENTRIES - 1));
    expect(seen.every((status) => status === 0)).toBe(true);
  });

  it("deletes a queue when its commands have ended, and completion queues after it", async () => {
    const b = await start();
    b.submit(1, rw(2, 0, 1));
    b.submit(0, { opcode: 0x04, words: [1] });
    b.submit(0, { opcode: 0x00, words: [1] });
    expect(b.take(0)?.status).toBe(0x10c);
    expect(b.take(0)).toBeUndefined();
    await b.settle();
    expect(b.take(0)?.status).toBe(0);
    expect(b.take(1)?.status).toBe(0);
    expect(await b.run(0, { opcode: 0x04, words: [1] })).toBe(0);
  });

  it("executes again after a restore what was under way when it was saved", async () => {
    const b = await start();
    b.submit(1, rw(2, 5, 1));
    b.submit(0, { opcode: 0x0c });
    const state = structuredClone(b.controller.save());
    expect(state.submission.map(({ inFlight }) => inFlight.length)).toEqual([1, 1]);
    b.controller.reset();
    b.memory.bytes.fill(0, DATA, DATA + 512);
    await b.settle();
    b.controller.restore(b.controller.stateSchema.parse(state));
    await b.settle();
    expect(b.take(1)?.status).toBe(0);
    expect(b.memory.bytes.slice(DATA, DATA + 512)).toEqual(b.disk.content.slice(5 * 512, 6 * 512));
    expect(b.take(0)).toBeUndefined();
  });

  it("says that a shutdown is done when what was written survives (3.1.6)", async () => {
    const b = await start();
    let flushed = false;
    b.disk.flush = async () => {
      flushed = true;
    };
    b.bench.write32(BASE + 0x14, 0x0046_4001);
    expect(b.status & 0xc).toBe(0);
    await b.settle();
    expect(b.status & 0xc).toBe(8);
    expect(flushed).toBe(true);
  });

  it("never throws, whatever the guest's queues and registers hold", async () => {
    const command = fc.record({
      queue: fc.nat({ max: 1 }),
      opcode: fc.nat({ max: 0x0d }),
      nsid: fc.nat({ max: 2 }),
      prp1: fc.oneof(fc.nat({ max: 1 << 20 }), fc.constantFrom(DATA, LIST, 0xffff_f000)),
      prp2: fc.oneof(fc.nat({ max: 1 << 20 }), fc.constantFrom(DATA, LIST, LIST + 0xff8)),
      words: fc.array(fc.oneof(fc.nat({ max: 9 }), fc.constantFrom(0x7_0001, 0x1_0001), fc.nat({ max: 0xffff_ffff })), {
        minLength: 3,
        maxLength: 6,
      }),
    });
    const write = fc.tuple(fc.nat({ max: 0x1020 / 4 }), fc.nat({ max: 0xffff_ffff }));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(command, write), { maxLength: 30 }), async (steps) => {
        const b = await start();
        for (const step of steps) {
          if (Array.isArray(step)) b.bench.write32(BASE + step[0] * 4, step[1]);
          else b.submit(step.queue, step);
          if (steps.length % 2) await b.settle();
        }
        await b.settle();
        const state = b.controller.stateSchema.parse(structuredClone(b.controller.save()));
        b.controller.restore(state);
        await b.settle();
      }),
      { numRuns: 150 },
    );
  });
});
