// Alignment checks of user code: CR0.AM and EFLAGS.AC at CPL 3 (SDM 3A 6.15, interrupt 17), interpreted and compiled.
import { describe, expect, it } from "vitest";
import { DEFAULT_JIT_OPTIONS } from "../../../../native-core/cpu/jit/jit.ts";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { RFLAGS } from "../../../../native-core/x86/registers.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import {
  CODE,
  DATA,
  enterUser,
  evaluatorMachine,
  HANDLERS,
  interpreterMachine,
  quadwords,
} from "../../../support/cpu/long-mode.ts";

const AM = 0x4_0000n;
const AC = BigInt(RFLAGS.AC);
const UD2 = [0x0f, 0x0b];
const UD = 6;
const VECTOR_AC = 17;
const [RCX, RBX, RSP, RSI, RDI] = [1, 3, 4, 6, 7] as const;
const EAGER = { ...DEFAULT_JIT_OPTIONS, threshold: 2, batch: 1 };

/** inc rcx; cmp rcx, 100; mov rax, [rbx] (aligned); jb: makes compiled code of what follows, and fills the TLB. */
const LOOP = [0x48, 0xff, 0xc1, 0x48, 0x8b, 0x03, 0x48, 0x83, 0xf9, 100, 0x72, 0xf4];
/** pushfq; or dword [rsp], 40000h; popfq: AC is set by the program itself. */
const SET_AC = [0x9c, 0x81, 0x0c, 0x24, 0, 0, 4, 0, 0x9d];

function user(jit: typeof EAGER | undefined, level: 0 | 3): InterpreterVcpu {
  const cpu = interpreterMachine(undefined, undefined, undefined, jit);
  const { state } = cpu;
  state.set(STATE.cr0, state.get(STATE.cr0) | AM);
  if (level === 3) enterUser(cpu);
  state.setGeneral(RCX, 0n);
  state.setGeneral(RBX, BigInt(DATA));
  state.setGeneral(RSI, BigInt(DATA));
  state.setGeneral(RDI, BigInt(DATA + 0x100));
  state.setGeneral(RSP, BigInt(DATA + 0x800));
  return cpu;
}

/** The vector that ends the program: #UD of its own end, or another one. */
function run(cpu: InterpreterVcpu, code: readonly number[]): number {
  cpu.ram.write(CODE, Uint8Array.from([...LOOP, ...SET_AC, ...code, ...UD2]));
  cpu.invalidateAll();
  expect(cpu.run(10_000)).toBe("halted");
  return (Number(cpu.state.get(STATE.rip)) - HANDLERS) >> 4;
}

const CASES: readonly [string, readonly number[], number][] = [
  ["an aligned quadword", [0x48, 0x8b, 0x43, 0x08], UD],
  ["a byte anywhere", [0x8a, 0x43, 0x03], UD],
  ["a word at an odd address", [0x66, 0x8b, 0x43, 0x01], VECTOR_AC],
  ["a doubleword at 2", [0x8b, 0x43, 0x02], VECTOR_AC],
  ["a quadword at 4", [0x48, 0x8b, 0x43, 0x04], VECTOR_AC],
  ["a write at 4", [0x48, 0x89, 0x43, 0x04], VECTOR_AC],
  ["a quadword across a page end", [0x48, 0x8b, 0x83, 0xfc, 0x0f, 0, 0], VECTOR_AC],
  ["a push to a stack that is not aligned", [0x83, 0xec, 0x01, 0x50], VECTOR_AC],
  // mov ecx, 4; inc rsi; rep movsd
  ["a REP MOVS from an odd address", [0xb9, 4, 0, 0, 0, 0x48, 0xff, 0xc6, 0xf3, 0xa5], VECTOR_AC],
  ["a REP MOVS of bytes from there", [0xb9, 4, 0, 0, 0, 0x48, 0xff, 0xc6, 0xf3, 0xa4], UD],
];

describe.each([
  ["interpreted", undefined],
  ["compiled", EAGER],
] as const)("an access of user code with AC set, %s", (_name, jit) => {
  it.each(CASES)("that is %s ends as it should", (_what, code, vector) => {
    const cpu = user(jit, 3);
    expect(run(cpu, code)).toBe(vector);
    if (vector === VECTOR_AC) expect(cpu.memory.read(cpu.state.general(RSP), 8)).toBe(0n);
  });

  it.each(CASES)("is not checked at CPL 0: %s", (_what, code) => {
    expect(run(user(jit, 0), code)).toBe(UD);
  });

  it("is not checked without CR0.AM", () => {
    const cpu = user(jit, 3);
    cpu.state.set(STATE.cr0, cpu.state.get(STATE.cr0) & ~AM);
    expect(run(cpu, [0x8b, 0x43, 0x02])).toBe(UD);
  });
});

describe("alignment checks", () => {
  it.each([
    ["IRETQ", [0x48, 0xcf]],
    ["SYSRETQ", [0x48, 0x0f, 0x07]],
  ])("begin where %s returns with AC, whatever the TLB held", (_name, code) => {
    const cpu = user(undefined, 3);
    cpu.ram.write(CODE, Uint8Array.from([...LOOP, ...UD2]));
    cpu.invalidateAll();
    cpu.run(10_000);
    const { state } = cpu;
    state.setNumber(STATE.halted, 0);
    cpu.ram.write(CODE + 0x100, Uint8Array.from(code));
    cpu.ram.write(CODE + 0x200, Uint8Array.of(0x8b, 0x43, 0x02, ...UD2));
    cpu.ram.write(DATA + 0x700, quadwords(BigInt(CODE + 0x200), 0x23n, 2n | AC, BigInt(DATA + 0x800), 0x1bn));
    state.setGeneral(RSP, BigInt(DATA + 0x700));
    state.setGeneral(RCX, BigInt(CODE + 0x200));
    state.setGeneral(11, 2n | AC);
    state.set(STATE.star, 0x10n << 48n);
    state.set(STATE.rip, BigInt(CODE + 0x100));
    expect(cpu.run(100)).toBe("halted");
    expect((Number(state.get(STATE.rip)) - HANDLERS) >> 4).toBe(VECTOR_AC);
  });

  it("are made by the evaluator, too", () => {
    const cpu = evaluatorMachine();
    cpu.state.setNumber(STATE.cpl, 3);
    cpu.state.set(STATE.cr0, cpu.state.get(STATE.cr0) | AM);
    cpu.state.flags |= AC;
    cpu.state.setGeneral(RBX, BigInt(DATA));
    cpu.memory.bytes.set([0x8b, 0x43, 0x02], CODE);
    cpu.step(false);
    expect(cpu.lastException).toMatchObject({ vector: VECTOR_AC, errorCode: 0 });
  });
});
