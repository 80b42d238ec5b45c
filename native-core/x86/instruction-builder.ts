// What semantic functions are written against: one instruction form (fixed operand size, operand kinds and mode) over the IR.
//
// Integers are i64, zero-extended from the operand size. `read`/`write` work on the row's operands, left to right from 0.
// Order of effects: everything that may fault (loads, stores) comes before register and flag writes, so that faults are precise;
// for a read-modify-write destination use `readForWrite`.
import { IrBuilder } from "../ir/builder.ts";
import type { Exit, RegisterSelector, Size, Value } from "../ir/nodes.ts";
import type { PureOpName } from "../ir/ops.ts";
import { PSEUDO_REGISTERS, VECTOR_PART } from "./state-layout.ts";

/** One operand of a form, as the decoder resolved it. */
export type OperandForm =
  | { readonly kind: "general"; readonly selector: RegisterSelector; readonly size: Size }
  | { readonly kind: "vector"; readonly selector: RegisterSelector }
  | { readonly kind: "mmx" | "x87" | "segment" | "control" | "debug"; readonly selector: RegisterSelector }
  /** Address = file[rm] + (file[index] << scale) + disp: already linear (segment overrides went through ADDRESS). */
  | { readonly kind: "memory"; readonly size: number }
  /** Immediate in `imm`, sign-extended to the operand size. */
  | { readonly kind: "immediate"; readonly size: Size }
  /** MOV r64, imm64 and moffs addresses. */
  | { readonly kind: "immediate64" }
  | { readonly kind: "constant"; readonly value: number }
  /** Relative branch target. */
  | { readonly kind: "relative" };

export interface FormInfo {
  /** Operand size in bytes: 1 for byte forms, else 2, 4 or 8. */
  readonly size: Size;
  readonly operands: readonly OperandForm[];
  /** 64-bit code, or 16/32-bit code (segment bases, stack mask and limits then apply to implicit memory operands). */
  readonly mode: "64" | "legacy";
  /** Address size in bytes of implicit operands (string instructions, LOOP, JCXZ). */
  readonly addressSize: 2 | 4 | 8;
  /** REP/REPE (F3) or REPNE (F2) where the row is repeatable. */
  readonly repeat: "none" | "rep" | "repne";
  /** Segment of string sources: SEGMENT_DEFAULT or SEGMENT_IN_FIELD. */
  readonly segment: number;
  /** Bytes of the vectors of a VEX form; absent for all others. */
  readonly vectorLength?: 16 | 32;
}

/**
 * How a VEX form derives from the semantics of a legacy row (semantics/vex.ts). A form of 256 bits runs them twice, for the lower and the
 * upper 128 bits of its operands.
 */
export interface VexShape {
  /** The first source is an operand of its own instead of the destination: sources are numbered one higher. */
  readonly separateSource: boolean;
  /**
   * What the upper half reads from operand 1: its own upper half; the next as many bytes as the lower half took (the result is wider than
   * the source); or again the lower 128 bits (a shift count).
   */
  readonly source: "halves" | "next" | "same";
  /** Of the results: two halves of the destination; 8 bytes each; or bits of a general register, so many each. */
  readonly result: "halves" | "quads" | 2 | 4 | 16;
  /** Bits of the immediate that the lower half uses, where the upper half has its own behind them. */
  readonly immediateBits: number;
}

/** DS: no base in 64-bit mode; outside it, the segment whose number is in field `reg` (DS unless overridden). */
export const SEGMENT_DEFAULT = 3;
/** 64-bit mode with an FS or GS override: the segment's number is in field `reg`. */
export const SEGMENT_IN_FIELD = 4;

const SIZE_MASK: Record<Size, bigint> = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn, 8: -1n };

/** `true`: legacy SSE wants it. "always": MOVAPS and its like, in VEX forms too. */
export type Alignment = boolean | "always";

export class InstructionBuilder extends IrBuilder {
  readonly form: FormInfo;
  /** Operand size in bytes. */
  readonly size: Size;

  constructor(form: FormInfo) {
    super();
    this.form = form;
    this.size = form.size;
  }

  get bits(): number {
    return this.size * 8;
  }

  /** A VEX form: no alignment checks, destinations are zeroed above what is written. */
  get isVex(): boolean {
    return this.form.vectorLength !== undefined;
  }

  /** Operand n as the semantics number it: legacy numbers where a VEX form derives from them. */
  operand(n: number): OperandForm {
    return this.#operandAt(n === 0 ? 0 : this.#source(n));
  }

  #operandAt(n: number): OperandForm {
    const operand = this.form.operands[n];
    if (!operand) throw new Error(`no operand ${n}`);
    return operand;
  }

  /** Index of what the semantics read as operand n. */
  #source(n: number): number {
    return this.#shape?.separateSource ? n + 1 : n;
  }

  isMemory(n: number): boolean {
    return this.operand(n).kind === "memory";
  }

  address(n: number): Value {
    if (!this.isMemory(n)) throw new Error(`operand ${n} is not in memory`);
    return this.effectiveAddress();
  }

  /** file[rm] + (file[index] << scale) + disp: what LEA stores (before truncation to the operand size). */
  effectiveAddress(): Value {
    const base = this.readRegister("general", { kind: "field", field: "rm" }, 8);
    const index = this.readRegister("general", { kind: "field", field: "index" }, 8);
    return this.add(this.add(base, this.shl(index, this.field("scale"))), this.field("disp"));
  }

  /** Integer operand n, zero-extended; a memory operand is loaded here. */
  read(n: number): Value {
    return this.#read(n, false);
  }

  /** As `read`, for a destination that is written afterwards: a memory page must be writable. */
  readForWrite(n: number): Value {
    return this.#read(n, true);
  }

  #read(n: number, forWrite: boolean): Value {
    const operand = this.#operandAt(this.#source(n));
    switch (operand.kind) {
      case "general":
        return this.readRegister("general", operand.selector, operand.size);
      case "memory":
        return this.load(operand.size as Size, this.effectiveAddress(), forWrite);
      case "immediate":
        return this.mask(this.field("imm"), operand.size);
      case "immediate64":
        return this.field("imm64");
      case "constant":
        return this.i64(operand.value);
      default:
        throw new Error(`operand ${n} (${operand.kind}) is not an integer`);
    }
  }

  /** Writes integer operand n; `value` need not be masked for memory and 8-byte registers. */
  write(n: number, value: Value): void {
    if (this.#isHalf) {
      this.#results.push(value);
      return;
    }
    const operand = this.operand(n);
    if (operand.kind === "general")
      this.writeRegister("general", operand.selector, operand.size, this.mask(value, operand.size));
    else if (operand.kind === "memory") this.store(operand.size as Size, this.effectiveAddress(), value);
    else throw new Error(`operand ${n} (${operand.kind}) cannot be written as an integer`);
  }

  /** A general register by its number (RAX=0 ... R15=15), not high-byte. */
  readGeneral(register: number, size: Size = this.size): Value {
    return this.readRegister("general", { kind: "fixed", register: register * 8 }, size);
  }

  writeGeneral(register: number, value: Value, size: Size = this.size): void {
    this.writeRegister("general", { kind: "fixed", register: register * 8 }, size, this.mask(value, size));
  }

  /**
   * Vector operand n as v128: a register, or 16 bytes of memory. `aligned`: #GP(0) unless the address is a multiple of 16, which VEX forms
   * drop unless it is "always".
   */
  readVector(n: number, aligned: Alignment = false): Value {
    const operand = this.#operandAt(this.#source(n));
    if (this.#isHalf) return this.#readHalf(n, operand, aligned);
    if (operand.kind === "vector") return this.readRegister("vector", operand.selector, 16);
    const address = this.effectiveAddress();
    this.#align(address, aligned);
    return this.load(16, address);
  }

  /** The low `size` bytes of vector operand n as i64, zero-extended: a register's low lane, or memory. */
  readScalar(n: number, size: 4 | 8): Value {
    const operand = this.#operandAt(this.#source(n));
    if (this.#isHalf) {
      const low = this.pure("i64x2.extract_lane", [this.readLowest(n, size)], [0]);
      return this.mask(low, size);
    }
    if (operand.kind === "vector") return this.readRegister("vector", operand.selector, size);
    return this.load(size, this.effectiveAddress());
  }

  /** A vector whose low `bytes` bytes are those of vector operand n; only so many are read from memory. */
  readLowest(n: number, bytes: 2 | 4 | 8): Value {
    const operand = this.#operandAt(this.#source(n));
    if (this.#isHalf) {
      const half = this.#readHalf(n, operand, false);
      if (this.part === VECTOR_PART.low || this.#shape?.source !== "next") return half;
      const indices = Array.from({ length: 16 }, (_, byte) => Math.min(byte + bytes, 15));
      return this.pure("i8x16.shuffle", [half, half], indices);
    }
    if (operand.kind === "vector") return this.readRegister("vector", operand.selector, 16);
    return this.#zeroExtended(this.load(bytes, this.effectiveAddress()));
  }

  writeVector(n: number, value: Value, aligned: Alignment = false): void {
    if (this.#isHalf) {
      this.#results.push(value);
      this.#resultAlignment = aligned;
      return;
    }
    const operand = this.operand(n);
    if (operand.kind === "vector") {
      this.writeRegister("vector", operand.selector, 16, value);
      if (this.isVex) this.writeRegister("vector", operand.selector, 16, this.v128(0n), true);
      return;
    }
    const address = this.effectiveAddress();
    this.#align(address, aligned);
    this.store(16, address, value);
  }

  /** Writes the low `size` bytes; the other bits of a register stay, or in a VEX form are those of the first source. */
  writeScalar(n: number, size: 4 | 8, value: Value): void {
    const operand = this.operand(n);
    if (operand.kind !== "vector") this.store(size, this.effectiveAddress(), value);
    else if (!this.isVex) this.writeRegister("vector", operand.selector, size, value);
    else {
      const rest = this.readVector(0);
      const name = size === 8 ? "i64x2.replace_lane" : "i32x4.replace_lane";
      this.writeVector(n, this.pure(name, [rest, size === 8 ? value : this.narrow(value)], [0]));
    }
  }

  #align(address: Value, aligned: Alignment): void {
    if (aligned === "always") this.requireAligned(address, this.form.vectorLength ?? 16);
    else if (aligned && !this.isVex) this.requireAligned(address, 16);
  }

  #zeroExtended(low: Value): Value {
    return this.pure("i64x2.replace_lane", [this.v128(0n), low], [0]);
  }

  // --- VEX forms of legacy semantics ---------------------------------------------------------------------------------

  /** Which half of the operands the semantics are writing code for (VECTOR_PART). */
  part: number = VECTOR_PART.whole;
  #shape: VexShape | undefined;
  #results: Value[] = [];
  #resultAlignment: Alignment = false;
  /** Halves of a memory operand: both are read before the first has an effect. */
  #loaded: readonly [Value, Value] | undefined;

  get #isHalf(): boolean {
    return this.part !== VECTOR_PART.whole;
  }

  get isUpperHalf(): boolean {
    return this.part === VECTOR_PART.high;
  }

  /** How far the immediate of the half in hand is shifted. */
  get immediateShift(): number {
    return this.part === VECTOR_PART.high ? (this.#shape?.immediateBits ?? 0) : 0;
  }

  /** Runs legacy semantics as those of a VEX form. */
  derive(shape: VexShape, legacy: () => void): void {
    this.#shape = shape;
    legacy();
    this.#shape = undefined;
  }

  /** Runs what a legacy row does to 128 bits for each half of a 256-bit form, else once. */
  eachHalf(body: () => void): void {
    if (!this.#shape || this.form.vectorLength !== 32) return body();
    this.part = VECTOR_PART.low;
    body();
    this.part = VECTOR_PART.high;
    body();
    this.part = VECTOR_PART.whole;
    const [low, high] = this.#results;
    if (!low || !high) throw new Error("each half has one result");
    this.#writeHalves(low, high, this.#shape.result);
  }

  #writeHalves(low: Value, high: Value, result: VexShape["result"]): void {
    if (result === "halves") this.writeWide(0, low, high, this.#resultAlignment);
    else if (result === "quads") {
      const upper = this.pure("i64x2.extract_lane", [high], [0]);
      this.writeVector(0, this.pure("i64x2.replace_lane", [low, upper], [1]));
    } else this.write(0, this.or(low, this.shl(high, this.i64(result))));
  }

  #readHalf(n: number, operand: OperandForm, aligned: Alignment): Value {
    const upper = this.part === VECTOR_PART.high;
    const source = n === 1 ? (this.#shape?.source ?? "halves") : "halves";
    if (operand.kind === "vector")
      return this.readRegister("vector", operand.selector, 16, upper && source === "halves");
    this.#loaded ??= this.#loadHalves(operand, source, aligned);
    return this.#loaded[upper ? 1 : 0];
  }

  #loadHalves(operand: OperandForm, source: VexShape["source"], aligned: Alignment): readonly [Value, Value] {
    if (operand.kind !== "memory") throw new Error(`${operand.kind} is not a vector operand`);
    const address = this.effectiveAddress();
    this.#align(address, aligned);
    if (source === "halves") return this.loadWide(address);
    const size = operand.size as 4 | 8 | 16;
    const whole = size === 16 ? this.load(16, address) : this.#zeroExtended(this.load(size, address));
    return [whole, whole];
  }

  /** Both halves of 32 bytes of memory, low first. */
  loadWide(address: Value): readonly [Value, Value] {
    return [this.load(16, address), this.load(16, this.add(address, this.i64(16)))];
  }

  /** Both halves of vector operand n (not renumbered), low first. */
  readWide(n: number): readonly [Value, Value] {
    const operand = this.#operandAt(n);
    if (operand.kind !== "vector") return this.loadWide(this.effectiveAddress());
    const { selector } = operand;
    return [this.readRegister("vector", selector, 16), this.readRegister("vector", selector, 16, true)];
  }

  /** Writes 256 bits: a register, or memory, of which either all or nothing is written. */
  writeWide(n: number, low: Value, high: Value, aligned: Alignment = false): void {
    const operand = this.#operandAt(n);
    if (operand.kind === "vector") {
      this.writeRegister("vector", operand.selector, 16, low);
      this.writeRegister("vector", operand.selector, 16, high, true);
      return;
    }
    const address = this.effectiveAddress();
    this.#align(address, aligned);
    this.requireWritable(address, 32);
    this.store(16, address, low);
    this.store(16, this.add(address, this.i64(16)), high);
  }

  /** Faults now as a write of `bytes` bytes would: before effects that must not happen if it fails. */
  requireWritable(address: Value, bytes: number): void {
    const last = this.add(address, this.i64(bytes - 1));
    this.translate(address, true);
    this.if(this.isNonZero(this.shrU(this.xor(address, last), this.i64(12))), () => {
      this.translate(this.and(last, this.i64(-4096)), true);
    });
  }

  requireAligned(address: Value, bytes: number): void {
    this.if(this.isNonZero(this.and(address, this.i64(bytes - 1))), () => this.raise(13, this.i64(0)));
  }

  // --- arithmetic on i64 ---------------------------------------------------------------------------------------------

  #binary(name: PureOpName, a: Value, b: Value): Value {
    return this.pure(name, [a, b]);
  }
  add(a: Value, b: Value): Value {
    return this.#binary("i64.add", a, b);
  }
  sub(a: Value, b: Value): Value {
    return this.#binary("i64.sub", a, b);
  }
  mul(a: Value, b: Value): Value {
    return this.#binary("i64.mul", a, b);
  }
  and(a: Value, b: Value): Value {
    return this.#binary("i64.and", a, b);
  }
  or(a: Value, b: Value): Value {
    return this.#binary("i64.or", a, b);
  }
  xor(a: Value, b: Value): Value {
    return this.#binary("i64.xor", a, b);
  }
  not(a: Value): Value {
    return this.xor(a, this.i64(-1));
  }
  shl(a: Value, count: Value): Value {
    return this.#binary("i64.shl", a, count);
  }
  shrU(a: Value, count: Value): Value {
    return this.#binary("i64.shr_u", a, count);
  }
  shrS(a: Value, count: Value): Value {
    return this.#binary("i64.shr_s", a, count);
  }
  /** Comparisons yield i32 0 or 1. */
  eq(a: Value, b: Value): Value {
    return this.#binary("i64.eq", a, b);
  }
  ne(a: Value, b: Value): Value {
    return this.#binary("i64.ne", a, b);
  }
  ltU(a: Value, b: Value): Value {
    return this.#binary("i64.lt_u", a, b);
  }
  ltS(a: Value, b: Value): Value {
    return this.#binary("i64.lt_s", a, b);
  }
  isZero(a: Value): Value {
    return this.pure("i64.eqz", [a]);
  }
  isNonZero(a: Value): Value {
    return this.ne(a, this.i64(0));
  }
  /** i32 condition ? a : b, for i64. */
  select(condition: Value, a: Value, b: Value): Value {
    return this.pure("i64.select", [a, b, condition]);
  }
  /** i32 to i64, zero-extended. */
  widen(a: Value): Value {
    return this.pure("i64.extend_i32_u", [a]);
  }
  narrow(a: Value): Value {
    return this.pure("i32.wrap_i64", [a]);
  }

  /** Zero-extends the low `size` bytes. */
  mask(a: Value, size: Size = this.size): Value {
    return size === 8 ? a : this.and(a, this.i64(SIZE_MASK[size]));
  }

  signExtend(a: Value, size: Size = this.size): Value {
    if (size === 8) return a;
    return this.pure(size === 1 ? "i64.extend8_s" : size === 2 ? "i64.extend16_s" : "i64.extend32_s", [a]);
  }

  /** Most significant bit of a value of `size` bytes, as i32 0 or 1. */
  signBit(a: Value, size: Size = this.size): Value {
    return this.narrow(this.and(this.shrU(a, this.i64(size * 8 - 1)), this.i64(1)));
  }

  // --- control transfer ----------------------------------------------------------------------------------------------

  /** Offset of the next instruction in CS. */
  nextRip(): Value {
    return this.#inCode(this.add(this.#blockOffset("start"), this.field("length")));
  }

  /** Target of a relative branch: a 16-bit operand size truncates it to IP. */
  relativeTarget(): Value {
    const target = this.#blockOffset("disp");
    return this.form.mode === "legacy" && this.size === 2 ? this.mask(target, 2) : this.#inCode(target);
  }

  #blockOffset(field: "start" | "disp"): Value {
    const block = this.readRegister("general", { kind: "fixed", register: PSEUDO_REGISTERS.BLOCK_RIP }, 8);
    return this.add(block, this.field(field));
  }

  /** Outside 64-bit mode RIP has 32 bits. */
  #inCode(rip: Value): Value {
    return this.form.mode === "64" ? rip : this.mask(rip, 4);
  }

  leave(exit: Exit): void {
    this.exit(exit);
  }
}
