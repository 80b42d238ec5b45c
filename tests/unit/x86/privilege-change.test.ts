// The short ways of SYSCALL, SYSRET and IRETQ against their helpers: the interpreter takes the former once both privileges are known to
// run 64-bit code; the evaluator never learns that and always takes the latter.
import { describe, expect, it } from "vitest";
import type { CpuState } from "../../../native-core/cpu/cpu-state.ts";
import { STATE } from "../../../native-core/x86/state-layout.ts";
import { CODE, evaluatorMachine, interpreterMachine, quadwords, STACK } from "../../support/cpu/long-mode.ts";

const USER = CODE + 0x100;
const HANDLER = CODE + 0x200;
const USER_STACK = STACK - 0x1000;
const KERNEL_CODE = 0x08;
const KERNEL_DATA = 0x10;
const USER_DATA = 0x1b;
const USER_CODE = 0x23;
const BOTH_64 = 0x0808;

const IRETQ = [0x48, 0xcf];
/** SYSCALL, then a jump back to it. */
const USER_LOOP = [0x0f, 0x05, 0xeb, 0xfc];
const SYSRETQ = [0x48, 0x0f, 0x07];
/** Pushes SS, RSP (from RAX), RFLAGS (from R11), CS and RIP (from RCX), then IRETQ. */
const IRETQ_TO_USER = [0x6a, USER_DATA, 0x50, 0x41, 0x53, 0x6a, USER_CODE, 0x51, ...IRETQ];

function prepare(state: CpuState): void {
  state.set(STATE.star, (0x13n << 48n) | (BigInt(KERNEL_CODE) << 32n));
  state.set(STATE.lstar, BigInt(HANDLER));
  state.set(STATE.fmask, 0x4_7700n);
  state.setGeneral(0, BigInt(USER_STACK));
  state.setGeneral(4, BigInt(STACK - 40));
}

function visible(state: CpuState): unknown {
  const segment = (name: "cs" | "ss" | "ds" | "es"): unknown => [
    state.segment(name, "selector"),
    state.segment(name, "base"),
    state.segment(name, "limit"),
    state.segmentNumber(name, "attributes") & 0xf0ff,
  ];
  return {
    rip: state.get(STATE.rip),
    flags: state.flags,
    cpl: state.getNumber(STATE.cpl),
    codeMode: state.getNumber(STATE.codeMode),
    general: Array.from({ length: 16 }, (_, n) => state.general(n)),
    segments: [segment("cs"), segment("ss"), segment("ds"), segment("es")],
  };
}

/** Runs a frame through IRETQ, then whatever follows, on both; yields the interpreter's state. */
function run(frame: readonly (bigint | number)[], handler: readonly number[], steps: number): CpuState {
  const interpreter = interpreterMachine();
  const evaluator = evaluatorMachine();
  const write = (address: number, bytes: Uint8Array): void => {
    interpreter.ram.write(address, bytes);
    evaluator.memory.bytes.set(bytes, address);
  };
  write(CODE, Uint8Array.from(IRETQ));
  write(USER, Uint8Array.from(USER_LOOP));
  write(HANDLER, Uint8Array.from(handler));
  write(STACK - 40, quadwords(...frame.map((value) => BigInt(value))));
  prepare(interpreter.state);
  prepare(evaluator.state);
  for (let n = 0; n < steps; n++) {
    interpreter.step();
    evaluator.step();
    expect(visible(interpreter.state), `after step ${n}`).toEqual(visible(evaluator.state));
  }
  return interpreter.state;
}

const TO_USER = [USER, USER_CODE, 0x202, USER_STACK, USER_DATA];

describe("between kernel and user", () => {
  it("SYSCALL and SYSRETQ do what their helpers do", () => {
    const state = run(TO_USER, SYSRETQ, 20);
    expect(state.getNumber(STATE.codeModes)).toBe(BOTH_64);
  });

  it("SYSCALL and IRETQ do what their helpers do", () => {
    const state = run(TO_USER, IRETQ_TO_USER, 40);
    expect(state.getNumber(STATE.codeModes)).toBe(BOTH_64);
  });

  it("carries odd flags over", () => {
    run([USER, USER_CODE, 0x24_4ed7, USER_STACK, USER_DATA], SYSRETQ, 6);
    run([USER, USER_CODE, 0x24_4ed7, USER_STACK, USER_DATA], IRETQ_TO_USER, 14);
  });
});

describe("IRETQ within the kernel", () => {
  it("restores RIP, RSP and RFLAGS", () => {
    const state = run([HANDLER, KERNEL_CODE, 0x24_0ed7, USER_STACK, KERNEL_DATA], SYSRETQ, 1);
    expect(state.get(STATE.rip)).toBe(BigInt(HANDLER));
    expect(state.general(4)).toBe(BigInt(USER_STACK));
    expect(state.flags).toBe(0x24_0ed7n);
  });

  it.each([
    ["a non-canonical RIP", [1n << 47n, KERNEL_CODE, 2, USER_STACK, KERNEL_DATA]],
    ["a null CS", [HANDLER, 0, 2, USER_STACK, KERNEL_DATA]],
    ["a data segment as CS", [USER, USER_DATA, 2, USER_STACK, USER_DATA]],
    ["a stack of another level", [USER, USER_CODE, 2, USER_STACK, KERNEL_DATA]],
    ["a selector beyond the table", [USER, 0x2b, 2, USER_STACK, USER_DATA]],
  ])("faults on %s as the helper does", (_, frame) => {
    const state = run(frame, SYSRETQ, 1);
    expect(state.getNumber(STATE.cpl)).toBe(0);
    expect(state.get(STATE.rip)).toBe(0x7000n + 13n * 16n);
  });
});
