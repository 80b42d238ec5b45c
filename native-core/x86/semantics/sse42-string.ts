// SSE4.2 string compares: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM 1 4.1). Memory operands need not be aligned.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { GPR } from "./registers.ts";
import { immediate8, lanesOfBits, SSE42, sseInstruction, zeroExtend } from "./sse-common.ts";

const WORDS = 1;
/** ECX: the highest set bit; XMM0: a mask of whole elements. */
const OTHER_OUTPUT = 0x40;

/** Number of elements in front of the first that is zero. */
function implicitLength(i: InstructionBuilder, vector: Value, isWords: Value): Value {
  const position = (shape: "i8x16" | "i16x8", count: number): Value => {
    const zeros = i.pure(`${shape}.bitmask`, [i.pure(`${shape}.eq`, [vector, i.v128(0n)])]);
    return i.pure("i32.ctz", [i.pure("i32.or", [zeros, i.i32(1 << count)])]);
  };
  return i.pure("i32.select", [position("i16x8", 8), position("i8x16", 16), isWords]);
}

/** The absolute value of rAX or rDX, at most the number of elements. */
function explicitLength(i: InstructionBuilder, register: number, size: 4 | 8, count: Value): Value {
  const value = i.signExtend(i.readGeneral(register, size), size);
  const sign = i.shrS(value, i.i64(63));
  const magnitude = i.sub(i.xor(value, sign), sign);
  return i.narrow(i.select(i.ltU(magnitude, count), magnitude, count));
}

type Finish = (i: InstructionBuilder, bits: Value, count: Value) => void;

/** `size`: of the registers with the lengths; undefined where the strings end with a zero. */
const compare = (size: 4 | 8 | undefined, finish: Finish): Semantics =>
  sseInstruction((i) => {
    const second = i.readVector(1);
    const first = i.readVector(0);
    const control = immediate8(i);
    const isWords = i.narrow(i.and(control, i.i64(WORDS)));
    const count = i.select(isWords, i.i64(8), i.i64(16));
    const length = (vector: Value, register: number): Value =>
      size ? explicitLength(i, register, size, count) : implicitLength(i, vector, isWords);
    const firstLength = length(first, GPR.RAX);
    const secondLength = length(second, GPR.RDX);
    const operands = [first, second, firstLength, secondLength, i.narrow(control)];
    const bits = i.widen(i.pure("v128.compare_strings", operands));
    const flag = (condition: Value, position: number): Value => i.shl(i.widen(condition), i.i64(position));
    const ended = (length: Value): Value => i.ltU(i.widen(length), count);
    const flags = [
      flag(i.isNonZero(bits), 0), // CF
      flag(ended(secondLength), 6), // ZF
      flag(ended(firstLength), 7), // SF
      i.shl(i.and(bits, i.i64(1)), i.i64(11)), // OF
    ];
    finish(i, bits, count);
    i.writeArithmeticFlags(flags.reduce((a, b) => i.or(a, b)));
  });

/** The lowest (or highest) set bit, or the number of elements where there is none. */
function writeIndex(i: InstructionBuilder, bits: Value, count: Value): void {
  const highest = i.narrow(i.and(immediate8(i), i.i64(OTHER_OUTPUT)));
  const position = i.select(highest, i.sub(i.i64(63), i.pure("i64.clz", [bits])), i.pure("i64.ctz", [bits]));
  i.writeGeneral(GPR.RCX, i.select(i.isZero(bits), count, position), 4);
}

function writeMask(i: InstructionBuilder, bits: Value): void {
  const immediate = immediate8(i);
  const isWords = i.narrow(i.and(immediate, i.i64(WORDS)));
  const result = i.variable(zeroExtend(i, bits));
  i.if(i.narrow(i.and(immediate, i.i64(OTHER_OUTPUT))), () => {
    i.if(
      isWords,
      () => i.set(result, lanesOfBits(i, 16, bits)),
      () => i.set(result, byteMask(i, bits)),
    );
  });
  i.writeRegister("vector", { kind: "fixed", register: 0 }, 16, i.get(result));
  if (i.isVex) i.writeRegister("vector", { kind: "fixed", register: 0 }, 16, i.v128(0n), true);
}

/** Sixteen bits are two bytes: each is spread over eight lanes, of which each keeps one bit. */
function byteMask(i: InstructionBuilder, bits: Value): Value {
  const vector = zeroExtend(i, bits);
  const spread = i.pure("i8x16.shuffle", [vector, vector], [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
  const each = i.v128(0x8040_2010_0804_0201_8040_2010_0804_0201n);
  return i.pure("i8x16.eq", [i.pure("v128.and", [spread, each]), each]);
}

const STRING: RowTraits = { ...SSE42, writes: ["CF", "PF", "AF", "ZF", "SF", "OF"] };

// RAX and RDX count as a whole with REX.W only.
export const SSE42_STRING_ROWS: readonly InstructionRow[] = [
  row("PCMPESTRM", "66 0F 3A 60 W0", "Vdq,Wdq,Ib", compare(4, writeMask), STRING),
  row("PCMPESTRM", "66 0F 3A 60 W1", "Vdq,Wdq,Ib", compare(8, writeMask), { ...STRING, mode: "64" }),
  row("PCMPESTRI", "66 0F 3A 61 W0", "Vdq,Wdq,Ib", compare(4, writeIndex), STRING),
  row("PCMPESTRI", "66 0F 3A 61 W1", "Vdq,Wdq,Ib", compare(8, writeIndex), { ...STRING, mode: "64" }),
  row("PCMPISTRM", "66 0F 3A 62", "Vdq,Wdq,Ib", compare(undefined, writeMask), STRING),
  row("PCMPISTRI", "66 0F 3A 63", "Vdq,Wdq,Ib", compare(undefined, writeIndex), STRING),
];
