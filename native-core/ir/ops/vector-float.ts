// Floating-point lanes of v128 and their conversions. NaN operands propagate as on x86 hardware, which is what V8's code does too.
import {
  bitsToFloat,
  FLOAT_BINARY,
  FLOAT_COMPARE,
  FLOAT_UNARY,
  floatToBits,
  truncateSaturating,
} from "./floating-point.ts";
import {
  defaultNan,
  join,
  joinFloats,
  laneMask,
  mapLanes,
  propagateNan,
  split,
  splitFloats,
  zipLanes,
} from "./lanes.ts";
import { define, type Prefixed, type PureOp } from "./types.ts";

type Rounding = "ceil" | "floor" | "trunc" | "nearest";
type Unary = "abs" | "neg" | "sqrt" | Rounding;
type Binary = "add" | "sub" | "mul" | "div" | "min" | "max" | "pmin" | "pmax";
type Compare = keyof typeof FLOAT_COMPARE;

function floatLaneOps<S extends "f32x4" | "f64x2">(shape: S, bits: 32 | 64): Prefixed<S, Unary | Binary | Compare> {
  const sign = 1n << BigInt(bits - 1);
  const result = (value: number) => (Number.isNaN(value) ? defaultNan(bits) : floatToBits(value, bits));
  const float = (lane: bigint) => bitsToFloat(lane, bits);
  const unary = (f: (a: number) => number) => mapLanes(bits, (a) => propagateNan([a], bits) ?? result(f(float(a))));
  const binary = (f: (a: number, b: number) => number) =>
    zipLanes(bits, (a, b) => propagateNan([a, b], bits) ?? result(f(float(a), float(b))));
  const compare = (f: (a: number, b: number) => boolean) =>
    zipLanes(bits, (a, b) => laneMask(bits, f(float(a), float(b))));
  return {
    ...define(shape, ["v128"], "v128", {
      // Sign operations act on the bits, NaN included.
      abs: mapLanes(bits, (a) => a & ~sign),
      neg: mapLanes(bits, (a) => a ^ sign),
      sqrt: unary(FLOAT_UNARY.sqrt),
      ceil: unary(FLOAT_UNARY.ceil),
      floor: unary(FLOAT_UNARY.floor),
      trunc: unary(FLOAT_UNARY.trunc),
      nearest: unary(FLOAT_UNARY.nearest),
    }),
    ...define(shape, ["v128", "v128"], "v128", {
      add: binary(FLOAT_BINARY.add),
      sub: binary(FLOAT_BINARY.sub),
      mul: binary(FLOAT_BINARY.mul),
      div: binary(FLOAT_BINARY.div),
      min: binary(FLOAT_BINARY.min),
      max: binary(FLOAT_BINARY.max),
      // Pseudo-minimum: b < a ? b : a, so NaN and zeros yield a. MINPS dst, src is pmin(src, dst).
      pmin: zipLanes(bits, (a, b) => (float(b) < float(a) ? b : a)),
      pmax: zipLanes(bits, (a, b) => (float(a) < float(b) ? b : a)),
      eq: compare(FLOAT_COMPARE.eq),
      ne: compare(FLOAT_COMPARE.ne),
      lt: compare(FLOAT_COMPARE.lt),
      gt: compare(FLOAT_COMPARE.gt),
      le: compare(FLOAT_COMPARE.le),
      ge: compare(FLOAT_COMPARE.ge),
    }),
  } as unknown as Prefixed<S, Unary | Binary | Compare>;
}

const truncateLanes = (bits: 32 | 64, isSigned: boolean) => (a: bigint) =>
  join(
    splitFloats(a, bits).map((lane) => truncateSaturating(lane, 32, isSigned)),
    32,
  );

const integerLanes = (a: bigint, isSigned: boolean) =>
  split(a, 32).map((lane) => Number(isSigned ? BigInt.asIntN(32, lane) : lane));

/** Keeps the upper payload bits of a NaN, as CVTPD2PS and CVTPS2PD do. */
function demote(lane: bigint): bigint {
  const value = bitsToFloat(lane, 64);
  if (!Number.isNaN(value)) return floatToBits(value, 32);
  return ((lane >> 63n) << 31n) | 0x7fc0_0000n | ((lane >> 29n) & 0x3f_ffffn);
}

function promote(lane: bigint): bigint {
  const value = bitsToFloat(lane, 32);
  if (!Number.isNaN(value)) return floatToBits(value, 64);
  return ((lane >> 31n) << 63n) | 0x7ff8_0000_0000_0000n | ((lane & 0x3f_ffffn) << 29n);
}

export const VECTOR_FLOAT_OPS = {
  ...floatLaneOps("f32x4", 32),
  ...floatLaneOps("f64x2", 64),
  ...define("f32x4", ["v128"], "v128", {
    demote_f64x2_zero: (a: bigint) => join(split(a, 64).map(demote), 32),
    convert_i32x4_s: (a: bigint) => joinFloats(integerLanes(a, true), 32),
    convert_i32x4_u: (a: bigint) => joinFloats(integerLanes(a, false), 32),
  }),
  ...define("f64x2", ["v128"], "v128", {
    promote_low_f32x4: (a: bigint) => join(split(a, 32).slice(0, 2).map(promote), 64),
    convert_low_i32x4_s: (a: bigint) => joinFloats(integerLanes(a, true).slice(0, 2), 64),
    convert_low_i32x4_u: (a: bigint) => joinFloats(integerLanes(a, false).slice(0, 2), 64),
  }),
  ...define("i32x4", ["v128"], "v128", {
    trunc_sat_f32x4_s: truncateLanes(32, true),
    trunc_sat_f32x4_u: truncateLanes(32, false),
    trunc_sat_f64x2_s_zero: truncateLanes(64, true),
    trunc_sat_f64x2_u_zero: truncateLanes(64, false),
  }),
} satisfies Record<string, PureOp>;
