import { beforeEach, describe, expect, it } from "vitest";
import { isAppError } from "../../../native-core/common/errors.ts";
import { chipsetModel } from "../../../native-core/devices/chipset/models.ts";
import { setUpBoard } from "../../../native-core/firmware/board-setup.ts";
import type { FirmwareTarget } from "../../../native-core/firmware/firmware.ts";
import { createMachine, type Machine, type MachineParts } from "../../../native-core/machine/machine.ts";
import { STATE } from "../../../native-core/x86/state-layout.ts";
import { type FakeVcpu, fakeProcessor } from "../../support/fake-processor.ts";
import { memoryDisk } from "../../support/memory-disk.ts";

const MS = 1_000_000n;
const APIC_TIMER_VECTOR = 0x31;

/** Leaves a periodic local APIC timer of `periodNs` running. */
function timerFirmware(periodNs: number) {
  return {
    start({ bus }: FirmwareTarget) {
      bus.writeMmio(0xfee000f0, 4, 0x1ff);
      bus.writeMmio(0xfee003e0, 4, 0x0b);
      bus.writeMmio(0xfee00320, 4, 0x20000 | APIC_TIMER_VECTOR);
      bus.writeMmio(0xfee00380, 4, periodNs);
    },
  };
}

function build(parts: Partial<MachineParts> = {}) {
  const printed: number[] = [];
  const machine = createMachine({
    memoryBytes: 64 << 20,
    createProcessor: fakeProcessor,
    firmware: { start: () => {} },
    serial: [{ write: (byte) => printed.push(byte) }, { write: () => {} }],
    ...parts,
  });
  machine.powerOn();
  machine.resume();
  return { machine, vcpu: machine.vcpu as FakeVcpu, printed };
}

describe("The machine", () => {
  it("runs for as long as a slice says", () => {
    const { machine } = build();
    expect(machine.runSlice(5000n)).toEqual({ state: "running", nextDeadlineNs: undefined });
    expect(machine.clock.nowNs()).toBe(5000n);
  });

  it("delivers timer interrupts at their time, exactly in instruction time", () => {
    const { machine, vcpu } = build({ firmware: timerFirmware(10_000) });
    vcpu.step = (cpu) => {
      if (cpu.interrupts.length > seen.length) seen.push(machine.clock.nowNs());
      return "next";
    };
    const seen: bigint[] = [];
    machine.runSlice(9_999n);
    expect(vcpu.interrupts).toEqual([]);
    machine.runSlice(2n);
    expect(vcpu.interrupts).toEqual([APIC_TIMER_VECTOR]);
    expect(seen).toEqual([10_001n]);
  });

  it("sleeps through HLT at no cost in instruction time", () => {
    const { machine, vcpu } = build({ firmware: timerFirmware(1_000_000) });
    vcpu.step = (cpu) => {
      if (cpu.interrupts.length > 0) machine.bus.writeMmio(0xfee000b0, 4, 0);
      return "halted";
    };
    machine.runSlice(100n * MS);
    expect(vcpu.interrupts.length).toBeGreaterThanOrEqual(99);
    expect(vcpu.state.get(STATE.instructionCount)).toBeLessThan(1000n);
  });

  it("tells the host how long it may sleep in host time", () => {
    let now = 0n;
    const { machine, vcpu } = build({
      firmware: timerFirmware(1_000_000),
      inputs: { wallClockMs: () => 0, monotonicNs: () => now, random: () => {} },
    });
    vcpu.step = () => "halted";
    expect(machine.runSlice(5n * MS)).toEqual({ state: "halted", nextDeadlineNs: 1_000_000n });
    now = 1_000_000n;
    machine.runSlice(5n * MS);
    expect(vcpu.interrupts).toEqual([APIC_TIMER_VECTOR]);
  });

  it("leaves a run early when a device sets an earlier timer", () => {
    const { machine, vcpu } = build();
    vcpu.step = (cpu) => {
      if (cpu.state.get(STATE.instructionCount) === 10n)
        timerFirmware(500).start({
          vcpu,
          vcpus: [vcpu],
          memory: machine.memory,
          bus: machine.bus,
          pci: machine.board.pci,
          chipset: chipsetModel("i440fx"),
        });
      return "next";
    };
    machine.runSlice(1_000_000n);
    expect(vcpu.interrupts[0]).toBe(APIC_TIMER_VECTOR);
    expect(vcpu.budgets[0]).toBe(1_000_000);
  });

  it("applies inputs when a slice starts, never before", () => {
    const { machine, vcpu } = build();
    machine.post({ kind: "serial", port: 0, bytes: new TextEncoder().encode("x") });
    expect(machine.bus.readPort(0x3fd, 1) & 1).toBe(0);
    vcpu.step = () => "halted";
    machine.runSlice(10n);
    expect(machine.bus.readPort(0x3f8, 1)).toBe(0x78);
  });

  it("wakes the host when an input arrives", () => {
    const { machine } = build();
    let arrivals = 0;
    machine.inputs.onArrival = () => arrivals++;
    machine.post({ kind: "key", key: 0x1e, down: true });
    machine.post({ kind: "key", key: 0x1e, down: false });
    expect(arrivals).toBe(1);
  });

  it("passes the power button to the guest and its soft-off to the host", () => {
    const { machine, vcpu } = build();
    vcpu.step = () => "halted";
    machine.powerButton();
    machine.runSlice(1n);
    expect(machine.bus.readPort(0x600, 2) & 0x100).toBe(0x100);
    machine.bus.writePort(0x604, 2, (5 << 10) | 0x2000);
    expect(machine.runSlice(1000n).state).toBe("poweroff");
  });

  it.each([
    ["the reset control register", 0xcf9, 0x06],
    ["the keyboard controller", 0x64, 0xfe],
    ["port 92h", 0x92, 0x01],
  ])("asks the host for a reset through %s", (_, port, value) => {
    let starts = 0;
    const { machine, vcpu } = build({ firmware: { start: () => void starts++ } });
    vcpu.step = () => {
      machine.bus.writePort(port, 1, value);
      return "next";
    };
    expect(machine.runSlice(1000n).state).toBe("reset");
    vcpu.step = () => "next";
    machine.reset();
    expect(starts).toBe(2);
    expect(machine.runSlice(1000n).state).toBe("running");
  });

  it("reports a triple fault", () => {
    const { machine, vcpu } = build();
    vcpu.step = () => "shutdown";
    expect(machine.runSlice(1000n).state).toBe("shutdown");
  });

  it("prints what the guest sends to the serial port", () => {
    const { machine, printed } = build();
    machine.bus.writePort(0x3f8, 1, 0x21);
    expect(printed).toEqual([0x21]);
  });

  it("routes ISA interrupt 0 to pin 2 of the I/O APIC and others to their own", () => {
    const { machine, vcpu } = build();
    const redirect = (pin: number, low: number) => {
      machine.bus.writeMmio(0xfec00000, 4, 0x10 + pin * 2);
      machine.bus.writeMmio(0xfec00010, 4, low);
    };
    machine.bus.writeMmio(0xfee000f0, 4, 0x1ff);
    redirect(2, 0x42);
    redirect(4, 0x44);
    machine.bus.writePort(0x43, 1, 0x34);
    machine.bus.writePort(0x40, 1, 0xff);
    machine.bus.writePort(0x40, 1, 0x00);
    machine.runSlice(250_000n);
    expect(vcpu.interrupts).toEqual([0x42]);
    machine.bus.writeMmio(0xfee000b0, 4, 0);
    redirect(2, 0x10000);
    machine.bus.writePort(0x3fc, 1, 0x08);
    machine.bus.writePort(0x3f9, 1, 0x02);
    machine.runSlice(10n);
    expect(vcpu.interrupts).toEqual([0x42, 0x44]);
  });
});

describe("A machine with cards", () => {
  const parts = {
    video: {},
    disks: [
      { id: "disk0", backend: memoryDisk(1 << 20) },
      { id: "disk1", backend: memoryDisk(1 << 20) },
    ],
  };
  const firmware = {
    start: (target: FirmwareTarget) => void setUpBoard(target),
  };
  const config = (machine: Machine, slot: number, register: number) => {
    machine.bus.writePort(0xcf8, 4, 0x80000000 | (slot << 11) | register);
    return machine.bus.readPort(0xcfc, 4);
  };

  it("has them in slots that never move", () => {
    const { machine } = build(parts);
    const ids = Array.from({ length: 16 }, (_, slot) => config(machine, slot, 0));
    expect(ids.map((id) => id >>> 16)).toEqual([
      0x1237, 0x7000, 0x1111, 0x1044, 0xffff, 0x1052, 0xffff, 0xffff, 0x1042, 0x1042, 0xffff, 0xffff, 0xffff, 0xffff,
      0xffff, 0xffff,
    ]);
  });

  it("gets addresses and interrupt lines from its firmware, none overlapping, all above RAM", () => {
    const { machine } = build({ ...parts, firmware });
    const bars = [2, 3, 8, 9].flatMap((slot) =>
      [0x10, 0x14, 0x18, 0x20].map((register) => config(machine, slot, register)),
    );
    const bases = bars.map((bar) => (bar & ~15) >>> 0).filter((base) => base !== 0);
    expect(bases.length).toBe(8);
    expect(new Set(bases).size).toBe(8);
    for (const base of bases) expect(base).toBeGreaterThanOrEqual(0xc0000000);
    expect([3, 8, 9].map((slot) => config(machine, slot, 0x3c) & 0xff)).toEqual([10, 11, 10]);
    expect(config(machine, 8, 4) & 2).toBe(2);
  });

  it("keeps sound and USB where they are on boards of Intel", () => {
    const { machine } = build({ ...parts, sound: { adapter: "hda", sink: { play: () => {} } }, usb: {} });
    expect([config(machine, 27, 0) >>> 16, config(machine, 29, 8) >>> 8]).toEqual([0x2668, 0x0c0330]);
  });

  it("has a paravirtual keyboard where its parts say so, in a slot of its own", () => {
    const { machine } = build({ ...parts, virtioKeyboard: true });
    expect([config(machine, 26, 0) >>> 16, config(build(parts).machine, 26, 0) >>> 16]).toEqual([0x1052, 0xffff]);
    machine.post({ kind: "key", key: 0x1e, down: true });
    machine.runSlice(1000n);
    expect(machine.bus.readPort(0x60, 1)).toBe(0x1e);
  });

  it("gives its monitor the size of the window, where the adapter can", () => {
    const { machine } = build({ ...parts, video: { adapter: "virtio" } });
    expect([machine.resizable, build(parts).machine.resizable]).toEqual([true, false]);
    machine.post({ kind: "resize", width: 1600, height: 900 });
    machine.runSlice(1000n);
    expect(machine.save().devices["virtio-vga"]).toMatchObject({
      state: { virtio: { model: { monitor: { width: 1600, height: 900 } } } },
    });
    expect(machine.display?.size()).toEqual({ width: 720, height: 400 });
  });

  it("maps video memory for the processor where the frame buffer's BAR is", () => {
    const seen: (number | undefined)[] = [];
    const { machine } = build({
      ...parts,
      firmware,
      createProcessor: (options) => ({ ...fakeProcessor(options), mapVideoMemory: (base) => void seen.push(base) }),
    });
    expect(seen).toEqual([(config(machine, 2, 0x10) & ~15) >>> 0]);
    machine.bus.writePort(0xcf8, 4, 0x80001004);
    machine.bus.writePort(0xcfc, 2, 0);
    expect(seen.at(-1)).toBeUndefined();
    expect(machine.display?.size()).toEqual({ width: 720, height: 400 });
  });

  it("keeps its cards' state in the saved state", () => {
    const { machine } = build({ ...parts, firmware });
    const saved = machine.save();
    const copy = build(parts);
    copy.machine.restore(structuredClone(saved));
    expect(copy.machine.save()).toEqual(saved);
    expect(config(copy.machine, 8, 0x20)).toBe(config(machine, 8, 0x20));
  });
});

describe("A machine's saved state", () => {
  let machine: Machine;
  let vcpu: FakeVcpu;

  beforeEach(() => {
    ({ machine, vcpu } = build({ firmware: timerFirmware(10_000) }));
    machine.runSlice(25_000n);
  });

  const failure = (state: unknown) => {
    try {
      machine.restore(state);
    } catch (error) {
      if (isAppError(error)) return error;
      throw error;
    }
    return undefined;
  };

  it("continues the run it was taken from: N, save, M equals restore, M", () => {
    const saved = machine.save();
    const copy = build({ firmware: timerFirmware(77) });
    copy.machine.restore(structuredClone(saved));
    copy.machine.resume();
    expect(copy.machine.save()).toEqual(saved);
    vcpu.interrupts.length = 0;
    machine.runSlice(33_333n);
    copy.machine.runSlice(33_333n);
    expect(copy.vcpu.interrupts).toEqual(vcpu.interrupts);
    expect(copy.machine.save()).toEqual(machine.save());
  });

  it("holds every device and the processor by name", () => {
    const saved = machine.save();
    expect(Object.keys(saved.devices)).toEqual(
      expect.arrayContaining([
        "pic",
        "pit",
        "rtc",
        "lapic",
        "ioapic",
        "pci",
        "chipset",
        "uart0",
        "uart1",
        "ps2",
        "acpi-pm",
      ]),
    );
    expect(saved.cpus[0]?.registers.instructionCount).toBe(25_000n);
  });

  it("restores processor registers and drops cached translations", () => {
    vcpu.state.setGeneral(3, 0x1234n);
    vcpu.state.flags = 0x246n;
    vcpu.state.setVector(15, (1n << 127n) | 5n);
    vcpu.state.setVectorUpper(15, (1n << 127n) | 6n);
    vcpu.state.set(STATE.xcr0, 7n);
    vcpu.state.setSegment("gs", "base", 0xffff888000000000n);
    const saved = machine.save();
    const copy = build();
    const before = copy.vcpu.invalidations;
    copy.machine.restore(saved);
    expect(copy.vcpu.state.general(3)).toBe(0x1234n);
    expect(copy.vcpu.state.flags).toBe(0x246n);
    expect(copy.vcpu.state.vector(15)).toBe((1n << 127n) | 5n);
    expect(copy.vcpu.state.vectorUpper(15)).toBe((1n << 127n) | 6n);
    expect(copy.vcpu.state.get(STATE.xcr0)).toBe(7n);
    expect(copy.vcpu.state.segment("gs", "base")).toBe(0xffff888000000000n);
    expect(copy.vcpu.invalidations).toBe(before + 1);
  });

  it("is understood as version 1 had it, with one processor and without what came later", () => {
    vcpu.state.setGeneral(3, 0x1234n);
    const { cpus, turn: _turn, ...saved } = machine.save();
    const [cpu] = cpus;
    const { nmiPending: _nmi, debugHits: _hits, ...registers } = cpu?.registers ?? {};
    const { state } = saved.devices["lapic"] as { state: Record<string, unknown> };
    const { deadlineNs: _deadline, ...lapic } = state;
    const { "kvm-clock": _clock, ...devices } = saved.devices;
    const former = {
      ...saved,
      version: 1,
      cpu: { ...cpu, registers },
      devices: { ...devices, lapic: { version: 1, state: lapic } },
    };
    const copy = build();
    copy.machine.restore(former);
    expect(copy.vcpu.state.general(3)).toBe(0x1234n);
    // The clock that came later has started anew.
    const clock = { "kvm-clock": expect.anything() };
    expect(copy.machine.save()).toEqual({ ...saved, cpus, turn: 0, devices: { ...saved.devices, ...clock } });
  });

  it("is refused when it is of another number of processors", () => {
    const saved = machine.save();
    const [cpu] = saved.cpus;
    expect(failure({ ...saved, cpus: [cpu, cpu] })?.details.field).toBe("cpus");
    expect(failure({ ...saved, turn: 1 })?.details.field).toBe("cpus");
  });

  it("is refused, naming the field, when it is damaged; the machine stays as it was", () => {
    const saved = machine.save();
    const damaged = structuredClone(saved) as unknown as {
      devices: { pit: { state: { counters: { mode: number }[] } } };
    };
    (damaged.devices.pit.state.counters[0] as { mode: number }).mode = 7;
    const error = failure(damaged);
    expect([error?.code, error?.details.field]).toEqual(["INVALID_FILE", "devices.pit.state.counters.0.mode"]);
    expect(machine.save()).toEqual(saved);
  });

  it("is refused when it is of another memory size, lacks a device or is newer", () => {
    const saved = machine.save();
    expect(failure({ ...saved, memoryBytes: 128 << 20 })?.details.field).toBe("memoryBytes");
    const { pic: _pic, ...others } = saved.devices;
    expect(failure({ ...saved, devices: others })?.details.field).toBe("devices.pic");
    expect(failure({ ...saved, version: 3 })?.code).toBe("VERSION_MISMATCH");
    const newer = { ...saved.devices, pic: { version: 99, state: {} } };
    expect(failure({ ...saved, devices: newer })?.code).toBe("VERSION_MISMATCH");
    for (const nothing of [null, undefined, 7, "x", [], {}]) expect(failure(nothing)?.code).toBe("INVALID_FILE");
  });

  it("is paused after a restore", () => {
    machine.restore(machine.save());
    expect(machine.clock.paused).toBe(true);
  });
});
