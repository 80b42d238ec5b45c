// Exact fused multiply-add for what the routine (ir/ops/fused.ts) leaves: special operands, small and large results, control bits.
import { VECTOR_RESULT } from "../../x86/state-layout.ts";
import type { Helper } from "../context.ts";
import { addExact, DOUBLE, encode, type Float, type Format, infinity, round, SINGLE, zero } from "./soft-float.ts";
import { close, type Environment, invalid, noteDenormals, open, propagate, read } from "./sse-float.ts";

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Bits of `signs` (x86/semantics/fma.ts): the product is negated; the addend is, in even lanes and in odd ones. */
const NEGATED = { product: 1, even: 2, odd: 4 } as const;

const multiply = (a: Float, b: Float, negative: boolean): Float => {
  if (a.kind === "infinity" || b.kind === "infinity") return infinity(negative);
  if (a.kind === "zero" || b.kind === "zero") return zero(negative);
  const product = { significand: a.significand * b.significand, exponent: a.exponent + b.exponent };
  return { ...a, ...product, negative, denormal: false };
};

function fuse(
  environment: Environment,
  format: Format,
  bits: readonly [bigint, bigint, bigint],
  negateProduct: boolean,
  negateAddend: boolean,
): bigint {
  const [a, b, addend] = bits.map((value) => read(environment, format, value)) as [Float, Float, Float];
  const isInvalid = (a.kind === "infinity" && b.kind === "zero") || (a.kind === "zero" && b.kind === "infinity");
  const nan = propagate(environment, format, a, b, addend);
  if (nan !== undefined) return nan;
  if (isInvalid) return invalid(environment, format);
  const product = multiply(a, b, (a.negative !== b.negative) !== negateProduct);
  const c = negateAddend ? { ...addend, negative: !addend.negative } : addend;
  if (product.kind === "infinity" && c.kind === "infinity" && product.negative !== c.negative) {
    return invalid(environment, format);
  }
  noteDenormals(environment, a, b, addend);
  if (product.kind === "infinity") return encode(format, product);
  if (c.kind === "infinity") return encode(format, c);
  const exact = addExact(product, c, environment.rounding);
  return encode(format, round(format, environment, exact.negative, exact.significand, exact.exponent, exact.sticky));
}

/** (a, b, c, signs) as bits. */
const scalar =
  (format: Format): Helper =>
  (cpu, a = 0n, b = 0n, c = 0n, signs = 0n) => {
    const environment = open(cpu);
    const negated = (bit: number): boolean => (Number(signs) & bit) !== 0;
    const result = fuse(environment, format, [u64(a), u64(b), u64(c)], negated(NEGATED.product), negated(NEGATED.even));
    close(cpu, environment);
    return result;
  };

/** (part, quads of a, b and c, signs): the result is left in VECTOR_RESULT. */
const packed =
  (format: Format, bits: 32 | 64): Helper =>
  (cpu, part = 0n, ...operands) => {
    const environment = open(cpu);
    const vector = (n: number): bigint => u64(operands[n] ?? 0n) | (u64(operands[n + 1] ?? 0n) << 64n);
    const vectors = [vector(0), vector(2), vector(4)];
    const signs = Number(operands[6] ?? 0n);
    let result = 0n;
    for (let lane = 0; lane < 128 / bits; lane++) {
      const shift = BigInt(lane * bits);
      const values = vectors.map((value) => BigInt.asUintN(bits, value >> shift)) as [bigint, bigint, bigint];
      const negateAddend = (signs & (lane & 1 ? NEGATED.odd : NEGATED.even)) !== 0;
      result |= fuse(environment, format, values, (signs & NEGATED.product) !== 0, negateAddend) << shift;
    }
    close(cpu, environment, Number(part));
    cpu.state.setVector(VECTOR_RESULT, result);
    return 0n;
  };

export const FMA_HELPERS: Record<string, Helper> = {
  fma_f32: scalar(SINGLE),
  fma_f64: scalar(DOUBLE),
  fma_packed_f32: packed(SINGLE, 32),
  fma_packed_f64: packed(DOUBLE, 64),
};
