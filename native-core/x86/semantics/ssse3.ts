// SSSE3 on XMM and MMX registers. Each lane operation is written once over two vectors; an MMX form runs it on zero-extended operands.
import { type InstructionRow, type RowTraits, row } from "../row.ts";
import { type LaneOperation, mmxBinary, mmxInstruction, readMmx, writeMmx } from "./mmx.ts";
import { fromQuads, immediate8, indicesFrom, quad, SSSE3, sseInstruction, vectorBinary } from "./sse-common.ts";

type Narrow = "i8x16" | "i16x8" | "i32x4";

/** A negative index byte yields zero: Wasm does so for every index above 15. */
const shuffleBytes: LaneOperation = (i, a, b) =>
  i.pure("i8x16.swizzle", [a, i.pure("v128.and", [b, i.pure("i8x16.splat", [i.i32(0x8f)])])]);

/** Eight table entries: index bits 2:0. */
const shuffleMmxBytes: LaneOperation = (i, a, b) =>
  i.pure("i8x16.swizzle", [a, i.pure("v128.and", [b, i.pure("i8x16.splat", [i.i32(0x87)])])]);

const absolute =
  (shape: Narrow): LaneOperation =>
  (i, _, b) =>
    i.pure(`${shape}.abs`, [b]);

/** The destination negated where the source is negative, zero where it is zero. */
const applySign =
  (shape: Narrow): LaneOperation =>
  (i, a, b) => {
    const zero = i.v128(0n);
    const negative = i.pure(`${shape}.lt_s`, [b, zero]);
    const signed = i.pure(`${shape}.sub`, [i.pure("v128.xor", [a, negative]), negative]);
    return i.pure("v128.andnot", [signed, i.pure(`${shape}.eq`, [b, zero])]);
  };

/** Products rounded at bit 14. Wasm saturates -1 * -1; the processor wraps. */
const multiplyRounded: LaneOperation = (i, a, b) => {
  const minimum = i.pure("i16x8.splat", [i.i32(0x8000)]);
  const both = i.pure("v128.and", [i.pure("i16x8.eq", [a, minimum]), i.pure("i16x8.eq", [b, minimum])]);
  return i.pure("v128.xor", [i.pure("i16x8.q15mulr_sat_s", [a, b]), both]);
};

/** Unsigned bytes of the destination times signed ones of the source, neighbours added with saturation. */
const multiplyAddBytes: LaneOperation = (i, a, b) => {
  const eight = i.i32(8);
  const even = i.pure("i16x8.mul", [
    i.pure("v128.and", [a, i.pure("i16x8.splat", [i.i32(0xff)])]),
    i.pure("i16x8.shr_s", [i.pure("i16x8.shl", [b, eight]), eight]),
  ]);
  const odd = i.pure("i16x8.mul", [i.pure("i16x8.shr_u", [a, eight]), i.pure("i16x8.shr_s", [b, eight])]);
  return i.pure("i16x8.add_sat_s", [even, odd]);
};

// --- horizontal ----------------------------------------------------------------------------------------------------------

const evenBytes = (bytes: 2 | 4): number[] =>
  Array.from({ length: 16 }, (_, n) => Math.floor(n / bytes) * bytes * 2 + (n % bytes));

/** `combine` of the even and the odd lanes of two vectors side by side. */
const neighbours =
  (bytes: 2 | 4, combine: LaneOperation): LaneOperation =>
  (i, a, b) => {
    const even = evenBytes(bytes);
    const odd = even.map((byte) => byte + bytes);
    return combine(i, i.pure("i8x16.shuffle", [a, b], even), i.pure("i8x16.shuffle", [a, b], odd));
  };

/** As `neighbours`, for operands of 8 bytes: both fit one vector. */
const mmxNeighbours =
  (bytes: 2 | 4, combine: LaneOperation): LaneOperation =>
  (i, a, b) => {
    const both = i.pure("i64x2.replace_lane", [a, quad(i, b, 0)], [1]);
    return neighbours(bytes, combine)(i, both, both);
  };

const combine =
  (
    name: "i16x8.add" | "i16x8.sub" | "i16x8.add_sat_s" | "i16x8.sub_sat_s" | "i32x4.add" | "i32x4.sub",
  ): LaneOperation =>
  (i, a, b) =>
    i.pure(name, [a, b]);

// --- PALIGNR ---------------------------------------------------------------------------------------------------------------

/** Sixteen bytes of destination:source from byte imm8 on. */
const alignRight = sseInstruction((i) => {
  const low = i.readVector(1, true);
  const indices = indicesFrom(i, immediate8(i));
  const fromHigh = i.pure("i8x16.sub", [indices, i.pure("i8x16.splat", [i.i32(16)])]);
  const high = i.pure("i8x16.swizzle", [i.readVector(0), fromHigh]);
  i.writeVector(0, i.pure("v128.or", [i.pure("i8x16.swizzle", [low, indices]), high]));
});

const alignRightMmx = mmxInstruction((i) => {
  const low = readMmx(i, 1);
  const both = fromQuads(i, low, readMmx(i, 0));
  writeMmx(i, 0, quad(i, i.pure("i8x16.swizzle", [both, indicesFrom(i, immediate8(i))]), 0));
});

// --- rows --------------------------------------------------------------------------------------------------------------------

const MMX_SSSE3: RowTraits = { ...SSSE3, cold: true };

/** `mmx`: where it differs from the operation on vectors. */
const both = (mnemonic: string, opcode: string, operation: LaneOperation, mmx = operation): InstructionRow[] => [
  row(mnemonic, `66 0F 38 ${opcode}`, "Vdq,Wdq", vectorBinary(operation), SSSE3),
  row(mnemonic, `NP 0F 38 ${opcode}`, "Pq,Qq", mmxBinary(mmx), MMX_SSSE3),
];

const horizontal = (
  mnemonic: string,
  opcode: string,
  bytes: 2 | 4,
  name: Parameters<typeof combine>[0],
): InstructionRow[] => both(mnemonic, opcode, neighbours(bytes, combine(name)), mmxNeighbours(bytes, combine(name)));

export const SSSE3_ROWS: readonly InstructionRow[] = [
  ...both("PSHUFB", "00", shuffleBytes, shuffleMmxBytes),
  ...horizontal("PHADDW", "01", 2, "i16x8.add"),
  ...horizontal("PHADDD", "02", 4, "i32x4.add"),
  ...horizontal("PHADDSW", "03", 2, "i16x8.add_sat_s"),
  ...both("PMADDUBSW", "04", multiplyAddBytes),
  ...horizontal("PHSUBW", "05", 2, "i16x8.sub"),
  ...horizontal("PHSUBD", "06", 4, "i32x4.sub"),
  ...horizontal("PHSUBSW", "07", 2, "i16x8.sub_sat_s"),
  ...both("PSIGNB", "08", applySign("i8x16")),
  ...both("PSIGNW", "09", applySign("i16x8")),
  ...both("PSIGND", "0A", applySign("i32x4")),
  ...both("PMULHRSW", "0B", multiplyRounded),
  ...both("PABSB", "1C", absolute("i8x16")),
  ...both("PABSW", "1D", absolute("i16x8")),
  ...both("PABSD", "1E", absolute("i32x4")),
  row("PALIGNR", "66 0F 3A 0F", "Vdq,Wdq,Ib", alignRight, SSSE3),
  row("PALIGNR", "NP 0F 3A 0F", "Pq,Qq,Ib", alignRightMmx, MMX_SSSE3),
];
