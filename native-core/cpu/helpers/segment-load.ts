// Loading segment registers: MOV, POP, LDS .. LGS, and CS for the control transfers (SDM 3A 3.4.3, 5.6, 5.7).
import { VECTOR } from "../../x86/registers.ts";
import { SEGMENTS, STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import {
  ATTRIBUTE,
  type Descriptor,
  isCode,
  isNull,
  isPresent,
  isWritableData,
  markAccessed,
  privilegeOf,
  requireDescriptor,
  selectorError,
} from "./descriptor.ts";
import { is64BitCode, isRealAddressing, isVirtual8086, privilegeLevel } from "./mode.ts";

export const CS = SEGMENTS.indexOf("cs");
export const SS = SEGMENTS.indexOf("ss");

/** Attributes of a segment in real and in virtual-8086 mode: present, writable, accessed data. */
const REAL_DATA = 0x93;
const VIRTUAL_DATA = 0xf3;

export function writeSegment(
  { state }: CpuContext,
  segment: number,
  selector: number,
  base: bigint,
  limit: number,
  attributes: number,
): void {
  state.setSegmentNumber(segment, "selector", selector);
  state.setSegment(segment, "base", base);
  state.setSegmentNumber(segment, "limit", limit);
  state.setSegmentNumber(segment, "attributes", attributes);
}

/** Real mode: selector and base change, while limits and widths loaded in protected mode stay ("unreal mode"). */
export function loadRealSegment(cpu: CpuContext, segment: number, selector: number): void {
  const { state } = cpu;
  const base = BigInt(selector << 4);
  if (isVirtual8086(cpu)) {
    writeSegment(cpu, segment, selector, base, 0xffff, VIRTUAL_DATA);
    return;
  }
  const kept = state.segmentNumber(segment, "attributes") & (ATTRIBUTE.BIG | ATTRIBUTE.GRANULARITY);
  writeSegment(cpu, segment, selector, base, state.segmentNumber(segment, "limit"), REAL_DATA | kept);
}

/** Loads a data or stack segment register with all checks. */
export function loadSegmentRegister(cpu: CpuContext, segment: number, selector: number): void {
  if (isRealAddressing(cpu)) loadRealSegment(cpu, segment, selector);
  else if (segment === SS) loadStackSegment(cpu, selector);
  else loadDataSegment(cpu, segment, selector);
}

/** `vector`: #GP, or #TS while a task is switched. */
export function loadDataSegment(cpu: CpuContext, segment: number, selector: number, vector: number = VECTOR.GP): void {
  if (isNull(selector)) {
    writeSegment(cpu, segment, selector, 0n, 0, 0);
    return;
  }
  const descriptor = requireDescriptor(cpu, selector, vector);
  const { attributes } = descriptor;
  const conforming = isCode(attributes) && (attributes & ATTRIBUTE.CONFORMING) !== 0;
  const weakest = Math.max(privilegeLevel(cpu), selector & 3);
  if (!isReadable(attributes) || (!conforming && privilegeOf(attributes) < weakest)) {
    throw new CpuException(vector, selectorError(selector));
  }
  if (!isPresent(attributes)) throw new CpuException(VECTOR.NP, selectorError(selector));
  writeSegment(cpu, segment, selector, descriptor.base, descriptor.limit, markAccessed(cpu, descriptor));
}

function loadStackSegment(cpu: CpuContext, selector: number): void {
  const cpl = privilegeLevel(cpu);
  if (isNull(selector)) {
    if (!is64BitCode(cpu) || cpl === 3 || (selector & 3) !== cpl) throw new CpuException(VECTOR.GP, 0);
    loadNullStack(cpu, selector);
    cpu.modeChanged();
    return;
  }
  writeStackSegment(cpu, selector, checkStackSegment(cpu, selector, cpl, VECTOR.GP));
  cpu.modeChanged();
}

/** In 64-bit mode SS may be null below CPL 3; its privilege level stays in the selector. */
export function loadNullStack(cpu: CpuContext, selector: number): void {
  writeSegment(cpu, SS, selector, 0n, 0, 0);
}

/** The descriptor of a stack for privilege level `cpl`. `vector`: #GP, or #TS while a stack is switched. */
export function checkStackSegment(cpu: CpuContext, selector: number, cpl: number, vector: number): Descriptor {
  const descriptor = requireDescriptor(cpu, selector, vector);
  const { attributes } = descriptor;
  if ((selector & 3) !== cpl || !isWritableData(attributes) || privilegeOf(attributes) !== cpl) {
    throw new CpuException(vector, selectorError(selector));
  }
  if (!isPresent(attributes)) throw new CpuException(VECTOR.SS, selectorError(selector));
  return descriptor;
}

export function writeStackSegment(cpu: CpuContext, selector: number, descriptor: Descriptor): void {
  writeSegment(cpu, SS, selector, descriptor.base, descriptor.limit, markAccessed(cpu, descriptor));
}

/** Loads CS, whose checks the caller has made, and the privilege level it brings. Call modeChanged afterwards. */
export function writeCodeSegment(cpu: CpuContext, selector: number, cpl: number, descriptor: Descriptor): void {
  const attributes = markAccessed(cpu, descriptor);
  writeSegment(cpu, CS, (selector & 0xfffc) | cpl, descriptor.base, descriptor.limit, attributes);
  cpu.state.setNumber(STATE.cpl, cpl);
}

function requireLoadable(segment: number): void {
  if (segment === CS || segment >= SEGMENTS.length) throw new CpuException(VECTOR.UD);
}

/** Interrupts and single-step traps are inhibited for one instruction after SS was written, so that the stack pointer can follow (SDM 3A 6.8.3). */
function loadAndInhibit(cpu: CpuContext, segment: number, selector: number): void {
  requireLoadable(segment);
  loadSegmentRegister(cpu, segment, selector);
  if (segment !== SS) return;
  cpu.state.setNumber(STATE.interruptShadow, 1);
  cpu.state.setNumber(STATE.trapInhibited, 1);
}

function isReadable(attributes: number): boolean {
  return (attributes & ATTRIBUTE.SEGMENT) !== 0 && (!isCode(attributes) || (attributes & ATTRIBUTE.WRITABLE) !== 0);
}

/** Whether limits let `size` bytes from `offset` on be accessed. A segment that covers 4 GiB has no end to run over. */
export function isInSegment(
  { attributes, limit }: Pick<Descriptor, "attributes" | "limit">,
  offset: bigint,
  size: number,
): boolean {
  const last = Number(offset) + size - 1;
  const down = !isCode(attributes) && (attributes & ATTRIBUTE.CONFORMING) !== 0;
  if (down) return Number(offset) > limit && last <= (attributes & ATTRIBUTE.BIG ? 0xffff_ffff : 0xffff);
  return last <= limit || limit === 0xffff_ffff;
}

/**
 * (segment, offset, bytes, 1 for a write): an access that the fast check of an address operation could not pass. Raises what the segment
 * demands, or lets it through.
 */
export const checkSegmentAccess: Helper = (cpu, segmentValue, offset = 0n, size = 1n, write = 0n) => {
  const segment = Number(segmentValue);
  const attributes = cpu.state.segmentNumber(segment, "attributes");
  const limit = cpu.state.segmentNumber(segment, "limit");
  let valid = isRealAddressing(cpu);
  if (!valid) valid = isPresent(attributes) && (write === 1n ? isWritableData(attributes) : isReadable(attributes));
  valid &&= isInSegment({ attributes, limit }, offset, Number(size));
  if (!valid) throw new CpuException(segment === SS ? VECTOR.SS : VECTOR.GP, 0);
  return 0n;
};

export const SEGMENT_HELPERS: Record<string, Helper> = {
  /** (segment, selector) */
  loadSegment: (cpu, segment, selector) => {
    loadSegmentRegister(cpu, Number(segment), Number(selector));
    return 0n;
  },
  moveToSegment: (cpu, segment, selector) => {
    loadAndInhibit(cpu, Number(segment), Number(selector));
    return 0n;
  },
  popSegment: (cpu, segment, selector) => {
    loadAndInhibit(cpu, Number(segment), Number(selector));
    return 0n;
  },
  checkSegmentAccess,
};
