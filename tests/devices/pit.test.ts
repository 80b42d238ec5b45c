import { beforeEach, describe, expect, it } from "vitest";
import { Pit } from "../../native-core/devices/pit/pit.ts";
import { DeviceBench, MS, Probe, SECOND } from "../support/device-bench.ts";

describe("The 8254 timer", () => {
  let bench: DeviceBench;
  let irq: Probe;
  let pit: Pit;

  const load = (counter: number, mode: number, count: number) => {
    bench.out8(0x43, (counter << 6) | 0x30 | (mode << 1));
    bench.out8(0x40 + counter, count & 0xff, count >>> 8);
  };
  const latch = (counter: number) => {
    bench.out8(0x43, counter << 6);
    return bench.in8(0x40 + counter) | (bench.in8(0x40 + counter) << 8);
  };

  beforeEach(() => {
    bench = new DeviceBench();
    irq = new Probe();
    pit = new Pit(bench.bus, bench.clock, irq);
    pit.reset();
    irq.rises = 0;
  });

  it.each([2, 3])("raises interrupt 0 at 100 Hz in mode %i", (mode) => {
    load(0, mode, 11932);
    irq.rises = 0;
    bench.advance(SECOND);
    expect(irq.rises).toBe(99);
    bench.advance(10n * MS);
    expect(irq.rises).toBe(100);
  });

  it("raises interrupt 0 once in mode 0, and again when reloaded", () => {
    load(0, 0, 1193);
    expect(irq.level).toBe(false);
    bench.advance(MS);
    expect(irq.level).toBe(true);
    bench.advance(SECOND);
    expect(irq.rises).toBe(1);
    load(0, 0, 1193);
    expect(irq.level).toBe(false);
    bench.advance(MS);
    expect(irq.rises).toBe(2);
  });

  it("counts down 1193182 times a second", () => {
    load(0, 2, 60000);
    const before = latch(0);
    bench.advance(10n * MS);
    expect(before - latch(0)).toBe(11931);
  });

  it("keeps a latched count until it was read", () => {
    load(0, 2, 5000);
    bench.out8(0x43, 0x00);
    bench.advance(MS);
    bench.out8(0x43, 0x00);
    expect(bench.in8(0x40) | (bench.in8(0x40) << 8)).toBe(5000);
    expect(bench.in8(0x40) | (bench.in8(0x40) << 8)).toBe(5000 - 1193);
  });

  it("counts in BCD when asked to", () => {
    bench.out8(0x43, 0x35);
    bench.out8(0x40, 0x00, 0x10);
    bench.advance(100_000n);
    expect(latch(0)).toBe(0x0881);
  });

  it("reports status and counts of several counters by read-back", () => {
    load(0, 2, 1000);
    load(2, 3, 2000);
    bench.out8(0x43, 0xc2 | 0x08);
    expect(bench.in8(0x40) & 0x3f).toBe(0x34);
    expect(bench.in8(0x42) & 0x3f).toBe(0x36);
    expect(bench.in8(0x40) | (bench.in8(0x40) << 8)).toBe(1000);
  });

  it("lets a guest time counter 2 through port 61h, gated as Linux calibrates with it", () => {
    bench.out8(0x61, 0x00);
    load(2, 0, 11932);
    expect(bench.in8(0x61) & 0x21).toBe(0x00);
    bench.advance(SECOND);
    expect(bench.in8(0x61) & 0x20).toBe(0);
    bench.out8(0x61, 0x01);
    bench.advance(9n * MS);
    expect(bench.in8(0x61) & 0x21).toBe(0x01);
    bench.advance(2n * MS);
    expect(bench.in8(0x61) & 0x21).toBe(0x21);
  });

  it("starts counter 2 in mode 1 at the rise of its gate", () => {
    bench.out8(0x61, 0x00);
    load(2, 1, 1193);
    bench.advance(SECOND);
    bench.out8(0x61, 0x01);
    expect(bench.in8(0x61) & 0x20).toBe(0);
    bench.advance(MS);
    expect(bench.in8(0x61) & 0x20).toBe(0x20);
  });

  it("toggles the refresh bit of port 61h", () => {
    const seen = new Set<number>();
    for (let step = 0; step < 8; step++) {
      seen.add(bench.in8(0x61) & 0x10);
      bench.advance(15_000n);
    }
    expect(seen).toEqual(new Set([0, 0x10]));
  });

  it("keeps phase and rate over save and restore", () => {
    load(0, 2, 11932);
    bench.advance(3n * MS);
    const copyIrq = new Probe();
    const copy = new Pit(new DeviceBench().bus, bench.clock, copyIrq);
    copy.restore(copy.stateSchema.parse(pit.save()));
    irq.rises = 0;
    copyIrq.rises = 0;
    bench.advance(95n * MS);
    expect(copyIrq.rises).toBe(irq.rises);
    expect(irq.rises).toBe(9);
  });
});
