// SSE and SSE2 float compares: CMPxx with its eight predicates, COMIxx and UCOMIxx. NaN and denormal operands go to helpers (flags).
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { SSE, SSE2, sseInstruction } from "./sse-common.ts";
import {
  allLanes,
  and32,
  BYTES,
  defaultControl,
  type FloatType,
  isOrdinary,
  lanesAnd,
  lanesOr,
  lanesOrdinary,
  packedHelper,
  quads,
  readMxcsr,
  SHAPE,
  toFloat,
} from "./sse-float.ts";

/** i64 -1 where `bit` (i64) is non-zero, else 0. */
function maskOf(i: InstructionBuilder, bit: Value): Value {
  return i.select(i.isNonZero(bit), i.i64(-1), i.i64(0));
}

/**
 * Bit n: predicate n holds for ordered operands of which the first is less, equal, greater (SDM 2A table 3-1). Legacy encodings have
 * predicates 0..7, VEX ones 16 that differ, and 16 more that signal differently.
 */
const HOLDS = { less: 0x9696, equal: 0xa5a5, greater: 0xf0f0 } as const;

/** Which orders of ordered operands satisfy the predicate in imm8, as masks. */
function predicate(i: InstructionBuilder): { less: Value; equal: Value; greater: Value } {
  const number = i.and(comparedAs(i), i.i64(15));
  const holds = (table: number): Value => maskOf(i, i.and(i.shrU(i.i64(table), number), i.i64(1)));
  return { less: holds(HOLDS.less), equal: holds(HOLDS.equal), greater: holds(HOLDS.greater) };
}

/** The predicate's number, for helpers. */
function comparedAs(i: InstructionBuilder): Value {
  return i.and(i.field("imm"), i.i64(i.isVex ? 31 : 7));
}

const compareScalar = (type: FloatType): Semantics =>
  sseInstruction((i) => {
    const bBits = i.readScalar(1, BYTES[type]);
    const aBits = i.readScalar(0, BYTES[type]);
    const a = toFloat(i, type, aBits);
    const b = toFloat(i, type, bBits);
    const plain = and32(i, defaultControl(i, readMxcsr(i)), isOrdinary(i, type, a), isOrdinary(i, type, b));
    const holds = predicate(i);
    const where = (name: "lt" | "eq" | "gt", mask: Value): Value =>
      i.and(i.sub(i.i64(0), i.widen(i.pure(`${type}.${name}`, [a, b]))), mask);
    const ordered = i.or(i.or(where("lt", holds.less), where("eq", holds.equal)), where("gt", holds.greater));
    const result = i.variable(ordered);
    i.if(i.pure("i32.eqz", [plain]), () => {
      i.set(result, i.callHelper(`sse_cmp_${type}`, [aBits, bBits, comparedAs(i)]));
    });
    i.writeScalar(0, BYTES[type], i.mask(i.get(result), BYTES[type]));
  });

const comparePacked = (type: FloatType): Semantics =>
  sseInstruction((i) => {
    const shape = SHAPE[type];
    const b = i.readVector(1, true);
    const a = i.readVector(0);
    const ordinary = allLanes(i, type, lanesAnd(i, lanesOrdinary(i, type, a), lanesOrdinary(i, type, b)));
    const holds = predicate(i);
    const where = (name: "lt" | "eq" | "gt", mask: Value): Value =>
      i.pure("v128.and", [i.pure(`${shape}.${name}`, [a, b]), i.pure("i64x2.splat", [mask])]);
    const ordered = lanesOr(i, where("lt", holds.less), where("eq", holds.equal), where("gt", holds.greater));
    const result = i.variable(ordered);
    i.if(i.pure("i32.eqz", [and32(i, defaultControl(i, readMxcsr(i)), ordinary)]), () => {
      i.set(result, packedHelper(i, `sse_packed_cmp_${type}`, a, quads(i, b), comparedAs(i)));
    });
    i.writeVector(0, i.get(result));
  });

/** ZF PF CF: 000 above, 001 below, 100 equal, 111 unordered; OF SF AF cleared. COMIxx signals IE for quiet NaNs too. */
const compareToFlags = (type: FloatType, signalling: boolean): Semantics =>
  sseInstruction((i) => {
    const bBits = i.readScalar(1, BYTES[type]);
    const aBits = i.readScalar(0, BYTES[type]);
    const a = toFloat(i, type, aBits);
    const b = toFloat(i, type, bBits);
    const plain = and32(i, defaultControl(i, readMxcsr(i)), isOrdinary(i, type, a), isOrdinary(i, type, b));
    const less = i.variable(i.widen(i.pure(`${type}.lt`, [a, b])));
    const differ = i.variable(i.widen(i.pure(`${type}.ne`, [a, b])));
    const parity = i.variable(i.i32(0));
    i.if(i.pure("i32.eqz", [plain]), () => {
      const flags = i.callHelper(`sse_${signalling ? "comi" : "ucomi"}_${type}`, [aBits, bBits]);
      i.set(less, i.and(flags, i.i64(1)));
      i.set(parity, i.narrow(i.and(i.shrU(flags, i.i64(2)), i.i64(1))));
      i.set(differ, i.xor(i.and(i.shrU(flags, i.i64(6)), i.i64(1)), i.i64(1)));
    });
    // A lazy result of 0 or 1 stands for ZF; only the parity of 0 has to be corrected.
    i.setFlags("shift", 8, i.get(less), i.i64(0), i.get(differ));
    i.writeFlag("PF", i.get(parity));
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
