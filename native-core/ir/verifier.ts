// Checks a fragment: operand types, definitions before uses along structured control flow, variables set before they are read,
// and that nothing follows an exit or a raise in the same list.
import { assert } from "../common/assert.ts";
import type { Fragment, Statement, Value, ValueType } from "./nodes.ts";
import { PURE_OPS } from "./ops.ts";
import { bodiesOf, operandsOf, operandsOfStatement } from "./walk.ts";

/** Throws with a description of the first fault found. */
export function verifyFragment(fragment: Fragment): void {
  verifyBody(fragment.body, { values: new Set(), variables: new Set() });
}

/** What is certainly defined at a point. */
interface Scope {
  readonly values: ReadonlySet<number>;
  readonly variables: ReadonlySet<number>;
}

function verifyBody(body: readonly Statement[], outer: Scope): Scope {
  const values = new Set(outer.values);
  const variables = new Set(outer.variables);
  let ended = false;
  for (const statement of body) {
    assert(!ended || isPureDefinition(statement), `nothing follows an exit, but ${statement.kind} does`);
    if (statement.kind === "loop") {
      const inner = verifyBody(statement.body, { values, variables });
      verifyValue(statement.again, inner);
      for (const variable of inner.variables) variables.add(variable);
    } else {
      for (const operand of operandsOfStatement(statement)) verifyValue(operand, { values, variables });
      const inner = bodiesOf(statement).map((nested) => verifyBody(nested, { values, variables }));
      const [first, second] = inner;
      if (first && second) {
        for (const variable of first.variables) if (second.variables.has(variable)) variables.add(variable);
      }
    }
    verifyTypes(statement);
    if (statement.kind === "define") {
      const { node, id } = statement.value;
      if (node.op === "getVariable")
        assert(variables.has(node.variable.id), `variable ${node.variable.id} is set before it is read`);
      verifyOperandTypes(statement.value);
      values.add(id);
    }
    if (statement.kind === "setVariable") variables.add(statement.variable.id);
    ended ||= statement.kind === "exit" || statement.kind === "raise";
  }
  return { values, variables };
}

/** The builder lists pure values where they were asked for, even behind an exit; they do nothing. */
function isPureDefinition(statement: Statement): boolean {
  return statement.kind === "define" && (statement.value.node.op === "pure" || statement.value.node.op === "const");
}

function verifyValue(value: Value, scope: Scope): void {
  const { op } = value.node;
  if (op === "const" || op === "field") return;
  assert(scope.values.has(value.id), `value ${value.id} (${op}) is defined before it is used`);
}

function verifyOperandTypes(value: Value): void {
  const { node } = value;
  if (node.op === "pure") {
    const { params, result } = PURE_OPS[node.name];
    assert(value.type === result, `${node.name} yields ${result}`);
    node.args.forEach((arg, i) => {
      expectType(arg, params[i] as ValueType, node.name);
    });
  } else {
    for (const operand of operandsOf(node)) expectType(operand, "i64", node.op);
  }
}

function verifyTypes(statement: Statement): void {
  switch (statement.kind) {
    case "setVariable":
      return expectType(statement.value, statement.variable.type, "setVariable");
    case "writeState":
    case "writeArithmeticFlags":
      return expectType(statement.value, "i64", statement.kind);
    case "writeFlag":
      return expectType(statement.value, "i32", "writeFlag");
    case "writeRegister":
    case "store":
      return expectType(statement.value, statement.size === 16 ? "v128" : "i64", statement.kind);
    case "setFlags":
      for (const operand of operandsOfStatement(statement)) expectType(operand, "i64", "setFlags");
      return;
    case "hostCopy":
    case "hostFill":
      for (const operand of operandsOfStatement(statement)) expectType(operand, "i32", statement.kind);
      return;
    case "if":
      return expectType(statement.condition, "i32", "if");
    case "loop":
      return expectType(statement.again, "i32", "loop");
    case "exit":
      if (statement.exit.to === "indirect") expectType(statement.exit.target, "i64", "exit");
      return;
    default:
  }
}

function expectType(value: Value, type: ValueType, where: string): void {
  assert(value.type === type, `${where}: value ${value.id} is ${value.type}, not ${type}`);
}
