// Integer instructions too wide or too rare for IR: signed 128-bit division, nested ENTER, HLT.
import { VECTOR } from "../../x86/registers.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import { StackCursor } from "./stack.ts";

const RAX = 0;
const RDX = 2;
const RBP = 5;

function writeQuotient({ state }: CpuContext, quotient: bigint, remainder: bigint): bigint {
  state.setGeneral(RAX, quotient);
  state.setGeneral(RDX, remainder);
  return 0n;
}

/** (divisor): RDX:RAX / divisor. The semantics have raised #DE for zero. */
const divideSigned128: Helper = (cpu, divisorValue) => {
  const { state } = cpu;
  const divisor = BigInt.asIntN(64, divisorValue ?? 0n);
  const dividend = BigInt.asIntN(128, (state.general(RDX) << 64n) | state.general(RAX));
  const quotient = dividend / divisor;
  if (BigInt.asIntN(64, quotient) !== quotient) throw new CpuException(VECTOR.DE);
  return writeQuotient(cpu, quotient, dividend % divisor);
};

/** (operand size, bytes to reserve, level 1..31): copies the enclosing frame pointers (SDM 2A, ENTER). */
const enterNested: Helper = (cpu, sizeValue, bytes, levelValue) => {
  const { state } = cpu;
  const size = Number(sizeValue) as 2 | 4 | 8;
  const level = Number(levelValue);
  const stack = StackCursor.current(cpu);
  const rbp = state.general(RBP);
  stack.push(size, rbp);
  const frame = stack.register;
  const display = StackCursor.current(cpu);
  for (let n = 1; n < level; n++) {
    display.pointer = rbp - BigInt(n * size);
    stack.push(size, display.pop(size));
  }
  stack.push(size, frame);
  stack.pointer -= bytes ?? 0n;
  stack.probe(size);
  stack.commit();
  if (size === 8) state.setGeneral(RBP, frame);
  else state.setGeneral(RBP, size === 2 ? (rbp & ~0xffffn) | (frame & 0xffffn) : frame & 0xffff_ffffn);
  return 0n;
};

export const INTEGER_HELPERS: Record<string, Helper> = {
  divideSigned128,
  enterNested,
  halt: (cpu) => {
    cpu.halt();
    return 0n;
  },
  /** POPF set AC. */
  alignmentFlagSet: (cpu) => {
    cpu.modeChanged();
    return 0n;
  },
  /** (linear address of a byte in the line) */
  monitorLine: (cpu, address = 0n) => {
    cpu.monitorLine(address);
    return 0n;
  },
  monitorWait: (cpu) => {
    cpu.monitorWait();
    return 0n;
  },
  pause: ({ platform }) => {
    platform.pause();
    return 0n;
  },
};
