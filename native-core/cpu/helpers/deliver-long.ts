// Delivery in long mode (SDM 3A 6.14): 16-byte gates, a stack from the TSS or the IST, an aligned frame of 8-byte slots.
import { VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException } from "../context.ts";
import type { PendingEvent } from "./deliver-event.ts";
import { ATTRIBUTE, isCode, isNull, isPresent, privilegeOf, requireDescriptor, selectorError } from "./descriptor.ts";
import { checkGate, enterFlags, gateAddress } from "./gate.ts";
import { isCanonical, privilegeLevel } from "./mode.ts";
import { CS, loadNullStack, SS, writeCodeSegment } from "./segment-load.ts";
import { StackCursor } from "./stack.ts";
import { longStackPointer, readLongTss } from "./task-stack.ts";

const RSP = 4;
const INTERRUPT_GATE = 0xe;
const TRAP_GATE = 0xf;
/** Offset of IST1 in the 64-bit TSS (SDM 3A figure 8-11). */
const TSS_IST1 = 36;

export function deliverLong(cpu: CpuContext, event: PendingEvent): void {
  const { state, memory } = cpu;
  const address = gateAddress(cpu, event, 16);
  const low = memory.read(address, 8, true);
  const attributes = Number((low >> 40n) & 0xffn);
  checkGate(cpu, event, attributes, [INTERRUPT_GATE, TRAP_GATE]);
  const high = memory.read(BigInt.asUintN(64, address + 8n), 4, true);
  const offset = (high << 32n) | ((low >> 32n) & 0xffff_0000n) | (low & 0xffffn);

  const selector = Number((low >> 16n) & 0xffffn);
  if (isNull(selector)) throw new CpuException(VECTOR.GP, event.external);
  const error = selectorError(selector) | event.external;
  const code = requireCodeSegment(cpu, selector, error);
  const cpl = privilegeLevel(cpu);
  const level = code.attributes & ATTRIBUTE.CONFORMING ? cpl : privilegeOf(code.attributes);

  const ist = Number((low >> 32n) & 7n);
  let pointer = state.general(RSP);
  if (ist !== 0) pointer = readLongTss(cpu, TSS_IST1 + (ist - 1) * 8, event.external);
  else if (level < cpl) pointer = longStackPointer(cpu, level, event.external);
  if (!isCanonical(pointer)) throw new CpuException(VECTOR.SS, event.external);
  if (!isCanonical(offset)) throw new CpuException(VECTOR.GP, event.external);

  const stack = StackCursor.flat(cpu, pointer & ~15n, level < 3);
  const frame = [
    state.segment(SS, "selector"),
    state.general(RSP),
    event.flags,
    state.segment(CS, "selector"),
    event.returnRip,
  ];
  if (event.errorCode !== undefined) frame.push(BigInt(event.errorCode));
  stack.pushFrame(8, frame);

  writeCodeSegment(cpu, selector, level, code);
  if (level < cpl) loadNullStack(cpu, level);
  state.setGeneral(RSP, stack.pointer);
  state.set(STATE.rip, offset);
  enterFlags(cpu, attributes);
  cpu.modeChanged();
}

/** 64-bit code at least as privileged as the current level. */
function requireCodeSegment(cpu: CpuContext, selector: number, error: number) {
  const code = requireDescriptor(cpu, selector);
  const long = (code.attributes & (ATTRIBUTE.LONG | ATTRIBUTE.BIG)) === ATTRIBUTE.LONG;
  if (!isCode(code.attributes) || !long || privilegeOf(code.attributes) > privilegeLevel(cpu)) {
    throw new CpuException(VECTOR.GP, error);
  }
  if (!isPresent(code.attributes)) throw new CpuException(VECTOR.NP, error);
  return code;
}
