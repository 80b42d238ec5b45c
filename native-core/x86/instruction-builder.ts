// What semantic functions are written against: one instruction form (fixed operand size, operand kinds and mode) over the IR.
//
// Integers are i64, zero-extended from the operand size. `read`/`write` work on the row's operands, left to right from 0.
// Order of effects: everything that may fault (loads, stores) comes before register and flag writes, so that faults are precise;
// for a read-modify-write destination use `readForWrite`.
import { IrBuilder } from "../ir/builder.ts";
import type { Exit, RegisterSelector, Size, Value } from "../ir/nodes.ts";
import type { PureOpName } from "../ir/ops.ts";
import { PSEUDO_REGISTERS } from "./state-layout.ts";

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
}

/** DS: no base in 64-bit mode; outside it, the segment whose number is in field `reg` (DS unless overridden). */
export const SEGMENT_DEFAULT = 3;
/** 64-bit mode with an FS or GS override: the segment's number is in field `reg`. */
export const SEGMENT_IN_FIELD = 4;

const SIZE_MASK: Record<Size, bigint> = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn, 8: -1n };

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

  operand(n: number): OperandForm {
    const operand = this.form.operands[n];
    if (!operand) throw new Error(`no operand ${n}`);
    return operand;
  }

  isMemory(n: number): boolean {
    return this.operand(n).kind === "memory";
  }

  // --- operands ------------------------------------------------------------------------------------------------------

  /** Linear address of memory operand n. */
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
    const operand = this.operand(n);
    switch (operand.kind) {
      case "general":
        return this.readRegister("general", operand.selector, operand.size);
      case "memory":
        return this.load(operand.size as Size, this.address(n), forWrite);
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
    const operand = this.operand(n);
    if (operand.kind === "general")
      this.writeRegister("general", operand.selector, operand.size, this.mask(value, operand.size));
    else if (operand.kind === "memory") this.store(operand.size as Size, this.address(n), value);
    else throw new Error(`operand ${n} (${operand.kind}) cannot be written as an integer`);
  }

  /** A general register by its number (RAX=0 ... R15=15), not high-byte. */
  readGeneral(register: number, size: Size = this.size): Value {
    return this.readRegister("general", { kind: "fixed", register: register * 8 }, size);
  }

  writeGeneral(register: number, value: Value, size: Size = this.size): void {
    this.writeRegister("general", { kind: "fixed", register: register * 8 }, size, this.mask(value, size));
  }

  /** Vector operand n as v128: a register, or 16 bytes of memory. `aligned`: #GP(0) unless the address is a multiple of 16. */
  readVector(n: number, aligned = false): Value {
    const operand = this.operand(n);
    if (operand.kind === "vector") return this.readRegister("vector", operand.selector, 16);
    const address = this.address(n);
    if (aligned) this.requireAligned(address, 16);
    return this.load(16, address);
  }

  /** The low `size` bytes of vector operand n as i64, zero-extended: a register's low lane, or memory. */
  readScalar(n: number, size: 4 | 8): Value {
    const operand = this.operand(n);
    if (operand.kind === "vector") return this.readRegister("vector", operand.selector, size);
    return this.load(size, this.address(n));
  }

  writeVector(n: number, value: Value, aligned = false): void {
    const operand = this.operand(n);
    if (operand.kind === "vector") return this.writeRegister("vector", operand.selector, 16, value);
    const address = this.address(n);
    if (aligned) this.requireAligned(address, 16);
    this.store(16, address, value);
  }

  /** Writes the low `size` bytes; the other bits of a register stay. */
  writeScalar(n: number, size: 4 | 8, value: Value): void {
    const operand = this.operand(n);
    if (operand.kind === "vector") return this.writeRegister("vector", operand.selector, size, value);
    this.store(size, this.address(n), value);
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
