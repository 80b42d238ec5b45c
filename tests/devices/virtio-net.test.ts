// virtio-net through its queues, with frames recorded on the other side.
import { describe, expect, it } from "vitest";
import type { NetworkBackend } from "../../native-core/devices/network/adapter.ts";
import { VirtioNet } from "../../native-core/devices/virtio/net/virtio-net.ts";
import { Frame } from "../../native-core/network/frame.ts";
import { parseIp, transportChecksumOk } from "../../native-core/network/packets/ip.ts";
import { tcpFrame } from "../../native-core/network/packets/tcp.ts";
import { DEVICE_CONFIG, DriverQueue, TestMemory, VirtioBench } from "./virtio-support.ts";

const VERSION_1 = 1n << 32n;
const CSUM = 1n << 0n;
const GUEST_CSUM = 1n << 1n;
const GUEST_TSO4 = 1n << 7n;
const HOST_TSO4 = 1n << 11n;
const MRG_RXBUF = 1n << 15n;
const CTRL_VQ = 1n << 17n;
const MAC = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3);
const OTHER = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2);

class Recorder implements NetworkBackend {
  readonly frames: Frame[] = [];
  flushes = 0;
  rooms = 0;

  receive(frame: Frame): void {
    this.frames.push(frame);
  }

  flush(): void {
    this.flushes++;
  }

  roomAgain(): void {
    this.rooms++;
  }
}

function makeBench(features: bigint, linkUp = true) {
  const backend = new Recorder();
  let model: VirtioNet | undefined;
  const bench = new VirtioBench(
    (deliver) => (model = new VirtioNet({ mac: MAC, linkUp, backend, deliver })),
    new TestMemory(1 << 21),
  );
  if (!model) throw new Error("no model");
  expect(bench.negotiate(VERSION_1 | features)).toBe(true);
  const [receive, transmit, control] = [0, 1, 2].map((index) => new DriverQueue(bench, index).setUp()) as [
    DriverQueue,
    DriverQueue,
    DriverQueue,
  ];
  bench.driverOk();
  return { bench, backend, model, receive, transmit, control };
}

type Bench = ReturnType<typeof makeBench>;

const taken = new WeakMap<DriverQueue, number>();

/** What the device returned since the last call. */
function takeUsed(queue: DriverQueue): { id: number; length: number }[] {
  const elements: { id: number; length: number }[] = [];
  let at = taken.get(queue) ?? 0;
  while (at !== queue.usedIndex) elements.push(queue.usedElement(at++));
  taken.set(queue, at);
  return elements;
}

const DATA = 0x10_0000;

/** Sends a frame behind a header; the driver's memory starts at DATA. */
function send({ bench, transmit }: Bench, header: Uint8Array, bytes: Uint8Array): void {
  bench.memory.write(DATA, header);
  bench.memory.write(DATA + 12, bytes);
  transmit.add([{ address: DATA, length: 12 + bytes.length }]);
  transmit.notify();
}

/** Offers receive buffers of `length` bytes each. */
function offer({ receive }: Bench, count: number, length: number): void {
  for (let index = 0; index < count; index++) {
    receive.add([{ address: DATA + 0x2_0000 + index * 0x1000, length, writable: true }]);
  }
  receive.notify();
}

function received({ bench, receive }: Bench): { header: Uint8Array; bytes: Uint8Array }[] {
  const frames: { header: Uint8Array; bytes: Uint8Array }[] = [];
  const used = takeUsed(receive);
  for (let at = 0; at < used.length; ) {
    const buffer = (index: number) => {
      const element = used[index] as { id: number; length: number };
      const address = DATA + 0x2_0000 + element.id * 0x1000;
      return bench.memory.bytes.slice(address, address + element.length);
    };
    const first = buffer(at);
    const count = new DataView(first.buffer).getUint16(10, true);
    const parts = [first.subarray(12)];
    for (let i = 1; i < count; i++) parts.push(buffer(at + i));
    frames.push({ header: first.slice(0, 12), bytes: Uint8Array.from(parts.flatMap((part) => [...part])) });
    at += count;
  }
  return frames;
}

const header = (values: Partial<Record<"flags" | "gso" | "gsoSize" | "start" | "offset", number>> = {}) => {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, values.flags ?? 0);
  view.setUint8(1, values.gso ?? 0);
  view.setUint16(4, values.gsoSize ?? 0, true);
  view.setUint16(6, values.start ?? 0, true);
  view.setUint16(8, values.offset ?? 0, true);
  return bytes;
};

function plainFrame(length = 60, destination = MAC): Uint8Array {
  const bytes = new Uint8Array(length).map((_, index) => index & 0xff);
  bytes.set(destination, 0);
  bytes.set(OTHER, 6);
  bytes.set([0x88, 0xb5], 12);
  return bytes;
}

function bigTcp(payloadBytes: number): Frame {
  return tcpFrame(
    {
      sourceMac: OTHER,
      destinationMac: MAC,
      source: Uint8Array.of(10, 0, 2, 2),
      destination: Uint8Array.of(10, 0, 2, 15),
    },
    { sourcePort: 80, destinationPort: 4000, sequence: 1000, acknowledgment: 1, flags: 0x18, window: 1000 },
    payloadBytes,
    1460,
    (target) => target.forEach((_, index) => (target[index] = index % 251)),
  );
}

describe("virtio-net", () => {
  it("shows its address, the link and one queue pair in the configuration", () => {
    const { bench } = makeBench(0n);
    const config = Array.from({ length: 10 }, (_, at) => bench.device.read(DEVICE_CONFIG + at, 1));
    expect(config).toEqual([...MAC, 1, 0, 1, 0]);
  });

  it("hands frames of the guest to the network and ends a burst with one flush", () => {
    const net = makeBench(0n);
    send(net, header(), plainFrame());
    expect(net.backend.frames.map(({ bytes }) => bytes)).toEqual([plainFrame()]);
    expect(net.backend.flushes).toBe(1);
    expect(takeUsed(net.transmit)).toHaveLength(1);
  });

  it("passes unfinished checksums and large segments on where they were negotiated", () => {
    const net = makeBench(CSUM | HOST_TSO4);
    const { bytes } = bigTcp(4000);
    send(net, header({ flags: 1, gso: 1, gsoSize: 1460, start: 34, offset: 16 }), bytes);
    expect(net.backend.frames[0]).toMatchObject({ checksumStart: 34, checksumOffset: 16, segmentBytes: 1460 });
  });

  it.each([
    ["segmentation that was not negotiated", CSUM, header({ flags: 1, gso: 1, gsoSize: 1460, start: 34, offset: 16 })],
    ["segments of one byte", CSUM | HOST_TSO4, header({ flags: 1, gso: 1, gsoSize: 1, start: 34, offset: 16 })],
    ["a checksum behind the frame's end", CSUM, header({ flags: 1, start: 0xfff0, offset: 0xfff0 })],
    ["a checksum in the Ethernet header", CSUM, header({ flags: 1, start: 2, offset: 0 })],
    [
      "an unknown kind of segmentation",
      CSUM | HOST_TSO4,
      header({ flags: 1, gso: 7, gsoSize: 100, start: 34, offset: 16 }),
    ],
  ])("drops frames that ask for %s", (_, features, bad) => {
    const net = makeBench(features);
    send(net, bad, bigTcp(4000).bytes);
    expect(net.backend.frames).toEqual([]);
    expect(takeUsed(net.transmit)).toHaveLength(1);
  });

  it("puts frames into the guest's buffers when the machine takes inputs", () => {
    const net = makeBench(0n);
    offer(net, 2, 1600);
    expect(net.model.end.receive(new Frame(plainFrame()))).toBe(true);
    expect(received(net)).toEqual([]);
    net.bench.applyDelivered();
    expect(received(net)).toEqual([{ header: header().with(10, 1), bytes: plainFrame() }]);
  });

  it("spreads a large segment over mergeable buffers, all of them at once", () => {
    const net = makeBench(GUEST_CSUM | GUEST_TSO4 | MRG_RXBUF);
    const frame = bigTcp(8000);
    offer(net, 1, 4096);
    net.model.end.receive(frame);
    net.bench.applyDelivered();
    expect(received(net)).toEqual([]);
    for (let index = 1; index < 3; index++) {
      net.receive.add([{ address: DATA + 0x2_0000 + index * 0x1000, length: 4096, writable: true }]);
    }
    net.receive.notify();
    const [got] = received(net);
    expect(got?.bytes).toEqual(Uint8Array.from(frame.bytes));
    expect(got?.header.subarray(0, 2)).toEqual(Uint8Array.of(1, 1));
  });

  it("cuts large segments and finishes checksums for a guest without offloads", () => {
    const net = makeBench(0n);
    offer(net, 8, 1600);
    net.model.end.receive(bigTcp(4000));
    net.bench.applyDelivered();
    const frames = received(net);
    expect(frames.map(({ bytes }) => bytes.length - 54)).toEqual([1460, 1460, 1080]);
    for (const { bytes } of frames) {
      const packet = parseIp(bytes);
      expect(packet && transportChecksumOk(packet)).toBe(true);
    }
    const payload = frames.flatMap(({ bytes }) => [...bytes.subarray(54)]);
    expect(payload).toEqual([...bigTcp(4000).bytes.subarray(54)]);
  });

  it("refuses frames when too many wait, and says when there is room again", () => {
    const net = makeBench(0n);
    let count = 0;
    while (net.model.end.receive(new Frame(plainFrame(1514)))) count++;
    expect(count).toBeGreaterThan(600);
    expect(count).toBeLessThan(800);
    expect(net.backend.rooms).toBe(0);
    net.bench.device.reset();
    net.bench.applyDelivered();
    expect(net.backend.rooms).toBe(1);
    expect(net.model.end.hasRoom).toBe(true);
  });

  it("filters addresses once the driver says which it wants", () => {
    const net = makeBench(CTRL_VQ);
    offer(net, 8, 1600);
    // Promiscuous off; then frames for others are not the guest's business.
    net.bench.memory.write(DATA, Uint8Array.of(0, 0, 0));
    net.control.add([
      { address: DATA, length: 3 },
      { address: DATA + 16, length: 1, writable: true },
    ]);
    net.control.notify();
    expect(net.bench.memory.bytes[DATA + 16]).toBe(0);
    for (const to of [
      OTHER,
      MAC,
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(1, 0, 0x5e, 0, 0, 1),
    ]) {
      net.model.end.receive(new Frame(plainFrame(60, to)));
    }
    net.bench.applyDelivered();
    expect(received(net).map(({ bytes }) => [...bytes.subarray(0, 2)])).toEqual([
      [0x52, 0x54],
      [0xff, 0xff],
    ]);
  });

  it("answers control commands it does not know, or that are cut short, with an error", () => {
    const net = makeBench(CTRL_VQ);
    for (const command of [[9, 9], [1, 0, 255, 255, 255, 255], [1], [5, 0, 1]]) {
      net.bench.memory.write(DATA, Uint8Array.from(command));
      net.control.add([
        { address: DATA, length: command.length },
        { address: DATA + 64, length: 1, writable: true },
      ]);
      net.control.notify();
      expect(net.bench.memory.bytes[DATA + 64]).toBe(1);
    }
  });

  it("tells the guest when the cable is pulled, and neither sends nor receives then", () => {
    const net = makeBench((1n << 16n) | 0n);
    offer(net, 2, 1600);
    net.model.setLink(false);
    net.bench.applyDelivered();
    expect(net.bench.device.read(DEVICE_CONFIG + 6, 2)).toBe(0);
    expect(net.bench.line).toBe(true);
    net.model.end.receive(new Frame(plainFrame()));
    net.bench.applyDelivered();
    send(net, header(), plainFrame());
    expect([received(net), net.backend.frames]).toEqual([[], []]);
  });

  it("continues from a saved state with its filter, and announces itself where the driver can", () => {
    const net = makeBench(CTRL_VQ | (1n << 21n) | (1n << 16n));
    const state = structuredClone(net.bench.device.save());
    expect(net.bench.device.stateSchema.safeParse(state).success).toBe(true);
    net.bench.device.restore(state);
    net.bench.applyDelivered();
    // LINK_UP and ANNOUNCE.
    expect(net.bench.device.read(DEVICE_CONFIG + 6, 2)).toBe(3);
    send(net, header(), plainFrame());
    expect(net.backend.frames).toHaveLength(1);
  });
});
