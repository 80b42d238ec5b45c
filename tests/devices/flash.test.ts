// The flash chip of UEFI's variables through its window (Intel command set).
import { describe, expect, it } from "vitest";
import { Flash } from "../../native-core/devices/flash/flash.ts";
import { DeviceBench } from "../support/device-bench.ts";

const BASE = 0xffe00000;

function build(bytes = new Uint8Array(0x4000).fill(0xff)) {
  const { bus } = new DeviceBench();
  const changes: [number, number][] = [];
  const flash = new Flash(bus, BASE, { bytes, changed: (offset, length) => void changes.push([offset, length]) });
  const write = (offset: number, ...values: number[]): void => {
    for (const value of values) bus.writeMmio(BASE + offset, 1, value);
  };
  const read = (offset: number, size: 1 | 4 = 1): number => bus.readMmio(BASE + offset, size);
  return { flash, bytes, changes, write, read };
}

describe("The flash chip", () => {
  it("is told from RAM and ROM by its status, as firmware probes it", () => {
    const { write, read } = build();
    write(0x10, 0x50);
    expect(read(0x10)).toBe(0xff);
    write(0x10, 0x70);
    expect(read(0x10)).toBe(0);
    write(0x10, 0xff);
    expect(read(0x10, 4)).toBe(0xffffffff);
  });

  it("programs bytes by clearing bits, and tells what changed", () => {
    const { write, read, changes } = build();
    write(0x123, 0x10, 0xf0);
    expect(read(0)).toBe(0x80);
    write(0x123, 0x40, 0x3c, 0xff);
    expect([read(0x122), read(0x123)]).toEqual([0xff, 0x30]);
    expect(changes).toEqual([
      [0x123, 1],
      [0x123, 1],
    ]);
  });

  it("erases a block only when that is confirmed", () => {
    const { write, read, changes } = build(new Uint8Array(0x4000));
    write(0x1234, 0x20, 0x00);
    expect(read(0)).toBe(0xb0);
    write(0x1234, 0x50, 0x20, 0xd0, 0xff);
    expect([read(0xfff), read(0x1000), read(0x1fff), read(0x2000)]).toEqual([0, 0xff, 0xff, 0]);
    expect(changes).toEqual([[0x1000, 0x1000]]);
  });

  it("goes on with a command after a saved state", () => {
    const first = build();
    first.write(0, 0x10);
    const second = build();
    second.flash.restore(structuredClone(first.flash.save()));
    second.write(5, 0x42, 0xff);
    expect(second.read(5)).toBe(0x42);
  });
});
