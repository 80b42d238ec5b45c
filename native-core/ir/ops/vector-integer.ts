// Integer lanes of v128: arithmetic, comparisons, shifts, and the narrowing and widening between lane sizes.
import { join, laneMask, mapLanes, saturate, signed, split, zipLanes } from "./lanes.ts";
import { define, type Prefixed, type PureOp } from "./types.ts";

type CommonUnary = "abs" | "neg";
type Test = "all_true" | "bitmask";
type Binary = "add" | "sub";
type MinMax = "min_s" | "min_u" | "max_s" | "max_u";
type SignedCompare = "eq" | "ne" | "lt_s" | "gt_s" | "le_s" | "ge_s";
type UnsignedCompare = "lt_u" | "gt_u" | "le_u" | "ge_u";
type Saturating = "add_sat_s" | "add_sat_u" | "sub_sat_s" | "sub_sat_u" | "avgr_u";
type Shift = "shl" | "shr_s" | "shr_u";
type Shape = "i8x16" | "i16x8" | "i32x4" | "i64x2";

/** What every integer shape has. */
function commonOps<S extends Shape>(
  shape: S,
  bits: number,
): Prefixed<S, CommonUnary | Test | Binary | SignedCompare | Shift> {
  const s = signed(bits);
  const compare = (f: (a: bigint, b: bigint) => boolean) => zipLanes(bits, (a, b) => laneMask(bits, f(s(a), s(b))));
  const shift = (f: (a: bigint, n: bigint) => bigint) => (vector: bigint, count: number) =>
    mapLanes(bits, (a) => f(a, BigInt(count & (bits - 1))))(vector);
  return {
    ...define(shape, ["v128"], "v128", {
      abs: mapLanes(bits, (a) => (s(a) < 0n ? -s(a) : a)),
      neg: mapLanes(bits, (a) => -a),
    }),
    ...define(shape, ["v128"], "i32", {
      all_true: (a: bigint) => split(a, bits).every((lane) => lane !== 0n),
      bitmask: (a: bigint) => split(a, bits).reduce((mask, lane, i) => mask | (s(lane) < 0n ? 1 << i : 0), 0),
    }),
    ...define(shape, ["v128", "v128"], "v128", {
      add: zipLanes(bits, (a, b) => a + b),
      sub: zipLanes(bits, (a, b) => a - b),
      eq: compare((a, b) => a === b),
      ne: compare((a, b) => a !== b),
      lt_s: compare((a, b) => a < b),
      gt_s: compare((a, b) => a > b),
      le_s: compare((a, b) => a <= b),
      ge_s: compare((a, b) => a >= b),
    }),
    ...define(shape, ["v128", "i32"], "v128", {
      shl: shift((a, n) => a << n),
      shr_s: shift((a, n) => s(a) >> n),
      shr_u: shift((a, n) => a >> n),
    }),
  } as unknown as Prefixed<S, CommonUnary | Test | Binary | SignedCompare | Shift>;
}

/** What all but i64x2 have. */
function orderedOps<S extends "i8x16" | "i16x8" | "i32x4">(
  shape: S,
  bits: number,
): Prefixed<S, MinMax | UnsignedCompare> {
  const s = signed(bits);
  return define(shape, ["v128", "v128"], "v128", {
    min_s: zipLanes(bits, (a, b) => (s(a) < s(b) ? a : b)),
    min_u: zipLanes(bits, (a, b) => (a < b ? a : b)),
    max_s: zipLanes(bits, (a, b) => (s(a) > s(b) ? a : b)),
    max_u: zipLanes(bits, (a, b) => (a > b ? a : b)),
    lt_u: zipLanes(bits, (a, b) => laneMask(bits, a < b)),
    gt_u: zipLanes(bits, (a, b) => laneMask(bits, a > b)),
    le_u: zipLanes(bits, (a, b) => laneMask(bits, a <= b)),
    ge_u: zipLanes(bits, (a, b) => laneMask(bits, a >= b)),
  });
}

/** What i8x16 and i16x8 have. */
function saturatingOps<S extends "i8x16" | "i16x8">(shape: S, bits: number): Prefixed<S, Saturating> {
  const s = signed(bits);
  return define(shape, ["v128", "v128"], "v128", {
    add_sat_s: zipLanes(bits, (a, b) => saturate(s(a) + s(b), bits, true)),
    add_sat_u: zipLanes(bits, (a, b) => saturate(a + b, bits, false)),
    sub_sat_s: zipLanes(bits, (a, b) => saturate(s(a) - s(b), bits, true)),
    sub_sat_u: zipLanes(bits, (a, b) => saturate(a - b, bits, false)),
    avgr_u: zipLanes(bits, (a, b) => (a + b + 1n) >> 1n),
  });
}

type Widening<F extends string> =
  | `extend_low_${F}_s`
  | `extend_high_${F}_s`
  | `extend_low_${F}_u`
  | `extend_high_${F}_u`
  | `extmul_low_${F}_s`
  | `extmul_high_${F}_s`
  | `extmul_low_${F}_u`
  | `extmul_high_${F}_u`;

/** From lanes of `bits` bits to lanes of twice as many: one half of the operand, or the products of one half of two. */
function wideningOps<S extends Shape, F extends Shape>(shape: S, from: F, bits: number): Prefixed<S, Widening<F>> {
  const unary: Record<string, (a: bigint) => bigint> = {};
  const binary: Record<string, (a: bigint, b: bigint) => bigint> = {};
  for (const half of ["low", "high"] as const) {
    for (const sign of ["s", "u"] as const) {
      const lanes = (vector: bigint) => {
        const all = split(vector, bits).map((lane) => (sign === "s" ? BigInt.asIntN(bits, lane) : lane));
        return half === "low" ? all.slice(0, all.length / 2) : all.slice(all.length / 2);
      };
      unary[`extend_${half}_${from}_${sign}`] = (a) => join(lanes(a), bits * 2);
      binary[`extmul_${half}_${from}_${sign}`] = (a, b) => {
        const right = lanes(b);
        return join(
          lanes(a).map((lane, i) => lane * (right[i] as bigint)),
          bits * 2,
        );
      };
    }
  }
  return {
    ...define(shape, ["v128"], "v128", unary),
    ...define(shape, ["v128", "v128"], "v128", binary),
  } as unknown as Prefixed<S, Widening<F>>;
}

/** Lanes of `bits` bits clamped to half the size: those of a, then those of b. */
const narrow = (bits: number, toSigned: boolean) => (a: bigint, b: bigint) =>
  join(
    [...split(a, bits), ...split(b, bits)].map((lane) => saturate(BigInt.asIntN(bits, lane), bits / 2, toSigned)),
    bits / 2,
  );

const pairwise = (bits: number, isSigned: boolean) => (a: bigint) => {
  const lanes = split(a, bits).map((lane) => (isSigned ? BigInt.asIntN(bits, lane) : lane));
  return join(
    lanes.filter((_, i) => i % 2 === 0).map((lane, i) => lane + (lanes[i * 2 + 1] as bigint)),
    bits * 2,
  );
};

function dot(a: bigint, b: bigint): bigint {
  const left = split(a, 16).map(signed(16));
  const right = split(b, 16).map(signed(16));
  const products = left.map((lane, i) => lane * (right[i] as bigint));
  return join(
    [0, 2, 4, 6].map((i) => (products[i] as bigint) + (products[i + 1] as bigint)),
    32,
  );
}

const ones = (lane: bigint) => BigInt(lane.toString(2).replaceAll("0", "").length);

export const VECTOR_INTEGER_OPS = {
  ...commonOps("i8x16", 8),
  ...commonOps("i16x8", 16),
  ...commonOps("i32x4", 32),
  ...commonOps("i64x2", 64),
  ...orderedOps("i8x16", 8),
  ...orderedOps("i16x8", 16),
  ...orderedOps("i32x4", 32),
  ...saturatingOps("i8x16", 8),
  ...saturatingOps("i16x8", 16),
  ...wideningOps("i16x8", "i8x16", 8),
  ...wideningOps("i32x4", "i16x8", 16),
  ...wideningOps("i64x2", "i32x4", 32),
  ...define("i8x16", ["v128"], "v128", { popcnt: mapLanes(8, ones) }),
  ...define("i8x16", ["v128", "v128"], "v128", {
    narrow_i16x8_s: narrow(16, true),
    narrow_i16x8_u: narrow(16, false),
  }),
  ...define("i16x8", ["v128", "v128"], "v128", {
    narrow_i32x4_s: narrow(32, true),
    narrow_i32x4_u: narrow(32, false),
    mul: zipLanes(16, (a, b) => a * b),
    q15mulr_sat_s: zipLanes(16, (a, b) => saturate((signed(16)(a) * signed(16)(b) + 0x4000n) >> 15n, 16, true)),
  }),
  ...define("i32x4", ["v128", "v128"], "v128", { mul: zipLanes(32, (a, b) => a * b), dot_i16x8_s: dot }),
  ...define("i64x2", ["v128", "v128"], "v128", { mul: zipLanes(64, (a, b) => a * b) }),
  ...define("i16x8", ["v128"], "v128", {
    extadd_pairwise_i8x16_s: pairwise(8, true),
    extadd_pairwise_i8x16_u: pairwise(8, false),
  }),
  ...define("i32x4", ["v128"], "v128", {
    extadd_pairwise_i16x8_s: pairwise(16, true),
    extadd_pairwise_i16x8_u: pairwise(16, false),
  }),
} satisfies Record<string, PureOp>;
