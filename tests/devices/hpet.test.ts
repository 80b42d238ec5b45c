// The HPET through its registers (IA-PC HPET specification 1.0a).
import { beforeEach, describe, expect, it } from "vitest";
import { Hpet } from "../../native-core/devices/hpet/hpet.ts";
import { HPET_BASE, REG } from "../../native-core/devices/hpet/registers.ts";
import { DeviceBench, MS, Probe } from "../support/device-bench.ts";

const [LEVEL, ENABLE, PERIODIC, SET_VALUE, MODE_32] = [2, 4, 8, 0x40, 0x100];
const PIN_20 = 20 << 9;
/** 100 ticks are a microsecond. */
const TICKS_OF_MS = 100_000;

let bench: DeviceBench;
let hpet: Hpet;
let legacy: [Probe, Probe];
let pins: Map<number, Probe>;
let isLegacy: boolean;

function make(): Hpet {
  bench = new DeviceBench();
  legacy = [new Probe(), new Probe()];
  pins = new Map();
  isLegacy = false;
  const made = new Hpet({
    ...{ bus: bench.bus, clock: bench.clock, legacy },
    ioapicLine: (pin) => {
      const probe = new Probe();
      pins.set(pin, probe);
      return probe;
    },
    legacyChanged: (on) => void (isLegacy = on),
  });
  made.reset();
  return made;
}

beforeEach(() => {
  hpet = make();
});

const read = (offset: number) => bench.read32(HPET_BASE + offset);
const write = (offset: number, value: number) => bench.write32(HPET_BASE + offset, value);
const timer = (index: number) => REG.TIMER + 0x20 * index;

describe("The HPET", () => {
  it("tells a period of 10 ns, three comparators and 64 bits", () => {
    expect(read(0)).toBe(0x8086_a201);
    expect(read(4)).toBe(10_000_000);
    expect(read(timer(0)) & 0x30).toBe(0x30);
    expect(read(timer(2) + 4)).toBe(0x00f0_0000);
  });

  it("counts while it is enabled, and can be set while it is not", () => {
    bench.advance(MS);
    expect(read(REG.COUNTER)).toBe(0);
    write(REG.CONFIG, 1);
    bench.advance(MS);
    expect(read(REG.COUNTER)).toBe(TICKS_OF_MS);
    write(REG.CONFIG, 0);
    write(REG.COUNTER, 0xffff_fff0);
    write(REG.COUNTER + 4, 1);
    write(REG.CONFIG, 1);
    bench.advance(150n);
    // Both halves are of the moment of the lower one.
    expect(read(REG.COUNTER)).toBe(0xffff_ffff);
    bench.advance(50n);
    expect(read(REG.COUNTER + 4)).toBe(1);
    expect([read(REG.COUNTER), read(REG.COUNTER + 4)]).toEqual([4, 2]);
  });

  it("interrupts once, where the comparator is routed to", () => {
    write(REG.CONFIG, 1);
    write(timer(2), ENABLE | PIN_20);
    write(timer(2) + 8, TICKS_OF_MS);
    write(timer(2) + 12, 0);
    bench.advance(MS - 10n);
    expect(pins.get(20)?.rises).toBe(0);
    bench.advance(10n);
    expect(pins.get(20)?.rises).toBe(1);
    bench.advance(100n * MS);
    expect(pins.get(20)?.rises).toBe(1);
  });

  it("interrupts periodically, as Linux sets it up, instead of the PIT", () => {
    write(REG.CONFIG, 3);
    expect(isLegacy).toBe(true);
    write(timer(0), ENABLE | PERIODIC | SET_VALUE | MODE_32);
    write(timer(0) + 8, 2 * TICKS_OF_MS);
    write(timer(0) + 8, TICKS_OF_MS);
    bench.advance(2n * MS);
    expect(legacy[0].rises).toBe(1);
    bench.advance(8n * MS);
    expect(legacy[0].rises).toBe(9);
    write(REG.CONFIG, 0);
    expect(isLegacy).toBe(false);
    bench.advance(8n * MS);
    expect(legacy[0].rises).toBe(9);
  });

  it("holds a level until it is acknowledged", () => {
    write(REG.CONFIG, 1);
    write(timer(1), ENABLE | LEVEL | PIN_20);
    write(timer(1) + 8, 100);
    write(timer(1) + 12, 0);
    bench.advance(MS);
    expect([pins.get(20)?.level, read(REG.STATUS)]).toEqual([true, 2]);
    write(REG.STATUS, 2);
    expect([pins.get(20)?.level, read(REG.STATUS)]).toEqual([false, 0]);
  });

  it("loses no interrupt when another comparator is written at that moment", () => {
    write(REG.CONFIG, 1);
    write(timer(2), ENABLE | PIN_20);
    write(timer(2) + 8, 100);
    write(timer(2) + 12, 0);
    expect(bench.clock.nextDeadlineNs).toBe(1000n);
    write(timer(1), ENABLE);
    write(timer(1) + 8, 50);
    bench.advance(MS);
    expect(pins.get(20)?.rises).toBe(1);
  });

  it("goes on after a restore", () => {
    write(REG.CONFIG, 3);
    write(timer(0), ENABLE | PERIODIC | SET_VALUE | MODE_32);
    write(timer(0) + 8, TICKS_OF_MS);
    write(timer(0) + 8, TICKS_OF_MS);
    bench.advance(MS / 2n);
    const state = hpet.stateSchema.parse(structuredClone(hpet.save()));
    hpet = make();
    bench.advance(MS / 2n);
    hpet.restore(state);
    expect(hpet.save()).toEqual(state);
    expect([isLegacy, read(REG.COUNTER)]).toEqual([true, TICKS_OF_MS / 2]);
    bench.advance(MS / 2n);
    expect(legacy[0].rises).toBe(1);
  });
});
