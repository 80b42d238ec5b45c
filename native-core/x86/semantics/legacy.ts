// Instructions that 64-bit code no longer has: BCD adjustments, BOUND, ARPL, SALC.

import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type ArithmeticFlag, type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { STATE } from "../state-layout.ts";
import { GPR } from "./registers.ts";

const or32 = (i: InstructionBuilder, a: Value, b: Value): Value => i.pure("i32.or", [a, b]);

/** DAA and DAS: 6 and 60h are added or subtracted where a nibble left the decimal range (SDM 2A, DAA). */
function decimalAdjust(add: boolean): Semantics {
  return (i) => {
    const old = i.readGeneral(GPR.RAX, 1);
    const carry = i.readFlag("CF");
    const lowAdjust = or32(i, i.ltU(i.i64(9), i.and(old, i.i64(15))), i.readFlag("AF"));
    const highAdjust = or32(i, i.ltU(i.i64(0x99), old), carry);
    const correction = i.or(i.select(lowAdjust, i.i64(6), i.i64(0)), i.select(highAdjust, i.i64(0x60), i.i64(0)));
    const sum = add ? i.add(old, correction) : i.sub(old, correction);
    const result = i.mask(sum, 1);
    i.writeGeneral(GPR.RAX, result, 1);
    // DAS also keeps a borrow of its first step.
    const borrow = add ? highAdjust : or32(i, highAdjust, i.pure("i32.and", [lowAdjust, i.ltU(old, i.i64(6))]));
    i.setFlags("logic", 1, old, correction, result);
    i.writeFlag("CF", borrow);
    i.writeFlag("AF", lowAdjust);
  };
}

/** AAA and AAS. */
function asciiAdjust(add: boolean): Semantics {
  return (i) => {
    const ax = i.readGeneral(GPR.RAX, 2);
    const adjust = or32(i, i.ltU(i.i64(9), i.and(ax, i.i64(15))), i.readFlag("AF"));
    const step = i.i64(0x106);
    const adjusted = i.select(adjust, add ? i.add(ax, step) : i.sub(ax, step), ax);
    const result = i.and(adjusted, i.i64(0xff0f));
    i.writeGeneral(GPR.RAX, result, 2);
    i.setFlags("logic", 1, ax, ax, i.mask(result, 1));
    i.writeFlag("CF", adjust);
    i.writeFlag("AF", adjust);
  };
}

const asciiAdjustMultiply: Semantics = (i) => {
  const base = i.read(0);
  i.if(i.isZero(base), () => i.raise(0));
  const al = i.readGeneral(GPR.RAX, 1);
  const low = i.pure("i64.rem_u", [al, base]);
  i.writeGeneral(GPR.RAX, i.or(i.shl(i.pure("i64.div_u", [al, base]), i.i64(8)), low), 2);
  i.setFlags("logic", 1, al, base, low);
};

const asciiAdjustDivide: Semantics = (i) => {
  const ax = i.readGeneral(GPR.RAX, 2);
  const low = i.mask(i.add(i.mul(i.shrU(ax, i.i64(8)), i.read(0)), ax), 1);
  i.writeGeneral(GPR.RAX, low, 2);
  i.setFlags("logic", 1, ax, ax, low);
};

const setCarryMask: Semantics = (i) => {
  i.writeGeneral(GPR.RAX, i.sub(i.i64(0), i.widen(i.readFlag("CF"))), 1);
};

const bound: Semantics = (i) => {
  const index = i.signExtend(i.read(0));
  const address = i.address(1);
  const lower = i.signExtend(i.load(i.size, address));
  const upper = i.signExtend(i.load(i.size, i.add(address, i.i64(i.size))));
  i.if(or32(i, i.ltS(index, lower), i.ltS(upper, index)), () => i.raise(5));
};

const adjustRpl: Semantics = (i) => {
  const virtual8086 = i.isNonZero(i.and(i.readState(STATE.systemFlags), i.i64(0x2_0000)));
  const real = i.isZero(i.and(i.readState(STATE.cr0), i.i64(1)));
  i.if(or32(i, virtual8086, real), () => i.raise(6));
  // Written only where it changes: a read-only operand may stay as it is.
  const selector = i.read(0);
  const rpl = i.and(i.read(1), i.i64(3));
  const lower = i.ltU(i.and(selector, i.i64(3)), rpl);
  i.if(lower, () => i.write(0, i.or(i.and(selector, i.i64(0xfffc)), rpl)));
  i.writeFlag("ZF", lower);
};

const ALL: readonly ArithmeticFlag[] = ["CF", "PF", "AF", "ZF", "SF", "OF"];
const ADJUSTS: RowTraits = { mode: "legacy", cold: true, reads: ["CF", "AF"], writes: ALL, undefines: ["OF"] };
const ASCII: RowTraits = { ...ADJUSTS, undefines: ["OF", "SF", "ZF", "PF"] };
const BASED: RowTraits = { mode: "legacy", cold: true, writes: ALL, undefines: ["OF", "AF", "CF"] };

export const LEGACY_ROWS: readonly InstructionRow[] = [
  row("DAA", "27", "", decimalAdjust(true), ADJUSTS),
  row("DAS", "2F", "", decimalAdjust(false), ADJUSTS),
  row("AAA", "37", "", asciiAdjust(true), ASCII),
  row("AAS", "3F", "", asciiAdjust(false), ASCII),
  row("AAM", "D4", "Ib", asciiAdjustMultiply, BASED),
  row("AAD", "D5", "Ib", asciiAdjustDivide, BASED),
  row("SALC", "D6", "", setCarryMask, { mode: "legacy", cold: true, reads: ["CF"] }),
  row("BOUND", "62", "Gv,M", bound, { mode: "legacy", cold: true }),
  row("ARPL", "63", "Ew,Gw", adjustRpl, { mode: "legacy", cold: true, writes: ["ZF"], system: true }),
];
