// The exact float arithmetic of helpers against the host's own IEEE 754 arithmetic, and its elementary functions against the host's library.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arctan, expm1, ln2, logOfRatio, pi, sineAndCosine } from "../../../../native-core/cpu/helpers/fixed-point.ts";
import {
  addExact,
  compare,
  DOUBLE,
  decode,
  divideExact,
  type Exact,
  encode,
  FLOAT_FLAGS,
  type Float,
  type Format,
  type Rounding,
  type RoundingContext,
  round,
  SINGLE,
  squareRootExact,
} from "../../../../native-core/cpu/helpers/soft-float.ts";

const view = new DataView(new ArrayBuffer(8));

function bitsOf(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

function singleBitsOf(value: number): bigint {
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
}

function context(rounding: Rounding = 0): RoundingContext {
  return { rounding, flushToZero: false, unmasked: 0, post: 0, roundedUp: false };
}

function rounded(format: Format, exact: Exact, mode: RoundingContext = context()): bigint {
  return encode(format, round(format, mode, exact.negative, exact.significand, exact.exponent, exact.sticky));
}

const product = (a: Float, b: Float): Exact => ({
  negative: a.negative !== b.negative,
  significand: a.significand * b.significand,
  exponent: a.exponent + b.exponent,
  sticky: false,
});

/** Finite numbers other than zero, denormals included. */
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => value !== 0);
const numbers = fc.double({ noNaN: true, noDefaultInfinity: true });

describe("soft float", () => {
  it("decodes and encodes every number to itself", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (bits) => {
        expect(encode(DOUBLE, decode(DOUBLE, bits))).toBe(bits);
      }),
    );
  });

  it("adds, multiplies and divides doubles as the host does", () => {
    fc.assert(
      fc.property(finite, finite, (a, b) => {
        const [x, y] = [decode(DOUBLE, bitsOf(a)), decode(DOUBLE, bitsOf(b))];
        expect(rounded(DOUBLE, addExact(x, y, 0))).toBe(bitsOf(a + b));
        expect(rounded(DOUBLE, product(x, y))).toBe(bitsOf(a * b));
        expect(rounded(DOUBLE, divideExact(x, y))).toBe(bitsOf(a / b));
      }),
    );
  });

  it("takes square roots as the host does", () => {
    fc.assert(
      fc.property(finite, (a) => {
        expect(rounded(DOUBLE, squareRootExact(decode(DOUBLE, bitsOf(Math.abs(a)))))).toBe(
          bitsOf(Math.sqrt(Math.abs(a))),
        );
      }),
    );
  });

  it("rounds doubles to singles as the host does", () => {
    fc.assert(
      fc.property(finite, (a) => {
        const x = decode(DOUBLE, bitsOf(a));
        expect(rounded(SINGLE, { ...x, sticky: false })).toBe(singleBitsOf(Math.fround(a)));
      }),
    );
  });

  it("orders numbers as the host does", () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        expect(compare(decode(DOUBLE, bitsOf(a)), decode(DOUBLE, bitsOf(b)))).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  it("brackets an inexact result between rounding down and rounding up", () => {
    fc.assert(
      fc.property(finite, finite, (a, b) => {
        const exact = divideExact(decode(DOUBLE, bitsOf(a)), decode(DOUBLE, bitsOf(b)));
        const [down, up, zero] = ([1, 2, 3] as const).map((mode) => {
          view.setBigUint64(0, rounded(DOUBLE, exact, context(mode)));
          return view.getFloat64(0);
        }) as [number, number, number];
        expect(down).toBeLessThanOrEqual(a / b);
        expect(up).toBeGreaterThanOrEqual(a / b);
        expect(Math.abs(zero)).toBe(Math.min(Math.abs(down), Math.abs(up)));
      }),
    );
  });

  it("signals PE exactly when rounding changes the value", () => {
    for (const [value, flags] of [
      [0.5, 0],
      [1 + 2 ** -23, 0],
      [1 + 2 ** -24, FLOAT_FLAGS.PE],
      [2 ** -149, 0], // tiny but exact: no underflow while it is masked
      [2 ** -150, FLOAT_FLAGS.PE | FLOAT_FLAGS.UE],
      [2 ** 128, FLOAT_FLAGS.PE | FLOAT_FLAGS.OE],
    ] as const) {
      const mode = context();
      rounded(SINGLE, { ...decode(DOUBLE, bitsOf(value)), sticky: false }, mode);
      expect(mode.post).toBe(flags);
    }
  });
});

describe("fixed-point functions", () => {
  const BITS = 128;
  const fixed = (value: number): bigint => BigInt(Math.round(value * 2 ** 52)) << BigInt(BITS - 52);
  const number = (value: bigint): number => Number(value) / 2 ** BITS;
  const unit = fc.double({ min: 0, max: 0.99, noNaN: true }).map((value) => Math.round(value * 2 ** 52) / 2 ** 52);

  it("know pi and the logarithm of 2", () => {
    expect(pi(256).toString(16).slice(0, 32)).toBe("3243f6a8885a308d313198a2e0370734");
    expect(ln2(256).toString(16).slice(0, 32)).toBe("b17217f7d1cf79abc9e3b39803f2f6af");
  });

  it("agree with the host's library", () => {
    fc.assert(
      fc.property(unit, (x) => {
        expect(number(expm1(fixed(x), BITS))).toBeCloseTo(Math.expm1(x), 14);
        expect(number(arctan(fixed(x), BITS))).toBeCloseTo(Math.atan(x), 14);
        const [sine, cosine] = sineAndCosine(fixed(x), BITS);
        expect(number(sine)).toBeCloseTo(Math.sin(x), 14);
        expect(number(cosine)).toBeCloseTo(Math.cos(x), 14);
        expect(number(logOfRatio(fixed(x / 8), 1n << BigInt(BITS), BITS))).toBeCloseTo(2 * Math.atanh(x / 8), 14);
      }),
    );
  });
});
