// The Intel 82540EM through its registers and rings.
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { E1000 } from "../../native-core/devices/e1000/e1000.ts";
import { EECD } from "../../native-core/devices/e1000/eeprom.ts";
import { ICR_BITS, REG } from "../../native-core/devices/e1000/registers.ts";
import { Frame } from "../../native-core/network/frame.ts";
import { cut } from "../../native-core/network/offload.ts";
import { parseIp, transportChecksumOk } from "../../native-core/network/packets/ip.ts";
import { tcpFrame } from "../../native-core/network/packets/tcp.ts";
import { TestMemory } from "./virtio-support.ts";

const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const OTHER = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2);
const TX_RING = 0x1000;
const RX_RING = 0x2000;
const DATA = 0x1_0000;
const BUFFERS = 0x4_0000;
const RING = 16;

let memory: TestMemory;
let nic: E1000;
let sent: Frame[];
let flushes: number;
let line: boolean;
let delivered: (() => void)[];
let txTail: number;

function make(linkUp = true): void {
  memory = new TestMemory();
  sent = [];
  flushes = 0;
  line = false;
  delivered = [];
  txTail = 0;
  nic = new E1000({
    name: "e1000-nic0",
    mac: MAC,
    linkUp,
    memory,
    deliver: (apply) => delivered.push(apply),
    backend: { receive: (frame) => void sent.push(frame), flush: () => void flushes++, roomAgain() {} },
  });
  nic.pci.connect({
    map: () => ({ unmap() {} }),
    setInterrupt: (level) => void (line = level),
    decodingChanged() {},
    messages: { send() {} },
  });
  nic.reset();
  nic.pci.writeConfig(4, 2, 7);
}

const read = (register: number) => nic.read(register, 4);
const write = (register: number, value: number) => nic.write(register, 4, value);

function setUp(): void {
  write(REG.TDBAL, TX_RING);
  write(REG.TDLEN, RING * 16);
  write(REG.TCTL, 2);
  write(REG.RDBAL, RX_RING);
  write(REG.RDLEN, RING * 16);
  for (let index = 0; index < RING; index++) memory.writeU64(RX_RING + 16 * index, BigInt(BUFFERS + 0x800 * index));
  write(REG.RCTL, 2 | (1 << 15) | (1 << 26));
  write(REG.RDT, RING - 1);
  write(REG.IMS, 0xff);
}

/** Puts a descriptor into the transmit ring: address or context, then the second quadword. */
function push(low: bigint, high: bigint): void {
  memory.writeU64(TX_RING + 16 * txTail, low);
  memory.writeU64(TX_RING + 16 * txTail + 8, high);
  txTail = (txTail + 1) % RING;
}

const plain = (length: number, destination = MAC) => {
  const bytes = new Uint8Array(length).map((_, index) => index & 0xff);
  bytes.set(destination, 0);
  bytes.set(OTHER, 6);
  bytes.set([0x88, 0xb5], 12);
  return bytes;
};

const bigTcp = (payload: number) =>
  tcpFrame(
    {
      sourceMac: OTHER,
      destinationMac: MAC,
      source: Uint8Array.of(10, 0, 2, 2),
      destination: Uint8Array.of(10, 0, 2, 15),
    },
    { sourcePort: 80, destinationPort: 4000, sequence: 1, acknowledgment: 1, flags: 0x18, window: 1000 },
    payload,
    1460,
    (target) => target.forEach((_, index) => (target[index] = index % 251)),
  );

/** What lies in the receive ring below its head. */
function received(): Uint8Array[] {
  return Array.from({ length: read(REG.RDH) }, (_, index) => {
    const length = memory.readU16(RX_RING + 16 * index + 8);
    expect(memory.readU32(RX_RING + 16 * index + 12) & 3).toBe(3);
    return memory.bytes.slice(BUFFERS + 0x800 * index, BUFFERS + 0x800 * index + length);
  });
}

const apply = () => delivered.splice(0).forEach((each) => each());

beforeEach(() => make());

describe("the EEPROM of the e1000", () => {
  const eerd = (word: number) => {
    write(REG.EERD, (word << 8) | 1);
    const value = read(REG.EERD);
    expect(value & 0x10).toBe(0x10);
    return value >>> 16;
  };
  const clock = (di: number): number => {
    write(REG.EECD, EECD.CS | (di ? EECD.DI : 0));
    write(REG.EECD, EECD.CS | EECD.SK | (di ? EECD.DI : 0));
    return read(REG.EECD) & EECD.DO ? 1 : 0;
  };
  const microwire = (word: number) => {
    write(REG.EECD, 0);
    for (const bit of [1, 1, 0, 5, 4, 3, 2, 1, 0].map((b, index) => (index < 3 ? b : (word >>> b) & 1))) clock(bit);
    let value = 0;
    for (let bit = 0; bit < 16; bit++) value = (value << 1) | clock(0);
    return value;
  };

  it("holds the address, and a checksum that drivers insist on", () => {
    expect([0, 1, 2].flatMap((word) => [eerd(word) & 0xff, eerd(word) >>> 8])).toEqual([...MAC]);
    let sum = 0;
    for (let word = 0; word < 64; word++) sum += eerd(word);
    expect(sum & 0xffff).toBe(0xbaba);
  });

  it("reads the same bit by bit", () => {
    for (let word = 0; word < 64; word++) expect(microwire(word)).toBe(eerd(word));
  });
});

describe("the e1000", () => {
  it("sends frames of several buffers and says so where asked", () => {
    setUp();
    const frame = plain(1000);
    memory.write(DATA, frame);
    push(BigInt(DATA), 400n);
    push(BigInt(DATA + 400), 600n | (0x0bn << 24n));
    write(REG.TDT, txTail);
    expect(sent.map(({ bytes }) => bytes)).toEqual([frame]);
    expect([flushes, read(REG.TDH), memory.readU32(TX_RING + 16 + 12) & 1]).toEqual([1, 2, 1]);
    expect(line).toBe(true);
    expect(read(REG.ICR) & ICR_BITS.TXDW).toBe(ICR_BITS.TXDW);
    expect(line).toBe(false);
  });

  it("passes large segments on with lengths and sums put right", () => {
    setUp();
    const { bytes } = bigTcp(4000);
    const wanted = cut(bigTcp(4000)).map((frame) => [...frame.bytes]);
    // As a driver hands them over: without total length, header checksum and length in the pseudo-header.
    bytes.fill(0, 16, 18);
    bytes.fill(0, 24, 26);
    memory.write(DATA, bytes);
    push(0x0000_3222_0021_180en, BigInt(4000) | (0x27n << 24n) | (54n << 40n) | (1460n << 48n));
    push(BigInt(DATA), BigInt(bytes.length) | (1n << 20n) | (0x2fn << 24n) | (3n << 40n));
    write(REG.TDT, txTail);
    expect(sent).toHaveLength(1);
    expect(sent.flatMap(cut).map((frame) => [...frame.bytes].toSpliced(18, 2))).toEqual(
      wanted
        .map((frame) => frame.toSpliced(18, 2))
        .map((frame, index) => withHeaderSum(frame, sent.flatMap(cut)[index])),
    );
    expect(sent.flatMap(cut).every((frame) => transportChecksumOk(parseIp(frame.bytes) ?? fail()))).toBe(true);
  });

  it("receives frames whole, padded, cut and with complete checksums", () => {
    setUp();
    nic.end.receive(new Frame(plain(20)));
    nic.end.receive(bigTcp(4000));
    apply();
    const frames = received();
    expect(frames.map(({ length }) => length)).toEqual([60, 1514, 1514, 1134]);
    expect(frames.slice(1).every((bytes) => transportChecksumOk(parseIp(bytes) ?? fail()))).toBe(true);
    expect(read(REG.ICR) & ICR_BITS.RXT0).toBe(ICR_BITS.RXT0);
  });

  it("holds frames back while the ring is full", () => {
    setUp();
    for (let index = 0; index < RING + 4; index++) nic.end.receive(new Frame(plain(60)));
    apply();
    expect(read(REG.RDH)).toBe(RING - 1);
    write(REG.RDT, 5);
    expect(read(REG.RDH)).toBe(3 + 1);
    expect(nic.end.isIdle).toBe(true);
  });

  it("takes only frames for its addresses", () => {
    setUp();
    nic.end.receive(new Frame(plain(60, OTHER)));
    nic.end.receive(new Frame(plain(60, Uint8Array.of(1, 0, 0x5e, 0, 0, 1))));
    nic.end.receive(new Frame(plain(60, new Uint8Array(6).fill(0xff))));
    nic.end.receive(new Frame(plain(60)));
    apply();
    expect(received().map(([first]) => first)).toEqual([0xff, 0x52]);
  });

  it("shows the cable in STATUS and the PHY, and interrupts when it changes", () => {
    setUp();
    const phy = (register: number) => {
      write(REG.MDIC, (1 << 27) | (1 << 21) | (register << 16));
      return read(REG.MDIC) & 0xffff;
    };
    expect([read(REG.STATUS) & 2, phy(1) & 0x24, phy(2)]).toEqual([2, 0x24, 0x0141]);
    nic.setLink(false);
    apply();
    expect([read(REG.STATUS) & 2, phy(1) & 0x24, line]).toEqual([0, 0, true]);
    expect(read(REG.ICR) & ICR_BITS.LSC).toBe(ICR_BITS.LSC);
  });

  it("goes on from a saved state in the middle of a frame", () => {
    setUp();
    const frame = plain(1000);
    memory.write(DATA, frame);
    push(BigInt(DATA), 400n);
    write(REG.TDT, txTail);
    const state = structuredClone(nic.save());
    expect(nic.stateSchema.safeParse(state).success).toBe(true);
    const before = memory;
    const tail = txTail;
    make();
    memory.bytes.set(before.bytes);
    txTail = tail;
    nic.restore(state);
    push(BigInt(DATA + 400), 600n | (0x0bn << 24n));
    write(REG.TDT, txTail);
    expect(sent.map(({ bytes }) => bytes)).toEqual([frame]);
  });

  it("takes whatever a driver writes, and sends bounded frames", () => {
    setUp();
    const registers = [...Object.values(REG), 0x28, 0x5400, 0x5404, 0x5ffc, 0x1fffc];
    const operation = fc.record({
      register: fc.constantFrom(...registers),
      value: fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 64 }), fc.constant(TX_RING)),
      ring: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      at: fc.integer({ min: 0, max: RING - 1 }),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        for (const { register, value, ring, at } of operations) {
          memory.write(TX_RING + 16 * at, ring);
          memory.write(RX_RING + 16 * at, ring);
          write(register, value);
          read(register);
          nic.end.receive(new Frame(plain(100)));
          apply();
        }
        for (const { bytes } of sent.splice(0)) expect(bytes.length).toBeLessThanOrEqual(65_553);
      }),
      { numRuns: 500 },
    );
  });
});

/** The IP identification differs from frame to frame, and the header checksum with it: those of the frame that came out. */
function withHeaderSum(frame: number[], out: Frame | undefined): number[] {
  return frame.toSpliced(22, 2, ...(out?.bytes.subarray(24, 26) ?? []));
}

function fail(): never {
  throw new Error("it is no IP packet");
}
