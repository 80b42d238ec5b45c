// What the JIT knows about a form before it sees an operation: its fragment, where its values are computed, how it ends, and which
// registers it touches. Made once per form and shared by all regions.
import { changes, PART } from "../../ir/effects.ts";
import type { Exit, Fragment, RegisterSelector, Statement, Value } from "../../ir/nodes.ts";
import { mergeDuplicates } from "../../ir/passes/merge-duplicates.ts";
import { type Placement, placeValues } from "../../ir/passes/place-values.ts";
import { allStatements, bodiesOf, operandsOf, operandsOfStatement } from "../../ir/walk.ts";
import { FORMS, type Form, fragmentOf } from "../../x86/forms.ts";
import { helpersOf } from "../interpreter/runtime.ts";
import { withoutSegmentHelpers } from "./flat-segments.ts";

export interface RegisterUse {
  readonly selector: RegisterSelector;
  /** Looked at; or written in part, or only perhaps, so that the rest of it stays. */
  readonly reads: boolean;
  readonly writes: boolean;
}

export interface PreparedForm {
  readonly form: Form;
  readonly fragment: Fragment;
  readonly placement: Placement;
  /** How the form may leave its block. */
  readonly exits: ReadonlySet<Exit["to"]>;
  /** Its exits look for interrupts, so they always leave the region. */
  readonly changesSystem: boolean;
  /** A memory write, its own or a helper's, that may void the code being executed. */
  readonly mayVoidCode: boolean;
  /** It may start over: REP. */
  readonly repeats: boolean;
  /** Its stores are few and unconditional, and nothing else of it may void code. */
  readonly plainStores: boolean;
  /** General registers (and pseudo registers) it reads or writes. */
  readonly registers: readonly RegisterUse[];
  /** Branches in which flags are read or written: the static knowledge of them ends there. */
  readonly flagBranches: ReadonlySet<Statement>;
  /** Whether it reads flags, or may leave with those that operations before it have set. */
  readonly observesFlags: boolean;
  /** Whether it replaces all six flags whatever its operands are. */
  readonly replacesFlags: boolean;
  /** Accesses that a segment does not plainly allow: the region leaves to the interpreter in front of the instruction (flat-segments.ts). */
  readonly segmentChecks: ReadonlySet<Statement>;
  /** Helpers it calls, with the number of their operands. */
  readonly helpers: ReadonlyMap<string, number>;
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
  if (isUnsupported([...allStatements(fragment.body)])) return undefined;
  const statements = [...allStatements(fragment.body)];
  return {
    form,
    fragment,
    placement: placeValues(fragment, { flagOperandUses }),
    exits: new Set(statements.flatMap((statement) => (statement.kind === "exit" ? [statement.exit.to] : []))),
    changesSystem: statements.some((statement) => changes(statement) & PART.system),
    mayVoidCode: statements.some(isStore) || callsForEffect(form, fragment),
    repeats: statements.some(repeats),
    plainStores: hasPlainStores(fragment.body, statements) && !callsForEffect(form, fragment),
    registers: registersOf(fragment.body, statements),
    segmentChecks: checks,
    observesFlags: checks.size > 0 || statements.some(mayLeave) || statements.flatMap(valuesOf).some(observesFlags),
    replacesFlags: fragment.body.some(replacesFlags),
    helpers: helpersOf(fragment),
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

const MAX_PLAIN_STORES = 2;

const isStore = ({ kind }: Statement): boolean => kind === "store";

function hasPlainStores(body: readonly Statement[], all: readonly Statement[]): boolean {
  const stores = all.filter(isStore).length;
  return stores <= MAX_PLAIN_STORES && stores === body.filter(isStore).length;
}

function mayLeave({ kind }: Statement): boolean {
  return kind === "store" || kind === "raise" || kind === "exit";
}

function observesFlags({ node }: Value): boolean {
  switch (node.op) {
    case "readFlag":
    case "condition":
    case "readFlags":
    case "load":
    case "translate":
    case "callHelper":
      return true;
    default:
      return operandsOf(node).some(observesFlags);
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

/** Each operand of a flag update is kept in a local, once. */
function flagOperandUses({ operation }: Statement & { kind: "setFlags" }): readonly [number, number, number] {
  if (operation === "logic") return [0, 0, 1];
  return operation === "inc" || operation === "dec" ? [1, 0, 1] : [1, 1, 1];
}

/** Helpers that a frequent form calls in a branch only are arithmetic; all others may write memory. */
function callsForEffect(form: Form, fragment: Fragment): boolean {
  const calls = (statement: Statement): boolean =>
    statement.kind === "define" && statement.value.node.op === "callHelper";
  if (fragment.body.some(calls)) return true;
  return (form.cold || form.row.mnemonic === "ENTER") && [...allStatements(fragment.body)].some(calls);
}

function touchesFlags(body: readonly Statement[]): boolean {
  return [...allStatements(body)].some((statement) => {
    const { kind } = statement;
    if (kind === "setFlags" || kind === "writeFlag" || kind === "writeArithmeticFlags") return true;
    return valuesOf(statement).some(readsFlags);
  });
}

function valuesOf(statement: Statement): readonly Value[] {
  return statement.kind === "define" ? [statement.value] : operandsOfStatement(statement);
}

function readsFlags({ node }: Value): boolean {
  if (node.op === "readFlag" || node.op === "condition" || node.op === "readFlags" || node.op === "callHelper")
    return true;
  return operandsOf(node).some(readsFlags);
}

function registersOf(body: readonly Statement[], statements: readonly Statement[]): RegisterUse[] {
  const uses = new Map<string, RegisterUse>();
  const note = (selector: RegisterSelector, reads: boolean, writes: boolean): void => {
    uses.set(`${JSON.stringify(selector)} ${reads} ${writes}`, { selector, reads, writes });
  };
  const visit = ({ node }: Value): void => {
    if (node.op === "readRegister" && node.file === "general") note(node.selector, true, false);
    for (const operand of operandsOf(node)) visit(operand);
  };
  const always = new Set(statements.some(repeats) ? [] : body);
  for (const statement of statements) {
    for (const value of valuesOf(statement)) visit(value);
    if (statement.kind !== "writeRegister" || statement.file !== "general") continue;
    note(statement.selector, !always.has(statement) || statement.size < 4, true);
  }
  return [...uses.values()];
}
