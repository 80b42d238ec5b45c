// The flags at the place being written, in a region: what is known of them while code is made, and the locals that hold the rest.
//
//   form       of the operation that has set them (flag-forms.ts), DYNAMIC where paths have met, IN_MEMORY
//   overrides  flags that were written one by one since: BT, ROL, COMISD
//   step       INC or DEC behind flags whose CF would be dear to find out: both stay as they are until somebody asks
import type { ConditionCode, FlagName, Size } from "../../ir/nodes.ts";
import { type Code, call, extendU, get, i32, i64, op, seq, set } from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { Local } from "../../wasm/types.ts";
import {
  conditionOf,
  DYNAMIC,
  type FlagFunctions,
  type FlagLocals,
  type FlagWords,
  type FormOperation,
  flagForm,
  forgetKept,
  IN_MEMORY,
  isOverridable,
  keepDynamicFlags,
  keepFlags,
  keepStep,
  knownCondition,
  knownFlag,
  memoryCondition,
  memoryFlag,
  needsLeftOnly,
  OVERRIDE,
  overriddenFlag,
  overrideFlag,
  settleIfKept,
  wordsOf,
  writeMemoryFlag,
} from "./flag-forms.ts";

export interface FlagKnowledge {
  readonly form: number;
  /** OVERRIDE of the flags known to be overridden. */
  readonly overrides: number;
  /** Form of an INC or DEC behind the rest, or 0. */
  readonly step: number;
}

const inMemory: FlagKnowledge = { form: IN_MEMORY, overrides: 0, step: 0 };
const unknown: FlagKnowledge = { form: DYNAMIC, overrides: 0, step: 0 };

/** Conditions that look at CF: B and BE, and their negations. */
const readsCarry = (code: ConditionCode): boolean => code >> 1 === 1 || code >> 1 === 3;

export interface FlagRuntime extends FlagFunctions {
  readonly composeFlags: Parameters<typeof call>[0];
  readonly writeArithmeticFlags: Parameters<typeof call>[0];
}

export class RegionFlags {
  readonly #f: FunctionWriter;
  readonly #runtime: FlagRuntime;
  readonly #locals: FlagLocals;
  readonly #words: FlagWords;
  readonly #minuend: Local;
  readonly #form: Local;
  readonly #stepped: Local;
  knowledge: FlagKnowledge = inMemory;

  constructor(f: FunctionWriter, runtime: FlagRuntime) {
    this.#f = f;
    this.#runtime = runtime;
    const [left, right, minuend] = [f.local("i64"), f.local("i64"), f.local("i64")];
    this.#locals = { left, right, overrides: f.local("i64") };
    this.#minuend = minuend;
    this.#words = { left: get(left), right: get(right), minuend: get(minuend) };
    this.#form = f.local("i32");
    this.#stepped = f.local("i64");
  }

  get #steppedWords(): FlagWords {
    return { left: get(this.#stepped), right: i64(0) };
  }

  // --- writing --------------------------------------------------------------------------------------------------------------

  /** Operands zero-extended; all are evaluated before any is kept: they may read the flags that are there now. */
  setFlags(operation: FormOperation, size: Size, a: Code, b: Code, result: Code): void {
    const f = this.#f;
    const { left, right } = this.#locals;
    const form = flagForm(operation, size);
    const counts = operation === "inc" || operation === "dec";
    const carry = counts ? this.#knownFlag("CF") : undefined;
    if (counts && !carry) {
      if (this.knowledge.overrides) this.toMemory()(f);
      set(this.#stepped, result)(f);
      this.knowledge = { ...this.knowledge, step: form };
      return;
    }
    const words = wordsOf(operation, a, carry ? extendU(carry) : b, result);
    words.left(f);
    if (!needsLeftOnly(form)) words.right(f);
    if (words.minuend) set(this.#minuend, words.minuend)(f);
    if (!needsLeftOnly(form)) f.set(right);
    f.set(left);
    this.knowledge = { form, overrides: 0, step: 0 };
  }

  /** `value`: i32 of 0 or 1. */
  writeFlag(flag: FlagName, value: Code): void {
    const f = this.#f;
    const kept = f.borrow("i32");
    // The value first: it may be read from flags in locals.
    set(kept, value)(f);
    if (isOverridable(flag)) {
      if (this.knowledge.step) this.toMemory()(f);
      const { form, overrides } = this.knowledge;
      overrideFlag(this.#locals.overrides, flag, get(kept), form === DYNAMIC || overrides !== 0)(f);
      this.knowledge = { form, overrides: overrides | OVERRIDE[flag], step: 0 };
    } else {
      this.settle()(f);
      const { composeFlags, writeArithmeticFlags } = this.#runtime;
      writeMemoryFlag(flag, get(kept), call(composeFlags), (flags) => call(writeArithmeticFlags, flags))(f);
    }
    f.release(kept);
  }

  /** All six, from an RFLAGS value. */
  writeAll(value: Code): void {
    call(this.#runtime.writeArithmeticFlags, value)(this.#f);
    forgetKept(this.#f);
    this.knowledge = inMemory;
  }

  /** Something else has written the state. */
  areInMemory(): void {
    this.knowledge = inMemory;
  }

  // --- reading --------------------------------------------------------------------------------------------------------------

  /** i32 0 or 1. */
  readFlag(flag: FlagName): Code {
    const known = this.#knownFlag(flag);
    return known ?? seq(this.settle(), memoryFlag(flag));
  }

  /** i32 0 or 1. */
  condition(code: ConditionCode): Code {
    const { form, overrides, step } = this.knowledge;
    if (step && !readsCarry(code)) return knownCondition(step, this.#steppedWords, code);
    if (!step && form > 0 && overrides === 0) return knownCondition(form, this.#words, code);
    let isKnown = true;
    const flag = (name: FlagName): Code => {
      const known = this.#knownFlag(name);
      isKnown &&= known !== undefined;
      return known ?? seq();
    };
    const known = conditionOf(flag, code);
    return isKnown ? known : seq(this.settle(), memoryCondition(code));
  }

  #knownFlag(flag: FlagName): Code | undefined {
    const { form, overrides, step } = this.knowledge;
    if (step) return flag === "CF" ? undefined : knownFlag(step, this.#steppedWords, flag);
    if (isOverridable(flag) && (overrides & OVERRIDE[flag]) !== 0) return overriddenFlag(this.#locals.overrides, flag);
    return form > 0 ? knownFlag(form, this.#words, flag) : undefined;
  }

  // --- where they are -------------------------------------------------------------------------------------------------------

  /** The state's flag words hold the flags; from here on they are there. */
  settle(): Code {
    return seq(this.toMemory(), settleIfKept(this.#runtime.settleFlags));
  }

  /** Memory holds the flags, as words or in cells. */
  toMemory(): Code {
    return (w) => {
      const { form, overrides, step } = this.knowledge;
      const { patchFlags } = this.#runtime;
      if (form === DYNAMIC) {
        if (overrides) set(this.#form, op("i32.or", get(this.#form), i32(overrides)))(w);
        this.keepDynamic(w);
      } else if (form !== IN_MEMORY) keepFlags(form | overrides, this.#locals)(w);
      else if (overrides) call(patchFlags, i32(overrides), get(this.#locals.overrides))(w);
      if (step) keepStep(step, this.#stepped)(w);
      this.knowledge = inMemory;
    };
  }

  /** The same where nothing but the form's local is known. */
  readonly keepDynamic: Code = (w) => keepDynamicFlags(this.#form, this.#locals, this.#runtime.patchFlags)(w);

  /** The form's local says what is known statically: in front of a place where paths meet. */
  settleForm(): Code {
    return (w) => {
      if (this.knowledge.step) this.toMemory()(w);
      const { form, overrides } = this.knowledge;
      if (form !== DYNAMIC) set(this.#form, i32(form | overrides))(w);
      else if (overrides) set(this.#form, op("i32.or", get(this.#form), i32(overrides)))(w);
    };
  }

  /** In front of a way out that many share: it keeps what the form's local says. Locals that say nothing would only be kept alive. */
  settleToLeave(): Code {
    return (w) => {
      const { knowledge } = this;
      if (knowledge.step || (knowledge.form === IN_MEMORY && knowledge.overrides)) this.toMemory()(w);
      this.settleForm()(w);
      const { form, overrides } = this.knowledge;
      this.knowledge = knowledge;
      if (form === DYNAMIC) return;
      const { left, right, overrides: overridden } = this.#locals;
      const clear = (local: Local): void => {
        w.i64(0);
        w.set(local);
      };
      if (form === IN_MEMORY) clear(left);
      if (form === IN_MEMORY || needsLeftOnly(form)) clear(right);
      if (!overrides) clear(overridden);
    };
  }

  /** From here on nothing is known statically. */
  forgetForm(): void {
    this.settleForm()(this.#f);
    this.areUnknown();
  }

  /** Paths meet here; each has settled the form. */
  areUnknown(): void {
    this.knowledge = unknown;
  }
}
