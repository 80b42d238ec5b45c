// Far JMP, CALL and RET within and between code segments (SDM 3A 5.8). Gates and tasks are in files of their own.
import { VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import { callThroughGate, findCallGate, jumpThroughGate } from "./call-gate.ts";
import { isLong, requireCode, requireOffset } from "./code-target.ts";
import { finishing } from "./deliver-event.ts";
import type { Descriptor } from "./descriptor.ts";
import { isRealAddressing, privilegeLevel } from "./mode.ts";
import { returnToOuter } from "./outer-return.ts";
import { CS, loadRealSegment, writeCodeSegment } from "./segment-load.ts";
import { StackCursor } from "./stack.ts";
import { findTask, switchTask } from "./task-switch.ts";

type OperandSize = 2 | 4 | 8;

/** CS and RIP in real and virtual-8086 mode. */
export function jumpReal(cpu: CpuContext, selector: number, offset: bigint): void {
  if (offset > cpu.state.segment(CS, "limit")) throw new CpuException(VECTOR.GP, 0);
  loadRealSegment(cpu, CS, selector);
  cpu.state.set(STATE.rip, offset);
  cpu.modeChanged();
}

/** A code segment that a jump or call may enter without changing privilege. */
function requireSameLevel(cpu: CpuContext, selector: number): Descriptor {
  const cpl = privilegeLevel(cpu);
  return requireCode(cpu, selector, (dpl, conforming) =>
    conforming ? dpl <= cpl : dpl === cpl && (selector & 3) <= cpl,
  );
}

function enter(cpu: CpuContext, selector: number, descriptor: Descriptor, offset: bigint): void {
  writeCodeSegment(cpu, selector, privilegeLevel(cpu), descriptor);
  cpu.state.set(STATE.rip, offset);
  cpu.modeChanged();
}

/** (selector, offset, operand size, offset of the next instruction) */
const jumpFar: Helper = (cpu, selectorValue, offset, _size, next) => {
  const selector = Number(selectorValue);
  const target = offset ?? 0n;
  if (isRealAddressing(cpu)) {
    jumpReal(cpu, selector, target);
    return 0n;
  }
  const gate = findCallGate(cpu, selector);
  if (gate) {
    jumpThroughGate(cpu, gate);
    return 0n;
  }
  const task = findTask(cpu, selector);
  if (task !== undefined) {
    finishing(cpu, () => switchTask(cpu, task, "jump", next ?? 0n));
    return 0n;
  }
  const descriptor = requireSameLevel(cpu, selector);
  requireOffset(cpu, descriptor, target);
  enter(cpu, selector, descriptor, target);
  return 0n;
};

/** (selector, offset, operand size, offset of the next instruction) */
const callFar: Helper = (cpu, selectorValue, offset, sizeValue, next) => {
  const selector = Number(selectorValue);
  const target = offset ?? 0n;
  const size = Number(sizeValue) as OperandSize;
  const real = isRealAddressing(cpu);
  const gate = real ? undefined : findCallGate(cpu, selector);
  if (gate) {
    callThroughGate(cpu, gate, next ?? 0n);
    return 0n;
  }
  const task = real ? undefined : findTask(cpu, selector);
  if (task !== undefined) {
    finishing(cpu, () => switchTask(cpu, task, "call", next ?? 0n));
    return 0n;
  }
  const descriptor = real ? undefined : requireSameLevel(cpu, selector);
  if (descriptor) requireOffset(cpu, descriptor, target);
  const stack = StackCursor.current(cpu);
  stack.push(size, cpu.state.segment(CS, "selector"));
  stack.push(size, next ?? 0n);
  if (descriptor) enter(cpu, selector, descriptor, target);
  else jumpReal(cpu, selector, target);
  stack.commit();
  return 0n;
};

/** (operand size, bytes to release) */
const returnFar: Helper = (cpu, sizeValue, releaseValue) => {
  const size = Number(sizeValue) as OperandSize;
  const release = releaseValue ?? 0n;
  const stack = StackCursor.current(cpu);
  const offset = stack.pop(size);
  const selector = Number(stack.pop(size) & 0xffffn);
  if (isRealAddressing(cpu)) {
    jumpReal(cpu, selector, offset);
    stack.pointer += release;
    stack.commit();
    return 0n;
  }
  const rpl = selector & 3;
  const cpl = privilegeLevel(cpu);
  const descriptor = requireCode(
    cpu,
    selector,
    (dpl, conforming) => rpl >= cpl && (conforming ? dpl <= rpl : dpl === rpl),
  );
  requireOffset(cpu, descriptor, offset);
  stack.pointer += release;
  if (rpl === cpl) {
    stack.commit();
    enter(cpu, selector, descriptor, offset);
    return 0n;
  }
  const rsp = stack.pop(size);
  const ss = Number(stack.pop(size) & 0xffffn);
  returnToOuter(cpu, { selector, descriptor, offset, rsp: rsp + release, ss, nullStack: isLong(cpu, descriptor) });
  return 0n;
};

export const FAR_TRANSFER_HELPERS: Record<string, Helper> = { jumpFar, callFar, returnFar };
