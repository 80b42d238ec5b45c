import { beforeEach, describe, expect, it } from "vitest";
import { Pic } from "../../native-core/devices/pic/pic.ts";
import { DeviceBench, Probe } from "../support/device-bench.ts";

describe("The 8259 pair", () => {
  let bench: DeviceBench;
  let output: Probe;
  let pic: Pic;

  beforeEach(() => {
    bench = new DeviceBench();
    output = new Probe();
    pic = new Pic(bench.bus, output);
    bench.out8(0x20, 0x11);
    bench.out8(0x21, 0x20, 0x04, 0x01, 0x00);
    bench.out8(0xa0, 0x11);
    bench.out8(0xa1, 0x28, 0x02, 0x01, 0x00);
  });

  it("delivers an edge-triggered request with the vector of its input", () => {
    pic.line(4).set(true);
    expect(output.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x24);
    expect(output.level).toBe(false);
  });

  it("delivers requests of the slave through input 2 of the master", () => {
    pic.line(12).set(true);
    expect(pic.acknowledge()).toBe(0x2c);
    bench.out8(0x20, 0x0b);
    expect(bench.in8(0x20)).toBe(0x04);
    bench.out8(0xa0, 0x0b);
    expect(bench.in8(0xa0)).toBe(0x10);
  });

  it("delivers a second request of the slave after the first one's end", () => {
    pic.line(12).set(true);
    pic.line(14).set(true);
    expect(pic.acknowledge()).toBe(0x2c);
    expect(output.level).toBe(false);
    bench.out8(0xa0, 0x20);
    bench.out8(0x20, 0x20);
    expect(output.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x2e);
  });

  it("holds back requests of lower priority while one is in service", () => {
    pic.line(3).set(true);
    pic.acknowledge();
    pic.line(5).set(true);
    expect(output.level).toBe(false);
    pic.line(1).set(true);
    expect(pic.acknowledge()).toBe(0x21);
    bench.out8(0x20, 0x20, 0x20);
    expect(pic.acknowledge()).toBe(0x25);
  });

  it("does not deliver masked requests but remembers them", () => {
    bench.out8(0x21, 0xff);
    pic.line(6).set(true);
    expect(output.level).toBe(false);
    expect(bench.in8(0x20)).toBe(0x40);
    bench.out8(0x21, 0xbf);
    expect(pic.acknowledge()).toBe(0x26);
  });

  it("gives the spurious vector when a request went away before its acknowledge", () => {
    pic.line(5).set(true);
    pic.line(5).set(false);
    expect(pic.acknowledge()).toBe(0x27);
    bench.out8(0x20, 0x0b);
    expect(bench.in8(0x20)).toBe(0);
  });

  it("repeats a level-triggered request until its line is released", () => {
    bench.out8(0x4d1, 0x0c);
    pic.line(10).set(true);
    expect(pic.acknowledge()).toBe(0x2a);
    bench.out8(0xa0, 0x62);
    bench.out8(0x20, 0x62);
    expect(pic.acknowledge()).toBe(0x2a);
    pic.line(10).set(false);
    bench.out8(0xa0, 0x62);
    bench.out8(0x20, 0x62);
    expect(output.level).toBe(false);
  });

  it("keeps timer, keyboard, cascade, RTC and coprocessor inputs edge-triggered", () => {
    bench.out8(0x4d0, 0xff, 0xff);
    bench.out8(0x4d1, 0xff);
    expect([bench.in8(0x4d0), bench.in8(0x4d1)]).toEqual([0xf8, 0xde]);
  });

  it("ends interrupts by itself in automatic EOI mode", () => {
    bench.out8(0x20, 0x11);
    bench.out8(0x21, 0x20, 0x04, 0x03, 0x00);
    pic.line(1).set(true);
    pic.acknowledge();
    bench.out8(0x20, 0x0b);
    expect(bench.in8(0x20)).toBe(0);
  });

  it("answers the poll command with the highest request", () => {
    pic.line(7).set(true);
    bench.out8(0x20, 0x0c);
    expect(bench.in8(0x20)).toBe(0x87);
    bench.out8(0x20, 0x0c);
    expect(bench.in8(0x20)).toBe(0);
  });

  it("rotates priorities on request", () => {
    bench.out8(0x20, 0xc3);
    pic.line(3).set(true);
    pic.line(4).set(true);
    expect(pic.acknowledge()).toBe(0x24);
  });

  it("goes on where it was saved", () => {
    pic.line(3).set(true);
    pic.acknowledge();
    pic.line(1).set(true);
    const copyBench = new DeviceBench();
    const copyOutput = new Probe();
    const copy = new Pic(copyBench.bus, copyOutput);
    copy.restore(copy.stateSchema.parse(pic.save()));
    expect(copyOutput.level).toBe(true);
    expect(copy.acknowledge()).toBe(0x21);
    copyBench.out8(0x20, 0x0b);
    expect(copyBench.in8(0x20)).toBe(0x0a);
  });

  it("refuses a saved state with values out of range", () => {
    const state = pic.save();
    expect(pic.stateSchema.safeParse({ ...state, master: { ...state.master, lowestPriority: 9 } }).success).toBe(false);
    expect(pic.stateSchema.safeParse({ ...state, extra: 1 }).success).toBe(false);
  });
});
