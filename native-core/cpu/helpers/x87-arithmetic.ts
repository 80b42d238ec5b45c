// x87 arithmetic on exact integers: add, subtract, multiply, divide, square root, round, sign (SDM 1 8.3.5).
import type { Helper } from "../context.ts";
import {
  addExact,
  divideExact,
  FLOAT_FLAGS,
  type Float,
  finite,
  infinity,
  roundToQuantum,
  squareRootExact,
  zero,
} from "./soft-float.ts";
import { deliver, denormals, invalid, type Outcome, onStack, special, widen } from "./x87-core.ts";
import { DEFAULT_NAN, decodeExtended, type ExtendedFloat, encodeExtended, magnitude, negate } from "./x87-float.ts";
import { type X87 } from "./x87-state.ts";

const { DE, ZE, PE } = FLOAT_FLAGS;

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

export const X87_ARITHMETIC_HELPERS: Record<string, Helper> = {
  ...arithmeticHelpers(),
  x87_sqrt: unary(squareRoot),
  x87_round: unary(roundToInteger),
  x87_chs: unary((_, a) => negate(a.bits)),
  x87_abs: unary((_, a) => magnitude(a.bits)),
};
