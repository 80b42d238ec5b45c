// Delivery in 16- and 32-bit protected mode, and out of virtual-8086 mode (SDM 3A 6.12, 20.3). Task gates switch tasks (8.3).
import { VECTOR } from "../../x86/registers.ts";
import { SEGMENTS, STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException } from "../context.ts";
import type { PendingEvent } from "./deliver-event.ts";
import {
  ATTRIBUTE,
  isCode,
  isNull,
  isPresent,
  privilegeOf,
  readSystemSegment,
  requireDescriptor,
  selectorError,
} from "./descriptor.ts";
import { checkGate, enterFlags, gateAddress } from "./gate.ts";
import { isVirtual8086, privilegeLevel } from "./mode.ts";
import { CS, checkStackSegment, SS, writeCodeSegment, writeSegment, writeStackSegment } from "./segment-load.ts";
import { StackCursor, stackMaskOf } from "./stack.ts";
import { taskStack } from "./task-stack.ts";
import { switchTask } from "./task-switch.ts";

const RSP = 4;
/** Interrupt and trap gates of 16 and 32 bits; bit 3 tells them apart. */
const GATES = [0x5, 0x6, 0x7, 0xe, 0xf];
const TASK_GATE = 5;
const GATE_32 = 8;
const DATA_SEGMENTS = ["gs", "fs", "ds", "es"] as const;

export function deliverProtected(cpu: CpuContext, event: PendingEvent): void {
  const { state, memory } = cpu;
  const gate = memory.read(gateAddress(cpu, event, 8), 8, true);
  const attributes = Number((gate >> 40n) & 0xffn);
  checkGate(cpu, event, attributes, GATES);
  if ((attributes & 0x1f) === TASK_GATE) {
    switchTask(cpu, Number((gate >> 16n) & 0xffffn), "interrupt", event.returnRip);
    pushErrorCode(cpu, event);
    return;
  }
  const wide = (attributes & GATE_32) !== 0;
  const size = wide ? 4 : 2;
  const offset = (gate & 0xffffn) | (wide ? (gate >> 32n) & 0xffff_0000n : 0n);

  const selector = Number((gate >> 16n) & 0xffffn);
  if (isNull(selector)) throw new CpuException(VECTOR.GP, event.external);
  const error = selectorError(selector) | event.external;
  const code = requireDescriptor(cpu, selector);
  const cpl = privilegeLevel(cpu);
  if (!isCode(code.attributes) || privilegeOf(code.attributes) > cpl) throw new CpuException(VECTOR.GP, error);
  if (!isPresent(code.attributes)) throw new CpuException(VECTOR.NP, error);
  if (offset > BigInt(code.limit)) throw new CpuException(VECTOR.GP, event.external);
  const level = code.attributes & ATTRIBUTE.CONFORMING ? cpl : privilegeOf(code.attributes);
  const virtual = isVirtual8086(cpu);
  if (virtual && level !== 0) throw new CpuException(VECTOR.GP, error);

  if (level === cpl) {
    const stack = StackCursor.current(cpu, { errorCode: event.external });
    pushFrame(cpu, stack, size, event);
    writeCodeSegment(cpu, selector, level, code);
    stack.commit();
  } else {
    const { ss, esp } = taskStack(cpu, level, event.external);
    const segment = checkStackSegment(cpu, ss, level, VECTOR.TS);
    const errorCode = selectorError(ss) | event.external;
    const stack = StackCursor.other(cpu, esp, segment, { supervisor: level < 3, errorCode });
    if (virtual) for (const name of DATA_SEGMENTS) stack.push(size, state.segment(name, "selector"));
    stack.push(size, state.segment(SS, "selector"));
    stack.push(size, state.general(RSP));
    pushFrame(cpu, stack, size, event);
    if (virtual) for (const name of DATA_SEGMENTS) writeSegment(cpu, SEGMENTS.indexOf(name), 0, 0n, 0, 0);
    writeCodeSegment(cpu, selector, level, code);
    writeStackSegment(cpu, ss, segment);
    state.setGeneral(RSP, stack.pointer & stackMaskOf(segment.attributes));
  }
  state.set(STATE.rip, offset);
  enterFlags(cpu, attributes);
  cpu.modeChanged();
}

/** A task that handles an exception finds the error code on its stack, as wide as its TSS. */
function pushErrorCode(cpu: CpuContext, event: PendingEvent): void {
  if (event.errorCode === undefined) return;
  const stack = StackCursor.current(cpu, { errorCode: event.external });
  stack.push(readSystemSegment(cpu, "tr", "attributes") & GATE_32 ? 4 : 2, BigInt(event.errorCode));
  stack.commit();
}

function pushFrame(cpu: CpuContext, stack: StackCursor, size: 2 | 4, event: PendingEvent): void {
  stack.push(size, event.flags);
  stack.push(size, cpu.state.segment(CS, "selector"));
  stack.push(size, event.returnRip);
  if (event.errorCode !== undefined) stack.push(size, BigInt(event.errorCode));
}
