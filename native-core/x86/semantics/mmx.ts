// MMX, and the MMX forms that SSE and SSE2 added. An MMX register is the significand of a physical x87 register; operations are done on
// the low half of a vector. All are cold: little but old code uses them.
import type { RegisterSelector, Value } from "../../ir/nodes.ts";
import type { PureOpName } from "../../ir/ops.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { CR0, VECTOR } from "../registers.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { STATE } from "../state-layout.ts";
import { generalSize, immediate8, lanes, quad, sseInstruction, zeroExtend } from "./sse-common.ts";
import { andNot, high16, multiplyEven32, sumOfDifferences } from "./sse-integer.ts";
import { byteMaskAddress } from "./sse-move.ts";
import { shiftLanes } from "./sse-shift.ts";
import { raisePending } from "./x87.ts";

const MMX: RowTraits = { feature: "mmx", cold: true };
const MMX_SSE: RowTraits = { feature: "sse", cold: true };
const MMX_SSE2: RowTraits = { feature: "sse2", cold: true };

const STATUS_TOP = 0x3800;
const TAG_VALID = 0;
const TAG_EMPTY = 0xffff;
/** Sign and exponent that a write to an MMX register leaves behind. */
const EXPONENT_ONES = 0xffff;

/** #UD if CR0.EM, #NM if CR0.TS, #MF for a pending x87 exception (SDM 3A 12.1). */
function requireMmx(i: InstructionBuilder): void {
  const cr0 = i.readState(STATE.cr0);
  i.if(i.isNonZero(i.and(cr0, i.i64(CR0.EM))), () => i.raise(VECTOR.UD));
  i.if(i.isNonZero(i.and(cr0, i.i64(CR0.TS))), () => i.raise(VECTOR.NM));
  raisePending(i);
}

/** Every MMX instruction makes the stack top 0 and all registers valid. To be called after what may fault. */
function enterMmx(i: InstructionBuilder, tag = TAG_VALID): void {
  i.writeState(STATE.x87Status, i.and(i.readState(STATE.x87Status), i.i64(~STATUS_TOP)));
  i.writeState(STATE.x87Tag, i.i64(tag));
}

export const mmxInstruction = (body: Semantics): Semantics => {
  return (i) => {
    requireMmx(i);
    body(i);
  };
};

// --- operands ----------------------------------------------------------------------------------------------------------

function selectorOf(i: InstructionBuilder, n: number): RegisterSelector {
  const operand = i.operand(n);
  if (operand.kind !== "mmx") throw new Error(`operand ${n} is not an MMX register`);
  return operand.selector;
}

/** Operand n as i64: a register, or 4 or 8 bytes of memory. */
export function readMmx(i: InstructionBuilder, n: number): Value {
  const operand = i.operand(n);
  if (operand.kind === "memory") return i.load(operand.size === 4 ? 4 : 8, i.address(n));
  return i.readRegister("x87", selectorOf(i, n), 8);
}

export function writeMmx(i: InstructionBuilder, n: number, value: Value): void {
  const selector = selectorOf(i, n);
  enterMmx(i);
  i.writeRegister("x87", selector, 8, value);
  i.writeRegister("x87", selector, 2, i.i64(EXPONENT_ONES));
}

// --- lane operations -----------------------------------------------------------------------------------------------------

export type LaneOperation = (i: InstructionBuilder, a: Value, b: Value) => Value;

/** destination = the low (or high) half of operation(destination, source), both zero-extended to vectors. */
export const mmxBinary = (operation: LaneOperation, half: 0 | 1 = 0): Semantics =>
  mmxInstruction((i) => {
    const b = zeroExtend(i, readMmx(i, 1));
    const a = zeroExtend(i, readMmx(i, 0));
    writeMmx(i, 0, quad(i, operation(i, a, b), half));
  });

const single = (name: PureOpName): Semantics => mmxBinary((i, a, b) => i.pure(name, [a, b]));

/** Interleaves lanes of the low halves of two vectors: the low half of the result, or for "high" forms the upper one. */
const unpack = (bytes: 1 | 2 | 4, half: "low" | "high"): Semantics => {
  const mask: number[] = [];
  for (let lane = 0; mask.length < 16; lane += bytes) {
    for (let n = 0; n < bytes; n++) mask.push(lane + n);
    for (let n = 0; n < bytes; n++) mask.push(16 + lane + n);
  }
  return mmxBinary((i, a, b) => i.pure("i8x16.shuffle", [a, b], mask), half === "low" ? 0 : 1);
};

/** Both operands side by side, narrowed. */
const pack = (name: PureOpName): Semantics =>
  mmxInstruction((i) => {
    const b = readMmx(i, 1);
    const both = i.pure("i64x2.replace_lane", [zeroExtend(i, readMmx(i, 0)), b], [1]);
    writeMmx(i, 0, quad(i, i.pure(name, [both, both]), 0));
  });

type Shape = "i16x8" | "i32x4" | "i64x2";
type Shift = "shl" | "shr_u" | "shr_s";

const shiftByRegister = (shape: Shape, kind: Shift): Semantics =>
  mmxInstruction((i) => {
    const count = readMmx(i, 1);
    writeMmx(i, 0, quad(i, shiftLanes(i, shape, kind, zeroExtend(i, readMmx(i, 0)), count), 0));
  });

const shiftByImmediate = (shape: Shape, kind: Shift): Semantics =>
  mmxInstruction((i) => {
    writeMmx(i, 0, quad(i, shiftLanes(i, shape, kind, zeroExtend(i, readMmx(i, 0)), immediate8(i)), 0));
  });

/** PSHUFW: word (imm8 >> 2n) & 3 for word n. */
const shuffleWords = mmxInstruction((i) => {
  const source = zeroExtend(i, readMmx(i, 1));
  const spread = i.pure("i16x8.mul", [
    i.pure("i16x8.splat", [i.narrow(immediate8(i))]),
    lanes(i, 16, [64, 16, 4, 1, 0, 0, 0, 0]),
  ]);
  const lane = i.pure("v128.and", [i.pure("i16x8.shr_u", [spread, i.i32(6)]), i.pure("i16x8.splat", [i.i32(3)])]);
  const scaled = i.pure("i16x8.mul", [lane, i.pure("i16x8.splat", [i.i32(0x0202)])]);
  const indices = i.pure("i16x8.add", [scaled, i.pure("i16x8.splat", [i.i32(0x0100)])]);
  writeMmx(i, 0, quad(i, i.pure("i8x16.swizzle", [source, indices]), 0));
});

// --- moves ---------------------------------------------------------------------------------------------------------------

const fromGeneral = mmxInstruction((i) => writeMmx(i, 0, i.read(1)));
const toGeneral = mmxInstruction((i) => {
  const value = i.readRegister("x87", selectorOf(i, 1), 8);
  i.write(0, i.mask(value, generalSize(i, 0)));
  enterMmx(i);
});
const load = mmxInstruction((i) => writeMmx(i, 0, readMmx(i, 1)));
const store = mmxInstruction((i) => {
  const value = i.readRegister("x87", selectorOf(i, 1), 8);
  if (i.isMemory(0)) {
    i.store(8, i.address(0), value);
    enterMmx(i);
  } else writeMmx(i, 0, value);
});

const moveMask = mmxInstruction((i) => {
  const mask = i.pure("i8x16.bitmask", [zeroExtend(i, i.readRegister("x87", selectorOf(i, 1), 8))]);
  i.write(0, i.widen(mask));
  enterMmx(i);
});

const extractWord = mmxInstruction((i) => {
  const value = i.readRegister("x87", selectorOf(i, 1), 8);
  const shift = i.shl(i.and(immediate8(i), i.i64(3)), i.i64(4));
  i.write(0, i.mask(i.shrU(value, shift), 2));
  enterMmx(i);
});

const insertWord = mmxInstruction((i) => {
  const word = i.mask(i.read(1), 2);
  const shift = i.shl(i.and(immediate8(i), i.i64(3)), i.i64(4));
  const hole = i.not(i.shl(i.i64(0xffff), shift));
  writeMmx(i, 0, i.or(i.and(readMmx(i, 0), hole), i.shl(word, shift)));
});

const maskedStore = mmxInstruction((i) => {
  const data = i.readRegister("x87", selectorOf(i, 0), 8);
  const mask = i.pure("i8x16.bitmask", [zeroExtend(i, i.readRegister("x87", selectorOf(i, 1), 8))]);
  i.callHelper("sseMaskedStore", [byteMaskAddress(i), data, i.i64(0), i.widen(mask)]);
  enterMmx(i);
});

const toVector = sseInstruction((i) => {
  requireMmx(i);
  const value = i.readRegister("x87", selectorOf(i, 1), 8);
  enterMmx(i);
  i.writeVector(0, zeroExtend(i, value));
});

const fromVector = sseInstruction((i) => {
  requireMmx(i);
  writeMmx(i, 0, i.readScalar(1, 8));
});

// --- conversions -----------------------------------------------------------------------------------------------------------

/** CVTPI2PS, CVTPI2PD: a memory source does not touch the x87 state. */
const fromIntegers = (convert: (i: InstructionBuilder, pair: Value) => void): Semantics =>
  sseInstruction((i) => {
    if (!i.isMemory(1)) requireMmx(i);
    const pair = readMmx(i, 1);
    if (!i.isMemory(1)) enterMmx(i);
    convert(i, pair);
  });

const integersToSingles = fromIntegers((i, pair) => {
  i.writeScalar(0, 8, i.callHelper("sse_pair_from_integer_f32", [pair]));
});

const integersToDoubles = fromIntegers((i, pair) => {
  i.writeVector(0, i.pure("f64x2.convert_low_i32x4_s", [zeroExtend(i, pair)]));
});

// The state is MMX even where the conversion then raises #XM.
const singlesToIntegers = (helper: string): Semantics =>
  sseInstruction((i) => {
    requireMmx(i);
    const source = i.readScalar(1, 8);
    enterMmx(i);
    writeMmx(i, 0, i.callHelper(helper, [source]));
  });

const doublesToIntegers = (helper: string): Semantics =>
  sseInstruction((i) => {
    requireMmx(i);
    const source = i.readVector(1, true);
    enterMmx(i);
    writeMmx(i, 0, i.callHelper(helper, [quad(i, source, 0), quad(i, source, 1)]));
  });

// --- rows --------------------------------------------------------------------------------------------------------------------

const packed = (mnemonic: string, opcode: string, semantics: Semantics, traits = MMX): InstructionRow =>
  row(mnemonic, `NP 0F ${opcode}`, "Pq,Qq", semantics, traits);

const shifts = (mnemonic: string, shape: Shape, kind: Shift, opcode: string, group: string): InstructionRow[] => [
  packed(mnemonic, opcode, shiftByRegister(shape, kind)),
  row(mnemonic, `NP 0F ${group}`, "Nq,Ib", shiftByImmediate(shape, kind), MMX),
];

export const MMX_ROWS: readonly InstructionRow[] = [
  row(
    "EMMS",
    "NP 0F 77",
    "",
    mmxInstruction((i) => enterMmx(i, TAG_EMPTY)),
    MMX,
  ),
  row("MOVD", "NP 0F 6E", "Pq,Ey", fromGeneral, MMX),
  row("MOVD", "NP 0F 7E", "Ey,Pq", toGeneral, MMX),
  row("MOVQ", "NP 0F 6F", "Pq,Qq", load, MMX),
  row("MOVQ", "NP 0F 7F", "Qq,Pq", store, MMX),
  row("MOVNTQ", "NP 0F E7", "Mq,Pq", store, MMX_SSE),
  row("MOVQ2DQ", "F3 0F D6", "Vdq,Nq", toVector, MMX_SSE2),
  row("MOVDQ2Q", "F2 0F D6", "Pq,Uq", fromVector, MMX_SSE2),
  row("PMOVMSKB", "NP 0F D7", "Gd,Nq", moveMask, MMX_SSE),
  row("PEXTRW", "NP 0F C5", "Gd,Nq,Ib", extractWord, MMX_SSE),
  row("PINSRW", "NP 0F C4", "Pq,Ew,Ib", insertWord, MMX_SSE),
  row("PSHUFW", "NP 0F 70", "Pq,Qq,Ib", shuffleWords, MMX_SSE),
  row("MASKMOVQ", "NP 0F F7", "Pq,Nq", maskedStore, { ...MMX_SSE, modal: true, addressSized: true }),
  row("CVTPI2PS", "NP 0F 2A", "Vps,Qq", integersToSingles, MMX_SSE),
  row("CVTPI2PD", "66 0F 2A", "Vpd,Qq", integersToDoubles, MMX_SSE2),
  row("CVTTPS2PI", "NP 0F 2C", "Pq,Wq", singlesToIntegers("sse_pair_truncate_f32"), MMX_SSE),
  row("CVTPS2PI", "NP 0F 2D", "Pq,Wq", singlesToIntegers("sse_pair_to_integer_f32"), MMX_SSE),
  row("CVTTPD2PI", "66 0F 2C", "Pq,Wpd", doublesToIntegers("sse_pair_truncate_f64"), MMX_SSE2),
  row("CVTPD2PI", "66 0F 2D", "Pq,Wpd", doublesToIntegers("sse_pair_to_integer_f64"), MMX_SSE2),

  row("PUNPCKLBW", "NP 0F 60", "Pq,Qd", unpack(1, "low"), MMX),
  row("PUNPCKLWD", "NP 0F 61", "Pq,Qd", unpack(2, "low"), MMX),
  row("PUNPCKLDQ", "NP 0F 62", "Pq,Qd", unpack(4, "low"), MMX),
  packed("PUNPCKHBW", "68", unpack(1, "high")),
  packed("PUNPCKHWD", "69", unpack(2, "high")),
  packed("PUNPCKHDQ", "6A", unpack(4, "high")),
  packed("PACKSSWB", "63", pack("i8x16.narrow_i16x8_s")),
  packed("PACKUSWB", "67", pack("i8x16.narrow_i16x8_u")),
  packed("PACKSSDW", "6B", pack("i16x8.narrow_i32x4_s")),
  packed("PADDB", "FC", single("i8x16.add")),
  packed("PADDW", "FD", single("i16x8.add")),
  packed("PADDD", "FE", single("i32x4.add")),
  packed("PADDQ", "D4", single("i64x2.add"), MMX_SSE2),
  packed("PADDSB", "EC", single("i8x16.add_sat_s")),
  packed("PADDSW", "ED", single("i16x8.add_sat_s")),
  packed("PADDUSB", "DC", single("i8x16.add_sat_u")),
  packed("PADDUSW", "DD", single("i16x8.add_sat_u")),
  packed("PSUBB", "F8", single("i8x16.sub")),
  packed("PSUBW", "F9", single("i16x8.sub")),
  packed("PSUBD", "FA", single("i32x4.sub")),
  packed("PSUBQ", "FB", single("i64x2.sub"), MMX_SSE2),
  packed("PSUBSB", "E8", single("i8x16.sub_sat_s")),
  packed("PSUBSW", "E9", single("i16x8.sub_sat_s")),
  packed("PSUBUSB", "D8", single("i8x16.sub_sat_u")),
  packed("PSUBUSW", "D9", single("i16x8.sub_sat_u")),
  packed("PMULLW", "D5", single("i16x8.mul")),
  packed("PMULHW", "E5", mmxBinary(high16("s"))),
  packed("PMULHUW", "E4", mmxBinary(high16("u")), MMX_SSE),
  packed("PMULUDQ", "F4", mmxBinary(multiplyEven32), MMX_SSE2),
  packed("PMADDWD", "F5", single("i32x4.dot_i16x8_s")),
  packed("PSADBW", "F6", mmxBinary(sumOfDifferences), MMX_SSE),
  packed("PAVGB", "E0", single("i8x16.avgr_u"), MMX_SSE),
  packed("PAVGW", "E3", single("i16x8.avgr_u"), MMX_SSE),
  packed("PMINUB", "DA", single("i8x16.min_u"), MMX_SSE),
  packed("PMAXUB", "DE", single("i8x16.max_u"), MMX_SSE),
  packed("PMINSW", "EA", single("i16x8.min_s"), MMX_SSE),
  packed("PMAXSW", "EE", single("i16x8.max_s"), MMX_SSE),
  packed("PCMPEQB", "74", single("i8x16.eq")),
  packed("PCMPEQW", "75", single("i16x8.eq")),
  packed("PCMPEQD", "76", single("i32x4.eq")),
  packed("PCMPGTB", "64", single("i8x16.gt_s")),
  packed("PCMPGTW", "65", single("i16x8.gt_s")),
  packed("PCMPGTD", "66", single("i32x4.gt_s")),
  packed("PAND", "DB", single("v128.and")),
  packed("POR", "EB", single("v128.or")),
  packed("PXOR", "EF", single("v128.xor")),
  packed("PANDN", "DF", mmxBinary(andNot)),
  ...shifts("PSRLW", "i16x8", "shr_u", "D1", "71 /2"),
  ...shifts("PSRAW", "i16x8", "shr_s", "E1", "71 /4"),
  ...shifts("PSLLW", "i16x8", "shl", "F1", "71 /6"),
  ...shifts("PSRLD", "i32x4", "shr_u", "D2", "72 /2"),
  ...shifts("PSRAD", "i32x4", "shr_s", "E2", "72 /4"),
  ...shifts("PSLLD", "i32x4", "shl", "F2", "72 /6"),
  ...shifts("PSRLQ", "i64x2", "shr_u", "D3", "73 /2"),
  ...shifts("PSLLQ", "i64x2", "shl", "F3", "73 /6"),
];
