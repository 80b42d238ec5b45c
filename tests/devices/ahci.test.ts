// SATA disks behind the AHCI adapter, through its registers and the structures in guest memory (AHCI 1.3.1).
import { describe, expect, it } from "vitest";
import { AhciController } from "../../native-core/devices/ahci/ahci-controller.ts";
import { chipsetModel } from "../../native-core/devices/chipset/models.ts";
import { PciBus } from "../../native-core/devices/pci/pci-bus.ts";
import { DeviceBench, Probe } from "../support/device-bench.ts";
import { FakeMemory } from "../support/fake-processor.ts";
import { memoryDisk } from "../support/memory-disk.ts";

const BASE = 0xd0000000;
const PORT = BASE + 0x100;
const LIST = 0x1000;
const RECEIVED = 0x2000;
const TABLE = 0x3000;
const COMMAND = { IDENTIFY: 0xec, READ_DMA_EXT: 0x25, WRITE_DMA_EXT: 0x35, FLUSH: 0xe7, UNKNOWN: 0xb7 };
const STARTED = 0x11;

class AhciBench {
  readonly bench = new DeviceBench();
  readonly memory = new FakeMemory(1 << 20);
  readonly disk = memoryDisk(1 << 20);
  readonly wires = Array.from({ length: 4 }, () => new Probe());
  readonly controller: AhciController;
  readonly #delivered: (() => void)[] = [];

  constructor() {
    for (let at = 0; at < this.disk.content.length; at++) this.disk.content[at] = (at >> 9) + at;
    const deliver = (apply: () => void) => void this.#delivered.push(apply);
    this.controller = new AhciController(this.memory, [{ serial: "disk0", disk: this.disk, deliver }]);
    const pci = new PciBus({
      wireOf: chipsetModel("i440fx").wireOf,
      bus: this.bench.bus,
      messages: { send: () => {} },
      wires: this.wires,
      ramEnd: 1 << 20,
      resetControl: { read: () => 0, write: () => {} },
    });
    pci.attach(6, 0, this.controller.pci);
    this.controller.reset();
    this.controller.pci.writeConfig(0x24, 4, BASE);
    this.controller.pci.writeConfig(0x04, 2, 6);
    this.bench.write32(BASE + 4, 0x80000002);
    for (const [register, value] of [
      [0x00, LIST],
      [0x08, RECEIVED],
      [0x14, 0xffffffff],
      [0x18, STARTED],
    ] as const)
      this.bench.write32(PORT + register, value);
  }

  get interrupt(): boolean {
    return this.wires.some((wire) => wire.level);
  }

  /** Puts a command into slot 0 with one region at 8000h, and issues it. */
  issue(command: number, options: { lba?: number; count?: number; bytes?: number; write?: boolean } = {}): void {
    const { lba = 0, count = 1, write = false } = options;
    const { bytes = count * 512 } = options;
    const { memory } = this;
    memory.bytes.fill(0, TABLE, TABLE + 0x100);
    memory.bytes.set([0x27, 0x80, command, 0, lba & 0xff, (lba >> 8) & 0xff, 0, 0x40], TABLE);
    memory.bytes.set([count & 0xff, count >> 8], TABLE + 12);
    memory.writeU32(TABLE + 0x80, 0x8000);
    memory.writeU32(TABLE + 0x8c, bytes - 1);
    memory.writeU32(LIST, ((bytes > 0 ? 1 : 0) << 16) | (write ? 0x40 : 0) | 5);
    memory.writeU32(LIST + 8, TABLE);
    this.bench.write32(PORT + 0x38, 1);
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 20; round++) await Promise.resolve();
    for (const apply of this.#delivered.splice(0)) apply();
  }

  /** Marked slots, task file data, interrupt status. */
  get outcome(): number[] {
    return [0x38, 0x20, 0x10].map((register) => this.bench.read32(PORT + register));
  }

  /** Takes the interrupt back. */
  acknowledge(): void {
    this.bench.write32(PORT + 0x10, 0xffffffff);
  }
}

describe("The AHCI adapter", () => {
  it("shows one port with a disk on it", () => {
    const { bench } = new AhciBench();
    expect([bench.read32(BASE + 0x0c), bench.read32(PORT + 0x28), bench.read32(PORT + 0x24)]).toEqual([
      1, 0x113, 0x101,
    ]);
    expect(bench.read32(BASE) & 0x1f).toBe(0);
    expect(bench.read32(PORT + 0x18)).toBe(STARTED | 0xc000);
  });

  it("identifies, reads and writes by its lists, with results as FIS and interrupts", async () => {
    const ahci = new AhciBench();
    ahci.issue(COMMAND.IDENTIFY);
    await ahci.settle();
    expect(ahci.outcome).toEqual([0, 0x50, 1]);
    expect(ahci.interrupt).toBe(true);
    expect([ahci.memory.readU16(0x8000 + 200), ahci.memory.bytes[RECEIVED + 0x40]]).toEqual([2048, 0x34]);
    ahci.acknowledge();
    expect(ahci.interrupt).toBe(false);

    ahci.issue(COMMAND.READ_DMA_EXT, { lba: 5, count: 3 });
    expect(ahci.outcome[0]).toBe(1);
    await ahci.settle();
    expect(ahci.memory.bytes.subarray(0x8000, 0x8600)).toEqual(ahci.disk.content.subarray(5 * 512, 8 * 512));
    expect(ahci.memory.readU32(LIST + 4)).toBe(1536);

    ahci.memory.bytes.fill(0xee, 0x8000, 0x8200);
    ahci.issue(COMMAND.WRITE_DMA_EXT, { lba: 9, write: true });
    await ahci.settle();
    expect(ahci.disk.content.subarray(9 * 512, 10 * 512).every((byte) => byte === 0xee)).toBe(true);
  });

  it("stops at a failed command until software starts the port anew", async () => {
    const ahci = new AhciBench();
    ahci.issue(COMMAND.UNKNOWN, { bytes: 0 });
    await ahci.settle();
    expect(ahci.outcome).toEqual([1, 0x451, 0x40000001]);
    ahci.bench.write32(PORT + 0x18, STARTED & ~1);
    ahci.bench.write32(PORT + 0x18, STARTED);
    ahci.acknowledge();
    ahci.issue(COMMAND.FLUSH, { bytes: 0 });
    await ahci.settle();
    expect(ahci.outcome).toEqual([0, 0x50, 1]);
  });

  it("fails a write whose regions are too short, and leaves the disk alone", async () => {
    const ahci = new AhciBench();
    ahci.issue(COMMAND.WRITE_DMA_EXT, { lba: 0, count: 4, bytes: 512, write: true });
    await ahci.settle();
    expect(ahci.outcome[1]).toBe(0x4051);
    expect(ahci.disk.content[1]).toBe(1);
  });

  it("begins a command again that was under way when its state was saved", async () => {
    const ahci = new AhciBench();
    ahci.issue(COMMAND.READ_DMA_EXT, { lba: 2 });
    const state = ahci.controller.stateSchema.parse(structuredClone(ahci.controller.save()));
    const copy = new AhciBench();
    copy.memory.bytes.set(ahci.memory.bytes);
    copy.controller.restore(state);
    await copy.settle();
    expect(copy.outcome[0]).toBe(0);
    expect(copy.memory.bytes.subarray(0x8000, 0x8200)).toEqual(copy.disk.content.subarray(1024, 1536));
  });

  it("drops what software takes back before it ended", async () => {
    const ahci = new AhciBench();
    ahci.issue(COMMAND.READ_DMA_EXT, { lba: 2 });
    ahci.bench.write32(PORT + 0x18, STARTED & ~1);
    ahci.memory.bytes.fill(0, 0x8000, 0x8200);
    await ahci.settle();
    expect([...ahci.outcome, ahci.memory.bytes[0x8001]]).toEqual([0, 0x50, 0, 0]);
  });
});
