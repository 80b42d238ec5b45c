import { beforeEach, describe, expect, it } from "vitest";
import { Chipset } from "../../native-core/devices/chipset/chipset.ts";
import { chipsetModel } from "../../native-core/devices/chipset/models.ts";
import { A20Gate } from "../../native-core/devices/chipset/processor-pins.ts";
import { PciBus } from "../../native-core/devices/pci/pci-bus.ts";
import { PciFunction } from "../../native-core/devices/pci/pci-function.ts";
import { DeviceBench, Probe } from "../support/device-bench.ts";
import { FakeMemory } from "../support/fake-processor.ts";

describe("The PCI bus", () => {
  let bench: DeviceBench;
  let wires: Probe[];
  let pins: Probe[];
  let pci: PciBus;
  let card: PciFunction;
  let messages: [bigint, number][];

  const address = (slot: number, register: number) => 0x80000000 | (slot << 11) | (register & 0xfc);
  const read = (slot: number, register: number, size: 1 | 2 | 4 = 4) => {
    bench.out32(0xcf8, address(slot, register));
    return bench.bus.readPort(0xcfc + (register & 3), size);
  };
  const write = (slot: number, register: number, value: number, size: 1 | 2 | 4 = 4) => {
    bench.out32(0xcf8, address(slot, register));
    bench.bus.writePort(0xcfc + (register & 3), size, value);
  };
  const constant = (value: number) => ({ read: () => value, write: () => {} });

  beforeEach(() => {
    bench = new DeviceBench();
    wires = Array.from({ length: 4 }, () => new Probe());
    pins = Array.from({ length: 16 }, () => new Probe());
    messages = [];
    const chipset = new Chipset({
      model: chipsetModel("i440fx"),
      bus: bench.bus,
      memory: new FakeMemory(0),
      power: bench,
      isaLine: (irq) => pins[irq] as Probe,
      a20: new A20Gate(() => {}),
      numericErrorIrq: new Probe(),
      ignoreNumericErrors: () => {},
    });
    pci = new PciBus({
      wireOf: chipsetModel("i440fx").wireOf,
      bus: bench.bus,
      messages: { send: (to, data) => void messages.push([to, data]) },
      wires: wires.map((wire, index) => ({
        set: (level: boolean) => {
          wire.set(level);
          chipset.pirqLine(index).set(level);
        },
      })),
      ramEnd: 256 << 20,
      resetControl: chipset.resetControl,
    });
    pci.attach(0, 0, chipset.hostBridge);
    pci.attach(1, 0, chipset.isaBridge);
    card = new PciFunction({ vendorId: 0x1af4, deviceId: 0x1042, classCode: 0x018000, interruptPin: 1 });
    card.addBar({ index: 0, kind: "io", sizeBytes: 0x40, handler: constant(0x11) });
    card.addBar({ index: 4, kind: "memory", width: 64, sizeBytes: 0x4000, handler: constant(0x44) });
    card.addMsix(1, 2);
    pci.attach(3, 0, card);
  });

  it("finds host bridge, ISA bridge and cards, and nothing in empty slots", () => {
    expect([read(0, 0), read(1, 0), read(3, 0), read(2, 0)]).toEqual([0x12378086, 0x70008086, 0x10421af4, 0xffffffff]);
    expect(read(3, 8) >>> 8).toBe(0x018000);
  });

  it("keeps identity registers read-only and takes byte and word accesses", () => {
    write(3, 0, 0);
    write(3, 0x3c, 0x0b, 1);
    expect([read(3, 2, 2), read(3, 0x3c, 1), read(3, 0x3d, 1)]).toEqual([0x1042, 0x0b, 1]);
  });

  it("tells the size of a BAR when all ones are written", () => {
    write(3, 0x10, 0xffffffff);
    write(3, 0x20, 0xffffffff);
    write(3, 0x24, 0xffffffff);
    expect([read(3, 0x10), read(3, 0x20), read(3, 0x24), read(3, 0x18)]).toEqual([
      0xffffffc1, 0xffffc004, 0xffffffff, 0,
    ]);
  });

  it("decodes BARs only when the command register says so, and moves them", () => {
    write(3, 0x10, 0xc000);
    write(3, 0x20, 0xd0000000);
    expect(bench.in8(0xc000)).toBe(0xff);
    write(3, 4, 0x03, 2);
    expect([bench.in8(0xc000), bench.read32(0xd0000000)]).toEqual([0x11, 0x44]);
    write(3, 0x10, 0xc100);
    expect([bench.in8(0xc000), bench.in8(0xc100)]).toEqual([0xff, 0x11]);
    write(3, 4, 0, 2);
    expect([bench.in8(0xc100), bench.read32(0xd0000000)]).toEqual([0xff, 0xffffffff]);
  });

  it("never maps a BAR over RAM or another device, and maps it once the way is free", () => {
    const other = new PciFunction({ vendorId: 1, deviceId: 1, classCode: 0 });
    other.addBar({ index: 0, kind: "memory", sizeBytes: 0x1000, handler: constant(0x99) });
    pci.attach(4, 0, other);
    write(3, 0x20, 0x00100000);
    write(3, 4, 2, 2);
    expect(bench.read32(0x00100000)).toBe(0xffffffff);
    write(3, 0x20, 0xd0000000);
    write(4, 0x10, 0xd0000000);
    write(4, 4, 2, 2);
    expect(bench.read32(0xd0000000)).toBe(0x44);
    write(3, 4, 0, 2);
    expect(bench.read32(0xd0000000)).toBe(0x99);
  });

  it("ORs interrupt pins onto wires by slot, until INTx is disabled", () => {
    card.setInterrupt(true);
    expect(wires.map((wire) => wire.level)).toEqual([false, false, true, false]);
    expect(read(3, 6, 2) & 8).toBe(8);
    write(3, 4, 0x400, 2);
    expect([wires[2]?.level, read(3, 6, 2) & 8]).toEqual([false, 8]);
  });

  it("steers wires to ISA interrupts by the PIRQ registers", () => {
    card.setInterrupt(true);
    expect(pins[11]?.level).toBe(false);
    write(1, 0x62, 11, 1);
    expect(pins[11]?.level).toBe(true);
    write(1, 0x62, 10, 1);
    expect([pins[11]?.level, pins[10]?.level]).toEqual([false, true]);
    write(1, 0x62, 0x80, 1);
    expect(pins[10]?.level).toBe(false);
  });

  it("lists its capabilities", () => {
    expect(read(3, 6, 2) & 0x10).toBe(0x10);
    const at = read(3, 0x34, 1);
    expect(read(3, at, 1)).toBe(0x11);
    expect(read(3, at + 2, 2)).toBe(1);
  });

  it("silences INTx while MSI-X is on", () => {
    const at = read(3, 0x34, 1);
    card.setInterrupt(true);
    write(3, at + 2, 0x8000, 2);
    expect(wires[2]?.level).toBe(false);
    write(3, at + 2, 0, 2);
    expect(wires[2]?.level).toBe(true);
  });

  it("remembers a masked MSI-X vector in its pending bits until unmasked", () => {
    const other = new PciFunction({ vendorId: 1, deviceId: 1, classCode: 0 });
    const msix = other.addMsix(0, 4);
    pci.attach(5, 0, other);
    write(5, 0x10, 0xd0020000);
    write(5, 4, 0x06, 2);
    const at = read(5, 0x34, 1);
    write(5, at + 2, 0x8000, 2);
    bench.write32(0xd0020010, 0xfee00000);
    bench.write32(0xd0020018, 0x55);
    msix.notify(1);
    expect([messages.length, bench.read32(0xd0020800)]).toEqual([0, 2]);
    bench.write32(0xd002001c, 0);
    expect(messages).toEqual([[0xfee00000n, 0x55]]);
    expect(bench.read32(0xd0020800)).toBe(0);
    write(5, at + 2, 0xc000, 2);
    msix.notify(1);
    expect(messages.length).toBe(1);
    write(5, at + 2, 0x8000, 2);
    expect(messages.length).toBe(2);
  });

  it("resets the machine through 0xCF9 without disturbing the address register", () => {
    bench.out32(0xcf8, 0x80001800);
    bench.out8(0xcf9, 0x02);
    expect(bench.resets).toBe(0);
    bench.out8(0xcf9, 0x06);
    expect([bench.resets, bench.in32(0xcf8)]).toEqual([1, 0x80001800]);
  });

  it("resets the machine through port 92h", () => {
    bench.out8(0x92, bench.in8(0x92) | 1);
    expect(bench.resets).toBe(1);
  });

  it("restores BARs and interrupts, taking only writable bits from the saved state", () => {
    write(3, 0x20, 0xd0000000);
    write(3, 4, 0x02, 2);
    card.setInterrupt(true);
    const saved = card.stateSchema.parse(card.save());
    saved.config[0] = 0x99;
    card.reset();
    expect([bench.read32(0xd0000000), wires[2]?.level]).toEqual([0xffffffff, false]);
    card.restore(saved);
    expect([bench.read32(0xd0000000), wires[2]?.level, read(3, 0)]).toEqual([0x44, true, 0x10421af4]);
  });

  it("shows an expansion ROM where its register says, while that is enabled", () => {
    const withRom = new PciFunction({ vendorId: 0x1234, deviceId: 1, classCode: 0x030000 });
    withRom.addRom(Uint8Array.from({ length: 3000 }, (_, index) => index));
    pci.attach(6, 0, withRom);
    write(6, 4, 2, 2);
    write(6, 0x30, 0xfffff800);
    expect(read(6, 0x30)).toBe(0xfffff000);
    write(6, 0x30, 0xd0000000);
    expect(bench.read32(0xd0000000)).toBe(0xffffffff);
    write(6, 0x30, 0xd0000001);
    bench.write32(0xd0000000, 0);
    expect([bench.read32(0xd0000000), bench.read32(0xd0000bb4)]).toEqual([0x03020100, 0xb7b6b5b4]);
    expect(bench.read32(0xd0000c00)).toBe(0xffffffff);
  });
});
