// What firmware does with the host bridge's registers for memory below 1 MiB: open it, copy itself there, lock it.
import { describe, expect, it } from "vitest";
import { Chipset } from "../../native-core/devices/chipset/chipset.ts";
import { type ChipsetName, chipsetModel } from "../../native-core/devices/chipset/models.ts";
import { A20Gate } from "../../native-core/devices/chipset/processor-pins.ts";
import { DeviceBench, Probe } from "../support/device-bench.ts";
import { FakeMemory } from "../support/fake-processor.ts";

class LockableMemory extends FakeMemory {
  readonly locked = new Set<number>();

  setReadOnly(address: number, length: number, readOnly: boolean): void {
    for (let at = address; at < address + length; at += 0x4000) this.locked[readOnly ? "add" : "delete"](at);
  }
}

function start(name: ChipsetName) {
  const bench = new DeviceBench();
  const memory = new LockableMemory(1 << 20);
  const create = () =>
    new Chipset({
      ...{ model: chipsetModel(name), bus: new DeviceBench().bus, memory, power: bench, isaLine: () => new Probe() },
      ...{ a20: new A20Gate(() => {}), numericErrorIrq: new Probe(), ignoreNumericErrors: () => {} },
    });
  const chipset = create();
  chipset.reset();
  const { hostBridge } = chipset;
  return {
    ...{ memory, chipset, create },
    write: (register: number, value: number) => hostBridge.writeConfig(register, 1, value),
    read: (register: number) => hostBridge.readConfig(register, 1),
    areas: () => [...memory.locked].sort((a, b) => a - b),
  };
}

describe.each([
  ["i440fx", 0x59],
  ["q35", 0x90],
] as const)("Shadow RAM of %s", (name, pam) => {
  it("is locked where reads go to RAM and writes do not", () => {
    const { write, areas } = start(name);
    expect(areas()).toEqual([]);
    // SeaBIOS: all of it open, then the video BIOS and the system BIOS locked.
    for (let index = 1; index < 7; index++) write(pam + index, 0x33);
    write(pam, 0x30);
    expect(areas()).toEqual([]);
    write(pam + 1, 0x11);
    write(pam + 2, 0x31);
    write(pam, 0x10);
    expect(areas()).toEqual([0xc_0000, 0xc_4000, 0xc_8000, 0xf_0000, 0xf_4000, 0xf_8000, 0xf_c000]);
    write(pam + 2, 0x13);
    expect(areas()).toEqual([0xc_0000, 0xc_4000, 0xc_c000, 0xf_0000, 0xf_4000, 0xf_8000, 0xf_c000]);
    write(pam + 6, 0x10);
    write(pam, 0x30);
    expect(areas()).toEqual([0xc_0000, 0xc_4000, 0xc_c000, 0xe_c000]);
  });

  it("opens with a reset, and is locked again by a saved state", () => {
    const { write, chipset, create, areas } = start(name);
    write(pam + 3, 0x10);
    write(pam, 0x10);
    const state = structuredClone(chipset.save());
    const before = areas();
    chipset.reset();
    expect(areas()).toEqual([]);
    const copy = create();
    copy.restore(state);
    expect(areas()).toEqual(before);
    expect(before).toContain(0xd_4000);
  });
});

describe("Memory for system management mode", () => {
  it("can't be opened or unlocked once it is locked, until a reset", () => {
    const { read, write, chipset } = start("i440fx");
    expect(read(0x72)).toBe(0x02);
    write(0x72, 0x4a);
    expect(read(0x72)).toBe(0x4a);
    write(0x72, 0x5a);
    expect(read(0x72)).toBe(0x1a);
    write(0x72, 0x42);
    expect(read(0x72)).toBe(0x12);
    chipset.reset();
    expect(read(0x72)).toBe(0x02);
    write(0x72, 0x42);
    expect(read(0x72)).toBe(0x42);
  });

  it("takes its second register along on Q35, and stays locked in a saved state", () => {
    const { read, write, chipset, create } = start("q35");
    expect([read(0x9d), read(0x9e)]).toEqual([0x02, 0x38]);
    write(0x9e, 0xff);
    write(0x9d, 0x08);
    expect([read(0x9d), read(0x9e)]).toEqual([0x0a, 0xbf]);
    write(0x9d, 0x18);
    write(0x9e, 0);
    write(0x9d, 0);
    expect([read(0x9d), read(0x9e)]).toEqual([0x1a, 0xbf]);
    const copy = create();
    copy.restore(structuredClone(chipset.save()));
    copy.hostBridge.writeConfig(0x9d, 2, 0);
    expect(copy.hostBridge.readConfig(0x9d, 2)).toBe(0xbf1a);
  });
});
