// SSE4.1 on floats: ROUNDxx and dot products. sse-float.ts says when the plain operation is exact.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { immediate8, lanesOfBits, SSE41, sseInstruction } from "./sse-common.ts";
import {
  allLanes,
  and32,
  BYTES,
  defaultControl,
  type FloatType,
  lanesAboveTiny,
  lanesAnd,
  lanesFinite,
  lanesOr,
  lanesOrdinary,
  lanesZero,
  MXCSR_PE,
  noteInexact,
  packedHelper,
  quads,
  readMxcsr,
  SHAPE,
  toBits,
  toFloat,
} from "./sse-float.ts";

const BY_MXCSR = 4;
const NO_INEXACT = 8;

/** Rounding mode 0 to 3 by the immediate: nearest, down, up, truncate. With default control MXCSR says nearest. */
function roundingMode(i: InstructionBuilder): Value {
  const immediate = immediate8(i);
  return i.select(i.narrow(i.and(immediate, i.i64(BY_MXCSR))), i.i64(0), i.and(immediate, i.i64(3)));
}

/** `nearest` of the type or shape `t`, or what the mode asks for. */
function roundBy(i: InstructionBuilder, t: "f32" | "f64" | "f32x4" | "f64x2", x: Value, set: (r: Value) => void): void {
  const mode = roundingMode(i);
  const low = i.narrow(i.and(mode, i.i64(1)));
  i.if(
    i.narrow(i.and(mode, i.i64(2))),
    () =>
      i.if(
        low,
        () => set(i.pure(`${t}.trunc`, [x])),
        () => set(i.pure(`${t}.ceil`, [x])),
      ),
    () =>
      i.if(
        low,
        () => set(i.pure(`${t}.floor`, [x])),
        () => set(i.pure(`${t}.nearest`, [x])),
      ),
  );
}

/** PE, unless the immediate suppresses it. */
function noteRounded(i: InstructionBuilder, mxcsr: Value, isInexact: () => Value): void {
  i.if(i.isZero(i.and(immediate8(i), i.i64(NO_INEXACT))), () => noteInexact(i, mxcsr, isInexact));
}

const roundScalar = (type: FloatType): Semantics =>
  sseInstruction((i) => {
    const bits = i.readScalar(1, BYTES[type]);
    const x = toFloat(i, type, bits);
    const mxcsr = readMxcsr(i);
    const result = i.variable(bits);
    i.if(
      and32(i, defaultControl(i, mxcsr), i.pure(`${type}.eq`, [x, x])),
      () => {
        const rounded = i.variable(x);
        roundBy(i, type, x, (r) => i.set(rounded, r));
        const r = i.get(rounded);
        noteRounded(i, mxcsr, () => i.pure(`${type}.ne`, [r, x]));
        i.set(result, toBits(i, type, r));
      },
      () => i.set(result, i.callHelper(`sse_round_${type}`, [bits, immediate8(i)])),
    );
    i.writeScalar(0, BYTES[type], i.get(result));
  });

const roundPacked = (type: FloatType): Semantics =>
  sseInstruction((i) => {
    const x = i.readVector(1, true);
    const mxcsr = readMxcsr(i);
    const numbers = i.pure(`${SHAPE[type]}.eq`, [x, x]);
    const result = i.variable(x);
    i.if(
      and32(i, defaultControl(i, mxcsr), allLanes(i, type, numbers)),
      () => {
        roundBy(i, SHAPE[type], x, (r) => i.set(result, r));
        const r = i.get(result);
        noteRounded(i, mxcsr, () => i.pure("v128.any_true", [i.pure(`${SHAPE[type]}.ne`, [r, x])]));
      },
      () => i.set(result, packedHelper(i, `sse_packed_round_${type}`, undefined, quads(i, x), immediate8(i))),
    );
    i.writeVector(0, i.get(result));
  });

/**
 * DPPS, DPPD: products of the lanes that imm8[7:4] selects, summed pairwise, into the lanes that imm8[3:0] selects. Each step rounds and
 * signals, so plain operations serve only while PE is set already.
 */
const dotProduct = (type: FloatType): Semantics =>
  sseInstruction((i) => {
    const shape = SHAPE[type];
    const b = i.readVector(1, true);
    const a = i.readVector(0);
    const immediate = immediate8(i);
    const laneBits = type === "f32" ? 32 : 64;
    const selected = lanesOfBits(i, laneBits, i.shrU(immediate, i.i64(4)));
    const all = i.pure(`${shape}.mul`, [a, b]);
    const products = i.pure("v128.and", [all, selected]);
    const swap = (v: Value, bytes: number): Value =>
      i.pure(
        "i8x16.shuffle",
        [v, v],
        Array.from({ length: 16 }, (_, n) => n ^ bytes),
      );
    const add = (v: Value, bytes: number): Value => i.pure(`${shape}.add`, [v, swap(v, bytes)]);
    const pairs = type === "f32" ? add(products, 4) : products;
    const sum = add(pairs, 8);
    const zero = lanesOr(i, lanesZero(i, type, a), lanesZero(i, type, b));
    const plain = lanesAnd(
      i,
      lanesOrdinary(i, type, a),
      lanesOrdinary(i, type, b),
      lanesFinite(i, type, all),
      lanesOr(i, lanesAboveTiny(i, type, all), zero),
      // A sum of normal numbers may be denormal and then is an operand.
      lanesOrdinary(i, type, pairs),
      lanesFinite(i, type, pairs),
      lanesFinite(i, type, sum),
    );
    const mxcsr = readMxcsr(i);
    const noted = i.isNonZero(i.and(mxcsr, i.i64(MXCSR_PE)));
    const result = i.variable(i.pure("v128.and", [sum, lanesOfBits(i, laneBits, immediate)]));
    i.if(i.pure("i32.eqz", [and32(i, defaultControl(i, mxcsr), noted, allLanes(i, type, plain))]), () => {
      i.set(result, packedHelper(i, `sse_dot_${type}`, a, quads(i, b), immediate));
    });
    i.writeVector(0, i.get(result));
  });

export const SSE41_FLOAT_ROWS: readonly InstructionRow[] = [
  row("ROUNDPS", "66 0F 3A 08", "Vps,Wps,Ib", roundPacked("f32"), SSE41),
  row("ROUNDPD", "66 0F 3A 09", "Vpd,Wpd,Ib", roundPacked("f64"), SSE41),
  row("ROUNDSS", "66 0F 3A 0A", "Vss,Wss,Ib", roundScalar("f32"), SSE41),
  row("ROUNDSD", "66 0F 3A 0B", "Vsd,Wsd,Ib", roundScalar("f64"), SSE41),
  row("DPPS", "66 0F 3A 40", "Vps,Wps,Ib", dotProduct("f32"), SSE41),
  row("DPPD", "66 0F 3A 41", "Vpd,Wpd,Ib", dotProduct("f64"), SSE41),
];
