import { beforeEach, describe, expect, it } from "vitest";
import { A20Gate } from "../../native-core/devices/chipset/processor-pins.ts";
import { Ps2Controller } from "../../native-core/devices/ps2/ps2.ts";
import { KEY_PAUSE, KEY_PRINT_SCREEN } from "../../native-core/devices/ps2/scan-codes.ts";
import { DeviceBench, Probe } from "../support/device-bench.ts";

describe("The PS/2 controller", () => {
  let bench: DeviceBench;
  let keyboardIrq: Probe;
  let mouseIrq: Probe;
  let ps2: Ps2Controller;

  const readAll = () => {
    const bytes: number[] = [];
    while (bench.in8(0x64) & 0x01) bytes.push(bench.in8(0x60));
    return bytes;
  };
  const mouse = (...values: number[]) =>
    values.flatMap((value) => {
      bench.out8(0x64, 0xd4);
      bench.out8(0x60, value);
      return readAll();
    });

  beforeEach(() => {
    bench = new DeviceBench();
    keyboardIrq = new Probe();
    mouseIrq = new Probe();
    ps2 = new Ps2Controller({ bus: bench.bus, keyboardIrq, mouseIrq, power: bench, a20: new A20Gate(() => {}) });
    ps2.reset();
  });

  it("passes its self-test and the tests of its ports", () => {
    bench.out8(0x64, 0xaa, 0xab, 0xa9);
    expect(readAll()).toEqual([0x00]);
    bench.out8(0x64, 0xaa);
    expect(readAll()).toEqual([0x55]);
  });

  it("delivers keys as set 1 while translating, with an interrupt for each byte", () => {
    ps2.key(0x1e, true);
    ps2.key(0x1e, false);
    ps2.key(0x9d, true);
    ps2.key(0x9d, false);
    expect(readAll()).toEqual([0x1e, 0x9e, 0xe0, 0x1d, 0xe0, 0x9d]);
    expect(keyboardIrq.rises).toBe(6);
    expect(mouseIrq.rises).toBe(0);
  });

  it("delivers set 2 untranslated when translation is off", () => {
    bench.out8(0x64, 0x60);
    bench.out8(0x60, 0x03);
    ps2.key(0x1e, true);
    ps2.key(0x1e, false);
    ps2.key(0xc8, true);
    expect(readAll()).toEqual([0x1c, 0xf0, 0x1c, 0xe0, 0x75]);
  });

  it("translates every key back to the code it is named by", () => {
    for (const key of [0x01, 0x0e, 0x1c, 0x2a, 0x38, 0x39, 0x3a, 0x3b, 0x41, 0x44, 0x45, 0x46, 0x56, 0x57, 0x58]) {
      ps2.key(key, true);
      ps2.key(key, false);
      expect(readAll()).toEqual([key, key | 0x80]);
    }
  });

  it("sends the long sequences of Pause and Print Screen", () => {
    ps2.key(KEY_PAUSE, true);
    expect(readAll()).toEqual([0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
    ps2.key(KEY_PRINT_SCREEN, true);
    ps2.key(KEY_PRINT_SCREEN, false);
    expect(readAll()).toEqual([0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa]);
  });

  it("identifies, resets and lights the keyboard", () => {
    bench.out8(0x60, 0xf2);
    expect(readAll()).toEqual([0xfa, 0xab, 0x41]);
    bench.out8(0x60, 0xff);
    expect(readAll()).toEqual([0xfa, 0xaa]);
    bench.out8(0x60, 0xed);
    bench.out8(0x60, 0x06);
    expect(readAll()).toEqual([0xfa, 0xfa]);
    expect(ps2.leds).toBe(6);
    bench.out8(0x60, 0x12);
    expect(readAll()).toEqual([0xfe]);
  });

  it("holds keys back while the keyboard interface is off", () => {
    bench.out8(0x64, 0xad);
    ps2.key(0x1e, true);
    expect(readAll()).toEqual([]);
    bench.out8(0x64, 0xae);
    expect(readAll()).toEqual([0x1e]);
  });

  it("drops whole keys when nobody reads", () => {
    for (let count = 0; count < 1000; count++) ps2.key(0x9d, count % 2 === 0);
    const bytes = readAll();
    expect(bytes.length).toBeLessThan(260);
    expect(bytes.at(-2)).toBe(0xe0);
  });

  it("reports mouse motion in standard packets, moving and pressing", () => {
    expect(mouse(0xff)).toEqual([0xfa, 0xaa, 0x00]);
    expect(mouse(0xf4)).toEqual([0xfa]);
    ps2.move(5, -3, 0, 1);
    expect(readAll()).toEqual([0x09, 5, 3]);
    ps2.move(-300, 0, 0, 0);
    expect(readAll()).toEqual([0x18, 0x01, 0, 0x18, 0xd3, 0]);
    expect(mouseIrq.rises).toBeGreaterThan(0);
  });

  it("marks mouse bytes in the status register", () => {
    mouse(0xf4);
    ps2.move(1, 1, 0, 0);
    expect(bench.in8(0x64) & 0x21).toBe(0x21);
  });

  it("becomes a wheel mouse after the rates 200, 100, 80", () => {
    mouse(0xf3, 200, 0xf3, 100, 0xf3, 80);
    expect(mouse(0xf2)).toEqual([0xfa, 0x03]);
    mouse(0xf4);
    ps2.move(0, 0, 2, 0);
    expect(readAll()).toEqual([0x08, 0, 0, 2]);
    ps2.move(0, 0, -1, 4);
    expect(readAll()).toEqual([0x0c, 0, 0, 0xff]);
  });

  it("answers a request for data in remote mode", () => {
    mouse(0xf0);
    ps2.move(7, 0, 0, 2);
    expect(readAll()).toEqual([]);
    expect(mouse(0xeb)).toEqual([0xfa, 0x0a, 7, 0]);
  });

  it("resets the machine by pulse and by output port", () => {
    bench.out8(0x64, 0xfe);
    expect(bench.resets).toBe(1);
    bench.out8(0x64, 0xd1);
    bench.out8(0x60, 0xfe);
    expect(bench.resets).toBe(2);
    bench.out8(0x64, 0xff);
    expect(bench.resets).toBe(2);
  });

  it("keeps unread bytes and modes over save and restore", () => {
    mouse(0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf4);
    ps2.key(0x1e, true);
    ps2.move(1, 0, 0, 0);
    const state = ps2.stateSchema.parse(ps2.save());
    ps2.reset();
    ps2.restore(state);
    expect(readAll()).toEqual([0x1e, 0x08, 1, 0, 0]);
  });
});
