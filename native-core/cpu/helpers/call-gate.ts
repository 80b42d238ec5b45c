// Call gates: far JMP and CALL through a gate, with a change of stack where privilege rises (SDM 3A 5.8.3, 5.8.5, 5.8.5.1).
import { VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException } from "../context.ts";
import { requireCode, requireOffset } from "./code-target.ts";
import {
  ATTRIBUTE,
  type Descriptor,
  findDescriptor,
  isPresent,
  privilegeOf,
  selectorError,
  systemType,
} from "./descriptor.ts";
import { isCanonical, isLongMode, privilegeLevel } from "./mode.ts";
import { CS, checkStackSegment, loadNullStack, SS, writeCodeSegment, writeStackSegment } from "./segment-load.ts";
import { StackCursor, stackMaskOf } from "./stack.ts";
import { longStackPointer, taskStack } from "./task-stack.ts";

const GATE_16 = 0x4;
/** 32 bits wide, 64 in long mode. */
const GATE = 0xc;
const RSP = 4;

interface CallGate {
  readonly size: 2 | 4 | 8;
  readonly selector: number;
  readonly offset: bigint;
  /** Words or doublewords to copy to the inner stack. */
  readonly parameters: number;
}

/** The gate that `selector` names; undefined if it names something else. Raises what the gate's own checks demand. */
export function findCallGate(cpu: CpuContext, selector: number): CallGate | undefined {
  const gate = (selector & 0xfffc) === 0 ? undefined : findDescriptor(cpu, selector);
  if (!gate) return undefined;
  const long = isLongMode(cpu);
  const type = systemType(gate.attributes);
  if (type !== GATE && (long || type !== GATE_16)) return undefined;
  const error = selectorError(selector);
  if (privilegeOf(gate.attributes) < Math.max(privilegeLevel(cpu), selector & 3)) {
    throw new CpuException(VECTOR.GP, error);
  }
  if (!isPresent(gate.attributes)) throw new CpuException(VECTOR.NP, error);
  return {
    size: long ? 8 : type === GATE ? 4 : 2,
    selector: gate.low >>> 16,
    offset: gateOffset(cpu, gate, type === GATE_16, long),
    parameters: gate.high & 0x1f,
  };
}

function gateOffset(cpu: CpuContext, gate: Descriptor, narrow: boolean, long: boolean): bigint {
  const low = BigInt(gate.low & 0xffff);
  if (narrow) return low;
  const middle = BigInt((gate.high & 0xffff_0000) >>> 0);
  const high = long ? cpu.memory.read(BigInt.asUintN(64, gate.address + 8n), 4, true) << 32n : 0n;
  return high | middle | low;
}

/** The code a gate leads to. A jump may not change privilege, a call may raise it. */
function requireTarget(cpu: CpuContext, gate: CallGate, jump: boolean): Descriptor {
  const cpl = privilegeLevel(cpu);
  const code = requireCode(cpu, gate.selector, (dpl, conforming) => (jump && !conforming ? dpl === cpl : dpl <= cpl));
  if (gate.size === 8 && !(code.attributes & ATTRIBUTE.LONG)) {
    throw new CpuException(VECTOR.GP, selectorError(gate.selector));
  }
  return code;
}

export function jumpThroughGate(cpu: CpuContext, gate: CallGate): void {
  const code = requireTarget(cpu, gate, true);
  requireOffset(cpu, code, gate.offset);
  enter(cpu, gate, code, privilegeLevel(cpu));
}

/** `next`: offset of the instruction behind the call. */
export function callThroughGate(cpu: CpuContext, gate: CallGate, next: bigint): void {
  const { state } = cpu;
  const code = requireTarget(cpu, gate, false);
  requireOffset(cpu, code, gate.offset);
  const cpl = privilegeLevel(cpu);
  const level = code.attributes & ATTRIBUTE.CONFORMING ? cpl : privilegeOf(code.attributes);
  const returnTo = [state.segment(CS, "selector"), next];
  if (level === cpl) {
    // A gate of 64 bits leads to 64-bit code, whose stack it already is: without a base, at all of RSP.
    const stack = gate.size === 8 ? StackCursor.flat(cpu, state.general(RSP), false) : StackCursor.current(cpu);
    stack.pushFrame(gate.size, returnTo);
    enter(cpu, gate, code, level);
    stack.commit();
    return;
  }
  const outer = [state.segment(SS, "selector"), state.general(RSP)];
  if (gate.size === 8) {
    const pointer = longStackPointer(cpu, level, 0);
    if (!isCanonical(pointer)) throw new CpuException(VECTOR.SS, 0);
    const stack = StackCursor.flat(cpu, pointer, true);
    stack.pushFrame(8, [...outer, ...returnTo]);
    enter(cpu, gate, code, level);
    loadNullStack(cpu, level);
    state.setGeneral(RSP, stack.pointer);
    return;
  }
  const { ss, esp } = taskStack(cpu, level, 0);
  const segment = checkStackSegment(cpu, ss, level, VECTOR.TS);
  const parameters = StackCursor.current(cpu).popFrame(gate.size, gate.parameters);
  const stack = StackCursor.other(cpu, esp, segment, { supervisor: true, errorCode: selectorError(ss) });
  stack.pushFrame(gate.size, [...outer, ...parameters.toReversed(), ...returnTo]);
  writeStackSegment(cpu, ss, segment);
  state.setGeneral(RSP, stack.pointer & stackMaskOf(segment.attributes));
  enter(cpu, gate, code, level);
}

function enter(cpu: CpuContext, gate: CallGate, code: Descriptor, level: number): void {
  writeCodeSegment(cpu, gate.selector, level, code);
  cpu.state.set(STATE.rip, gate.offset);
  cpu.modeChanged();
}
