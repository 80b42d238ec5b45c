// Flags inside a region: the last operation that set them, with its operands and result in locals. Nothing is computed until somebody
// asks. A form is a number: 0 when memory holds the flags, else operation and size; it is known while code is made, except where paths
// meet, where a local holds it.
//
// Memory holds them in one of two ways: as the state's three words, or, between regions, as form, operands and result in cells. Most
// flags die in the next region, so it is `settleFlags` that computes the words, when somebody wants to see them: a condition, a helper,
// or the dispatcher, for the interpreter knows the words only.
import type { ConditionCode, FlagName, FlagOperation, Size } from "../../ir/nodes.ts";
import {
  and32,
  and64,
  br,
  type Code,
  call,
  extendU,
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
  shrU64,
  test32,
  test64,
  when,
  wrap,
} from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
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

/** Where the operands are: a, b (the old CF for inc and dec), result, zero-extended; overrides: bits 0, 1, 2 are CF, OF, PF. */
export interface FlagLocals {
  readonly a: Local;
  readonly b: Local;
  readonly result: Local;
  readonly overrides: Local;
}

/** Flags that an instruction has changed alone, added to the form: they are in `overrides`, whatever the form says. */
export const OVERRIDE = { CF: 64, OF: 128, PF: 256 } as const;
export type OverridableFlag = keyof typeof OVERRIDE;
const OVERRIDES = 64 | 128 | 256;
const POSITION: Record<OverridableFlag, number> = { CF: 0, OF: 1, PF: 2 };

export const isOverridable = (flag: FlagName): flag is OverridableFlag => flag in OVERRIDE;

/** i32 0 or 1: a flag that is overridden. */
export function overriddenFlag(overrides: Local, flag: OverridableFlag): Code {
  const position = POSITION[flag];
  return and32(wrap(position === 0 ? get(overrides) : shrU64(get(overrides), position)), i32(1));
}

/** Overrides a flag with an i32 of 0 or 1; `others`: some other flag may be overridden too. */
export function overrideFlag(overrides: Local, flag: OverridableFlag, value: Code, others: boolean): Code {
  const position = POSITION[flag];
  const bit = position === 0 ? extendU(value) : shl64(extendU(value), position);
  return set(overrides, others ? or64(and64(get(overrides), i64(~(1 << position))), bit) : bit);
}

/** What makes flags wholly or in part words of the state. */
export interface FlagFunctions {
  /** (): writes what the cells say into the state's three flag words. */
  readonly settleFlags: FunctionReference;
  /** (form: i32, overrides: i64): settles, then overrides flags in the words; of the form, only OVERRIDE counts. */
  readonly patchFlags: FunctionReference;
  /** (form: i32, result: i64): settles, then counts as INC or DEC does. */
  readonly stepFlags: FunctionReference;
}

export function defineFlagFunctions(module: ModuleWriter): FlagFunctions {
  const settleFlags = defineSettleFlags(module);
  return {
    settleFlags,
    patchFlags: definePatchFlags(module, settleFlags),
    stepFlags: defineStepFlags(module, settleFlags),
  };
}

function defineSettleFlags(module: ModuleWriter): FunctionReference {
  const reference = module.declare("settleFlags", []);
  const f = module.define(reference);
  const locals = { a: f.local("i64"), b: f.local("i64"), result: f.local("i64"), overrides: f.local("i64") };
  const form = f.local("i32");
  const scratch = f.local("i64");
  set(locals.a, readCell64(CELLS.flagA))(f);
  set(locals.b, readCell64(CELLS.flagB))(f);
  set(locals.result, readCell64(CELLS.flagValue))(f);
  set(form, readCell(CELLS.flagForm))(f);
  writeCell(CELLS.flagForm, i32(IN_MEMORY))(f);
  const end = f.open("block");
  byForm(f, form, (n) => seq(n === IN_MEMORY ? seq() : storeKnownFlags(n, locals, scratch), br(end)));
  f.close(end);
  when(test32(get(form), OVERRIDES), [
    set(locals.overrides, readCell64(CELLS.flagOverrides)),
    storeOverrides(form, locals.overrides),
  ])(f);
  return reference;
}

function definePatchFlags(module: ModuleWriter, settle: FunctionReference): FunctionReference {
  const reference = module.declare("patchFlags", ["i32", "i64"]);
  const f = module.define(reference);
  const [form, overrides] = f.params as [Local, Local];
  settleIfKept(settle)(f);
  storeOverrides(form, overrides)(f);
  return reference;
}

function defineStepFlags(module: ModuleWriter, settle: FunctionReference): FunctionReference {
  const reference = module.declare("stepFlags", ["i32", "i64"]);
  const f = module.define(reference);
  const [form, result] = f.params as [Local, Local];
  const scratch = f.local("i64");
  const kept = { set: (value: Code) => set(scratch, value), get: get(scratch) };
  settleIfKept(settle)(f);
  byForm(f, form, (n) => {
    if (!isStep(n)) return op("unreachable");
    const { operation, size } = known(n);
    return seq(lazy.setFlags(operation, size, steppedFrom(n, get(result)), i64(1), get(result), kept), ret());
  });
  return reference;
}

/** Goes where the number of the form (without overrides) leads; each way has to end in a branch. */
function byForm(f: FunctionWriter, form: Local, way: (form: number) => Code): void {
  const labels = Array.from({ length: FORMS }, () => f.open("block"));
  and32(get(form), i32(OVERRIDE.CF - 1))(f);
  // The innermost block is the last one opened: form FORMS - 1 ends first.
  f.brTable(labels);
  for (let n = FORMS - 1; n >= 0; n--) {
    f.close(labels[n] as Label);
    way(n)(f);
  }
}

function storeOverrides(form: Local, overrides: Local): Code {
  const none = (): Code => op("unreachable");
  return seq(
    ...(Object.keys(OVERRIDE) as OverridableFlag[]).map((flag) =>
      when(test32(get(form), OVERRIDE[flag]), [lazy.writeFlag(flag, overriddenFlag(overrides, flag), none(), none)]),
    ),
  );
}

/** INC and DEC, of which the result says all but CF. */
export function isStep(form: number): boolean {
  return form > 0 && (known(form).operation === "inc" || known(form).operation === "dec");
}

/** The operand that INC or DEC made `result` from. */
export function steppedFrom(form: number, result: Code): Code {
  const { operation, size } = known(form);
  const operand = op(operation === "inc" ? "i64.sub" : "i64.add", result, i64(1));
  return size === 8 ? operand : and64(operand, i64((1n << BigInt(size * 8)) - 1n));
}

export const needsResultOnly = (form: number): boolean => known(form & (OVERRIDE.CF - 1)).operation === "logic";

/** Settles the flags if they are in cells. */
export const settleIfKept = (settle: FunctionReference): Code => when(readCell(CELLS.flagForm), [call(settle)]);

/** The flag words have been written: what the cells say is void. */
export const forgetKept: Code = writeCell(CELLS.flagForm, i32(IN_MEMORY));

/** Writes form (with overrides, and not IN_MEMORY apart from them), operands and result to the cells. */
export function keepFlags(form: number, { a, b, result, overrides }: FlagLocals): Code {
  return seq(
    writeCell(CELLS.flagForm, i32(form)),
    needsResultOnly(form) ? seq() : seq(writeCell64(CELLS.flagA, get(a)), writeCell64(CELLS.flagB, get(b))),
    writeCell64(CELLS.flagValue, get(result)),
    form < OVERRIDE.CF ? seq() : writeCell64(CELLS.flagOverrides, get(overrides)),
  );
}

/** The same for a form that a local holds, which may be IN_MEMORY. */
export function keepDynamicFlags(form: Local, { a, b, result, overrides }: FlagLocals, patch: FunctionReference): Code {
  return when(get(form), [
    when(
      and32(get(form), i32(OVERRIDE.CF - 1)),
      [
        writeCell(CELLS.flagForm, get(form)),
        writeCell64(CELLS.flagA, get(a)),
        writeCell64(CELLS.flagB, get(b)),
        writeCell64(CELLS.flagValue, get(result)),
        writeCell64(CELLS.flagOverrides, get(overrides)),
      ],
      [call(patch, get(form), get(overrides))],
    ),
  ]);
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

/** Operands and result, as expressions. */
export interface FlagOperands {
  readonly a: Code;
  readonly b: Code;
  readonly result: Code;
}

/** i32 0 or 1, without overrides; undefined for flags that are easier had from memory. */
export function knownFlag(form: number, { a, b, result }: FlagOperands, flag: FlagName): Code | undefined {
  const { operation, size } = known(form);
  switch (flag) {
    case "ZF":
      return op("i64.eqz", result);
    case "SF":
      return isNegative(signExtended(result, size));
    case "PF":
      return and32(op("i32.xor", op("i32.popcnt", and32(wrap(result), i32(0xff))), i32(1)), i32(1));
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
export function knownCondition(form: number, operands: FlagOperands, code: ConditionCode): Code {
  const pair = knownPair(form, operands, code >> 1);
  return code & 1 ? not32(pair) : pair;
}

/** i32 0 or 1: a condition by its definition. */
export function conditionOf(flag: (name: FlagName) => Code, code: ConditionCode): Code {
  const less = (): Code => op("i32.xor", flag("SF"), flag("OF"));
  const pairs = [
    () => flag("OF"),
    () => flag("CF"),
    () => flag("ZF"),
    () => or32(flag("CF"), flag("ZF")),
    () => flag("SF"),
    () => flag("PF"),
    less,
    () => or32(flag("ZF"), less()),
  ] as const;
  const pair = (pairs[code >> 1] as () => Code)();
  return code & 1 ? not32(pair) : pair;
}

function knownPair(form: number, operands: FlagOperands, pair: number): Code {
  const { operation, size } = known(form);
  const { a, b, result } = operands;
  const flag = (name: FlagName): Code => knownFlag(form, operands, name) as Code;
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
