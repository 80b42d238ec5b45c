// Flags inside a region: the last operation that set them, with two words in locals that say all there is to know. Nothing is computed
// until somebody asks. A form is a number: 0 when memory holds the flags, else operation and size; it is known while code is made, except
// where paths meet, where a local holds it.
//
//               left     right
//   compare     a        b          of which the result is computed when wanted: CMP
//   add, sub    result   b          a likewise
//   adc, sbb    result   carries or borrows out of each bit
//   logic       result
//   shift       result   CF in bit 0, OF in bit 1
//   inc, dec    result   CF
//
// Each word is alive from where the flags are set to the last way out on which somebody may ask for them, so there are two and not three.
//
// Memory holds them in one of two ways: as the state's three words, or, between regions, as form and words in cells. Most
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
  shrU32,
  shrU64,
  tee,
  test32,
  test64,
  when,
  wrap,
  xor64,
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

/** `compare`: a subtraction whose result nobody keeps. */
export type FormOperation = FlagOperation | "compare";

const OPERATIONS: readonly FormOperation[] = ["add", "adc", "sub", "sbb", "logic", "shift", "inc", "dec", "compare"];
const SIZES: readonly Size[] = [1, 2, 4, 8];
const FORMS = 1 + OPERATIONS.length * SIZES.length;

export function flagForm(operation: FormOperation, size: Size): number {
  return 1 + OPERATIONS.indexOf(operation) * 4 + SIZES.indexOf(size);
}

interface Known {
  readonly operation: FormOperation;
  readonly size: Size;
}

function known(form: number): Known {
  return { operation: OPERATIONS[(form - 1) >> 2] as FormOperation, size: SIZES[(form - 1) & 3] as Size };
}

/** Where the words are, zero-extended; overrides: bits 0, 1, 2 are CF, OF, PF. */
export interface FlagLocals {
  readonly left: Local;
  readonly right: Local;
  readonly overrides: Local;
}

/** The same, as expressions. */
export interface FlagWords {
  readonly left: Code;
  readonly right: Code;
  /** Of `sub`, where it is at hand: a. */
  readonly minuend?: Code;
}

/** Flags that an instruction has changed alone, added to the form: they are in `overrides`, whatever the form says. */
export const OVERRIDE = { CF: 64, OF: 128, PF: 256 } as const;
export type OverridableFlag = keyof typeof OVERRIDE;
const OVERRIDES = 64 | 128 | 256;
/** Above them: the form of an INC or DEC behind all that, of which CELLS.flagStep has the result. */
const STEP_SHIFT = 9;
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
}

export function defineFlagFunctions(module: ModuleWriter): FlagFunctions {
  const settleFlags = defineSettleFlags(module);
  return {
    settleFlags,
    patchFlags: definePatchFlags(module, settleFlags),
  };
}

function defineSettleFlags(module: ModuleWriter): FunctionReference {
  const reference = module.declare("settleFlags", []);
  const f = module.define(reference);
  const locals = { left: f.local("i64"), right: f.local("i64"), overrides: f.local("i64") };
  const form = f.local("i32");
  const scratch = f.local("i64");
  set(locals.left, readCell64(CELLS.flagLeft))(f);
  set(locals.right, readCell64(CELLS.flagRight))(f);
  set(form, readCell(CELLS.flagForm))(f);
  writeCell(CELLS.flagForm, i32(IN_MEMORY))(f);
  const end = f.open("block");
  byForm(f, form, (n) => seq(n === IN_MEMORY ? seq() : storeKnownFlags(n, locals, scratch), br(end)));
  f.close(end);
  when(test32(get(form), OVERRIDES), [
    set(locals.overrides, readCell64(CELLS.flagOverrides)),
    storeOverrides(form, locals.overrides),
  ])(f);
  const kept = { set: (value: Code) => set(scratch, value), get: get(scratch) };
  const step = (n: number): Code =>
    isStep(n) ? seq(setStepFlags(n, get(locals.left), kept), ret()) : op("unreachable");
  when(tee(form, shrU32(get(form), STEP_SHIFT)), [
    set(locals.left, readCell64(CELLS.flagStep)),
    (w) => byForm(w, form, step),
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

const counts = (operation: FormOperation): operation is "inc" | "dec" => operation === "inc" || operation === "dec";

/** INC and DEC, of which the result says all but CF. */
export const isStep = (form: number): boolean => form > 0 && counts(known(form).operation);

type Scratch = Parameters<typeof lazy.setFlags>[5];

function setStepFlags(form: number, result: Code, scratch: Scratch): Code {
  const { operation, size } = known(form);
  const { a } = operandsOf(form, { left: result, right: i64(0) });
  return lazy.setFlags(operation as FlagOperation, size, a, i64(1), result, scratch);
}

const masked = (value: Code, size: Size): Code =>
  size === 8 ? value : and64(value, i64((1n << BigInt(size * 8)) - 1n));

export const needsLeftOnly = (form: number): boolean => known(form & (OVERRIDE.CF - 1)).operation === "logic";

/** Settles the flags if they are in cells. */
export const settleIfKept = (settle: FunctionReference): Code => when(readCell(CELLS.flagForm), [call(settle)]);

/** The flag words have been written: what the cells say is void. */
export const forgetKept: Code = writeCell(CELLS.flagForm, i32(IN_MEMORY));

/** Writes form (with overrides, and not IN_MEMORY apart from them) and words to the cells. */
export function keepFlags(form: number, { left, right, overrides }: FlagLocals): Code {
  return seq(
    writeCell(CELLS.flagForm, i32(form)),
    writeCell64(CELLS.flagLeft, get(left)),
    needsLeftOnly(form) ? seq() : writeCell64(CELLS.flagRight, get(right)),
    form < OVERRIDE.CF ? seq() : writeCell64(CELLS.flagOverrides, get(overrides)),
  );
}

/** Adds an INC or DEC to what memory holds, in place of one that it has added before. */
export const keepStep = (step: number, result: Local): Code =>
  seq(
    writeCell(CELLS.flagForm, or32(test32(readCell(CELLS.flagForm), (1 << STEP_SHIFT) - 1), i32(step << STEP_SHIFT))),
    writeCell64(CELLS.flagStep, get(result)),
  );

/** As keepFlags for a form that a local holds, which may be IN_MEMORY. */
export function keepDynamicFlags(form: Local, { left, right, overrides }: FlagLocals, patch: FunctionReference): Code {
  return when(get(form), [
    when(
      and32(get(form), i32(OVERRIDE.CF - 1)),
      [
        writeCell(CELLS.flagForm, get(form)),
        writeCell64(CELLS.flagLeft, get(left)),
        writeCell64(CELLS.flagRight, get(right)),
        writeCell64(CELLS.flagOverrides, get(overrides)),
      ],
      [call(patch, get(form), get(overrides))],
    ),
  ]);
}

/** Writes what a form known while code is made says into the state. `scratch` is an i64. */
function storeKnownFlags(form: number, { left, right }: FlagLocals, scratch: Local): Code {
  const { operation, size } = known(form);
  const kept = { set: (value: Code) => set(scratch, value), get: get(scratch) };
  if (operation === "adc" || operation === "sbb") return lazy.setFlagsFromCarries(size, get(right), get(left));
  if (counts(operation))
    return seq(writeSlot(STATE.flagCarry, shl64(get(right), 63)), setStepFlags(form, get(left), kept));
  const { a, b, result } = operandsOf(form, { left: get(left), right: get(right) });
  return lazy.setFlags(operation === "compare" ? "sub" : operation, size, a, b, result, kept);
}

const isNegative = (a: Code): Code => op("i64.lt_s", a, i64(0));

function signExtended(value: Code, size: Size): Code {
  if (size === 8) return value;
  return op(size === 1 ? "i64.extend8_s" : size === 2 ? "i64.extend16_s" : "i64.extend32_s", value);
}

const topBit = (value: Code, size: Size): Code => test64(value, 1n << BigInt(size * 8 - 1));

interface Operands {
  readonly a: Code;
  readonly b: Code;
  readonly result: Code;
}

/** What the operation was given and what it made of it; of adc and sbb only the result, of inc and dec b is CF. */
function operandsOf(form: number, { left, right, minuend }: FlagWords): Operands {
  const { operation, size } = known(form);
  switch (operation) {
    case "compare":
      return { a: left, b: right, result: masked(op("i64.sub", left, right), size) };
    case "add":
      return { a: masked(op("i64.sub", left, right), size), b: right, result: left };
    case "sub":
      return { a: minuend ?? masked(op("i64.add", left, right), size), b: right, result: left };
    case "shift":
      return { a: and64(right, i64(1)), b: shrU64(right, 1), result: left };
    case "inc":
    case "dec":
      return { a: masked(op(operation === "inc" ? "i64.sub" : "i64.add", left, i64(1)), size), b: right, result: left };
    default:
      return { a: left, b: right, result: left };
  }
}

/** The words that an operation leaves; codes with more than one use are in locals. */
export function wordsOf(operation: FormOperation, a: Code, b: Code, result: Code): FlagWords {
  switch (operation) {
    case "compare":
      return { left: a, right: b };
    case "sub":
      return { left: result, right: b, minuend: a };
    case "adc":
      return { left: result, right: carryVector(a, b, result) };
    case "sbb":
      return { left: result, right: carryVector(result, b, a) };
    case "shift":
      return { left: result, right: or64(a, shl64(b, 1)) };
    default:
      return { left: result, right: b };
  }
}

/** i32 0 or 1, without overrides; undefined for flags that are easier had from memory. */
export function knownFlag(form: number, words: FlagWords, flag: FlagName): Code | undefined {
  const { size } = known(form);
  const { result } = operandsOf(form, words);
  switch (flag) {
    case "ZF":
      return op("i64.eqz", result);
    case "SF":
      return isNegative(signExtended(result, size));
    case "PF":
      return and32(op("i32.xor", op("i32.popcnt", and32(wrap(result), i32(0xff))), i32(1)), i32(1));
    case "CF":
      return carry(form, words);
    case "OF":
      return overflow(form, words);
    default:
      return undefined;
  }
}

function carry(form: number, words: FlagWords): Code {
  const { operation, size } = known(form);
  const { a, b, result } = operandsOf(form, words);
  switch (operation) {
    case "add":
      return op("i64.lt_u", result, b);
    case "sub":
    case "compare":
      return op("i64.lt_u", a, b);
    case "adc":
    case "sbb":
      return topBit(words.right, size);
    case "logic":
      return i32(0);
    case "shift":
      return wrap(a);
    default:
      return wrap(b);
  }
}

/** Carries out of each bit of x + y = sum. */
function carryVector(x: Code, y: Code, sum: Code): Code {
  return or64(and64(x, y), and64(or64(x, y), xor64(sum, i64(-1))));
}

function overflow(form: number, words: FlagWords): Code {
  const { operation, size } = known(form);
  const { a, b, result } = operandsOf(form, words);
  switch (operation) {
    case "add":
      return topBit(and64(xor64(a, result), xor64(b, result)), size);
    case "sub":
    case "compare":
      return topBit(and64(xor64(a, b), xor64(a, result)), size);
    case "adc":
    case "sbb":
      return topBit(xor64(words.right, shl64(words.right, 1)), size);
    case "logic":
      return i32(0);
    case "shift":
      return wrap(b);
    case "inc":
      return op("i64.eq", result, i64(1n << BigInt(size * 8 - 1)));
    default:
      return op("i64.eq", a, i64(1n << BigInt(size * 8 - 1)));
  }
}

/** i32 0 or 1: a condition on flags of a known form. */
export function knownCondition(form: number, words: FlagWords, code: ConditionCode): Code {
  const pair = knownPair(form, words, code >> 1);
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

function knownPair(form: number, words: FlagWords, pair: number): Code {
  const { operation, size } = known(form);
  const { a, b, result } = operandsOf(form, words);
  const flag = (name: FlagName): Code => knownFlag(form, words, name) as Code;
  const signed = signExtended(result, size);
  const compares = operation === "compare" || (operation === "sub" && words.minuend !== undefined);
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
