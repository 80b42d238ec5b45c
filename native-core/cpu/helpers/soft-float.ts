// Exact binary floating point on integers: decode, round and encode for f32, f64 and the x87's 80-bit format (IEEE 754-2008, SDM 1 4.8).
// A finite number is significand * 2^exponent with a bigint significand. Slow and plain; used where translated code can't be exact.

/** A format as rounding sees it: bits of significand, exponents of the smallest and largest normal number. */
export interface Format {
  readonly precision: number;
  readonly minExponent: number;
  readonly maxExponent: number;
}

export const HALF: Format = { precision: 11, minExponent: -14, maxExponent: 15 };
export const SINGLE: Format = { precision: 24, minExponent: -126, maxExponent: 127 };
export const DOUBLE: Format = { precision: 53, minExponent: -1022, maxExponent: 1023 };
export const EXTENDED: Format = { precision: 64, minExponent: -16382, maxExponent: 16383 };

/** Exception flags, at the same bits in MXCSR and in the x87 status word. */
export const FLOAT_FLAGS = { IE: 0x01, DE: 0x02, ZE: 0x04, OE: 0x08, UE: 0x10, PE: 0x20 } as const;
const { OE, UE, PE } = FLOAT_FLAGS;

/** RC: nearest even, down, up, toward zero. */
export type Rounding = 0 | 1 | 2 | 3;

export interface Float {
  readonly kind: "zero" | "finite" | "infinity" | "nan";
  readonly negative: boolean;
  /** Of a finite number; of a NaN: its fraction, aligned to the format (quiet bit on top). */
  readonly significand: bigint;
  readonly exponent: number;
  readonly denormal: boolean;
  readonly signalling: boolean;
}

/** How results are rounded and what was signalled. `unmasked`: which of OE and UE are; that changes what is signalled (SDM 1 4.9.1.4, 4.9.1.5). */
export interface RoundingContext {
  rounding: Rounding;
  flushToZero: boolean;
  unmasked: number;
  /** Flags of the result: OE, UE, PE. */
  post: number;
  /** The last rounding went up in magnitude (C1 of the x87). */
  roundedUp: boolean;
}

export function bitLength(value: bigint): number {
  if (value === 0n) return 0;
  const hex = value.toString(16);
  return hex.length * 4 - Math.clz32(Number.parseInt(hex[0] ?? "0", 16)) + 28;
}

const PLAIN = { denormal: false, signalling: false } as const;

export function zero(negative: boolean): Float {
  return { kind: "zero", negative, significand: 0n, exponent: 0, ...PLAIN };
}

export function infinity(negative: boolean): Float {
  return { kind: "infinity", negative, significand: 0n, exponent: 0, ...PLAIN };
}

export function finite(negative: boolean, significand: bigint, exponent: number): Float {
  if (significand === 0n) return zero(negative);
  return { kind: "finite", negative, significand, exponent, ...PLAIN };
}

export function fromInteger(value: bigint): Float {
  return finite(value < 0n, value < 0n ? -value : value, 0);
}

const fractionBits = (format: Format): bigint => BigInt(format.precision - 1);
const exponentMask = (format: Format): bigint => BigInt(format.maxExponent * 2 + 1);
/** By precision; 63 for doubles. */
const SIGN_SHIFTS: Record<number, bigint> = { 11: 15n, 24: 31n };
const signShift = (format: Format): bigint => SIGN_SHIFTS[format.precision] ?? 63n;

/** Of the bits of a half, single or double. */
export function decode(format: Format, bits: bigint): Float {
  const fraction = bits & ((1n << fractionBits(format)) - 1n);
  const biased = (bits >> fractionBits(format)) & exponentMask(format);
  const negative = ((bits >> signShift(format)) & 1n) === 1n;
  if (biased === exponentMask(format)) {
    if (fraction === 0n) return infinity(negative);
    const signalling = fraction >> (fractionBits(format) - 1n) === 0n;
    return { kind: "nan", negative, significand: fraction, exponent: 0, denormal: false, signalling };
  }
  const quantum = format.minExponent - format.precision + 1;
  if (biased === 0n) return { ...finite(negative, fraction, quantum), denormal: fraction !== 0n };
  return finite(negative, fraction | (1n << fractionBits(format)), quantum + Number(biased) - 1);
}

/** Bits of a number that fits (rounded before), of zero, infinity, or a NaN with its fraction. */
export function encode(format: Format, value: Float): bigint {
  const sign = value.negative ? 1n << signShift(format) : 0n;
  const top = exponentMask(format) << fractionBits(format);
  if (value.kind === "zero") return sign;
  if (value.kind === "infinity") return sign | top;
  if (value.kind === "nan") return sign | top | value.significand;
  const quantum = format.minExponent - format.precision + 1;
  // A normal number's integer bit adds the missing one of the biased exponent; a denormal has none.
  return sign | ((BigInt(value.exponent - quantum) << fractionBits(format)) + value.significand);
}

/**
 * Rounds (significand + a bit if `sticky`) * 2^exponent to `format`. The result has exactly `precision` bits, or fewer and the format's
 * smallest quantum (denormal). Adds OE, UE and PE to `context.post`.
 */
export function round(
  format: Format,
  context: RoundingContext,
  negative: boolean,
  significand: bigint,
  exponent: number,
  sticky = false,
): Float {
  context.roundedUp = false;
  if (significand === 0n && !sticky) return zero(negative);
  const quantum = format.minExponent - format.precision + 1;
  const normalQuantum = exponent + bitLength(significand) - format.precision;
  const isSmall = normalQuantum < quantum;
  // Tininess is detected after rounding as if the exponent were unbounded.
  const unbounded = roundToQuantum(context.rounding, negative, significand, exponent, sticky, normalQuantum);
  const isTiny = isSmall && bitLength(unbounded.significand) + normalQuantum - 1 < format.minExponent;
  const unit = isSmall ? quantum : normalQuantum;
  const rounded = isSmall ? roundToQuantum(context.rounding, negative, significand, exponent, sticky, unit) : unbounded;
  context.roundedUp = rounded.up;
  let result = rounded.significand;
  let resultExponent = unit;
  if (bitLength(result) > format.precision) {
    result >>= 1n;
    resultExponent += 1;
  }
  if (resultExponent + format.precision - 1 > format.maxExponent) {
    // Unmasked, the handler is given the result with an adjusted exponent, which may be exact.
    context.post |= OE | (context.unmasked & OE && !rounded.inexact ? 0 : PE);
    return overflow(format, context, negative);
  }
  if (isTiny) {
    if (context.unmasked & UE) {
      context.post |= UE | (unbounded.inexact ? PE : 0);
      return finite(negative, result, resultExponent);
    }
    if (context.flushToZero) {
      context.post |= UE | PE;
      return zero(negative);
    }
    if (rounded.inexact) context.post |= UE;
  }
  if (rounded.inexact) context.post |= PE;
  return finite(negative, result, resultExponent);
}

function overflow(format: Format, context: RoundingContext, negative: boolean): Float {
  const { rounding } = context;
  const toInfinity = rounding === 0 || rounding === (negative ? 1 : 2);
  context.roundedUp = toInfinity;
  if (toInfinity) return infinity(negative);
  return finite(negative, (1n << BigInt(format.precision)) - 1n, format.maxExponent - format.precision + 1);
}

interface Quantized {
  readonly significand: bigint;
  readonly inexact: boolean;
  readonly up: boolean;
}

/** The value as a multiple of 2^unit. */
export function roundToQuantum(
  rounding: Rounding,
  negative: boolean,
  significand: bigint,
  exponent: number,
  sticky: boolean,
  unit: number,
): Quantized {
  if (unit <= exponent) {
    const scaled = significand << BigInt(exponent - unit);
    if (!sticky) return { significand: scaled, inexact: false, up: false };
    const up = rounding === (negative ? 1 : 2);
    return { significand: up ? scaled + 1n : scaled, inexact: true, up };
  }
  const shift = BigInt(unit - exponent);
  const kept = significand >> shift;
  const rest = significand - (kept << shift);
  if (rest === 0n && !sticky) return { significand: kept, inexact: false, up: false };
  let up: boolean;
  if (rounding === 0) {
    const half = 1n << (shift - 1n);
    up = rest > half || (rest === half && (sticky || (kept & 1n) === 1n));
  } else up = rounding === (negative ? 1 : 2);
  return { significand: up ? kept + 1n : kept, inexact: true, up };
}

// --- exact results, to be rounded by the caller ------------------------------------------------------------------------

export interface Exact {
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
  readonly sticky: boolean;
}

/** Sum of finite numbers or zeros. An exact zero is negative only when rounding down, or when both operands are. */
export function addExact(a: Float, b: Float, rounding: Rounding): Exact {
  const exponent = Math.min(a.kind === "zero" ? b.exponent : a.exponent, b.kind === "zero" ? a.exponent : b.exponent);
  const signed = (x: Float): bigint => {
    if (x.kind === "zero") return 0n;
    const magnitude = x.significand << BigInt(x.exponent - exponent);
    return x.negative ? -magnitude : magnitude;
  };
  const sum = signed(a) + signed(b);
  if (sum === 0n) {
    const negative = a.kind === "zero" && b.kind === "zero" && a.negative === b.negative ? a.negative : rounding === 1;
    return { negative, significand: 0n, exponent: 0, sticky: false };
  }
  return { negative: sum < 0n, significand: sum < 0n ? -sum : sum, exponent, sticky: false };
}

/** Quotient of finite numbers, to at least 67 bits. */
export function divideExact(a: Float, b: Float): Exact {
  const shift = Math.max(0, 67 + bitLength(b.significand) - bitLength(a.significand));
  const dividend = a.significand << BigInt(shift);
  const significand = dividend / b.significand;
  return {
    negative: a.negative !== b.negative,
    significand,
    exponent: a.exponent - b.exponent - shift,
    sticky: significand * b.significand !== dividend,
  };
}

/** Square root of a positive finite number, to at least 66 bits. */
export function squareRootExact(a: Float): Exact {
  let shift = Math.max(0, 134 - bitLength(a.significand));
  if ((a.exponent - shift) % 2 !== 0) shift += 1;
  const radicand = a.significand << BigInt(shift);
  const significand = integerSquareRoot(radicand);
  return {
    negative: false,
    significand,
    exponent: (a.exponent - shift) / 2,
    sticky: significand * significand !== radicand,
  };
}

function integerSquareRoot(value: bigint): bigint {
  let x = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (x + value / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** -1, 0, 1 for numbers that are not NaN. */
export function compare(a: Float, b: Float): -1 | 0 | 1 {
  const rank = (x: Float): number => (x.kind === "infinity" ? 2 : x.kind === "zero" ? 0 : 1) * (x.negative ? -1 : 1);
  const difference = rank(a) - rank(b);
  if (difference !== 0) return difference < 0 ? -1 : 1;
  if (a.kind !== "finite") return 0;
  const exponent = Math.min(a.exponent, b.exponent);
  const x = a.significand << BigInt(a.exponent - exponent);
  const y = b.significand << BigInt(b.exponent - exponent);
  if (x === y) return 0;
  return x < y !== a.negative ? -1 : 1;
}
