// Fused multiply-add of lanes, a * b + c with one rounding to nearest, where that is plain: operands zero or normal and, like product and
// result, well inside the format's range. Other lanes are NaN, which a plain one never is; `inexact` masks lanes that were rounded.
// By definition, on integers.
import { bitsToFloat, floatToBits } from "./floating-point.ts";
import { join, laneMask, split } from "./lanes.ts";

/** Magnitudes of f64 operands, products and results up to which no step of the routine overflows or loses bits. */
export const FUSED_LIMIT = { largest: 2 ** 970, smallestProduct: 2 ** -900, smallestResult: 2 ** -960 } as const;
export const FUSED_NAN = { f32: 0x7fc0_0000n, f64: 0x7ff8_0000_0000_0000n } as const;

interface Fused {
  readonly value: number;
  readonly inexact: boolean;
}

const NOT_PLAIN: Fused = { value: Number.NaN, inexact: false };

/** value = significand * 2^exponent */
function exact(value: number): { significand: bigint; exponent: number } {
  const bits = floatToBits(value, 64);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  const magnitude = biased === 0 ? fraction : fraction | (1n << 52n);
  return { significand: bits >> 63n ? -magnitude : magnitude, exponent: Math.max(biased, 1) - 1075 };
}

/** a * b + c, not zero, to nearest with `precision` bits. */
function rounded(a: number, b: number, c: number, precision: number): Fused {
  const [x, y, z] = [exact(a), exact(b), exact(c)];
  const productExponent = x.exponent + y.exponent;
  const exponent = Math.min(productExponent, z.exponent);
  const product = (x.significand * y.significand) << BigInt(productExponent - exponent);
  const sum = product + (z.significand << BigInt(z.exponent - exponent));
  const magnitude = sum < 0n ? -sum : sum;
  const excess = magnitude.toString(2).length - precision;
  if (sum === 0n || exponent + excess > 1000) return NOT_PLAIN;
  if (excess <= 0) return { value: Number(sum) * 2 ** exponent, inexact: false };
  const unit = 1n << BigInt(excess);
  const remainder = magnitude % unit;
  let kept = magnitude / unit;
  if (remainder * 2n > unit || (remainder * 2n === unit && kept & 1n)) kept += 1n;
  const value = Number(kept) * 2 ** (exponent + excess);
  return { value: sum < 0n ? -value : value, inexact: remainder !== 0n };
}

function fusedDouble(a: number, b: number, c: number): Fused {
  const { largest, smallestProduct, smallestResult } = FUSED_LIMIT;
  const fits = (x: number): boolean => x === 0 || (Math.abs(x) >= 2 ** -1022 && Math.abs(x) <= largest);
  if (![a, b, c].every(fits)) return NOT_PLAIN;
  if (a === 0 || b === 0) return { value: a * b + c, inexact: false };
  const product = Math.abs(a * b);
  if (!(product >= smallestProduct && product <= largest)) return NOT_PLAIN;
  const result = rounded(a, b, c, 53);
  return Math.abs(result.value) >= smallestResult ? result : NOT_PLAIN;
}

function fusedSingle(a: number, b: number, c: number): Fused {
  const fits = (x: number): boolean => x === 0 || (Math.abs(x) >= 2 ** -126 && Math.abs(x) < Number.POSITIVE_INFINITY);
  if (![a, b, c].every(fits)) return NOT_PLAIN;
  // Products of singles are exact as doubles; so is a sum of zero.
  if (a * b + c === 0) return { value: a * b + c, inexact: false };
  const result = rounded(a, b, c, 24);
  const magnitude = Math.abs(result.value);
  return magnitude > 2 ** -126 && magnitude < 2 ** 128 ? result : NOT_PLAIN;
}

type Lanes = (a: bigint, b: bigint, c: bigint) => bigint;

function lanes(bits: 32 | 64, lane: (a: number, b: number, c: number) => Fused, part: (fused: Fused) => bigint): Lanes {
  return (a, b, c) => {
    const [x, y, z] = [a, b, c].map((vector) => split(vector, bits).map((value) => bitsToFloat(value, bits)));
    return join(
      (x ?? []).map((value, n) => part(lane(value, y?.[n] ?? 0, z?.[n] ?? 0))),
      bits,
    );
  };
}

const resultBits =
  (bits: 32 | 64) =>
  (fused: Fused): bigint =>
    Number.isNaN(fused.value) ? FUSED_NAN[bits === 32 ? "f32" : "f64"] : floatToBits(fused.value, bits);
const inexactMask =
  (bits: 32 | 64) =>
  (fused: Fused): bigint =>
    laneMask(bits, fused.inexact);

export const fusedSingles = lanes(32, fusedSingle, resultBits(32));
export const fusedSinglesInexact = lanes(32, fusedSingle, inexactMask(32));
export const fusedDoubles = lanes(64, fusedDouble, resultBits(64));
export const fusedDoublesInexact = lanes(64, fusedDouble, inexactMask(64));
