// The x87's 80-bit format (SDM 1 4.2.2, 8.2): sign, 15-bit exponent, 64-bit significand with an explicit integer bit. Values are unsigned
// 80-bit bigints. Encodings without the integer bit that a normal number needs ("unsupported") are invalid operands.
import { EXTENDED, type Float, finite, infinity, zero } from "./soft-float.ts";

export interface ExtendedFloat extends Float {
  /** Unnormal, pseudo-infinity or pseudo-NaN. */
  readonly unsupported: boolean;
  readonly bits: bigint;
}

const EXPONENT_MAX = 0x7fff;
const INTEGER_BIT = 1n << 63n;
const QUIET_BIT = 1n << 62n;
const SIGN_BIT = 1n << 79n;
const BIAS = 16383;
/** Exponent of the lowest significand bit of denormals. */
const QUANTUM = EXTENDED.minExponent - EXTENDED.precision + 1;

export const DEFAULT_NAN = 0xffff_c000_0000_0000_0000n;
export const ONE = (BigInt(BIAS) << 64n) | INTEGER_BIT;

export function decodeExtended(bits: bigint): ExtendedFloat {
  const negative = (bits & SIGN_BIT) !== 0n;
  const biased = Number((bits >> 64n) & 0x7fffn);
  const significand = BigInt.asUintN(64, bits);
  const integer = (significand & INTEGER_BIT) !== 0n;
  const common = { unsupported: false, bits };
  if (biased === EXPONENT_MAX) {
    if (!integer) return { ...infinity(negative), unsupported: true, bits };
    const fraction = significand & ~INTEGER_BIT;
    if (fraction === 0n) return { ...infinity(negative), ...common };
    const signalling = (fraction & QUIET_BIT) === 0n;
    return { kind: "nan", negative, significand, exponent: 0, denormal: false, signalling, ...common };
  }
  if (biased === 0) {
    if (significand === 0n) return { ...zero(negative), ...common };
    // A pseudo-denormal (integer bit set) has the value its bits say.
    return { ...finite(negative, significand, QUANTUM), denormal: true, ...common };
  }
  const unsupported = !integer;
  return { ...finite(negative, significand || 1n, QUANTUM + biased - 1), unsupported, bits };
}

/** Of a number rounded to at most 64 bits; shorter significands are normalized. */
export function encodeExtended(value: Float): bigint {
  const sign = value.negative ? SIGN_BIT : 0n;
  switch (value.kind) {
    case "zero":
      return sign;
    case "infinity":
      return sign | (BigInt(EXPONENT_MAX) << 64n) | INTEGER_BIT;
    case "nan":
      return sign | (BigInt(EXPONENT_MAX) << 64n) | INTEGER_BIT | value.significand;
  }
  let { significand, exponent } = value;
  while (significand < INTEGER_BIT && exponent > QUANTUM) {
    significand <<= 1n;
    exponent -= 1;
  }
  while (exponent < QUANTUM) {
    significand >>= 1n;
    exponent += 1;
  }
  if (significand < INTEGER_BIT) return sign | significand;
  return sign | (BigInt(exponent - QUANTUM + 1) << 64n) | significand;
}

export function quiet(bits: bigint): bigint {
  return bits | QUIET_BIT;
}

export const negate = (bits: bigint): bigint => bits ^ SIGN_BIT;
export const magnitude = (bits: bigint): bigint => bits & ~SIGN_BIT;

/**
 * The result of an operation with NaN operands (SDM 1 table 4-7): the one NaN, quieted; of two, a quiet one before a signalling one, then
 * the larger significand, then the positive one.
 */
export function chooseNan(a: ExtendedFloat, b: ExtendedFloat): bigint {
  if (a.kind !== "nan") return quiet(b.bits);
  if (b.kind !== "nan") return quiet(a.bits);
  if (a.signalling !== b.signalling) return quiet(a.signalling ? b.bits : a.bits);
  if (a.significand !== b.significand) return quiet(a.significand > b.significand ? a.bits : b.bits);
  return quiet(a.negative ? b.bits : a.bits);
}
