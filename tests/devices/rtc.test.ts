import { beforeEach, describe, expect, it } from "vitest";
import { Rtc } from "../../native-core/devices/rtc/rtc.ts";
import { DeviceBench, MS, Probe, SECOND } from "../support/device-bench.ts";

describe("The RTC", () => {
  let bench: DeviceBench;
  let irq: Probe;
  let rtc: Rtc;

  const read = (index: number) => {
    bench.out8(0x70, index);
    return bench.in8(0x71);
  };
  const write = (index: number, value: number) => {
    bench.out8(0x70, index);
    bench.out8(0x71, value);
  };

  beforeEach(() => {
    bench = new DeviceBench();
    irq = new Probe();
    rtc = new Rtc({ bus: bench.bus, clock: bench.clock, inputs: bench.inputs, irq, memoryBytes: 256 << 20 });
    rtc.reset();
  });

  it("shows the host's time in BCD with 24 hours", () => {
    // Wednesday, 2026-07-29 13:05:07
    expect([0, 2, 4, 6, 7, 8, 9, 0x32].map(read)).toEqual([0x07, 0x05, 0x13, 0x04, 0x29, 0x07, 0x26, 0x20]);
  });

  it("shows the time of a zone to guests that keep local time in it", () => {
    const other = new DeviceBench();
    const local = new Rtc({
      ...{ bus: other.bus, clock: other.clock, inputs: other.inputs, irq, memoryBytes: 256 << 20 },
      zoneMs: 13 * 3_600_000,
    });
    local.reset();
    const readLocal = (index: number) => {
      other.out8(0x70, index);
      return other.in8(0x71);
    };
    expect([0x07, 0x04, 0x02].map(readLocal)).toEqual([0x30, 0x02, 0x05]);
    other.out8(0x70, 0x04);
    other.out8(0x71, 0x12);
    expect(local.save().offsetMs).toBe(10 * 3_600_000);
  });

  it("shows binary values and 12 hours when asked to", () => {
    write(0x0b, 0x04);
    expect([read(0x04), read(0x09)]).toEqual([0x81, 26]);
  });

  it("takes a new time in any order of fields while SET is on", () => {
    write(0x0b, 0x82);
    write(0x07, 0x31);
    write(0x00, 0x58);
    write(0x02, 0x59);
    write(0x04, 0x23);
    write(0x08, 0x12);
    write(0x09, 0x99);
    write(0x32, 0x19);
    write(0x0b, 0x02);
    bench.advance(3n * SECOND);
    expect([0x32, 9, 8, 7, 4, 2].map(read)).toEqual([0x20, 0x00, 0x01, 0x01, 0x00, 0x00]);
  });

  it("announces an update in its last millisecond", () => {
    expect(read(0x0a) & 0x80).toBe(0);
    bench.advance(999n * MS);
    expect(read(0x0a) & 0x80).toBe(0x80);
    bench.advance(MS);
    expect(read(0x0a) & 0x80).toBe(0);
    expect(read(0)).toBe(0x08);
  });

  it("interrupts after each update when enabled, until C is read", () => {
    write(0x0b, 0x12);
    bench.advance(SECOND);
    expect(irq.level).toBe(true);
    expect(read(0x0c)).toBe(0x90);
    expect(irq.level).toBe(false);
    bench.advance(SECOND);
    expect(irq.rises).toBe(2);
  });

  it("interrupts periodically at the rate in A", () => {
    write(0x0a, 0x26);
    write(0x0b, 0x42);
    let ticks = 0;
    for (let step = 0; step < 2000; step++) {
      bench.advance(MS / 2n);
      if (read(0x0c) & 0x40) ticks++;
    }
    expect(ticks).toBe(1024);
  });

  it("interrupts at the alarm time, with wildcards", () => {
    write(0x01, 0x10);
    write(0x03, 0xff);
    write(0x05, 0xff);
    write(0x0b, 0x22);
    bench.advance(2n * SECOND);
    expect(irq.level).toBe(false);
    bench.advance(SECOND);
    expect(irq.level).toBe(true);
    expect(read(0x0c) & 0xa0).toBe(0xa0);
  });

  it("tells the memory size in CMOS RAM", () => {
    expect(read(0x15) | (read(0x16) << 8)).toBe(640);
    expect(read(0x17) | (read(0x18) << 8)).toBe(0xffff);
    expect(read(0x34) | (read(0x35) << 8)).toBe((240 << 20) / 65536);
  });

  it("follows the wall clock after a restore, with the offset the guest had set", () => {
    write(0x0b, 0x82);
    write(0x04, 0x05);
    write(0x0b, 0x02);
    const state = rtc.stateSchema.parse(rtc.save());
    bench.wallClockMs += 60 * 60 * 1000;
    rtc.restore(state);
    expect(read(0x04)).toBe(0x06);
  });
});
