import { beforeEach, describe, expect, it } from "vitest";
import { ACPI_GPE, AcpiPm } from "../../native-core/devices/acpi/acpi-pm.ts";
import { DeviceBench, Probe, SECOND } from "../support/device-bench.ts";

describe("ACPI power management", () => {
  let bench: DeviceBench;
  let sci: Probe;
  let acpi: AcpiPm;
  const in16 = (port: number) => bench.bus.readPort(port, 2);
  const out16 = (port: number, value: number) => bench.bus.writePort(port, 2, value);

  beforeEach(() => {
    bench = new DeviceBench();
    sci = new Probe();
    acpi = new AcpiPm({ bus: bench.bus, clock: bench.clock, sci, power: bench });
    acpi.reset();
  });

  it("has a 24-bit timer of 3.579545 MHz", () => {
    bench.advance(SECOND);
    expect(bench.in32(0x608)).toBe(3579545);
    bench.advance(9n * SECOND);
    expect(bench.in32(0x608)).toBe(35795450 & 0xffffff);
  });

  it("is in ACPI mode from the start", () => {
    expect(in16(0x604) & 1).toBe(1);
  });

  it("raises SCI for the power button until the guest clears its status", () => {
    acpi.pressPowerButton();
    expect([sci.level, in16(0x600) & 0x100]).toEqual([false, 0x100]);
    out16(0x602, 0x0100);
    expect([sci.level, acpi.powerButtonEnabled]).toEqual([true, true]);
    out16(0x600, 0x0100);
    expect([sci.level, in16(0x600) & 0x100]).toEqual([false, 0]);
  });

  it("raises SCI when the timer's highest bit changes", () => {
    out16(0x602, 0x0001);
    bench.advance(2_343_000_000n);
    expect(sci.level).toBe(false);
    bench.advance(10_000_000n);
    expect(sci.level).toBe(true);
    out16(0x600, 0x0001);
    expect(sci.level).toBe(false);
  });

  it("raises SCI for a general-purpose event that is enabled until the guest clears its status", () => {
    acpi.raise(ACPI_GPE.GENERATION_ID);
    expect([sci.level, bench.in8(0x60c)]).toEqual([false, 1]);
    bench.out8(0x60e, 0x01);
    expect(sci.level).toBe(true);
    bench.out8(0x60c, 0x01);
    expect([sci.level, bench.in8(0x60c), bench.in32(0x60c)]).toEqual([false, 0, 0x10000]);
    out16(0x60e, 0);
    expect(bench.in32(0x60c)).toBe(0);
  });

  it("powers off on S5 only", () => {
    out16(0x604, (3 << 10) | 0x2000);
    expect(bench.powerOffs).toBe(0);
    out16(0x604, 5 << 10);
    expect(bench.powerOffs).toBe(0);
    out16(0x604, (5 << 10) | 0x2000);
    expect(bench.powerOffs).toBe(1);
  });

  it("takes byte accesses", () => {
    bench.out8(0x603, 0x01);
    acpi.pressPowerButton();
    expect(bench.in8(0x601)).toBe(0x01);
    bench.out8(0x601, 0x01);
    expect(sci.level).toBe(false);
  });

  it("saves what a restore makes of it, whenever the timer was looked at", () => {
    bench.advance(3n * SECOND);
    const state = structuredClone(acpi.save());
    acpi.restore(state);
    expect(acpi.save()).toEqual(state);
  });

  it("keeps a pressed button over save and restore", () => {
    out16(0x602, 0x0100);
    acpi.pressPowerButton();
    const state = acpi.stateSchema.parse(acpi.save());
    acpi.reset();
    expect(sci.level).toBe(false);
    acpi.restore(state);
    expect(sci.level).toBe(true);
  });
});
