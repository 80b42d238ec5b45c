// The x87 register stack, its control, status and tag words, and how exceptions are recorded (SDM 1 chapter 8).
//
// The tag word in CPU state has two bits per physical register as FNSTENV shows them; only "empty" (3) is kept, the rest (valid, zero,
// special) is derived when it is stored.
import { STATE, X87_OFFSET, X87_STRIDE } from "../../x86/state-layout.ts";
import type { CpuState } from "../cpu-state.ts";
import { FLOAT_FLAGS, type Format, type Rounding, type RoundingContext } from "./soft-float.ts";
import { DEFAULT_NAN, decodeExtended } from "./x87-float.ts";

export const STATUS = {
  SF: 0x40,
  ES: 0x80,
  C0: 0x100,
  C1: 0x200,
  C2: 0x400,
  C3: 0x4000,
  B: 0x8000,
  TOP: 0x3800,
} as const;
const EXCEPTIONS = 0x3f;
const EMPTY = 3;

export class X87 {
  readonly #state: CpuState;
  readonly #view: DataView;
  /** Flags of the instruction in progress. */
  flags = 0;
  /** C1 of the instruction in progress: rounded up, or stack overflow. */
  c1 = false;

  constructor(state: CpuState) {
    this.#state = state;
    const bytes = state.bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset + X87_OFFSET, 8 * X87_STRIDE);
  }

  get control(): number {
    return this.#state.getNumber(STATE.x87Control);
  }
  /** Bit 6 always reads as one. A newly unmasked pending exception sets ES, a masked one clears it. */
  set control(value: number) {
    this.#state.setNumber(STATE.x87Control, (value & 0x1f7f) | 0x40);
    this.#summarize(this.status);
  }
  get status(): number {
    return this.#state.getNumber(STATE.x87Status);
  }
  set status(value: number) {
    this.#summarize(value);
  }
  /** ES and B say whether any exception flag is unmasked. */
  #summarize(value: number): void {
    const pending = value & ~this.control & EXCEPTIONS;
    const summary = pending ? STATUS.ES | STATUS.B : 0;
    if (!pending) this.#state.setNumber(STATE.numericErrorsIgnored, 0);
    this.#state.setNumber(STATE.x87Status, (value & ~(STATUS.ES | STATUS.B)) | summary);
  }
  get tag(): number {
    return this.#state.getNumber(STATE.x87Tag);
  }
  set tag(value: number) {
    this.#state.setNumber(STATE.x87Tag, value & 0xffff);
  }
  get top(): number {
    return (this.status >> 11) & 7;
  }
  set top(value: number) {
    this.status = (this.status & ~STATUS.TOP) | ((value & 7) << 11);
  }
  get rounding(): Rounding {
    return ((this.control >> 10) & 3) as Rounding;
  }

  /** The precision that PC selects for add, subtract, multiply, divide and square root; the exponent range is always extended. */
  get format(): Format {
    const precision = [24, 64, 53, 64][(this.control >> 8) & 3] ?? 64;
    return { precision, minExponent: -16382, maxExponent: 16383 };
  }

  // --- registers -------------------------------------------------------------------------------------------------------

  #physical(n: number): number {
    return (this.top + n) & 7;
  }

  isEmpty(n: number): boolean {
    return ((this.tag >> (2 * this.#physical(n))) & 3) === EMPTY;
  }

  setEmpty(n: number): void {
    this.tag |= EMPTY << (2 * this.#physical(n));
  }

  /** ST(n) as 80 bits. */
  read(n: number): bigint {
    return this.readPhysical(this.#physical(n));
  }

  /** Sets ST(n) and marks it valid. */
  write(n: number, value: bigint): void {
    const physical = this.#physical(n);
    this.writePhysical(physical, value);
    this.tag &= ~(3 << (2 * physical));
  }

  readPhysical(physical: number): bigint {
    const offset = physical * X87_STRIDE;
    return this.#view.getBigUint64(offset, true) | (BigInt(this.#view.getUint16(offset + 8, true)) << 64n);
  }

  writePhysical(physical: number, value: bigint): void {
    const offset = physical * X87_STRIDE;
    this.#view.setBigUint64(offset, BigInt.asUintN(64, value), true);
    this.#view.setUint16(offset + 8, Number((value >> 64n) & 0xffffn), true);
  }

  pop(): void {
    this.setEmpty(0);
    this.top += 1;
  }

  /** Pushes `value`; a full stack is an invalid operation with C1 = 1, whose masked answer is the default NaN. */
  push(value: bigint): void {
    if (!this.isEmpty(7)) {
      this.flags |= FLOAT_FLAGS.IE | STATUS.SF;
      this.c1 = true;
      if (this.masks(FLOAT_FLAGS.IE)) this.pushMasked(DEFAULT_NAN);
      return;
    }
    this.pushMasked(value);
  }

  /** Pushes whether or not there is room: what a masked stack fault does. */
  pushMasked(value: bigint): void {
    this.top -= 1;
    this.write(0, value);
  }

  // --- exceptions ------------------------------------------------------------------------------------------------------

  /** All of `flags` are masked. */
  masks(flags: number): boolean {
    return (flags & ~this.control & EXCEPTIONS) === 0;
  }

  /** Stack underflow: an empty register is read. False if the exception is unmasked and the instruction must do nothing. */
  underflow(): boolean {
    this.flags |= FLOAT_FLAGS.IE | STATUS.SF;
    this.c1 = false;
    return this.masks(FLOAT_FLAGS.IE);
  }

  /** For instructions that leave C1 as it is unless they underflow the stack. */
  keepC1(): void {
    this.c1 = (this.status & STATUS.C1) !== 0;
  }

  rounder(): RoundingContext {
    const unmasked = ~this.control & (FLOAT_FLAGS.OE | FLOAT_FLAGS.UE);
    return { rounding: this.rounding, flushToZero: false, unmasked, post: 0, roundedUp: false };
  }

  /** Records the flags and C1 of the instruction; unmasked ones are raised by the next waiting instruction. */
  finish(): void {
    this.status = (this.status & ~STATUS.C1) | this.flags | (this.c1 ? STATUS.C1 : 0);
  }

  setConditionCodes(codes: number): void {
    this.status = (this.status & ~(STATUS.C0 | STATUS.C2 | STATUS.C3)) | codes;
  }

  // --- words as instructions show them ---------------------------------------------------------------------------------

  initialize(): void {
    this.control = 0x37f;
    this.status = 0;
    this.tag = 0xffff;
    this.#state.setNumber(STATE.x87Opcode, 0);
    this.#state.set(STATE.x87Ip, 0n);
    this.#state.set(STATE.x87Dp, 0n);
  }

  /** Two bits per register: 0 valid, 1 zero, 2 special, 3 empty. */
  get fullTag(): number {
    let tag = 0;
    for (let n = 0; n < 8; n++) tag |= this.#classify(n) << (2 * n);
    return tag;
  }

  #classify(physical: number): number {
    if (((this.tag >> (2 * physical)) & 3) === EMPTY) return EMPTY;
    const value = decodeExtended(this.readPhysical(physical));
    if (value.kind === "zero") return 1;
    return value.kind === "finite" && !value.denormal && !value.unsupported ? 0 : 2;
  }

  /** One bit per register, 1 = not empty (FXSAVE). */
  get abridgedTag(): number {
    let tag = 0;
    for (let n = 0; n < 8; n++) if (((this.tag >> (2 * n)) & 3) !== EMPTY) tag |= 1 << n;
    return tag;
  }
  set abridgedTag(value: number) {
    let tag = 0;
    for (let n = 0; n < 8; n++) if (!((value >> n) & 1)) tag |= EMPTY << (2 * n);
    this.tag = tag;
  }
}
