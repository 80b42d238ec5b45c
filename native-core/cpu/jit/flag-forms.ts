// Flags inside a region: the last operation that set them, with its operands and result in locals. Nothing is computed until somebody
// asks. A form is a number: 0 when memory holds the flags, else operation and size; it is known while code is made, except where paths
// meet, where a local holds it.
//
// Memory holds them in one of two ways: as the state's three words, or, between regions, as form, operands and result in cells. Most
// flags die in the next region, so it is `settleFlags` that computes the words, when somebody wants to see them: a condition, a helper,
// or the dispatcher, for the interpreter knows the words only.
import type { ConditionCode, FlagName, FlagOperation, Size } from "../../ir/nodes.ts";
import {
  and64,
  type Code,
  call,
  get,
  i32,
  i64,
  not32,
  op,
  or32,
  or64,
  ret,
  seq,
  set,
  shl64,
  test64,
  when,
  wrap,
} from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Label, Local } from "../../wasm/types.ts";
import { STATE } from "../../x86/state-layout.ts";
import * as lazy from "../interpreter/lower-flags.ts";
import { readCell, readCell64, writeCell, writeCell64, writeSlot } from "../mmu/cells.ts";
import { CELLS } from "../mmu/memory-layout.ts";

export const IN_MEMORY = 0;
/** Not known while code is made. */
export const DYNAMIC = -1;

const OPERATIONS: readonly FlagOperation[] = ["add", "adc", "sub", "sbb", "logic", "shift", "inc", "dec"];
const SIZES: readonly Size[] = [1, 2, 4, 8];
const FORMS = 1 + OPERATIONS.length * SIZES.length;

export function flagForm(operation: FlagOperation, size: Size): number {
  return 1 + OPERATIONS.indexOf(operation) * 4 + SIZES.indexOf(size);
}

interface Known {
  readonly operation: FlagOperation;
  readonly size: Size;
}

function known(form: number): Known {
  return { operation: OPERATIONS[(form - 1) >> 2] as FlagOperation, size: SIZES[(form - 1) & 3] as Size };
}

/** Where the operands are: a, b (the old CF for inc and dec), result. Zero-extended. */
export interface FlagLocals {
  readonly a: Local;
  readonly b: Local;
  readonly result: Local;
}

/** Defines (): writes what the cells say into the state's three flag words. */
export function defineSettleFlags(module: ModuleWriter): FunctionReference {
  const reference = module.declare("settleFlags", []);
  const f = module.define(reference);
  const locals: FlagLocals = { a: f.local("i64"), b: f.local("i64"), result: f.local("i64") };
  const scratch = f.local("i64");
  set(locals.a, readCell64(CELLS.flagA))(f);
  set(locals.b, readCell64(CELLS.flagB))(f);
  set(locals.result, readCell64(CELLS.flagValue))(f);
  const labels = Array.from({ length: FORMS }, () => f.open("block"));
  // The innermost block is the last one opened: form FORMS - 1 ends first.
  readCell(CELLS.flagForm)(f);
  writeCell(CELLS.flagForm, i32(IN_MEMORY))(f);
  f.brTable(labels);
  for (let n = FORMS - 1; n >= 0; n--) {
    f.close(labels[n] as Label);
    if (n !== IN_MEMORY) storeKnownFlags(n, locals, scratch)(f);
    ret()(f);
  }
  return reference;
}

/** Settles the flags if they are in cells. */
export const settleIfKept = (settle: FunctionReference): Code => when(readCell(CELLS.flagForm), [call(settle)]);

/** The flag words have been written: what the cells say is void. */
export const forgetKept: Code = writeCell(CELLS.flagForm, i32(IN_MEMORY));

/** Writes form, operands and result to the cells. `form`: known while code is made, or a local. */
export function keepFlags(form: number | Local, { a, b, result }: FlagLocals): Code {
  const isLogic = typeof form === "number" && known(form).operation === "logic";
  return seq(
    writeCell(CELLS.flagForm, typeof form === "number" ? i32(form) : get(form)),
    isLogic ? seq() : seq(writeCell64(CELLS.flagA, get(a)), writeCell64(CELLS.flagB, get(b))),
    writeCell64(CELLS.flagValue, get(result)),
  );
}

/** Writes what a form known while code is made says into the state. `scratch` is an i64. */
function storeKnownFlags(form: number, locals: FlagLocals, scratch: Local): Code {
  const { operation, size } = known(form);
  const kept = { set: (value: Code) => set(scratch, value), get: get(scratch) };
  const counts = operation === "inc" || operation === "dec";
  const code = lazy.setFlags(operation, size, get(locals.a), counts ? i64(1) : get(locals.b), get(locals.result), kept);
  return counts ? seq(writeSlot(STATE.flagCarry, shl64(get(locals.b), 63)), code) : code;
}

const xor64 = (a: Code, b: Code): Code => op("i64.xor", a, b);
const isNegative = (a: Code): Code => op("i64.lt_s", a, i64(0));

function signExtended(value: Code, size: Size): Code {
  if (size === 8) return value;
  return op(size === 1 ? "i64.extend8_s" : size === 2 ? "i64.extend16_s" : "i64.extend32_s", value);
}

const topBit = (value: Code, size: Size): Code => test64(value, 1n << BigInt(size * 8 - 1));

/** i32 0 or 1; undefined for flags that are easier had from memory. */
export function knownFlag(form: number, locals: FlagLocals, flag: FlagName): Code | undefined {
  const { operation, size } = known(form);
  const [a, b, result] = [get(locals.a), get(locals.b), get(locals.result)];
  switch (flag) {
    case "ZF":
      return op("i64.eqz", result);
    case "SF":
      return isNegative(signExtended(result, size));
    case "PF":
      return op("i32.and", op("i32.xor", op("i32.popcnt", op("i32.and", wrap(result), i32(0xff))), i32(1)), i32(1));
    case "CF":
      return carry(operation, size, a, b, result);
    case "OF":
      return overflow(operation, size, a, b, result);
    default:
      return undefined;
  }
}

function carry(operation: FlagOperation, size: Size, a: Code, b: Code, result: Code): Code {
  switch (operation) {
    case "add":
      return op("i64.lt_u", result, a);
    case "sub":
      return op("i64.lt_u", a, b);
    case "adc":
      return topBit(carryVector(a, b, result), size);
    case "sbb":
      return topBit(carryVector(result, b, a), size);
    case "logic":
      return i32(0);
    case "shift":
      return wrap(and64(a, i64(1)));
    default:
      return wrap(b);
  }
}

/** Carries out of each bit of x + y = sum. */
function carryVector(x: Code, y: Code, sum: Code): Code {
  return or64(and64(x, y), and64(or64(x, y), xor64(sum, i64(-1))));
}

function overflow(operation: FlagOperation, size: Size, a: Code, b: Code, result: Code): Code {
  switch (operation) {
    case "add":
    case "adc":
      return topBit(and64(xor64(a, result), xor64(b, result)), size);
    case "sub":
    case "sbb":
      return topBit(and64(xor64(a, b), xor64(a, result)), size);
    case "logic":
      return i32(0);
    case "shift":
      return wrap(and64(b, i64(1)));
    case "inc":
      return op("i64.eq", result, i64(1n << BigInt(size * 8 - 1)));
    default:
      return op("i64.eq", a, i64(1n << BigInt(size * 8 - 1)));
  }
}

/** i32 0 or 1: a condition on flags of a known form. */
export function knownCondition(form: number, locals: FlagLocals, code: ConditionCode): Code {
  const pair = knownPair(form, locals, code >> 1);
  return code & 1 ? not32(pair) : pair;
}

function knownPair(form: number, locals: FlagLocals, pair: number): Code {
  const { operation, size } = known(form);
  const [a, b, result] = [get(locals.a), get(locals.b), get(locals.result)];
  const flag = (name: FlagName): Code => knownFlag(form, locals, name) as Code;
  const signed = signExtended(result, size);
  const compares = operation === "sub";
  const tests = operation === "logic";
  const less = (): Code => {
    if (compares) return op("i64.lt_s", signExtended(a, size), signExtended(b, size));
    return tests ? isNegative(signed) : op("i32.xor", flag("SF"), flag("OF"));
  };
  switch (pair) {
    case 0:
      return flag("OF");
    case 1:
      return flag("CF");
    case 2:
      return compares ? op("i64.eq", a, b) : flag("ZF");
    case 3:
      if (compares) return op("i64.le_u", a, b);
      return tests ? flag("ZF") : or32(flag("CF"), flag("ZF"));
    case 4:
      return flag("SF");
    case 5:
      return flag("PF");
    case 6:
      return less();
    default:
      if (compares) return op("i64.le_s", signExtended(a, size), signExtended(b, size));
      return tests ? op("i64.le_s", signed, i64(0)) : or32(flag("ZF"), less());
  }
}

export const memoryFlag = lazy.readFlag;
export const memoryCondition = lazy.condition;
export const writeMemoryFlag = lazy.writeFlag;
