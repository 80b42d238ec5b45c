// Walks over fragments: the operands of values and statements, in evaluation order.
import type { Statement, Value, ValueNode } from "./nodes.ts";

/** The values a value is computed from. */
export function operandsOf(node: ValueNode): readonly Value[] {
  switch (node.op) {
    case "pure":
    case "callHelper":
      return node.args;
    case "load":
    case "translate":
      return [node.address];
    default:
      return [];
  }
}

/** The values a statement uses itself, not those of statements nested in it; for `define`, the operands of what it defines. */
export function operandsOfStatement(statement: Statement): readonly Value[] {
  switch (statement.kind) {
    case "define":
      return operandsOf(statement.value.node);
    case "setVariable":
    case "writeState":
    case "writeRegister":
    case "writeFlag":
    case "writeArithmeticFlags":
      return [statement.value];
    case "setFlags":
      return [statement.a, statement.b, statement.result];
    case "store":
      return [statement.address, statement.value];
    case "hostCopy":
      return [statement.target, statement.source, statement.bytes];
    case "hostFill":
      return [statement.target, statement.byte, statement.bytes];
    case "if":
      return [statement.condition];
    case "loop":
      return [statement.again];
    case "raise":
      return statement.errorCode ? [statement.errorCode] : [];
    case "exit":
      return statement.exit.to === "indirect" ? [statement.exit.target] : [];
  }
}

/** The statement lists nested in a statement. */
export function bodiesOf(statement: Statement): readonly (readonly Statement[])[] {
  if (statement.kind === "if") return [statement.then, statement.otherwise];
  return statement.kind === "loop" ? [statement.body] : [];
}

/** Every statement, outer ones before those nested in them. */
export function allStatements(body: readonly Statement[]): Statement[] {
  const all: Statement[] = [];
  const collect = (statements: readonly Statement[]): void => {
    for (const statement of statements) {
      all.push(statement);
      for (const nested of bodiesOf(statement)) collect(nested);
    }
  };
  collect(body);
  return all;
}

/** Whether a predicate holds for one of the values or for anything that they are computed from. */
export function someValue(values: readonly Value[], holds: (node: ValueNode) => boolean): boolean {
  const seen = new Set<Value>();
  const visit = (value: Value): boolean => {
    if (seen.has(value)) return false;
    seen.add(value);
    return holds(value.node) || operandsOf(value.node).some(visit);
  };
  return values.some(visit);
}

/** Whether a value must be computed even if nobody uses it: it may fault, or act outside. */
export function hasEffect(node: ValueNode): boolean {
  return node.op === "load" || node.op === "translate" || node.op === "callHelper";
}
