// POPCNT, LZCNT, TZCNT. The last two are BSR and BSF with an F3 prefix, and that is what processors without them execute.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { setZeroAndCarry } from "./sse41-integer.ts";

const populationCount: Semantics = (i) => {
  const source = i.read(1);
  i.write(0, i.pure("i64.popcnt", [source]));
  setZeroAndCarry(i, i.isNonZero(source), i.i64(0));
};

/** CF: the source is zero, the count then the operand size. ZF: the count is zero. */
const zeroCount =
  (count: (i: InstructionBuilder, source: Value) => Value): Semantics =>
  (i) => {
    const source = i.read(1);
    const result = count(i, source);
    i.write(0, result);
    i.setFlags("shift", i.size, i.widen(i.isZero(source)), i.i64(0), result);
  };

const leadingZeros = zeroCount((i, source) => i.sub(i.pure("i64.clz", [source]), i.i64(64 - i.bits)));

/** A bit just above a narrow operand ends the count there. */
const trailingZeros = zeroCount((i, source) =>
  i.pure("i64.ctz", [i.size === 8 ? source : i.or(source, i.i64(1n << BigInt(i.bits)))]),
);

const COUNTS: RowTraits = { writes: ["CF", "ZF"], undefines: ["PF", "AF", "SF", "OF"] };

export const BIT_COUNT_ROWS: readonly InstructionRow[] = [
  row("POPCNT", "F3 0F B8", "Gv,Ev", populationCount, {
    feature: "popcnt",
    writes: ["CF", "PF", "AF", "ZF", "SF", "OF"],
  }),
  row("TZCNT", "F3 0F BC", "Gv,Ev", trailingZeros, { ...COUNTS, feature: "bmi1" }),
  row("LZCNT", "F3 0F BD", "Gv,Ev", leadingZeros, { ...COUNTS, feature: "lzcnt" }),
];
