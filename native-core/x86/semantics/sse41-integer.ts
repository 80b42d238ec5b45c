// SSE4.1 and SSE4.2 on integer lanes: minimum, maximum, compares, multiplication, extension, PHMINPOSUW, MPSADBW, PTEST.
import type { Value } from "../../ir/nodes.ts";
import type { PureOpName } from "../../ir/ops.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import {
  immediate8,
  indicesFrom,
  lanes,
  SSE41,
  SSE42,
  sseInstruction,
  vectorBinary,
  vectorOperation,
  zeroExtend,
} from "./sse-common.ts";

const EVEN_DOUBLEWORDS = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];

/** Products of the even 32-bit lanes, signed, 64 bits each. */
function multiplyEvenSigned(i: InstructionBuilder, a: Value, b: Value): Value {
  const even = (v: Value): Value => i.pure("i8x16.shuffle", [v, v], EVEN_DOUBLEWORDS);
  return i.pure("i64x2.extmul_low_i32x4_s", [even(a), even(b)]);
}

// --- extension -----------------------------------------------------------------------------------------------------------

type Extension = "B" | "W" | "D";
const STEPS = {
  B: ["i16x8.extend_low_i8x16", "i32x4.extend_low_i16x8", "i64x2.extend_low_i32x4"],
  W: ["i32x4.extend_low_i16x8", "i64x2.extend_low_i32x4"],
  D: ["i64x2.extend_low_i32x4"],
} as const;

/** The lowest lanes, extended in `steps` steps to twice the size each. */
const extend = (from: Extension, steps: number, sign: "s" | "u"): Semantics =>
  sseInstruction((i) => {
    let value = i.readLowest(1, lowBytes(steps));
    for (const step of STEPS[from].slice(0, steps)) value = i.pure(`${step}_${sign}`, [value]);
    i.writeVector(0, value);
  });

const lowBytes = (steps: number): 2 | 4 | 8 => (steps === 1 ? 8 : steps === 2 ? 4 : 2);

const extensions = (sign: "s" | "u", letter: "S" | "Z", high: 2 | 3): InstructionRow[] =>
  (
    [
      ["BW", "B", 1],
      ["BD", "B", 2],
      ["BQ", "B", 3],
      ["WD", "W", 1],
      ["WQ", "W", 2],
      ["DQ", "D", 1],
    ] as const
  ).map(([suffix, from, steps], n) => {
    const source = { 8: "Wq", 4: "Wd", 2: "Ww" }[lowBytes(steps)];
    return row(`PMOV${letter}X${suffix}`, `66 0F 38 ${high}${n}`, `Vdq,${source}`, extend(from, steps, sign), SSE41);
  });

// --- PHMINPOSUW, MPSADBW ---------------------------------------------------------------------------------------------------

/** Words with their index below them as 32-bit lanes: the smallest holds the smallest word and the lowest of its indices. */
const minimumPosition = sseInstruction((i) => {
  const source = i.readVector(1, true);
  const indexed = (half: "low" | "high", indices: readonly number[]): Value => {
    const words = i.pure(`i32x4.extend_${half}_i16x8_u`, [source]);
    return i.pure("v128.or", [i.pure("i32x4.shl", [words, i.i32(16)]), lanes(i, 32, indices)]);
  };
  const minimum = (a: Value, b: Value): Value => i.pure("i32x4.min_u", [a, b]);
  const folded = (v: Value, mask: readonly number[]): Value => minimum(v, i.pure("i8x16.shuffle", [v, v], mask));
  const four = minimum(indexed("low", [0, 1, 2, 3]), indexed("high", [4, 5, 6, 7]));
  const two = folded(four, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
  const one = folded(two, [4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3]);
  const lane = i.pure("i64.extend_i32_u", [i.pure("i32x4.extract_lane", [one], [0])]);
  const result = i.or(i.shrU(lane, i.i64(16)), i.shl(i.and(lane, i.i64(7)), i.i64(16)));
  i.writeVector(0, zeroExtend(i, result));
});

/**
 * Word n: sum of |destination[n + k + 4 * imm[2]] - source[k + 4 * imm[1:0]]| for k = 0..3, on bytes.
 */
const sumsOfDifferences = sseInstruction((i) => {
  const source = i.readVector(1, true);
  const destination = i.readVector(0);
  const immediate = immediate8(i);
  const start = i.and(immediate, i.i64(4));
  const block = i.shl(i.and(immediate, i.i64(3)), i.i64(2));
  const moved = i.pure("i8x16.swizzle", [destination, indicesFrom(i, start)]);
  const four = i.pure("i8x16.swizzle", [source, indicesFrom(i, block)]);
  let sum: Value | undefined;
  for (const k of [0, 1, 2, 3]) {
    const shifted = i.pure("i8x16.shuffle", [moved, moved], shiftedBytes(k));
    const a = i.pure("i16x8.extend_low_i8x16_u", [shifted]);
    const b = i.pure("i16x8.splat", [i.pure("i8x16.extract_lane_u", [four], [k])]);
    const difference = i.pure("i16x8.abs", [i.pure("i16x8.sub", [a, b])]);
    sum = sum ? i.pure("i16x8.add", [sum, difference]) : difference;
  }
  i.writeVector(0, sum as Value);
});

const shiftedBytes = (count: number): number[] => Array.from({ length: 16 }, (_, n) => Math.min(n + count, 15));

// --- PTEST -------------------------------------------------------------------------------------------------------------------

/** ZF: no bit in common; CF: no bit of the source that the destination lacks. The other flags are cleared. */
const test = sseInstruction((i) => {
  const source = i.readVector(1, true);
  const destination = i.readVector(0);
  const common = i.pure("v128.any_true", [i.pure("v128.and", [source, destination])]);
  const covered = i.pure("i32.eqz", [i.pure("v128.any_true", [i.pure("v128.andnot", [source, destination])])]);
  setZeroAndCarry(i, common, i.widen(covered));
});

/** ZF where `nonZero` (i32 0 or 1) is 0, CF (i64 0 or 1); the other flags cleared. A lazy result of 0 has even parity: that is corrected. */
export function setZeroAndCarry(i: InstructionBuilder, nonZero: Value, carry: Value): void {
  i.setFlags("shift", 8, carry, i.i64(0), i.widen(nonZero));
  i.if(i.pure("i32.eqz", [nonZero]), () => i.writeFlag("PF", i.i32(0)));
}

// --- rows --------------------------------------------------------------------------------------------------------------------

const packed = (mnemonic: string, opcode: string, name: PureOpName, traits: RowTraits = SSE41): InstructionRow =>
  row(mnemonic, `66 0F 38 ${opcode}`, "Vdq,Wdq", vectorOperation(name), traits);

export const SSE41_INTEGER_ROWS: readonly InstructionRow[] = [
  ...extensions("s", "S", 2),
  ...extensions("u", "Z", 3),
  row("PTEST", "66 0F 38 17", "Vdq,Wdq", test, { ...SSE41, writes: ["CF", "PF", "AF", "ZF", "SF", "OF"] }),
  row("PMULDQ", "66 0F 38 28", "Vdq,Wdq", vectorBinary(multiplyEvenSigned), SSE41),
  packed("PCMPEQQ", "29", "i64x2.eq"),
  packed("PACKUSDW", "2B", "i16x8.narrow_i32x4_u"),
  packed("PCMPGTQ", "37", "i64x2.gt_s", SSE42),
  packed("PMINSB", "38", "i8x16.min_s"),
  packed("PMINSD", "39", "i32x4.min_s"),
  packed("PMINUW", "3A", "i16x8.min_u"),
  packed("PMINUD", "3B", "i32x4.min_u"),
  packed("PMAXSB", "3C", "i8x16.max_s"),
  packed("PMAXSD", "3D", "i32x4.max_s"),
  packed("PMAXUW", "3E", "i16x8.max_u"),
  packed("PMAXUD", "3F", "i32x4.max_u"),
  packed("PMULLD", "40", "i32x4.mul"),
  row("PHMINPOSUW", "66 0F 38 41", "Vdq,Wdq", minimumPosition, SSE41),
  row("MPSADBW", "66 0F 3A 42", "Vdq,Wdq,Ib", sumsOfDifferences, SSE41),
];
