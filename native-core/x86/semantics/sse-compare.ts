// SSE and SSE2 float compares: CMPxx with its eight predicates, COMIxx and UCOMIxx. NaN and denormal operands go to helpers (flags).
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { immediate8, quad, SSE, SSE2, sseInstruction } from "./sse-common.ts";
import {
  allLanes,
  and32,
  BYTES,
  defaultControl,
  type FloatType,
  isOrdinary,
  lanesAnd,
  lanesOrdinary,
  readMxcsr,
  registerNumber,
  SHAPE,
  toFloat,
} from "./sse-float.ts";

/** i64 -1 where `bit` (i64) is non-zero, else 0. */
function maskOf(i: InstructionBuilder, bit: Value): Value {
  return i.select(i.isNonZero(bit), i.i64(-1), i.i64(0));
}

/**
 * The predicate of imm8 bits 1:0 (EQ, LT, LE, UNORD) as which of "equal" and "less" counts, and bit 2 as inversion; operands are ordered here.
 * Legacy encodings ignore bits 7:3.
 */
function predicate(i: InstructionBuilder): { equal: Value; less: Value; invert: Value } {
  const immediate = immediate8(i);
  const low = i.and(immediate, i.i64(3));
  const isEqualOrLessEqual = i.and(i.not(low), i.i64(1)); // 0 and 2
  const isLess = i.and(i.xor(low, i.shrU(low, i.i64(1))), i.i64(1)); // 1 and 2
  return {
    equal: maskOf(i, isEqualOrLessEqual),
    less: maskOf(i, isLess),
    invert: maskOf(i, i.and(immediate, i.i64(4))),
  };
}

const compareScalar = (type: FloatType): Semantics =>
  sseInstruction((i) => {
    const bBits = i.readScalar(1, BYTES[type]);
    const aBits = i.readScalar(0, BYTES[type]);
    const a = toFloat(i, type, aBits);
    const b = toFloat(i, type, bBits);
    const plain = and32(i, defaultControl(i, readMxcsr(i)), isOrdinary(i, type, a), isOrdinary(i, type, b));
    const { equal, less, invert } = predicate(i);
    const extend = (condition: Value): Value => i.sub(i.i64(0), i.widen(condition));
    const isEqual = i.and(extend(i.pure(`${type}.eq`, [a, b])), equal);
    const isLess = i.and(extend(i.pure(`${type}.lt`, [a, b])), less);
    const result = i.variable(i.xor(i.or(isEqual, isLess), invert));
    i.if(i.pure("i32.eqz", [plain]), () => {
      i.set(result, i.callHelper(`sse_cmp_${type}`, [aBits, bBits, immediate8(i)]));
    });
    i.writeScalar(0, BYTES[type], i.mask(i.get(result), BYTES[type]));
  });

const comparePacked = (type: FloatType): Semantics =>
  sseInstruction((i) => {
    const shape = SHAPE[type];
    const b = i.readVector(1, true);
    const a = i.readVector(0);
    const ordinary = allLanes(i, type, lanesAnd(i, lanesOrdinary(i, type, a), lanesOrdinary(i, type, b)));
    i.if(
      and32(i, defaultControl(i, readMxcsr(i)), ordinary),
      () => {
        const { equal, less, invert } = predicate(i);
        const all = (mask: Value): Value => i.pure("i64x2.splat", [mask]);
        const isEqual = i.pure("v128.and", [i.pure(`${shape}.eq`, [a, b]), all(equal)]);
        const isLess = i.pure("v128.and", [i.pure(`${shape}.lt`, [a, b]), all(less)]);
        i.writeVector(0, i.pure("v128.xor", [i.pure("v128.or", [isEqual, isLess]), all(invert)]));
      },
      () => {
        i.callHelper(`sse_packed_cmp_${type}`, [registerNumber(i, 0), quad(i, b, 0), quad(i, b, 1), immediate8(i)]);
      },
    );
  });

/** ZF PF CF: 000 above, 001 below, 100 equal, 111 unordered; OF SF AF cleared. COMIxx signals IE for quiet NaNs too. */
const compareToFlags = (type: FloatType, signalling: boolean): Semantics =>
  sseInstruction((i) => {
    const bBits = i.readScalar(1, BYTES[type]);
    const aBits = i.readScalar(0, BYTES[type]);
    const a = toFloat(i, type, aBits);
    const b = toFloat(i, type, bBits);
    const plain = and32(i, defaultControl(i, readMxcsr(i)), isOrdinary(i, type, a), isOrdinary(i, type, b));
    const equal = i.pure(`${type}.eq`, [a, b]);
    i.if(
      plain,
      () => {
        // A lazy result of 0 or 1 stands for ZF; only the parity of 0 has to be corrected.
        const less = i.widen(i.pure(`${type}.lt`, [a, b]));
        i.setFlags("shift", 8, less, i.i64(0), i.widen(i.pure("i32.eqz", [equal])));
        i.if(equal, () => i.writeFlag("PF", i.i32(0)));
      },
      () => i.writeArithmeticFlags(i.callHelper(`sse_${signalling ? "comi" : "ucomi"}_${type}`, [aBits, bBits])),
    );
  });

const FLAGS: RowTraits = { writes: ["CF", "PF", "AF", "ZF", "SF", "OF"] };

export const SSE_COMPARE_ROWS: readonly InstructionRow[] = [
  row("CMPPS", "NP 0F C2", "Vps,Wps,Ib", comparePacked("f32"), SSE),
  row("CMPPD", "66 0F C2", "Vpd,Wpd,Ib", comparePacked("f64"), SSE2),
  row("CMPSS", "F3 0F C2", "Vss,Wss,Ib", compareScalar("f32"), SSE),
  row("CMPSD", "F2 0F C2", "Vsd,Wsd,Ib", compareScalar("f64"), SSE2),
  row("UCOMISS", "NP 0F 2E", "Vss,Wss", compareToFlags("f32", false), { ...SSE, ...FLAGS }),
  row("UCOMISD", "66 0F 2E", "Vsd,Wsd", compareToFlags("f64", false), { ...SSE2, ...FLAGS }),
  row("COMISS", "NP 0F 2F", "Vss,Wss", compareToFlags("f32", true), { ...SSE, ...FLAGS }),
  row("COMISD", "66 0F 2F", "Vsd,Wsd", compareToFlags("f64", true), { ...SSE2, ...FLAGS }),
];
