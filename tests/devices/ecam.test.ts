// The Q35 board's configuration space in memory (PCI Express 7.2.2), through the registers that firmware uses.
import { describe, expect, it } from "vitest";
import { Ecam } from "../../native-core/devices/chipset/ecam.ts";
import { chipsetModel } from "../../native-core/devices/chipset/models.ts";
import { PciFunction } from "../../native-core/devices/pci/pci-function.ts";
import { DeviceBench } from "../support/device-bench.ts";

const BASE = 0xb000_0000;

function start(ramEnd = 64 << 20) {
  const { bus } = new DeviceBench();
  const bridge = new PciFunction({ vendorId: 0x8086, deviceId: 0x29c0, classCode: 0x060000 });
  const ecam = new Ecam(bus, bridge, ramEnd, (place) => (place === 0 ? bridge : undefined));
  bridge.onConfigWrite = () => ecam.update();
  return { bus, bridge };
}

describe("Configuration space in memory", () => {
  it("is where the host bridge's register puts it, while it is on", () => {
    const { bus, bridge } = start();
    expect(bus.readMmio(BASE, 4)).toBe(0xffff_ffff);
    bridge.writeConfig(0x60, 4, BASE | 1);
    expect(bus.readMmio(BASE, 4)).toBe(0x29c0_8086);
    expect(bus.readMmio(BASE + 2, 2)).toBe(0x29c0);
    bus.writeMmio(BASE + 0x3c, 1, 0x0b);
    expect(bridge.readConfig(0x3c, 1)).toBe(0x0b);
    bridge.writeConfig(0x60, 4, 0xe000_0001);
    expect(bus.readMmio(BASE, 4)).toBe(0xffff_ffff);
    expect(bus.readMmio(0xe000_0000, 4)).toBe(0x29c0_8086);
    bridge.writeConfig(0x60, 4, 0);
    expect(bus.readMmio(0xe000_0000, 4)).toBe(0xffff_ffff);
  });

  it("has nothing behind a function's 256 bytes, where no function is, and on other buses", () => {
    const { bus, bridge } = start();
    bridge.writeConfig(0x60, 4, BASE | 1);
    expect(bus.readMmio(BASE + 0x100, 4)).toBe(0);
    bus.writeMmio(BASE + 0x13c, 4, 0xffff_ffff);
    expect(bus.readMmio(BASE + 0x8000, 4)).toBe(0xffff_ffff);
    expect(bus.readMmio(BASE + (1 << 20), 4)).toBe(0xffff_ffff);
    expect(bus.readMmio(BASE + (255 << 20), 4)).toBe(0xffff_ffff);
  });

  it("does not decode over RAM or a device", () => {
    const high = start(0xb800_0000);
    high.bridge.writeConfig(0x60, 4, BASE | 1);
    expect(high.bus.readMmio(BASE, 4)).toBe(0xffff_ffff);
    const { bus, bridge } = start();
    bus.mapMmio(0xb400_0000, 0x1000, { read: () => 7, write: () => {} });
    bridge.writeConfig(0x60, 4, BASE | 1);
    expect([bus.readMmio(BASE, 4), bus.readMmio(0xb400_0000, 4)]).toEqual([0xffff_ffff, 7]);
  });
});

describe("Interrupt wires", () => {
  it("follow the chipset: each slot turned by one, and Q35's own slots straight", () => {
    expect([1, 2, 3].map((slot) => chipsetModel("i440fx").wireOf(slot, 1))).toEqual([0, 1, 2]);
    expect([1, 2, 24, 25, 31].map((slot) => chipsetModel("q35").wireOf(slot, 1))).toEqual([1, 2, 0, 0, 0]);
  });
});
