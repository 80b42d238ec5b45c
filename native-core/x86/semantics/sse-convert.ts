// SSE and SSE2 conversions between integers, f32 and f64. In-range, default-control conversions are Wasm's own; helpers do the rest
// (other rounding modes, NaN, the integer indefinite 0x80000000... with IE, unmasked exceptions).
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { generalSize, lanes, quad, SSE, SSE2, sseInstruction, zeroExtend } from "./sse-common.ts";
import {
  allLanes,
  and32,
  BYTES,
  defaultControl,
  type FloatType,
  floatConstant,
  isAboveTiny,
  isFinite,
  isOrdinary,
  isZero,
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
  splat,
  toBits,
  toFloat,
} from "./sse-float.ts";

/** CVTSI2SS, CVTSI2SD: a signed 32- or 64-bit integer, rounded. */
const fromInteger = (type: FloatType): Semantics =>
  sseInstruction((i) => {
    const size = generalSize(i, 1);
    const integer = i.signExtend(i.read(1), size);
    const r = i.pure(`${type}.convert_i64_s`, [integer]);
    if (type === "f64" && size === 4) {
      i.writeScalar(0, 8, toBits(i, type, r)); // always exact
      return;
    }
    const mxcsr = readMxcsr(i);
    const result = i.variable(toBits(i, type, r));
    i.if(
      defaultControl(i, mxcsr),
      () =>
        noteInexact(i, mxcsr, () =>
          // 2^63 saturates to the one integer that rounds to it and is next to it.
          or32(
            i,
            i.ne(i.pure(`i64.trunc_sat_${type}_s`, [r]), integer),
            i.pure(`${type}.ge`, [r, floatConstant(i, type, 2 ** 63)]),
          ),
        ),
      () => i.set(result, i.callHelper(`sse_from_integer_${type}`, [integer])),
    );
    i.writeScalar(0, BYTES[type], i.get(result));
  });

/** CVTSx2SI (rounds as MXCSR says) and CVTTSx2SI (truncates) to 32 or 64 bits. */
const toInteger = (type: FloatType, truncate: boolean): Semantics =>
  sseInstruction((i) => {
    const size = generalSize(i, 0);
    const bits = i.readScalar(1, BYTES[type]);
    const x = toFloat(i, type, bits);
    const rounded = i.pure(`${type}.${truncate ? "trunc" : "nearest"}`, [x]);
    // -2^(n-1) and 2^(n-1) are floats of either type; NaN fails both compares.
    const limit = 2 ** (size * 8 - 1);
    const inRange = and32(
      i,
      i.pure(`${type}.ge`, [rounded, floatConstant(i, type, -limit)]),
      i.pure(`${type}.lt`, [rounded, floatConstant(i, type, limit)]),
    );
    const mxcsr = readMxcsr(i);
    const result = i.variable(i.pure(`i64.trunc_sat_${type}_s`, [rounded]));
    i.if(
      and32(i, defaultControl(i, mxcsr), inRange),
      () => noteInexact(i, mxcsr, () => i.pure(`${type}.ne`, [rounded, x])),
      () => {
        const helper = `sse_${truncate ? "truncate" : "to_integer"}_${type}`;
        i.set(result, i.callHelper(helper, [bits, i.i64(size)]));
      },
    );
    i.write(0, i.get(result));
  });

const singleToDouble = sseInstruction((i) => {
  const bits = i.readScalar(1, 4);
  const x = toFloat(i, "f32", bits);
  const result = i.variable(toBits(i, "f64", i.pure("f64.promote_f32", [x])));
  const plain = and32(i, defaultControl(i, readMxcsr(i)), isOrdinary(i, "f32", x));
  i.if(i.pure("i32.eqz", [plain]), () => i.set(result, i.callHelper("sse_promote", [bits])));
  i.writeScalar(0, 8, i.get(result));
});

const doubleToSingle = sseInstruction((i) => {
  const bits = i.readScalar(1, 8);
  const x = toFloat(i, "f64", bits);
  const r = i.pure("f32.demote_f64", [x]);
  const mxcsr = readMxcsr(i);
  const result = i.variable(toBits(i, "f32", r));
  const inRange = and32(i, isFinite(i, "f32", r), or32(i, isAboveTiny(i, "f32", r), isZero(i, "f64", x)));
  i.if(
    and32(i, defaultControl(i, mxcsr), inRange),
    () => noteInexact(i, mxcsr, () => i.pure("f64.ne", [i.pure("f64.promote_f32", [r]), x])),
    () => i.set(result, i.callHelper("sse_demote", [bits])),
  );
  i.writeScalar(0, 4, i.get(result));
});

// --- packed ------------------------------------------------------------------------------------------------------------

/**
 * Writes `r`, or what the packed helper makes of the source. `exactLanes`: a mask of the lanes that were not rounded,
 * of the shape of `type`; asked for only until PE is set.
 */
function packedResult(
  i: InstructionBuilder,
  plain: Value,
  r: Value,
  helper: string,
  source: readonly [Value, Value],
  type: FloatType,
  exactLanes?: () => Value,
): void {
  const result = i.variable(r);
  i.if(
    plain,
    () => {
      if (exactLanes) noteInexact(i, readMxcsr(i), () => i.pure("i32.eqz", [allLanes(i, type, exactLanes())]));
    },
    () => i.set(result, packedHelper(i, helper, undefined, source)),
  );
  i.writeVector(0, i.get(result));
}

/** The low 8 bytes of a register or memory as a vector. */
function lowHalf(i: InstructionBuilder): Value {
  return zeroExtend(i, i.readScalar(1, 8));
}

const singlesToDoubles = sseInstruction((i) => {
  const low = i.readScalar(1, 8);
  const x = zeroExtend(i, low); // the upper lanes are zero, hence ordinary
  const plain = and32(i, defaultControl(i, readMxcsr(i)), allLanes(i, "f32", lanesOrdinary(i, "f32", x)));
  packedResult(i, plain, i.pure("f64x2.promote_low_f32x4", [x]), "sse_packed_promote", [low, i.i64(0)], "f32");
});

const doublesToSingles = sseInstruction((i) => {
  const x = i.readVector(1, true);
  const r = i.pure("f32x4.demote_f64x2_zero", [x]);
  const back = i.pure("f64x2.promote_low_f32x4", [r]);
  // The demoted value is compared as f64, where all of its range is normal: 2^-126 is the smallest normal f32.
  const aboveTiny = i.pure("f64x2.gt", [i.pure("f64x2.abs", [back]), splat(i, "f64", 2 ** -126)]);
  const inRange = lanesAnd(i, lanesFinite(i, "f64", back), lanesOr(i, aboveTiny, lanesZero(i, "f64", x)));
  const plain = and32(i, defaultControl(i, readMxcsr(i)), allLanes(i, "f64", inRange));
  packedResult(i, plain, r, "sse_packed_demote", quads(i, x), "f64", () => i.pure("f64x2.eq", [back, x]));
});

const integersToSingles = sseInstruction((i) => {
  const x = i.readVector(1, true);
  const plain = defaultControl(i, readMxcsr(i));
  const r = i.pure("f32x4.convert_i32x4_s", [x]);
  packedResult(i, plain, r, "sse_packed_from_integer_f32", quads(i, x), "f32", () => {
    // 2^31 saturates to the one integer that rounds to it and is next to it.
    const back = i.pure("i32x4.eq", [i.pure("i32x4.trunc_sat_f32x4_s", [r]), x]);
    return lanesAnd(i, back, i.pure("f32x4.lt", [r, splat(i, "f32", 2 ** 31)]));
  });
});

/** Always exact: no MXCSR involved. */
const integersToDoubles = sseInstruction((i) => {
  i.writeVector(0, i.pure("f64x2.convert_low_i32x4_s", [lowHalf(i)]));
});

const singlesToIntegers = (truncate: boolean): Semantics =>
  sseInstruction((i) => {
    const x = i.readVector(1, true);
    const rounded = i.pure(truncate ? "f32x4.trunc" : "f32x4.nearest", [x]);
    const inRange = i.pure("f32x4.lt", [i.pure("f32x4.abs", [rounded]), splat(i, "f32", 2 ** 31)]);
    const plain = and32(i, defaultControl(i, readMxcsr(i)), allLanes(i, "f32", inRange));
    const r = i.pure("i32x4.trunc_sat_f32x4_s", [rounded]);
    const helper = `sse_packed_${truncate ? "truncate" : "to_integer"}_f32`;
    packedResult(i, plain, r, helper, quads(i, x), "f32", () => i.pure("f32x4.eq", [rounded, x]));
  });

const doublesToIntegers = (truncate: boolean): Semantics =>
  sseInstruction((i) => {
    const x = i.readVector(1, true);
    const rounded = i.pure(truncate ? "f64x2.trunc" : "f64x2.nearest", [x]);
    const inRange = i.pure("f64x2.lt", [i.pure("f64x2.abs", [rounded]), splat(i, "f64", 2 ** 31)]);
    const plain = and32(i, defaultControl(i, readMxcsr(i)), allLanes(i, "f64", inRange));
    const r = i.pure("i32x4.trunc_sat_f64x2_s_zero", [rounded]);
    const helper = `sse_packed_${truncate ? "truncate" : "to_integer"}_f64`;
    packedResult(i, plain, r, helper, quads(i, x), "f64", () => i.pure("f64x2.eq", [rounded, x]));
  });

// --- approximations ------------------------------------------------------------------------------------------------------

/**
 * RCPxx and RSQRTxx: the architecture asks for a relative error of at most 1.5 * 2^-12 and leaves the bits to the processor; the results
 * here are correctly rounded. Denormal operands count as zero, tiny results become zero, no exception is signalled, MXCSR is not used.
 */
function approximate(i: InstructionBuilder, operation: "rcp" | "rsqrt", x: Value): Value {
  const sign = i.pure("v128.and", [x, lanes(i, 32, [0x8000_0000, 0x8000_0000, 0x8000_0000, 0x8000_0000])]);
  const isTiny = (v: Value): Value => i.pure("f32x4.lt", [i.pure("f32x4.abs", [v]), splat(i, "f32", 2 ** -126)]);
  const flush = (v: Value): Value => i.pure("v128.bitselect", [sign, v, isTiny(v)]);
  const operand = flush(x);
  const divisor = operation === "rcp" ? operand : i.pure("f32x4.sqrt", [operand]);
  const r = i.pure("f32x4.div", [splat(i, "f32", 1), divisor]);
  const ordered = operation === "rcp" ? flush(r) : negativeRoot(i, operand, r);
  const quiet = i.pure("v128.or", [x, i.pure("i32x4.splat", [i.i32(0x0040_0000)])]);
  return i.pure("v128.bitselect", [ordered, quiet, i.pure("f32x4.eq", [x, x])]);
}

/** The root of a negative number is the default NaN (sign set); Wasm leaves a NaN's sign open. */
function negativeRoot(i: InstructionBuilder, x: Value, r: Value): Value {
  const isNegative = i.pure("f32x4.lt", [x, i.v128(0n)]);
  return i.pure("v128.bitselect", [i.pure("i32x4.splat", [i.i32(0xffc0_0000)]), r, isNegative]);
}

const approximatePacked = (operation: "rcp" | "rsqrt"): Semantics =>
  sseInstruction((i) => i.writeVector(0, approximate(i, operation, i.readVector(1, true))));

const approximateScalar = (operation: "rcp" | "rsqrt"): Semantics =>
  sseInstruction((i) => {
    const r = approximate(i, operation, zeroExtend(i, i.readScalar(1, 4)));
    i.writeScalar(0, 4, i.mask(quad(i, r, 0), 4));
  });

export const SSE_CONVERT_ROWS: readonly InstructionRow[] = [
  row("CVTSI2SS", "F3 0F 2A", "Vss,Ey", fromInteger("f32"), SSE),
  row("CVTSI2SD", "F2 0F 2A", "Vsd,Ey", fromInteger("f64"), SSE2),
  row("CVTTSS2SI", "F3 0F 2C", "Gy,Wss", toInteger("f32", true), SSE),
  row("CVTTSD2SI", "F2 0F 2C", "Gy,Wsd", toInteger("f64", true), SSE2),
  row("CVTSS2SI", "F3 0F 2D", "Gy,Wss", toInteger("f32", false), SSE),
  row("CVTSD2SI", "F2 0F 2D", "Gy,Wsd", toInteger("f64", false), SSE2),
  row("CVTSS2SD", "F3 0F 5A", "Vsd,Wss", singleToDouble, SSE2),
  row("CVTSD2SS", "F2 0F 5A", "Vss,Wsd", doubleToSingle, SSE2),
  row("CVTPS2PD", "NP 0F 5A", "Vpd,Wq", singlesToDoubles, SSE2),
  row("CVTPD2PS", "66 0F 5A", "Vps,Wpd", doublesToSingles, SSE2),
  row("CVTDQ2PS", "NP 0F 5B", "Vps,Wdq", integersToSingles, SSE2),
  row("CVTPS2DQ", "66 0F 5B", "Vdq,Wps", singlesToIntegers(false), SSE2),
  row("CVTTPS2DQ", "F3 0F 5B", "Vdq,Wps", singlesToIntegers(true), SSE2),
  row("CVTTPD2DQ", "66 0F E6", "Vdq,Wpd", doublesToIntegers(true), SSE2),
  row("CVTPD2DQ", "F2 0F E6", "Vdq,Wpd", doublesToIntegers(false), SSE2),
  row("CVTDQ2PD", "F3 0F E6", "Vpd,Wq", integersToDoubles, SSE2),
  row("RCPPS", "NP 0F 53", "Vps,Wps", approximatePacked("rcp"), SSE),
  row("RCPSS", "F3 0F 53", "Vss,Wss", approximateScalar("rcp"), SSE),
  row("RSQRTPS", "NP 0F 52", "Vps,Wps", approximatePacked("rsqrt"), SSE),
  row("RSQRTSS", "F3 0F 52", "Vss,Wss", approximateScalar("rsqrt"), SSE),
];
