// v128 as a whole: logic, splats, lanes in and out, shuffles.
import { bitsToFloat, floatToBits } from "./floating-point.ts";
import { join, signed, split } from "./lanes.ts";
import { define, type PureOp } from "./types.ts";

const extract = (bits: number) => (vector: bigint, lane: number) => split(vector, bits)[lane] as bigint;
const replace = (bits: number) => (vector: bigint, value: number | bigint, lane: number) =>
  join(split(vector, bits).with(lane, BigInt(value)), bits);
const splat = (bits: number) => (value: number | bigint) => join(new Array(128 / bits).fill(BigInt(value)), bits);

/** Lane i of the result is byte mask[i] of the 32 bytes a, b. */
function shuffle(a: bigint, b: bigint, ...mask: number[]): bigint {
  const bytes = [...split(a, 8), ...split(b, 8)];
  return join(
    mask.map((index) => bytes[index] as bigint),
    8,
  );
}

/** Lane i of the result is byte b[i] of a, or 0 where b[i] is above 15. */
function swizzle(a: bigint, b: bigint): bigint {
  const bytes = split(a, 8);
  return join(
    split(b, 8).map((index) => bytes[Number(index)] ?? 0n),
    8,
  );
}

export const VECTOR_SHAPE_OPS = {
  ...define("v128", ["v128"], "v128", { not: (a: bigint) => ~a }),
  ...define("v128", ["v128", "v128"], "v128", {
    and: (a: bigint, b: bigint) => a & b,
    /** a & ~b: PANDN dst, src is andnot(src, dst). */
    andnot: (a: bigint, b: bigint) => a & ~b,
    or: (a: bigint, b: bigint) => a | b,
    xor: (a: bigint, b: bigint) => a ^ b,
  }),
  ...define("v128", ["v128", "v128", "v128"], "v128", {
    bitselect: (a: bigint, b: bigint, mask: bigint) => (a & mask) | (b & ~mask),
  }),
  ...define("v128", ["v128"], "i32", { any_true: (a: bigint) => a !== 0n }),
  ...define("v128", ["v128", "v128", "i32"], "v128", { select: (a: bigint, b: bigint, c: number) => (c ? a : b) }),

  ...define("i8x16", ["v128", "v128"], "v128", { shuffle, swizzle }),

  ...define("i8x16", ["i32"], "v128", { splat: splat(8) }),
  ...define("i16x8", ["i32"], "v128", { splat: splat(16) }),
  ...define("i32x4", ["i32"], "v128", { splat: splat(32) }),
  ...define("i64x2", ["i64"], "v128", { splat: splat(64) }),
  ...define("f32x4", ["f32"], "v128", { splat: (a: number) => splat(32)(floatToBits(a, 32)) }),
  ...define("f64x2", ["f64"], "v128", { splat: (a: number) => splat(64)(floatToBits(a, 64)) }),

  // Lane index in `immediate`.
  ...define("i8x16", ["v128"], "i32", {
    extract_lane_s: (a: bigint, lane: number) => signed(8)(extract(8)(a, lane)),
    extract_lane_u: extract(8),
  }),
  ...define("i16x8", ["v128"], "i32", {
    extract_lane_s: (a: bigint, lane: number) => signed(16)(extract(16)(a, lane)),
    extract_lane_u: extract(16),
  }),
  ...define("i32x4", ["v128"], "i32", { extract_lane: extract(32) }),
  ...define("i64x2", ["v128"], "i64", { extract_lane: extract(64) }),
  ...define("f32x4", ["v128"], "f32", {
    extract_lane: (a: bigint, lane: number) => bitsToFloat(extract(32)(a, lane), 32),
  }),
  ...define("f64x2", ["v128"], "f64", {
    extract_lane: (a: bigint, lane: number) => bitsToFloat(extract(64)(a, lane), 64),
  }),
  ...define("i8x16", ["v128", "i32"], "v128", { replace_lane: replace(8) }),
  ...define("i16x8", ["v128", "i32"], "v128", { replace_lane: replace(16) }),
  ...define("i32x4", ["v128", "i32"], "v128", { replace_lane: replace(32) }),
  ...define("i64x2", ["v128", "i64"], "v128", { replace_lane: replace(64) }),
  ...define("f32x4", ["v128", "f32"], "v128", {
    replace_lane: (a: bigint, value: number, lane: number) => replace(32)(a, floatToBits(value, 32), lane),
  }),
  ...define("f64x2", ["v128", "f64"], "v128", {
    replace_lane: (a: bigint, value: number, lane: number) => replace(64)(a, floatToBits(value, 64), lane),
  }),
} satisfies Record<string, PureOp>;
