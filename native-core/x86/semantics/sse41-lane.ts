// SSE4.1 lane traffic: blends, inserts, extracts, MOVNTDQA.
// As in sse-shuffle.ts, an imm8 is a run-time value in the interpreter: masks are computed from it.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { generalSize, immediate8, lanes, lanesOfBits, quad, SSE41, sseInstruction } from "./sse-common.ts";

/** Destination lanes replaced by the source's where the immediate's bit is set. */
const blend = (laneBits: 16 | 32 | 64): Semantics =>
  sseInstruction((i) => {
    const source = i.readVector(1, true);
    const mask = lanesOfBits(i, laneBits, immediate8(i));
    i.writeVector(0, i.pure("v128.bitselect", [source, i.readVector(0), mask]));
  });

/** The same by the sign bits of XMM0's lanes. */
const blendVariable = (shape: "i8x16" | "i32x4" | "i64x2", laneBits: number): Semantics =>
  sseInstruction((i) => {
    const source = i.readVector(1, true);
    const selector = i.isVex ? i.readVector(2) : i.readRegister("vector", { kind: "fixed", register: 0 }, 16);
    const mask = i.pure(`${shape}.shr_s`, [selector, i.i32(laneBits - 1)]);
    i.writeVector(0, i.pure("v128.bitselect", [source, i.readVector(0), mask]));
  });

/** Lane imm8 (modulo their number) as i64, zero-extended. */
function extractLane(i: InstructionBuilder, vector: Value, bytes: 1 | 2 | 4 | 8): Value {
  const offset = i.and(i.shl(immediate8(i), i.i64(Math.log2(bytes))), i.i64(15));
  const half = i.select(i.narrow(i.and(offset, i.i64(8))), quad(i, vector, 1), quad(i, vector, 0));
  if (bytes === 8) return half;
  return i.mask(i.shrU(half, i.shl(i.and(offset, i.i64(7)), i.i64(3))), bytes);
}

const extract = (bytes: 1 | 2 | 4): Semantics =>
  sseInstruction((i) => i.write(0, extractLane(i, i.readVector(1), bytes)));

const extractSized = sseInstruction((i) => {
  i.write(0, extractLane(i, i.readVector(1), generalSize(i, 0) === 8 ? 8 : 4));
});

const insertByte = sseInstruction((i) => {
  const value = i.pure("i8x16.splat", [i.narrow(i.read(1))]);
  const lane = i.pure("i8x16.splat", [i.narrow(i.and(immediate8(i), i.i64(15)))]);
  const each = Array.from({ length: 16 }, (_, n) => n);
  const where = i.pure("i8x16.eq", [lane, lanes(i, 8, each)]);
  i.writeVector(0, i.pure("v128.bitselect", [value, i.readVector(0), where]));
});

const insertSized = sseInstruction((i) => {
  const wide = generalSize(i, 1) === 8;
  const read = i.read(1);
  const value = wide ? i.pure("i64x2.splat", [read]) : i.pure("i32x4.splat", [i.narrow(read)]);
  const bit = i.shl(i.i64(1), i.and(immediate8(i), i.i64(wide ? 1 : 3)));
  i.writeVector(0, i.pure("v128.bitselect", [value, i.readVector(0), lanesOfBits(i, wide ? 64 : 32, bit)]));
});

/** imm8: lane of a register source, lane of the destination, lanes that become zero. */
const insertSingle = sseInstruction((i) => {
  const immediate = immediate8(i);
  const value = i.isMemory(1) ? i.readScalar(1, 4) : sourceLane(i, i.readVector(1), i.shrU(immediate, i.i64(6)));
  const bit = i.shl(i.i64(1), i.and(i.shrU(immediate, i.i64(4)), i.i64(3)));
  const all = i.pure("i32x4.splat", [i.narrow(value)]);
  const inserted = i.pure("v128.bitselect", [all, i.readVector(0), lanesOfBits(i, 32, bit)]);
  i.writeVector(0, i.pure("v128.andnot", [inserted, lanesOfBits(i, 32, immediate)]));
});

function sourceLane(i: InstructionBuilder, vector: Value, lane: Value): Value {
  const half = i.select(i.narrow(i.and(lane, i.i64(2))), quad(i, vector, 1), quad(i, vector, 0));
  return i.shrU(half, i.shl(i.and(lane, i.i64(1)), i.i64(5)));
}

const loadAligned = sseInstruction((i) => i.writeVector(0, i.readVector(1, "always")));

export const SSE41_LANE_ROWS: readonly InstructionRow[] = [
  row("PBLENDVB", "66 0F 38 10", "Vdq,Wdq", blendVariable("i8x16", 8), SSE41),
  row("BLENDVPS", "66 0F 38 14", "Vps,Wps", blendVariable("i32x4", 32), SSE41),
  row("BLENDVPD", "66 0F 38 15", "Vpd,Wpd", blendVariable("i64x2", 64), SSE41),
  row("MOVNTDQA", "66 0F 38 2A", "Vdq,Mdq", loadAligned, SSE41),
  row("BLENDPS", "66 0F 3A 0C", "Vps,Wps,Ib", blend(32), SSE41),
  row("BLENDPD", "66 0F 3A 0D", "Vpd,Wpd,Ib", blend(64), SSE41),
  row("PBLENDW", "66 0F 3A 0E", "Vdq,Wdq,Ib", blend(16), SSE41),
  row("PEXTRB", "66 0F 3A 14", "Rd/Mb,Vdq,Ib", extract(1), SSE41),
  row("PEXTRW", "66 0F 3A 15", "Rd/Mw,Vdq,Ib", extract(2), SSE41),
  row("PEXTRD", "66 0F 3A 16", "Ey,Vdq,Ib", extractSized, SSE41),
  row("EXTRACTPS", "66 0F 3A 17", "Ed,Vdq,Ib", extract(4), SSE41),
  row("PINSRB", "66 0F 3A 20", "Vdq,Rd/Mb,Ib", insertByte, SSE41),
  row("INSERTPS", "66 0F 3A 21", "Vdq,Wd,Ib", insertSingle, SSE41),
  row("PINSRD", "66 0F 3A 22", "Vdq,Ey,Ib", insertSized, SSE41),
];
