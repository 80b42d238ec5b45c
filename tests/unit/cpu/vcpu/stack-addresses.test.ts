// Addresses that are not canonical: #SS where the stack is meant, #GP elsewhere, on interpreter, compiled code and evaluator.
import { describe, expect, it } from "vitest";
import { DEFAULT_JIT_OPTIONS } from "../../../../native-core/cpu/jit/jit.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { CODE, DATA, evaluatorMachine, HANDLERS, interpreterMachine } from "../../../support/cpu/long-mode.ts";

const RCX = 1;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const R12 = 12;
const BAD = 0x8000_0000_1000n;
const SS = 12;
const GP = 13;
const HLT = 0xf4;
const EAGER = { ...DEFAULT_JIT_OPTIONS, threshold: 2, batch: 1 };
/** inc rcx; cmp rcx, 100; jb: the loop in front of what faults makes compiled code of it. */
const ROUNDS = 100n;

interface Case {
  readonly code: readonly number[];
  readonly bad: number;
  readonly vector: number;
}

const CASES: readonly [string, Case][] = [
  ["PUSH", { code: [0x50], bad: RSP, vector: SS }],
  ["POP", { code: [0x58], bad: RSP, vector: SS }],
  ["PUSHF", { code: [0x9c], bad: RSP, vector: SS }],
  ["POPF", { code: [0x9d], bad: RSP, vector: SS }],
  ["CALL", { code: [0xe8, 0, 0, 0, 0], bad: RSP, vector: SS }],
  ["RET", { code: [0xc3], bad: RSP, vector: SS }],
  ["RETF", { code: [0x48, 0xcb], bad: RSP, vector: SS }],
  ["IRETQ", { code: [0x48, 0xcf], bad: RSP, vector: SS }],
  ["ENTER", { code: [0xc8, 0x10, 0, 0], bad: RSP, vector: SS }],
  ["ENTER with levels", { code: [0xc8, 0x10, 0, 2], bad: RSP, vector: SS }],
  ["LEAVE", { code: [0xc9], bad: RBP, vector: SS }],
  ["MOV from [RSP]", { code: [0x48, 0x8b, 0x04, 0x24], bad: RSP, vector: SS }],
  ["MOV to [RBP]", { code: [0x48, 0x89, 0x45, 0x00], bad: RBP, vector: SS }],
  ["MOVUPS from [RBP]", { code: [0x0f, 0x10, 0x45, 0x00], bad: RBP, vector: SS }],
  ["MOV from FS:[RBP]", { code: [0x64, 0x48, 0x8b, 0x45, 0x00], bad: RBP, vector: GP }],
  ["MOV from [RBX]", { code: [0x48, 0x8b, 0x03], bad: RBX, vector: GP }],
  ["MOV from [R12]", { code: [0x49, 0x8b, 0x04, 0x24], bad: R12, vector: GP }],
  ["PUSH of [RBX]", { code: [0xff, 0x33], bad: RBX, vector: GP }],
  ["PUSH of [RBX] to a bad stack", { code: [0xff, 0x33], bad: RSP, vector: SS }],
  ["POP to [RBX]", { code: [0x8f, 0x03], bad: RBX, vector: GP }],
  ["CALL of [RBX]", { code: [0xff, 0x13], bad: RBX, vector: GP }],
  ["LODS", { code: [0xac], bad: RSI, vector: GP }],
];

const LOOP = [0x48, 0xff, 0xc1, 0x48, 0x83, 0xf9, Number(ROUNDS), 0x72, 0xf7];

describe("an address that is not canonical", () => {
  it.each(CASES)("raises #SS or #GP in %s", (_name, { code, bad, vector }) => {
    for (const jit of [undefined, EAGER]) {
      const cpu = interpreterMachine(undefined, undefined, undefined, jit);
      // The handlers' stack is not the bad one.
      cpu.ram.write(0x5000 + 36, Uint8Array.of(0, 0xf0, 3, 0, 0, 0, 0, 0));
      cpu.state.set(STATE.tr, 0x5000n);
      cpu.state.setNumber({ offset: STATE.tr.offset + 8, type: "u32" }, 0x67);
      for (let n = 0; n < 32; n++) cpu.ram.write(0x4000 + n * 16 + 4, Uint8Array.of(1));
      for (const register of [RBX, RBP, RSI, R12]) cpu.state.setGeneral(register, BigInt(DATA));
      cpu.ram.write(CODE, Uint8Array.from([...LOOP, ...code, HLT]));
      cpu.state.setGeneral(bad, BAD);
      cpu.state.setGeneral(RCX, 0n);
      cpu.invalidateAll();
      expect(cpu.run(10_000)).toBe("halted");
      expect((Number(cpu.state.get(STATE.rip)) - HANDLERS) >> 4).toBe(vector);
      // Error code, and the instruction that faulted.
      expect(cpu.memory.read(cpu.state.general(RSP), 8)).toBe(0n);
      expect(cpu.memory.read(cpu.state.general(RSP) + 8n, 8)).toBe(BigInt(CODE + LOOP.length));
    }
  });

  it.each(CASES)("does so in the evaluator in %s", (_name, { code, bad, vector }) => {
    const cpu = evaluatorMachine();
    for (const register of [RBX, RBP, RSI, R12]) cpu.state.setGeneral(register, BigInt(DATA));
    cpu.memory.bytes.set([...code, HLT], CODE);
    cpu.state.setGeneral(bad, BAD);
    expect(cpu.step(false)).toBe("exception");
    expect(cpu.lastException).toMatchObject({ vector, errorCode: 0 });
  });

  it("raises #GP where it is that of the instruction", () => {
    const cpu = interpreterMachine();
    cpu.state.set(STATE.rip, BAD);
    expect(cpu.run(100)).toBe("halted");
    expect((Number(cpu.state.get(STATE.rip)) - HANDLERS) >> 4).toBe(GP);
  });
});
