import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { UsbKeyboard } from "../../native-core/devices/usb/keyboard.ts";
import { MassStorage } from "../../native-core/devices/usb/mass-storage.ts";
import { UsbTablet } from "../../native-core/devices/usb/tablet.ts";
import { Xhci } from "../../native-core/devices/xhci/xhci.ts";
import { DeviceBench } from "../support/device-bench.ts";
import { memoryDisk } from "../support/memory-disk.ts";
import { TestMemory } from "./virtio-support.ts";

const CONTEXTS = 0x1000;
const COMMANDS = 0x2000;
const EVENTS = 0x3000;
const EVENT_TABLE = 0x4000;
const INPUT = 0x5000;
const DEVICE_CONTEXT = 0x6000;
const CONTROL_RING = 0x8000;
const IN_RING = 0x9000;
const OUT_RING = 0xa000;
const BUFFER = 0x10000;
const EVENT_COUNT = 64;

const PORTSC = (port: number) => 0x440 + port * 16;
const EVENT = { TRANSFER: 32, COMMAND: 33, PORT: 34 } as const;

interface Event {
  readonly type: number;
  readonly code: number;
  readonly parameter: number;
  readonly length: number;
  readonly slot: number;
}

/** A driver with one device in slot 1. */
class XhciBench {
  readonly bench = new DeviceBench();
  readonly memory = new TestMemory();
  readonly xhci: Xhci;
  readonly disk = memoryDisk(1 << 20);
  readonly tablet = new UsbTablet();
  readonly keyboard = new UsbKeyboard();
  line = false;
  #delivered: (() => void)[] = [];
  #nextEvent = 0;
  readonly #places = new Map<number, number>();

  constructor() {
    const deliver = (apply: () => void) => void this.#delivered.push(apply);
    this.xhci = new Xhci({ memory: this.memory, clock: this.bench.clock, deliver });
    this.xhci.pci.connect({
      messages: { send: () => undefined },
      map: () => ({ unmap() {} }),
      setInterrupt: (level) => {
        this.line = level;
      },
      decodingChanged() {},
    });
    this.xhci.plug("keyboard", 0, this.keyboard);
    this.xhci.plug("tablet", 1, this.tablet);
    this.xhci.plug("stick", 2, new MassStorage({ id: "stick", disk: this.disk, deliver }));
    this.xhci.reset();
  }

  start(): this {
    const { xhci, memory } = this;
    xhci.write(0x78, 4, 8);
    xhci.write(0x70, 4, CONTEXTS);
    xhci.write(0x58, 4, COMMANDS | 1);
    memory.writeU64(EVENT_TABLE, BigInt(EVENTS));
    memory.writeU32(EVENT_TABLE + 8, EVENT_COUNT);
    xhci.write(0x1028, 4, 1);
    xhci.write(0x1038, 4, EVENTS);
    xhci.write(0x1030, 4, EVENT_TABLE);
    xhci.write(0x1020, 4, 2);
    xhci.write(0x40, 4, 5);
    return this;
  }

  /** Lets the medium's promises settle. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) {
      await Promise.resolve();
      for (const apply of this.#delivered.splice(0)) apply();
    }
  }

  /** Events since the last call; the driver takes them. */
  events(): Event[] {
    const found: Event[] = [];
    for (;;) {
      const at = EVENTS + (this.#nextEvent % EVENT_COUNT) * 16;
      const cycle = Math.floor(this.#nextEvent / EVENT_COUNT) % 2 === 0 ? 1 : 0;
      const control = this.memory.readU32(at + 12);
      if ((control & 1) !== cycle) break;
      const status = this.memory.readU32(at + 8);
      found.push({
        type: (control >>> 10) & 0x3f,
        code: status >>> 24,
        parameter: this.memory.readU32(at),
        length: status & 0xff_ffff,
        slot: control >>> 24,
      });
      this.#nextEvent++;
    }
    this.xhci.write(0x1038, 4, (EVENTS + (this.#nextEvent % EVENT_COUNT) * 16) | 8);
    return found;
  }

  put(ring: number, parameter: number | bigint, status: number, control: number): number {
    const at = ring + (this.#places.get(ring) ?? 0) * 16;
    this.#places.set(ring, (this.#places.get(ring) ?? 0) + 1);
    this.memory.writeU64(at, BigInt(parameter));
    this.memory.writeU32(at + 8, status);
    this.memory.writeU32(at + 12, (control | 1) >>> 0);
    return at;
  }

  command(type: number, parameter = 0, control = 0): Event | undefined {
    this.put(COMMANDS, parameter, 0, (type << 10) | control);
    this.xhci.write(0x2000, 4, 0);
    return this.events().find((event) => event.type === EVENT.COMMAND);
  }

  /** Resets the port and addresses its device in slot 1. */
  address(port: number): void {
    this.xhci.write(PORTSC(port), 4, 0x10);
    expect(this.command(9)).toMatchObject({ code: 1, slot: 1 });
    this.memory.writeU64(CONTEXTS + 8, BigInt(DEVICE_CONTEXT));
    this.memory.writeU32(INPUT + 4, 3);
    this.memory.writeU32(INPUT + 32, 1 << 27);
    this.memory.writeU32(INPUT + 36, (port + 1) << 16);
    this.memory.writeU32(INPUT + 64 + 4, (4 << 3) | (64 << 16));
    this.memory.writeU64(INPUT + 64 + 8, BigInt(CONTROL_RING | 1));
    expect(this.command(11, INPUT, 1 << 24)).toMatchObject({ code: 1, slot: 1 });
  }

  /** A control transfer; the completion code, and what came in. */
  control(
    requestType: number,
    request: number,
    value: number,
    index: number,
    length: number,
  ): { code: number; data: number[] } {
    const setup =
      BigInt(requestType) |
      (BigInt(request) << 8n) |
      (BigInt(value) << 16n) |
      (BigInt(index) << 32n) |
      (BigInt(length) << 48n);
    const isIn = (requestType & 0x80) !== 0;
    this.put(CONTROL_RING, setup, 8, (2 << 10) | 0x40);
    if (length > 0) this.put(CONTROL_RING, BUFFER, length, (3 << 10) | (isIn ? 0x10000 : 0) | 4);
    this.put(CONTROL_RING, 0, 0, (4 << 10) | 0x20);
    this.xhci.write(0x2004, 4, 1);
    const events = this.events().filter(({ type }) => type === EVENT.TRANSFER);
    const short = events.find(({ code }) => code === 13);
    const moved = short ? length - short.length : length;
    return { code: events.at(-1)?.code ?? 0, data: [...this.memory.bytes.slice(BUFFER, BUFFER + moved)] };
  }

  /** Endpoints 1 in and 2 out, and the device's configuration. */
  configure(types: { in: number; out?: number }): void {
    expect(this.control(0, 9, 1, 0, 0).code).toBe(1);
    this.memory.writeU32(INPUT, 0);
    this.memory.writeU32(INPUT + 4, (1 << 3) | (types.out === undefined ? 0 : 1 << 4) | 1);
    this.memory.writeU32(INPUT + 32, 4 << 27);
    this.memory.writeU32(INPUT + 4 * 32 + 4, types.in << 3);
    this.memory.writeU64(INPUT + 4 * 32 + 8, BigInt(IN_RING | 1));
    this.memory.writeU32(INPUT + 5 * 32 + 4, (types.out ?? 0) << 3);
    this.memory.writeU64(INPUT + 5 * 32 + 8, BigInt(OUT_RING | 1));
    expect(this.command(12, INPUT, 1 << 24)).toMatchObject({ code: 1 });
  }

  transferIn(length: number, address = BUFFER): void {
    this.put(IN_RING, address, length, (1 << 10) | 0x24);
    this.xhci.write(0x2004, 4, 3);
  }

  transferOut(bytes: Uint8Array): void {
    this.memory.write(BUFFER, bytes);
    this.put(OUT_RING, BUFFER, bytes.length, (1 << 10) | 0x20);
    this.xhci.write(0x2004, 4, 4);
  }
}

function commandBlock(tag: number, length: number, isIn: boolean, ...command: number[]): Uint8Array {
  const bytes = new Uint8Array(31);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x4342_5355, true);
  view.setUint32(4, tag, true);
  view.setUint32(8, length, true);
  bytes.set([isIn ? 0x80 : 0, 0, command.length], 12);
  bytes.set(command, 15);
  return bytes;
}

describe("xHCI", () => {
  let x: XhciBench;

  beforeEach(() => {
    x = new XhciBench();
  });

  it("says where its registers, ports and protocols are", () => {
    const { xhci } = x;
    expect(xhci.read(0, 1)).toBe(0x40);
    expect([xhci.read(0x14, 4), xhci.read(0x18, 4)]).toEqual([0x2000, 0x1000]);
    expect(xhci.read(4, 4) >>> 24).toBe(8);
    const protocols = (xhci.read(0x10, 4) >>> 16) * 4;
    expect([xhci.read(protocols, 4), xhci.read(protocols + 8, 4) & 0xffff]).toEqual([0x0200_0402, 0x0601]);
    expect([xhci.read(protocols + 16, 4), xhci.read(protocols + 24, 4) & 0xffff]).toEqual([0x0300_0002, 0x0207]);
  });

  it("shows what is plugged in, and enables a port that is reset", () => {
    x.start();
    expect(x.xhci.read(PORTSC(0), 4) & 0x2_0003).toBe(0x2_0001);
    expect(x.xhci.read(PORTSC(4), 4) & 1).toBe(0);
    x.xhci.write(PORTSC(0), 4, 0x10);
    expect(x.xhci.read(PORTSC(0), 4) & 0x20_3c03).toBe(0x20_0c03);
    expect(x.events()).toMatchObject([{ type: EVENT.PORT, parameter: 1 << 24, code: 1 }]);
    x.xhci.write(PORTSC(0), 4, 0x20_0000);
    expect(x.xhci.read(PORTSC(0), 4) & 0x20_0000).toBe(0);
  });

  it("interrupts for events until the driver has taken them", () => {
    x.start();
    x.put(COMMANDS, 0, 0, 23 << 10);
    x.xhci.write(0x2000, 4, 0);
    expect([x.line, x.xhci.read(0x44, 4) & 8]).toEqual([true, 8]);
    x.xhci.write(0x1020, 4, 3);
    expect(x.line).toBe(false);
    expect(x.events()).toMatchObject([{ type: EVENT.COMMAND, code: 1, parameter: COMMANDS }]);
  });

  it("keeps events that find the ring full", () => {
    x.start();
    for (let count = 0; count < EVENT_COUNT + 20; count++) x.put(COMMANDS, 0, 0, 23 << 10);
    x.xhci.write(0x2000, 4, 0);
    const first = x.events();
    const second = x.events();
    expect([first.length, second.length]).toEqual([EVENT_COUNT - 1, 21]);
    expect(second.at(-1)?.parameter).toBe(COMMANDS + (EVENT_COUNT + 19) * 16);
  });

  it("addresses a device, whose descriptors can be read then", () => {
    x.start().address(1);
    expect([x.memory.readU32(DEVICE_CONTEXT + 12), x.memory.readU32(DEVICE_CONTEXT + 32) & 7]).toEqual([
      (2 << 27) + 1,
      1,
    ]);
    const { code, data } = x.control(0x80, 6, 0x100, 0, 64);
    expect([code, data.length, data[0], data[1]]).toEqual([1, 18, 18, 1]);
    const configuration = x.control(0x80, 6, 0x200, 0, 255).data;
    expect((configuration[2] ?? 0) + (configuration[3] ?? 0) * 256).toBe(configuration.length);
  });

  it("halts an endpoint whose request was refused until the driver resets it", () => {
    x.start().address(1);
    expect(x.control(0x80, 6, 0x0f00, 0, 5).code).toBe(6);
    expect(x.memory.readU32(DEVICE_CONTEXT + 32) & 7).toBe(2);
    expect(x.command(14, 0, (1 << 24) | (1 << 16))).toMatchObject({ code: 1 });
    expect(x.command(16, (CONTROL_RING + 0x100) | 1, (1 << 24) | (1 << 16))).toMatchObject({ code: 1 });
    expect(x.memory.readU64(DEVICE_CONTEXT + 32 + 8)).toBe(BigInt((CONTROL_RING + 0x100) | 1));
    expect(x.command(14, 0, (1 << 24) | (1 << 16))).toMatchObject({ code: 19 });
  });

  it.each([
    ["a slot that is not enabled", 11, 3 << 24, 11],
    ["an endpoint that is not there", 15, (1 << 24) | (9 << 16), 19],
    ["an unknown command", 40, 1 << 24, 5],
  ])("refuses commands for %s", (_, type, control, code) => {
    x.start().address(0);
    expect(x.command(type, INPUT, control)).toMatchObject({ code });
  });

  it("brings a tablet's reports when the driver waits for them, and when it comes late", () => {
    x.start().address(1);
    x.configure({ in: 7 });
    x.transferIn(6);
    expect(x.events()).toEqual([]);
    x.tablet.move({ x: 1, y: 0, buttons: 5, wheel: 1 });
    expect(x.events()).toMatchObject([{ type: EVENT.TRANSFER, code: 1, length: 0, slot: 1 }]);
    expect([...x.memory.bytes.slice(BUFFER, BUFFER + 6)]).toEqual([5, 0xff, 0x7f, 0, 0, 0xff]);
    x.tablet.move({ x: 0, y: 0, buttons: 0, wheel: 0 });
    x.transferIn(6);
    expect(x.events()).toMatchObject([{ code: 1 }]);
    expect(x.memory.bytes[BUFFER]).toBe(0);
  });

  it("reports keys by usage, with modifiers, and roll-over beyond six", () => {
    x.start().address(0);
    x.configure({ in: 7 });
    const report = () => {
      x.transferIn(8);
      x.events();
      return [...x.memory.bytes.slice(BUFFER, BUFFER + 8)];
    };
    x.keyboard.key(0x2a, true);
    x.keyboard.key(0xc8, true);
    expect([report(), report()]).toEqual([
      [2, 0, 0, 0, 0, 0, 0, 0],
      [2, 0, 0x52, 0, 0, 0, 0, 0],
    ]);
    for (const key of [2, 3, 4, 5, 6, 7]) x.keyboard.key(key, true);
    expect(Array.from({ length: 6 }, report).at(-1)).toEqual([2, 0, 1, 1, 1, 1, 1, 1]);
    x.memory.write(BUFFER, Uint8Array.of(3));
    expect(x.control(0x21, 9, 0x200, 0, 1).code).toBe(1);
    expect(x.keyboard.leds).toBe(6);
  });

  it("reads and writes a stick", async () => {
    x.start().address(2);
    x.configure({ in: 6, out: 2 });
    x.disk.content.fill(0x77, 512, 1024);
    x.transferOut(commandBlock(9, 512, true, 0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0));
    x.transferIn(512, BUFFER + 0x1000);
    x.transferIn(13, BUFFER + 0x2000);
    await x.settle();
    expect(x.events().map(({ code }) => code)).toEqual([1, 1, 1]);
    expect(x.memory.bytes.slice(BUFFER + 0x1000, BUFFER + 0x1200).every((byte) => byte === 0x77)).toBe(true);
    expect([x.memory.readU32(BUFFER + 0x2004), x.memory.bytes[BUFFER + 0x200c]]).toEqual([9, 0]);

    x.transferOut(commandBlock(10, 512, false, 0x2a, 0, 0, 0, 0, 2, 0, 0, 1, 0));
    x.transferOut(new Uint8Array(512).fill(0x33));
    x.transferIn(13, BUFFER + 0x2000);
    await x.settle();
    expect(x.disk.content.subarray(1024, 1536).every((byte) => byte === 0x33)).toBe(true);
    expect([x.memory.readU32(BUFFER + 0x2004), x.memory.bytes[BUFFER + 0x200c]]).toEqual([10, 0]);
  });

  it("tells by sense data why a stick refused", async () => {
    x.start().address(2);
    x.configure({ in: 6, out: 2 });
    x.transferOut(commandBlock(1, 512, true, 0x28, 0, 0, 0x10, 0, 0, 0, 0, 1, 0));
    x.transferIn(512);
    x.transferIn(13, BUFFER + 0x2000);
    await x.settle();
    expect(x.memory.bytes[BUFFER + 0x200c]).toBe(1);
    x.transferOut(commandBlock(2, 18, true, 0x03, 0, 0, 0, 18, 0));
    x.transferIn(18, BUFFER + 0x3000);
    await x.settle();
    expect([2, 12].map((at) => x.memory.bytes[BUFFER + 0x3000 + at])).toEqual([5, 0x21]);
  });

  it("tells the driver of a stick that is pulled out, and of one that is plugged in", () => {
    x.start();
    x.events();
    expect([x.xhci.unplug("stick"), x.xhci.unplug("stick")]).toEqual([true, false]);
    expect(x.events()).toMatchObject([{ type: EVENT.PORT, parameter: 3 << 24 }]);
    expect(x.xhci.read(PORTSC(2), 4) & 0x2_0001).toBe(0x2_0000);
    x.xhci.plug("other", 2, new MassStorage({ id: "other", disk: x.disk, deliver: () => undefined }));
    expect(x.xhci.read(PORTSC(2), 4) & 0x2_0001).toBe(0x2_0001);
  });

  it("goes on exactly from a saved state, with what the medium had not answered yet", async () => {
    x.start().address(2);
    x.configure({ in: 6, out: 2 });
    x.disk.content.fill(0x77, 512, 1024);
    x.transferOut(commandBlock(9, 512, true, 0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0));
    x.transferIn(512, BUFFER + 0x1000);
    const state = structuredClone(x.xhci.save());
    expect(x.xhci.stateSchema.safeParse(state).success).toBe(true);
    const other = new XhciBench();
    other.memory.bytes.set(x.memory.bytes);
    other.disk.content.set(x.disk.content);
    other.xhci.restore(state);
    await other.settle();
    expect(other.memory.bytes.slice(BUFFER + 0x1000, BUFFER + 0x1200).every((byte) => byte === 0x77)).toBe(true);
    await x.settle();
    expect(other.xhci.save()).toEqual(x.xhci.save());
  });

  it("survives whatever a driver writes to registers and rings", () => {
    const word = fc.oneof(
      fc.nat(0xff),
      fc.constantFrom(COMMANDS | 1, CONTEXTS, EVENT_TABLE, INPUT),
      fc.integer({ min: 0, max: 0xffff_ffff }),
    );
    const offset = fc.oneof(
      fc.nat(0x50).map((n) => n * 4),
      fc.nat(7).map(PORTSC),
      fc.nat(16).map((n) => 0x2000 + n * 4),
      fc.nat(15).map((n) => 0x1020 + n * 4),
    );
    const write = fc.record({ offset, value: word });
    const trb = fc.record({
      ring: fc.constantFrom(COMMANDS, CONTROL_RING, IN_RING, OUT_RING),
      parameter: word,
      status: word,
      type: fc.nat(24),
      control: word,
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(write, trb), { maxLength: 60 }), (steps) => {
        const bench = new XhciBench();
        bench.start().address(2);
        bench.configure({ in: 6, out: 2 });
        for (const step of steps) {
          if ("offset" in step) bench.xhci.write(step.offset, 4, step.value);
          else {
            bench.put(step.ring, step.parameter, step.status, ((step.control & 0xffff_03ff) | (step.type << 10)) >>> 0);
            for (const target of [0, 1, 3, 4]) bench.xhci.write(target === 0 ? 0x2000 : 0x2004, 4, target);
          }
        }
        const state = bench.xhci.save();
        expect(bench.xhci.stateSchema.safeParse(state).success).toBe(true);
        bench.xhci.restore(structuredClone(state));
      }),
      { numRuns: 60 },
    );
  });
});
