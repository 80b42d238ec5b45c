// What x87 instructions share: operands made 80 bits wide, the handling of NaN and denormal operands, rounding to a register, and the
// frame of an instruction that records flags and C1 at its end.
import type { CpuContext, Helper } from "../context.ts";
import {
  bitLength,
  DOUBLE,
  decode,
  EXTENDED,
  type Exact,
  FLOAT_FLAGS,
  type Float,
  type Format,
  fromInteger,
  infinity,
  type RoundingContext,
  round,
  SINGLE,
  zero,
} from "./soft-float.ts";
import { chooseNan, DEFAULT_NAN, decodeExtended, type ExtendedFloat, encodeExtended } from "./x87-float.ts";
import { X87 } from "./x87-state.ts";

const { IE, DE, OE, UE, PE } = FLOAT_FLAGS;
/** What an unmasked overflow or underflow adds to or takes from the exponent of a register result (SDM 1 8.5.4, 8.5.5). */
const EXPONENT_ADJUSTMENT = 24576;

/** A memory operand's format. */
export type SourceType = "f32" | "f64" | "i16" | "i32" | "i64";

/** The 80-bit value of a memory operand; a signalling NaN is quieted and noted. Denormals are noted. */
export function widen(x87: X87, type: SourceType, bits: bigint): ExtendedFloat {
  if (type === "f32" || type === "f64") {
    const format = type === "f32" ? SINGLE : DOUBLE;
    const value = decode(format, BigInt.asUintN(type === "f32" ? 32 : 64, bits));
    const shift = BigInt(64 - format.precision);
    const wide =
      value.kind === "nan"
        ? encodeExtended({ ...value, significand: value.significand << shift })
        : encodeExtended(value);
    if (value.denormal) x87.flags |= DE;
    return decodeExtended(wide);
  }
  return decodeExtended(encodeExtended(fromInteger(BigInt.asIntN(Number(type.slice(1)), bits))));
}

/** A result, or nothing where an unmasked exception stops the instruction. */
export type Outcome = bigint | undefined;

/** The default NaN, or nothing where IE is unmasked. */
export function invalid(x87: X87): Outcome {
  x87.flags |= IE;
  return x87.masks(IE) ? DEFAULT_NAN : undefined;
}

/** Handles unsupported and NaN operands: a result, "stop", or undefined to go on. */
export function special(x87: X87, a: ExtendedFloat, b: ExtendedFloat): Outcome | "go on" {
  if (!a.unsupported && !b.unsupported && a.kind !== "nan" && b.kind !== "nan") return "go on";
  x87.flags &= ~DE; // such an operand goes before a denormal one
  if (a.unsupported || b.unsupported) return invalid(x87);
  if (a.signalling || b.signalling) {
    x87.flags |= IE;
    if (!x87.masks(IE)) return undefined;
  }
  return chooseNan(a, b);
}

/** Notes denormal operands; false if that stops the instruction. */
export function denormals(x87: X87, ...operands: Float[]): boolean {
  if (operands.some((operand) => operand.denormal)) x87.flags |= DE;
  return x87.masks(x87.flags & DE);
}

/** Rounds to a register, to `format`'s precision. */
export function deliver(x87: X87, exact: Exact, format: Format = x87.format): bigint {
  const { negative, significand, exponent, sticky } = exact;
  const context = x87.rounder();
  let result = round(format, context, negative, significand, exponent, sticky);
  if (context.post & context.unmasked) {
    const direction = context.post & OE ? -1 : 1;
    result = adjust(format, context, { ...exact, exponent: exponent + direction * EXPONENT_ADJUSTMENT });
  }
  x87.flags |= context.post;
  x87.c1 = context.roundedUp;
  return encodeExtended(result);
}

/** The result of an unmasked overflow or underflow; FSCALE can be beyond even the adjusted range. */
function adjust(format: Format, context: RoundingContext, { negative, significand, exponent, sticky }: Exact): Float {
  const isOverflow = (context.post & OE) !== 0;
  const unbounded = { precision: format.precision, minExponent: -1e6, maxExponent: 1e6 };
  context.post &= OE | UE;
  const result = round(unbounded, context, negative, significand, exponent, sticky);
  const top = result.exponent + bitLength(result.significand) - 1;
  if (top <= EXTENDED.maxExponent && top >= EXTENDED.minExponent) return result;
  context.post |= PE;
  context.roundedUp = isOverflow;
  return isOverflow ? infinity(negative) : zero(negative);
}

type Body = (x87: X87, ...args: bigint[]) => void;

/** An instruction: runs `body` on the stack, then records flags and C1. */
export const instruction =
  (body: (x87: X87, cpu: CpuContext, ...args: bigint[]) => void): Helper =>
  (cpu, ...args) => {
    const x87 = new X87(cpu.state);
    body(x87, cpu, ...args);
    x87.finish();
    return 0n;
  };

export const onStack = (body: Body): Helper => instruction((x87, _cpu, ...args) => body(x87, ...args));
