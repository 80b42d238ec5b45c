// What a pure operation is, and the small vocabulary its tables are written with.
import type { ValueType } from "../nodes.ts";

/**
 * A value as the evaluator holds it, the way the WebAssembly JavaScript interface does: i32 as a signed number, i64 as a signed bigint,
 * f32 and f64 as numbers; v128 as an unsigned 128-bit bigint with lane 0 lowest.
 */
export type Constant = bigint | number;

export interface PureOp {
  readonly params: readonly ValueType[];
  readonly result: ValueType;
  /** The definition, from the WebAssembly specification. Throws RangeError where the instruction traps. */
  readonly evaluate: (args: readonly Constant[], immediate: readonly number[]) => Constant;
}

/** `{ add: f }` under the prefix `i32` becomes `{ "i32.add": op }`. */
export type Prefixed<P extends string, K extends string> = { [N in K as `${P}.${N}`]: PureOp };

/** Makes a table of operations of one signature from plain functions. */
export function define<P extends string, K extends string>(
  prefix: P,
  params: readonly ValueType[],
  result: ValueType,
  // biome-ignore lint/suspicious/noExplicitAny: the signature string and the function's types are matched by the table's author
  functions: Record<K, (...args: any[]) => Constant | boolean>, // oxlint-disable-line typescript/no-explicit-any
): Prefixed<P, K> {
  const entries = Object.entries(functions) as [K, (...args: unknown[]) => Constant | boolean][];
  return Object.fromEntries(
    entries.map(([name, f]) => [`${prefix}.${name}`, { params, result, evaluate: wrap(result, params.length, f) }]),
  ) as Prefixed<P, K>;
}

function wrap(
  result: ValueType,
  count: number,
  f: (...args: unknown[]) => Constant | boolean,
): (args: readonly Constant[], immediate: readonly number[]) => Constant {
  const normalize = NORMALIZE[result];
  return (args, immediate) => normalize(f(...args.slice(0, count), ...immediate));
}

const NORMALIZE: Record<ValueType, (value: Constant | boolean) => Constant> = {
  i32: (v) => (typeof v === "bigint" ? Number(BigInt.asIntN(32, v)) : Number(v) | 0),
  i64: (v) => BigInt.asIntN(64, BigInt(v)),
  f32: (v) => Math.fround(Number(v)),
  f64: (v) => Number(v),
  v128: (v) => BigInt.asUintN(128, BigInt(v)),
};
