// Typed access to the CPU state in memory 0 for code that is not translated: helpers, saved states, tests, the debugger.
import type { StateSlot } from "../ir/nodes.ts";
import {
  GPR_OFFSET,
  SEGMENT_FIELDS,
  SEGMENT_OFFSET,
  SEGMENT_STRIDE,
  SEGMENTS,
  type SegmentName,
  STATE,
  STATE_SIZE,
  VECTOR_OFFSET,
  VECTOR_STRIDE,
} from "../x86/state-layout.ts";

/** Bits of RFLAGS that the arithmetic slots hold: CF PF AF ZF SF OF. */
export const ARITHMETIC_FLAGS = 0x8d5;

export type SegmentPart = keyof typeof SEGMENT_FIELDS;

export class CpuState {
  readonly #view: DataView;
  readonly #base: number;

  /** `buffer` holds the state at `base`; memory 0 never grows after it is made, so the view stays valid. */
  constructor(buffer: ArrayBuffer, base = 0) {
    this.#view = new DataView(buffer, base, STATE_SIZE);
    this.#base = base;
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#view.buffer as ArrayBuffer, this.#base, STATE_SIZE);
  }

  get(slot: StateSlot): bigint {
    if (slot.type === "u64") return this.#view.getBigUint64(slot.offset, true);
    return BigInt(this.getNumber(slot));
  }

  set(slot: StateSlot, value: bigint): void {
    if (slot.type === "u64") this.#view.setBigUint64(slot.offset, BigInt.asUintN(64, value), true);
    else this.setNumber(slot, Number(BigInt.asUintN(32, value)));
  }

  /** For slots of up to 32 bits (a u64 slot must hold a value below 2^53). */
  getNumber(slot: StateSlot): number {
    if (slot.type === "u16") return this.#view.getUint16(slot.offset, true);
    if (slot.type === "u32") return this.#view.getUint32(slot.offset, true);
    return Number(this.#view.getBigUint64(slot.offset, true));
  }

  setNumber(slot: StateSlot, value: number): void {
    if (slot.type === "u16") this.#view.setUint16(slot.offset, value, true);
    else if (slot.type === "u32") this.#view.setUint32(slot.offset, value, true);
    else this.#view.setBigUint64(slot.offset, BigInt(value), true);
  }

  general(register: number): bigint {
    return this.#view.getBigUint64(GPR_OFFSET + register * 8, true);
  }

  setGeneral(register: number, value: bigint): void {
    this.#view.setBigUint64(GPR_OFFSET + register * 8, BigInt.asUintN(64, value), true);
  }

  /** Unsigned 128-bit value of XMM register n. */
  vector(register: number): bigint {
    const offset = VECTOR_OFFSET + register * VECTOR_STRIDE;
    return this.#view.getBigUint64(offset, true) | (this.#view.getBigUint64(offset + 8, true) << 64n);
  }

  setVector(register: number, value: bigint): void {
    const offset = VECTOR_OFFSET + register * VECTOR_STRIDE;
    this.#view.setBigUint64(offset, BigInt.asUintN(64, value), true);
    this.#view.setBigUint64(offset + 8, BigInt.asUintN(64, value >> 64n), true);
  }

  /** `segment` is a name or an encoding (0 = ES ... 5 = GS). */
  segment(segment: SegmentName | number, part: SegmentPart): bigint {
    return this.get(segmentSlot(segment, part));
  }

  setSegment(segment: SegmentName | number, part: SegmentPart, value: bigint): void {
    this.set(segmentSlot(segment, part), value);
  }

  /** RFLAGS in architectural form. */
  get flags(): bigint {
    const result = this.#view.getBigInt64(STATE.flagResult.offset, true);
    const carry = this.#view.getBigUint64(STATE.flagCarry.offset, true);
    const aux = this.getNumber(STATE.flagAux);
    let flags = this.getNumber(STATE.systemFlags);
    if (carry >> 63n) flags |= 0x001;
    if (parity(Number(result & 0xffn)) !== Boolean(aux & 0x200)) flags |= 0x004;
    if ((carry >> BigInt(aux & 63)) & 1n) flags |= 0x010;
    if (result === 0n) flags |= 0x040;
    if (result < 0n !== Boolean(aux & 0x100)) flags |= 0x080;
    if (((carry >> 63n) ^ (carry >> 62n)) & 1n) flags |= 0x800;
    return BigInt(flags >>> 0);
  }

  set flags(value: bigint) {
    const flags = Number(BigInt.asUintN(32, value));
    const carry = flags & 1;
    const overflow = (flags >> 11) & 1;
    const zero = Boolean(flags & 0x40);
    // ZF decides whether the result is 0 or 1 (parity of 0 is even, of 1 odd); the inversion bits make up for the rest.
    const result = zero ? 0n : 1n;
    const aux = 59 | (flags & 0x80 ? 0x100 : 0) | (Boolean(flags & 0x04) !== zero ? 0x200 : 0);
    this.set(STATE.flagResult, result);
    this.set(
      STATE.flagCarry,
      (BigInt(carry) << 63n) | (BigInt(carry ^ overflow) << 62n) | (BigInt((flags >> 4) & 1) << 59n),
    );
    this.setNumber(STATE.flagAux, aux);
    this.setNumber(STATE.systemFlags, (flags & ~ARITHMETIC_FLAGS) | 2);
  }
}

function segmentSlot(segment: SegmentName | number, part: SegmentPart): StateSlot {
  const index = typeof segment === "number" ? segment : SEGMENTS.indexOf(segment);
  const field = SEGMENT_FIELDS[part];
  return { offset: SEGMENT_OFFSET + index * SEGMENT_STRIDE + field.offset, type: field.type };
}

/** True for an even number of ones. */
function parity(byte: number): boolean {
  let bits = byte;
  bits ^= bits >> 4;
  bits ^= bits >> 2;
  bits ^= bits >> 1;
  return (bits & 1) === 0;
}
