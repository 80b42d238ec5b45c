// Option ROMs of network adapters on the board: what firmware finds at the adapters' expansion ROM register (PCI 3.0, 6.2.5.2).
import { describe, expect, it } from "vitest";
import { ADAPTER_MODELS } from "../../../native-core/config/network-settings.ts";
import { createMachine, type Machine } from "../../../native-core/machine/machine.ts";
import { fakeProcessor } from "../../support/fake-processor.ts";
import { idleAdapter } from "../../support/idle-adapter.ts";

const ROM_REGISTER = 0x30;
const ROM_AT = 0xfea0_0000;
const FIRST_SLOT = 16;

const romOf = (model: number) => Uint8Array.from({ length: 5000 }, (_, index) => index ^ model);

function machineWith(adapterRoms?: ReadonlyMap<string, Uint8Array>): Machine {
  const machine = createMachine({
    memoryBytes: 64 << 20,
    createProcessor: fakeProcessor,
    firmware: { ...(adapterRoms && { adapterRoms }), start: () => {} },
    serial: [{ write: () => {} }, { write: () => {} }],
    adapters: ADAPTER_MODELS.map((model, index) => idleAdapter(index, model)),
  });
  machine.powerOn();
  return machine;
}

const withRoms = () => machineWith(new Map(ADAPTER_MODELS.map((model, index) => [model, romOf(index)])));

function adapter(machine: Machine, index: number) {
  const found = machine.board.pci.functionAt((FIRST_SLOT + index) * 8);
  if (!found) throw new Error("no adapter");
  return found;
}

function enableRom(machine: Machine, index: number): void {
  adapter(machine, index).writeConfig(4, 2, 2);
  adapter(machine, index).writeConfig(ROM_REGISTER, 4, (ROM_AT | 1) >>> 0);
}

describe.each(ADAPTER_MODELS.map((model, index) => [model, index] as const))("A %s adapter", (_model, index) => {
  it("shows its ROM at its register, sized as a power of two, only while that and memory decoding are enabled", () => {
    const machine = withRoms();
    const pci = adapter(machine, index);
    pci.writeConfig(ROM_REGISTER, 4, 0xffff_f800);
    expect(pci.readConfig(ROM_REGISTER, 4)).toBe(0xffff_e000);
    enableRom(machine, index);
    const { bus } = machine;
    expect([bus.readMmio(ROM_AT, 1), bus.readMmio(ROM_AT + 4999, 1), bus.readMmio(ROM_AT + 5000, 1)]).toEqual([
      ...[0, 4999].map((at) => romOf(index)[at]),
      0xff,
    ]);
    pci.writeConfig(ROM_REGISTER, 4, ROM_AT);
    expect(bus.readMmio(ROM_AT, 4)).toBe(0xffff_ffff);
    pci.writeConfig(ROM_REGISTER, 4, (ROM_AT | 1) >>> 0);
    pci.writeConfig(4, 2, 0);
    expect(bus.readMmio(ROM_AT, 4)).toBe(0xffff_ffff);
  });

  it("has no such register without a ROM", () => {
    const machine = machineWith();
    enableRom(machine, index);
    expect(adapter(machine, index).readConfig(ROM_REGISTER, 4)).toBe(0);
    expect(machine.bus.readMmio(ROM_AT, 4)).toBe(0xffff_ffff);
  });
});

describe("A saved state", () => {
  it("has where ROMs are, and is read by machines that have come to have ROMs or have none any more", () => {
    const before = withRoms();
    enableRom(before, 1);
    const again = withRoms();
    again.restore(structuredClone(before.save()));
    expect(again.bus.readMmio(ROM_AT, 1)).toBe(romOf(1)[0]);
    const none = machineWith();
    none.restore(structuredClone(before.save()));
    expect(adapter(none, 1).readConfig(ROM_REGISTER, 4)).toBe(0);
    const old = withRoms();
    old.restore(structuredClone(none.save()));
    expect(adapter(old, 1).readConfig(ROM_REGISTER, 4)).toBe(0);
  });
});
