// What the JIT knows about a form before it sees an operation: its fragment, where its values are computed, how it ends, and which
// registers it touches. Made once per form and shared by all regions.
import { changes, PART } from "../../ir/effects.ts";
import type {
  Exit,
  Fragment,
  RegisterFile,
  RegisterSelector,
  Statement,
  StateSlot,
  Value,
  ValueNode,
  Variable,
} from "../../ir/nodes.ts";
import { mergeDuplicates } from "../../ir/passes/merge-duplicates.ts";
import { type Placement, placeValues } from "../../ir/passes/place-values.ts";
import { allStatements, bodiesOf, operandsOf, operandsOfStatement, someValue } from "../../ir/walk.ts";
import { FORMS, type Form, fragmentOf } from "../../x86/forms.ts";
import { STATE } from "../../x86/state-layout.ts";
import { helpersOf } from "../interpreter/runtime.ts";
import { withoutSegmentHelpers } from "./flat-segments.ts";

export interface RegisterUse {
  readonly file: "general" | "vector";
  readonly selector: RegisterSelector;
  /** Looked at; or written in part, or only perhaps, so that the rest of it stays. */
  readonly reads: boolean;
  readonly writes: boolean;
  /** What a write does to bits 63..32 of a general register: leaves them, clears them, or anything. */
  readonly upperHalf: "kept" | "cleared" | "any";
}

export interface PreparedForm {
  readonly form: Form;
  readonly fragment: Fragment;
  readonly placement: Placement;
  /** How the form may leave its block. */
  readonly exits: ReadonlySet<Exit["to"]>;
  /** Its exits look for interrupts, so they always leave the region, unless `onlyMasks`. */
  readonly changesSystem: boolean;
  /** All that it changes of the system is whether interrupts are taken: where none waits, the region goes on behind it. */
  readonly onlyMasks: boolean;
  /** SYSCALL: the system comes back behind it. */
  readonly callsSystem: boolean;
  /** A memory write, its own or a helper's, that may void the code being executed. */
  readonly mayVoidCode: boolean;
  /** It may start over: REP. */
  readonly repeats: boolean;
  /** Its stores are few and unconditional, and nothing else of it may void code. */
  readonly plainStores: boolean;
  /** General registers (and pseudo registers) and vector registers (bits 127..0) it reads or writes. */
  readonly registers: readonly RegisterUse[];
  /** Branches in which flags are read or written: the static knowledge of them ends there. */
  readonly flagBranches: ReadonlySet<Statement>;
  /** Whether it reads flags, or may leave with those that operations before it have set. */
  readonly observesFlags: boolean;
  /** Whether it replaces all six flags whatever its operands are. */
  readonly replacesFlags: boolean;
  /** Accesses that a segment does not plainly allow: the region leaves to the interpreter in front of the instruction (flat-segments.ts). */
  readonly segmentChecks: ReadonlySet<Statement>;
  /** Bits of `Blocked`: what it looks at before it does anything, so that behind it the answer is known; and whether it may change it. */
  readonly checks: number;
  readonly mayBlock: boolean;
  /** By the id of a value: 0 if it depends on the guest's state in whatever operation of the form. */
  readonly mayBeConstant: Uint8Array;
  /** Variables that hold the bits of a float: they are floats in compiled code. */
  readonly floats: ReadonlyMap<number, FloatType>;
  /** Helpers it calls, with the number of their operands. */
  readonly helpers: ReadonlyMap<string, number>;
}

/** State slots that say whether an instruction may run at all: zero if it may. Only instructions of the system change them. */
export const BLOCKED_SLOTS: ReadonlyMap<StateSlot, number> = new Map([
  [STATE.vectorBlocked, 1],
  [STATE.avxBlocked, 2],
]);

/** A helper that takes operands and yields a result; it looks at no register and no flag, and changes none. */
export const isArithmetic = (helper: string): boolean => /^(sse|fma|f16c)_/.test(helper);

/** What is known to be zero behind a statement that raises an exception otherwise. */
export function blockedCheck(statement: Statement): number {
  return statement.kind === "if" && statement.otherwise.length === 0 && raises(statement.then)
    ? slotsIn(statement.condition)
    : 0;
}

function slotsIn({ node }: Value): number {
  if (node.op === "readState") return BLOCKED_SLOTS.get(node.slot) ?? 0;
  return operandsOf(node).reduce((bits, operand) => bits | slotsIn(operand), 0);
}

/** All ways through end in an exception. */
export function raises(statements: readonly Statement[]): boolean {
  const last = statements.at(-1);
  return last?.kind === "raise" || (last?.kind === "if" && raises(last.then) && raises(last.otherwise));
}

const prepared = new Map<number, PreparedForm | undefined>();

/** Undefined for forms that the JIT leaves to the interpreter. */
export function preparedForm(id: number, quiet: boolean): PreparedForm | undefined {
  const key = id * 2 + (quiet ? 1 : 0);
  if (prepared.has(key)) return prepared.get(key);
  const form = FORMS[id];
  const result = form && prepare(form, quiet);
  prepared.set(key, result);
  return result;
}

function prepare(form: Form, quiet: boolean): PreparedForm | undefined {
  const original = fragmentOf(form);
  const body = quiet ? withoutFlags(original.body) : original.body;
  const { fragment, checks } = withoutSegmentHelpers(mergeDuplicates({ ...original, body }));
  const statements = allStatements(fragment.body);
  if (isUnsupported(statements)) return undefined;
  const helpers = helpersOf(fragment);
  return {
    form,
    fragment,
    placement: placeValues(fragment, { flagOperandUses }),
    exits: new Set(statements.flatMap((statement) => (statement.kind === "exit" ? [statement.exit.to] : []))),
    changesSystem: statements.some((statement) => changes(statement) & PART.system),
    onlyMasks: changesMasksOnly(statements),
    callsSystem: form.row.mnemonic === "SYSCALL" && form.info.mode === "64",
    mayVoidCode: statements.some(isStore) || callsForEffect(form, fragment),
    repeats: statements.some(repeats),
    plainStores: hasPlainStores(fragment.body, statements) && !callsForEffect(form, fragment),
    registers: registersOf(fragment.body, statements),
    segmentChecks: checks,
    observesFlags:
      checks.size > 0 || statements.some(mayLeave) || someValue(statements.flatMap(valuesOf), observesFlags),
    replacesFlags: fragment.body.some(replacesFlags),
    checks: fragment.body.reduce((bits, statement) => bits | blockedCheck(statement), 0),
    mayBlock: [...helpers.keys()].some((helper) => !isArithmetic(helper)),
    mayBeConstant: constantsOf(statements, fragment.valueCount),
    floats: floatsOf(statements),
    helpers,
    flagBranches: new Set(
      statements.filter((statement) => statement.kind === "if" && bodiesOf(statement).some(touchesFlags)),
    ),
  };
}

/** No later operation can see what it does to the flags. What was computed only for them is then not needed. */
function withoutFlags(body: readonly Statement[]): Statement[] {
  return body.flatMap((statement): Statement[] => {
    switch (statement.kind) {
      case "setFlags":
      case "writeFlag":
      case "writeArithmeticFlags":
        return [];
      case "if": {
        const then = withoutFlags(statement.then);
        const otherwise = withoutFlags(statement.otherwise);
        return then.length + otherwise.length === 0 ? [] : [{ ...statement, then, otherwise }];
      }
      default:
        return [statement];
    }
  });
}

const MASKS: ReadonlySet<StateSlot> = new Set([STATE.systemFlags, STATE.interruptShadow]);
/** Helpers that change nothing else: virtual interrupts; PAUSE may end the run, which every edge looks for. */
const MASK_HELPERS: ReadonlySet<string> = new Set(["setVirtualInterrupt", "alignmentFlagSet", "pause"]);

/** With one way on, so that what follows is written once. */
function changesMasksOnly(statements: readonly Statement[]): boolean {
  const exits = statements.filter(({ kind }) => kind === "exit");
  const changing = statements.filter((statement) => (changes(statement) & PART.system) !== 0);
  return exits.length === 1 && changing.length > 0 && changing.every(changesMasks);
}

function changesMasks(statement: Statement): boolean {
  if (statement.kind === "writeState") return MASKS.has(statement.slot);
  if (statement.kind !== "define" || statement.value.node.op !== "callHelper") return false;
  return MASK_HELPERS.has(statement.value.node.helper);
}

const MAX_PLAIN_STORES = 2;

const isStore = ({ kind }: Statement): boolean => kind === "store";

function hasPlainStores(body: readonly Statement[], all: readonly Statement[]): boolean {
  const stores = all.filter(isStore).length;
  return stores <= MAX_PLAIN_STORES && stores === body.filter(isStore).length;
}

function mayLeave({ kind }: Statement): boolean {
  return kind === "store" || kind === "raise" || kind === "exit";
}

function observesFlags(node: ValueNode): boolean {
  switch (node.op) {
    case "readFlag":
    case "condition":
    case "readFlags":
    case "load":
    case "translate":
    case "callHelper":
      return true;
    default:
      return false;
  }
}

/** INC and DEC keep CF. */
function replacesFlags(statement: Statement): boolean {
  if (statement.kind === "writeArithmeticFlags") return true;
  return statement.kind === "setFlags" && statement.operation !== "inc" && statement.operation !== "dec";
}

const repeats = (statement: Statement): boolean =>
  statement.kind === "loop" || (statement.kind === "exit" && statement.exit.to === "repeat");

/** Repeated input and output stays with the interpreter: devices decide what it costs. */
const isUnsupported = (statements: readonly Statement[]): boolean =>
  statements.some(repeats) && statements.some((statement) => (changes(statement) & PART.system) !== 0);

/** How often the words of a flag update (flag-forms.ts) look at its operands. */
function flagOperandUses({ operation }: Statement & { kind: "setFlags" }): readonly [number, number, number] {
  if (operation === "logic" || operation === "inc" || operation === "dec") return [0, 0, 1];
  if (operation === "adc" || operation === "sbb") return [2, 2, 3];
  return operation === "add" ? [0, 1, 1] : [1, 1, 1];
}

/** Helpers that a frequent form calls in a branch only are arithmetic; all others may write memory. */
function callsForEffect(form: Form, fragment: Fragment): boolean {
  const calls = ({ kind, value }: Statement & { value?: Value }): boolean =>
    kind === "define" && value?.node.op === "callHelper" && !isArithmetic(value.node.helper);
  if (fragment.body.some(calls)) return true;
  return (form.cold || form.row.mnemonic === "ENTER") && allStatements(fragment.body).some(calls);
}

export type FloatType = "f32" | "f64";

/** The float that a value has the bits of. */
export function floatOf({ node }: Value): { readonly type: FloatType; readonly float: Value } | undefined {
  if (node.op !== "pure") return undefined;
  const [inner] = node.args as readonly [Value];
  if (node.name === "i64.reinterpret_f64") return { type: "f64", float: inner };
  const { node: narrow } = inner;
  return node.name === "i64.extend_i32_u" && narrow.op === "pure" && narrow.name === "i32.reinterpret_f32"
    ? { type: "f32", float: narrow.args[0] as Value }
    : undefined;
}

/** The value that a float has the bits of: an i64, zero-extended. */
export function bitsOf({ node }: Value): { readonly type: FloatType; readonly bits: Value } | undefined {
  if (node.op !== "pure") return undefined;
  const [inner] = node.args as readonly [Value];
  if (node.name === "f64.reinterpret_i64") return { type: "f64", bits: inner };
  const { node: narrow } = inner;
  return node.name === "f32.reinterpret_i32" && narrow.op === "pure" && narrow.name === "i32.wrap_i64"
    ? { type: "f32", bits: narrow.args[0] as Value }
    : undefined;
}

function floatsOf(statements: readonly Statement[]): Map<number, FloatType> {
  const floats = new Map<number, FloatType>();
  for (const statement of statements) {
    const type = statement.kind === "setVariable" && floatOf(statement.value)?.type;
    if (type) floats.set((statement as { variable: Variable }).variable.id, type);
  }
  return floats;
}

/** Pure operations that one constant operand can be enough for (operation-constants.ts). */
const ABSORBING: ReadonlySet<string> = new Set(["i64.shl", "i64.and", "i64.lt_u", "i64.le_u"]);

function constantsOf(statements: readonly Statement[], count: number): Uint8Array {
  const may = new Uint8Array(count);
  const seen = new Uint8Array(count);
  const visit = ({ id, node }: Value): boolean => {
    if (seen[id]) return may[id] !== 0;
    seen[id] = 1;
    const operands = operandsOf(node).map(visit);
    const is = node.op === "pure" && ABSORBING.has(node.name) ? operands.includes(true) : mayBeConstant(node, operands);
    may[id] = is ? 1 : 0;
    return is;
  };
  for (const statement of statements) valuesOf(statement).forEach(visit);
  return may;
}

function mayBeConstant(node: ValueNode, operands: readonly boolean[]): boolean {
  switch (node.op) {
    case "const":
    case "field":
    case "readState":
    case "readSegment":
      return true;
    case "readRegister":
      // Where there is no base or index: ModRM.reg always names a register.
      return node.file === "general" && !(node.selector.kind === "field" && node.selector.field === "reg");
    case "pure":
      return !operands.includes(false);
    default:
      return false;
  }
}

function touchesFlags(body: readonly Statement[]): boolean {
  const statements = allStatements(body);
  const writes = ({ kind }: Statement): boolean =>
    kind === "setFlags" || kind === "writeFlag" || kind === "writeArithmeticFlags";
  return statements.some(writes) || someValue(statements.flatMap(valuesOf), readsFlags);
}

function valuesOf(statement: Statement): readonly Value[] {
  return statement.kind === "define" ? [statement.value] : operandsOfStatement(statement);
}

function readsFlags(node: ValueNode): boolean {
  if (node.op === "readFlag" || node.op === "condition" || node.op === "readFlags") return true;
  return node.op === "callHelper" && !isArithmetic(node.helper);
}

const nameOf = (selector: RegisterSelector): string | number =>
  selector.kind === "fixed" ? selector.register : selector.field;

function registersOf(body: readonly Statement[], statements: readonly Statement[]): RegisterUse[] {
  const uses = new Map<string, RegisterUse>();
  const note = (
    file: RegisterFile,
    selector: RegisterSelector,
    reads: boolean,
    writes: boolean,
    upperHalf: RegisterUse["upperHalf"] = "kept",
  ): void => {
    if (file === "general" || file === "vector")
      uses.set(`${file} ${nameOf(selector)} ${reads} ${writes} ${upperHalf}`, {
        file,
        selector,
        reads,
        writes,
        upperHalf,
      });
  };
  const seen = new Set<Value>();
  const visit = (value: Value): void => {
    if (seen.has(value)) return;
    seen.add(value);
    const { node } = value;
    if (node.op === "readRegister" && !node.highPart) note(node.file, node.selector, true, false);
    for (const operand of operandsOf(node)) visit(operand);
  };
  const always = new Set(statements.some(repeats) ? [] : body);
  for (const statement of statements) {
    for (const value of valuesOf(statement)) visit(value);
    if (statement.kind !== "writeRegister" || statement.highPart) continue;
    const { file, selector, size } = statement;
    const isCertain = always.has(statement);
    const upperHalf = size > 4 ? "any" : size === 4 && isCertain ? "cleared" : "kept";
    note(file, selector, !isCertain || size < (file === "vector" ? 16 : 4), true, upperHalf);
  }
  return [...uses.values()];
}
