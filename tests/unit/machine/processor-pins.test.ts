// What a PC wires to its processor beside messages: A20M#, FERR# and IGNNE#, and the 8259 pair through LINT0 or the I/O APIC. Real-mode
// programs on a whole machine.
import { describe, expect, it } from "vitest";
import { interpreterModule } from "../../../native-core/host/interpreter-module.ts";
import { createMachine, type Machine } from "../../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../../native-core/machine/processor.ts";
import { RFLAGS } from "../../../native-core/x86/registers.ts";
import { STATE } from "../../../native-core/x86/state-layout.ts";

const compiled = await interpreterModule();

const CODE = 0x1000;
const HANDLER = 0x2000;
const COUNT = 0x3000;
const NUMERIC_VECTOR = 0x75;
const HLT = 0xf4;
const CLI = 0xfa;
const IOAPIC = 0xfec0_0000;
const LAPIC = 0xfee0_0000;

type Wiring = "lint0" | "ioapic";

/** The 8259 pair with interrupts at 08h and 70h, only IRQ 13 enabled, passed on by LINT0 or by input 0 of the I/O APIC. */
function wireInterrupts({ bus }: Machine, wiring: Wiring): void {
  for (const [port, values] of [
    [0x20, [0x11]],
    [0x21, [0x08, 0x04, 0x01, 0xfb]],
    [0xa0, [0x11]],
    [0xa1, [0x70, 0x02, 0x01, 0xdf]],
  ] as const) {
    for (const value of values) bus.writePort(port, 1, value);
  }
  const write = (address: number, value: number): void => bus.writeMmio(address, 4, value);
  write(LAPIC + 0xf0, 0x1ff);
  write(LAPIC + 0x350, wiring === "lint0" ? 0x700 : 0x1_0700);
  write(IOAPIC, 0x10);
  write(IOAPIC + 0x10, wiring === "ioapic" ? 0x700 : 0x1_0700);
}

function build(code: readonly number[], handler: readonly number[] = [HLT], wiring: Wiring = "lint0"): Machine {
  const machine = createMachine({
    memoryBytes: 64 << 20,
    createProcessor: coreProcessor(compiled),
    firmware: {
      start: ({ memory, vcpu }) => {
        memory.write(0, new Uint8Array(0x4000));
        memory.write(CODE, Uint8Array.from(code));
        memory.write(HANDLER, Uint8Array.from(handler));
        memory.writeU32(NUMERIC_VECTOR * 4, (HANDLER >> 4) << 16);
        vcpu.state.setSegment("cs", "selector", BigInt(CODE >> 4));
        vcpu.state.setSegment("cs", "base", BigInt(CODE));
        vcpu.state.setGeneral(4, 0x800n);
        vcpu.state.set(STATE.rip, 0n);
        wireInterrupts(machine, wiring);
      },
    },
    serial: [{ write: () => {} }, { write: () => {} }],
  });
  machine.powerOn();
  machine.resume();
  return machine;
}

function runToHalt(machine: Machine): void {
  expect(machine.runSlice(1_000_000n).state).toBe("halted");
}

const general = (machine: Machine, register: number): number => Number(machine.vcpu.state.general(register) & 0xffn);
const ramOf = ({ vcpu }: Machine) => (vcpu as CoreProcessor["vcpus"][number]).ram;

describe("Address line 20", () => {
  /** mov ax, 0ffffh; mov ds, ax: offset 10h is at 1 MiB. */
  const highSegment = [0xb8, 0xff, 0xff, 0x8e, 0xd8];
  const readToBl = [0x8a, 0x1e, 0x10, 0x00];
  const readToCl = [0x8a, 0x0e, 0x10, 0x00];

  it.each([
    ["port 92h", [0xb0, 0x00, 0xe6, 0x92], [0xb0, 0x02, 0xe6, 0x92]],
    ["commands of the keyboard controller", [0xb0, 0xdd, 0xe6, 0x64], [0xb0, 0xdf, 0xe6, 0x64]],
    [
      "the controller's output port",
      [0xb0, 0xd1, 0xe6, 0x64, 0xb0, 0x01, 0xe6, 0x60],
      [0xb0, 0xd1, 0xe6, 0x64, 0xb0, 0x03, 0xe6, 0x60],
    ],
  ])("is switched by %s, in the middle of a block and in both ways", (_name, off, on) => {
    const machine = build([...highSegment, ...readToCl, ...off, ...readToBl, ...on, ...readToCl, HLT]);
    ramOf(machine).writeU32(0, 0x11);
    ramOf(machine).writeU32(1 << 20, 0x22);
    runToHalt(machine);
    expect([general(machine, 3), general(machine, 1)]).toEqual([0x11, 0x22]);
  });

  it("shows in both ports whichever switched it, and is enabled by a reset", () => {
    const machine = build([HLT]);
    const { bus } = machine;
    const outputPort = (): number => {
      bus.writePort(0x64, 1, 0xd0);
      return bus.readPort(0x60, 1) & 2;
    };
    bus.writePort(0x92, 1, 0);
    expect([bus.readPort(0x92, 1) & 2, outputPort()]).toEqual([0, 0]);
    bus.writePort(0x64, 1, 0xdf);
    expect([bus.readPort(0x92, 1) & 2, outputPort()]).toEqual([2, 2]);
    bus.writePort(0x92, 1, 0);
    machine.reset();
    expect([bus.readPort(0x92, 1) & 2, outputPort()]).toEqual([2, 2]);
  });

  it("masks what code is fetched from, and page tables", () => {
    // jmp 0ffffh:10h: 1 MiB, or with the line off, address 0.
    const jump = [0xea, 0x10, 0x00, 0xff, 0xff];
    const machine = build([0xb0, 0x00, 0xe6, 0x92, ...jump]);
    ramOf(machine).writeU32(0, 0xf4_11b3);
    ramOf(machine).writeU32(1 << 20, 0xf4_22b3);
    runToHalt(machine);
    expect(general(machine, 3)).toBe(0x11);
  });

  it("stays off over save and restore", () => {
    const machine = build([...highSegment, 0xb0, 0x00, 0xe6, 0x92, HLT, ...readToBl, HLT]);
    ramOf(machine).writeU32(0, 0x11);
    ramOf(machine).writeU32(1 << 20, 0x22);
    runToHalt(machine);
    const state = structuredClone(machine.save());
    machine.bus.writePort(0x92, 1, 2);
    machine.restore(state);
    machine.vcpu.state.setNumber(STATE.halted, 0);
    machine.resume();
    runToHalt(machine);
    expect(general(machine, 3)).toBe(0x11);
    expect(machine.bus.readPort(0x92, 1) & 2).toBe(0);
  });
});

describe("An x87 exception with CR0.NE clear", () => {
  /** fninit; fldcw with zero-divide unmasked (in CS); fld1; fldz; fdivp; sti; fwait */
  const divide = [0xdb, 0xe3, 0x2e, 0xd9, 0x2e, 0x80, 0x00, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xfb, 0x9b];
  const program = (...rest: number[]): number[] => {
    const code = new Uint8Array(0x82);
    code.set([...divide, ...rest]);
    code.set([0x7b, 0x03], 0x80);
    return [...code];
  };
  /** inc byte [COUNT]; ...; mov al, 20h; out 0a0h, al; out 20h, al; iret */
  const handler = (...body: number[]): number[] => [
    ...[0xfe, 0x06, COUNT & 0xff, COUNT >> 8],
    ...body,
    ...[0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0xcf],
  ];
  const OUT_F0 = [0xe6, 0xf0];
  const FNCLEX = [0xdb, 0xe2];
  const count = (machine: Machine): number => ramOf(machine).readU32(COUNT);
  const atEnd = (machine: Machine, length: number): void => {
    expect(machine.vcpu.state.get(STATE.rip)).toBe(BigInt(divide.length + length));
  };

  it.each(["lint0", "ioapic"] as const)(
    "stops the processor until IRQ 13, by way of %s, and goes on when it is cleared",
    (wiring) => {
      const machine = build(program(CLI, HLT), handler(...OUT_F0, ...FNCLEX), wiring);
      runToHalt(machine);
      expect(count(machine)).toBe(1);
      atEnd(machine, 2);
    },
  );

  it("is ignored after a write to port F0h until it is cleared, not longer", () => {
    // fwait; fnclex; fld1; fldz; fdivp; fwait; hlt
    const rest = [0x9b, ...FNCLEX, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b, CLI, HLT];
    const machine = build(program(...rest), handler(...OUT_F0));
    runToHalt(machine);
    expect(count(machine)).toBe(2);
    atEnd(machine, rest.length);
  });

  it("stops it for good while interrupts are off, in reach of a reset", () => {
    const machine = build(program(HLT).map((byte, n) => (n === divide.length - 2 ? CLI : byte)));
    runToHalt(machine);
    expect(machine.vcpu.state.get(STATE.rip)).toBe(BigInt(divide.length - 1));
    expect(machine.vcpu.state.flagBits & RFLAGS.IF).toBe(0);
    expect(machine.save().cpus).toHaveLength(1);
    machine.reset();
    runToHalt(machine);
  });
});
