// Expression-style writing of WebAssembly: `add(get(x), i32(4))` instead of a stack machine's order.
// A Code is a piece of program that, when it runs over a FunctionWriter, emits itself.
import type { FunctionWriter } from "./function-writer.ts";
import type { OpcodeName } from "./opcodes.ts";
import type { FunctionReference, Label, Local, WasmType } from "./types.ts";

export type Code = (f: FunctionWriter) => void;

export const seq =
  (...codes: readonly Code[]): Code =>
  (f) =>
    each(codes, f);

/** Not for-of: most code is made by functions that V8 has not optimized yet, where an iterator is a call per step. */
function each(codes: readonly Code[], f: FunctionWriter): void {
  for (let n = 0; n < codes.length; n++) (codes[n] as Code)(f);
}

/** An instruction without immediates, after its operands. */
export const op =
  (name: OpcodeName, ...operands: readonly Code[]): Code =>
  (f) => {
    each(operands, f);
    f.emit(name);
  };

export const i32 =
  (value: number): Code =>
  (f) =>
    f.i32(value);
export const i64 =
  (value: bigint | number): Code =>
  (f) =>
    f.i64(value);

export const get =
  (local: Local): Code =>
  (f) =>
    f.get(local);
export const set =
  (local: Local, value: Code): Code =>
  (f) => {
    value(f);
    f.set(local);
  };
export const tee =
  (local: Local, value: Code): Code =>
  (f) => {
    value(f);
    f.tee(local);
  };

/** A load from `address + offset`. */
export const load =
  (name: OpcodeName, address: Code, offset = 0, memory = 0): Code =>
  (f) => {
    address(f);
    f.access(name, memory, offset);
  };

export const store =
  (name: OpcodeName, address: Code, value: Code, offset = 0, memory = 0): Code =>
  (f) => {
    address(f);
    value(f);
    f.access(name, memory, offset);
  };

/** memory.copy within one memory: target, source, byte count. */
export const copy =
  (memory: number, target: Code, source: Code, bytes: Code): Code =>
  (f) => {
    each([target, source, bytes], f);
    f.index("memory.copy", memory, memory);
  };

/** memory.fill: target, byte, byte count. */
export const fill =
  (memory: number, target: Code, byte: Code, bytes: Code): Code =>
  (f) => {
    each([target, byte, bytes], f);
    f.index("memory.fill", memory);
  };

export const call =
  (callee: FunctionReference, ...args: readonly Code[]): Code =>
  (f) => {
    each(args, f);
    f.call(callee);
  };

export const ret = (...values: readonly Code[]): Code => op("return", ...values);

/** if / else without a value. */
export const when =
  (condition: Code, then: readonly Code[], otherwise: readonly Code[] = [], likely?: boolean): Code =>
  (f) => {
    condition(f);
    const label = f.open("if", undefined, likely);
    each(then, f);
    if (otherwise.length > 0) f.otherwise();
    each(otherwise, f);
    f.close(label);
  };

export const unlikely = (condition: Code, then: readonly Code[]): Code => when(condition, then, [], false);

/** if / else that leaves a value of `type`. */
export const choose =
  (type: WasmType, condition: Code, then: Code, otherwise: Code, likely?: boolean): Code =>
  (f) => {
    condition(f);
    const label = f.open("if", type, likely);
    then(f);
    f.otherwise();
    otherwise(f);
    f.close(label);
  };

/** Wasm's select: both sides are evaluated. */
export const select = (condition: Code, a: Code, b: Code): Code => op("select", a, b, condition);

/** A block that `br(label)` leaves. */
export const block =
  (body: (label: Label) => readonly Code[]): Code =>
  (f) => {
    const label = f.open("block");
    each(body(label), f);
    f.close(label);
  };

/** A loop that `br(label)` repeats. */
export const loop =
  (body: (label: Label) => readonly Code[]): Code =>
  (f) => {
    const label = f.open("loop");
    each(body(label), f);
    f.close(label);
  };

export const br =
  (label: Label): Code =>
  (f) =>
    f.br(label);

export const brIf =
  (label: Label, condition: Code, likely?: boolean): Code =>
  (f) => {
    condition(f);
    f.brIf(label, likely);
  };

// Short names for what emulator code is made of.
export const add32 = (a: Code, b: Code): Code => op("i32.add", a, b);
export const sub32 = (a: Code, b: Code): Code => op("i32.sub", a, b);
export const and32 = (a: Code, b: Code): Code => op("i32.and", a, b);
export const or32 = (a: Code, b: Code): Code => op("i32.or", a, b);
export const shl32 = (a: Code, b: number): Code => op("i32.shl", a, i32(b));
export const shrU32 = (a: Code, b: number): Code => op("i32.shr_u", a, i32(b));
export const eq32 = (a: Code, b: Code): Code => op("i32.eq", a, b);
export const ne32 = (a: Code, b: Code): Code => op("i32.ne", a, b);
export const not32 = (a: Code): Code => op("i32.eqz", a);
export const add64 = (a: Code, b: Code): Code => op("i64.add", a, b);
export const sub64 = (a: Code, b: Code): Code => op("i64.sub", a, b);
export const and64 = (a: Code, b: Code): Code => op("i64.and", a, b);
export const or64 = (a: Code, b: Code): Code => op("i64.or", a, b);
export const shl64 = (a: Code, b: number): Code => op("i64.shl", a, i64(b));
export const shrU64 = (a: Code, b: number): Code => op("i64.shr_u", a, i64(b));
export const eq64 = (a: Code, b: Code): Code => op("i64.eq", a, b);
/** Not zero if they differ: several of these in one `or` need one branch and no 0 or 1 in between. */
export const xor32 = (a: Code, b: Code): Code => op("i32.xor", a, b);
export const xor64 = (a: Code, b: Code): Code => op("i64.xor", a, b);
export const ne64 = (a: Code, b: Code): Code => op("i64.ne", a, b);
export const wrap = (a: Code): Code => op("i32.wrap_i64", a);
export const extendU = (a: Code): Code => op("i64.extend_i32_u", a);
/** Non-zero if any of `bits` is set in the i32 value. */
export const test32 = (a: Code, bits: number): Code => and32(a, i32(bits));
/** Non-zero (i32) if any of `bits` is set in the i64 value. */
export const test64 = (a: Code, bits: bigint): Code => op("i64.ne", and64(a, i64(bits)), i64(0));
