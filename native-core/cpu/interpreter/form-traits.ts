// What a form means to flags that an earlier operation of its block has set, and whether it leads to computed targets (handler-table.ts):
// derived from its fragment.
import type { Fragment, Statement, Value } from "../../ir/nodes.ts";
import { allStatements, operandsOf, operandsOfStatement } from "../../ir/walk.ts";
import type { Form } from "../../x86/forms.ts";
import { FORM_TRAIT } from "./handler-table.ts";

export function traitsOf({ row }: Form, fragment: Fragment): number {
  const statements = allStatements(fragment.body);
  return flagTraits(fragment, statements) | targetTraits(row.mnemonic, statements);
}

/** Returns are not among them: they lead to where they were called from. */
function targetTraits(mnemonic: string, statements: readonly Statement[]): number {
  const exits = statements.flatMap((statement) => (statement.kind === "exit" ? [statement.exit.to] : []));
  if (exits.length === 0 || exits.some((to) => to !== "indirect")) return 0;
  if (mnemonic === "JMP") return FORM_TRAIT.computedJump;
  return mnemonic === "CALL" ? FORM_TRAIT.computedCall : 0;
}

function flagTraits(fragment: Fragment, statements: readonly Statement[]): number {
  if (statements.some(mayLeave) || statements.some(observes)) return FORM_TRAIT.observesFlags;
  return fragment.body.some(replaces) ? FORM_TRAIT.replacesFlags : 0;
}

function mayLeave({ kind }: Statement): boolean {
  return kind === "store" || kind === "raise" || kind === "exit" || kind === "loop";
}

function observes(statement: Statement): boolean {
  // A single flag that is written leaves the others as they were.
  if (statement.kind === "writeFlag") return true;
  if (statement.kind === "setFlags" && (statement.operation === "inc" || statement.operation === "dec")) return true;
  const values = statement.kind === "define" ? [statement.value] : operandsOfStatement(statement);
  return values.some(observesIn);
}

function observesIn(value: Value): boolean {
  switch (value.node.op) {
    case "readFlag":
    case "condition":
    case "readFlags":
    case "load":
    case "translate":
    case "callHelper":
      return true;
    default:
      return operandsOf(value.node).some(observesIn);
  }
}

/** At the top level of the fragment, so that it happens whatever the operands are. */
function replaces(statement: Statement): boolean {
  if (statement.kind === "writeArithmeticFlags") return true;
  return statement.kind === "setFlags" && statement.operation !== "inc" && statement.operation !== "dec";
}
