// When AVX, BMI and XSAVE instructions are available, and images of extended state (SDM 1 chapters 13 and 14): what user-mode vectors
// cannot show (tests/conformance has the rest).
import { beforeEach, describe, expect, it } from "vitest";
import type { CpuState } from "../../../native-core/cpu/cpu-state.ts";
import { cpuModel } from "../../../native-core/cpu/cpuid/models.ts";
import { EvaluatorCpu } from "../../../native-core/cpu/evaluator/evaluator-cpu.ts";
import { STATE, type StateName } from "../../../native-core/x86/state-layout.ts";
import { CODE, DATA, enableAvx, enterLongMode, HANDLERS, PLATFORM, RAM_BYTES } from "../../support/cpu/long-mode.ts";

const UD = 6;
const NM = 7;
const GP = 13;

const [RAX, RCX, RDX, RBX, RDI] = [0, 1, 2, 3, 7] as const;
const CR0_PE = 0x1;
const CR0_TS = 0x8;
const CR4_OSXSAVE = 0x4_0000;

const VADDPS = [0xc5, 0xf4, 0x58, 0xc2]; // ymm0, ymm1, ymm2
const ANDN = [0xc4, 0xe2, 0x60, 0xf2, 0xc1]; // eax, ebx, ecx
const XSAVE = [0x0f, 0xae, 0x27]; // [rdi]
const XSAVEOPT = [0x0f, 0xae, 0x37]; // [rdi]
const XSAVEC = [0x0f, 0xc7, 0x27]; // [rdi]
const XRSTOR = [0x0f, 0xae, 0x2f]; // [rdi]
const XSAVES = [0x0f, 0xc7, 0x2f]; // [rdi]
const XRSTORS = [0x0f, 0xc7, 0x1f]; // [rdi]
const RDMSR = [0x0f, 0x32];
const WRMSR = [0x0f, 0x30];
const XGETBV = [0x0f, 0x01, 0xd0];
const XSETBV = [0x0f, 0x01, 0xd1];
const CPUID = [0x0f, 0xa2];
const MOV_CR4_RAX = [0x0f, 0x22, 0xe0];

const HEADER = DATA + 512;
const UPPER = DATA + 576;

function machine(model: "x86-64-v2" | "x86-64-v3" | "max" = "x86-64-v3"): EvaluatorCpu {
  const cpu = new EvaluatorCpu({ ramBytes: RAM_BYTES, platform: PLATFORM, model: cpuModel(model) });
  enterLongMode({ state: cpu.state, write: (address, bytes) => cpu.memory.bytes.set(bytes, address) });
  enableAvx(cpu.state);
  cpu.modeChanged();
  return cpu;
}

let cpu: EvaluatorCpu;
let state: CpuState;
let view: DataView;
beforeEach(() => {
  cpu = machine();
  state = cpu.state;
  view = new DataView(cpu.memory.bytes.buffer);
});

/** Runs one instruction; the vector of the exception it raised, if any. */
function execute(code: readonly number[], requested = 7n): number | undefined {
  cpu.memory.bytes.set(code, CODE);
  state.set(STATE.rip, BigInt(CODE));
  state.setGeneral(RAX, requested);
  state.setGeneral(RDX, 0n);
  state.setGeneral(RDI, BigInt(DATA));
  cpu.step();
  const rip = state.getNumber(STATE.rip);
  return rip >= HANDLERS && rip < HANDLERS + 512 ? (rip - HANDLERS) >> 4 : undefined;
}

function change(register: StateName, set: number, clear = 0): void {
  state.setNumber(STATE[register], ((state.getNumber(STATE[register]) | set) & ~clear) >>> 0);
  cpu.modeChanged();
}

const ONES = (1n << 128n) - 1n;

describe("an AVX instruction (SDM 1 14.3)", () => {
  it("runs with OSXSAVE, SSE and AVX state enabled, whatever CR4.OSFXSR and CR0.EM say", () => {
    change("cr4", 0, 0x200);
    change("cr0", 0x4);
    expect(execute(VADDPS)).toBeUndefined();
  });

  it.each([
    ["CR4.OSXSAVE clear", "cr4", CR4_OSXSAVE],
    ["XCR0.AVX clear", "xcr0", 4],
    ["XCR0.SSE clear", "xcr0", 2],
  ] as const)("raises #UD with %s, even if CR0.TS is set too", (_, register, clear) => {
    change("cr0", CR0_TS);
    change(register, 0, clear);
    expect(execute(VADDPS)).toBe(UD);
  });

  it("raises #NM with CR0.TS set", () => {
    change("cr0", CR0_TS);
    expect(execute(VADDPS)).toBe(NM);
  });
});

describe("a BMI instruction", () => {
  it("needs no vector state", () => {
    change("cr0", CR0_TS);
    change("cr4", 0, CR4_OSXSAVE);
    state.setGeneral(RBX, 0x0fn);
    state.setGeneral(RCX, 0xffn);
    expect(execute(ANDN)).toBeUndefined();
    expect(state.general(RAX)).toBe(0xf0n);
  });

  it("does not exist in real mode, where C4 with a register form is undefined", () => {
    change("cr0", 0, CR0_PE | 0x8000_0000);
    state.setNumber(STATE.efer, 0);
    state.setSegment("cs", "attributes", 0x9bn);
    state.setSegment("cs", "base", 0n);
    state.set(STATE.idtBase, 0n);
    cpu.modeChanged();
    cpu.memory.bytes.set(ANDN, 0x2000);
    view.setUint16(UD * 4, 0x3000, true);
    view.setUint16(UD * 4 + 2, 0, true);
    state.set(STATE.rip, 0x2000n);
    cpu.step();
    expect(state.get(STATE.rip)).toBe(0x3000n);
  });
});

describe("XSAVE and its relatives", () => {
  it.each([
    ["XSAVE", XSAVE],
    ["XSAVEOPT", XSAVEOPT],
    ["XSAVEC", XSAVEC],
    ["XRSTOR", XRSTOR],
    ["XGETBV", XGETBV],
    ["XSETBV", XSETBV],
  ] as const)("%s raises #UD with CR4.OSXSAVE clear", (_, code) => {
    change("cr4", 0, CR4_OSXSAVE);
    state.setGeneral(RCX, 0n);
    expect(execute(code)).toBe(UD);
  });

  it("raise #NM with CR0.TS set and #GP at an address that is not a multiple of 64", () => {
    change("cr0", CR0_TS);
    expect(execute(XSAVE)).toBe(NM);
    change("cr0", 0, CR0_TS);
    const atRdi32 = [0x0f, 0xae, 0x67, 0x20]; // [rdi + 32]
    expect(execute(atRdi32)).toBe(GP);
  });

  it("write what is asked for and enabled, and say in the header what is in use", () => {
    state.setVector(3, 5n);
    state.setVectorUpper(15, ONES);
    view.setBigUint64(HEADER, 0x1_0000n, true); // other components stay as they were
    expect(execute(XSAVE)).toBeUndefined();
    expect(view.getBigUint64(HEADER, true)).toBe(0x1_0000n | 6n | (view.getBigUint64(HEADER, true) & 1n));
    expect(view.getBigUint64(DATA + 160 + 3 * 16, true)).toBe(5n);
    expect(view.getBigUint64(UPPER + 15 * 16, true)).toBe(0xffff_ffff_ffff_ffffn);
    cpu.memory.bytes.fill(0xaa, DATA, UPPER + 256);
    expect(execute(XSAVE, 4n)).toBeUndefined();
    expect(view.getUint8(DATA)).toBe(0xaa);
    expect(view.getUint32(DATA + 24, true)).toBe(0x1f80); // MXCSR goes with AVX too
    expect(view.getUint8(DATA + 160)).toBe(0xaa);
    expect(view.getBigUint64(UPPER, true)).toBe(0n);
  });

  it("XSAVEOPT and XSAVEC leave out what is in its initial state", () => {
    state.setVector(0, 7n);
    cpu.memory.bytes.fill(0xaa, DATA, UPPER + 256);
    expect(execute(XSAVEOPT, 6n)).toBeUndefined();
    expect(view.getBigUint64(HEADER, true) & 6n).toBe(2n);
    expect(view.getBigUint64(DATA + 160, true)).toBe(7n);
    expect(view.getUint8(UPPER)).toBe(0xaa);
    expect(execute(XSAVEC, 6n)).toBeUndefined();
    expect(view.getBigUint64(HEADER, true)).toBe(2n);
    expect(view.getBigUint64(HEADER + 8, true)).toBe((1n << 63n) | 6n);
    expect(view.getUint8(UPPER)).toBe(0xaa);
  });

  it.each([
    ["XSAVE", XSAVE],
    ["XSAVEC", XSAVEC],
  ] as const)("XRSTOR brings back what %s wrote, initial state included", (_, code) => {
    for (let n = 0; n < 16; n++) {
      state.setVector(n, BigInt(n) << 100n);
      state.setVectorUpper(n, 0n);
    }
    state.setNumber(STATE.mxcsr, 0x3f80);
    expect(execute(code)).toBeUndefined();
    for (let n = 0; n < 16; n++) {
      state.setVector(n, ONES);
      state.setVectorUpper(n, ONES);
    }
    state.setNumber(STATE.mxcsr, 0x1f80);
    expect(execute(XRSTOR)).toBeUndefined();
    expect(state.vector(9)).toBe(9n << 100n);
    expect(state.vectorUpper(9)).toBe(0n);
    expect(state.getNumber(STATE.mxcsr)).toBe(0x3f80);
  });

  it("XRSTOR leaves alone what is not asked for", () => {
    expect(execute(XSAVE)).toBeUndefined();
    state.setVector(1, ONES);
    state.setVectorUpper(1, ONES);
    expect(execute(XRSTOR, 4n)).toBeUndefined();
    expect(state.vector(1)).toBe(ONES);
    expect(state.vectorUpper(1)).toBe(0n);
  });

  it.each([
    ["a component that is not enabled", () => view.setBigUint64(HEADER, 8n, true)],
    ["reserved bytes of the standard header", () => view.setUint8(HEADER + 16, 1)],
    ["XCOMP_BV without bit 63", () => view.setUint8(HEADER + 8, 1)],
    ["a component outside XCOMP_BV", () => view.setBigUint64(HEADER + 8, (1n << 63n) | 1n, true)],
    ["a compacted component that is not enabled", () => view.setBigUint64(HEADER + 8, (1n << 63n) | 0x107n, true)],
    ["reserved bits of MXCSR", () => view.setUint32(DATA + 24, 0x1_1f80, true)],
  ])("XRSTOR raises #GP for %s and changes nothing", (_, spoil) => {
    state.setVector(2, 1n);
    expect(execute(XSAVE)).toBeUndefined();
    spoil();
    state.setVector(2, 3n);
    expect(execute(XRSTOR)).toBe(GP);
    expect(state.vector(2)).toBe(3n);
  });
});

describe("XSAVES and XRSTORS", () => {
  beforeEach(() => {
    cpu = machine("max");
    state = cpu.state;
    view = new DataView(cpu.memory.bytes.buffer);
  });

  it("carry state over in the compacted format, MXCSR included", () => {
    for (let n = 0; n < 16; n++) {
      state.setVector(n, BigInt(n + 1));
      state.setVectorUpper(n, BigInt(n + 100));
    }
    state.setNumber(STATE.mxcsr, 0x3f80);
    expect(execute(XSAVES)).toBeUndefined();
    expect(view.getBigUint64(HEADER + 8, true)).toBe((1n << 63n) | 7n);
    for (let n = 0; n < 16; n++) {
      state.setVector(n, ONES);
      state.setVectorUpper(n, 0n);
    }
    state.setNumber(STATE.mxcsr, 0x1f80);
    expect(execute(XRSTORS)).toBeUndefined();
    expect([state.vector(15), state.vectorUpper(0), state.getNumber(STATE.mxcsr)]).toEqual([16n, 100n, 0x3f80]);
  });

  it("are for CPL 0, and XRSTORS takes no image of the other format", () => {
    expect(execute(XSAVE)).toBeUndefined();
    expect(execute(XRSTORS)).toBe(GP);
    for (const code of [XSAVES, XRSTORS]) {
      state.setNumber(STATE.cpl, 3);
      cpu.memory.bytes.set(code, CODE);
      state.set(STATE.rip, BigInt(CODE));
      expect(cpu.step(false)).toBe("exception");
      expect(cpu.lastException).toMatchObject({ vector: GP, errorCode: 0 });
    }
  });

  it("have IA32_XSS, which is zero: there are no supervisor components", () => {
    state.setGeneral(RCX, 0xda0n);
    expect(execute(RDMSR)).toBeUndefined();
    expect([state.general(RAX), state.general(RDX)]).toEqual([0n, 0n]);
    state.setGeneral(RCX, 0xda0n);
    expect(execute(WRMSR, 0n)).toBeUndefined();
    state.setGeneral(RCX, 0xda0n);
    expect(execute(WRMSR, 0x100n)).toBe(GP);
    cpu = machine();
    state = cpu.state;
    state.setGeneral(RCX, 0xda0n);
    expect(execute(RDMSR)).toBe(GP);
  });
});

describe("XCR0", () => {
  it.each([
    [1n, undefined],
    [3n, undefined],
    [7n, undefined],
    [0n, GP], // x87 can't be disabled
    [5n, GP], // AVX without SSE
    [0xfn, GP], // a component that does not exist
  ] as const)("is set to %i by XSETBV, or the write is refused", (value, exception) => {
    state.setGeneral(RCX, 0n);
    expect(execute(XSETBV, value)).toBe(exception);
    expect(state.get(STATE.xcr0)).toBe(exception === undefined ? value : 7n);
  });

  it("is read by XGETBV; register 1 shows what is in use; others are refused", () => {
    state.setGeneral(RCX, 0n);
    expect(execute(XGETBV, 0xffn)).toBeUndefined();
    expect([state.general(RDX), state.general(RAX)]).toEqual([0n, 7n]);
    state.setVectorUpper(4, 1n);
    state.setGeneral(RCX, 1n);
    expect(execute(XGETBV)).toBeUndefined();
    expect(state.general(RAX) & 4n).toBe(4n);
    state.setGeneral(RCX, 2n);
    expect(execute(XGETBV)).toBe(GP);
  });

  it("enables AVX at once", () => {
    state.setGeneral(RCX, 0n);
    expect(execute(XSETBV, 3n)).toBeUndefined();
    expect(execute(VADDPS)).toBe(UD);
    state.setGeneral(RCX, 0n);
    expect(execute(XSETBV, 7n)).toBeUndefined();
    expect(execute(VADDPS)).toBeUndefined();
  });
});

describe("CPUID", () => {
  const leaf = (number: bigint, subleaf: bigint): bigint[] => {
    state.setGeneral(RCX, subleaf);
    expect(execute(CPUID, number)).toBeUndefined();
    return [RAX, RBX, RCX, RDX].map((register) => state.general(register));
  };

  it("shows OSXSAVE as CR4 has it", () => {
    expect((leaf(1n, 0n)[2] ?? 0n) >> 27n).toSatisfy((bits: bigint) => (bits & 1n) === 1n);
    change("cr4", 0, CR4_OSXSAVE);
    expect((leaf(1n, 0n)[2] ?? 0n) >> 27n).toSatisfy((bits: bigint) => (bits & 1n) === 0n);
  });

  it("describes the area of extended state, its size by what is enabled", () => {
    expect(leaf(0xdn, 0n)).toEqual([7n, 832n, 832n, 0n]);
    expect(leaf(0xdn, 2n)).toEqual([256n, 576n, 0n, 0n]);
    expect(leaf(0xdn, 3n)).toEqual([0n, 0n, 0n, 0n]);
    change("xcr0", 0, 4);
    expect(leaf(0xdn, 0n)).toEqual([7n, 576n, 832n, 0n]);
    expect(leaf(0xdn, 1n)).toEqual([7n, 576n, 0n, 0n]);
  });

  it("without XSAVE goes with a CR4 that has no OSXSAVE", () => {
    cpu = machine("x86-64-v2");
    state = cpu.state;
    const cr4 = state.get(STATE.cr4);
    expect(execute(MOV_CR4_RAX, cr4 | BigInt(CR4_OSXSAVE))).toBe(GP);
    expect(execute(MOV_CR4_RAX, cr4 & ~BigInt(CR4_OSXSAVE))).toBeUndefined();
  });
});
