// Segment descriptors: where they are and what they say (SDM 3A 3.4.5, 3.5).
import { VECTOR } from "../../x86/registers.ts";
import { SEGMENT_FIELDS, STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException } from "../context.ts";
import type { SegmentPart } from "../cpu-state.ts";

export interface Descriptor {
  /** Linear address of the descriptor. */
  readonly address: bigint;
  readonly base: bigint;
  /** In bytes, granularity applied. */
  readonly limit: number;
  /** Bits 40..55 without the limit's, as in SEGMENT_FIELDS. */
  readonly attributes: number;
  readonly low: number;
  readonly high: number;
}

/** Bits of `attributes`. */
export const ATTRIBUTE = {
  ACCESSED: 0x1,
  /** Data: writable. Code: readable. */
  WRITABLE: 0x2,
  /** Data: expand-down. Code: conforming. */
  CONFORMING: 0x4,
  CODE: 0x8,
  /** S: code or data, not a system descriptor. */
  SEGMENT: 0x10,
  PRESENT: 0x80,
  LONG: 0x2000,
  BIG: 0x4000,
  GRANULARITY: 0x8000,
} as const;

export function privilegeOf(attributes: number): number {
  return (attributes >> 5) & 3;
}

/** Type of a system descriptor or gate. */
export function systemType(attributes: number): number {
  return attributes & 0x1f;
}

export function isCode(attributes: number): boolean {
  return (attributes & (ATTRIBUTE.SEGMENT | ATTRIBUTE.CODE)) === (ATTRIBUTE.SEGMENT | ATTRIBUTE.CODE);
}

export function isWritableData(attributes: number): boolean {
  const mask = ATTRIBUTE.SEGMENT | ATTRIBUTE.CODE | ATTRIBUTE.WRITABLE;
  return (attributes & mask) === (ATTRIBUTE.SEGMENT | ATTRIBUTE.WRITABLE);
}

export function isPresent(attributes: number): boolean {
  return (attributes & ATTRIBUTE.PRESENT) !== 0;
}

/** Selector part of an error code. */
export function selectorError(selector: number): number {
  return selector & 0xfffc;
}

export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

/** undefined when the selector points outside its table. */
export function findDescriptor(cpu: CpuContext, selector: number): Descriptor | undefined {
  const { state, memory } = cpu;
  const offset = selector & 0xfff8;
  let table = state.get(STATE.gdtBase);
  let limit = state.getNumber(STATE.gdtLimit);
  if (selector & 4) {
    if (!isPresent(readSystemSegment(cpu, "ldtr", "attributes"))) return undefined;
    table = state.get(systemSlot("ldtr", "base"));
    limit = readSystemSegment(cpu, "ldtr", "limit");
  }
  if (offset + 7 > limit) return undefined;
  const address = BigInt.asUintN(64, table + BigInt(offset));
  const raw = memory.read(address, 8, true);
  return parseDescriptor(address, Number(raw & 0xffff_ffffn), Number(raw >> 32n));
}

/** As findDescriptor; #GP(selector) or another vector where there is none. */
export function requireDescriptor(cpu: CpuContext, selector: number, vector: number = VECTOR.GP): Descriptor {
  const descriptor = findDescriptor(cpu, selector);
  if (!descriptor) throw new CpuException(vector, selectorError(selector));
  return descriptor;
}

function parseDescriptor(address: bigint, low: number, high: number): Descriptor {
  const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000)) >>> 0;
  const rawLimit = (low & 0xffff) | (high & 0xf_0000);
  const attributes = (high >>> 8) & 0xf0ff;
  const limit = attributes & ATTRIBUTE.GRANULARITY ? ((rawLimit << 12) | 0xfff) >>> 0 : rawLimit;
  return { address, base: BigInt(base), limit, attributes, low, high };
}

/** Sets the accessed bit in memory where it is not set; yields the attributes with it. */
export function markAccessed({ memory }: CpuContext, descriptor: Descriptor): number {
  const attributes = descriptor.attributes | ATTRIBUTE.ACCESSED;
  if (attributes !== descriptor.attributes) {
    memory.write(BigInt.asUintN(64, descriptor.address + 5n), 1, BigInt(attributes & 0xff), true);
  }
  return attributes;
}

/** The second half of a 16-byte system descriptor in long mode: bits 63..32 of the base. */
export function highBase({ memory }: CpuContext, descriptor: Descriptor): bigint {
  return memory.read(BigInt.asUintN(64, descriptor.address + 8n), 4, true) << 32n;
}

// --- LDTR and TR ------------------------------------------------------------------------------------------------------

export function systemSlot(register: "ldtr" | "tr", part: SegmentPart) {
  const field = SEGMENT_FIELDS[part];
  return { offset: STATE[register].offset + field.offset, type: field.type };
}

export function readSystemSegment({ state }: CpuContext, register: "ldtr" | "tr", part: SegmentPart): number {
  return state.getNumber(systemSlot(register, part));
}
