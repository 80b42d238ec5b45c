// ADDSUBxx, ROUNDxx and DPPx exactly, for what translated code leaves to a helper (sse-float.ts).
import { STATE, VECTOR_PART, VECTOR_RESULT } from "../../x86/state-layout.ts";
import type { CpuContext, Helper } from "../context.ts";
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

/** DPPS, DPPD: operands as for packed helpers. Products, then sums of neighbours until one is left; each step rounds and signals. */
const dotProduct =
  (format: Format, { fromBits, count }: PackedShape): Helper =>
  (cpu, part = 0n, aLow = 0n, aHigh = 0n, bLow = 0n, bHigh = 0n, imm8 = 0n) => {
    const environment = open(cpu);
    const lanes = (low: bigint, high: bigint): bigint[] =>
      Array.from({ length: count }, (_, n) =>
        BigInt.asUintN(fromBits, (BigInt.asUintN(64, low) | (high << 64n)) >> BigInt(n * fromBits)),
      );
    const b = lanes(bLow, bHigh);
    let values = lanes(aLow, aHigh).map((x, n) =>
      (imm8 >> BigInt(4 + n)) & 1n ? product(format)(environment, x, b[n] as bigint) : 0n,
    );
    const steps = [takeFlags(environment)];
    while (values.length > 1) {
      values = addNeighbours(environment, format, values);
      steps.push(takeFlags(environment));
    }
    closeSteps(cpu, environment, steps, Number(part));
    const total = values[0] as bigint;
    let result = 0n;
    for (let n = 0; n < count; n++) if ((imm8 >> BigInt(n)) & 1n) result |= total << BigInt(n * fromBits);
    cpu.state.setVector(VECTOR_RESULT, result);
    return 0n;
  };

function addNeighbours(environment: Environment, format: Format, values: readonly bigint[]): bigint[] {
  const sums: bigint[] = [];
  for (let n = 0; n < values.length; n += 2) {
    sums.push(sum(format, false)(environment, values[n] as bigint, values[n + 1] as bigint));
  }
  return sums;
}

/** The flags of a step, which leaves none behind. */
function takeFlags(environment: Environment): number {
  const flags = environment.pre | environment.post;
  environment.pre = 0;
  environment.post = 0;
  return flags;
}

const OPERAND_FLAGS = FLOAT_FLAGS.IE | FLOAT_FLAGS.DE | FLOAT_FLAGS.ZE;
const STEP_BITS = 6;
const STEP_FLAGS = 0x3f;

/**
 * As `close`, for an operation in steps. An unmasked exception ends it: the next step does not happen. What earlier steps signalled stays
 * signalled: as `pre`, which an operand exception of the last step does not hide. Both halves of a 256-bit operation take each step
 * together; with any exception unmasked the low one leaves the flags of its steps for the high one.
 */
function closeSteps(cpu: CpuContext, environment: Environment, steps: readonly number[], part: number): void {
  const { state } = cpu;
  const enabled = ~(state.getNumber(STATE.mxcsr) >> 7) & STEP_FLAGS;
  if (enabled && part === VECTOR_PART.low) {
    const packed = steps.reduce((all, flags, n) => all | (flags << (n * STEP_BITS)), 0);
    state.setNumber(STATE.vectorLowFlags, packed);
    return;
  }
  const low = enabled && part === VECTOR_PART.high ? state.getNumber(STATE.vectorLowFlags) : 0;
  for (const [n, own] of steps.entries()) {
    const flags = own | ((low >> (n * STEP_BITS)) & STEP_FLAGS);
    environment.pre |= environment.post | (flags & OPERAND_FLAGS);
    environment.post = flags & ~OPERAND_FLAGS;
    if (flags & enabled) break;
  }
  close(cpu, environment);
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
