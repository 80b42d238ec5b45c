// i32 and i64 operations, evaluated on bigint for both widths.
import { define, type Prefixed, type PureOp } from "./types.ts";

type Unary = "eqz" | "clz" | "ctz" | "popcnt";
type Compare = "eq" | "ne" | "lt_s" | "lt_u" | "gt_s" | "gt_u" | "le_s" | "le_u" | "ge_s" | "ge_u";
type Binary =
  | "add"
  | "sub"
  | "mul"
  | "div_s"
  | "div_u"
  | "rem_s"
  | "rem_u"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr_s"
  | "shr_u"
  | "rotl"
  | "rotr";

/** Number of leading zeros of an unsigned value of `bits` bits. */
function leadingZeros(value: bigint, bits: number): number {
  return value === 0n ? bits : bits - value.toString(2).length;
}

function ones(value: bigint): number {
  return value.toString(2).replaceAll("0", "").length;
}

function nonZero(value: bigint): bigint {
  if (value === 0n) throw new RangeError("integer divide by zero");
  return value;
}

function integerOps<T extends "i32" | "i64">(type: T, bits: number): Prefixed<T, Unary | Compare | Binary> {
  // Operands arrive signed; `u` and `s` give the two readings as bigint.
  const u = (value: number | bigint) => BigInt.asUintN(bits, BigInt(value));
  const s = (value: number | bigint) => BigInt.asIntN(bits, BigInt(value));
  type N = number | bigint;
  const count = (value: N) => u(value) % BigInt(bits);
  const rotateLeft = (a: bigint, n: bigint) => (a << n) | (a >> (BigInt(bits) - n));
  const compare = define(type, [type, type], "i32", {
    eq: (a: N, b: N) => u(a) === u(b),
    ne: (a: N, b: N) => u(a) !== u(b),
    lt_s: (a: N, b: N) => s(a) < s(b),
    lt_u: (a: N, b: N) => u(a) < u(b),
    gt_s: (a: N, b: N) => s(a) > s(b),
    gt_u: (a: N, b: N) => u(a) > u(b),
    le_s: (a: N, b: N) => s(a) <= s(b),
    le_u: (a: N, b: N) => u(a) <= u(b),
    ge_s: (a: N, b: N) => s(a) >= s(b),
    ge_u: (a: N, b: N) => u(a) >= u(b),
  });
  const binary = define(type, [type, type], type, {
    add: (a: N, b: N) => s(a) + s(b),
    sub: (a: N, b: N) => s(a) - s(b),
    mul: (a: N, b: N) => s(a) * s(b),
    div_s: (a: N, b: N) => {
      const quotient = s(a) / nonZero(s(b));
      if (quotient !== s(quotient)) throw new RangeError("integer overflow");
      return quotient;
    },
    div_u: (a: N, b: N) => u(a) / nonZero(u(b)),
    rem_s: (a: N, b: N) => s(a) % nonZero(s(b)),
    rem_u: (a: N, b: N) => u(a) % nonZero(u(b)),
    and: (a: N, b: N) => u(a) & u(b),
    or: (a: N, b: N) => u(a) | u(b),
    xor: (a: N, b: N) => u(a) ^ u(b),
    shl: (a: N, n: N) => u(a) << count(n),
    shr_s: (a: N, n: N) => s(a) >> count(n),
    shr_u: (a: N, n: N) => u(a) >> count(n),
    rotl: (a: N, n: N) => rotateLeft(u(a), count(n)),
    rotr: (a: N, n: N) => rotateLeft(u(a), (BigInt(bits) - count(n)) % BigInt(bits)),
  });
  return {
    ...define(type, [type], "i32", { eqz: (a: N) => u(a) === 0n }),
    ...define(type, [type], type, {
      clz: (a: N) => leadingZeros(u(a), bits),
      ctz: (a: N) => (u(a) === 0n ? bits : leadingZeros(0n, bits) - 1 - leadingZeros(u(a) & -u(a), bits)),
      popcnt: (a: N) => ones(u(a)),
    }),
    ...compare,
    ...binary,
  } as unknown as Prefixed<T, Unary | Compare | Binary>;
}

export const INTEGER_OPS = {
  ...integerOps("i32", 32),
  ...integerOps("i64", 64),
  ...define("i32", ["i32"], "i32", {
    extend8_s: (a: number) => BigInt.asIntN(8, BigInt(a)),
    extend16_s: (a: number) => BigInt.asIntN(16, BigInt(a)),
  }),
  ...define("i64", ["i64"], "i64", {
    extend8_s: (a: bigint) => BigInt.asIntN(8, a),
    extend16_s: (a: bigint) => BigInt.asIntN(16, a),
    extend32_s: (a: bigint) => BigInt.asIntN(32, a),
  }),
  ...define("i32", ["i64"], "i32", { wrap_i64: (a: bigint) => a }),
  ...define("i64", ["i32"], "i64", {
    extend_i32_s: (a: number) => BigInt(a),
    extend_i32_u: (a: number) => BigInt(a >>> 0),
  }),
  // Wasm's untyped `select`, by type: a where the condition is not zero, else b.
  ...define("i32", ["i32", "i32", "i32"], "i32", { select: (a: number, b: number, c: number) => (c ? a : b) }),
  ...define("i64", ["i64", "i64", "i32"], "i64", { select: (a: bigint, b: bigint, c: number) => (c ? a : b) }),
} satisfies Record<string, PureOp>;
