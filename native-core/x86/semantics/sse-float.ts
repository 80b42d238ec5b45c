// The float model of the SSE rows: when a plain Wasm operation is exactly what the processor does, and what else then.
//
// MXCSR has six sticky exception flags, masks, a rounding mode, FTZ and DAZ. A program sees a Wasm float operation as exact when
//   - control bits are the defaults (all masked, round to nearest, no FTZ, no DAZ),
//   - operands are zero or normal (no NaN rules, no DE),
//   - the result is finite and not tiny (no OE, UE, IE, ZE), and
//   - PE is already set, or the operation is known to be exact or not.
// Everything else goes to a helper (cpu/helpers/sse-float.ts) that works on exact integers and sets all flags.
// Once PE is set, the common case costs a few compares beside the operation itself.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { STATE, VECTOR_RESULT } from "../state-layout.ts";

export const MXCSR_PE = 0x20;
const CONTROL_MASK = 0xffc0;
const CONTROL_DEFAULT = 0x1f80;

const MIN_NORMAL = { f32: 2 ** -126, f64: 2 ** -1022 } as const;

export type FloatType = "f32" | "f64";
export type FloatShape = "f32x4" | "f64x2";
export const SHAPE: Record<FloatType, FloatShape> = { f32: "f32x4", f64: "f64x2" };
export const BYTES: Record<FloatType, 4 | 8> = { f32: 4, f64: 8 };

// --- MXCSR -------------------------------------------------------------------------------------------------------------

export function readMxcsr(i: InstructionBuilder): Value {
  return i.readState(STATE.mxcsr);
}

/** i32: control bits are the defaults. */
export function defaultControl(i: InstructionBuilder, mxcsr: Value): Value {
  return i.eq(i.and(mxcsr, i.i64(CONTROL_MASK)), i.i64(CONTROL_DEFAULT));
}

/** Sets PE if it is not set and `isInexact()` (i32) holds. */
export function noteInexact(i: InstructionBuilder, mxcsr: Value, isInexact: () => Value): void {
  i.if(i.isZero(i.and(mxcsr, i.i64(MXCSR_PE))), () => {
    i.if(isInexact(), () => i.writeState(STATE.mxcsr, i.or(mxcsr, i.i64(MXCSR_PE))));
  });
}

// --- scalars -----------------------------------------------------------------------------------------------------------

export function toFloat(i: InstructionBuilder, type: FloatType, bits: Value): Value {
  return type === "f64" ? i.pure("f64.reinterpret_i64", [bits]) : i.pure("f32.reinterpret_i32", [i.narrow(bits)]);
}

/** Bits as i64, zero-extended. */
export function toBits(i: InstructionBuilder, type: FloatType, value: Value): Value {
  return type === "f64" ? i.pure("i64.reinterpret_f64", [value]) : i.widen(i.pure("i32.reinterpret_f32", [value]));
}

export function floatConstant(i: InstructionBuilder, type: FloatType, value: number): Value {
  return type === "f64" ? i.f64(value) : i.f32(value);
}

export function and32(i: InstructionBuilder, ...conditions: Value[]): Value {
  return conditions.reduce((a, b) => i.pure("i32.and", [a, b]));
}

export function or32(i: InstructionBuilder, ...conditions: Value[]): Value {
  return conditions.reduce((a, b) => i.pure("i32.or", [a, b]));
}

/** i32: zero, normal or infinite; false for NaN and denormals. */
export function isOrdinary(i: InstructionBuilder, type: FloatType, x: Value): Value {
  const magnitude = i.pure(`${type}.abs`, [x]);
  const normal = i.pure(`${type}.ge`, [magnitude, floatConstant(i, type, MIN_NORMAL[type])]);
  return or32(i, normal, isZero(i, type, x));
}

export function isZero(i: InstructionBuilder, type: FloatType, x: Value): Value {
  return i.pure(`${type}.eq`, [x, floatConstant(i, type, 0)]);
}

export function isNonZero(i: InstructionBuilder, type: FloatType, x: Value): Value {
  return i.pure(`${type}.ne`, [x, floatConstant(i, type, 0)]);
}

/** i32: neither infinite nor NaN. */
export function isFinite(i: InstructionBuilder, type: FloatType, x: Value): Value {
  return i.pure(`${type}.lt`, [i.pure(`${type}.abs`, [x]), floatConstant(i, type, Number.POSITIVE_INFINITY)]);
}

/** i32: magnitude above the smallest normal number: no rounding can have made it from a tiny value. */
export function isAboveTiny(i: InstructionBuilder, type: FloatType, x: Value): Value {
  return i.pure(`${type}.gt`, [i.pure(`${type}.abs`, [x]), floatConstant(i, type, MIN_NORMAL[type])]);
}

// --- vectors: the same conditions for all lanes at once -----------------------------------------------------------------

export function splat(i: InstructionBuilder, type: FloatType, value: number): Value {
  return i.pure(`${SHAPE[type]}.splat`, [floatConstant(i, type, value)]);
}

/** Lane mask. */
export function lanesOrdinary(i: InstructionBuilder, type: FloatType, x: Value): Value {
  const shape = SHAPE[type];
  const normal = i.pure(`${shape}.ge`, [i.pure(`${shape}.abs`, [x]), splat(i, type, MIN_NORMAL[type])]);
  return i.pure("v128.or", [normal, lanesZero(i, type, x)]);
}

export function lanesZero(i: InstructionBuilder, type: FloatType, x: Value): Value {
  return i.pure(`${SHAPE[type]}.eq`, [x, i.v128(0n)]);
}

export function lanesFinite(i: InstructionBuilder, type: FloatType, x: Value): Value {
  const shape = SHAPE[type];
  return i.pure(`${shape}.lt`, [i.pure(`${shape}.abs`, [x]), splat(i, type, Number.POSITIVE_INFINITY)]);
}

export function lanesAboveTiny(i: InstructionBuilder, type: FloatType, x: Value): Value {
  const shape = SHAPE[type];
  return i.pure(`${shape}.gt`, [i.pure(`${shape}.abs`, [x]), splat(i, type, MIN_NORMAL[type])]);
}

export function lanesAnd(i: InstructionBuilder, ...masks: Value[]): Value {
  return masks.reduce((a, b) => i.pure("v128.and", [a, b]));
}

export function lanesOr(i: InstructionBuilder, ...masks: Value[]): Value {
  return masks.reduce((a, b) => i.pure("v128.or", [a, b]));
}

/** i32: every lane of a mask is set. */
export function allLanes(i: InstructionBuilder, type: FloatType, mask: Value): Value {
  return i.pure(type === "f64" ? "i64x2.all_true" : "i32x4.all_true", [mask]);
}

/**
 * A vector from a packed helper (`sse_packed_...`), which leaves it in VECTOR_RESULT. `a` and `b`: the operands, the first as a vector, the
 * second as its quads; the helper is also told which half of a 256-bit operation this is, since exceptions are raised for the whole.
 */
export function packedHelper(
  i: InstructionBuilder,
  helper: string,
  a: Value | undefined,
  b: readonly [Value, Value],
  ...rest: Value[]
): Value {
  const first = a ? [quad(i, a, 0), quad(i, a, 1)] : [i.i64(0), i.i64(0)];
  i.callHelper(helper, [i.i64(i.part), ...first, ...b, ...rest]);
  return i.readRegister("vector", { kind: "fixed", register: VECTOR_RESULT }, 16);
}

/** Both quads of a vector, low first. */
export function quads(i: InstructionBuilder, vector: Value): readonly [Value, Value] {
  return [quad(i, vector, 0), quad(i, vector, 1)];
}

function quad(i: InstructionBuilder, vector: Value, lane: 0 | 1): Value {
  return i.pure("i64x2.extract_lane", [vector], [lane]);
}
