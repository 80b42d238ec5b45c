// Typed access to the CPU state in memory 0 for code that is not translated: helpers, saved states, tests, the debugger.
import { assert } from "../common/assert.ts";
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

const TWO_TO_32 = 0x1_0000_0000;

/** Within a vector register, in bytes. */
const UPPER_HALF = 16;

export type SegmentPart = keyof typeof SEGMENT_FIELDS;

export class CpuState {
  readonly #view: DataView;
  readonly #base: number;
  /** The whole state, for what moves much of it at once. */
  readonly words: Int32Array;

  /** `buffer` holds the state at `base`; memory 0 never grows after it is made, so the view stays valid. */
  constructor(buffer: ArrayBuffer, base = 0) {
    this.#view = new DataView(buffer, base, STATE_SIZE);
    this.#base = base;
    this.words = new Int32Array(buffer, base, STATE_SIZE / 4);
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

  /** For slots of up to 32 bits (a u64 slot must hold a value below 2^53), without a bigint, for exceptions look at dozens of them. */
  getNumber({ type, offset }: StateSlot): number {
    if (type === "u16") return this.#view.getUint16(offset, true);
    const low = this.#view.getUint32(offset, true);
    return type === "u32" ? low : this.#view.getUint32(offset + 4, true) * TWO_TO_32 + low;
  }

  setNumber(slot: StateSlot, value: number): void {
    if (slot.type === "u16") this.#view.setUint16(slot.offset, value, true);
    else if (slot.type === "u32") this.#view.setUint32(slot.offset, value, true);
    else {
      this.#view.setUint32(slot.offset, value, true);
      this.#view.setUint32(slot.offset + 4, Math.floor(value / TWO_TO_32), true);
    }
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

  /** Unsigned 128-bit value of bits 255..128 of YMM register n. */
  vectorUpper(register: number): bigint {
    const offset = VECTOR_OFFSET + register * VECTOR_STRIDE + UPPER_HALF;
    return this.#view.getBigUint64(offset, true) | (this.#view.getBigUint64(offset + 8, true) << 64n);
  }

  setVectorUpper(register: number, value: bigint): void {
    const offset = VECTOR_OFFSET + register * VECTOR_STRIDE + UPPER_HALF;
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

  /** As `segment`, for parts of up to 32 bits. */
  segmentNumber(segment: SegmentName | number, part: Exclude<SegmentPart, "base">): number {
    return this.getNumber(segmentSlot(segment, part));
  }

  setSegmentNumber(segment: SegmentName | number, part: Exclude<SegmentPart, "base">, value: number): void {
    this.setNumber(segmentSlot(segment, part), value);
  }

  /** RFLAGS in architectural form. */
  get flags(): bigint {
    return BigInt(this.flagBits);
  }

  set flags(value: bigint) {
    this.flagBits = Number(BigInt.asUintN(32, value));
  }

  /** RFLAGS as an unsigned number: exceptions and returns are frequent enough to avoid bigints. */
  get flagBits(): number {
    const view = this.#view;
    const low = view.getInt32(STATE.flagResult.offset, true);
    const high = view.getInt32(STATE.flagResult.offset + 4, true);
    const carry = view.getInt32(STATE.flagCarry.offset + 4, true);
    const aux = view.getInt32(STATE.flagAux.offset, true);
    const auxWord = aux & 32 ? carry : view.getInt32(STATE.flagCarry.offset, true);
    let flags = view.getInt32(STATE.systemFlags.offset, true);
    if (carry < 0) flags |= 0x001;
    if (parity(low & 0xff) !== ((aux & 0x200) !== 0)) flags |= 0x004;
    if ((auxWord >> (aux & 31)) & 1) flags |= 0x010;
    if ((low | high) === 0) flags |= 0x040;
    if (high < 0 !== ((aux & 0x100) !== 0)) flags |= 0x080;
    if ((carry ^ (carry << 1)) < 0) flags |= 0x800;
    return flags >>> 0;
  }

  set flagBits(flags: number) {
    const view = this.#view;
    const carry = flags & 1;
    const overflow = (flags >> 11) & 1;
    const zero = (flags & 0x40) !== 0;
    // ZF decides whether the result is 0 or 1 (parity of 0 is even, of 1 odd); the inversion bits make up for the rest.
    const aux = 59 | (flags & 0x80 ? 0x100 : 0) | (((flags & 0x04) !== 0) !== zero ? 0x200 : 0);
    view.setInt32(STATE.flagResult.offset, zero ? 0 : 1, true);
    view.setInt32(STATE.flagResult.offset + 4, 0, true);
    view.setInt32(STATE.flagCarry.offset, 0, true);
    // Bits 63, 62 and 59: CF, CF ^ OF, AF.
    view.setInt32(
      STATE.flagCarry.offset + 4,
      (carry << 31) | ((carry ^ overflow) << 30) | (((flags >> 4) & 1) << 27),
      true,
    );
    view.setInt32(STATE.flagAux.offset, aux, true);
    view.setInt32(STATE.systemFlags.offset, (flags & ~ARITHMETIC_FLAGS) | 2, true);
  }
}

type SegmentSlots = Readonly<Record<SegmentPart, StateSlot>>;

const SEGMENT_SLOTS: readonly SegmentSlots[] = SEGMENTS.map((_, index) => {
  const slot = ({ offset, type }: StateSlot): StateSlot => ({
    offset: SEGMENT_OFFSET + index * SEGMENT_STRIDE + offset,
    type,
  });
  const { base, limit, attributes, selector } = SEGMENT_FIELDS;
  return { base: slot(base), limit: slot(limit), attributes: slot(attributes), selector: slot(selector) };
});

function segmentSlot(segment: SegmentName | number, part: SegmentPart): StateSlot {
  const slots = SEGMENT_SLOTS[typeof segment === "number" ? segment : SEGMENTS.indexOf(segment)];
  assert(slots !== undefined, "a segment register has a number from 0 to 5");
  return slots[part];
}

/** True for an even number of ones. */
function parity(byte: number): boolean {
  let bits = byte;
  bits ^= bits >> 4;
  bits ^= bits >> 2;
  bits ^= bits >> 1;
  return (bits & 1) === 0;
}
