// x87 instructions that take numbers apart: FPREM, FPREM1, FSCALE, FXTRACT (SDM 1 8.3.5, SDM 2A).
import type { Helper } from "../context.ts";
import {
  addExact,
  bitLength,
  compare,
  EXTENDED,
  FLOAT_FLAGS,
  type Float,
  finite,
  fromInteger,
  infinity,
  roundToQuantum,
  zero,
} from "./soft-float.ts";
import { deliver, denormals, invalid, type Outcome, onStack, special } from "./x87-core.ts";
import { DEFAULT_NAN, decodeExtended, type ExtendedFloat, encodeExtended } from "./x87-float.ts";
import { STATUS, type X87 } from "./x87-state.ts";

const { ZE } = FLOAT_FLAGS;

/** FPREM (truncated quotient) and FPREM1 (nearest): up to 63 bits of quotient at a time, C2 = 1 while incomplete (SDM 2A). */
const remainder = (nearest: boolean): Helper =>
  onStack((x87) => {
    x87.status &= ~STATUS.C2;
    if (x87.isEmpty(0) || x87.isEmpty(1)) {
      if (x87.underflow()) x87.write(0, DEFAULT_NAN);
      return;
    }
    const a = decodeExtended(x87.read(0));
    const b = decodeExtended(x87.read(1));
    const early = special(x87, a, b);
    if (early !== "go on") {
      if (early !== undefined) x87.write(0, early);
      return;
    }
    if (a.kind === "infinity" || b.kind === "zero") {
      if (invalid(x87) !== undefined) x87.write(0, DEFAULT_NAN);
      return;
    }
    if (!denormals(x87, a, b)) return;
    x87.setConditionCodes(0);
    if (a.kind !== "finite") return;
    if (b.kind === "finite") partialRemainder(x87, a, b, nearest);
    else writeExact(x87, a.negative, a);
  });

function partialRemainder(x87: X87, a: Float, b: Float, nearest: boolean): void {
  const distance = a.exponent + bitLength(a.significand) - (b.exponent + bitLength(b.significand));
  if (distance >= 64) {
    // Reduce the exponent by 32 to 63 and leave the rest to the next time round (C2 = 1).
    const step = distance - (32 + (distance % 32));
    const divisor = { ...b, exponent: b.exponent + step };
    const { rest } = divideWithRest(a, divisor);
    writeExact(x87, a.negative, rest);
    x87.setConditionCodes(STATUS.C2);
    return;
  }
  let { quotient: q, rest } = divideWithRest(a, b);
  let negative = a.negative;
  if (nearest) {
    const unit = { ...b, negative: false };
    const twice = compare({ ...finite(false, rest.significand, rest.exponent + 1) }, unit);
    if (twice > 0 || (twice === 0 && (q & 1n) === 1n)) {
      const gap = addExact({ ...unit, denormal: false }, finite(true, rest.significand, rest.exponent), 0);
      rest = { significand: gap.significand, exponent: gap.exponent };
      negative = !negative;
      q += 1n;
    }
  }
  writeExact(x87, rest.significand === 0n ? a.negative : negative, rest);
  // The low three bits of the quotient: Q2 in C0, Q1 in C3, Q0 in C1.
  x87.setConditionCodes((q & 4n ? STATUS.C0 : 0) | (q & 2n ? STATUS.C3 : 0));
  x87.c1 = (q & 1n) !== 0n;
}

/** An exact result can still be tiny, which an unmasked underflow signals. */
function writeExact(x87: X87, negative: boolean, { significand, exponent }: Significand): void {
  x87.write(0, deliver(x87, { negative, significand, exponent, sticky: false }, EXTENDED));
}

interface Significand {
  readonly significand: bigint;
  readonly exponent: number;
}

/** Truncated |a| / |b| and what is left. */
function divideWithRest(a: Float, b: Float): { quotient: bigint; rest: Significand } {
  const exponent = Math.min(a.exponent, b.exponent);
  const x = a.significand << BigInt(a.exponent - exponent);
  const y = b.significand << BigInt(b.exponent - exponent);
  return { quotient: x / y, rest: { significand: x % y, exponent } };
}

/** FSCALE: ST(0) * 2^trunc(ST(1)). */
const scale = onStack((x87) => {
  if (x87.isEmpty(0) || x87.isEmpty(1)) {
    if (x87.underflow()) x87.write(0, DEFAULT_NAN);
    return;
  }
  const result = scaled(x87, decodeExtended(x87.read(0)), decodeExtended(x87.read(1)));
  if (result !== undefined) x87.write(0, result);
});

function scaled(x87: X87, a: ExtendedFloat, b: ExtendedFloat): Outcome {
  const early = special(x87, a, b);
  if (early !== "go on") return early;
  if (b.kind === "infinity") {
    if ((b.negative && a.kind === "infinity") || (!b.negative && a.kind === "zero")) return invalid(x87);
    if (!denormals(x87, a)) return undefined;
    return encodeExtended(b.negative ? zero(a.negative) : infinity(a.negative));
  }
  if (!denormals(x87, a, b)) return undefined;
  if (a.kind !== "finite" || b.kind === "zero") {
    if (a.kind !== "finite") return a.bits;
  }
  const { significand } = roundToQuantum(3, b.negative, b.significand, b.exponent, false, 0);
  const limited = Number(significand > 0x10000n ? 0x10000n : significand) * (b.negative ? -1 : 1);
  return deliver(x87, { ...a, exponent: a.exponent + limited, sticky: false }, EXTENDED);
}

/** FXTRACT: ST(0) becomes the exponent, then the significand is pushed. */
const extract = onStack((x87) => {
  if (x87.isEmpty(0) || !x87.isEmpty(7)) {
    const proceeds = x87.underflow();
    x87.c1 = !x87.isEmpty(0); // not empty: it is an overflow
    if (!proceeds) return;
    x87.write(0, DEFAULT_NAN);
    x87.pushMasked(DEFAULT_NAN);
    return;
  }
  const a = decodeExtended(x87.read(0));
  const early = special(x87, a, a);
  if (early !== "go on") {
    if (early === undefined) return;
    x87.write(0, early);
    x87.push(early);
    return;
  }
  if (a.kind === "zero") {
    x87.flags |= ZE;
    if (!x87.masks(ZE)) return;
    x87.write(0, encodeExtended(infinity(true)));
    x87.push(a.bits);
    return;
  }
  if (a.kind === "infinity") {
    x87.write(0, encodeExtended(infinity(false)));
    x87.push(a.bits);
    return;
  }
  if (!denormals(x87, a)) return;
  const exponent = a.exponent + bitLength(a.significand) - 1;
  x87.write(0, encodeExtended(fromInteger(BigInt(exponent))));
  x87.push(encodeExtended({ ...a, exponent: a.exponent - exponent }));
});

export const X87_REMAINDER_HELPERS: Record<string, Helper> = {
  x87_remainder: remainder(false),
  x87_remainder_nearest: remainder(true),
  x87_scale: scale,
  x87_extract: extract,
};
