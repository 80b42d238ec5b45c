// F16C: conversions between half and single precision.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { immediate8, quad, sseInstruction } from "./sse-common.ts";
import { packedHelper, quads, readMxcsr, splat } from "./sse-float.ts";
import { derived, WHOLE } from "./vex.ts";

/** The mask bits of MXCSR. */
const MASKS = 0x1f80;

const all = (i: InstructionBuilder, lane: number): Value => i.pure("i32x4.splat", [i.i32(lane)]);

/**
 * Exact, denormals included: bits moved into place give a single whose exponent is too small by 112. Infinities and NaN keep the largest
 * exponent. A signalling NaN is left to the helper.
 */
const widen: Semantics = sseInstruction((i) => {
  const source = i.readLowest(1, 8);
  const halves = i.pure("i32x4.extend_low_i16x8_u", [source]);
  const magnitude = i.pure("v128.and", [halves, all(i, 0x7fff)]);
  const sign = i.pure("i32x4.shl", [i.pure("v128.and", [halves, all(i, 0x8000)]), i.i32(16)]);
  const moved = i.pure("i32x4.shl", [magnitude, i.i32(13)]);
  const isSpecial = i.pure("i32x4.gt_s", [magnitude, all(i, 0x7bff)]);
  const scaled = i.pure("f32x4.mul", [moved, splat(i, "f32", 2 ** 112)]);
  const special = i.pure("v128.or", [moved, all(i, 0x7f80_0000)]);
  const r = i.pure("v128.or", [sign, i.pure("v128.bitselect", [special, scaled, isSpecial])]);
  const isNan = i.pure("i32x4.gt_s", [magnitude, all(i, 0x7c00)]);
  const isQuiet = i.pure("i32x4.ne", [i.pure("v128.and", [halves, all(i, 0x0200)]), i.v128(0n)]);
  const result = i.variable(r);
  const isSignalling = i.pure("v128.any_true", [i.pure("v128.andnot", [isNan, isQuiet])]);
  // With an exception unmasked, both halves of 256 bits have to go there.
  const isUnmasked = i.ne(i.and(readMxcsr(i), i.i64(MASKS)), i.i64(MASKS));
  i.if(i.pure("i32.or", [isSignalling, isUnmasked]), () => {
    i.set(result, packedHelper(i, "f16c_widen", undefined, [quad(i, source, 0), i.i64(0)]));
  });
  i.writeVector(0, i.get(result));
});

/** Rounded as the immediate says, or MXCSR. */
const narrow: Semantics = sseInstruction((i) => {
  const source = i.readVector(1);
  const bytes = i.form.vectorLength === 32 ? 16 : 8;
  if (i.isMemory(0) && !i.isUpperHalf) i.requireWritable(i.address(0), bytes);
  const result = packedHelper(i, "f16c_narrow", undefined, quads(i, source), immediate8(i));
  if (i.isMemory(0) && bytes === 8) i.store(8, i.address(0), quad(i, result, 0));
  else i.writeVector(0, result);
});

const F16C = { feature: "f16c" } as const;
const widenRow = derived(widen, { ...WHOLE, source: "next" });
const narrowRow = derived(narrow, { ...WHOLE, result: "quads" });

export const F16C_ROWS: readonly InstructionRow[] = [
  row("VCVTPH2PS", "VEX.128.66.0F38.W0 13", "Vps,Wq", widenRow, F16C),
  row("VCVTPH2PS", "VEX.256.66.0F38.W0 13", "Vps,Wdq", widenRow, F16C),
  row("VCVTPS2PH", "VEX.128.66.0F3A.W0 1D", "Wq,Vps,Ib", narrowRow, F16C),
  row("VCVTPS2PH", "VEX.256.66.0F3A.W0 1D", "Wdq,Vps,Ib", narrowRow, F16C),
];
