// The Realtek RTL8139C through its registers and buffers.
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { EECR, REG, WRITABLE } from "../../native-core/devices/rtl8139/registers.ts";
import { Rtl8139 } from "../../native-core/devices/rtl8139/rtl8139.ts";
import { Frame } from "../../native-core/network/frame.ts";
import { tcpFrame } from "../../native-core/network/packets/tcp.ts";
import { DeviceBench } from "../support/device-bench.ts";
import { TestMemory } from "./virtio-support.ts";

const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const RING = 0x1_0000;
const RING_BYTES = 8192;
const DATA = 0x4_0000;
const [ROK, TOK, LINK, TIMEOUT] = [1, 4, 0x20, 0x4000];
const [OWN, OK] = [0x2000, 0x8000];

let memory: TestMemory;
let bench: DeviceBench;
let nic: Rtl8139;
let sent: Frame[];
let line: boolean;
let roomAgain: number;
let delivered: (() => void)[];

function make(): Rtl8139 {
  const made = new Rtl8139({
    ...{ name: "rtl8139-nic0", mac: MAC, linkUp: true, memory, clock: bench.clock },
    deliver: (apply) => delivered.push(apply),
    backend: { receive: (frame) => void sent.push(frame), flush: () => {}, roomAgain: () => void roomAgain++ },
  });
  made.pci.connect({
    map: () => ({ unmap() {} }),
    setInterrupt: (level) => void (line = level),
    decodingChanged() {},
    messages: { send() {} },
  });
  made.reset();
  made.pci.writeConfig(4, 2, 7);
  return made;
}

beforeEach(() => {
  memory = new TestMemory();
  bench = new DeviceBench();
  sent = [];
  line = false;
  roomAgain = 0;
  delivered = [];
  nic = make();
});

const apply = () => delivered.splice(0).forEach((each) => each());
const isr = () => nic.read(REG.ISR, 2);
const acknowledge = () => nic.write(REG.ISR, 2, 0xffff);

/** Receives for its own address, broadcast and the multicast groups that are set. */
function setUp(flags = 0x0e): void {
  nic.write(REG.RBSTART, 4, RING);
  nic.write(REG.CR, 1, 0x0c);
  nic.write(REG.RCR, 4, flags);
  nic.write(REG.IMR, 2, 0xffff);
}

function frameTo(destination: readonly number[] | Uint8Array, length = 100): Frame {
  const bytes = new Uint8Array(length).map((_, index) => index & 0xff);
  bytes.set(destination, 0);
  bytes.set([2, 0, 0, 0, 0, 1, 0x88, 0xb5], 6);
  return new Frame(bytes);
}

function receive(frame: Frame): void {
  nic.end.receive(frame);
  apply();
}

describe("The RTL8139", () => {
  it("tells its address by registers and by the EEPROM", () => {
    expect([0, 1, 2, 3, 4, 5].map((at) => nic.read(REG.IDR + at, 1))).toEqual([...MAC]);
    expect(nic.read(REG.TCR, 4) & 0x7cc0_0000).toBe(0x7400_0000);
    const clock = (di: number): number => {
      const data = 0x80 | EECR.CS | (di ? EECR.DI : 0);
      nic.write(REG.EECR, 1, data);
      nic.write(REG.EECR, 1, data | EECR.SK);
      return nic.read(REG.EECR, 1) & EECR.DO;
    };
    const word = (address: number): number => {
      nic.write(REG.EECR, 1, 0x80);
      for (let bit = 10; bit >= 0; bit--) clock(((0x180 | address) >>> bit) & 1);
      let value = 0;
      for (let bit = 0; bit < 16; bit++) value = (value << 1) | clock(0);
      return value;
    };
    expect([word(0), word(7), word(9)]).toEqual([0x8129, 0x5452, 0x5634]);
  });

  it("sends what lies in its four buffers, and says so", () => {
    setUp();
    for (let index = 0; index < 4; index++) {
      const { bytes } = frameTo([1, 2, 3, 4, 5, 6], 60 + index);
      memory.write(DATA + 0x800 * index, bytes);
      nic.write(REG.TSAD + 4 * index, 4, DATA + 0x800 * index);
      nic.write(REG.TSD + 4 * index, 4, 60 + index);
      expect(sent[index]?.bytes).toEqual(bytes);
      expect(nic.read(REG.TSD + 4 * index, 4)).toBe((60 + index) | OWN | OK);
    }
    expect(isr()).toBe(TOK);
    expect(line).toBe(true);
    expect(nic.read(REG.TSAD_SUMMARY, 2)).toBe(0xf00f);
    acknowledge();
    expect(line).toBe(false);
    nic.write(REG.CR, 1, 0x10);
    nic.write(REG.TSD, 4, 60);
    expect(sent).toHaveLength(4);
  });

  it("goes round in the receive buffer and waits for room", () => {
    setUp();
    expect(nic.read(REG.CR, 1) & 1).toBe(1);
    receive(frameTo(MAC, 50));
    expect(isr()).toBe(ROK);
    expect(nic.read(REG.CR, 1) & 1).toBe(0);
    expect(memory.readU16(RING)).toBe(0x4001);
    // Filled up to the least there is on the wire, with a checksum.
    expect(memory.readU16(RING + 2)).toBe(64);
    expect(nic.read(REG.CBR, 2)).toBe(68);
    for (let count = 0; count < 6; count++) receive(frameTo(MAC, 1500));
    const at = nic.read(REG.CBR, 2);
    // Five packets of 1508 bytes fit beside the first.
    expect(at).toBe(68 + 5 * 1508);
    nic.write(REG.CAPR, 2, 68 - 16);
    // The sixth begins at the end of the buffer and goes on at its begin.
    expect(nic.read(REG.CBR, 2)).toBe(at);
    nic.write(REG.CAPR, 2, 68 + 1508 - 16);
    acknowledge();
    bench.advance(20_000n);
    expect(isr()).toBe(ROK);
    expect(nic.read(REG.CBR, 2)).toBe((at + 1508) % RING_BYTES);
    const beforeEnd = RING_BYTES - at - 4;
    expect(memory.bytes[RING]).toBe(beforeEnd & 0xff);
    nic.write(REG.CAPR, 2, nic.read(REG.CBR, 2) - 16);
    expect(nic.read(REG.CR, 1) & 1).toBe(1);
  });

  it("takes a segment that is larger than the buffer packet by packet", () => {
    setUp();
    const payload = 20_000;
    const ends = {
      ...{ sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1), destinationMac: MAC },
      ...{ source: Uint8Array.of(10, 0, 2, 2), destination: Uint8Array.of(10, 0, 2, 15) },
    };
    const head = { sourcePort: 80, destinationPort: 4000, sequence: 1, acknowledgment: 1, flags: 0x18, window: 1000 };
    receive(tcpFrame(ends, head, payload, 1460, (target) => void target.fill(0x5a)));
    let bytes = 0;
    let at = 0;
    while ((nic.read(REG.CR, 1) & 1) === 0) {
      const length = memory.readU16(RING + at + 2);
      bytes += length - 4 - 54;
      at = (at + 4 + length + 3) & ~3 & (RING_BYTES - 1);
      nic.write(REG.CAPR, 2, at - 16);
      bench.advance(20_000n);
    }
    expect(bytes).toBe(payload);
  });

  it("goes on behind the buffer where the driver has left room for that", () => {
    setUp(0x8e);
    memory.bytes[RING] = 0xee;
    for (let count = 0; count < 6; count++) {
      receive(frameTo(MAC, 1500));
      nic.write(REG.CAPR, 2, nic.read(REG.CBR, 2) - 16);
    }
    const end = (6 * 1508) % RING_BYTES;
    expect(nic.read(REG.CBR, 2)).toBe(end);
    expect(memory.bytes[RING + RING_BYTES]).toBe((RING_BYTES - 5 * 1508 - 4) & 0xff);
    expect(memory.readU16(RING)).toBe(0x4001);
  });

  it("takes frames for its address, broadcasts and groups whose bit is set", () => {
    setUp();
    const group = [0x01, 0, 0x5e, 0, 0, 1];
    const taken = (to: readonly number[] | Uint8Array): boolean => {
      const before = nic.read(REG.CBR, 2);
      receive(frameTo(to));
      return nic.read(REG.CBR, 2) !== before;
    };
    expect(taken(MAC)).toBe(true);
    expect(taken([2, 2, 3, 4, 5, 6])).toBe(false);
    expect(taken([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])).toBe(true);
    expect(taken(group)).toBe(false);
    // Linux's ether_crc of 01:00:5e:00:00:01 has these highest six bits.
    nic.write(REG.MAR, 4, 0x8000_0000);
    expect(taken(group)).toBe(true);
    nic.write(REG.RCR, 4, 1);
    expect(taken([2, 2, 3, 4, 5, 6])).toBe(true);
  });

  it("tells of the cable", () => {
    setUp();
    expect(nic.read(REG.BMSR, 2) & 4).toBe(4);
    nic.setLink(false);
    apply();
    expect([isr(), nic.read(REG.BMSR, 2) & 4, nic.read(REG.MSR, 1)]).toEqual([LINK, 0, 4]);
    expect(nic.read(REG.CSCR, 2)).toBe(0x0800);
    acknowledge();
    expect(nic.read(REG.CSCR, 2)).toBe(0);
  });

  it("interrupts when its timer is where the driver wants it", () => {
    setUp();
    nic.write(REG.TCTR, 4, 0);
    nic.write(REG.TIMER_INT, 4, 33_000);
    bench.advance(999_000n);
    expect([isr(), nic.read(REG.TCTR, 4)]).toEqual([0, 32_967]);
    bench.advance(1000n);
    expect(isr()).toBe(TIMEOUT);
  });

  it("goes on after a restore", () => {
    setUp();
    receive(frameTo(MAC));
    const state = nic.stateSchema.parse(structuredClone(nic.save()));
    const before = delivered.length;
    nic = make();
    nic.restore(state);
    expect(nic.save()).toEqual(state);
    expect(delivered.length).toBe(before + 1);
    receive(frameTo(MAC));
    expect(nic.read(REG.CBR, 2)).toBe(2 * 108);
  });

  it("changes its address only when it was unlocked", () => {
    nic.write(REG.IDR, 1, 0x02);
    expect(nic.read(REG.IDR, 1)).toBe(0x52);
    nic.write(REG.EECR, 1, 0xc0);
    nic.write(REG.IDR, 1, 0x02);
    expect(nic.read(REG.IDR, 1)).toBe(0x02);
    expect(WRITABLE.some(([offset]) => offset === REG.IDR)).toBe(false);
  });

  it("takes whatever a driver writes", () => {
    const write = fc.record({
      offset: fc.nat({ max: 0xff }),
      size: fc.constantFrom(1 as const, 2 as const, 4 as const),
      value: fc.oneof(fc.nat({ max: 0xffff_ffff }), fc.constantFrom(0x0c, DATA, 0x05ff)),
    });
    fc.assert(
      fc.property(
        fc.array(write, { maxLength: 60 }),
        fc.array(fc.nat({ max: 1500 }), { maxLength: 8 }),
        (all, lengths) => {
          nic.reset();
          nic.pci.writeConfig(4, 2, 7);
          setUp(1);
          for (const { offset, size, value } of all) {
            nic.write(offset, size, value);
            nic.read(offset, size);
          }
          for (const length of lengths) receive(frameTo(MAC, length + 14));
          expect(nic.stateSchema.safeParse(nic.save()).success).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
