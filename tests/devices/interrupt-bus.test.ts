// Several local APICs on one message bus: IPIs of all kinds, destinations, lowest priority, x2APIC mode, TSC deadline.
import { beforeEach, describe, expect, it } from "vitest";
import { IoApic } from "../../native-core/devices/ioapic/ioapic.ts";
import { InterruptBus } from "../../native-core/devices/lapic/interrupt-bus.ts";
import { Lapic } from "../../native-core/devices/lapic/lapic.ts";
import { DeviceBench } from "../support/device-bench.ts";

const LAPIC = 0xfee00000;
const IOAPIC = 0xfec00000;
const ID = 0x20;
const TPR = 0x80;
const LDR = 0xd0;
const DFR = 0xe0;
const SVR = 0xf0;
const ESR = 0x280;
const ICR_LOW = 0x300;
const ICR_HIGH = 0x310;
const LVT_TIMER = 0x320;
const INITIAL = 0x380;
const NMI = 0x400;
const INIT = 0x500;
const STARTUP = 0x600;
const LOWEST = 0x100;
const LOGICAL = 0x800;
const SELF = 0x40000;
const ALL = 0x80000;
const OTHERS = 0xc0000;
/** MSR numbers from 800h on. */
const X2 = {
  ID: 0x02,
  LDR: 0x0d,
  EOI: 0x0b,
  DFR: 0x0e,
  SVR: 0x0f,
  ICR: 0x30,
  ICR_HIGH: 0x31,
  LINT0: 0x35,
  SELF_IPI: 0x3f,
} as const;
const X2APIC_BASE = 0xfee00c00n;

let bench: DeviceBench;
let lapics: Lapic[];
let ioapic: IoApic;
let messages: InterruptBus;
let signals: string[];
let running: number;

const on = (index: number): Lapic => lapics[index] as Lapic;
/** A write by the vCPU `index`. */
function write(index: number, register: number, value: number): void {
  running = index;
  bench.write32(LAPIC + register, value);
}
function read(index: number, register: number): number {
  running = index;
  return bench.read32(LAPIC + register);
}
function ipi(from: number, low: number, destination = 0): void {
  write(from, ICR_HIGH, (destination << 24) >>> 0);
  write(from, ICR_LOW, low);
}
/** Vectors that each processor takes now. */
function taken(): (number | undefined)[] {
  return lapics.map((lapic) => lapic.acknowledge());
}

beforeEach(() => {
  bench = new DeviceBench();
  signals = [];
  running = 0;
  messages = new InterruptBus(bench.bus, () => running);
  lapics = [0, 1, 2, 3].map(
    (index) =>
      new Lapic({
        index,
        messages,
        clock: bench.clock,
        processor: {
          interruptChanged: () => {},
          requestNmi: () => signals.push(`nmi ${index}`),
          requestInit: () => signals.push(`init ${index}`),
          requestStartup: (page) => signals.push(`startup ${index} at ${page}`),
        },
        broadcastEoi: (vector) => ioapic.endOfInterrupt(vector),
        acknowledgeExtInt: () => 0x77,
      }),
  );
  ioapic = new IoApic(bench.bus, messages);
  for (const index of lapics.keys()) write(index, SVR, 0x1ff);
});

describe("Local APICs on one bus", () => {
  it("answer in the same window, each to its own processor, with the ids of their processors", () => {
    expect([0, 1, 2, 3].map((index) => read(index, ID))).toEqual([0, 0x1000000, 0x2000000, 0x3000000]);
    write(2, TPR, 0x50);
    expect([read(1, TPR), read(2, TPR)]).toEqual([0, 0x50]);
    expect(lapics.map(({ name }) => name)).toEqual(["lapic", "lapic1", "lapic2", "lapic3"]);
  });

  it("send fixed interrupts to the one that a physical destination names, or to all", () => {
    ipi(0, 0x41, 2);
    expect(taken()).toEqual([undefined, undefined, 0x41, undefined]);
    ipi(0, 0x52, 0xff);
    expect(taken()).toEqual([0x52, 0x52, 0x52, 0x52]);
    ipi(0, 0x61, 9);
    expect(taken()).toEqual([undefined, undefined, undefined, undefined]);
  });

  it.each([
    ["itself", SELF, [1]],
    ["all including itself", ALL, [0, 1, 2, 3]],
    ["all but itself", OTHERS, [0, 2, 3]],
  ])("send by shorthand to %s", (_who, shorthand, expected) => {
    ipi(1, shorthand | 0x45, 0x00);
    const who = taken().flatMap((vector, index) => (vector === 0x45 ? [index] : []));
    expect(who).toEqual(expected);
  });

  it("match logical destinations in the flat and in the cluster model", () => {
    for (const index of lapics.keys()) write(index, LDR, (1 << (24 + index)) >>> 0);
    ipi(0, LOGICAL | 0x41, 0b1010);
    expect(taken()).toEqual([undefined, 0x41, undefined, 0x41]);
    for (const index of lapics.keys()) {
      write(index, DFR, 0x0fffffff);
      write(index, LDR, (((index >>> 1) << 28) | (1 << (24 + (index & 1)))) >>> 0);
    }
    ipi(0, LOGICAL | 0x52, 0x13);
    expect(taken()).toEqual([undefined, undefined, 0x52, 0x52]);
  });

  it("give a lowest-priority interrupt to one processor: the least busy, the first among equals", () => {
    for (const index of lapics.keys()) write(index, LDR, (1 << (24 + index)) >>> 0);
    write(0, TPR, 0x20);
    ipi(3, LOGICAL | LOWEST | 0x41, 0xf);
    expect(taken()).toEqual([undefined, 0x41, undefined, undefined]);
    // The second one has it in service now, and the third one is switched off by software.
    write(2, SVR, 0xff);
    ipi(3, LOGICAL | LOWEST | 0x42, 0xf);
    expect(taken()).toEqual([undefined, undefined, undefined, 0x42]);
  });

  it("pass on NMI, INIT and start-up, also to processors that are off by software", () => {
    write(1, SVR, 0xff);
    ipi(0, NMI, 1);
    ipi(0, OTHERS | INIT | 0x4000);
    ipi(0, STARTUP | 0x9a, 1);
    expect(signals).toEqual(["nmi 1", "init 1", "init 2", "init 3", "startup 1 at 154"]);
  });

  it("ignore the INIT level de-assert", () => {
    ipi(0, INIT | 0x8000, 1);
    expect(signals).toEqual([]);
  });

  it("start over at INIT, but keep their ids", () => {
    write(1, ID, 0x7000000);
    write(1, TPR, 0x30);
    ipi(0, 0x99, 7);
    ipi(0, INIT | 0x4000, 7);
    expect([read(1, ID), read(1, TPR), read(1, SVR)]).toEqual([0x7000000, 0, 0xff]);
    expect(on(1).hasInterrupt()).toBe(false);
  });

  it("get interrupts of the I/O APIC and MSIs by destination", () => {
    bench.write32(IOAPIC, 0x11 + 5 * 2);
    bench.write32(IOAPIC + 0x10, 3 << 24);
    bench.write32(IOAPIC, 0x10 + 5 * 2);
    bench.write32(IOAPIC + 0x10, 0x55);
    ioapic.line(5).set(true);
    messages.send(0xfee02000n, 0x66);
    messages.send(0xfeeff000n, NMI);
    expect(taken()).toEqual([undefined, undefined, 0x66, 0x55]);
    expect(signals).toEqual(["nmi 0", "nmi 1", "nmi 2", "nmi 3"]);
  });

  it("end a level-triggered interrupt for the I/O APIC whichever processor took it", () => {
    bench.write32(IOAPIC, 0x11 + 9 * 2);
    bench.write32(IOAPIC + 0x10, 2 << 24);
    bench.write32(IOAPIC, 0x10 + 9 * 2);
    bench.write32(IOAPIC + 0x10, 0x8059);
    ioapic.line(9).set(true);
    expect(on(2).acknowledge()).toBe(0x59);
    ioapic.line(9).set(false);
    write(2, 0xb0, 0);
    ioapic.line(9).set(true);
    expect(on(2).acknowledge()).toBe(0x59);
  });
});

describe("x2APIC mode", () => {
  beforeEach(() => {
    for (const lapic of lapics) lapic.setApicBase(X2APIC_BASE);
  });

  it("moves the registers from the MMIO window to MSRs", () => {
    expect(read(2, ID)).toBe(0xffffffff);
    expect(on(2).readX2apic(X2.ID)).toBe(2n);
    expect(on(2).readX2apic(X2.LDR)).toBe(4n);
    expect(on(2).readX2apic(X2.SVR)).toBe(0x1ffn);
  });

  it("has one ICR of 64 bits, and a register for IPIs to itself", () => {
    expect(on(0).writeX2apic(X2.ICR, (3n << 32n) | 0x41n)).toBe(true);
    expect(taken()).toEqual([undefined, undefined, undefined, 0x41]);
    expect(on(0).readX2apic(X2.ICR)).toBe((3n << 32n) | 0x41n);
    on(0).writeX2apic(X2.ICR, (0xffff_ffffn << 32n) | 0x52n);
    expect(taken()).toEqual([0x52, 0x52, 0x52, 0x52]);
    // Cluster 0, processors 1 and 2.
    on(0).writeX2apic(X2.ICR, (0x6n << 32n) | BigInt(LOGICAL) | 0x63n);
    expect(taken()).toEqual([undefined, 0x63, 0x63, undefined]);
    on(1).writeX2apic(X2.SELF_IPI, 0x74n);
    expect(taken()).toEqual([undefined, 0x74, undefined, undefined]);
  });

  it.each([
    ["registers that don't exist", X2.DFR, 0n],
    ["the upper half of ICR", X2.ICR_HIGH, 0n],
    ["read-only registers", X2.ID, 1n],
    ["reserved bits", X2.SVR, 1n << 40n],
    ["an EOI that is not zero", X2.EOI, 1n],
    ["reserved bits of ICR", X2.ICR, 1n << 20n],
  ])("refuses writes of %s", (_what, number, value) => {
    expect(on(0).writeX2apic(number, value)).toBe(false);
  });

  it.each([
    ["EOI", X2.EOI],
    ["SELF IPI", X2.SELF_IPI],
    ["DFR", X2.DFR],
  ])("refuses reads of %s", (_what, number) => {
    expect(on(0).readX2apic(number)).toBeUndefined();
  });

  it("lets read-only bits of the LVT pass, as Linux writes them when it powers off", () => {
    expect(on(0).writeX2apic(X2.LINT0, 0x1_5700n)).toBe(true);
    expect(on(0).readX2apic(X2.LINT0)).toBe(0x1_0700n);
    expect(on(0).writeX2apic(X2.LINT0, 0x1_0f00n)).toBe(false);
  });

  it("has no MSRs in xAPIC mode", () => {
    on(0).setApicBase(0xfee00900n);
    expect(on(0).readX2apic(X2.ID)).toBeUndefined();
    expect(on(0).writeX2apic(X2.EOI, 0n)).toBe(false);
  });
});

describe("The TSC deadline", () => {
  const DEADLINE = 0x40000;

  it("fires once, at its time, and disarms itself", () => {
    write(1, LVT_TIMER, DEADLINE | 0x99);
    on(1).deadlineNs = 5000n;
    bench.advance(4999n);
    expect(on(1).hasInterrupt()).toBe(false);
    bench.advance(1n);
    expect(taken()).toEqual([undefined, 0x99, undefined, undefined]);
    expect(on(1).deadlineNs).toBe(0n);
  });

  it("is only there in its mode, and a change of mode disarms it", () => {
    on(1).deadlineNs = 5000n;
    expect(on(1).deadlineNs).toBe(0n);
    write(1, LVT_TIMER, DEADLINE | 0x99);
    on(1).deadlineNs = 5000n;
    write(1, INITIAL, 100);
    expect(read(1, INITIAL)).toBe(0);
    write(1, LVT_TIMER, 0x99);
    bench.advance(10_000n);
    expect(on(1).hasInterrupt()).toBe(false);
    expect(read(1, ESR)).toBe(0);
  });

  it("survives saving and restoring", () => {
    write(1, LVT_TIMER, DEADLINE | 0x99);
    on(1).deadlineNs = 5000n;
    const saved = on(1).stateSchema.parse(on(1).save());
    on(1).reset();
    on(1).restore(saved);
    bench.advance(5000n);
    expect(taken()[1]).toBe(0x99);
  });
});
