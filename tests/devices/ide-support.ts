// An IDE controller on a bench, driven through its ports as a driver would.

import { chipsetModel } from "../../native-core/devices/chipset/models.ts";
import { IdeController, type IdePositions } from "../../native-core/devices/ide/ide-controller.ts";
import type { IdeDriveParts } from "../../native-core/devices/ide/ide-drive.ts";
import { PciBus } from "../../native-core/devices/pci/pci-bus.ts";
import { ScsiCdRom } from "../../native-core/devices/scsi/cd-rom.ts";
import { DeviceBench, Probe } from "../support/device-bench.ts";
import { FakeMemory } from "../support/fake-processor.ts";
import { memoryDisk } from "../support/memory-disk.ts";

export const BUS_MASTER_BASE = 0xc000;
const PRIMARY = 0x1f0;
const SECONDARY = 0x170;

/** A disk on the primary channel, a drive with a disc of 64 blocks on the secondary one. */
export class IdeBench {
  readonly bench = new DeviceBench();
  readonly memory = new FakeMemory(1 << 20);
  readonly disk = memoryDisk(1 << 20);
  readonly disc = memoryDisk(64 * 2048);
  readonly cdRom = new ScsiCdRom(this.disc);
  readonly irqs = Array.from({ length: 16 }, () => new Probe());
  readonly controller: IdeController;
  readonly #delivered: (() => void)[] = [];
  errors: string[] = [];

  constructor(overrides: Partial<IdeDriveParts> = {}) {
    for (let at = 0; at < this.disk.content.length; at++) this.disk.content[at] = (at >> 9) + at;
    for (let at = 0; at < this.disc.content.length; at++) this.disc.content[at] = (at >> 11) ^ at;
    const deliver = (apply: () => void) => void this.#delivered.push(apply);
    const onError = (request: string) => void this.errors.push(request);
    const drives: IdePositions = [
      { serial: "disk0", disk: this.disk, deliver, onError, ...overrides },
      undefined,
      { serial: "cd0", cdRom: this.cdRom, deliver, onError },
      undefined,
    ];
    const { bus } = this.bench;
    this.controller = new IdeController({
      bus,
      memory: this.memory,
      isaLine: (irq) => this.irqs[irq] as Probe,
      drives,
    });
    const pci = new PciBus({
      wireOf: chipsetModel("i440fx").wireOf,
      bus,
      messages: { send: () => {} },
      wires: [],
      ramEnd: 1 << 20,
      resetControl: { read: () => 0, write: () => {} },
    });
    pci.attach(1, 1, this.controller.pci);
    this.controller.reset();
    this.controller.pci.writeConfig(0x20, 4, BUS_MASTER_BASE);
    this.controller.pci.writeConfig(0x04, 2, 5);
  }

  /** Lets the media work, and delivers what they did. */
  async settle(): Promise<void> {
    for (let round = 0; round < 20; round++) await Promise.resolve();
    for (const apply of this.#delivered.splice(0)) apply();
  }

  command(command: number, registers: { count?: number; lba?: number; features?: number } = {}): void {
    const { count = 1, lba = 0, features = 0 } = registers;
    const port = PRIMARY;
    this.bench.out8(port + 6, 0xe0 | ((lba >>> 24) & 0x0f));
    this.bench.out8(port + 1, features);
    this.bench.out8(port + 2, 0, count);
    for (let byte = 0; byte < 3; byte++) this.bench.out8(port + 3 + byte, (lba >>> (8 * byte)) & 0xff);
    this.bench.out8(port + 7, command);
  }

  /** Sends a packet to the drive for discs. */
  packet(bytes: readonly number[], { limit = 0x8000, dma = false } = {}): void {
    const port = SECONDARY;
    this.bench.out8(port + 6, 0xa0);
    this.bench.out8(port + 1, dma ? 1 : 0);
    this.bench.out8(port + 4, limit & 0xff);
    this.bench.out8(port + 5, limit >>> 8);
    this.bench.out8(port + 7, 0xa0);
    const packet = [...bytes, ...new Array<number>(12 - bytes.length).fill(0)];
    for (let at = 0; at < 12; at += 2) {
      this.bench.bus.writePort(port, 2, (packet[at] ?? 0) | ((packet[at + 1] ?? 0) << 8));
    }
  }

  /** Reads without acknowledging the interrupt. */
  status(channel: 0 | 1 = 0): number {
    return this.bench.in8(channel === 0 ? 0x3f6 : 0x376);
  }

  acknowledge(channel: 0 | 1 = 0): number {
    return this.bench.in8((channel === 0 ? PRIMARY : SECONDARY) + 7);
  }

  readData(bytes: number, channel: 0 | 1 = 0): Uint8Array {
    const data = new Uint8Array(bytes);
    const view = new DataView(data.buffer);
    const port = channel === 0 ? PRIMARY : SECONDARY;
    for (let at = 0; at < bytes; at += 2) view.setUint16(at, this.bench.bus.readPort(port, 2), true);
    return data;
  }

  writeData(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += 4) this.bench.bus.writePort(PRIMARY, 4, view.getUint32(at, true));
  }

  /** A table at 1000h with these regions, and the bus master pointed at it. */
  table(channel: 0 | 1, regions: readonly (readonly [address: number, length: number])[]): void {
    for (const [index, [address, length]] of regions.entries()) {
      this.memory.writeU32(0x1000 + index * 8, address);
      this.memory.writeU32(0x1004 + index * 8, ((index === regions.length - 1 ? 0x80000000 : 0) | length) >>> 0);
    }
    this.bench.out32(BUS_MASTER_BASE + channel * 8 + 4, 0x1000);
  }

  start(channel: 0 | 1, toMemory: boolean): void {
    this.bench.out8(BUS_MASTER_BASE + channel * 8, toMemory ? 9 : 1);
  }

  busMasterStatus(channel: 0 | 1): number {
    return this.bench.in8(BUS_MASTER_BASE + channel * 8 + 2);
  }
}
