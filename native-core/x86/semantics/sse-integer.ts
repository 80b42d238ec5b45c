// SSE2 integer arithmetic, comparison and logic on packed lanes. Nearly all are one Wasm SIMD operation.
import type { Value } from "../../ir/nodes.ts";
import type { PureOpName } from "../../ir/ops.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { lanes, SSE, SSE2, vectorBinary, vectorOperation } from "./sse-common.ts";

const LOW_HALF_OF_QUADS = [0xffff_ffff, 0xffff_ffff];

/** High 16 bits of eight products. */
export const high16 =
  (sign: "s" | "u") =>
  (i: InstructionBuilder, a: Value, b: Value): Value => {
    const low = i.pure(`i32x4.extmul_low_i16x8_${sign}`, [a, b]);
    const high = i.pure(`i32x4.extmul_high_i16x8_${sign}`, [a, b]);
    return i.pure("i8x16.shuffle", [low, high], [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31]);
  };

/** Products of the even 32-bit lanes, unsigned, 64 bits each. */
export function multiplyEven32(i: InstructionBuilder, a: Value, b: Value): Value {
  const mask = lanes(i, 64, LOW_HALF_OF_QUADS);
  return i.pure("i64x2.mul", [i.pure("v128.and", [a, mask]), i.pure("v128.and", [b, mask])]);
}

/** Sum of eight absolute byte differences, per half. */
export function sumOfDifferences(i: InstructionBuilder, a: Value, b: Value): Value {
  const difference = i.pure("v128.or", [i.pure("i8x16.sub_sat_u", [a, b]), i.pure("i8x16.sub_sat_u", [b, a])]);
  const words = i.pure("i16x8.extadd_pairwise_i8x16_u", [difference]);
  const doubles = i.pure("i32x4.extadd_pairwise_i16x8_u", [words]);
  const low = i.pure("v128.and", [doubles, lanes(i, 64, LOW_HALF_OF_QUADS)]);
  return i.pure("i64x2.add", [low, i.pure("i64x2.shr_u", [doubles, i.i32(32)])]);
}

/** NOT destination AND source: Wasm's operands are the other way round. */
export function andNot(i: InstructionBuilder, a: Value, b: Value): Value {
  return i.pure("v128.andnot", [b, a]);
}

const andNotVectors = vectorBinary(andNot);

const logic = (name: string, opcode: string, semantics: Semantics): InstructionRow[] => [
  row(`${name}PS`, `NP 0F ${opcode}`, "Vps,Wps", semantics, SSE),
  row(`${name}PD`, `66 0F ${opcode}`, "Vpd,Wpd", semantics, SSE2),
];

const packed = (mnemonic: string, opcode: string, name: PureOpName): InstructionRow =>
  row(mnemonic, `66 0F ${opcode}`, "Vdq,Wdq", vectorOperation(name), SSE2);

export const SSE_INTEGER_ROWS: readonly InstructionRow[] = [
  packed("PADDB", "FC", "i8x16.add"),
  packed("PADDW", "FD", "i16x8.add"),
  packed("PADDD", "FE", "i32x4.add"),
  packed("PADDQ", "D4", "i64x2.add"),
  packed("PADDSB", "EC", "i8x16.add_sat_s"),
  packed("PADDSW", "ED", "i16x8.add_sat_s"),
  packed("PADDUSB", "DC", "i8x16.add_sat_u"),
  packed("PADDUSW", "DD", "i16x8.add_sat_u"),
  packed("PSUBB", "F8", "i8x16.sub"),
  packed("PSUBW", "F9", "i16x8.sub"),
  packed("PSUBD", "FA", "i32x4.sub"),
  packed("PSUBQ", "FB", "i64x2.sub"),
  packed("PSUBSB", "E8", "i8x16.sub_sat_s"),
  packed("PSUBSW", "E9", "i16x8.sub_sat_s"),
  packed("PSUBUSB", "D8", "i8x16.sub_sat_u"),
  packed("PSUBUSW", "D9", "i16x8.sub_sat_u"),
  packed("PMULLW", "D5", "i16x8.mul"),
  row("PMULHW", "66 0F E5", "Vdq,Wdq", vectorBinary(high16("s")), SSE2),
  row("PMULHUW", "66 0F E4", "Vdq,Wdq", vectorBinary(high16("u")), SSE2),
  row("PMULUDQ", "66 0F F4", "Vdq,Wdq", vectorBinary(multiplyEven32), SSE2),
  packed("PMADDWD", "F5", "i32x4.dot_i16x8_s"),
  row("PSADBW", "66 0F F6", "Vdq,Wdq", vectorBinary(sumOfDifferences), SSE2),
  packed("PAVGB", "E0", "i8x16.avgr_u"),
  packed("PAVGW", "E3", "i16x8.avgr_u"),
  packed("PMINUB", "DA", "i8x16.min_u"),
  packed("PMAXUB", "DE", "i8x16.max_u"),
  packed("PMINSW", "EA", "i16x8.min_s"),
  packed("PMAXSW", "EE", "i16x8.max_s"),
  packed("PCMPEQB", "74", "i8x16.eq"),
  packed("PCMPEQW", "75", "i16x8.eq"),
  packed("PCMPEQD", "76", "i32x4.eq"),
  packed("PCMPGTB", "64", "i8x16.gt_s"),
  packed("PCMPGTW", "65", "i16x8.gt_s"),
  packed("PCMPGTD", "66", "i32x4.gt_s"),
  packed("PAND", "DB", "v128.and"),
  packed("POR", "EB", "v128.or"),
  packed("PXOR", "EF", "v128.xor"),
  row("PANDN", "66 0F DF", "Vdq,Wdq", andNotVectors, SSE2),
  ...logic("AND", "54", vectorOperation("v128.and")),
  ...logic("ANDN", "55", andNotVectors),
  ...logic("OR", "56", vectorOperation("v128.or")),
  ...logic("XOR", "57", vectorOperation("v128.xor")),
];
