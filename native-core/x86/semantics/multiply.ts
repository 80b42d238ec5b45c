// MUL, IMUL, DIV, IDIV.
import type { Size, Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { GPR } from "./registers.ts";

const DIVIDE_ERROR = 0;

/** CF = OF = the result does not fit the lower half; the other flags are undefined. */
function setOverflow(i: InstructionBuilder, low: Value, overflow: Value): void {
  const flag = i.widen(overflow);
  i.setFlags("shift", i.size, flag, flag, i.mask(low));
}

/** Writes a double-width product to AX or rDX:rAX. `high` is only read for sizes 2, 4 and 8. */
function writeProduct(i: InstructionBuilder, low: Value, high: Value): void {
  if (i.size === 1) {
    i.writeGeneral(GPR.RAX, low, 2);
  } else {
    i.writeGeneral(GPR.RAX, low);
    i.writeGeneral(GPR.RDX, high);
  }
}

const multiply: Semantics = (i) => {
  const a = i.readGeneral(GPR.RAX);
  const b = i.read(0);
  const low = i.mul(a, b);
  const high = i.size === 8 ? i.pure("i64.mul_high_u", [a, b]) : i.shrU(low, i.i64(i.bits));
  writeProduct(i, low, high);
  setOverflow(i, low, i.isNonZero(high));
};

/** The full signed product: exact in 64 bits below size 8; `overflow` when it does not fit the operand size. */
function signedProduct(i: InstructionBuilder, a: Value, b: Value): { low: Value; high: Value; overflow: Value } {
  const x = i.signExtend(a);
  const y = i.signExtend(b);
  const low = i.mul(x, y);
  if (i.size === 8) {
    const high = i.pure("i64.mul_high_s", [x, y]);
    return { low, high, overflow: i.ne(high, i.shrS(low, i.i64(63))) };
  }
  return { low, high: i.shrS(low, i.i64(i.bits)), overflow: i.ne(i.signExtend(low), low) };
}

const multiplySigned: Semantics = (i) => {
  const { low, high, overflow } = signedProduct(i, i.readGeneral(GPR.RAX), i.read(0));
  writeProduct(i, low, high);
  setOverflow(i, low, overflow);
};

const multiplySigned2: Semantics = (i) => {
  const { low, overflow } = signedProduct(i, i.read(0), i.read(1));
  i.write(0, low);
  setOverflow(i, low, overflow);
};

const multiplySigned3: Semantics = (i) => {
  const { low, overflow } = signedProduct(i, i.read(1), i.read(2));
  i.write(0, low);
  setOverflow(i, low, overflow);
};

function writeQuotient(i: InstructionBuilder, quotient: Value, remainder: Value): void {
  if (i.size === 1) {
    const low = i.mask(quotient, 1);
    i.writeGeneral(GPR.RAX, i.or(low, i.shl(i.mask(remainder, 1), i.i64(8))), 2);
  } else {
    i.writeGeneral(GPR.RAX, quotient);
    i.writeGeneral(GPR.RDX, remainder);
  }
}

/** AX, DX:AX or EDX:EAX as one value. */
function dividend(i: InstructionBuilder): Value {
  if (i.size === 1) return i.readGeneral(GPR.RAX, 2);
  return i.or(i.shl(i.readGeneral(GPR.RDX), i.i64(i.bits)), i.readGeneral(GPR.RAX));
}

const divide: Semantics = (i) => {
  const divisor = i.read(0);
  i.if(i.isZero(divisor), () => i.raise(DIVIDE_ERROR));
  if (i.size === 8) {
    // Mostly RDX is zero.
    i.if(
      i.isZero(i.readGeneral(GPR.RDX)),
      () => {
        const value = i.readGeneral(GPR.RAX);
        writeQuotient(i, i.pure("i64.div_u", [value, divisor]), i.pure("i64.rem_u", [value, divisor]));
      },
      () => {
        const [high, low] = [i.readGeneral(GPR.RDX), i.readGeneral(GPR.RAX)];
        i.if(i.pure("i64.ge_u", [high, divisor]), () => i.raise(DIVIDE_ERROR));
        const quotient = i.pure("i64.div_wide_u", [high, low, divisor]);
        writeQuotient(i, quotient, i.sub(low, i.mul(quotient, divisor)));
      },
    );
    return;
  }
  const value = dividend(i);
  const quotient = i.pure("i64.div_u", [value, divisor]);
  i.if(i.isNonZero(i.shrU(quotient, i.i64(i.bits))), () => i.raise(DIVIDE_ERROR));
  writeQuotient(i, quotient, i.pure("i64.rem_u", [value, divisor]));
};

const MINIMUM = -(1n << 63n);

const divideSigned: Semantics = (i) => {
  const divisor = i.signExtend(i.read(0));
  i.if(i.isZero(divisor), () => i.raise(DIVIDE_ERROR));
  if (i.size === 8) {
    const value = i.readGeneral(GPR.RAX);
    const small = i.eq(i.readGeneral(GPR.RDX), i.shrS(value, i.i64(63)));
    // MINIMUM / -1 would trap in Wasm; the helper raises #DE for it.
    const safe = i.ne(value, i.i64(MINIMUM));
    i.if(
      i.pure("i32.and", [small, safe]),
      () => writeQuotient(i, i.pure("i64.div_s", [value, divisor]), i.pure("i64.rem_s", [value, divisor])),
      () => i.callHelper("divideSigned128", [divisor]),
    );
    return;
  }
  const value = i.size === 4 ? dividend(i) : i.signExtend(dividend(i), (i.size * 2) as Size);
  if (i.size === 4) i.if(i.eq(value, i.i64(MINIMUM)), () => i.raise(DIVIDE_ERROR)); // its quotient never fits 32 bits
  const quotient = i.pure("i64.div_s", [value, divisor]);
  i.if(i.ne(i.signExtend(quotient), quotient), () => i.raise(DIVIDE_ERROR));
  writeQuotient(i, quotient, i.pure("i64.rem_s", [value, divisor]));
};

const MULTIPLIES: RowTraits = { writes: ["CF", "OF"], undefines: ["PF", "AF", "ZF", "SF"] };
const DIVIDES: RowTraits = { undefines: ["CF", "PF", "AF", "ZF", "SF", "OF"] };

export const MULTIPLY_ROWS: readonly InstructionRow[] = [
  row("MUL", "F6 /4", "Eb", multiply, MULTIPLIES),
  row("MUL", "F7 /4", "Ev", multiply, MULTIPLIES),
  row("IMUL", "F6 /5", "Eb", multiplySigned, MULTIPLIES),
  row("IMUL", "F7 /5", "Ev", multiplySigned, MULTIPLIES),
  row("IMUL", "0F AF", "Gv,Ev", multiplySigned2, MULTIPLIES),
  row("IMUL", "69", "Gv,Ev,Iz", multiplySigned3, MULTIPLIES),
  row("IMUL", "6B", "Gv,Ev,Ibs", multiplySigned3, MULTIPLIES),
  row("DIV", "F6 /6", "Eb", divide, DIVIDES),
  row("DIV", "F7 /6", "Ev", divide, DIVIDES),
  row("IDIV", "F6 /7", "Eb", divideSigned, DIVIDES),
  row("IDIV", "F7 /7", "Ev", divideSigned, DIVIDES),
];
