// Fused multiply-add with Wasm's separately rounded operations (ir/ops/fused.ts says for which operands).
//
// Doubles: the product as a sum of two doubles (Dekker, Veltkamp), then a correctly rounded sum of three by an intermediate sum that is
// rounded to odd (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", IEEE TC 57(4), 2008). Singles: the product is exact
// as a double, and a double sum rounded to odd, with 53 >= 2 * 24 + 2 bits, can be rounded again to a single without error.

import { floatToBits } from "../../ir/ops/floating-point.ts";
import { FUSED_LIMIT, FUSED_NAN } from "../../ir/ops/fused.ts";
import { type Code, get, i32, op, set } from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { OpcodeName } from "../../wasm/opcodes.ts";
import type { Local } from "../../wasm/types.ts";

type Type = "f32" | "f64";
/** Lanes of results, and masks of what they are. */
interface Fused {
  readonly value: Local;
  readonly plain: Code;
  readonly inexact: Code;
}

const constant =
  (bits: bigint): Code =>
  (f) =>
    f.v128(BigInt.asUintN(128, bits));

const splat = (type: Type, value: number): Code => {
  const bits = floatToBits(value, type === "f32" ? 32 : 64);
  const pair = type === "f32" ? bits | (bits << 32n) : bits;
  return constant(pair | (pair << 64n));
};

const ALL_NAN: Record<Type, bigint> = {
  f32: FUSED_NAN.f32 * 0x1_0000_0001_0000_0001_0000_0001n,
  f64: FUSED_NAN.f64 * 0x1_0000_0000_0000_0001n,
};

/** Lane arithmetic that keeps each result in a local. */
class Lanes {
  readonly #f: FunctionWriter;

  constructor(f: FunctionWriter) {
    this.#f = f;
  }

  keep(code: Code): Local {
    const local = this.#f.local("v128");
    set(local, code)(this.#f);
    return local;
  }

  binary(name: OpcodeName, a: Local, b: Local): Local {
    return this.keep(op(name, get(a), get(b)));
  }

  add = (a: Local, b: Local): Local => this.binary("f64x2.add", a, b);
  sub = (a: Local, b: Local): Local => this.binary("f64x2.sub", a, b);
  mul = (a: Local, b: Local): Local => this.binary("f64x2.mul", a, b);

  /** Knuth: the sum and its rounding error. */
  twoSum(a: Local, b: Local): readonly [Local, Local] {
    const sum = this.add(a, b);
    const bPart = this.sub(sum, a);
    const aPart = this.sub(sum, bPart);
    return [sum, this.add(this.sub(a, aPart), this.sub(b, bPart))];
  }

  /** Veltkamp: the upper 26 bits and the rest. */
  halves(a: Local): readonly [Local, Local] {
    const scaled = this.keep(op("f64x2.mul", get(a), splat("f64", 2 ** 27 + 1)));
    const high = this.sub(scaled, this.sub(scaled, a));
    return [high, this.sub(a, high)];
  }

  /** Dekker: the product's rounding error. */
  productError(a: Local, b: Local, product: Local): Local {
    const [aHigh, aLow] = this.halves(a);
    const [bHigh, bLow] = this.halves(b);
    const first = this.sub(this.mul(aHigh, bHigh), product);
    const second = this.add(this.add(first, this.mul(aHigh, bLow)), this.mul(aLow, bHigh));
    return this.add(second, this.mul(aLow, bLow));
  }

  /** A rounded sum with its error: where it is inexact and even, the neighbour on the side of the error, which is odd. */
  toOdd(sum: Local, error: Local): readonly [Local, Local] {
    const inexact = this.keep(op("f64x2.ne", get(error), constant(0n)));
    const one = constant(0x1_0000_0000_0000_0001n);
    const even = op("i64x2.eq", op("v128.and", get(sum), one), constant(0n));
    const opposite = op("i64x2.shr_s", op("v128.xor", get(sum), get(error)), i32(63));
    const step = op("v128.and", op("v128.or", opposite, one), op("v128.and", get(inexact), even));
    return [this.keep(op("i64x2.add", get(sum), step)), inexact];
  }
}

const and = (...masks: Code[]): Code => masks.reduce((a, b) => op("v128.and", a, b));
const or = (a: Code, b: Code): Code => op("v128.or", a, b);
const magnitude = (type: Type, a: Local): Code => op(type === "f32" ? "f32x4.abs" : "f64x2.abs", get(a));
const isZero = (type: Type, a: Local): Code => op(type === "f32" ? "f32x4.eq" : "f64x2.eq", get(a), constant(0n));
const atLeast = (type: Type, a: Local, limit: number): Code =>
  op(type === "f32" ? "f32x4.ge" : "f64x2.ge", magnitude(type, a), splat(type, limit));

/** product + error + c, rounded once; and whether it was rounded. */
function exactSum(lanes: Lanes, product: Local, error: Local, c: Local): { sum: Local; inexact: Code } {
  const [tail, tailError] = lanes.twoSum(c, error);
  const [high, highError] = lanes.twoSum(product, tail);
  const [low, lowInexact] = lanes.toOdd(...lanes.twoSum(tailError, highError));
  const [sum, sumError] = lanes.twoSum(high, low);
  return { sum, inexact: or(get(lowInexact), op("f64x2.ne", get(sumError), constant(0n))) };
}

/** More than a rounded double is off by, relatively. */
const SLACK = 2 ** -50;

/**
 * The same sum with less to wait for: the product and c as a sum and its error; both errors together are off by less than SLACK, and nearly
 * always the sum is rounded to the same double at either end of that. Else, as for ties, it is computed exactly.
 */
function quickSum(f: FunctionWriter, lanes: Lanes, product: Local, error: Local, c: Local, settled: Code): Local {
  const [first, firstError] = lanes.twoSum(product, c);
  const rest = lanes.add(firstError, error);
  const end = (factor: number): Local => {
    const scaled = lanes.keep(op("f64x2.mul", get(rest), splat("f64", factor)));
    return lanes.add(first, scaled);
  };
  const sum = end(1 + SLACK);
  const isSure = or(op("f64x2.eq", get(sum), get(end(1 - SLACK))), settled);
  op("i32.eqz", op("i64x2.all_true", isSure))(f);
  const label = f.open("if", undefined, false);
  set(sum, get(exactSum(lanes, product, error, c).sum))(f);
  f.close(label);
  return sum;
}

/** `inexact` is worth its time only where somebody asks for it. */
function doubles(f: FunctionWriter, a: Local, b: Local, c: Local, wantsInexact: boolean): Fused {
  const lanes = new Lanes(f);
  const { largest, smallestProduct, smallestResult } = FUSED_LIMIT;
  const atMost = (x: Local): Code => op("f64x2.le", magnitude("f64", x), splat("f64", largest));
  const fits = (x: Local): Code => and(or(isZero("f64", x), atLeast("f64", x, 2 ** -1022)), atMost(x));

  const product = lanes.mul(a, b);
  const simple = lanes.add(product, c);
  const error = lanes.productError(a, b, product);
  const zeroProduct = lanes.keep(or(isZero("f64", a), isZero("f64", b)));
  const exact = wantsInexact ? exactSum(lanes, product, error, c) : undefined;
  const sum = exact?.sum ?? quickSum(f, lanes, product, error, c, get(zeroProduct));

  const value = lanes.keep(op("v128.bitselect", get(simple), get(sum), get(zeroProduct)));
  const inRange = and(atLeast("f64", product, smallestProduct), atMost(product), atLeast("f64", sum, smallestResult));
  return {
    value,
    plain: and(fits(a), fits(b), fits(c), or(get(zeroProduct), inRange)),
    inexact: op("v128.andnot", exact?.inexact ?? constant(0n), get(zeroProduct)),
  };
}

const UPPER_HALF = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
const LOW_WORDS = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const LOW_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];

const shuffle =
  (a: Local, b: Local, bytes: readonly number[]): Code =>
  (f) => {
    f.get(a);
    f.get(b);
    f.lanes("i8x16.shuffle", bytes);
  };

function singles(f: FunctionWriter, a: Local, b: Local, c: Local): Fused {
  const lanes = new Lanes(f);
  /** Two of the four lanes: results, and masks of 64 bits each. */
  const pair = (upper: boolean): { value: Local; inexact: Local; zero: Local } => {
    const widened = [a, b, c].map((x) => {
      const source = upper ? lanes.keep(shuffle(x, x, UPPER_HALF)) : x;
      return lanes.keep(op("f64x2.promote_low_f32x4", get(source)));
    });
    const [x, y, z] = widened as [Local, Local, Local];
    const [sum, error] = lanes.twoSum(lanes.mul(x, y), z);
    const [odd, sumInexact] = lanes.toOdd(sum, error);
    const value = lanes.keep(op("f32x4.demote_f64x2_zero", get(odd)));
    const back = op("f64x2.promote_low_f32x4", get(value));
    return {
      value,
      inexact: lanes.keep(or(get(sumInexact), op("f64x2.ne", back, get(sum)))),
      zero: lanes.keep(isZero("f64", sum)),
    };
  };
  const low = pair(false);
  const high = pair(true);
  const value = lanes.keep(shuffle(low.value, high.value, LOW_HALVES));
  const isFinite = (x: Local): Code => op("f32x4.lt", magnitude("f32", x), splat("f32", Number.POSITIVE_INFINITY));
  const fits = (x: Local): Code => and(or(isZero("f32", x), atLeast("f32", x, 2 ** -126)), isFinite(x));
  const aboveTiny = op("f32x4.gt", magnitude("f32", value), splat("f32", 2 ** -126));
  const result = or(and(aboveTiny, isFinite(value)), shuffle(low.zero, high.zero, LOW_WORDS));
  return {
    value,
    plain: and(fits(a), fits(b), fits(c), result),
    inexact: shuffle(low.inexact, high.inexact, LOW_WORDS),
  };
}

const ROUTINES = { f32: singles, f64: doubles } as const;

/** (a, b, c) -> a * b + c; NaN where it is not plain. */
export const fused =
  (type: Type) =>
  (f: FunctionWriter): void => {
    const { value, plain } = ROUTINES[type](f, ...(f.params as [Local, Local, Local]), false);
    op("v128.bitselect", get(value), constant(ALL_NAN[type]), plain)(f);
  };

/** (a, b, c) -> mask of lanes that are plain and were rounded. */
export const fusedInexact =
  (type: Type) =>
  (f: FunctionWriter): void => {
    const { plain, inexact } = ROUTINES[type](f, ...(f.params as [Local, Local, Local]), true);
    and(inexact, plain)(f);
  };
