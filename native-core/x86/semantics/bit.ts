// Bit tests and scans: BT BTS BTR BTC BSF BSR, and BSWAP.
import type { Size, Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";

type Change = (i: InstructionBuilder, a: Value, bit: Value) => Value;

/** Without `change` (BT) nothing is written. */
function bitTest(change?: Change): Semantics {
  return (i) => {
    const offset = i.read(1);
    const isString = i.isMemory(0) && i.operand(1).kind === "general";
    const address = isString ? bitStringAddress(i, offset) : undefined;
    const size = i.size as Size;
    const a = address ? i.load(size, address, change !== undefined) : change ? i.readForWrite(0) : i.read(0);
    const n = i.and(offset, i.i64(i.bits - 1));
    const carry = i.narrow(i.and(i.shrU(a, n), i.i64(1)));
    if (change) {
      const result = change(i, a, i.shl(i.i64(1), n));
      if (address) i.store(size, address, result);
      else i.write(0, result);
    }
    i.writeFlag("CF", carry);
  };
}

/** A bit offset in a register is signed and reaches beyond the operand: the operand-sized unit that holds the bit (SDM 2A, BT). */
function bitStringAddress(i: InstructionBuilder, offset: Value): Value {
  const log2Bits = 31 - Math.clz32(i.bits);
  const unit = i.shrS(i.signExtend(offset), i.i64(log2Bits));
  return i.add(i.address(0), i.shl(unit, i.i64(log2Bits - 3)));
}

/** A zero source leaves the destination as it was, as processors do; only ZF is defined. */
function bitScan(position: (i: InstructionBuilder, source: Value) => Value): Semantics {
  return (i) => {
    const source = i.read(1);
    i.if(i.isNonZero(source), () => i.write(0, position(i, source)));
    i.setFlags("logic", i.size, source, source, source);
  };
}

const scanForward = bitScan((i, source) => i.pure("i64.ctz", [source]));
const scanReverse = bitScan((i, source) => i.sub(i.i64(63), i.pure("i64.clz", [source])));

export function swapBytes64(i: InstructionBuilder, a: Value): Value {
  const swap = (value: Value, mask: bigint, bits: number): Value => {
    const low = i.shl(i.and(value, i.i64(mask)), i.i64(bits));
    return i.or(low, i.and(i.shrU(value, i.i64(bits)), i.i64(mask)));
  };
  return i.pure("i64.rotl", [swap(swap(a, 0x00ff_00ff_00ff_00ffn, 8), 0x0000_ffff_0000_ffffn, 16), i.i64(32)]);
}

/** With a 16-bit operand the result is undefined; processors yield zero. */
const byteSwap: Semantics = (i) => {
  const swapped = swapBytes64(i, i.read(0));
  if (i.size === 2) i.write(0, i.i64(0));
  else i.write(0, i.size === 8 ? swapped : i.shrU(swapped, i.i64(32)));
};

const TESTS: RowTraits = { writes: ["CF"], undefines: ["PF", "AF", "SF", "OF"] };
const CHANGES: RowTraits = { ...TESTS, lockable: true };
const SCANS: RowTraits = { writes: ["ZF"], undefines: ["CF", "PF", "AF", "SF", "OF"] };

const test = bitTest();
const set = bitTest((i, a, bit) => i.or(a, bit));
const reset = bitTest((i, a, bit) => i.and(a, i.not(bit)));
const complement = bitTest((i, a, bit) => i.xor(a, bit));

export const BIT_ROWS: readonly InstructionRow[] = [
  row("BT", "0F A3", "Ev,Gv", test, TESTS),
  row("BTS", "0F AB", "Ev,Gv", set, CHANGES),
  row("BTR", "0F B3", "Ev,Gv", reset, CHANGES),
  row("BTC", "0F BB", "Ev,Gv", complement, CHANGES),
  row("BT", "0F BA /4", "Ev,Ib", test, TESTS),
  row("BTS", "0F BA /5", "Ev,Ib", set, CHANGES),
  row("BTR", "0F BA /6", "Ev,Ib", reset, CHANGES),
  row("BTC", "0F BA /7", "Ev,Ib", complement, CHANGES),
  row("BSF", "0F BC", "Gv,Ev", scanForward, SCANS),
  row("BSR", "0F BD", "Gv,Ev", scanReverse, SCANS),
  row("BSWAP", "0F C8+r", "Zv", byteSwap),
];
