// Prints a fragment as text, one statement a line: for golden tests and for reading what an instruction does.
import type { Fragment, Statement, Value, ValueNode } from "./nodes.ts";
import { bodiesOf, operandsOfStatement } from "./walk.ts";

export function printFragment(fragment: Fragment): string {
  return printBody(fragment.body, "");
}

function printBody(body: readonly Statement[], indent: string): string {
  return body.map((statement) => printStatement(statement, indent)).join("");
}

function printStatement(statement: Statement, indent: string): string {
  if (statement.kind === "define")
    return `${indent}v${statement.value.id}:${statement.value.type} = ${printNode(statement.value.node)}\n`;
  if (statement.kind === "exit") {
    const target = statement.exit.to === "indirect" ? ` ${printOperand(statement.exit.target)}` : "";
    return `${indent}exit ${statement.exit.to}${target}\n`;
  }
  const operands = operandsOfStatement(statement).map(printOperand).join(", ");
  const head = `${indent}${statement.kind}${printDetails(statement)}${operands ? ` ${operands}` : ""}\n`;
  const bodies = bodiesOf(statement).map((nested) => printBody(nested, `${indent}  `));
  return head + bodies.filter((text) => text !== "").join(`${indent}else\n`);
}

function printDetails(statement: Statement): string {
  switch (statement.kind) {
    case "setVariable":
      return ` $${statement.variable.id}`;
    case "writeState":
      return ` 0x${statement.slot.offset.toString(16)}`;
    case "writeRegister": {
      const { file, selector, size } = statement;
      return ` ${file}${selector.kind === "field" ? `[${selector.field}]` : selector.register}.${size}`;
    }
    case "setFlags":
      return ` ${statement.operation}.${statement.size}`;
    case "writeFlag":
      return ` ${statement.flag}`;
    case "store":
      return `.${statement.size}`;
    case "raise":
      return ` ${statement.vector}`;
    default:
      return "";
  }
}

function printNode(node: ValueNode): string {
  switch (node.op) {
    case "const":
      return String(node.value);
    case "pure":
      return `${node.name} ${node.args.map(printOperand).join(", ")}${node.immediate ? ` [${node.immediate}]` : ""}`;
    case "field":
      return `field ${node.field}`;
    case "getVariable":
      return `$${node.variable.id}`;
    case "readState":
      return `state 0x${node.slot.offset.toString(16)}`;
    case "readRegister":
      return `${node.file}${node.selector.kind === "field" ? `[${node.selector.field}]` : node.selector.register}.${node.size}`;
    case "readSegment":
      return `segment ${node.segment} ${node.part}`;
    case "readFlag":
      return `flag ${node.flag}`;
    case "condition":
      return `condition ${node.code}`;
    case "readFlags":
      return "flags";
    case "load":
      return `load${node.forWrite ? "ForWrite" : ""}.${node.size} ${printOperand(node.address)}`;
    case "translate":
      return `translate${node.write ? "ForWrite" : ""} ${printOperand(node.address)}`;
    case "callHelper":
      return `helper ${node.helper} ${node.args.map(printOperand).join(", ")}`;
  }
}

function printOperand(value: Value): string {
  const { node } = value;
  return node.op === "const" || node.op === "field" ? printNode(node) : `v${value.id}`;
}
