// SSE and SSE2 float arithmetic: add, subtract, multiply, divide, square root, minimum, maximum, scalar and packed.
// sse-float.ts says when the plain operation is exact; the helpers `sse_<operation>_<type>` and `sse_packed_...` do the rest.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { SSE, SSE2, sseInstruction } from "./sse-common.ts";
import {
  allLanes,
  and32,
  BYTES,
  defaultControl,
  type FloatType,
  floatConstant,
  isAboveTiny,
  isFinite,
  isNonZero,
  isOrdinary,
  isZero,
  lanesAboveTiny,
  lanesAnd,
  lanesFinite,
  lanesOr,
  lanesOrdinary,
  lanesZero,
  noteInexact,
  or32,
  packedHelper,
  quads,
  readMxcsr,
  SHAPE,
  toBits,
  toFloat,
} from "./sse-float.ts";

type Arithmetic = "add" | "sub" | "mul" | "div" | "sqrt" | "min" | "max";

type Rounded = Exclude<Arithmetic, "min" | "max">;

function compute(i: InstructionBuilder, operation: Rounded, type: FloatType, a: Value, b: Value): Value {
  return operation === "sqrt" ? i.pure(`${type}.sqrt`, [b]) : i.pure(`${type}.${operation}`, [a, b]);
}

/** MINPS and MAXPS yield the source where neither is smaller (NaN, zeros): Wasm's pmin and pmax with operands swapped. */
function computeLanes(i: InstructionBuilder, operation: Arithmetic, type: FloatType, a: Value, b: Value): Value {
  const shape = SHAPE[type];
  switch (operation) {
    case "sqrt":
      return i.pure(`${shape}.sqrt`, [b]);
    case "min":
      return i.pure(`${shape}.pmin`, [b, a]);
    case "max":
      return i.pure(`${shape}.pmax`, [b, a]);
    default:
      return i.pure(`${shape}.${operation}`, [a, b]);
  }
}

/** i32: given ordinary operands, `r` is right and raises at most PE. */
function isPlain(i: InstructionBuilder, operation: Rounded, type: FloatType, a: Value, b: Value, r: Value): Value {
  switch (operation) {
    case "add":
    case "sub": // a tiny sum is always exact
    case "sqrt":
      return isFinite(i, type, r);
    case "mul":
      return and32(i, isFinite(i, type, r), or32(i, isAboveTiny(i, type, r), isZero(i, type, a), isZero(i, type, b)));
    case "div":
      return and32(i, isFinite(i, type, r), or32(i, isAboveTiny(i, type, r), isZero(i, type, a)));
  }
}

function plainLanes(
  i: InstructionBuilder,
  operation: Arithmetic,
  type: FloatType,
  a: Value,
  b: Value,
  r: Value,
): Value {
  switch (operation) {
    case "add":
    case "sub":
    case "sqrt":
      return lanesFinite(i, type, r);
    case "mul": {
      const zero = lanesOr(i, lanesZero(i, type, a), lanesZero(i, type, b));
      return lanesAnd(i, lanesFinite(i, type, r), lanesOr(i, lanesAboveTiny(i, type, r), zero));
    }
    default:
      return lanesAnd(i, lanesFinite(i, type, r), lanesOr(i, lanesAboveTiny(i, type, r), lanesZero(i, type, a)));
  }
}

/** i32: the finite, ordinary result `r` was rounded. */
function isInexact(i: InstructionBuilder, operation: Rounded, type: FloatType, a: Value, b: Value, r: Value): Value {
  if (operation === "add" || operation === "sub") return sumIsInexact(i, operation, type, a, b, r);
  if (type === "f32") {
    // Products of 24-bit significands are exact in an f64.
    const wide = (x: Value): Value => i.pure("f64.promote_f32", [x]);
    const product = (x: Value, y: Value): Value => i.pure("f64.mul", [wide(x), wide(y)]);
    if (operation === "mul") return i.pure("f64.ne", [product(a, b), wide(r)]);
    // 0 / infinity: the product back is NaN.
    if (operation === "div") return and32(i, i.pure("f64.ne", [product(r, b), wide(a)]), isNonZero(i, type, a));
    return i.pure("f64.ne", [product(r, r), wide(b)]);
  }
  if (operation === "mul") return productIsInexact(i, a, b);
  // A quotient or root is exact if multiplying it back is exact and yields the operand.
  const [factor, operand] = operation === "div" ? [b, a] : [r, b];
  const back = i.pure("f64.ne", [i.pure("f64.mul", [r, factor]), operand]);
  return and32(i, or32(i, back, productIsInexact(i, r, factor)), isNonZero(i, type, operand));
}

/** Knuth's two-sum: the rounding error of a + b is itself a float. */
function sumIsInexact(
  i: InstructionBuilder,
  operation: "add" | "sub",
  type: FloatType,
  a: Value,
  b: Value,
  r: Value,
): Value {
  const addend = operation === "sub" ? i.pure(`${type}.neg`, [b]) : b;
  const sub = (x: Value, y: Value): Value => i.pure(`${type}.sub`, [x, y]);
  const roundedB = sub(r, a);
  const roundedA = sub(r, roundedB);
  const error = i.pure(`${type}.add`, [sub(a, roundedA), sub(addend, roundedB)]);
  return i.pure(`${type}.ne`, [error, floatConstant(i, type, 0)]);
}

/**
 * i32: the product of two finite normal doubles needs more than 53 significant bits. With trailing zeros removed the significands are
 * odd integers of p and q bits and their product is odd with p + q - 1 or p + q bits: too long whenever p + q > 54; else it fits an i64.
 */
function productIsInexact(i: InstructionBuilder, a: Value, b: Value): Value {
  const significand = (x: Value): Value => {
    const bits = i.pure("i64.reinterpret_f64", [x]);
    const full = i.or(i.and(bits, i.i64((1n << 52n) - 1n)), i.i64(1n << 52n));
    return i.shrU(full, i.pure("i64.ctz", [full]));
  };
  const p = significand(a);
  const q = significand(b);
  const zeros = i.add(i.pure("i64.clz", [p]), i.pure("i64.clz", [q]));
  const short = i.pure("i64.ge_u", [zeros, i.i64(128 - 54)]);
  const fits = i.pure("i64.lt_u", [i.mul(p, q), i.i64(1n << 53n)]);
  const isZeroProduct = or32(i, isZero(i, "f64", a), isZero(i, "f64", b));
  return i.pure("i32.eqz", [or32(i, and32(i, short, fits), isZeroProduct)]);
}

const scalar = (operation: Rounded, type: FloatType): Semantics =>
  sseInstruction((i) => {
    const bBits = i.readScalar(1, BYTES[type]);
    const aBits = i.readScalar(0, BYTES[type]);
    const a = toFloat(i, type, aBits);
    const b = toFloat(i, type, bBits);
    const r = compute(i, operation, type, a, b);
    const mxcsr = readMxcsr(i);
    const unary = operation === "sqrt";
    const ordinary = unary ? isOrdinary(i, type, b) : and32(i, isOrdinary(i, type, a), isOrdinary(i, type, b));
    const plain = and32(i, defaultControl(i, mxcsr), ordinary, isPlain(i, operation, type, a, b, r));
    const result = i.variable(toBits(i, type, r));
    i.if(
      plain,
      () => noteInexact(i, mxcsr, () => isInexact(i, operation, type, a, b, r)),
      () => i.set(result, i.callHelper(`sse_${operation}_${type}`, [aBits, bBits])),
    );
    i.writeScalar(0, BYTES[type], i.get(result));
  });

/** MINSS and MAXSS: the source unless the destination is smaller (greater). */
const scalarExtremum = (operation: "min" | "max", type: FloatType): Semantics =>
  sseInstruction((i) => {
    const bBits = i.readScalar(1, BYTES[type]);
    const aBits = i.readScalar(0, BYTES[type]);
    const a = toFloat(i, type, aBits);
    const b = toFloat(i, type, bBits);
    const isFirst = i.pure(`${type}.${operation === "min" ? "lt" : "gt"}`, [a, b]);
    const result = i.variable(i.select(isFirst, aBits, bBits));
    const plain = and32(i, defaultControl(i, readMxcsr(i)), isOrdinary(i, type, a), isOrdinary(i, type, b));
    i.if(i.pure("i32.eqz", [plain]), () => i.set(result, i.callHelper(`sse_${operation}_${type}`, [aBits, bBits])));
    i.writeScalar(0, BYTES[type], i.get(result));
  });

const packedExtremum = (operation: "min" | "max", type: FloatType): Semantics =>
  sseInstruction((i) => {
    const b = i.readVector(1, true);
    const a = i.readVector(0);
    const ordinary = lanesAnd(i, lanesOrdinary(i, type, a), lanesOrdinary(i, type, b));
    const plain = and32(i, defaultControl(i, readMxcsr(i)), allLanes(i, type, ordinary));
    const result = i.variable(computeLanes(i, operation, type, a, b));
    i.if(i.pure("i32.eqz", [plain]), () => {
      i.set(result, packedHelper(i, `sse_packed_${operation}_${type}`, a, quads(i, b)));
    });
    i.writeVector(0, i.get(result));
  });

/** Operands of the lanes' operation, made of destination and source by moving lanes and changing signs. */
export type Arrangement = (i: InstructionBuilder, a: Value, b: Value) => readonly [Value, Value];

/** `helper` gets the operands as they are arranged, or as they were where `ofOriginals`. */
export const packed = (
  operation: Rounded,
  type: FloatType,
  helper = `sse_packed_${operation}_${type}`,
  arrange?: Arrangement,
  ofOriginals = false,
): Semantics =>
  sseInstruction((i) => {
    const source = i.readVector(1, true);
    const destination = i.readVector(0);
    const [a, b] = arrange?.(i, destination, source) ?? [destination, source];
    const r = computeLanes(i, operation, type, a, b);
    const mxcsr = readMxcsr(i);
    let ordinary = lanesAnd(i, lanesOrdinary(i, type, b), plainLanes(i, operation, type, a, b, r));
    if (operation !== "sqrt") ordinary = lanesAnd(i, ordinary, lanesOrdinary(i, type, a));
    const result = i.variable(r);
    i.if(
      and32(i, defaultControl(i, mxcsr), allLanes(i, type, ordinary)),
      () => {
        noteInexact(i, mxcsr, () => {
          const lane = (vector: Value, n: number): Value => i.pure(`${SHAPE[type]}.extract_lane`, [vector], [n]);
          const lanes = Array.from({ length: 16 / BYTES[type] }, (_, n) => n);
          return or32(i, ...lanes.map((n) => isInexact(i, operation, type, lane(a, n), lane(b, n), lane(r, n))));
        });
      },
      () => {
        const [first, second] = ofOriginals ? [destination, source] : [a, b];
        i.set(result, packedHelper(i, helper, first, quads(i, second)));
      },
    );
    i.writeVector(0, i.get(result));
  });

const scalarOf = (operation: Arithmetic, type: FloatType): Semantics =>
  operation === "min" || operation === "max" ? scalarExtremum(operation, type) : scalar(operation, type);

const packedOf = (operation: Arithmetic, type: FloatType): Semantics =>
  operation === "min" || operation === "max" ? packedExtremum(operation, type) : packed(operation, type);

const family = (name: string, opcode: string, operation: Arithmetic): InstructionRow[] => [
  row(`${name}PS`, `NP 0F ${opcode}`, "Vps,Wps", packedOf(operation, "f32"), SSE),
  row(`${name}PD`, `66 0F ${opcode}`, "Vpd,Wpd", packedOf(operation, "f64"), SSE2),
  row(`${name}SS`, `F3 0F ${opcode}`, "Vss,Wss", scalarOf(operation, "f32"), SSE),
  row(`${name}SD`, `F2 0F ${opcode}`, "Vsd,Wsd", scalarOf(operation, "f64"), SSE2),
];

export const SSE_ARITHMETIC_ROWS: readonly InstructionRow[] = [
  ...family("ADD", "58", "add"),
  ...family("MUL", "59", "mul"),
  ...family("SUB", "5C", "sub"),
  ...family("MIN", "5D", "min"),
  ...family("DIV", "5E", "div"),
  ...family("MAX", "5F", "max"),
  ...family("SQRT", "51", "sqrt"),
];
