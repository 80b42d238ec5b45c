// Drive A: through the controller's ports and DMA channel 2 (82077AA, 8237A), as a BIOS drives them.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DmaController } from "../../native-core/devices/dma/dma-controller.ts";
import { FLOPPY_DMA_CHANNEL, FloppyController } from "../../native-core/devices/floppy/floppy-controller.ts";
import { floppyGeometry } from "../../native-core/devices/floppy/geometry.ts";
import { DeviceBench, Probe } from "../support/device-bench.ts";
import { FakeMemory } from "../support/fake-processor.ts";
import { memoryDisk } from "../support/memory-disk.ts";

const BUFFER = 0x2_c000;

class FloppyBench {
  readonly bench = new DeviceBench();
  readonly memory = new FakeMemory(1 << 20);
  readonly disk: ReturnType<typeof memoryDisk>;
  readonly irq = new Probe();
  readonly dma: DmaController;
  readonly floppy: FloppyController;
  readonly #delivered: (() => void)[] = [];

  constructor(sizeBytes = 1440 << 10, readOnly = false) {
    this.disk = { ...memoryDisk(sizeBytes), readOnly };
    for (let at = 0; at < sizeBytes; at++) this.disk.content[at] = (at >> 9) * 3 + at;
    const { bus } = this.bench;
    this.dma = new DmaController(bus, this.memory);
    const deliver = (apply: () => void) => void this.#delivered.push(apply);
    const channel = this.dma.channel(FLOPPY_DMA_CHANNEL);
    this.floppy = new FloppyController({ bus, irq: this.irq, dma: channel, deliver, disk: this.disk });
    this.dma.reset();
    this.floppy.reset();
  }

  out(port: number, ...values: number[]): void {
    for (const value of values) this.bench.out8(port, value);
  }

  /** Out of reset with DMA, motor A on; the four drives' reports are taken. */
  start(): this {
    this.out(0x3f2, 0x00);
    this.out(0x3f2, 0x1c);
    expect(this.irq.level).toBe(true);
    for (let drive = 0; drive < 4; drive++) {
      this.out(0x3f5, 0x08);
      expect(this.result()).toEqual([0xc0 | drive, 0]);
    }
    return this;
  }

  setUpDma(mode: number, bytes: number): void {
    this.out(0x0a, 0x06);
    this.out(0x0c, 0);
    this.out(0x04, BUFFER & 0xff, (BUFFER >> 8) & 0xff);
    this.out(0x0c, 0);
    this.out(0x05, (bytes - 1) & 0xff, (bytes - 1) >> 8);
    this.out(0x0b, mode);
    this.out(0x81, BUFFER >> 16);
    this.out(0x0a, 0x02);
  }

  seek(cylinder: number): void {
    this.out(0x3f5, 0x0f, 0, cylinder);
    this.out(0x3f5, 0x08);
    expect(this.result()).toEqual([0x20, cylinder]);
  }

  result(): number[] {
    const bytes: number[] = [];
    while ((this.bench.in8(0x3f4) & 0xd0) === 0xd0) bytes.push(this.bench.in8(0x3f5));
    return bytes;
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    for (const apply of this.#delivered.splice(0)) apply();
  }
}

const at = (cylinder: number, head: number, sector: number) => ((cylinder * 2 + head) * 18 + sector - 1) * 512;

describe("The floppy controller", () => {
  it("is an 82077AA that is ready for commands", () => {
    const b = new FloppyBench().start();
    expect(b.bench.in8(0x3f4)).toBe(0x80);
    b.out(0x3f5, 0x10);
    expect(b.result()).toEqual([0x90]);
    b.out(0x3f5, 0x1f);
    expect(b.result()).toEqual([0x80]);
  });

  it("says that the disk was changed until a head has moved", () => {
    const b = new FloppyBench().start();
    expect(b.bench.in8(0x3f7)).toBe(0x80);
    b.seek(1);
    expect(b.bench.in8(0x3f7)).toBe(0);
  });

  it("reads over both sides of a cylinder", async () => {
    const b = new FloppyBench().start();
    b.seek(5);
    b.setUpDma(0x46, 20 * 512);
    b.out(0x3f5, 0xe6, 0, 5, 0, 17, 2, 18, 0x1b, 0xff);
    expect(b.bench.in8(0x3f4)).toBe(0x10);
    await b.settle();
    expect(b.irq.level).toBe(true);
    expect(b.result()).toEqual([0, 0, 0, 6, 0, 1, 2]);
    expect(b.irq.level).toBe(false);
    expect(b.memory.bytes.slice(BUFFER, BUFFER + 20 * 512)).toEqual(b.disk.content.slice(at(5, 0, 17), at(6, 0, 1)));
    expect(b.bench.in8(0x08) & 4).toBe(4);
  });

  it("writes, and formats a track", async () => {
    const b = new FloppyBench().start();
    b.seek(2);
    b.memory.bytes.fill(0x77, BUFFER, BUFFER + 1024);
    b.setUpDma(0x4a, 1024);
    b.out(0x3f5, 0x45, 4, 2, 1, 3, 2, 18, 0x1b, 0xff);
    await b.settle();
    expect(b.result()).toEqual([4, 0, 0, 2, 1, 5, 2]);
    expect(b.disk.content.subarray(at(2, 1, 3), at(2, 1, 5)).every((byte) => byte === 0x77)).toBe(true);
    b.setUpDma(0x4a, 18 * 4);
    b.out(0x3f5, 0x4d, 0, 2, 18, 0x54, 0xf6);
    await b.settle();
    expect(b.result().slice(0, 3)).toEqual([0, 0, 0]);
    expect(b.disk.content.subarray(at(2, 0, 1), at(2, 1, 1)).every((byte) => byte === 0xf6)).toBe(true);
  });

  it.each([
    ["another drive", [0xe6, 1, 0, 0, 1, 2, 18, 0x1b, 0xff], 0x01],
    ["another cylinder than the head is on", [0xe6, 0, 3, 0, 1, 2, 18, 0x1b, 0xff], 0x04],
    ["a sector that is not there", [0xe6, 0, 0, 0, 19, 2, 18, 0x1b, 0xff], 0x04],
    ["writing to a protected disk", [0xc5, 0, 0, 0, 1, 2, 18, 0x1b, 0xff], 0x02],
  ])("refuses %s", async (_what, command, st1) => {
    const b = new FloppyBench(1440 << 10, true).start();
    b.seek(0);
    b.setUpDma(0x46, 512);
    b.out(0x3f5, ...command);
    await b.settle();
    expect(b.result().slice(1, 2)).toEqual([st1]);
  });

  it("ends abnormally when the channel wanted more than the track had", async () => {
    const b = new FloppyBench().start();
    b.seek(0);
    b.setUpDma(0x46, 1024);
    b.out(0x3f5, 0x66, 0, 0, 0, 18, 2, 18, 0x1b, 0xff);
    await b.settle();
    expect(b.result().slice(0, 2)).toEqual([0x40, 0x80]);
  });

  it("begins a read again that was under way when the state was saved", async () => {
    const b = new FloppyBench().start();
    b.seek(0);
    b.setUpDma(0x46, 512);
    b.out(0x3f5, 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    const saved = b.floppy.stateSchema.parse(structuredClone(b.floppy.save()));
    const channels = b.dma.stateSchema.parse(structuredClone(b.dma.save()));
    const copy = new FloppyBench();
    copy.dma.restore(channels);
    copy.floppy.restore(saved);
    // What the controller of before still finishes is no part of the copy.
    await b.settle();
    await copy.settle();
    await copy.settle();
    expect(copy.result()).toEqual([0, 0, 0, 0, 0, 2, 2]);
    expect(copy.memory.bytes.slice(BUFFER, BUFFER + 512)).toEqual(copy.disk.content.slice(0, 512));
  });

  it("knows disks by their size", () => {
    expect([360, 720, 1200, 1440, 2880].map((kib) => floppyGeometry(kib * 1024)?.sectors)).toEqual([9, 9, 15, 18, 36]);
    expect(floppyGeometry(1000)).toBeUndefined();
  });

  it("never throws, whatever is written to its ports", async () => {
    const ports = [...Array.from({ length: 16 }, (_, port) => port), 0x81, 0x3f2, 0x3f4, 0x3f5, 0x3f5, 0x3f5, 0x3f7];
    const access = fc.tuple(
      fc.constantFrom(...ports),
      fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0xe6, 0xc5, 0x4d, 0, 1, 2, 18)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(access, { maxLength: 80 }), async (accesses) => {
        const b = new FloppyBench().start();
        for (const [port, value] of accesses) {
          b.out(port, value);
          b.bench.in8(port);
        }
        await b.settle();
        const state = b.floppy.stateSchema.parse(structuredClone(b.floppy.save()));
        b.floppy.restore(state);
        b.dma.restore(b.dma.stateSchema.parse(structuredClone(b.dma.save())));
        await b.settle();
      }),
      { numRuns: 200 },
    );
  });
});
