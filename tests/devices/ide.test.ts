// IDE disks and the bus master through the ports of the PIIX3 (ATA8-ACS, SFF-8038i).
import { describe, expect, it } from "vitest";
import { BUS_MASTER_BASE, IdeBench } from "./ide-support.ts";

const COMMAND = {
  READ: 0x20,
  READ_EXT: 0x24,
  WRITE: 0x30,
  SET_MULTIPLE: 0xc6,
  READ_MULTIPLE: 0xc4,
  READ_DMA: 0xc8,
  WRITE_DMA: 0xca,
  FLUSH: 0xe7,
  IDENTIFY: 0xec,
  TRIM: 0x06,
  SET_FEATURES: 0xef,
};
const BUSY = 0x80;
const READY = 0x50;
const READY_WITH_DATA = 0x58;
const FAILED = 0x51;
const IRQ = 14;

describe("An IDE disk", () => {
  it("identifies itself with its size, LBA48 and DMA", async () => {
    const ide = new IdeBench();
    ide.command(COMMAND.IDENTIFY);
    expect([ide.status(), ide.irqs[IRQ]?.level]).toEqual([READY_WITH_DATA, true]);
    expect(ide.acknowledge()).toBe(READY_WITH_DATA);
    expect(ide.irqs[IRQ]?.level).toBe(false);
    const words = new Uint16Array(ide.readData(512).buffer);
    expect([words[60], words[100]]).toEqual([2048, 2048]);
    expect([(words[49] ?? 0) & 0x300, (words[83] ?? 0) & 0x400]).toEqual([0x300, 0x400]);
    expect(ide.status()).toBe(READY);
  });

  it("reads sectors one by one, with an interrupt for each and none after the last", async () => {
    const ide = new IdeBench();
    ide.command(COMMAND.READ, { lba: 3, count: 2 });
    expect(ide.status() & BUSY).toBe(BUSY);
    await ide.settle();
    for (const sector of [3, 4]) {
      expect([ide.irqs[IRQ]?.level, ide.acknowledge()]).toEqual([true, READY_WITH_DATA]);
      expect(ide.readData(512)).toEqual(ide.disk.content.subarray(sector * 512, (sector + 1) * 512));
    }
    expect([ide.irqs[IRQ]?.level, ide.status()]).toEqual([false, READY]);
  });

  it("reads several sectors per interrupt once told to", async () => {
    const ide = new IdeBench();
    ide.command(COMMAND.SET_MULTIPLE, { count: 8 });
    expect(ide.acknowledge()).toBe(READY);
    ide.command(COMMAND.READ_MULTIPLE, { lba: 0, count: 12 });
    await ide.settle();
    const before = ide.irqs[IRQ]?.rises ?? 0;
    expect(ide.acknowledge()).toBe(READY_WITH_DATA);
    expect(ide.readData(8 * 512)).toEqual(ide.disk.content.subarray(0, 8 * 512));
    expect(ide.acknowledge()).toBe(READY_WITH_DATA);
    expect(ide.readData(4 * 512)).toEqual(ide.disk.content.subarray(8 * 512, 12 * 512));
    expect([ide.irqs[IRQ]?.rises, ide.status()]).toEqual([before + 1, READY]);
  });

  it("takes 48-bit addresses and shows their upper bytes", async () => {
    const ide = new IdeBench();
    const { bench } = ide;
    for (const value of [0, 2]) bench.out8(0x1f2, value);
    for (const [register, high, low] of [
      [3, 0, 5],
      [4, 1, 0],
      [5, 0, 0],
    ] as const)
      bench.out8(0x1f0 + register, high, low);
    bench.out8(0x1f6, 0x40);
    bench.out8(0x3f6, 0x80);
    expect(bench.in8(0x1f4)).toBe(1);
    bench.out8(0x1f7, COMMAND.READ_EXT);
    await ide.settle();
    // Sector 2^32 + 5 is not on this disk.
    expect([ide.status(), bench.in8(0x1f1)]).toEqual([FAILED, 0x10]);
  });

  it("reads by cylinder, head and sector", async () => {
    const ide = new IdeBench();
    ide.bench.out8(0x1f2, 1);
    for (const [at, value] of [1, 0, 0, 0x01].entries()) ide.bench.out8(0x1f3 + at, value);
    ide.bench.out8(0x1f7, COMMAND.READ);
    await ide.settle();
    expect(ide.readData(512)).toEqual(ide.disk.content.subarray(63 * 512, 64 * 512));
  });

  it("writes sectors, asking for each", async () => {
    const ide = new IdeBench();
    ide.command(COMMAND.WRITE, { lba: 10, count: 2 });
    expect([ide.status(), ide.irqs[IRQ]?.level]).toEqual([READY_WITH_DATA, false]);
    ide.writeData(new Uint8Array(512).fill(0xa1));
    expect(ide.status() & BUSY).toBe(BUSY);
    await ide.settle();
    expect([ide.acknowledge(), ide.irqs[IRQ]?.rises]).toEqual([READY_WITH_DATA, 1]);
    ide.writeData(new Uint8Array(512).fill(0xa2));
    await ide.settle();
    expect(ide.acknowledge()).toBe(READY);
    expect([9, 10, 11, 12].map((sector) => ide.disk.content[sector * 512 + 1])).toEqual([10, 0xa1, 0xa2, 13]);
  });

  it("moves data by DMA through a table, whether the bus master starts before the data is there or after", async () => {
    for (const early of [true, false]) {
      const ide = new IdeBench();
      ide.table(0, [
        [0x8000, 512],
        [0x9000, 1024],
      ]);
      ide.command(COMMAND.READ_DMA, { lba: 1, count: 3 });
      if (early) ide.start(0, true);
      await ide.settle();
      if (!early) ide.start(0, true);
      expect([ide.busMasterStatus(0) & 7, ide.acknowledge()]).toEqual([4, READY]);
      expect(ide.memory.bytes.subarray(0x8000, 0x8200)).toEqual(ide.disk.content.subarray(512, 1024));
      expect(ide.memory.bytes.subarray(0x9000, 0x9400)).toEqual(ide.disk.content.subarray(1024, 2048));
      ide.bench.out8(BUS_MASTER_BASE + 2, 4);
      expect(ide.busMasterStatus(0) & 7).toBe(0);
    }
  });

  it("writes by DMA, in pieces when the request is long", async () => {
    const ide = new IdeBench();
    ide.memory.bytes.fill(0x77, 0x20000, 0x40000);
    ide.table(0, [
      [0x20000, 0],
      [0x30000, 0],
    ]);
    ide.command(COMMAND.WRITE_DMA, { lba: 100, count: 0 });
    ide.start(0, false);
    await ide.settle();
    expect([ide.busMasterStatus(0) & 7, ide.acknowledge()]).toEqual([4, READY]);
    expect(ide.disk.content.subarray(100 * 512, 356 * 512).every((byte) => byte === 0x77)).toBe(true);
    expect(ide.disk.content[356 * 512]).not.toBe(0x77);
  });

  it("fails a DMA request whose table is too short, and says so in both status registers", async () => {
    const ide = new IdeBench();
    ide.table(0, [[0x8000, 512]]);
    ide.command(COMMAND.READ_DMA, { count: 2 });
    ide.start(0, true);
    await ide.settle();
    expect([ide.busMasterStatus(0) & 7, ide.acknowledge()]).toEqual([6, FAILED]);
  });

  it("flushes, trims ranges that lie on it, and refuses unknown commands", async () => {
    const flushed: string[] = [];
    const ide = new IdeBench();
    Object.assign(ide.disk, {
      flush: async () => void flushed.push("flush"),
      discard: async (offset: number, length: number) => void flushed.push(`${offset}+${length}`),
    });
    ide.command(COMMAND.FLUSH);
    await ide.settle();
    expect(ide.acknowledge()).toBe(READY);
    ide.memory.bytes.fill(0, 0x8000, 0x8200);
    ide.memory.writeU64(0x8000, (4n << 48n) | 16n);
    ide.memory.writeU64(0x8008, (4n << 48n) | 0xfffffff0n);
    ide.table(0, [[0x8000, 512]]);
    ide.command(COMMAND.TRIM, { features: 1 });
    ide.start(0, false);
    await ide.settle();
    expect(flushed).toEqual(["flush", `${16 * 512}+${4 * 512}`]);
    ide.command(0xb7);
    expect([ide.acknowledge(), ide.bench.in8(0x1f1)]).toEqual([FAILED, 4]);
  });

  it("reports a failing medium to guest and host, and goes on", async () => {
    const ide = new IdeBench();
    Object.assign(ide.disk, { read: async () => Promise.reject(new Error("bad sector")) });
    ide.command(COMMAND.READ);
    await ide.settle();
    expect([ide.acknowledge(), ide.bench.in8(0x1f1), ide.errors]).toEqual([FAILED, 0x40, ["read"]]);
    ide.command(COMMAND.IDENTIFY);
    expect(ide.acknowledge()).toBe(READY_WITH_DATA);
  });

  it("drops what was under way when it is reset, and shows its signature", async () => {
    const ide = new IdeBench();
    ide.command(COMMAND.READ);
    ide.bench.out8(0x3f6, 4, 0);
    await ide.settle();
    expect([ide.status(), ide.irqs[IRQ]?.level]).toEqual([READY, false]);
    expect([0x1f2, 0x1f3, 0x1f4, 0x1f5].map((port) => ide.bench.in8(port))).toEqual([1, 1, 0, 0]);
  });

  it("is not there as a slave", () => {
    const ide = new IdeBench();
    ide.bench.out8(0x1f6, 0xb0);
    expect([ide.status(), ide.acknowledge(), ide.bench.in8(0x1f4)]).toEqual([0, 0, 0]);
  });

  it("goes on with a request after a saved state, whichever phase it was in", async () => {
    for (const waiting of [true, false]) {
      const ide = new IdeBench();
      ide.command(COMMAND.READ, { lba: 7, count: 2 });
      if (!waiting) {
        await ide.settle();
        ide.readData(256);
      }
      const state = ide.controller.stateSchema.parse(structuredClone(ide.controller.save()));
      const copy = new IdeBench();
      copy.controller.restore(state);
      await copy.settle();
      const rest = copy.readData(waiting ? 1024 : 768);
      expect(rest).toEqual(copy.disk.content.subarray(7 * 512 + (waiting ? 0 : 256), 9 * 512));
      expect(copy.status()).toBe(READY);
    }
  });
});
