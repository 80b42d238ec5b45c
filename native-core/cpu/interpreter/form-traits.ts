// What a form means to flags that an earlier operation of its block has set (handler-table.ts): derived from its fragment.
import type { Fragment, Statement, Value } from "../../ir/nodes.ts";
import { allStatements, operandsOf, operandsOfStatement } from "../../ir/walk.ts";
import { FORM_TRAIT } from "./handler-table.ts";

export function traitsOf(fragment: Fragment): number {
  const statements = allStatements(fragment.body);
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
