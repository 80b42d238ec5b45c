// Virtual-8086 mode, with and without its extensions, and protected-mode virtual interrupts (SDM 3A chapter 21).
import { beforeEach, describe, expect, it } from "vitest";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { CR4, RFLAGS } from "../../../../native-core/x86/registers.ts";
import { SEGMENTS, STATE } from "../../../../native-core/x86/state-layout.ts";
import {
  CODE,
  DATA,
  enterProtectedMode,
  HANDLERS,
  interpreterMachine,
  quadwords,
  STACK,
} from "../../../support/cpu/long-mode.ts";

const { IF, TF, VM, VIF, VIP, ZF, DF } = RFLAGS;
const GP = 13;
const TSS = 0x5000;
const IDT = 0x4000;
const REDIRECTION = 0x68;
const IO_MAP = 0x88;
const IOPL3 = 0x3000;
/** Where the program's own vectors lead: offset in segment 1000h. */
const OWN_HANDLER = 0x800;
const STACK_TOP = 0x1000;

let cpu: InterpreterVcpu;
const flags = (): number => cpu.state.flagBits;
const has = (bit: number): boolean => (flags() & bit) !== 0;
const word = (offset: number): number => Number(cpu.memory.read(BigInt(DATA + offset), 2, true));

/** Segments 1000h for code and 2000h for all else; `bits` are set in EFLAGS. */
function enterVirtual8086(bits: number): void {
  const { state } = cpu;
  state.flagBits = 2 | VM | bits;
  for (const segment of SEGMENTS) {
    const selector = segment === "cs" ? 0x1000n : 0x2000n;
    state.setSegment(segment, "selector", selector);
    state.setSegment(segment, "base", selector << 4n);
    state.setSegment(segment, "limit", 0xffffn);
    state.setSegment(segment, "attributes", 0xf3n);
  }
  enterLevel3();
  state.setGeneral(4, BigInt(STACK_TOP));
  state.set(STATE.rip, 0n);
}

function enterLevel3(): void {
  cpu.state.setNumber(STATE.cpl, 3);
  cpu.invalidateAll();
}

function step(...code: readonly number[]): void {
  cpu.ram.write(CODE + Number(cpu.state.get(STATE.rip)), Uint8Array.from(code));
  cpu.step();
}

/** The vector whose handler was entered; undefined while the program goes on. */
function exception(): number | undefined {
  const rip = Number(cpu.state.get(STATE.rip));
  return cpu.state.getNumber(STATE.cpl) === 0 ? (rip - HANDLERS) >> 4 : undefined;
}

beforeEach(() => {
  cpu = interpreterMachine();
  enterProtectedMode({ state: cpu.state, write: (address, bytes) => cpu.ram.write(address, bytes) });
  cpu.ram.write(TSS, new Uint8Array(0x100));
  cpu.ram.write(TSS + 4, quadwords(BigInt(STACK) | (0x10n << 32n)));
  cpu.ram.write(TSS + 0x66, Uint8Array.of(IO_MAP, 0));
  cpu.state.set(STATE.tr, BigInt(TSS));
  cpu.state.setNumber({ offset: STATE.tr.offset + 8, type: "u32" }, 0xff);
  cpu.state.setNumber({ offset: STATE.tr.offset + 12, type: "u16" }, 0x8b);
  // Gates that INT may use; the program's own vectors.
  for (let vector = 0; vector < 32; vector++) {
    cpu.ram.write(IDT + vector * 8 + 5, Uint8Array.of(0xee));
    cpu.ram.write(vector * 4, Uint8Array.of(OWN_HANDLER & 0xff, OWN_HANDLER >> 8, 0x00, 0x10));
  }
});

const INSTRUCTIONS = [
  ["CLI", [0xfa]],
  ["STI", [0xfb]],
  ["PUSHF", [0x9c]],
  ["POPF", [0x9d]],
  ["IRET", [0xcf]],
  ["INT n", [0xcd, 0x10]],
] as const;

describe("virtual-8086 mode without extensions", () => {
  it.each(INSTRUCTIONS)("leaves %s to its monitor if IOPL is below 3", (_name, code) => {
    enterVirtual8086(IF);
    step(...code);
    expect(exception()).toBe(GP);
    expect(flags() & VM).toBe(0);
  });

  it.each([
    ["INT3", 0xcc, 3, 0],
    ["INTO", 0xce, 4, RFLAGS.OF],
  ])("lets %s through to its gate whatever IOPL is", (_name, opcode, vector, bits) => {
    enterVirtual8086(bits);
    step(opcode);
    expect(exception()).toBe(vector);
  });

  it("has CLI and STI work on IF with IOPL 3", () => {
    enterVirtual8086(IF | IOPL3);
    step(0xfa);
    expect(has(IF)).toBe(false);
    step(0xfb);
    expect(has(IF)).toBe(true);
  });
});

describe("virtual-8086 mode with CR4.VME and IOPL below 3", () => {
  beforeEach(() => cpu.state.set(STATE.cr4, cpu.state.get(STATE.cr4) | BigInt(CR4.VME)));

  it("has VIF stand for IF in CLI and STI", () => {
    enterVirtual8086(IF);
    step(0xfb);
    expect([has(IF), has(VIF)]).toEqual([true, true]);
    step(0xfa);
    expect([has(IF), has(VIF)]).toEqual([true, false]);
    expect(exception()).toBeUndefined();
  });

  it("calls the monitor when STI, POPF or IRET would let a waiting interrupt in", () => {
    for (const code of [0xfb, 0x9d, 0xcf]) {
      enterVirtual8086(IF | VIP);
      cpu.ram.write(DATA + STACK_TOP, Uint8Array.of(0, 2, 0, 2, 0, 2));
      step(code);
      expect(exception()).toBe(GP);
      expect(cpu.memory.read(cpu.state.general(4) + 12n, 4)).toBe(BigInt(2 | VM | IF | VIP | RFLAGS.RF));
    }
  });

  it("shows PUSHF VIF as IF, and IOPL 3", () => {
    enterVirtual8086(IF | ZF);
    step(0x9c);
    expect(word(STACK_TOP - 2)).toBe(2 | ZF | IOPL3);
    enterVirtual8086(VIF);
    step(0x9c);
    expect(word(STACK_TOP - 2)).toBe(2 | IF | IOPL3);
  });

  it("has POPF write VIF and leave IF and IOPL alone", () => {
    enterVirtual8086(0);
    cpu.ram.write(DATA + STACK_TOP, Uint8Array.of(ZF, (IF | DF) >> 8));
    step(0x9d);
    expect(flags()).toBe(2 | VM | VIF | ZF | DF);
    expect(cpu.state.general(4)).toBe(BigInt(STACK_TOP + 2));
    cpu.ram.write(DATA + STACK_TOP + 2, Uint8Array.of(0, IOPL3 >> 8));
    step(0x9d);
    expect(flags()).toBe(2 | VM);
  });

  it.each([
    ["POPF of TF", [0x9d]],
    ["IRET to TF", [0xcf]],
    ["PUSHFD", [0x66, 0x9c]],
    ["POPFD", [0x66, 0x9d]],
    ["IRETD", [0x66, 0xcf]],
  ])("leaves %s to the monitor and changes nothing", (_name, code) => {
    enterVirtual8086(IF);
    cpu.ram.write(DATA + STACK_TOP, Uint8Array.of(0, TF >> 8, 0, TF >> 8, 0, TF >> 8));
    step(...code);
    expect(exception()).toBe(GP);
    const frame = cpu.state.general(4);
    expect(cpu.memory.read(frame, 4)).toBe(0n);
    expect(cpu.memory.read(frame + 16n, 4)).toBe(BigInt(STACK_TOP));
  });

  it("has IRET return with VIF from the image", () => {
    enterVirtual8086(IF);
    cpu.ram.write(DATA + STACK_TOP, Uint8Array.of(0x34, 0x02, 0x00, 0x11, ZF, IF >> 8));
    step(0xcf);
    expect(cpu.state.get(STATE.rip)).toBe(0x234n);
    expect(cpu.state.segment("cs", "base")).toBe(0x11000n);
    expect(flags()).toBe(2 | VM | IF | VIF | ZF);
  });

  it("redirects INT n whose bit is clear to the program's own vector, with VIF as IF", () => {
    enterVirtual8086(IF | VIF | ZF);
    step(0xcd, 0x10);
    expect(exception()).toBeUndefined();
    expect(cpu.state.get(STATE.rip)).toBe(BigInt(OWN_HANDLER));
    expect([word(STACK_TOP - 6), word(STACK_TOP - 4)]).toEqual([2, 0x1000]);
    expect(word(STACK_TOP - 2)).toBe(2 | ZF | IF | IOPL3);
    expect(flags()).toBe(2 | VM | IF | ZF);
  });

  it("redirects with IOPL 3 as well, and clears IF then", () => {
    enterVirtual8086(IF | IOPL3);
    step(0xcd, 0x10);
    expect(word(STACK_TOP - 2)).toBe(2 | IF | IOPL3);
    expect(flags()).toBe(2 | VM | IOPL3);
  });

  it("takes INT n whose bit is set to the gate with IOPL 3, else to the monitor", () => {
    cpu.ram.write(TSS + REDIRECTION + 2, Uint8Array.of(1));
    enterVirtual8086(IF);
    step(0xcd, 0x10);
    expect(exception()).toBe(GP);
    enterVirtual8086(IF | IOPL3);
    step(0xcd, 0x10);
    expect(exception()).toBe(0x10);
    enterVirtual8086(IF);
    step(0xcd, 0x11);
    expect(exception()).toBeUndefined();
  });

  it("raises #GP if the bitmap lies beyond the TSS", () => {
    cpu.ram.write(TSS + 0x66, Uint8Array.of(0x00, 0x20));
    enterVirtual8086(IF | IOPL3);
    step(0xcd, 0x10);
    expect(exception()).toBe(GP);
  });
});

describe("protected-mode virtual interrupts", () => {
  function enterUser(bits: number): void {
    cpu.state.flagBits = 2 | bits;
    for (const segment of SEGMENTS) {
      cpu.state.setSegment(segment, "selector", segment === "cs" ? 0x23n : 0x1bn);
      cpu.state.setSegment(segment, "attributes", segment === "cs" ? 0xcffbn : 0xcff3n);
      cpu.state.setSegment(segment, "base", segment === "cs" ? BigInt(CODE) : 0n);
    }
    enterLevel3();
    cpu.state.set(STATE.rip, 0n);
  }

  it("have CLI and STI at CPL 3 write VIF with CR4.PVI", () => {
    cpu.state.set(STATE.cr4, cpu.state.get(STATE.cr4) | BigInt(CR4.PVI));
    enterUser(IF);
    step(0xfb);
    expect([has(IF), has(VIF)]).toEqual([true, true]);
    step(0xfa);
    expect([has(IF), has(VIF)]).toEqual([true, false]);
    enterUser(IF | VIP);
    step(0xfb);
    expect(exception()).toBe(GP);
  });

  it.each([0xfa, 0xfb])("leave opcode %i to the kernel without", (opcode) => {
    enterUser(IF);
    step(opcode);
    expect(exception()).toBe(GP);
  });
});

describe("IRETD at CPL 0", () => {
  it("takes VIF and VIP from the frame, and enters virtual-8086 mode", () => {
    const frame = [0x10, 0x1000, 2 | VM | VIF | VIP, STACK_TOP, 0x2000, 0x2000, 0x2000, 0x2000, 0x2000];
    const view = new DataView(new ArrayBuffer(frame.length * 4));
    frame.forEach((value, n) => {
      view.setUint32(n * 4, value, true);
    });
    cpu.state.setGeneral(4, BigInt(DATA));
    cpu.state.set(STATE.rip, BigInt(CODE));
    cpu.ram.write(DATA, new Uint8Array(view.buffer));
    cpu.ram.write(CODE, Uint8Array.of(0xcf));
    cpu.invalidateAll();
    cpu.step();
    expect(flags()).toBe(2 | VM | VIF | VIP);
    expect(cpu.state.segment("cs", "base")).toBe(BigInt(CODE));
  });
});
