// When SSE, MMX and x87 instructions are available, and their state images: what user-mode vectors cannot show (tests/conformance has the rest).
import { describe, expect, it } from "vitest";
import type { CpuState } from "../../../native-core/cpu/cpu-state.ts";
import { STATE, type StateName } from "../../../native-core/x86/state-layout.ts";
import { CODE, DATA, evaluatorMachine, HANDLERS, interpreterMachine } from "../../support/cpu/long-mode.ts";

interface Machine {
  readonly state: CpuState;
  readonly ram: Uint8Array;
  modeChanged(): void;
  step(): void;
}

const MACHINES: Record<string, () => Machine> = {
  evaluator: () => {
    const cpu = evaluatorMachine();
    const { state, memory } = cpu;
    return { state, ram: memory.bytes, modeChanged: () => cpu.modeChanged(), step: () => void cpu.step() };
  },
  interpreter: () => {
    const cpu = interpreterMachine();
    const ram = cpu.ram.bytes();
    return { state: cpu.state, ram, modeChanged: () => cpu.modeChanged(), step: () => void cpu.step() };
  },
};

const UD = 6;
const NM = 7;
const GP = 13;
const MF = 16;
const XM = 19;

const CR0_MP = 0x2;
const CR0_EM = 0x4;
const CR0_TS = 0x8;
const CR4_OSFXSR = 0x200;
const CR4_OSXMMEXCPT = 0x400;

const ADDPS = [0x0f, 0x58, 0xc1]; // xmm0, xmm1
const DIVSD = [0xf2, 0x0f, 0x5e, 0xc1]; // xmm0, xmm1
const PADDB_MMX = [0x0f, 0xfc, 0xc1]; // mm0, mm1
const CLTS = [0x0f, 0x06];
const FLD1 = [0xd9, 0xe8];
const FWAIT = [0x9b];
const FXSAVE = [0x0f, 0xae, 0x07]; // [rdi]
const FXRSTOR = [0x0f, 0xae, 0x0f]; // [rdi]
const FXSAVE64 = [0x48, ...FXSAVE];
const FXRSTOR64 = [0x48, ...FXRSTOR];
const FNINIT = [0xdb, 0xe3];
const RDI = 7;
const RSP = 4;

/** Runs one instruction; the vector of the exception it raised, if any. */
function execute(cpu: Machine, code: readonly number[]): number | undefined {
  cpu.ram.set(code, CODE);
  cpu.state.set(STATE.rip, BigInt(CODE));
  cpu.step();
  const rip = cpu.state.getNumber(STATE.rip);
  return rip >= HANDLERS && rip < HANDLERS + 512 ? (rip - HANDLERS) >> 4 : undefined;
}

function change(cpu: Machine, register: StateName, set: number, clear = 0): void {
  cpu.state.setNumber(STATE[register], ((cpu.state.getNumber(STATE[register]) | set) & ~clear) >>> 0);
  cpu.modeChanged();
}

describe.each(Object.entries(MACHINES))("on the %s", (_, create) => {
  describe("an SSE instruction (SDM 3A 13.1)", () => {
    it("runs with CR4.OSFXSR set and CR0.EM and CR0.TS clear", () => {
      expect(execute(create(), ADDPS)).toBeUndefined();
    });

    it("raises #UD with CR4.OSFXSR clear", () => {
      const cpu = create();
      change(cpu, "cr4", 0, CR4_OSFXSR);
      expect(execute(cpu, ADDPS)).toBe(UD);
    });

    it("raises #UD with CR0.EM set, even if CR0.TS is set too", () => {
      const cpu = create();
      change(cpu, "cr0", CR0_EM | CR0_TS);
      expect(execute(cpu, ADDPS)).toBe(UD);
    });

    it("raises #NM with CR0.TS set", () => {
      const cpu = create();
      change(cpu, "cr0", CR0_TS);
      expect(execute(cpu, ADDPS)).toBe(NM);
    });

    it("runs again after CLTS", () => {
      const cpu = create();
      change(cpu, "cr0", CR0_TS);
      expect(execute(cpu, CLTS)).toBeUndefined();
      expect(execute(cpu, ADDPS)).toBeUndefined();
    });

    it("raises #XM for an unmasked exception with CR4.OSXMMEXCPT set and #UD without", () => {
      for (const [set, clear, vector] of [
        [CR4_OSXMMEXCPT, 0, XM],
        [0, CR4_OSXMMEXCPT, UD],
      ] as const) {
        const cpu = create();
        change(cpu, "cr4", set, clear);
        cpu.state.setNumber(STATE.mxcsr, 0x1f80 & ~0x200); // ZM clear
        cpu.state.setVector(0, 0x3ff0_0000_0000_0000n);
        cpu.state.setVector(1, 0n);
        expect(execute(cpu, DIVSD)).toBe(vector);
        expect(cpu.state.getNumber(STATE.mxcsr) & 0x3f).toBe(0x04);
        expect(cpu.state.vector(0)).toBe(0x3ff0_0000_0000_0000n);
      }
    });
  });

  describe("an x87 or MMX instruction", () => {
    it("raises #NM with CR0.TS set", () => {
      const cpu = create();
      change(cpu, "cr0", CR0_TS);
      expect(execute(cpu, FLD1)).toBe(NM);
      expect(execute(cpu, PADDB_MMX)).toBe(NM);
    });

    it("raises #NM (x87) or #UD (MMX) with CR0.EM set", () => {
      const cpu = create();
      change(cpu, "cr0", CR0_EM);
      expect(execute(cpu, FLD1)).toBe(NM);
      expect(execute(cpu, PADDB_MMX)).toBe(UD);
    });

    it("raises #MF for an exception that is pending, unless it is a control instruction without wait", () => {
      const cpu = create();
      execute(cpu, FNINIT);
      cpu.state.setNumber(STATE.x87Control, 0x37b); // ZM clear
      cpu.state.setNumber(STATE.x87Status, 0x8084); // ZE, ES, B
      expect(execute(cpu, FLD1)).toBe(MF);
      expect(execute(cpu, PADDB_MMX)).toBe(MF);
      expect(execute(cpu, FNINIT)).toBeUndefined();
      expect(cpu.state.getNumber(STATE.x87Status)).toBe(0);
    });
  });

  it("FWAIT raises #NM only with CR0.MP and CR0.TS set", () => {
    const cpu = create();
    change(cpu, "cr0", CR0_TS, CR0_MP);
    expect(execute(cpu, FWAIT)).toBeUndefined();
    change(cpu, "cr0", CR0_TS | CR0_MP);
    expect(execute(cpu, FWAIT)).toBe(NM);
  });

  describe("FXSAVE and FXRSTOR (SDM 1 10.5)", () => {
    function prepared(): Machine {
      const cpu = create();
      for (let n = 0; n < 16; n++) cpu.state.setVector(n, (BigInt(n + 1) << 120n) | BigInt(n * 3));
      cpu.state.setGeneral(RDI, BigInt(DATA));
      execute(cpu, FNINIT);
      execute(cpu, FLD1);
      return cpu;
    }

    it("write the image of table 10-2", () => {
      const cpu = prepared();
      cpu.state.setNumber(STATE.mxcsr, 0x1fa5);
      cpu.ram.fill(0x55, DATA, DATA + 512);
      expect(execute(cpu, FXSAVE64)).toBeUndefined();
      const image = new DataView(cpu.ram.buffer, cpu.ram.byteOffset + DATA, 512);
      expect(image.getUint16(0, true)).toBe(0x37f);
      expect(image.getUint16(2, true)).toBe(0x3800); // TOP = 7
      expect(image.getUint8(4)).toBe(0x80); // only physical register 7 is used
      expect(image.getUint32(24, true)).toBe(0x1fa5);
      expect(image.getUint32(28, true)).toBe(0xffff);
      expect(image.getBigUint64(32, true)).toBe(1n << 63n);
      expect(image.getUint16(40, true)).toBe(0x3fff);
      expect(image.getBigUint64(160 + 16 * 15, true)).toBe(45n);
      expect(image.getBigUint64(168 + 16 * 15, true)).toBe(16n << 56n);
      expect(image.getUint8(511)).toBe(0x55);
    });

    it("restore what was saved", () => {
      const cpu = prepared();
      execute(cpu, FXSAVE64);
      const before = cpu.state.bytes.slice(0x320);
      for (let n = 0; n < 16; n++) cpu.state.setVector(n, 0n);
      cpu.state.setNumber(STATE.mxcsr, 0x3f80);
      execute(cpu, FNINIT);
      expect(execute(cpu, FXRSTOR64)).toBeUndefined();
      expect(cpu.state.bytes.slice(0x320)).toEqual(before);
    });

    it("raise #GP(0) for an address that is not a multiple of 16", () => {
      const cpu = prepared();
      cpu.state.setGeneral(RDI, BigInt(DATA + 8));
      for (const code of [FXSAVE, FXRSTOR]) expect(execute(cpu, code)).toBe(GP);
    });

    it("raise #GP(0) for reserved bits of MXCSR and load nothing", () => {
      const cpu = prepared();
      execute(cpu, FXSAVE64);
      cpu.ram[DATA + 26] = 1;
      cpu.state.setVector(0, 99n);
      expect(execute(cpu, FXRSTOR64)).toBe(GP);
      expect(cpu.state.vector(0)).toBe(99n);
    });

    it("do not need CR4.OSFXSR, but raise #NM with CR0.TS set", () => {
      const cpu = prepared();
      change(cpu, "cr4", 0, CR4_OSFXSR);
      expect(execute(cpu, FXSAVE)).toBeUndefined();
      change(cpu, "cr0", CR0_TS);
      expect(execute(cpu, FXSAVE)).toBe(NM);
    });
  });

  it("an aligned 16-byte operand that is not aligned raises #GP(0), an unaligned one does not", () => {
    const cpu = create();
    cpu.state.setGeneral(RSP, BigInt(DATA + 4));
    expect(execute(cpu, [0x0f, 0x28, 0x04, 0x24])).toBe(GP); // MOVAPS xmm0, [rsp]
    cpu.state.setGeneral(RSP, BigInt(DATA + 4));
    expect(execute(cpu, [0x0f, 0x10, 0x04, 0x24])).toBeUndefined(); // MOVUPS xmm0, [rsp]
  });
});
