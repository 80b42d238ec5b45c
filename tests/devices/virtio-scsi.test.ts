import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ScsiCdRom } from "../../native-core/devices/scsi/cd-rom.ts";
import { VIRTIO_F_VERSION_1 } from "../../native-core/devices/virtio/constants.ts";
import { VIRTIO_SCSI_F_HOTPLUG } from "../../native-core/devices/virtio/scsi/protocol.ts";
import { VirtioScsi } from "../../native-core/devices/virtio/scsi/virtio-scsi.ts";
import { TestDisk } from "../support/test-disk.ts";
import { type Buffer, DEVICE_CONFIG, DriverQueue, NOTIFY, type TestMemory, VirtioBench } from "./virtio-support.ts";

const HEADER = 0x10000;
const ANSWER = 0x10800;
const DATA = 0x11000;
const HEADER_BYTES = 19 + 32;
const ANSWER_BYTES = 12 + 96;
const DRIVE = 8;
const [SENSE_BYTES, RESIDUAL, STATUS, RESPONSE, SENSE] = [0, 4, 10, 11, 12];

interface Bench {
  readonly b: VirtioBench;
  readonly scsi: VirtioScsi;
  readonly control: DriverQueue;
  readonly events: DriverQueue;
  readonly requests: DriverQueue;
}

function bench(disk: TestDisk, drive?: ScsiCdRom, memory?: TestMemory): { b: VirtioBench; scsi: VirtioScsi } {
  let scsi!: VirtioScsi;
  const b = new VirtioBench((deliver) => {
    const disks = [{ id: "disk0", target: 0, medium: disk }];
    scsi = new VirtioScsi([...disks, ...(drive ? [{ id: "cd0", target: DRIVE, medium: drive }] : [])], { deliver });
    return scsi;
  }, memory);
  return { b, scsi };
}

function start(disk = new TestDisk(), drive?: ScsiCdRom): Bench {
  const { b, scsi } = bench(disk, drive);
  expect(b.negotiate(VIRTIO_F_VERSION_1 | VIRTIO_SCSI_F_HOTPLUG)).toBe(true);
  const [control, events, requests] = [0, 1, 2].map((index) => new DriverQueue(b, index, 64).setUp());
  b.driverOk();
  return { b, scsi, control, events, requests } as Bench;
}

interface Transfer {
  readonly target?: number;
  readonly unit?: number;
  readonly out?: number;
  readonly into?: number;
}

async function send(
  { b, requests }: Bench,
  command: readonly number[],
  { target = 0, unit = 0, out = 0, into = 0 }: Transfer = {},
): Promise<{ status: number; response: number; residual: number; sense: number[]; length: number }> {
  const { bytes, view } = b.memory;
  bytes.fill(0, HEADER, HEADER + HEADER_BYTES);
  bytes.set([1, target, 0x40 | (unit >> 8), unit & 0xff], HEADER);
  bytes.set(command, HEADER + 19);
  bytes.fill(0xee, ANSWER, ANSWER + ANSWER_BYTES);
  const buffers: Buffer[] = [
    { address: HEADER, length: HEADER_BYTES },
    ...(out > 0 ? [{ address: DATA, length: out }] : []),
    { address: ANSWER, length: ANSWER_BYTES, writable: true },
    ...(into > 0 ? [{ address: DATA, length: into, writable: true }] : []),
  ];
  const before = requests.usedIndex;
  requests.add(buffers);
  requests.notify();
  await b.settle();
  return {
    status: bytes[ANSWER + STATUS] ?? -1,
    response: bytes[ANSWER + RESPONSE] ?? -1,
    residual: view.getUint32(ANSWER + RESIDUAL, true),
    sense:
      view.getUint32(ANSWER + SENSE_BYTES, true) === 18
        ? [2, 12, 13].map((at) => bytes[ANSWER + SENSE + at] ?? -1)
        : [],
    length: requests.usedIndex > before ? requests.usedElement(before).length : 0,
  };
}

const GOOD = { status: 0, response: 0, residual: 0, sense: [] };
const wide = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
const read10 = (block: number, count: number): number[] => [0x28, 0, ...wide(block), 0, 0, count, 0];
const write10 = (block: number, count: number, flags = 0): number[] => [0x2a, flags, ...wide(block), 0, 0, count, 0];
const text = ({ bytes }: TestMemory, at: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + length));

describe("virtio-scsi requests (5.6.6.1)", () => {
  it("write, flush and read blocks of a disk, with what was left over", async () => {
    const disk = new TestDisk();
    const bus = start(disk);
    const { memory } = bus.b;
    memory.bytes.fill(0x5a, DATA, DATA + 1024);
    expect(await send(bus, write10(3, 2), { out: 1024 })).toMatchObject(GOOD);
    expect(await send(bus, write10(5, 1, 8), { out: 512 })).toMatchObject(GOOD);
    expect(await send(bus, [0x35])).toMatchObject(GOOD);
    memory.bytes.fill(0, DATA, DATA + 4096);
    expect(await send(bus, read10(3, 2), { into: 2048 })).toEqual({
      ...GOOD,
      residual: 1024,
      length: ANSWER_BYTES + 1024,
    });
    expect(memory.bytes[DATA + 1023]).toBe(0x5a);
    expect(memory.bytes[DATA + 1024]).toBe(0);
    expect(disk.log).toEqual(["write 1536+1024", "write 2560+512", "flush", "flush", "read 1536+1024"]);
  });

  it("tell who the disk is, how large, and that its writes are cached", async () => {
    const bus = start();
    const { memory } = bus.b;
    expect(await send(bus, [0x12, 0, 0, 0, 36], { into: 64 })).toMatchObject({ ...GOOD, residual: 28 });
    expect(text(memory, DATA + 8, 24)).toBe("TERRARIUSCSI disk       ");
    await send(bus, [0x12, 1, 0x80, 0, 64], { into: 64 });
    expect(text(memory, DATA + 4, 5)).toBe("disk0");
    await send(bus, [0x25], { into: 8 });
    expect([...memory.bytes.subarray(DATA, DATA + 8)]).toEqual([0, 0, 0, 127, 0, 0, 2, 0]);
    await send(bus, [0x9e, 0x10, ...new Array<number>(8).fill(0), 0, 0, 0, 32], { into: 32 });
    expect(memory.bytes[DATA + 14]).toBe(0xc0);
    await send(bus, [0x1a, 0, 8, 0, 64], { into: 64 });
    expect([...memory.bytes.subarray(DATA, DATA + 7)]).toEqual([23, 0, 0x10, 0, 8, 18, 4]);
    await send(bus, [0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16], { into: 16 });
    expect([...memory.bytes.subarray(DATA, DATA + 4)]).toEqual([0, 0, 0, 8]);
  });

  it("zero blocks by UNMAP and WRITE SAME", async () => {
    const disk = new TestDisk();
    const bus = start(disk);
    const { memory } = bus.b;
    memory.bytes.fill(0, DATA, DATA + 512);
    memory.bytes.set([0, 38, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, ...wide(8), ...wide(16), 0, 0, 0, 0], DATA);
    memory.bytes.set([0, 0, 0, 0, ...wide(64), ...wide(8), 0, 0, 0, 0], DATA + 24);
    expect(await send(bus, [0x42, 0, 0, 0, 0, 0, 0, 0, 40], { out: 40 })).toMatchObject(GOOD);
    memory.bytes.fill(0, DATA, DATA + 512);
    const same16 = [0x93, 8, 0, 0, 0, 0, ...wide(16), ...wide(4)];
    expect(await send(bus, same16, { out: 512 })).toMatchObject(GOOD);
    memory.bytes[DATA] = 1;
    expect((await send(bus, same16, { out: 512 })).sense).toEqual([5, 0x24, 0]);
    expect(disk.log).toEqual(["zero 4096+8192 true", "zero 32768+4096 true", "zero 8192+2048 true"]);
  });

  it("end with sense data for what the disk can't do", async () => {
    const bus = start(new TestDisk(64 * 1024, true));
    expect(await send(bus, write10(0, 1), { out: 512 })).toMatchObject({ status: 2, sense: [7, 0x27, 0] });
    expect(await send(bus, read10(128, 1), { into: 512 })).toMatchObject({ status: 2, sense: [5, 0x21, 0] });
    expect(await send(bus, [0xff])).toMatchObject({ status: 2, sense: [5, 0x20, 0] });
    expect((await send(bus, read10(0, 2), { into: 512 })).response).toBe(1);
    const disk = new TestDisk();
    const failing = start(disk);
    disk.failing = true;
    expect(await send(failing, read10(0, 1), { into: 512 })).toMatchObject({ status: 2, sense: [3, 0x11, 0] });
    expect(await send(failing, write10(0, 1), { out: 512 })).toMatchObject({ status: 2, sense: [3, 0x0c, 0] });
  });

  it("find no target and no unit where there is none", async () => {
    const bus = start();
    expect((await send(bus, [0], { target: 1 })).response).toBe(3);
    expect((await send(bus, [0], { unit: 1 })).sense).toEqual([5, 0x25, 0]);
    await send(bus, [0x12, 0, 0, 0, 36], { unit: 1, into: 36 });
    expect(bus.b.memory.bytes[DATA]).toBe(0x7f);
  });

  it("read a disc, and hear that it was changed", async () => {
    const disc = new TestDisk(8 * 2048, true);
    disc.bytes.fill(0x43);
    const drive = new ScsiCdRom(disc);
    const bus = start(new TestDisk(), drive);
    expect((await send(bus, [0], { target: DRIVE })).sense).toEqual([6, 0x29, 0]);
    expect(await send(bus, [0], { target: DRIVE })).toMatchObject(GOOD);
    expect(await send(bus, read10(1, 2), { target: DRIVE, into: 4096 })).toMatchObject(GOOD);
    expect(disc.log).toEqual(["read 2048+4096"]);
    drive.insert(new TestDisk(2048, true));
    expect((await send(bus, [0], { target: DRIVE })).sense).toEqual([6, 0x28, 0]);
    expect((await send(bus, read10(1, 1), { target: DRIVE, into: 2048 })).sense).toEqual([5, 0x21, 0]);
    const state = bus.b.device.stateSchema.parse(structuredClone(bus.b.device.save()));
    expect(state.model).toMatchObject({ drives: { cd0: { powerOnAttention: false } } });
  });
});

describe("virtio-scsi task management and events (5.6.6.2, 5.6.6.3)", () => {
  async function order({ b, control }: Bench, kind: number, target = 0): Promise<number> {
    const at = 0x18000;
    b.memory.bytes.fill(0, at, at + 24);
    b.memory.bytes.set([0, 0, 0, 0, kind, 0, 0, 0, 1, target, 0x40], at);
    b.memory.bytes[at + 64] = 0xee;
    control.add([
      { address: at, length: 24 },
      { address: at + 64, length: 1, writable: true },
    ]);
    control.notify();
    await b.settle();
    return b.memory.bytes[at + 64] ?? -1;
  }

  it("answers a reset when the tasks of the unit have ended", async () => {
    const disk = new TestDisk();
    disk.held = true;
    const bus = start(disk);
    expect(await order(bus, 5, 3)).toBe(3);
    await send(bus, read10(0, 1), { into: 512 });
    expect(await order(bus, 5)).toBe(0xee);
    disk.release();
    await bus.b.settle();
    expect(bus.requests.usedIndex).toBe(1);
    expect(bus.control.usedIndex).toBe(2);
    expect(await order(bus, 5)).toBe(0);
  });

  it("tells the driver of disks that come and go, or that it has missed it", async () => {
    const bus = start();
    const added = new TestDisk();
    const event = 0x19000;
    const { memory } = bus.b;
    bus.events.add([{ address: event, length: 16, writable: true }]);
    expect([bus.scsi.isFree(0), bus.scsi.isFree(1)]).toEqual([false, true]);
    bus.scsi.plug({ id: "disk1", target: 1, medium: added });
    expect([memory.readU32(event), memory.bytes[event + 5], memory.readU32(event + 12)]).toEqual([1, 1, 1]);
    expect(await send(bus, read10(0, 1), { target: 1, into: 512 })).toMatchObject(GOOD);
    // No buffer is there: the next one says so.
    expect(bus.scsi.unplug("disk1")).toBe(true);
    expect(bus.scsi.unplug("disk1")).toBe(false);
    expect((await send(bus, [0], { target: 1 })).response).toBe(3);
    bus.events.add([{ address: event, length: 16, writable: true }]);
    bus.events.notify();
    expect(memory.readU32(event)).toBe(0x8000_0000);
  });

  it("ends what is under way at a disk that was taken out", async () => {
    const disk = new TestDisk();
    const bus = start(disk);
    disk.held = true;
    await send(bus, read10(0, 1), { into: 512 });
    bus.scsi.unplug("disk0");
    expect(bus.requests.usedIndex).toBe(0);
    disk.release();
    await bus.b.settle();
    expect(bus.requests.usedIndex).toBe(1);
  });
});

describe("The saved state of virtio-scsi", () => {
  it("carries out again what was in flight", async () => {
    const disk = new TestDisk();
    disk.held = true;
    const bus = start(disk);
    bus.b.device.write(DEVICE_CONFIG + 24, 4, 16);
    bus.b.device.write(DEVICE_CONFIG + 24, 4, 32);
    bus.b.memory.bytes.fill(0x33, DATA, DATA + 512);
    await send(bus, write10(5, 1), { out: 512 });
    const state = bus.b.device.stateSchema.parse(structuredClone(bus.b.device.save()));
    const copy = new TestDisk();
    const { b } = bench(copy, undefined, bus.b.memory);
    b.device.restore(state);
    expect(b.device.save()).toEqual(state);
    b.device.write(NOTIFY + 8, 2, 0);
    await b.settle();
    expect(copy.log).toEqual(["write 2560+512"]);
    expect(bus.requests.usedIndex).toBe(1);
  });

  it("survives whatever commands and rings a driver brings", async () => {
    const anything = fc.record({
      command: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      operation: fc.constantFrom(0, 3, 8, 0x12, 0x1a, 0x25, 0x28, 0x2a, 0x41, 0x42, 0x43, 0x5a, 0x88, 0x93, 0x9e, 0xbe),
      target: fc.constantFrom(0, DRIVE, 3),
      unit: fc.nat({ max: 300 }),
      out: fc.nat({ max: 2048 }),
      into: fc.nat({ max: 2048 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(anything, { maxLength: 8 }), async (commands) => {
        const bus = start(new TestDisk(), new ScsiCdRom(new TestDisk(16 * 2048, true)));
        for (const { command, operation, ...transfer } of commands) {
          command[0] = operation;
          const { response } = await send(bus, [...command], transfer);
          expect([0, 1, 3]).toContain(response);
        }
        expect(bus.b.device.stateSchema.safeParse(bus.b.device.save()).success).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
