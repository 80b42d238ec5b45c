// Shifts and rotates: SHL SHR SAR ROL ROR RCL RCR SHLD SHRD. A masked count of zero changes no flag.

import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";

interface Shifted {
  readonly result: Value;
  /** Last bit shifted out, i64 0 or 1. */
  readonly carry: Value;
  /** As the processor defines it for a count of 1, i64 0 or 1. */
  readonly overflow: Value;
}

type Shift = (i: InstructionBuilder, a: Value, count: Value) => Shifted;

function bit(i: InstructionBuilder, a: Value, n: Value): Value {
  return i.and(i.shrU(a, n), i.i64(1));
}

function topBit(i: InstructionBuilder, a: Value, below = 0): Value {
  return bit(i, a, i.i64(i.bits - 1 - below));
}

/**
 * Runs `body` unless the count is zero. Rows with an immediate count are never decoded with zero (ZERO_COUNT) and the `D0`/`D1` forms
 * count 1, so only CL is looked at.
 */
function unlessZero(i: InstructionBuilder, countOperand: number, count: Value, body: () => void): void {
  if (i.operand(countOperand).kind === "general") i.if(i.isNonZero(count), body);
  else body();
}

function maskedCount(i: InstructionBuilder, operand: number): Value {
  return i.and(i.read(operand), i.i64(i.size === 8 ? 63 : 31));
}

/** `rotate`: only CF and OF change. */
function shift(compute: Shift, rotate = false): Semantics {
  return (i) => {
    const a = i.readForWrite(0);
    const count = maskedCount(i, 1);
    const { result, carry, overflow } = compute(i, a, count);
    i.write(0, result);
    unlessZero(i, 1, count, () => {
      if (!rotate) i.setFlags("shift", i.size, carry, overflow, result);
      else {
        i.writeFlag("CF", i.narrow(carry));
        i.writeFlag("OF", i.narrow(overflow));
      }
    });
  };
}

const shiftLeft: Shift = (i, a, count) => {
  const wide = i.shl(a, count);
  const result = i.mask(wide);
  const carry = i.size === 8 ? bit(i, a, i.sub(i.i64(64), count)) : bit(i, wide, i.i64(i.bits));
  return { result, carry, overflow: i.xor(carry, topBit(i, result)) };
};

const shiftRight: Shift = (i, a, count) => ({
  result: i.shrU(a, count),
  carry: bit(i, a, i.sub(count, i.i64(1))),
  overflow: topBit(i, a),
});

const shiftRightSigned: Shift = (i, a, count) => {
  const signed = i.signExtend(a);
  const carry = i.and(i.shrS(signed, i.sub(count, i.i64(1))), i.i64(1));
  return { result: i.mask(i.shrS(signed, count)), carry, overflow: i.i64(0) };
};

const rotateLeft: Shift = (i, a, count) => {
  let result: Value;
  if (i.size === 8) result = i.pure("i64.rotl", [a, count]);
  else {
    const n = i.and(count, i.i64(i.bits - 1));
    result = i.mask(i.or(i.shl(a, n), i.shrU(a, i.sub(i.i64(i.bits), n))));
  }
  const carry = bit(i, result, i.i64(0));
  return { result, carry, overflow: i.xor(carry, topBit(i, result)) };
};

const rotateRight: Shift = (i, a, count) => {
  let result: Value;
  if (i.size === 8) result = i.pure("i64.rotr", [a, count]);
  else {
    const n = i.and(count, i.i64(i.bits - 1));
    result = i.mask(i.or(i.shrU(a, n), i.shl(a, i.sub(i.i64(i.bits), n))));
  }
  const carry = topBit(i, result);
  return { result, carry, overflow: i.xor(carry, topBit(i, result, 1)) };
};

/** Below 64 bits: CF and the operand as one ring of bits + 1 bits, rotated left. */
function rotateRing(i: InstructionBuilder, a: Value, left: Value): { result: Value; carry: Value } {
  const ring = i.or(a, i.shl(i.widen(i.readFlag("CF")), i.i64(i.bits)));
  const rotated = i.or(i.shl(ring, left), i.shrU(ring, i.sub(i.i64(i.bits + 1), left)));
  return { result: i.mask(rotated), carry: bit(i, rotated, i.i64(i.bits)) };
}

/** Counts of 8- and 16-bit rotates through carry are taken modulo 9 and 17 (SDM 2B, RCL). */
function ringCount(i: InstructionBuilder, count: Value): Value {
  return i.size >= 4 ? count : i.pure("i64.rem_u", [count, i.i64(i.bits + 1)]);
}

const rotateLeftThroughCarry: Shift = (i, a, count) => {
  if (i.size === 8) {
    const carryIn = i.widen(i.readFlag("CF"));
    // Shifts by 65 - count and by count - 1 are split so that a Wasm shift count stays below 64; count 0 is sorted out at the end.
    const high = i.or(i.shl(a, count), i.shl(carryIn, i.sub(count, i.i64(1))));
    const low = i.shrU(i.shrU(a, i.i64(1)), i.sub(i.i64(64), count));
    const result = i.select(i.isZero(count), a, i.or(high, low));
    const carry = bit(i, a, i.sub(i.i64(64), count));
    return { result, carry, overflow: i.xor(carry, topBit(i, result)) };
  }
  const { result, carry } = rotateRing(i, a, ringCount(i, count));
  return { result, carry, overflow: i.xor(carry, topBit(i, result)) };
};

const rotateRightThroughCarry: Shift = (i, a, count) => {
  if (i.size === 8) {
    const carryIn = i.widen(i.readFlag("CF"));
    const left = i.sub(i.i64(64), count);
    const high = i.or(i.shl(carryIn, left), i.shl(i.shl(a, i.i64(1)), left));
    const result = i.select(i.isZero(count), a, i.or(i.shrU(a, count), high));
    const carry = bit(i, a, i.sub(count, i.i64(1)));
    return { result, carry, overflow: i.xor(topBit(i, result), topBit(i, result, 1)) };
  }
  const { result, carry } = rotateRing(i, a, i.sub(i.i64(i.bits + 1), ringCount(i, count)));
  return { result, carry, overflow: i.xor(topBit(i, result), topBit(i, result, 1)) };
};

/**
 * `high` and `low` as one value. With 16-bit operands a count may exceed the size: the result is undefined, but processors go on with
 * another copy of the source, `b`, and so does this.
 */
function joined(i: InstructionBuilder, high: Value, low: Value, b: Value, left: boolean): Value {
  const bits = i.i64(i.bits);
  const pair = i.or(i.shl(high, bits), low);
  if (i.size !== 2) return pair;
  return left ? i.or(i.shl(pair, bits), b) : i.or(i.shl(b, i.i64(2 * i.bits)), pair);
}

const shiftLeftDouble: Semantics = (i) => {
  const a = i.readForWrite(0);
  const b = i.read(1);
  const count = maskedCount(i, 2);
  const bits = i.i64(i.bits);
  const result =
    i.size === 8
      ? i.or(i.shl(a, count), i.shrU(i.shrU(b, i.i64(1)), i.sub(i.i64(63), count)))
      : i.mask(i.shrU(i.shl(joined(i, a, b, b, true), count), i.i64(32)));
  i.write(0, result);
  unlessZero(i, 2, count, () => {
    i.setFlags("shift", i.size, bit(i, a, i.sub(bits, count)), i.xor(topBit(i, a), topBit(i, result)), result);
  });
};

const shiftRightDouble: Semantics = (i) => {
  const a = i.readForWrite(0);
  const b = i.read(1);
  const count = maskedCount(i, 2);
  const result =
    i.size === 8
      ? i.or(i.shrU(a, count), i.shl(i.shl(b, i.i64(1)), i.sub(i.i64(63), count)))
      : i.mask(i.shrU(joined(i, b, a, b, false), count));
  i.write(0, result);
  unlessZero(i, 2, count, () => {
    i.setFlags("shift", i.size, bit(i, a, i.sub(count, i.i64(1))), i.xor(topBit(i, a), topBit(i, result)), result);
  });
};

/** A masked count of zero changes no flag; the destination is written all the same (a 32-bit register is zero-extended). */
const ZERO_COUNT: Semantics = (i) => i.write(0, i.readForWrite(0));

const SHIFTS: RowTraits = { writes: ["CF", "PF", "ZF", "SF", "OF"], undefines: ["AF", "OF"] };
const ROTATES: RowTraits = { writes: ["CF", "OF"], undefines: ["OF"] };
const ROTATES_CARRY: RowTraits = { ...ROTATES, reads: ["CF"] };

const SHL = shift(shiftLeft);

/** Operations of opcodes C0, C1, D0..D3 by /reg. */
const OPERATIONS: readonly (readonly [string, Semantics, RowTraits])[] = [
  ["ROL", shift(rotateLeft, true), ROTATES],
  ["ROR", shift(rotateRight, true), ROTATES],
  ["RCL", shift(rotateLeftThroughCarry, true), ROTATES_CARRY],
  ["RCR", shift(rotateRightThroughCarry, true), ROTATES_CARRY],
  ["SHL", SHL, SHIFTS],
  ["SHR", shift(shiftRight), SHIFTS],
  ["SHL", SHL, SHIFTS], // undocumented alias
  ["SAR", shift(shiftRightSigned), SHIFTS],
];

const DOUBLE_SHIFTS: RowTraits = { ...SHIFTS, undefines: ["CF", "AF", "OF"] };

export const SHIFT_ROWS: readonly InstructionRow[] = [
  ...OPERATIONS.flatMap(([mnemonic, semantics, traits], n) => [
    row(mnemonic, `C0 /${n}`, "Eb,Ib", semantics, { ...traits, zeroCount: ZERO_COUNT }),
    row(mnemonic, `C1 /${n}`, "Ev,Ib", semantics, { ...traits, zeroCount: ZERO_COUNT }),
    row(mnemonic, `D0 /${n}`, "Eb,1", semantics, { ...traits, undefines: traits === SHIFTS ? ["AF"] : [] }),
    row(mnemonic, `D1 /${n}`, "Ev,1", semantics, { ...traits, undefines: traits === SHIFTS ? ["AF"] : [] }),
    row(mnemonic, `D2 /${n}`, "Eb,CL", semantics, traits),
    row(mnemonic, `D3 /${n}`, "Ev,CL", semantics, traits),
  ]),
  row("SHLD", "0F A4", "Ev,Gv,Ib", shiftLeftDouble, { ...DOUBLE_SHIFTS, zeroCount: ZERO_COUNT }),
  row("SHLD", "0F A5", "Ev,Gv,CL", shiftLeftDouble, DOUBLE_SHIFTS),
  row("SHRD", "0F AC", "Ev,Gv,Ib", shiftRightDouble, { ...DOUBLE_SHIFTS, zeroCount: ZERO_COUNT }),
  row("SHRD", "0F AD", "Ev,Gv,CL", shiftRightDouble, DOUBLE_SHIFTS),
];
