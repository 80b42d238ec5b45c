// ADDSUBxx, ROUNDxx and DPPx exactly, for what translated code leaves to a helper (sse-float.ts).
import { STATE, VECTOR_RESULT } from "../../x86/state-layout.ts";
import type { Helper } from "../context.ts";
import {
  DOUBLE,
  encode,
  FLOAT_FLAGS,
  type Format,
  type Rounding,
  round,
  roundToQuantum,
  SINGLE,
} from "./soft-float.ts";
import {
  close,
  type Environment,
  type Lane,
  open,
  type PackedShape,
  packed,
  product,
  propagate,
  read,
  scalar,
  sum,
} from "./sse-float.ts";

const { PE } = FLOAT_FLAGS;
const BY_MXCSR = 4n;
const NO_INEXACT = 8n;

/** To an integer of the same format. Denormals signal nothing. */
const rounding =
  (format: Format, control: bigint): Lane =>
  (environment, bits) => {
    const value = read(environment, format, bits);
    const nan = propagate(environment, format, value);
    if (nan !== undefined) return nan;
    if (value.kind !== "finite") return encode(format, value);
    const mode = control & BY_MXCSR ? environment.rounding : (Number(control & 3n) as Rounding);
    const { significand, inexact } = roundToQuantum(mode, value.negative, value.significand, value.exponent, false, 0);
    if (inexact && !(control & NO_INEXACT)) environment.post |= PE;
    return encode(format, round(format, { ...environment }, value.negative, significand, 0));
  };

/** DPPS, DPPD: operands as for packed helpers. Each step rounds and signals before the next. */
const dotProduct =
  (format: Format, { fromBits, count }: PackedShape): Helper =>
  (cpu, part = 0n, aLow = 0n, aHigh = 0n, bLow = 0n, bHigh = 0n, imm8 = 0n) => {
    const environment = open(cpu);
    const lanes = (low: bigint, high: bigint): bigint[] =>
      Array.from({ length: count }, (_, n) =>
        BigInt.asUintN(fromBits, (BigInt.asUintN(64, low) | (high << 64n)) >> BigInt(n * fromBits)),
      );
    const b = lanes(bLow, bHigh);
    const products = lanes(aLow, aHigh).map((x, n) =>
      (imm8 >> BigInt(4 + n)) & 1n ? product(format)(environment, x, b[n] as bigint) : 0n,
    );
    const enabled = ~(cpu.state.getNumber(STATE.mxcsr) >> 7) & 0x3f;
    const total = addPairs(environment, format, products, enabled);
    close(cpu, environment, Number(part));
    let result = 0n;
    for (let n = 0; n < count; n++) if ((imm8 >> BigInt(n)) & 1n) result |= total << BigInt(n * fromBits);
    cpu.state.setVector(VECTOR_RESULT, result);
    return 0n;
  };

/**
 * The sum of neighbours, then of their sums. An exception that is `enabled` ends it: the next step does not happen. What earlier steps
 * signalled stays signalled: as `pre`, which an operand exception of the last step does not hide.
 */
function addPairs(environment: Environment, format: Format, values: readonly bigint[], enabled: number): bigint {
  if (values.length === 1 || (environment.pre | environment.post) & enabled) return values[0] as bigint;
  environment.pre |= environment.post;
  environment.post = 0;
  const sums: bigint[] = [];
  for (let n = 0; n < values.length; n += 2) {
    sums.push(sum(format, false)(environment, values[n] as bigint, values[n + 1] as bigint));
  }
  return addPairs(environment, format, sums, enabled);
}

function helpersOf(type: "f32" | "f64"): Record<string, Helper> {
  const format = type === "f32" ? SINGLE : DOUBLE;
  const bits = type === "f32" ? 32 : 64;
  const shape: PackedShape = { fromBits: bits, toBits: bits, count: 128 / bits };
  const [add, subtract] = [sum(format, false), sum(format, true)];
  return {
    [`sse_packed_add_sub_${type}`]: packed(shape, (_, n) => (n % 2 === 0 ? subtract : add)),
    [`sse_round_${type}`]: scalar((environment, bits, control) => rounding(format, control)(environment, bits, 0n)),
    [`sse_packed_round_${type}`]: packed(
      shape,
      (control) => (environment, _, source) => rounding(format, control)(environment, source, 0n),
    ),
    [`sse_dot_${type}`]: dotProduct(format, shape),
  };
}

export const SSE4_HELPERS: Record<string, Helper> = { ...helpersOf("f32"), ...helpersOf("f64") };
