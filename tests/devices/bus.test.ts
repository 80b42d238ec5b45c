import { describe, expect, it } from "vitest";
import { byteWide, SystemBus } from "../../native-core/devices/bus.ts";

function registers(size: number) {
  const bytes = new Uint8Array(size);
  return byteWide(
    (offset) => bytes[offset] ?? 0,
    (offset, value) => {
      bytes[offset] = value;
    },
  );
}

describe("The system bus", () => {
  it("reads all ones where no device answers, at every size", () => {
    const bus = new SystemBus();
    expect([bus.readPort(0x300, 1), bus.readPort(0x300, 2), bus.readPort(0x300, 4)]).toEqual([
      0xff, 0xffff, 0xffffffff,
    ]);
    expect([bus.readMmio(0xd0000000, 1), bus.readMmio(0xd0000000, 4)]).toEqual([0xff, 0xffffffff]);
    expect(bus.readMmio64(0xd0000000)).toBe(0xffffffffffffffffn);
  });

  it("swallows writes where no device answers", () => {
    const bus = new SystemBus();
    bus.writePort(0xffff, 4, 1);
    bus.writeMmio(0xd0000000, 4, 1);
    expect(bus.readPort(0xffff, 1)).toBe(0xff);
  });

  it("splits an access that crosses a device's end into bytes for each owner", () => {
    const bus = new SystemBus();
    bus.mapPorts(0x100, 2, registers(2));
    bus.mapPorts(0x102, 2, registers(2));
    bus.writePort(0x101, 2, 0xbeef);
    expect([bus.readPort(0x101, 1), bus.readPort(0x102, 1)]).toEqual([0xef, 0xbe]);
    expect(bus.readPort(0x101, 4)).toBe(0xff00beef);
  });

  it("gives devices no more of a value than the access is wide", () => {
    const bus = new SystemBus();
    const written: number[] = [];
    const handler = { read: () => 0, write: (_: number, __: number, value: number) => void written.push(value) };
    bus.mapPorts(0x100, 4, handler);
    bus.mapMmio(0xd0000000, 4, handler);
    for (const size of [1, 2, 4] as const) {
      bus.writePort(0x100, size, 0xfedcba98);
      bus.writeMmio(0xd0000000, size, 0xfedcba98);
    }
    expect(written).toEqual([0x98, 0x98, 0xba98, 0xba98, 0xfedcba98, 0xfedcba98]);
  });

  it("gives a device that moved its accesses at the new place only", () => {
    const bus = new SystemBus();
    const handler = registers(0x1000);
    const mapping = bus.mapMmio(0xc0000000, 0x1000, handler);
    bus.writeMmio(0xc0000010, 4, 0x12345678);
    mapping.unmap();
    bus.mapMmio(0xd0000000, 0x1000, handler);
    expect(bus.readMmio(0xc0000010, 4)).toBe(0xffffffff);
    expect(bus.readMmio(0xd0000010, 4)).toBe(0x12345678);
  });

  it("passes a quadword as two doublewords, the lower one first", () => {
    const bus = new SystemBus();
    const seen: number[] = [];
    bus.mapMmio(0xc0000000, 0x1000, { read: (offset) => offset, write: (offset) => void seen.push(offset) });
    bus.writeMmio64(0xc0000008, 0n);
    expect(seen).toEqual([8, 12]);
    expect(bus.readMmio64(0xc0000008)).toBe((12n << 32n) | 8n);
  });

  it("does not let two devices claim the same place", () => {
    const bus = new SystemBus();
    bus.mapPorts(0x60, 1, registers(1));
    bus.mapMmio(0xc0001000, 0x1000, registers(1));
    expect(() => bus.mapPorts(0x5f, 2, registers(2))).toThrow("free");
    expect(() => bus.mapMmio(0xc0000000, 0x1001, registers(1))).toThrow("free");
    expect([bus.portsFree(0x61, 1), bus.mmioFree(0xc0002000, 16), bus.portsFree(0xffff, 2)]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
