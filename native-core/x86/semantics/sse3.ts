// SSE3: horizontal and alternating float sums, duplicating moves, LDDQU. FISTTP is among the x87 rows.
// MONITOR and MWAIT have no rows: CPUID does not show them, and they raise #UD.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { type Arrangement, packed } from "./sse-arithmetic.ts";
import { lanes, quad, SSE3, sseInstruction } from "./sse-common.ts";
import type { FloatType } from "./sse-float.ts";

const EVEN_SINGLES = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const EVEN_DOUBLES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const LANE_BYTES = { f32: 4, f64: 8 } as const;

/** Even lanes of both operands against the odd ones: sums of neighbours, the destination's in the low half. */
const neighbours =
  (type: FloatType): Arrangement =>
  (i, a, b) => {
    const even = type === "f32" ? EVEN_SINGLES : EVEN_DOUBLES;
    const odd = even.map((byte) => byte + LANE_BYTES[type]);
    return [i.pure("i8x16.shuffle", [a, b], even), i.pure("i8x16.shuffle", [a, b], odd)];
  };

/** Subtracting is adding with the sign changed (NaN operands, where that shows, go to the helper). */
const alternating =
  (type: FloatType): Arrangement =>
  (i, a, b) => {
    const signs =
      type === "f32" ? lanes(i, 32, [0x8000_0000, 0, 0x8000_0000, 0]) : lanes(i, 64, [0x8000_0000_0000_0000n, 0]);
    return [a, i.pure("v128.xor", [b, signs])];
  };

const horizontal = (operation: "add" | "sub", type: FloatType): Semantics =>
  packed(operation, type, undefined, neighbours(type));

const addSubtract = (type: FloatType): Semantics =>
  packed("add", type, `sse_packed_add_sub_${type}`, alternating(type), true);

const duplicate = (mask: readonly number[]): Semantics =>
  sseInstruction((i) => {
    const source = i.readVector(1, true);
    i.writeVector(0, i.pure("i8x16.shuffle", [source, source], mask));
  });

const low64 = (i: InstructionBuilder): Value => (i.isMemory(1) ? i.readScalar(1, 8) : quad(i, i.readVector(1), 0));

const duplicateDouble = sseInstruction((i) => i.writeVector(0, i.pure("i64x2.splat", [low64(i)])));

const loadUnaligned = sseInstruction((i) => i.writeVector(0, i.readVector(1)));

export const SSE3_ROWS: readonly InstructionRow[] = [
  row("ADDSUBPS", "F2 0F D0", "Vps,Wps", addSubtract("f32"), SSE3),
  row("ADDSUBPD", "66 0F D0", "Vpd,Wpd", addSubtract("f64"), SSE3),
  row("HADDPS", "F2 0F 7C", "Vps,Wps", horizontal("add", "f32"), SSE3),
  row("HADDPD", "66 0F 7C", "Vpd,Wpd", horizontal("add", "f64"), SSE3),
  row("HSUBPS", "F2 0F 7D", "Vps,Wps", horizontal("sub", "f32"), SSE3),
  row("HSUBPD", "66 0F 7D", "Vpd,Wpd", horizontal("sub", "f64"), SSE3),
  row("MOVDDUP", "F2 0F 12", "Vq,Wq", duplicateDouble, SSE3),
  row("MOVSLDUP", "F3 0F 12", "Vps,Wps", duplicate([0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11]), SSE3),
  row("MOVSHDUP", "F3 0F 16", "Vps,Wps", duplicate([4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]), SSE3),
  row("LDDQU", "F2 0F F0", "Vdq,Mdq", loadUnaligned, SSE3),
];
