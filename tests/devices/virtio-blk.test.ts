import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  VIRTIO_BLK_F_CONFIG_WCE,
  VIRTIO_BLK_F_DISCARD,
  VIRTIO_BLK_F_FLUSH,
  VIRTIO_BLK_F_RO,
} from "../../native-core/devices/virtio/blk/config.ts";
import { VirtioBlk } from "../../native-core/devices/virtio/blk/virtio-blk.ts";
import {
  DEVICE_STATUS,
  VIRTIO_F_VERSION_1,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
} from "../../native-core/devices/virtio/constants.ts";
import { TestDisk } from "../support/test-disk.ts";
import { DEVICE_CONFIG, DriverQueue, NOTIFY, TestMemory, VirtioBench } from "./virtio-support.ts";

const HEADER = 0x10000;
const DATA = 0x11000;
const STATUS = 0x10800;
const FLUSH_FEATURES = VIRTIO_F_VERSION_1 | VIRTIO_BLK_F_FLUSH;

function start(disk: TestDisk, features = FLUSH_FEATURES): { b: VirtioBench; queue: DriverQueue; errors: unknown[] } {
  const errors: unknown[] = [];
  const b = new VirtioBench(
    (deliver) =>
      new VirtioBlk({
        backend: disk,
        serial: "TERRARIUM-0001-AND-MORE",
        deliver,
        onError: (_request, error) => errors.push(error),
      }),
  );
  expect(b.negotiate(features)).toBe(true);
  const queue = new DriverQueue(b, 0, 64).setUp();
  b.driverOk();
  return { b, queue, errors };
}

function header(memory: TestMemory, type: number, sector: number, at = HEADER): void {
  memory.writeU32(at, type);
  memory.writeU32(at + 4, 0);
  memory.writeU64(at + 8, BigInt(sector));
  memory.bytes[STATUS] = 0xee;
}

async function request(
  b: VirtioBench,
  queue: DriverQueue,
  type: number,
  sector: number,
  data: { length: number; writable: boolean } | undefined,
): Promise<number> {
  header(b.memory, type, sector);
  queue.add([
    { address: HEADER, length: 16 },
    ...(data ? [{ address: DATA, ...data }] : []),
    { address: STATUS, length: 1, writable: true },
  ]);
  queue.notify();
  await b.settle();
  return b.memory.bytes[STATUS] ?? -1;
}

describe("virtio-blk requests (5.2.6)", () => {
  it.each([
    ["says that the host works while a driver polls (2.7.7)", VIRTQ_AVAIL_F_NO_INTERRUPT, [1, 0]],
    ["leaves a driver alone that waits for an interrupt", 0, [0, 0]],
  ])("%s", async (_title, flags, expected) => {
    let awaited = 0;
    const awaitHost = () => {
      awaited++;
      return () => void awaited--;
    };
    const b = new VirtioBench((deliver) => new VirtioBlk({ backend: new TestDisk(), serial: "", deliver, awaitHost }));
    b.negotiate(FLUSH_FEATURES);
    const queue = new DriverQueue(b, 0, 64).setUp();
    b.driverOk();
    b.memory.writeU16(queue.driver, flags);
    const done = request(b, queue, 4, 0, undefined);
    const during = awaited;
    await done;
    expect([during, awaited]).toEqual(expected);
  });

  it("writes, flushes and reads back", async () => {
    const disk = new TestDisk();
    const { b, queue } = start(disk);
    b.memory.bytes.fill(0x5a, DATA, DATA + 1024);
    expect(await request(b, queue, 1, 3, { length: 1024, writable: false })).toBe(0);
    expect(disk.bytes[3 * 512 + 1023]).toBe(0x5a);
    expect(await request(b, queue, 4, 0, undefined)).toBe(0);
    b.memory.bytes.fill(0, DATA, DATA + 1024);
    expect(await request(b, queue, 0, 3, { length: 1024, writable: true })).toBe(0);
    expect(b.memory.bytes[DATA + 1023]).toBe(0x5a);
    expect(queue.usedElement(2).length).toBe(1025);
    expect(disk.log).toEqual(["write 1536+1024", "flush", "read 1536+1024"]);
  });

  it("makes every write durable for a driver without flush", async () => {
    const disk = new TestDisk();
    const { b, queue } = start(disk, VIRTIO_F_VERSION_1);
    await request(b, queue, 1, 0, { length: 512, writable: false });
    expect(disk.log).toEqual(["write 0+512", "flush"]);
  });

  it("lets a driver turn the write cache off (5.2.5.2)", async () => {
    const disk = new TestDisk();
    const { b, queue } = start(disk, FLUSH_FEATURES | VIRTIO_BLK_F_CONFIG_WCE);
    await request(b, queue, 1, 0, { length: 512, writable: false });
    b.device.write(DEVICE_CONFIG + 32, 1, 0);
    await request(b, queue, 1, 0, { length: 512, writable: false });
    expect(disk.log).toEqual(["write 0+512", "write 0+512", "flush"]);
  });

  it("answers GET_ID with twenty bytes", async () => {
    const { b, queue } = start(new TestDisk());
    expect(await request(b, queue, 8, 0, { length: 20, writable: true })).toBe(0);
    expect(new TextDecoder().decode(b.memory.bytes.subarray(DATA, DATA + 20))).toBe("TERRARIUM-0001-AND-M");
  });

  it("discards and zeroes ranges", async () => {
    const disk = new TestDisk();
    disk.bytes.fill(7);
    const { b, queue } = start(disk, FLUSH_FEATURES | VIRTIO_BLK_F_DISCARD);
    const range = (at: number, sector: number, sectors: number, flags: number) => {
      b.memory.writeU64(at, BigInt(sector));
      b.memory.writeU32(at + 8, sectors);
      b.memory.writeU32(at + 12, flags);
    };
    range(DATA, 2, 4, 0);
    expect(await request(b, queue, 11, 0, { length: 16, writable: false })).toBe(0);
    range(DATA, 0, 1, 1);
    range(DATA + 16, 8, 1, 0);
    expect(await request(b, queue, 13, 0, { length: 32, writable: false })).toBe(2 - 2);
    expect(disk.log).toEqual(["discard 1024+2048", "zero 0+512 true", "zero 4096+512 false"]);
    range(DATA, 2, 4, 1);
    expect(await request(b, queue, 11, 0, { length: 16, writable: false })).toBe(2);
    range(DATA, 127, 4, 0);
    expect(await request(b, queue, 11, 0, { length: 16, writable: false })).toBe(1);
  });

  it.each([
    ["beyond the end", 0, 128, 512],
    ["across the end", 0, 127, 1024],
    ["at a sector that overflows", 1, 2 ** 55, 512],
    ["of a part of a sector", 0, 0, 100],
  ])("fails a transfer %s with IOERR", async (_title, type, sector, length) => {
    const { b, queue } = start(new TestDisk());
    expect(await request(b, queue, type, sector, { length, writable: type === 0 })).toBe(1);
  });

  it("fails writes to a read-only disk and says so in the features", async () => {
    const disk = new TestDisk(4096, true);
    const { b, queue } = start(disk);
    expect(b.offeredFeatures() & VIRTIO_BLK_F_RO).toBeTruthy();
    expect(await request(b, queue, 1, 0, { length: 512, writable: false })).toBe(1);
    expect(disk.log).toEqual([]);
  });

  it("answers unknown request types with UNSUPP", async () => {
    const { b, queue } = start(new TestDisk());
    expect(await request(b, queue, 99, 0, undefined)).toBe(2);
  });

  it("turns a failure of the medium into IOERR and reports it", async () => {
    const disk = new TestDisk();
    const { b, queue, errors } = start(disk);
    disk.failing = true;
    expect(await request(b, queue, 0, 0, { length: 512, writable: true })).toBe(1);
    expect(errors).toHaveLength(1);
  });

  it("asks for a reset when a request has no status byte", () => {
    const { b, queue } = start(new TestDisk());
    header(b.memory, 0, 0);
    queue.add([{ address: HEADER, length: 16 }]);
    queue.notify();
    expect(b.status & DEVICE_STATUS.DEVICE_NEEDS_RESET).toBeTruthy();
  });

  it("describes the disk in its configuration", () => {
    const { b } = start(new TestDisk(1 << 20));
    expect(b.device.read(DEVICE_CONFIG, 4)).toBe(2048);
    expect(b.device.read(DEVICE_CONFIG + 20, 4)).toBe(512);
    expect(b.device.read(DEVICE_CONFIG + 24, 1)).toBe(3);
    expect(b.device.read(DEVICE_CONFIG + 58, 4)).toBe(0);
  });
});

describe("virtio-blk in flight", () => {
  it("completes in the order of the medium, only when delivered", async () => {
    const disk = new TestDisk();
    disk.held = true;
    const { b, queue } = start(disk);
    header(b.memory, 0, 0);
    for (let i = 0; i < 3; i++) {
      queue.add([
        { address: HEADER, length: 16 },
        { address: DATA, length: 512, writable: true },
        { address: STATUS, length: 1, writable: true },
      ]);
    }
    queue.notify();
    expect(disk.log).toHaveLength(3);
    await b.settle();
    expect(queue.usedIndex).toBe(0);
    disk.release();
    await b.settle();
    expect(queue.usedIndex).toBe(3);
    expect(b.line).toBe(true);
  });

  it("answers small reads of what is at hand on the spot, straight into the driver's buffers", async () => {
    const disk = new TestDisk(1 << 20);
    disk.bytes.fill(0x42);
    disk.atHand = true;
    const { b, queue } = start(disk);
    header(b.memory, 0, 2);
    // Two neighbouring buffers and one apart: two pieces.
    queue.add([
      { address: HEADER, length: 16 },
      { address: DATA, length: 512, writable: true },
      { address: DATA + 512, length: 512, writable: true },
      { address: DATA + 4096, length: 1024, writable: true },
      { address: STATUS, length: 1, writable: true },
    ]);
    queue.notify();
    expect(queue.usedIndex).toBe(1);
    expect(b.line).toBe(true);
    expect(disk.log).toEqual(["now 1024 1024+1024"]);
    expect(b.memory.bytes[DATA + 4096 + 1023]).toBe(0x42);
    expect(b.memory.bytes[STATUS]).toBe(0);
    await request(b, queue, 0, 0, { length: 256 << 10, writable: true });
    expect(disk.log[1]).toBe(`read 0+${256 << 10}`);
  });

  it("shows a reset as done only when no transfer touches memory any more (4.1.4.3.1)", async () => {
    const disk = new TestDisk();
    disk.held = true;
    const { b, queue } = start(disk);
    await request(b, queue, 0, 0, { length: 512, writable: true });
    const before = b.status;
    b.status = 0;
    expect(b.status).toBe(before);
    expect(b.device.draining).toBe(true);
    disk.release();
    await b.settle();
    expect(b.status).toBe(0);
    expect(b.device.draining).toBe(false);
  });

  it("drops completions of before a reset and holds new requests until they are done", async () => {
    const disk = new TestDisk();
    disk.held = true;
    const { b, queue } = start(disk);
    await request(b, queue, 1, 0, { length: 512, writable: false });
    b.negotiate(FLUSH_FEATURES);
    const again = new DriverQueue(b, 0, 64, 0x40000).setUp();
    b.driverOk();
    await request(b, again, 1, 1, { length: 512, writable: false });
    expect(disk.log).toEqual(["write 0+512"]);
    disk.held = false;
    disk.release();
    await b.settle();
    expect(queue.usedIndex).toBe(0);
    expect(again.usedIndex).toBe(1);
    expect(disk.log).toEqual(["write 0+512", "write 512+512"]);
  });

  it("submits again after a restore what was in flight when it was saved", async () => {
    const disk = new TestDisk();
    disk.held = true;
    const { b, queue } = start(disk);
    b.memory.bytes.fill(0x33, DATA, DATA + 512);
    await request(b, queue, 1, 5, { length: 512, writable: false });
    const state = b.device.stateSchema.parse(structuredClone(b.device.save()));
    expect(state.transport.queues[0]?.inFlight).toEqual([0]);

    const copy = new TestDisk();
    const other = new VirtioBench((deliver) => new VirtioBlk({ backend: copy, serial: "x", deliver }), b.memory);
    other.device.restore(state);
    expect(other.device.save()).toEqual(state);
    // A notification that comes first must not submit it twice.
    other.device.write(NOTIFY, 2, 0);
    await other.settle();
    expect(copy.log).toEqual(["write 2560+512"]);
    expect(copy.bytes[5 * 512]).toBe(0x33);
    expect(queue.usedIndex).toBe(1);
    expect(other.device.save().transport.queues[0]?.inFlight).toEqual([]);
  });
});

describe("virtio-blk against a hostile driver", () => {
  it("never throws, whatever the rings and the registers hold", async () => {
    const write = fc.record({
      offset: fc.oneof(fc.integer({ min: 0, max: 0x3c }), fc.integer({ min: 0, max: 0x3fff })),
      size: fc.constantFrom(1 as const, 2 as const, 4 as const),
      value: fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0, max: 0xffff_ffff })),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 0x400, maxLength: 0x400 }),
        fc.array(fc.nat({ max: 70 }), { minLength: 1, maxLength: 20 }),
        fc.array(write, { maxLength: 20 }),
        async (table, heads, writes) => {
          const { b, queue } = start(new TestDisk());
          b.memory.bytes.set(table, queue.descriptors);
          // Bias addresses into RAM and flags to meaningful bits, or nearly every chain would be refused at once.
          for (let i = 0; i < 64; i++) {
            b.memory.bytes.fill(0, queue.descriptors + 16 * i + 3, queue.descriptors + 16 * i + 8);
            b.memory.bytes.fill(0, queue.descriptors + 16 * i + 10, queue.descriptors + 16 * i + 12);
          }
          for (const head of heads) {
            queue.offer(head);
            queue.notify();
          }
          for (const { offset, size, value } of writes) {
            b.device.write(offset, size, value);
            b.device.read(offset, size);
          }
          await b.settle();
          const state = b.device.save();
          expect(b.device.stateSchema.safeParse(state).success).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("never throws on a saved state that the schema lets through", async () => {
    const address = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.constantFrom(0x1000n, 0x2000n, 0x2800n));
    const u16 = fc.nat({ max: 0xffff });
    const queue = fc.record({
      size: fc.oneof(u16, fc.constantFrom(1, 64, 256)),
      enabled: fc.boolean(),
      descriptorArea: address,
      driverArea: address,
      deviceArea: address,
      msixVector: u16,
      nextAvailable: u16,
      nextUsed: u16,
      signalledUsed: u16,
      inFlight: fc.array(u16, { maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(queue, { maxLength: 3 }), fc.nat({ max: 255 }), async (queues, status) => {
        const { b } = start(new TestDisk());
        const honest = b.device.save();
        b.device.restore(b.device.stateSchema.parse({ ...honest, transport: { ...honest.transport, queues, status } }));
        await b.settle();
        b.device.write(NOTIFY, 2, 0);
        await b.settle();
        expect(b.device.stateSchema.safeParse(b.device.save()).success).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
