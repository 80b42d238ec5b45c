// Switches, the stream between processes, limits, and captures.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pcapngHeader, pcapngPacket } from "../../../native-core/network/capture/pcapng.ts";
import { Frame } from "../../../native-core/network/frame.ts";
import { Shaper } from "../../../native-core/network/shaper.ts";
import { LearningSwitch } from "../../../native-core/network/switch/learning-switch.ts";
import { FrameReader, messageHeader } from "../../../native-core/network/switch/wire-format.ts";
import { FakeHostNetwork } from "../../support/fake-host-network.ts";
import { readPcapng } from "../../support/pcapng-reader.ts";

const mac = (last: number) => Uint8Array.of(0x52, 0x54, 0, 0, last >>> 8, last & 0xff);
const BROADCAST = new Uint8Array(6).fill(0xff);

function frame(to: Uint8Array, from: Uint8Array, length = 60): Frame {
  const bytes = new Uint8Array(length);
  bytes.set(to, 0);
  bytes.set(from, 6);
  return new Frame(bytes);
}

describe("a learning switch", () => {
  function makeSwitch(ports: number) {
    const fabric = new LearningSwitch();
    const got: number[] = [];
    return {
      fabric,
      ports: Array.from({ length: ports }, (_, index) => fabric.plug({ receive: () => (got.push(index), true) })),
      take: () => got.splice(0),
    };
  }

  it("floods what it does not know, and sends to one port what it has learned", () => {
    const { ports, take } = makeSwitch(3);
    ports[0]?.send(frame(mac(2), mac(1)));
    expect(take()).toEqual([1, 2]);
    ports[1]?.send(frame(mac(1), mac(2)));
    expect(take()).toEqual([0]);
    ports[2]?.send(frame(BROADCAST, mac(3)));
    expect(take()).toEqual([0, 1]);
    ports[0]?.send(frame(mac(1), mac(9)));
    expect(take()).toEqual([]);
  });

  it("follows an address to another port, and forgets those of a port that is unplugged", () => {
    const { ports, take } = makeSwitch(3);
    ports[0]?.send(frame(BROADCAST, mac(1)));
    ports[2]?.send(frame(BROADCAST, mac(1)));
    take();
    ports[1]?.send(frame(mac(1), mac(2)));
    expect(take()).toEqual([2]);
    ports[2]?.unplug();
    ports[1]?.send(frame(mac(1), mac(2)));
    expect(take()).toEqual([0]);
    ports[2]?.send(frame(BROADCAST, mac(3)));
    expect(take()).toEqual([]);
  });

  it("is not filled up by a port that invents addresses, nor misled by group addresses as sources", () => {
    const { ports, take } = makeSwitch(3);
    ports[1]?.send(frame(BROADCAST, mac(0x7777)));
    for (let i = 0; i < 1000; i++) ports[0]?.send(frame(BROADCAST, mac(i)));
    ports[0]?.send(frame(BROADCAST, BROADCAST));
    take();
    ports[2]?.send(frame(mac(0x7777), mac(3)));
    expect(take()).toEqual([1]);
    // Beyond the first 64, an address of that port is unknown and flooded.
    ports[2]?.send(frame(mac(900), mac(3)));
    expect(take()).toEqual([0, 1]);
  });
});

describe("the stream of frames between processes", () => {
  it("gives back what was put in, however it is cut", () => {
    const arbitrary = fc.record({
      bytes: fc.uint8Array({ minLength: 60, maxLength: 300 }),
      start: fc.constantFrom(0, 34),
      segment: fc.constantFrom(0, 1460),
    });
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 8 }), fc.integer({ min: 1, max: 97 }), (all, piece) => {
        const frames = all.map(({ bytes, start, segment }) => new Frame(bytes, start, start && 16, start && segment));
        const stream = Buffer.concat(frames.flatMap((each) => [messageHeader(each), each.bytes]));
        const reader = new FrameReader();
        const back: Frame[] = [];
        for (let at = 0; at < stream.length; at += piece) back.push(...reader.read(stream.subarray(at, at + piece)));
        const plain = (each: Frame) => [[...each.bytes], each.checksumStart, each.checksumOffset, each.segmentBytes];
        expect(back.map(plain)).toEqual(frames.map(plain));
        expect(reader.isBroken).toBe(false);
      }),
    );
  });

  it("is broken for good by a length that no frame has", () => {
    for (const length of [0, 7, 21, 70_000, 0xffffffff]) {
      const reader = new FrameReader();
      const bytes = new Uint8Array(12);
      new DataView(bytes.buffer).setUint32(0, length);
      expect(reader.read(bytes)).toEqual([]);
      expect(reader.isBroken).toBe(true);
      const good = frame(mac(1), mac(2));
      expect(reader.read(Buffer.concat([messageHeader(good), good.bytes]))).toEqual([]);
    }
  });

  it("drops offloads that don't fit their frame", () => {
    const bad = new Frame(new Uint8Array(60), 59, 16, 1460);
    const [back] = new FrameReader().read(Buffer.concat([messageHeader(bad), bad.bytes]));
    expect(back).toMatchObject({ checksumStart: 0, segmentBytes: 0 });
  });
});

describe("a bandwidth limit", () => {
  it("lets through what it says over time, and drops what waits too long", () => {
    const host = new FakeHostNetwork();
    let bytes = 0;
    const shaper = new Shaper(host, (each) => (bytes += each.bytes.length));
    shaper.setLimit(8000);
    let taken = 0;
    for (let ms = 0; ms < 2000; ms++) {
      for (let i = 0; i < 4; i++) if (shaper.push(frame(mac(1), mac(2), 1000))) taken++;
      host.advance(1);
    }
    // A megabyte a second for two seconds, and the burst at the start.
    expect(bytes).toBeGreaterThan(1_990_000);
    expect(bytes).toBeLessThan(2_050_000);
    expect(taken * 1000 - bytes).toBeLessThan(300_000);
  });

  it("says when there is room again, and holds nothing back once it is lifted", () => {
    const host = new FakeHostNetwork();
    let count = 0;
    let rooms = 0;
    const shaper = new Shaper(host, () => count++);
    shaper.onRoom = () => rooms++;
    shaper.setLimit(8);
    let pushed = 0;
    while (shaper.push(frame(mac(1), mac(2), 1500))) pushed++;
    expect(shaper.hasRoom).toBe(false);
    shaper.setLimit(undefined);
    expect([count, rooms, shaper.isIdle]).toEqual([pushed, 1, true]);
    shaper.dispose();
    expect(host.timers).toBe(0);
  });
});

describe("a capture", () => {
  it("is a pcapng file with all packets, their times and directions", () => {
    const packets = [
      { bytes: new Uint8Array(61).fill(1), direction: "in" as const, atNs: 1_700_000_000_123_456_789n },
      { bytes: new Uint8Array(64).fill(2), direction: "out" as const, atNs: 1_700_000_000_123_456_790n },
    ];
    const file = Buffer.concat([
      pcapngHeader("nic0"),
      ...packets.map(({ bytes, direction, atNs }) => pcapngPacket(bytes, direction, atNs)),
    ]);
    expect(readPcapng(new Uint8Array(file))).toEqual({ interfaceName: "nic0", packets });
  });
});
