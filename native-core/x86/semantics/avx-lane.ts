// What AVX and AVX2 add to lane traffic: broadcasts, 128-bit halves, permutations, VPBLENDD, VZEROxx.
import type { Value } from "../../ir/nodes.ts";
import type { PureOpName } from "../../ir/ops.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { fromQuads, immediate8, lanes, lanesOfBits, quad, sseInstruction } from "./sse-common.ts";

export const AVX: RowTraits = { feature: "avx" };
export const AVX2: RowTraits = { feature: "avx2" };

type LaneBytes = 1 | 2 | 4 | 8;
const SPLATS: Record<LaneBytes, PureOpName> = {
  1: "i8x16.splat",
  2: "i16x8.splat",
  4: "i32x4.splat",
  8: "i64x2.splat",
};

const isWide = (i: InstructionBuilder): boolean => i.form.vectorLength === 32;

/** Writes operand 0: both halves of a 256-bit form, else the lower one, with zeros above. */
export function writeHalves(i: InstructionBuilder, low: Value, high: () => Value): void {
  if (isWide(i)) i.writeWide(0, low, high());
  else i.writeVector(0, low);
}

// --- broadcasts and halves ---------------------------------------------------------------------------------------------------

const broadcast = (bytes: LaneBytes): Semantics =>
  sseInstruction((i) => {
    const lane = i.isMemory(1) ? i.load(bytes, i.address(1)) : quad(i, i.readVector(1), 0);
    const all = i.pure(SPLATS[bytes], [bytes === 8 ? lane : i.narrow(lane)]);
    writeHalves(i, all, () => all);
  });

const broadcastHalf = sseInstruction((i) => {
  const half = i.readVector(1);
  i.writeWide(0, half, half);
});

const insertHalf = sseInstruction((i) => {
  const inserted = i.readVector(2);
  const [low, high] = i.readWide(1);
  const upper = i.narrow(i.and(immediate8(i), i.i64(1)));
  const select = (a: Value, b: Value): Value => i.pure("v128.select", [a, b, upper]);
  i.writeWide(0, select(low, inserted), select(inserted, high));
});

const extractHalf = sseInstruction((i) => {
  const [low, high] = i.readWide(1);
  i.writeVector(0, i.pure("v128.select", [high, low, i.narrow(i.and(immediate8(i), i.i64(1)))]));
});

/** Two bits per half of the destination choose among four halves; bit 3 of each nibble means zero. */
const permuteHalves = sseInstruction((i) => {
  const [cLow, cHigh] = i.readWide(2);
  const [bLow, bHigh] = i.readWide(1);
  const pick = (nibble: Value): Value => {
    const bit = (n: number): Value => i.narrow(i.and(nibble, i.i64(n)));
    const select = (a: Value, b: Value, by: Value): Value => i.pure("v128.select", [a, b, by]);
    const chosen = select(select(cHigh, cLow, bit(1)), select(bHigh, bLow, bit(1)), bit(2));
    return select(i.v128(0n), chosen, bit(8));
  };
  const immediate = immediate8(i);
  i.writeWide(0, pick(immediate), pick(i.shrU(immediate, i.i64(4))));
});

// --- permutations --------------------------------------------------------------------------------------------------------------

/** Byte indices, within 32 bytes, of the 32-bit lanes that `numbers` (32-bit lanes, 0 to 7) name. */
function doublewordBytes(i: InstructionBuilder, numbers: Value): Value {
  const scaled = i.pure("i32x4.mul", [numbers, i.pure("i32x4.splat", [i.i32(0x04040404)])]);
  return i.pure("i32x4.add", [scaled, i.pure("i32x4.splat", [i.i32(0x03020100)])]);
}

/** Bytes of 32 by index. A swizzle yields zero for indices from 16, so each half contributes what is its own. */
function pickBytes(i: InstructionBuilder, [low, high]: readonly [Value, Value], indices: Value): Value {
  const fromHigh = i.pure("i8x16.sub", [indices, i.pure("i8x16.splat", [i.i32(16)])]);
  return i.pure("v128.or", [i.pure("i8x16.swizzle", [low, indices]), i.pure("i8x16.swizzle", [high, fromHigh])]);
}

/** VPERMD, VPERMPS: lanes of operand 2 that the lanes of operand 1 name. */
const permuteDoublewords = sseInstruction((i) => {
  const source = i.readWide(2);
  const select = (numbers: Value): Value => {
    const masked = i.pure("v128.and", [numbers, lanes(i, 32, [7, 7, 7, 7])]);
    return pickBytes(i, source, doublewordBytes(i, masked));
  };
  const [low, high] = i.readWide(1);
  i.writeWide(0, select(low), select(high));
});

/** VPERMQ, VPERMPD: two bits of the immediate for each quadword. */
const permuteQuadwords = sseInstruction((i) => {
  const [low, high] = i.readWide(1);
  const immediate = immediate8(i);
  const pick = (n: number): Value => {
    const bit = (mask: number): Value => i.narrow(i.and(immediate, i.i64(mask << (2 * n))));
    const half = (v: Value): Value => i.select(bit(1), quad(i, v, 1), quad(i, v, 0));
    return i.select(bit(2), half(high), half(low));
  };
  i.writeWide(0, fromQuads(i, pick(0), pick(1)), fromQuads(i, pick(2), pick(3)));
});

/** VPERMILPS within each half: two bits of each lane of the control, which is a vector or the same immediate for both halves. */
const permuteSingles = (control: "vector" | "immediate"): Semantics =>
  inHalves((i, source, other) => {
    const numbers = control === "vector" ? other : spreadImmediate(i);
    const masked = i.pure("v128.and", [numbers, lanes(i, 32, [3, 3, 3, 3])]);
    return i.pure("i8x16.swizzle", [source, doublewordBytes(i, masked)]);
  }, control);

/** Two bits of the immediate at the bottom of each 32-bit lane. */
function spreadImmediate(i: InstructionBuilder): Value {
  const spread = i.pure("i32x4.mul", [i.pure("i32x4.splat", [i.narrow(immediate8(i))]), lanes(i, 32, [64, 16, 4, 1])]);
  return i.pure("i32x4.shr_u", [spread, i.i32(6)]);
}

/** VPERMILPD within each half: bit 1 of each lane of the control, or one bit of the immediate for each lane. */
const permuteDoubles = (control: "vector" | "immediate"): Semantics =>
  inHalves((i, source, other, half) => {
    const mask =
      control === "vector"
        ? i.pure("i64x2.shr_s", [i.pure("i64x2.shl", [other, i.i32(62)]), i.i32(63)])
        : lanesOfBits(i, 64, i.shrU(immediate8(i), i.i64(2 * half)));
    const lower = i.pure("i64x2.splat", [quad(i, source, 0)]);
    const upper = i.pure("i64x2.splat", [quad(i, source, 1)]);
    return i.pure("v128.bitselect", [upper, lower, mask]);
  }, control);

type HalfOperation = (i: InstructionBuilder, a: Value, b: Value, half: 0 | 1) => Value;

/** Operand 0 = operation(operand 1, operand 2) for each half; with an immediate there is no operand 2. */
export function inHalves(operation: HalfOperation, control: "vector" | "immediate" = "vector"): Semantics {
  return sseInstruction((i) => {
    const isBinary = control === "vector";
    if (isWide(i)) {
      const b = isBinary ? i.readWide(2) : undefined;
      const a = i.readWide(1);
      const [low, high] = b ?? a;
      i.writeWide(0, operation(i, a[0], low, 0), operation(i, a[1], high, 1));
    } else {
      const b = isBinary ? i.readVector(2) : undefined;
      const a = i.readVector(1);
      i.writeVector(0, operation(i, a, b ?? a, 0));
    }
  });
}

const blendDoublewords = inHalves((i, a, b, half) => {
  const mask = lanesOfBits(i, 32, i.shrU(immediate8(i), i.i64(4 * half)));
  return i.pure("v128.bitselect", [b, a, mask]);
});

// --- clearing ------------------------------------------------------------------------------------------------------------------

/** VZEROUPPER clears the upper halves, VZEROALL all, of the registers that the mode has. */
const zeroRegisters = (all: boolean): Semantics =>
  sseInstruction((i) => {
    for (let register = 0; register < (i.form.mode === "64" ? 16 : 8); register++) {
      if (all) i.writeRegister("vector", { kind: "fixed", register }, 16, i.v128(0n));
      i.writeRegister("vector", { kind: "fixed", register }, 16, i.v128(0n), true);
    }
  });

const both = (mnemonic: string, opcode: string, operands: string, semantics: Semantics, traits: RowTraits) =>
  (["128", "256"] as const).map((length) => row(mnemonic, `VEX.${length}.${opcode}`, operands, semantics, traits));

/** From memory with AVX, from a register with AVX2: one row is enough. */
const broadcasts = (mnemonic: string, opcode: string, source: string, bytes: LaneBytes, traits: RowTraits) =>
  both(mnemonic, `66.0F38.W0 ${opcode}`, `Vx,${source}`, broadcast(bytes), traits);

export const AVX_LANE_ROWS: readonly InstructionRow[] = [
  ...broadcasts("VBROADCASTSS", "18", "Wss", 4, AVX),
  row("VBROADCASTSD", "VEX.256.66.0F38.W0 19", "Vx,Wsd", broadcast(8), AVX),
  row("VBROADCASTF128", "VEX.256.66.0F38.W0 1A", "Vx,Mdq", broadcastHalf, AVX),
  row("VBROADCASTI128", "VEX.256.66.0F38.W0 5A", "Vx,Mdq", broadcastHalf, AVX2),
  ...broadcasts("VPBROADCASTB", "78", "Wb", 1, AVX2),
  ...broadcasts("VPBROADCASTW", "79", "Ww", 2, AVX2),
  ...broadcasts("VPBROADCASTD", "58", "Wd", 4, AVX2),
  ...broadcasts("VPBROADCASTQ", "59", "Wq", 8, AVX2),
  row("VINSERTF128", "VEX.256.66.0F3A.W0 18", "Vx,Hx,Wdq,Ib", insertHalf, AVX),
  row("VINSERTI128", "VEX.256.66.0F3A.W0 38", "Vx,Hx,Wdq,Ib", insertHalf, AVX2),
  row("VEXTRACTF128", "VEX.256.66.0F3A.W0 19", "Wdq,Vx,Ib", extractHalf, AVX),
  row("VEXTRACTI128", "VEX.256.66.0F3A.W0 39", "Wdq,Vx,Ib", extractHalf, AVX2),
  row("VPERM2F128", "VEX.256.66.0F3A.W0 06", "Vx,Hx,Wx,Ib", permuteHalves, AVX),
  row("VPERM2I128", "VEX.256.66.0F3A.W0 46", "Vx,Hx,Wx,Ib", permuteHalves, AVX2),
  row("VPERMD", "VEX.256.66.0F38.W0 36", "Vx,Hx,Wx", permuteDoublewords, AVX2),
  row("VPERMPS", "VEX.256.66.0F38.W0 16", "Vps,Hps,Wps", permuteDoublewords, AVX2),
  row("VPERMQ", "VEX.256.66.0F3A.W1 00", "Vx,Wx,Ib", permuteQuadwords, AVX2),
  row("VPERMPD", "VEX.256.66.0F3A.W1 01", "Vpd,Wpd,Ib", permuteQuadwords, AVX2),
  ...both("VPERMILPS", "66.0F38.W0 0C", "Vps,Hps,Wx", permuteSingles("vector"), AVX),
  ...both("VPERMILPD", "66.0F38.W0 0D", "Vpd,Hpd,Wx", permuteDoubles("vector"), AVX),
  ...both("VPERMILPS", "66.0F3A.W0 04", "Vps,Wps,Ib", permuteSingles("immediate"), AVX),
  ...both("VPERMILPD", "66.0F3A.W0 05", "Vpd,Wpd,Ib", permuteDoubles("immediate"), AVX),
  ...both("VPBLENDD", "66.0F3A.W0 02", "Vx,Hx,Wx,Ib", blendDoublewords, AVX2),
  row("VZEROUPPER", "VEX.128.0F 77", "", zeroRegisters(false), AVX),
  row("VZEROALL", "VEX.256.0F 77", "", zeroRegisters(true), AVX),
].map((one) => ({ ...one, ...(one.operands === "" ? { modal: true } : {}) }));
