// Exact SSE float operations for what translated code leaves to a helper: NaN operands, denormals, tiny and overflowing results, rounding
// modes, FTZ, DAZ and unmasked exceptions (SDM 1 11.5). x86/semantics/sse-float.ts says when that is.
//
// Scalar helpers take and yield bits; packed helpers take a destination register and the source's halves and write the register.

import { STATE, VECTOR_PART, VECTOR_RESULT } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
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
  fromInteger,
  infinity,
  type Rounding,
  type RoundingContext,
  round,
  roundToQuantum,
  SINGLE,
  squareRootExact,
  zero,
} from "./soft-float.ts";

const { IE, DE, ZE, OE, UE, PE } = FLOAT_FLAGS;
const CR4_OSXMMEXCPT = 0x400n;
const VECTOR_UD = 6;
const VECTOR_XM = 19;

/** Rounding and exceptions of one instruction. `pre`: flags known from the operands (IE, DE, ZE), `post`: from the result. */
export interface Environment extends RoundingContext {
  readonly denormalsAreZero: boolean;
  pre: number;
}

export type Lane = (environment: Environment, a: bigint, b: bigint) => bigint;

export function open(cpu: CpuContext): Environment {
  const mxcsr = cpu.state.getNumber(STATE.mxcsr);
  return {
    rounding: ((mxcsr >> 13) & 3) as Rounding,
    flushToZero: (mxcsr & 0x8000) !== 0,
    denormalsAreZero: (mxcsr & 0x40) !== 0,
    unmasked: (~mxcsr >> 7) & (OE | UE),
    pre: 0,
    post: 0,
    roundedUp: false,
  };
}

/**
 * Records flags; raises #XM (or #UD without CR4.OSXMMEXCPT) for an unmasked one. Unmasked operand exceptions hide the result's. Those of a
 * 256-bit operation count as a whole: with any exception unmasked both halves come here, and the low one only leaves its flags for the high.
 */
export function close(cpu: CpuContext, environment: Environment, part: number = VECTOR_PART.whole): void {
  const mxcsr = cpu.state.getNumber(STATE.mxcsr);
  const enabled = ~(mxcsr >> 7) & 0x3f;
  let { pre, post } = environment;
  if (enabled && part === VECTOR_PART.low) {
    cpu.state.setNumber(STATE.vectorLowFlags, pre | (post << 8));
    return;
  }
  if (enabled && part === VECTOR_PART.high) {
    const low = cpu.state.getNumber(STATE.vectorLowFlags);
    pre |= low & 0xff;
    post |= low >> 8;
  }
  const flags = pre & enabled ? pre : pre | post;
  cpu.state.setNumber(STATE.mxcsr, mxcsr | flags);
  if (flags & enabled) {
    throw new CpuException(cpu.state.get(STATE.cr4) & CR4_OSXMMEXCPT ? VECTOR_XM : VECTOR_UD);
  }
}

// --- operands ----------------------------------------------------------------------------------------------------------

export function read(environment: Environment, format: Format, bits: bigint): Float {
  const value = decode(format, bits);
  return value.denormal && environment.denormalsAreZero ? zero(value.negative) : value;
}

const quietBit = (format: Format): bigint => 1n << BigInt(format.precision - 2);

/** The default NaN: negative, quiet, no payload. */
function defaultNan(format: Format): bigint {
  const sign = 1n << (format === SINGLE ? 31n : 63n);
  return sign | encode(format, infinity(false)) | quietBit(format);
}

export function invalid(environment: Environment, format: Format): bigint {
  environment.pre |= IE;
  return defaultNan(format);
}

/** The first NaN of the operands, quieted; undefined if there is none. */
export function propagate(environment: Environment, format: Format, ...operands: Float[]): bigint | undefined {
  if (operands.some((operand) => operand.signalling)) environment.pre |= IE;
  const nan = operands.find((operand) => operand.kind === "nan");
  return nan && encode(format, { ...nan, significand: nan.significand | quietBit(format) });
}

export function noteDenormals(environment: Environment, ...operands: Float[]): void {
  if (operands.some((operand) => operand.denormal)) environment.pre |= DE;
}

function rounded(environment: Environment, format: Format, exact: Exact): bigint {
  return encode(format, round(format, environment, exact.negative, exact.significand, exact.exponent, exact.sticky));
}

// --- arithmetic --------------------------------------------------------------------------------------------------------

export const sum =
  (format: Format, subtract: boolean): Lane =>
  (environment, aBits, bBits) => {
    const a = read(environment, format, aBits);
    const second = read(environment, format, bBits);
    const nan = propagate(environment, format, a, second);
    if (nan !== undefined) return nan;
    const b = subtract ? { ...second, negative: !second.negative } : second;
    if (a.kind === "infinity" && b.kind === "infinity" && a.negative !== b.negative)
      return invalid(environment, format);
    noteDenormals(environment, a, b);
    if (a.kind === "infinity" || b.kind === "infinity") return encode(format, a.kind === "infinity" ? a : b);
    return rounded(environment, format, addExact(a, b, environment.rounding));
  };

export const product =
  (format: Format): Lane =>
  (environment, aBits, bBits) => {
    const a = read(environment, format, aBits);
    const b = read(environment, format, bBits);
    const nan = propagate(environment, format, a, b);
    if (nan !== undefined) return nan;
    const negative = a.negative !== b.negative;
    const hasInfinity = a.kind === "infinity" || b.kind === "infinity";
    if (hasInfinity && (a.kind === "zero" || b.kind === "zero")) return invalid(environment, format);
    noteDenormals(environment, a, b);
    if (hasInfinity) return encode(format, infinity(negative));
    const exact = { negative, significand: a.significand * b.significand, exponent: a.exponent + b.exponent };
    return rounded(environment, format, { ...exact, sticky: false });
  };

const quotient =
  (format: Format): Lane =>
  (environment, aBits, bBits) => {
    const a = read(environment, format, aBits);
    const b = read(environment, format, bBits);
    const nan = propagate(environment, format, a, b);
    if (nan !== undefined) return nan;
    const negative = a.negative !== b.negative;
    if (a.kind === b.kind && (a.kind === "zero" || a.kind === "infinity")) return invalid(environment, format);
    if (b.kind === "zero" && a.kind === "finite") {
      environment.pre |= ZE;
      return encode(format, infinity(negative));
    }
    noteDenormals(environment, a, b);
    if (a.kind === "infinity" || b.kind === "zero") return encode(format, infinity(negative));
    if (a.kind === "zero" || b.kind === "infinity") return encode(format, zero(negative));
    return rounded(environment, format, divideExact(a, b));
  };

const squareRoot =
  (format: Format): Lane =>
  (environment, _, bBits) => {
    const b = read(environment, format, bBits);
    const nan = propagate(environment, format, b);
    if (nan !== undefined) return nan;
    if (b.kind === "zero") return encode(format, b);
    if (b.negative) return invalid(environment, format);
    noteDenormals(environment, b);
    if (b.kind === "infinity") return encode(format, b);
    return rounded(environment, format, squareRootExact(b));
  };

/** The source where either is NaN (IE, not quieted), where both are zero, and where neither is smaller or greater. */
const extremum =
  (format: Format, sign: -1 | 1): Lane =>
  (environment, aBits, bBits) => {
    const a = read(environment, format, aBits);
    const b = read(environment, format, bBits);
    if (a.kind === "nan" || b.kind === "nan") {
      environment.pre |= IE;
      return b.kind === "nan" ? bBits : encode(format, b);
    }
    noteDenormals(environment, a, b);
    return encode(format, compare(a, b) === sign ? a : b);
  };

type Relation = "less" | "equal" | "greater" | "unordered";

function relate(
  environment: Environment,
  format: Format,
  aBits: bigint,
  bBits: bigint,
  quietSignals: boolean,
): Relation {
  const a = read(environment, format, aBits);
  const b = read(environment, format, bBits);
  if (a.kind === "nan" || b.kind === "nan") {
    if (quietSignals || a.signalling || b.signalling) environment.pre |= IE;
    return "unordered";
  }
  noteDenormals(environment, a, b);
  const order = compare(a, b);
  return order < 0 ? "less" : order > 0 ? "greater" : "equal";
}

/** Bit n: what predicate n of CMPxx says of a relation, and whether it signals IE for quiet NaNs; 16..31 signal where 0..15 do not (SDM 2A table 3-1). */
const PREDICATES: Record<Relation, number> = { less: 0x9696, equal: 0xa5a5, greater: 0xf0f0, unordered: 0x8778 };
const SIGNALLING = 0x9999_6666;

/** CMPxx: all ones or zero. */
const comparison =
  (format: Format, predicate: bigint): Lane =>
  (environment, a, b) => {
    const number = Number(predicate & 31n);
    const relation = relate(environment, format, a, b, ((SIGNALLING >>> number) & 1) !== 0);
    const holds = (PREDICATES[relation] >> (number & 15)) & 1;
    return holds ? (format === SINGLE ? 0xffff_ffffn : 0xffff_ffff_ffff_ffffn) : 0n;
  };

const RELATION_FLAGS: Record<Relation, bigint> = { greater: 0n, less: 0x01n, equal: 0x40n, unordered: 0x45n };

// --- conversions -------------------------------------------------------------------------------------------------------

export const convert =
  (from: Format, to: Format): Lane =>
  (environment, bits) => {
    const value = read(environment, from, bits);
    if (value.kind === "nan") {
      if (value.signalling) environment.pre |= IE;
      const shift = BigInt(Math.abs(to.precision - from.precision));
      const fraction = to.precision > from.precision ? value.significand << shift : value.significand >> shift;
      return encode(to, { ...value, significand: fraction | quietBit(to) });
    }
    noteDenormals(environment, value);
    if (value.kind !== "finite") return encode(to, value);
    return rounded(environment, to, { ...value, sticky: false });
  };

const fromSigned =
  (format: Format): Lane =>
  (environment, integer) =>
    rounded(environment, format, { ...fromInteger(integer), sticky: false });

/** To a signed integer of `bits` bits: the indefinite (only the top bit set) and IE where it does not fit. */
function toSigned(environment: Environment, format: Format, value: bigint, bits: number, truncate: boolean): bigint {
  const x = read(environment, format, value);
  const indefinite = 1n << BigInt(bits - 1);
  if (x.kind === "zero") return 0n;
  if (x.kind === "finite") {
    const mode = truncate ? 3 : environment.rounding;
    const { significand, inexact } = roundToQuantum(mode, x.negative, x.significand, x.exponent, false, 0);
    if (significand < indefinite || (significand === indefinite && x.negative)) {
      if (inexact) environment.post |= PE;
      return BigInt.asUintN(bits, x.negative ? -significand : significand);
    }
  }
  environment.pre |= IE;
  return indefinite;
}

// --- helpers -----------------------------------------------------------------------------------------------------------

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

export const scalar =
  (lane: Lane): Helper =>
  (cpu, a = 0n, b = 0n) => {
    const environment = open(cpu);
    const result = lane(environment, u64(a), u64(b));
    close(cpu, environment);
    return result;
  };

export interface PackedShape {
  readonly fromBits: number;
  readonly toBits: number;
  readonly count: number;
}

/**
 * Applies `lane` to `count` lanes of two vectors, given as quads, and leaves the results in VECTOR_RESULT; lanes above them are zero.
 * `part`: which half of a 256-bit operation this is (PART).
 */
export const packed =
  (shape: PackedShape, laneOf: (imm8: bigint, n: number) => Lane): Helper =>
  (cpu, part = 0n, aLow = 0n, aHigh = 0n, bLow = 0n, bHigh = 0n, imm8 = 0n) => {
    const environment = open(cpu);
    const a = u64(aLow) | (u64(aHigh) << 64n);
    const b = u64(bLow) | (u64(bHigh) << 64n);
    let result = 0n;
    for (let n = 0; n < shape.count; n++) {
      const take = (vector: bigint): bigint => BigInt.asUintN(shape.fromBits, vector >> BigInt(n * shape.fromBits));
      result |= laneOf(imm8, n)(environment, take(a), take(b)) << BigInt(n * shape.toBits);
    }
    close(cpu, environment, Number(part));
    cpu.state.setVector(VECTOR_RESULT, result);
    return 0n;
  };

/** Two lanes in, two 32-bit lanes out, as i64: conversions from and to MMX registers. `low` and `high` hold the source. */
const pair =
  (fromBits: 32 | 64, lane: Lane): Helper =>
  (cpu, low = 0n, high = 0n) => {
    const environment = open(cpu);
    const source = u64(low) | (u64(high) << 64n);
    const first = lane(environment, BigInt.asUintN(fromBits, source), 0n);
    const second = lane(environment, BigInt.asUintN(fromBits, source >> BigInt(fromBits)), 0n);
    close(cpu, environment);
    return first | (second << 32n);
  };

/** A conversion's operand is the source. */
const ofSource =
  (lane: Lane): Lane =>
  (environment, _, source) =>
    lane(environment, source, 0n);

function arithmeticHelpers(type: "f32" | "f64"): Record<string, Helper> {
  const format = type === "f32" ? SINGLE : DOUBLE;
  const bits = type === "f32" ? 32 : 64;
  const shape: PackedShape = { fromBits: bits, toBits: bits, count: 128 / bits };
  const operations: Record<string, Lane> = {
    add: sum(format, false),
    sub: sum(format, true),
    mul: product(format),
    div: quotient(format),
    sqrt: squareRoot(format),
    min: extremum(format, -1),
    max: extremum(format, 1),
  };
  const helpers: Record<string, Helper> = {};
  for (const [name, lane] of Object.entries(operations)) {
    helpers[`sse_${name}_${type}`] = scalar(lane);
    helpers[`sse_packed_${name}_${type}`] = packed(shape, () => lane);
  }
  helpers[`sse_cmp_${type}`] = (cpu, a = 0n, b = 0n, imm8 = 0n) => scalar(comparison(format, imm8))(cpu, a, b);
  helpers[`sse_packed_cmp_${type}`] = packed(shape, (imm8) => comparison(format, imm8));
  helpers[`sse_comi_${type}`] = scalar((e, a, b) => RELATION_FLAGS[relate(e, format, a, b, true)]);
  helpers[`sse_ucomi_${type}`] = scalar((e, a, b) => RELATION_FLAGS[relate(e, format, a, b, false)]);
  helpers[`sse_from_integer_${type}`] = scalar((e, integer) => fromSigned(format)(e, BigInt.asIntN(64, integer), 0n));
  for (const truncate of [false, true]) {
    const name = truncate ? "truncate" : "to_integer";
    helpers[`sse_${name}_${type}`] = scalar((e, a, size) => toSigned(e, format, a, Number(size) * 8, truncate));
    helpers[`sse_packed_${name}_${type}`] = packed({ ...shape, toBits: 32 }, () =>
      ofSource((e, a) => toSigned(e, format, a, 32, truncate)),
    );
    helpers[`sse_pair_${name}_${type}`] = pair(bits, (e, a) => toSigned(e, format, a, 32, truncate));
  }
  return helpers;
}

/** MASKMOVDQU: the bytes of `low` and `high` whose bit in `mask` is set. */
const maskedStore: Helper = (cpu, address = 0n, low = 0n, high = 0n, mask = 0n) => {
  const data = u64(low) | (u64(high) << 64n);
  for (let n = 0n; n < 16n; n++) {
    if ((mask >> n) & 1n) cpu.memory.write(u64(address + n), 1, (data >> (8n * n)) & 0xffn);
  }
  return 0n;
};

const FOUR_SINGLES: PackedShape = { fromBits: 32, toBits: 32, count: 4 };

export const SSE_HELPERS: Record<string, Helper> = {
  ...arithmeticHelpers("f32"),
  ...arithmeticHelpers("f64"),
  sse_promote: scalar(convert(SINGLE, DOUBLE)),
  sse_demote: scalar(convert(DOUBLE, SINGLE)),
  sse_packed_promote: packed({ fromBits: 32, toBits: 64, count: 2 }, () => ofSource(convert(SINGLE, DOUBLE))),
  sse_packed_demote: packed({ fromBits: 64, toBits: 32, count: 2 }, () => ofSource(convert(DOUBLE, SINGLE))),
  sse_packed_from_integer_f32: packed(FOUR_SINGLES, () =>
    ofSource((e, integer) => fromSigned(SINGLE)(e, BigInt.asIntN(32, integer), 0n)),
  ),
  sse_pair_from_integer_f32: pair(32, (e, integer) => fromSigned(SINGLE)(e, BigInt.asIntN(32, integer), 0n)),
  sseMaskedStore: maskedStore,
};
