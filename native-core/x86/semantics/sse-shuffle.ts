// SSE and SSE2 shuffles, unpacks, packs, and word inserts and extracts.
// An imm8 is a run-time value in the interpreter, so shuffle masks are computed from it with a few vector operations
// (spread by a multiplication, two bits per lane); with a constant imm8 they fold to a constant mask.
import type { Value } from "../../ir/nodes.ts";
import type { PureOpName } from "../../ir/ops.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import {
  fromQuads,
  immediate8,
  lanes,
  mergeHalves,
  quad,
  SSE,
  SSE2,
  sseInstruction,
  vectorBinary,
  vectorOperation,
} from "./sse-common.ts";

/** Byte indices that pick 32-bit lane (imm8 >> 2n) & 3 for lane n. */
function doublewordIndices(i: InstructionBuilder): Value {
  const spread = i.pure("i32x4.mul", [i.pure("i32x4.splat", [i.narrow(immediate8(i))]), lanes(i, 32, [64, 16, 4, 1])]);
  const lane = i.pure("v128.and", [i.pure("i32x4.shr_u", [spread, i.i32(6)]), lanes(i, 32, [3, 3, 3, 3])]);
  const scaled = i.pure("i32x4.mul", [lane, i.pure("i32x4.splat", [i.i32(0x04040404)])]);
  return i.pure("i32x4.add", [scaled, i.pure("i32x4.splat", [i.i32(0x03020100)])]);
}

const shuffleDoublewords = sseInstruction((i) => {
  i.writeVector(0, i.pure("i8x16.swizzle", [i.readVector(1, true), doublewordIndices(i)]));
});

/** Shuffles the four words of one half by imm8; the other half is copied. */
const shuffleWords = (half: "low" | "high"): Semantics =>
  sseInstruction((i) => {
    const low = half === "low";
    const spread = i.pure("i16x8.mul", [
      i.pure("i16x8.splat", [i.narrow(immediate8(i))]),
      lanes(i, 16, [64, 16, 4, 1, 64, 16, 4, 1]),
    ]);
    // Two bits of the immediate in the half that is shuffled, zero (plus an identity base) in the other.
    const picked = low ? [3, 3, 3, 3, 0, 0, 0, 0] : [0, 0, 0, 0, 3, 3, 3, 3];
    const base = low
      ? [0x0100, 0x0100, 0x0100, 0x0100, 0x0908, 0x0b0a, 0x0d0c, 0x0f0e]
      : [0x0100, 0x0302, 0x0504, 0x0706, 0x0908, 0x0908, 0x0908, 0x0908];
    const lane = i.pure("v128.and", [i.pure("i16x8.shr_u", [spread, i.i32(6)]), lanes(i, 16, picked)]);
    const scaled = i.pure("i16x8.mul", [lane, i.pure("i16x8.splat", [i.i32(0x0202)])]);
    const indices = i.pure("i16x8.add", [scaled, lanes(i, 16, base)]);
    i.writeVector(0, i.pure("i8x16.swizzle", [i.readVector(1, true), indices]));
  });

/** Two lanes from the destination, two from the source. */
const shuffleSingles = sseInstruction((i) => {
  const source = i.readVector(1, true);
  const indices = doublewordIndices(i);
  const low = i.pure("i8x16.swizzle", [i.readVector(0), indices]);
  i.writeVector(0, mergeHalves(i, low, i.pure("i8x16.swizzle", [source, indices])));
});

const shuffleDoubles = sseInstruction((i) => {
  const source = i.readVector(1, true);
  const destination = i.readVector(0);
  const immediate = i.narrow(immediate8(i));
  const pick = (vector: Value, bit: number): Value =>
    i.select(i.pure("i32.and", [immediate, i.i32(bit)]), quad(i, vector, 1), quad(i, vector, 0));
  i.writeVector(0, fromQuads(i, pick(destination, 1), pick(source, 2)));
});

/** Interleaves lanes of `bytes` bytes of the low or high halves. */
const unpack = (bytes: 1 | 2 | 4 | 8, half: "low" | "high"): Semantics => {
  const mask: number[] = [];
  for (let lane = half === "low" ? 0 : 8; mask.length < 16; lane += bytes) {
    for (let n = 0; n < bytes; n++) mask.push(lane + n);
    for (let n = 0; n < bytes; n++) mask.push(16 + lane + n);
  }
  return vectorBinary((i, a, b) => i.pure("i8x16.shuffle", [a, b], mask));
};

// Shared by integer and float mnemonics.
const unpackLowDoublewords = unpack(4, "low");
const unpackHighDoublewords = unpack(4, "high");
const unpackLowQuadwords = unpack(8, "low");
const unpackHighQuadwords = unpack(8, "high");

/** Saturating pack: destination lanes become the low half. */
const pack = (name: PureOpName): Semantics => vectorOperation(name);

const extractWord = sseInstruction((i) => {
  const vector = i.readVector(1);
  const lane = immediate8(i);
  const half = i.select(i.narrow(i.and(lane, i.i64(4))), quad(i, vector, 1), quad(i, vector, 0));
  const shifted = i.shrU(half, i.shl(i.and(lane, i.i64(3)), i.i64(4)));
  i.write(0, i.mask(shifted, 2));
});

const insertWord = sseInstruction((i) => {
  const word = i.pure("i16x8.splat", [i.narrow(i.read(1))]);
  const lane = i.pure("i16x8.splat", [i.narrow(i.and(immediate8(i), i.i64(7)))]);
  const where = i.pure("i16x8.eq", [lane, lanes(i, 16, [0, 1, 2, 3, 4, 5, 6, 7])]);
  i.writeVector(0, i.pure("v128.bitselect", [word, i.readVector(0), where]));
});

const integer = (mnemonic: string, opcode: string, semantics: Semantics): InstructionRow =>
  row(mnemonic, `66 0F ${opcode}`, "Vdq,Wdq", semantics, SSE2);

export const SSE_SHUFFLE_ROWS: readonly InstructionRow[] = [
  row("PSHUFD", "66 0F 70", "Vdq,Wdq,Ib", shuffleDoublewords, SSE2),
  row("PSHUFHW", "F3 0F 70", "Vdq,Wdq,Ib", shuffleWords("high"), SSE2),
  row("PSHUFLW", "F2 0F 70", "Vdq,Wdq,Ib", shuffleWords("low"), SSE2),
  row("SHUFPS", "NP 0F C6", "Vps,Wps,Ib", shuffleSingles, SSE),
  row("SHUFPD", "66 0F C6", "Vpd,Wpd,Ib", shuffleDoubles, SSE2),
  row("UNPCKLPS", "NP 0F 14", "Vps,Wps", unpackLowDoublewords, SSE),
  row("UNPCKLPD", "66 0F 14", "Vpd,Wpd", unpackLowQuadwords, SSE2),
  row("UNPCKHPS", "NP 0F 15", "Vps,Wps", unpackHighDoublewords, SSE),
  row("UNPCKHPD", "66 0F 15", "Vpd,Wpd", unpackHighQuadwords, SSE2),
  integer("PUNPCKLBW", "60", unpack(1, "low")),
  integer("PUNPCKLWD", "61", unpack(2, "low")),
  integer("PUNPCKLDQ", "62", unpackLowDoublewords),
  integer("PUNPCKLQDQ", "6C", unpackLowQuadwords),
  integer("PUNPCKHBW", "68", unpack(1, "high")),
  integer("PUNPCKHWD", "69", unpack(2, "high")),
  integer("PUNPCKHDQ", "6A", unpackHighDoublewords),
  integer("PUNPCKHQDQ", "6D", unpackHighQuadwords),
  integer("PACKSSWB", "63", pack("i8x16.narrow_i16x8_s")),
  integer("PACKUSWB", "67", pack("i8x16.narrow_i16x8_u")),
  integer("PACKSSDW", "6B", pack("i16x8.narrow_i32x4_s")),
  row("PEXTRW", "66 0F C5", "Gd,Udq,Ib", extractWord, SSE2),
  row("PINSRW", "66 0F C4", "Vdq,Ew,Ib", insertWord, SSE2),
];
