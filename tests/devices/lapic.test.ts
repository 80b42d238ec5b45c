import { beforeEach, describe, expect, it } from "vitest";
import { IoApic } from "../../native-core/devices/ioapic/ioapic.ts";
import { InterruptBus } from "../../native-core/devices/lapic/interrupt-bus.ts";
import { Lapic } from "../../native-core/devices/lapic/lapic.ts";
import { DeviceBench, MS } from "../support/device-bench.ts";

const LAPIC = 0xfee00000;
const IOAPIC = 0xfec00000;
const ID = 0x20;
const TPR = 0x80;
const PPR = 0xa0;
const EOI = 0xb0;
const SVR = 0xf0;
const ISR = 0x100;
const TMR = 0x180;
const IRR = 0x200;
const ESR = 0x280;
const ICR = 0x300;
const LVT_TIMER = 0x320;
const LINT0 = 0x350;
const LVT_ERROR = 0x370;
const INITIAL = 0x380;
const CURRENT = 0x390;
const DIVIDE = 0x3e0;

let bench: DeviceBench;
let messages: InterruptBus;
let lapic: Lapic;
let ioapic: IoApic;
let nmis: number;

const read = (register: number) => bench.read32(LAPIC + register);
const write = (register: number, value: number) => bench.write32(LAPIC + register, value);
const redirect = (pin: number, low: number, high = 0) => {
  bench.write32(IOAPIC, 0x11 + pin * 2);
  bench.write32(IOAPIC + 0x10, high);
  bench.write32(IOAPIC, 0x10 + pin * 2);
  bench.write32(IOAPIC + 0x10, low);
};
const entry = (pin: number) => {
  bench.write32(IOAPIC, 0x10 + pin * 2);
  return bench.read32(IOAPIC + 0x10);
};

beforeEach(() => {
  bench = new DeviceBench();
  nmis = 0;
  messages = new InterruptBus(bench.bus, () => 0);
  lapic = new Lapic({
    index: 0,
    messages,
    clock: bench.clock,
    processor: {
      interruptChanged: () => {},
      requestNmi: () => nmis++,
      requestInit: () => {},
      requestStartup: () => {},
    },
    broadcastEoi: (vector) => ioapic.endOfInterrupt(vector),
    acknowledgeExtInt: () => 0x77,
  });
  ioapic = new IoApic(bench.bus, messages);
  write(SVR, 0x1ff);
});

describe("The local APIC", () => {
  it("delivers the highest vector first and blocks its class and below until EOI", () => {
    lapic.deliver(0, 0x41, false);
    lapic.deliver(0, 0x52, false);
    expect(read(IRR + 0x20)).toBe((1 << 1) | (1 << 18));
    expect(lapic.acknowledge()).toBe(0x52);
    expect(read(PPR)).toBe(0x50);
    expect(lapic.hasInterrupt()).toBe(false);
    lapic.deliver(0, 0x5f, false);
    expect(lapic.hasInterrupt()).toBe(false);
    write(EOI, 0);
    expect(lapic.acknowledge()).toBe(0x5f);
    expect(read(ISR + 0x20)).toBe(0x80000000);
    write(EOI, 0);
    expect(lapic.acknowledge()).toBe(0x41);
  });

  it("holds back vectors at or below the task priority, set by TPR or CR8", () => {
    lapic.deliver(0, 0x41, false);
    write(TPR, 0x40);
    expect(lapic.hasInterrupt()).toBe(false);
    expect(lapic.taskPriority).toBe(4);
    lapic.taskPriority = 3;
    expect(read(TPR)).toBe(0x30);
    expect(lapic.hasInterrupt()).toBe(true);
  });

  it("counts down once and interrupts in one-shot mode", () => {
    write(LVT_TIMER, 0x30);
    write(DIVIDE, 0x0b);
    write(INITIAL, 1_000_000);
    bench.advance(400_000n);
    expect(read(CURRENT)).toBe(600_000);
    expect(lapic.hasInterrupt()).toBe(false);
    bench.advance(600_000n);
    expect(lapic.acknowledge()).toBe(0x30);
    write(EOI, 0);
    bench.advance(10n * MS);
    expect([lapic.hasInterrupt(), read(CURRENT)]).toEqual([false, 0]);
  });

  it("interrupts again and again in periodic mode, at the divided rate", () => {
    write(LVT_TIMER, 0x20030);
    write(DIVIDE, 0x03);
    write(INITIAL, 62_500);
    let count = 0;
    for (let step = 0; step < 10; step++) {
      bench.advance(MS);
      while (lapic.acknowledge() === 0x30) {
        count++;
        write(EOI, 0);
      }
    }
    expect(count).toBe(10);
  });

  it("stops its timer when the initial count is cleared, and masks it by its LVT entry", () => {
    write(LVT_TIMER, 0x30);
    write(INITIAL, 1000);
    write(INITIAL, 0);
    bench.advance(MS);
    expect(lapic.hasInterrupt()).toBe(false);
    write(LVT_TIMER, 0x10030);
    write(INITIAL, 1000);
    bench.advance(MS);
    expect(lapic.hasInterrupt()).toBe(false);
  });

  it("sends interrupts to itself by shorthand, by its ID and by its logical address", () => {
    write(ICR, 0x40000 | 0x61);
    expect(lapic.acknowledge()).toBe(0x61);
    write(EOI, 0);
    write(ID, 3 << 24);
    write(ICR + 0x10, 3 << 24);
    write(ICR, 0x62);
    expect(lapic.acknowledge()).toBe(0x62);
    write(EOI, 0);
    write(0xd0, 0x02000000);
    write(ICR + 0x10, 0x03000000);
    write(ICR, 0x863);
    expect(lapic.acknowledge()).toBe(0x63);
    write(EOI, 0);
    write(ICR, 0xc0000 | 0x64);
    expect(lapic.hasInterrupt()).toBe(false);
  });

  it("passes NMIs on", () => {
    lapic.deliver(4, 0, false);
    expect(nmis).toBe(1);
  });

  it("lets the 8259's request through as ExtINT only while LINT0 is unmasked", () => {
    lapic.setExtInt(true);
    expect(lapic.hasInterrupt()).toBe(false);
    write(LINT0, 0x700);
    expect(lapic.acknowledge()).toBe(0x77);
    write(LINT0, 0x10700);
    expect(lapic.hasInterrupt()).toBe(false);
  });

  it("steps out of the way when IA32_APIC_BASE switches it off", () => {
    lapic.setApicBase(0xfee00100n);
    lapic.setExtInt(true);
    expect(lapic.acknowledge()).toBe(0x77);
    expect(bench.read32(LAPIC + 0x30)).toBe(0xffffffff);
  });

  it("masks all LVT entries while software-disabled", () => {
    write(LVT_TIMER, 0x30);
    write(SVR, 0xff);
    expect(read(LVT_TIMER)).toBe(0x10030);
    write(LVT_TIMER, 0x31);
    expect(read(LVT_TIMER)).toBe(0x10031);
  });

  it("reports illegal vectors in ESR and through its error interrupt", () => {
    write(LVT_ERROR, 0xfe);
    write(ICR, 0x40005);
    expect(lapic.acknowledge()).toBe(0xfe);
    write(ESR, 0);
    expect(read(ESR)).toBe(0x20);
    write(ESR, 0);
    expect(read(ESR)).toBe(0);
  });

  it("takes message-signalled interrupts that name it and drops others", () => {
    messages.send(0xfee00000n, 0x4071);
    expect(lapic.acknowledge()).toBe(0x71);
    write(EOI, 0);
    messages.send(0xfee05000n, 0x4072);
    messages.send(0x1000n, 0x4073);
    expect(lapic.hasInterrupt()).toBe(false);
  });

  it("goes on where it was saved, timer included", () => {
    write(LVT_TIMER, 0x20030);
    write(DIVIDE, 0x0b);
    write(INITIAL, 1_000_000);
    bench.advance(300_000n);
    lapic.deliver(0, 0x44, true);
    const saved = lapic.stateSchema.parse(lapic.save());
    lapic.reset();
    expect(lapic.hasInterrupt()).toBe(false);
    lapic.restore(saved);
    expect([lapic.acknowledge(), read(TMR + 0x20), read(CURRENT)]).toEqual([0x44, 1 << 4, 700_000]);
    write(EOI, 0);
    bench.advance(700_000n);
    expect(lapic.acknowledge()).toBe(0x30);
  });
});

describe("The I/O APIC", () => {
  it("has 24 masked inputs after reset", () => {
    bench.write32(IOAPIC, 1);
    expect(bench.read32(IOAPIC + 0x10) >>> 16).toBe(23);
    expect(entry(23)).toBe(0x10000);
  });

  it("sends one interrupt for each edge", () => {
    redirect(4, 0x34);
    const line = ioapic.line(4);
    line.set(true);
    line.set(true);
    expect(lapic.acknowledge()).toBe(0x34);
    write(EOI, 0);
    expect(lapic.hasInterrupt()).toBe(false);
    line.set(false);
    line.set(true);
    expect(lapic.acknowledge()).toBe(0x34);
  });

  it("repeats a level interrupt after EOI while the line is high", () => {
    redirect(16, 0x8050);
    ioapic.line(16).set(true);
    expect(entry(16) & 0x4000).toBe(0x4000);
    expect(lapic.acknowledge()).toBe(0x50);
    write(EOI, 0);
    expect(lapic.acknowledge()).toBe(0x50);
    ioapic.line(16).set(false);
    write(EOI, 0);
    expect(lapic.hasInterrupt()).toBe(false);
    expect(entry(16) & 0x4000).toBe(0);
  });

  it("sends a level interrupt that came while masked when unmasked, and forgets an edge", () => {
    redirect(17, 0x18051);
    redirect(5, 0x10035);
    ioapic.line(17).set(true);
    ioapic.line(5).set(true);
    redirect(17, 0x8051);
    redirect(5, 0x35);
    expect(lapic.acknowledge()).toBe(0x51);
    write(EOI, 0);
    ioapic.line(17).set(false);
    lapic.acknowledge();
    write(EOI, 0);
    expect(lapic.hasInterrupt()).toBe(false);
  });

  it("clears the remote request when an entry is switched to edge, as Linux does to end a stuck interrupt", () => {
    redirect(18, 0x8052);
    ioapic.line(18).set(true);
    redirect(18, 0x10052);
    expect(entry(18) & 0x4000).toBe(0);
  });

  it("does not send to other processors", () => {
    redirect(4, 0x34, 7 << 24);
    ioapic.line(4).set(true);
    expect(lapic.hasInterrupt()).toBe(false);
  });

  it("keeps lines and entries over save and restore", () => {
    redirect(16, 0x8050);
    ioapic.line(16).set(true);
    const saved = ioapic.stateSchema.parse(ioapic.save());
    ioapic.reset();
    ioapic.restore(saved);
    expect(entry(16)).toBe(0xc050);
    lapic.acknowledge();
    write(EOI, 0);
    expect(lapic.acknowledge()).toBe(0x50);
  });
});
