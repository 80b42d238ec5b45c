// The drive for discs behind IDE packets (SFF-8020i, MMC-5): reading, changing discs, telling the guest.
import { describe, expect, it } from "vitest";
import { memoryDisk } from "../support/memory-disk.ts";
import { IdeBench } from "./ide-support.ts";

const READY = 0x50;
const READY_WITH_DATA = 0x58;
const FAILED = 0x51;
const IRQ = 15;
const CD = 1;
const TEST_UNIT_READY = [0];
const REQUEST_SENSE = [3, 0, 0, 0, 18];
const EVENT_STATUS = [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8];
const read10 = (block: number, count: number) => [0x28, 0, 0, 0, 0, block, 0, 0, count];

class Drive extends IdeBench {
  /** Sends a packet and takes all data the drive has, block by block. */
  async send(
    packet: readonly number[],
    limit = 0x8000,
  ): Promise<{ status: number; data: Uint8Array; blocks: number[] }> {
    this.packet(packet, { limit });
    const blocks: number[] = [];
    const parts: Uint8Array[] = [];
    for (;;) {
      await this.settle();
      const status = this.acknowledge(CD);
      if (status !== READY_WITH_DATA)
        return { status, data: Uint8Array.from(parts.flatMap((part) => [...part])), blocks };
      const length = this.bench.in8(0x174) | (this.bench.in8(0x175) << 8);
      expect(this.bench.in8(0x172)).toBe(2);
      blocks.push(length);
      parts.push(this.readData(length, CD));
    }
  }

  /** Key, code and qualifier of the last failure. */
  async sense(): Promise<number[]> {
    const { data } = await this.send(REQUEST_SENSE);
    return [data[2] ?? 0, data[12] ?? 0, data[13] ?? 0];
  }

  static async ready(): Promise<Drive> {
    const drive = new Drive();
    expect((await drive.send(TEST_UNIT_READY)).status).toBe(FAILED);
    expect(await drive.sense()).toEqual([6, 0x29, 0]);
    return drive;
  }
}

describe("A CD-ROM drive", () => {
  it("shows the signature of packet devices instead of identifying as a disk", () => {
    const drive = new IdeBench();
    drive.bench.out8(0x176, 0);
    drive.bench.out8(0x177, 0xec);
    expect([drive.acknowledge(CD), drive.bench.in8(0x171)]).toEqual([FAILED, 4]);
    expect([drive.bench.in8(0x174), drive.bench.in8(0x175)]).toEqual([0x14, 0xeb]);
    drive.bench.out8(0x177, 0xa1);
    expect(drive.acknowledge(CD)).toBe(READY_WITH_DATA);
    expect(new DataView(drive.readData(512, CD).buffer).getUint16(0, true)).toBe(0x85c0);
  });

  it("reads blocks in pieces no longer than the host allows, and ends with an interrupt of its own", async () => {
    const drive = await Drive.ready();
    const { status, data, blocks } = await drive.send(read10(5, 3), 2048);
    expect([status, drive.bench.in8(0x172)]).toEqual([READY, 3]);
    expect(blocks).toEqual([2048, 2048, 2048]);
    expect(data).toEqual(drive.disc.content.subarray(5 * 2048, 8 * 2048));
  });

  it("reads blocks by DMA", async () => {
    const drive = await Drive.ready();
    drive.table(CD, [[0x8000, 4096]]);
    drive.packet(read10(2, 2), { dma: true });
    drive.start(CD, true);
    await drive.settle();
    expect([drive.busMasterStatus(CD) & 7, drive.acknowledge(CD)]).toEqual([4, READY]);
    expect(drive.memory.bytes.subarray(0x8000, 0x9000)).toEqual(drive.disc.content.subarray(4096, 8192));
  });

  it("tells its capacity, the table of contents and what kind of disc is in", async () => {
    const drive = await Drive.ready();
    expect((await drive.send([0x25])).data).toEqual(Uint8Array.of(0, 0, 0, 63, 0, 0, 8, 0));
    const toc = (await drive.send([0x43, 0, 0, 0, 0, 0, 0, 0, 100])).data;
    expect([...toc.subarray(0, 4), toc[6], toc[14], toc[19]]).toEqual([0, 18, 1, 1, 1, 0xaa, 64]);
    const configuration = (await drive.send([0x46, 0, 0, 0, 0, 0, 0, 0, 8])).data;
    expect([configuration[6], configuration[7]]).toEqual([0, 8]);
    expect(String.fromCharCode(...(await drive.send([0x12, 0, 0, 0, 36])).data.subarray(16, 23))).toBe("DVD-ROM");
  });

  it("refuses blocks behind the end, unknown commands and unknown fields, each with its sense code", async () => {
    const drive = await Drive.ready();
    for (const [packet, sense] of [
      [read10(63, 2), [5, 0x21, 0]],
      [[0xf7], [5, 0x20, 0]],
      [
        [0x5a, 0, 0x3e, 0, 0, 0, 0, 0, 100],
        [5, 0x24, 0],
      ],
    ] as const) {
      expect((await drive.send(packet)).status).toBe(FAILED);
      expect(await drive.sense()).toEqual(sense);
    }
  });

  it("announces a new disc once by unit attention and by event, and reads it", async () => {
    const drive = await Drive.ready();
    const other = memoryDisk(16 * 2048);
    other.content.fill(0x99);
    drive.cdRom.insert(other);
    const event = (await drive.send(EVENT_STATUS)).data;
    expect([event[2], event[4], event[5]]).toEqual([4, 2, 2]);
    expect((await drive.send(TEST_UNIT_READY)).status).toBe(FAILED);
    expect(await drive.sense()).toEqual([6, 0x28, 0]);
    expect((await drive.send(read10(0, 1))).data[7]).toBe(0x99);
    expect((await drive.send(EVENT_STATUS)).data[4]).toBe(0);
  });

  it("has no medium after the disc was taken out", async () => {
    const drive = await Drive.ready();
    drive.cdRom.insert(undefined);
    expect((await drive.send(read10(0, 1))).status).toBe(FAILED);
    expect(await drive.sense()).toEqual([2, 0x3a, 1]);
  });

  it("keeps the disc from the guest's own eject while it is locked, and opens the tray otherwise", async () => {
    const drive = await Drive.ready();
    let ejected = 0;
    drive.cdRom.onEjected = () => ejected++;
    const eject = [0x1b, 0, 0, 0, 2];
    await drive.send([0x1e, 0, 0, 0, 1]);
    expect(drive.cdRom.locked).toBe(true);
    expect((await drive.send(eject)).status).toBe(FAILED);
    expect(await drive.sense()).toEqual([5, 0x53, 2]);
    drive.cdRom.requestEject();
    expect((await drive.send(EVENT_STATUS)).data[4]).toBe(1);
    await drive.send([0x1e, 0, 0, 0, 0]);
    expect((await drive.send(eject)).status).toBe(READY);
    expect([ejected, drive.cdRom.medium]).toEqual([1, undefined]);
    expect((await drive.send(TEST_UNIT_READY)).status).toBe(FAILED);
    expect(await drive.sense()).toEqual([2, 0x3a, 2]);
    await drive.send([0x1b, 0, 0, 0, 3]);
    expect(drive.cdRom.medium).toBe(drive.disc);
  });

  it("fails a read that was under way when the disc went away", async () => {
    const drive = await Drive.ready();
    drive.packet(read10(0, 1));
    drive.cdRom.insert(undefined);
    await drive.settle();
    expect([drive.acknowledge(CD), drive.errors]).toEqual([FAILED, ["read"]]);
    expect(drive.irqs[IRQ]?.level).toBe(false);
  });

  it("keeps sense, lock and tray in its saved state", async () => {
    const drive = await Drive.ready();
    await drive.send([0x1e, 0, 0, 0, 1]);
    await drive.send([0xf7]);
    const copy = new Drive();
    copy.controller.restore(copy.controller.stateSchema.parse(structuredClone(drive.controller.save())));
    expect(copy.cdRom.locked).toBe(true);
    expect(await copy.sense()).toEqual([5, 0x20, 0]);
  });
});
