// x87 transcendental instructions (SDM 1 8.3.6, 8.3.7): computed to far more bits than the result has, then rounded, so results are
// correctly rounded for all but a vanishing part of operands. Processors are allowed an error of one unit in the last place.
import type { Helper } from "../context.ts";
import { arctan, expm1, ln2, logOfRatio, pi, sineAndCosine } from "./fixed-point.ts";
import { bitLength, compare, EXTENDED, type Exact, FLOAT_FLAGS, type Float, infinity, zero } from "./soft-float.ts";
import { deliver, denormals, instruction, invalid, special } from "./x87-core.ts";
import { DEFAULT_NAN, decodeExtended, type ExtendedFloat, encodeExtended, ONE } from "./x87-float.ts";
import { STATUS, type X87 } from "./x87-state.ts";

const { ZE, UE, PE } = FLOAT_FLAGS;

/** Bits that results are computed to, relative to their magnitude. */
const PRECISION = 192;
/** Below this exponent an operand's first term alone decides; the others only make the result inexact. */
const LINEAR_BELOW = -300;

type Outcome = bigint | undefined;

/** Exponent of the leading bit. */
const magnitudeOf = (x: Float): number => x.exponent + bitLength(x.significand) - 1;

/** x as a fixed-point number; bits below are cut off. */
function toFixed(x: Float, bits: number): bigint {
  const shift = x.exponent + bits;
  const value = shift >= 0 ? x.significand << BigInt(shift) : x.significand >> BigInt(-shift);
  return x.negative ? -value : value;
}

/** A fixed-point result, inexact. */
function fromFixed(value: bigint, bits: number): Exact {
  const negative = value < 0n;
  return { negative, significand: negative ? -value : value, exponent: -bits, sticky: true };
}

/** x, or a hair more or less in magnitude. */
function near(x: Exact | Float, side: "above" | "below"): Exact {
  const { negative, significand, exponent } = x;
  const wide = significand << 128n;
  return { negative, significand: side === "above" ? wide : wide - 1n, exponent: exponent - 128, sticky: true };
}

const rounded = (x87: X87, exact: Exact): bigint => deliver(x87, exact, EXTENDED);

// --- 2^x - 1 -----------------------------------------------------------------------------------------------------------

function twoToXMinusOne(x87: X87, x: ExtendedFloat): Outcome {
  if (x.kind === "zero") return x.bits;
  if (x.kind === "infinity") return x.negative ? encodeExtended({ ...decodeExtended(ONE), negative: true }) : x.bits;
  const magnitude = magnitudeOf(x);
  // Outside -1..1 the result is not defined: processors leave the operand and signal PE. 1 and -1 themselves are exact.
  if (magnitude >= 0) x87.flags |= PE;
  if (magnitude > 0 || (magnitude === 0 && !isPowerOfTwo(x))) return x.bits;
  if (magnitude === 0) return x.negative ? encodeExtended({ ...x, exponent: x.exponent - 1, denormal: false }) : x.bits;
  if (magnitude < LINEAR_BELOW) {
    const scale = 256;
    return rounded(x87, { ...scaleBy(x, ln2(scale), scale), sticky: true });
  }
  const bits = PRECISION - magnitude;
  const exponent = (toFixed(x, bits + 64) * ln2(bits + 64)) >> BigInt(bits + 128);
  return rounded(x87, fromFixed(expm1(exponent, bits), bits));
}

const isPowerOfTwo = (x: Float): boolean => (x.significand & (x.significand - 1n)) === 0n;

function scaleBy(x: Float, factor: bigint, bits: number): Exact {
  return { negative: x.negative, significand: x.significand * factor, exponent: x.exponent - bits, sticky: false };
}

// --- y log2 x ----------------------------------------------------------------------------------------------------------

/** y times a logarithm that is zero, infinite or finite. */
interface Logarithm {
  readonly sign: -1 | 0 | 1;
  readonly infinite: boolean;
  readonly value: () => Exact;
}

function timesLogarithm(x87: X87, y: ExtendedFloat, logarithm: Logarithm): Outcome {
  const negative = y.negative !== logarithm.sign < 0;
  if (logarithm.infinite || y.kind === "infinity") {
    const isZero = logarithm.infinite ? y.kind === "zero" : logarithm.sign === 0;
    return isZero ? invalid(x87) : encodeExtended(infinity(negative));
  }
  if (y.kind === "zero" || logarithm.sign === 0) return encodeExtended(zero(negative));
  const { significand, exponent, sticky } = logarithm.value();
  const exact = { negative, significand: y.significand * significand, exponent: y.exponent + exponent, sticky };
  const result = rounded(x87, exact);
  // Inexact is signalled also where the result happens to be exact.
  x87.flags |= decodeExtended(result).denormal ? PE | UE : PE;
  return result;
}

function yLog2X(x87: X87, x: ExtendedFloat, y: ExtendedFloat): Outcome {
  if (x.kind === "zero") {
    if (y.kind === "zero") return invalid(x87);
    if (y.kind === "finite") {
      x87.flags |= ZE;
      if (!x87.masks(ZE)) return undefined;
    }
    return encodeExtended(infinity(!y.negative));
  }
  if (x.negative) return invalid(x87);
  if (!denormals(x87, x, y)) return undefined;
  if (x.kind === "infinity") return timesLogarithm(x87, y, { sign: 1, infinite: true, value: () => near(x, "above") });
  const sign = compare(x, decodeExtended(ONE));
  return timesLogarithm(x87, y, { sign, infinite: false, value: () => log2(x) });
}

/** |log2 x| of a positive finite number other than 1. */
function log2(x: Float): Exact {
  const bits = PRECISION + 96;
  // x = m * 2^e with m between 2/3 and 4/3, where the logarithm keeps its precision near 1.
  let e = magnitudeOf(x);
  let scale = x.exponent - e;
  if (x.significand * 3n > 4n << BigInt(-scale)) {
    e += 1;
    scale -= 1;
  }
  if (isPowerOfTwo(x))
    return { negative: false, significand: BigInt(Math.abs(magnitudeOf(x))), exponent: 0, sticky: false };
  const unit = 1n << BigInt(-scale);
  const natural = logOfRatio(x.significand - unit, x.significand + unit, bits);
  const value = (BigInt(e) << BigInt(bits)) + (natural << BigInt(bits)) / ln2(bits);
  return fromFixed(value < 0n ? -value : value, bits);
}

function yLog2XPlusOne(x87: X87, x: ExtendedFloat, y: ExtendedFloat): Outcome {
  if (x.kind === "infinity") {
    if (x.negative || y.kind === "zero") return invalid(x87);
    if (!denormals(x87, y)) return undefined;
    return timesLogarithm(x87, y, { sign: 1, infinite: true, value: () => near(x, "above") });
  }
  if (x.kind === "zero" && y.kind === "infinity") return invalid(x87);
  if (!denormals(x87, x, y)) return undefined;
  if (x.kind === "zero") return encodeExtended(zero(x.negative !== y.negative));
  // The architecture leaves all outside 1 - sqrt(1/2) open. At and below -1 there is no logarithm: the operand is the result.
  if (x.negative && magnitudeOf(x) >= 0 && y.kind === "finite") {
    x87.flags |= PE;
    return x.bits;
  }
  return timesLogarithm(x87, y, { sign: x.negative ? -1 : 1, infinite: false, value: () => log2OfOnePlus(x) });
}

/** |log2(1 + x)|: ln(1 + x) = 2 artanh(x / (2 + x)). */
function log2OfOnePlus(x: Float): Exact {
  const magnitude = magnitudeOf(x);
  if (magnitude < LINEAR_BELOW) {
    const quotient = (x.significand << 512n) / ln2(256);
    return { negative: false, significand: quotient, exponent: x.exponent - 256, sticky: true };
  }
  if (magnitude >= -1) {
    const exponent = Math.min(x.exponent, 0);
    const whole =
      (1n << BigInt(-exponent)) + (x.negative ? -1n : 1n) * (x.significand << BigInt(x.exponent - exponent));
    return log2({ ...x, negative: false, significand: whole, exponent });
  }
  const bits = PRECISION - magnitude + 64;
  const two = 2n << BigInt(-x.exponent);
  const n = x.negative ? -x.significand : x.significand;
  const natural = logOfRatio(n, two + n, bits);
  const value = (natural << BigInt(bits)) / ln2(bits);
  return fromFixed(value < 0n ? -value : value, bits);
}

// --- arc tangent -------------------------------------------------------------------------------------------------------

/** The angle of the point (x, y), from -pi to pi. */
function arcTangent(x87: X87, x: ExtendedFloat, y: ExtendedFloat): Outcome {
  if (!denormals(x87, x, y)) return undefined;
  const fixed = (value: bigint): bigint => rounded(x87, { ...fromFixed(value, PRECISION), negative: y.negative });
  const circle = pi(PRECISION);
  if (y.kind === "zero") return x.negative ? fixed(circle) : encodeExtended(zero(y.negative));
  if (x.kind === "zero") return fixed(circle >> 1n);
  if (x.kind === "infinity" && y.kind === "infinity") return fixed(x.negative ? (circle * 3n) >> 2n : circle >> 2n);
  if (y.kind === "infinity") return fixed(circle >> 1n);
  if (x.kind === "infinity") return x.negative ? fixed(circle) : encodeExtended(zero(y.negative));
  return rounded(x87, {
    ...angle({ ...x, negative: false }, { ...y, negative: false }, x.negative),
    negative: y.negative,
  });
}

/** The angle of a point in the first quadrant, or of its mirror image in the second. */
function angle(x: Float, y: Float, mirrored: boolean): Exact {
  const distance = magnitudeOf(y) - magnitudeOf(x);
  if (distance < LINEAR_BELOW && !mirrored) {
    // arctan t is just below t.
    const quotient = (y.significand << 256n) / x.significand;
    return near(
      { negative: false, significand: quotient, exponent: y.exponent - x.exponent - 256, sticky: false },
      "below",
    );
  }
  const bits = PRECISION + Math.min(Math.max(0, -distance), -LINEAR_BELOW) + 2;
  const steep = compare(y, x) > 0;
  const [n, d] = steep ? [x, y] : [y, x];
  const shift = n.exponent - d.exponent + bits;
  const ratio =
    shift >= 0 ? (n.significand << BigInt(shift)) / d.significand : n.significand / (d.significand << BigInt(-shift));
  let value = arctan(ratio, bits);
  if (steep) value = (pi(bits) >> 1n) - value;
  return fromFixed(mirrored ? pi(bits) - value : value, bits);
}

// --- sine, cosine, tangent ---------------------------------------------------------------------------------------------

/** Processors reduce angles by this approximation of pi, 66 significant bits of it (SDM 1 8.3.8). */
const REDUCTION_PI = 0xc_90fd_aa22_168c_234cn;
const REDUCTION_PI_BITS = 66;

interface Circular {
  readonly sine: Exact;
  readonly cosine: Exact;
  readonly tangent: Exact;
}

/** Of a finite number other than zero, below 2^63. */
function circular(x: Float): Circular {
  const magnitude = magnitudeOf(x);
  if (magnitude < LINEAR_BELOW) {
    const unit = { negative: false, significand: 1n, exponent: 0, sticky: false };
    return { sine: near(x, "below"), cosine: near(unit, "below"), tangent: near(x, "above") };
  }
  // Near a multiple of pi/2 the leading bits cancel: up to 64 for the significand and as many as x has before the point.
  const bits = PRECISION + 80 + Math.abs(magnitude);
  const quarter = REDUCTION_PI << BigInt(bits - REDUCTION_PI_BITS - 1);
  const value = toFixed({ ...x, negative: false }, bits);
  const quadrant = (value + (quarter >> 1n)) / quarter;
  const [s, c] = sineAndCosine(value - quadrant * quarter, bits);
  const [sine, cosine] = (
    [
      [s, c],
      [c, -s],
      [-s, -c],
      [-c, s],
    ] as const
  )[Number(quadrant & 3n)] ?? [s, c];
  const signed = x.negative ? -sine : sine;
  const tangent = (signed << BigInt(bits)) / cosine;
  return { sine: fromFixed(signed, bits), cosine: fromFixed(cosine, bits), tangent: fromFixed(tangent, bits) };
}

/** Results of a circular instruction on ST(0): the one it leaves there and the one it pushes, if any. */
type CircularResults = (x87: X87, x: ExtendedFloat) => readonly [bigint, bigint?] | undefined;

const ofAngle = (
  pushes: boolean,
  atZero: (x: ExtendedFloat) => readonly [bigint, bigint?],
  results: CircularResults,
): Helper =>
  instruction((x87) => {
    const store = (values: readonly [bigint, bigint?]): void => {
      x87.write(0, values[0]);
      if (pushes) x87.pushMasked(values[1] ?? values[0]);
    };
    x87.status &= ~STATUS.C2;
    if (x87.isEmpty(0) || (pushes && !x87.isEmpty(7))) {
      const proceeds = x87.underflow();
      x87.c1 = !x87.isEmpty(0);
      if (proceeds) store([DEFAULT_NAN]);
      return;
    }
    const x = decodeExtended(x87.read(0));
    const early = special(x87, x, x);
    const value = early === "go on" && x.kind === "infinity" ? invalid(x87) : early;
    if (value !== "go on") {
      if (value !== undefined) store([value]);
      return;
    }
    if (x.kind === "finite" && magnitudeOf(x) >= 63) {
      x87.status |= STATUS.C2;
      return;
    }
    if (!denormals(x87, x)) return;
    const values = x.kind === "zero" ? atZero(x) : results(x87, x);
    if (values) store(values);
  });

const sine = ofAngle(
  false,
  (x) => [x.bits],
  (x87, x) => [rounded(x87, circular(x).sine)],
);
const cosine = ofAngle(
  false,
  () => [ONE],
  (x87, x) => [rounded(x87, circular(x).cosine)],
);
const sineCosine = ofAngle(
  true,
  (x) => [x.bits, ONE],
  (x87, x) => {
    const values = circular(x);
    return [rounded(x87, values.sine), rounded(x87, values.cosine)];
  },
);
const tangent = ofAngle(
  true,
  (x) => [x.bits, ONE],
  (x87, x) => [rounded(x87, circular(x).tangent), ONE],
);

// --- instructions ------------------------------------------------------------------------------------------------------

/** ST(1) = f(ST(0), ST(1)), then a pop. */
const binary = (f: (x87: X87, x: ExtendedFloat, y: ExtendedFloat) => Outcome): Helper =>
  instruction((x87) => {
    let result: Outcome;
    if (x87.isEmpty(0) || x87.isEmpty(1)) result = x87.underflow() ? DEFAULT_NAN : undefined;
    else {
      const x = decodeExtended(x87.read(0));
      const y = decodeExtended(x87.read(1));
      const early = special(x87, y, x);
      result = early === "go on" ? f(x87, x, y) : early;
    }
    if (result === undefined) return;
    x87.write(1, result);
    x87.pop();
  });

const unary = (f: (x87: X87, x: ExtendedFloat) => Outcome): Helper =>
  instruction((x87) => {
    let result: Outcome;
    if (x87.isEmpty(0)) result = x87.underflow() ? DEFAULT_NAN : undefined;
    else {
      const x = decodeExtended(x87.read(0));
      const early = special(x87, x, x);
      if (early !== "go on") result = early;
      else if (denormals(x87, x)) result = f(x87, x);
    }
    if (result !== undefined) x87.write(0, result);
  });

export const X87_TRANSCENDENTAL_HELPERS: Record<string, Helper> = {
  x87_two_to_x_minus_one: unary(twoToXMinusOne),
  x87_y_log2_x: binary(yLog2X),
  x87_y_log2_x_plus_one: binary(yLog2XPlusOne),
  x87_arc_tangent: binary(arcTangent),
  x87_sine: sine,
  x87_cosine: cosine,
  x87_sine_cosine: sineCosine,
  x87_tangent: tangent,
};
