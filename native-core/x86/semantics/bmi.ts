// BMI1 and BMI2: bit manipulation on general registers in VEX encodings. They do not depend on the state of vector registers, only on
// protected mode (VEX does not exist in real and virtual-8086 mode). TZCNT is in bit-count.ts.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { VECTOR } from "../registers.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { AVX_BLOCKED, STATE } from "../state-layout.ts";
import { immediate8 } from "./sse-common.ts";

const RDX = 2;

/** Outside 64-bit code the mode may be one without VEX. */
function bmi(body: Semantics): Semantics {
  return (i) => {
    if (i.form.mode === "legacy") {
      const missing = i.and(i.readState(STATE.avxBlocked), i.i64(AVX_BLOCKED.NO_VEX));
      i.if(i.isNonZero(missing), () => i.raise(VECTOR.UD));
    }
    body(i);
  };
}

/** ZF and SF of the result, CF as given (i64 0 or 1), OF clear. */
function setResultFlags(i: InstructionBuilder, result: Value, carry: Value): void {
  i.setFlags("shift", i.size, carry, i.i64(0), i.mask(result));
}

const andNot = bmi((i) => {
  const result = i.and(i.not(i.read(1)), i.read(2));
  i.write(0, result);
  i.setFlags("logic", i.size, i.i64(0), i.i64(0), i.mask(result));
});

/** Operations on the lowest set bit. `carryIfZero`: CF says that the source is zero, otherwise that it is not. */
const lowestBit = (
  carryIfZero: boolean,
  operation: (i: InstructionBuilder, source: Value, less: Value) => Value,
): Semantics =>
  bmi((i) => {
    const source = i.read(1);
    const result = i.mask(operation(i, source, i.sub(source, i.i64(1))));
    i.write(0, result);
    setResultFlags(i, result, i.widen(carryIfZero ? i.isZero(source) : i.isNonZero(source)));
  });

/** Bits start .. start + length - 1 of the source; both counts are bytes of the control and may exceed the operand. */
const extractField = bmi((i) => {
  const source = i.read(1);
  const control = i.read(2);
  const start = i.and(control, i.i64(0xff));
  const length = i.and(i.shrU(control, i.i64(8)), i.i64(0xff));
  const shifted = i.select(i.ltU(start, i.i64(i.bits)), i.shrU(source, start), i.i64(0));
  const result = i.and(shifted, lowMask(i, length));
  i.write(0, result);
  setResultFlags(i, result, i.i64(0));
});

/** 2^count - 1 for counts below 64, else all ones. */
function lowMask(i: InstructionBuilder, count: Value): Value {
  const mask = i.sub(i.shl(i.i64(1), count), i.i64(1));
  return i.select(i.ltU(count, i.i64(64)), mask, i.i64(-1));
}

/** Clears bits from the index in the low byte of operand 2; CF: the index is beyond the operand. */
const zeroHigh = bmi((i) => {
  const source = i.read(1);
  const index = i.and(i.read(2), i.i64(0xff));
  const result = i.and(source, lowMask(i, index));
  i.write(0, result);
  setResultFlags(i, result, i.widen(i.ltU(i.i64(i.bits - 1), index)));
});

/** Product of RDX and the source; the high half is written last, so it stays where both destinations are one. */
const multiply = bmi((i) => {
  const source = i.read(2);
  const factor = i.readGeneral(RDX);
  const low = i.mul(factor, source);
  const high = i.size === 8 ? i.pure("i64.mul_high_u", [factor, source]) : i.shrU(low, i.i64(32));
  i.write(1, low);
  i.write(0, high);
});

const rotateRight = bmi((i) => {
  const source = i.read(1);
  const count = i.and(immediate8(i), i.i64(i.bits - 1));
  if (i.size === 8) i.write(0, i.pure("i64.rotr", [source, count]));
  else i.write(0, i.widen(i.pure("i32.rotr", [i.narrow(source), i.narrow(count)])));
});

const shift = (kind: "shl" | "shrU" | "shrS"): Semantics =>
  bmi((i) => {
    const source = i.read(1);
    const count = i.and(i.read(2), i.i64(i.bits - 1));
    i.write(0, i[kind](kind === "shrS" ? i.signExtend(source) : source, count));
  });

// --- PDEP, PEXT ------------------------------------------------------------------------------------------------------------

/**
 * For each of six steps the mask bits that move down by 2^n places, so that all end up together at the bottom: the parallel suffix of
 * zeros below each bit tells how far it has to go (Warren, Hacker's Delight 7-4). Yields the moves.
 */
function compressionMoves(i: InstructionBuilder, mask: Value): Value[] {
  const moves: Value[] = [];
  let m = mask;
  let zeros = i.shl(i.not(mask), i.i64(1));
  for (let step = 0; step < 6; step++) {
    let parity = zeros;
    for (const distance of [1, 2, 4, 8, 16, 32]) parity = kept(i, i.xor(parity, i.shl(parity, i.i64(distance))));
    const move = kept(i, i.and(parity, m));
    moves.push(move);
    m = kept(i, i.or(i.xor(m, move), i.shrU(move, i.i64(1 << step))));
    zeros = kept(i, i.and(zeros, i.not(parity)));
  }
  return moves;
}

/** A value in a variable: passes look at expressions as trees, in which a chain of values that are each used twice doubles at every link. */
const kept = (i: InstructionBuilder, value: Value): Value => i.get(i.variable(value));

const extractBits = bmi((i) => {
  const mask = i.read(2);
  let x = i.and(i.read(1), mask);
  compressionMoves(i, mask).forEach((move, step) => {
    const moved = i.and(x, move);
    x = kept(i, i.or(i.xor(x, moved), i.shrU(moved, i.i64(1 << step))));
  });
  i.write(0, x);
});

const depositBits = bmi((i) => {
  const mask = i.read(2);
  let x = i.read(1);
  for (const [step, move] of [...compressionMoves(i, mask).entries()].reverse()) {
    const moved = i.shl(x, i.i64(1 << step));
    x = kept(i, i.or(i.and(x, i.not(move)), i.and(moved, move)));
  }
  i.write(0, i.and(x, mask));
});

const BMI1: RowTraits = { feature: "bmi1", modal: true };
const BMI2: RowTraits = { feature: "bmi2", modal: true };
const ALL: RowTraits = { writes: ["CF", "ZF", "SF", "OF"], undefines: ["AF", "PF"] };

export const BMI_ROWS: readonly InstructionRow[] = [
  row("ANDN", "VEX.LZ.0F38 F2", "Gy,By,Ey", andNot, { ...BMI1, ...ALL }),
  row(
    "BLSR",
    "VEX.LZ.0F38 F3 /1",
    "By,Ey",
    lowestBit(true, (i, source, less) => i.and(source, less)),
    { ...BMI1, ...ALL },
  ),
  row(
    "BLSMSK",
    "VEX.LZ.0F38 F3 /2",
    "By,Ey",
    lowestBit(true, (i, source, less) => i.xor(source, less)),
    { ...BMI1, ...ALL },
  ),
  row(
    "BLSI",
    "VEX.LZ.0F38 F3 /3",
    "By,Ey",
    lowestBit(false, (i, source, less) => i.and(source, i.not(less))),
    { ...BMI1, ...ALL },
  ),
  row("BEXTR", "VEX.LZ.0F38 F7", "Gy,Ey,By", extractField, {
    ...BMI1,
    writes: ["CF", "ZF", "OF"],
    undefines: ["AF", "PF", "SF"],
  }),
  row("BZHI", "VEX.LZ.0F38 F5", "Gy,Ey,By", zeroHigh, { ...BMI2, ...ALL }),
  row("PDEP", "VEX.LZ.F2.0F38 F5", "Gy,By,Ey", depositBits, BMI2),
  row("PEXT", "VEX.LZ.F3.0F38 F5", "Gy,By,Ey", extractBits, BMI2),
  row("MULX", "VEX.LZ.F2.0F38 F6", "Gy,By,Ey", multiply, BMI2),
  row("RORX", "VEX.LZ.F2.0F3A F0", "Gy,Ey,Ib", rotateRight, BMI2),
  row("SHLX", "VEX.LZ.66.0F38 F7", "Gy,Ey,By", shift("shl"), BMI2),
  row("SHRX", "VEX.LZ.F2.0F38 F7", "Gy,Ey,By", shift("shrU"), BMI2),
  row("SARX", "VEX.LZ.F3.0F38 F7", "Gy,Ey,By", shift("shrS"), BMI2),
];
