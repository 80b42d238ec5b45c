// f32 and f64 operations and the conversions between all scalar types.
// Rounding of f32: the f64 result of + - * / and sqrt on f32 operands, rounded once more, is the correctly rounded f32 result.
import { define, type Prefixed, type PureOp } from "./types.ts";

const scratch = new DataView(new ArrayBuffer(8));

export function floatToBits(value: number, bits: 32 | 64): bigint {
  if (bits === 64) scratch.setFloat64(0, value);
  else scratch.setFloat32(0, value);
  return bits === 64 ? scratch.getBigUint64(0) : BigInt(scratch.getUint32(0));
}

export function bitsToFloat(value: bigint, bits: 32 | 64): number {
  if (bits === 64) scratch.setBigUint64(0, BigInt.asUintN(64, value));
  else scratch.setUint32(0, Number(BigInt.asUintN(32, value)));
  return bits === 64 ? scratch.getFloat64(0) : scratch.getFloat32(0);
}

/** Round half to even. */
export function nearest(value: number): number {
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 52) return value;
  const floor = Math.floor(value);
  const difference = value - floor;
  const up = difference > 0.5 || (difference === 0.5 && floor % 2 !== 0);
  const rounded = up ? floor + 1 : floor;
  return rounded === 0 && (value < 0 || Object.is(value, -0)) ? -0 : rounded;
}

/** Truncates toward zero and clamps to the integer range; NaN is 0. */
export function truncateSaturating(value: number, bits: number, signed: boolean): bigint {
  if (Number.isNaN(value)) return 0n;
  const low = signed ? -(1n << BigInt(bits - 1)) : 0n;
  const high = signed ? (1n << BigInt(bits - 1)) - 1n : (1n << BigInt(bits)) - 1n;
  if (value <= Number(low)) return low;
  if (value >= Number(high)) return high;
  return BigInt(Math.trunc(value));
}

/** An integer to f32 with one rounding: through f64 would round twice. */
function toFloat32(value: bigint): number {
  const magnitude = value < 0n ? -value : value;
  const excess = magnitude.toString(2).length - 24;
  if (excess <= 0) return Number(value);
  const unit = 1n << BigInt(excess);
  const remainder = magnitude % unit;
  let kept = magnitude / unit;
  if (remainder * 2n > unit || (remainder * 2n === unit && kept & 1n)) kept += 1n;
  const rounded = Number(kept * unit);
  return value < 0n ? -rounded : rounded;
}

type Unary = "abs" | "neg" | "ceil" | "floor" | "trunc" | "nearest" | "sqrt";
type Binary = "add" | "sub" | "mul" | "div" | "min" | "max" | "copysign";
type Compare = "eq" | "ne" | "lt" | "gt" | "le" | "ge";

/** Also the lane functions of f32x4 and f64x2. */
export const FLOAT_UNARY: Record<Unary, (a: number) => number> = {
  abs: Math.abs,
  neg: (a) => -a,
  ceil: Math.ceil,
  floor: Math.floor,
  trunc: Math.trunc,
  nearest,
  sqrt: Math.sqrt,
};

export const FLOAT_BINARY: Record<Binary, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
  copysign: (a, b) => (b < 0 || Object.is(b, -0) ? -Math.abs(a) : Math.abs(a)),
};

export const FLOAT_COMPARE: Record<Compare, (a: number, b: number) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  gt: (a, b) => a > b,
  le: (a, b) => a <= b,
  ge: (a, b) => a >= b,
};

function floatOps<T extends "f32" | "f64">(type: T): Prefixed<T, Unary | Binary | Compare> {
  return {
    ...define(type, [type], type, FLOAT_UNARY),
    ...define(type, [type, type], type, FLOAT_BINARY),
    ...define(type, [type, type], "i32", FLOAT_COMPARE),
  } as unknown as Prefixed<T, Unary | Binary | Compare>;
}

const u64 = (a: bigint) => BigInt.asUintN(64, a);

export const FLOATING_POINT_OPS = {
  ...floatOps("f32"),
  ...floatOps("f64"),
  ...define("f32", ["f32", "f32", "i32"], "f32", { select: (a: number, b: number, c: number) => (c ? a : b) }),
  ...define("f64", ["f64", "f64", "i32"], "f64", { select: (a: number, b: number, c: number) => (c ? a : b) }),
  ...define("i32", ["f32"], "i32", {
    trunc_sat_f32_s: (a: number) => truncateSaturating(a, 32, true),
    trunc_sat_f32_u: (a: number) => truncateSaturating(a, 32, false),
    reinterpret_f32: (a: number) => floatToBits(a, 32),
  }),
  ...define("i32", ["f64"], "i32", {
    trunc_sat_f64_s: (a: number) => truncateSaturating(a, 32, true),
    trunc_sat_f64_u: (a: number) => truncateSaturating(a, 32, false),
  }),
  ...define("i64", ["f32"], "i64", {
    trunc_sat_f32_s: (a: number) => truncateSaturating(a, 64, true),
    trunc_sat_f32_u: (a: number) => truncateSaturating(a, 64, false),
  }),
  ...define("i64", ["f64"], "i64", {
    trunc_sat_f64_s: (a: number) => truncateSaturating(a, 64, true),
    trunc_sat_f64_u: (a: number) => truncateSaturating(a, 64, false),
    reinterpret_f64: (a: number) => floatToBits(a, 64),
  }),
  ...define("f32", ["i32"], "f32", {
    convert_i32_s: (a: number) => toFloat32(BigInt(a)),
    convert_i32_u: (a: number) => toFloat32(BigInt(a >>> 0)),
    reinterpret_i32: (a: number) => bitsToFloat(BigInt(a), 32),
  }),
  ...define("f32", ["i64"], "f32", {
    convert_i64_s: (a: bigint) => toFloat32(a),
    convert_i64_u: (a: bigint) => toFloat32(u64(a)),
  }),
  ...define("f64", ["i32"], "f64", {
    convert_i32_s: (a: number) => a,
    convert_i32_u: (a: number) => a >>> 0,
  }),
  ...define("f64", ["i64"], "f64", {
    convert_i64_s: (a: bigint) => Number(a),
    convert_i64_u: (a: bigint) => Number(u64(a)),
    reinterpret_i64: (a: bigint) => bitsToFloat(a, 64),
  }),
  ...define("f32", ["f64"], "f32", { demote_f64: (a: number) => Math.fround(a) }),
  ...define("f64", ["f32"], "f64", { promote_f32: (a: number) => a }),
} satisfies Record<string, PureOp>;
