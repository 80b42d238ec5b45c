// x87 arithmetic and compares on exact integers (SDM 1 8.3, 8.5): what each instruction does to the register stack.
import type { CpuContext, Helper } from "../context.ts";
import {
  addExact,
  bitLength,
  compare,
  DOUBLE,
  decode,
  divideExact,
  EXTENDED,
  type Exact,
  FLOAT_FLAGS,
  type Float,
  type Format,
  finite,
  fromInteger,
  infinity,
  type RoundingContext,
  round,
  roundToQuantum,
  SINGLE,
  squareRootExact,
  zero,
} from "./soft-float.ts";
import {
  chooseNan,
  DEFAULT_NAN,
  decodeExtended,
  type ExtendedFloat,
  encodeExtended,
  magnitude,
  negate,
} from "./x87-float.ts";
import { STATUS, X87 } from "./x87-state.ts";

const { IE, DE, ZE, OE, UE, PE } = FLOAT_FLAGS;
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

type Outcome = bigint | undefined;

/** The default NaN, or nothing where IE is unmasked. */
function invalid(x87: X87): Outcome {
  x87.flags |= IE;
  return x87.masks(IE) ? DEFAULT_NAN : undefined;
}

/** Handles unsupported and NaN operands: a result, "stop", or undefined to go on. */
function special(x87: X87, a: ExtendedFloat, b: ExtendedFloat): Outcome | "go on" {
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
function denormals(x87: X87, ...operands: Float[]): boolean {
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

export type Operation = "add" | "mul" | "sub" | "subr" | "div" | "divr";

/** a op b (b op a for the reversed ones); undefined where an unmasked exception stops it. */
function operate(x87: X87, operation: Operation, first: ExtendedFloat, second: ExtendedFloat): Outcome {
  const early = special(x87, first, second);
  if (early !== "go on") return early;
  const reversed = operation.endsWith("r");
  const [a, b] = reversed ? [second, first] : [first, second];
  switch (operation) {
    case "add":
      return sum(x87, a, b);
    case "sub":
    case "subr":
      return sum(x87, a, { ...b, negative: !b.negative });
    case "mul":
      return product(x87, a, b);
    default:
      return quotient(x87, a, b);
  }
}

function sum(x87: X87, a: Float, b: Float): Outcome {
  if (a.kind === "infinity" && b.kind === "infinity" && a.negative !== b.negative) return invalid(x87);
  if (!denormals(x87, a, b)) return undefined;
  if (a.kind === "infinity" || b.kind === "infinity") return encodeExtended(a.kind === "infinity" ? a : b);
  return deliver(x87, addExact(a, b, x87.rounding));
}

function product(x87: X87, a: Float, b: Float): Outcome {
  const hasInfinity = a.kind === "infinity" || b.kind === "infinity";
  if (hasInfinity && (a.kind === "zero" || b.kind === "zero")) return invalid(x87);
  if (!denormals(x87, a, b)) return undefined;
  const negative = a.negative !== b.negative;
  if (hasInfinity) return encodeExtended(infinity(negative));
  const exact = { negative, significand: a.significand * b.significand, exponent: a.exponent + b.exponent };
  return deliver(x87, { ...exact, sticky: false });
}

function quotient(x87: X87, a: Float, b: Float): Outcome {
  const negative = a.negative !== b.negative;
  if (a.kind === b.kind && (a.kind === "zero" || a.kind === "infinity")) return invalid(x87);
  if (b.kind === "zero" && a.kind === "finite") {
    x87.flags = (x87.flags & ~DE) | ZE;
    return x87.masks(ZE) ? encodeExtended(infinity(negative)) : undefined;
  }
  if (!denormals(x87, a, b)) return undefined;
  if (a.kind === "infinity" || b.kind === "zero") return encodeExtended(infinity(negative));
  if (a.kind === "zero" || b.kind === "infinity") return encodeExtended(zero(negative));
  return deliver(x87, divideExact(a, b));
}

// --- instructions ------------------------------------------------------------------------------------------------------

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

const onStack = (body: Body): Helper => instruction((x87, _cpu, ...args) => body(x87, ...args));

/** ST(target) = ST(target) op `b`; the default NaN if either register was empty. */
function arithmetic(
  x87: X87,
  operation: Operation,
  target: number,
  b: () => ExtendedFloat,
  bIsEmpty: boolean,
): boolean {
  let result: Outcome;
  if (bIsEmpty || x87.isEmpty(target)) result = x87.underflow() ? DEFAULT_NAN : undefined;
  else result = operate(x87, operation, decodeExtended(x87.read(target)), b());
  if (result === undefined) return false;
  x87.write(target, result);
  return true;
}

const OPERATIONS: readonly Operation[] = ["add", "mul", "sub", "subr", "div", "divr"];

function arithmeticHelpers(): Record<string, Helper> {
  const helpers: Record<string, Helper> = {};
  for (const operation of OPERATIONS) {
    for (const type of ["f32", "f64", "i16", "i32"] as const) {
      helpers[`x87_${operation}_${type}`] = onStack((x87, bits = 0n) => {
        arithmetic(x87, operation, 0, () => widen(x87, type, bits), false);
      });
    }
    const other = (x87: X87, n: number) => (): ExtendedFloat => decodeExtended(x87.read(n));
    helpers[`x87_${operation}_st0`] = onStack((x87, n = 0n) => {
      arithmetic(x87, operation, 0, other(x87, Number(n)), x87.isEmpty(Number(n)));
    });
    helpers[`x87_${operation}_sti`] = onStack((x87, n = 0n) => {
      arithmetic(x87, operation, Number(n), other(x87, 0), x87.isEmpty(0));
    });
    helpers[`x87_${operation}_pop`] = onStack((x87, n = 0n) => {
      if (arithmetic(x87, operation, Number(n), other(x87, 0), x87.isEmpty(0))) x87.pop();
    });
  }
  return helpers;
}

// --- compares ----------------------------------------------------------------------------------------------------------

type Relation = "greater" | "less" | "equal" | "unordered";
const CODES: Record<Relation, number> = {
  greater: 0,
  less: STATUS.C0,
  equal: STATUS.C3,
  unordered: STATUS.C0 | STATUS.C2 | STATUS.C3,
};
const FLAGS: Record<Relation, bigint> = { greater: 0n, less: 0x01n, equal: 0x40n, unordered: 0x45n };

/** FCOM signals IE for every NaN, FUCOM for signalling ones. */
function relate(x87: X87, a: ExtendedFloat, b: ExtendedFloat, quietSignals: boolean): Relation {
  if (a.unsupported || b.unsupported || a.kind === "nan" || b.kind === "nan") {
    const signals = quietSignals || a.signalling || b.signalling || a.unsupported || b.unsupported;
    x87.flags &= ~DE;
    if (signals) x87.flags |= IE;
    return "unordered";
  }
  if (a.denormal || b.denormal) x87.flags |= DE;
  const order = compare(a, b);
  return order < 0 ? "less" : order > 0 ? "greater" : "equal";
}

function relateStack(x87: X87, b: () => ExtendedFloat, bIsEmpty: boolean, quietSignals: boolean): Relation {
  if (bIsEmpty || x87.isEmpty(0)) {
    x87.underflow();
    return "unordered";
  }
  return relate(x87, decodeExtended(x87.read(0)), b(), quietSignals);
}

/** Condition codes, then `pops` pops; an unmasked exception only keeps it from popping. */
function compareWith(x87: X87, b: () => ExtendedFloat, bIsEmpty: boolean, quietSignals: boolean, pops: number): void {
  x87.setConditionCodes(CODES[relateStack(x87, b, bIsEmpty, quietSignals)]);
  if (!x87.masks(x87.flags)) return;
  for (let n = 0; n < pops; n++) x87.pop();
}

function compareHelpers(): Record<string, Helper> {
  const helpers: Record<string, Helper> = {};
  for (const [suffix, pops] of [
    ["", 0],
    ["_pop", 1],
    ["_pop2", 2],
  ] as const) {
    for (const type of ["f32", "f64", "i16", "i32"] as const) {
      helpers[`x87_com${suffix}_${type}`] = onStack((x87, bits = 0n) =>
        compareWith(x87, () => widen(x87, type, bits), false, true, pops),
      );
    }
    for (const [name, quietSignals] of [
      ["com", true],
      ["ucom", false],
    ] as const) {
      helpers[`x87_${name}${suffix}`] = onStack((x87, n = 0n) =>
        compareWith(x87, () => decodeExtended(x87.read(Number(n))), x87.isEmpty(Number(n)), quietSignals, pops),
      );
      // FCOMI and FUCOMI: to ZF PF CF; C1 stays.
      helpers[`x87_${name}i${suffix}`] = (cpu, n = 0n) => {
        const x87 = new X87(cpu.state);
        const i = Number(n);
        x87.keepC1();
        const relation = relateStack(x87, () => decodeExtended(x87.read(i)), x87.isEmpty(i), quietSignals);
        if (pops === 1 && x87.masks(x87.flags)) x87.pop();
        x87.finish();
        return FLAGS[relation];
      };
    }
  }
  return helpers;
}

// --- one operand -------------------------------------------------------------------------------------------------------

/** ST(0) = f(ST(0)); `f` yields undefined when stopped. */
const unary = (f: (x87: X87, a: ExtendedFloat) => Outcome): Helper =>
  onStack((x87) => {
    const result = x87.isEmpty(0) ? (x87.underflow() ? DEFAULT_NAN : undefined) : f(x87, decodeExtended(x87.read(0)));
    if (result !== undefined) x87.write(0, result);
  });

function squareRoot(x87: X87, a: ExtendedFloat): Outcome {
  const early = special(x87, a, a);
  if (early !== "go on") return early;
  if (a.kind === "zero") return a.bits;
  if (a.negative) return invalid(x87);
  if (!denormals(x87, a)) return undefined;
  return a.kind === "infinity" ? a.bits : deliver(x87, squareRootExact(a));
}

function roundToInteger(x87: X87, a: ExtendedFloat): Outcome {
  const early = special(x87, a, a);
  if (early !== "go on") return early;
  if (a.kind !== "finite") return a.bits;
  if (!denormals(x87, a)) return undefined;
  if (a.exponent >= 0) return a.bits;
  const { significand, inexact, up } = roundToQuantum(x87.rounding, a.negative, a.significand, a.exponent, false, 0);
  if (inexact) x87.flags |= PE;
  x87.c1 = up;
  return encodeExtended(finite(a.negative, significand, 0));
}

/** FXAM: class of ST(0) in C3 C2 C0, sign in C1. */
const examine = onStack((x87) => {
  const a = decodeExtended(x87.read(0));
  x87.c1 = a.negative;
  const { C0, C2, C3 } = STATUS;
  if (x87.isEmpty(0)) x87.setConditionCodes(C3 | C0);
  else if (a.unsupported) x87.setConditionCodes(0);
  else if (a.kind === "nan") x87.setConditionCodes(C0);
  else if (a.kind === "infinity") x87.setConditionCodes(C2 | C0);
  else if (a.kind === "zero") x87.setConditionCodes(C3);
  else x87.setConditionCodes(a.denormal ? C3 | C2 : C2);
});

// --- remainder, scale, extract -----------------------------------------------------------------------------------------

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

const test = onStack((x87) => compareWith(x87, () => decodeExtended(0n), false, true, 0));

export const X87_ARITHMETIC_HELPERS: Record<string, Helper> = {
  ...arithmeticHelpers(),
  ...compareHelpers(),
  x87_sqrt: unary(squareRoot),
  x87_round: unary(roundToInteger),
  x87_chs: unary((_, a) => negate(a.bits)),
  x87_abs: unary((_, a) => magnitude(a.bits)),
  x87_test: test,
  x87_examine: examine,
  x87_remainder: remainder(false),
  x87_remainder_nearest: remainder(true),
  x87_scale: scale,
  x87_extract: extract,
};
