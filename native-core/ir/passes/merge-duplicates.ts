// Merges values that are the same: equal pure expressions, equal fields and constants, and reads of a part of the machine that did not
// change in between (value numbering within structured control flow).
import { changes, dependsOn } from "../effects.ts";
import type { Fragment, Statement, Value, ValueNode } from "../nodes.ts";
import { bodiesOf, hasEffect, operandsOf } from "../walk.ts";

export function mergeDuplicates(fragment: Fragment): Fragment {
  return { ...fragment, body: new Merger().statements(fragment.body) };
}

class Merger {
  /** Value by key; keys of reads carry the epoch of what they depend on, so stale ones are never found. */
  #known = new Map<string, Value>();
  readonly #replacement = new Map<number, Value>();
  /** Epoch of each part of the machine, by bit number. */
  #epochs = new Array<number>(8).fill(0);
  #nextEpoch = 1;

  statements(body: readonly Statement[]): Statement[] {
    const out: Statement[] = [];
    for (const statement of body) {
      const rewritten = this.#statement(statement);
      if (rewritten) out.push(rewritten);
    }
    return out;
  }

  #statement(statement: Statement): Statement | undefined {
    switch (statement.kind) {
      case "define": {
        const value = this.#value(statement.value);
        this.#changed(changes(statement));
        // Merged into an earlier one: that one has its own statement.
        return value.id === statement.value.id ? { kind: "define", value } : undefined;
      }
      case "if": {
        const condition = this.#value(statement.condition);
        const then = this.#nested(statement.then);
        const otherwise = this.#nested(statement.otherwise);
        this.#changedIn(statement);
        return { ...statement, condition, then, otherwise };
      }
      case "loop": {
        this.#changedIn(statement);
        const outer = this.#known;
        this.#known = new Map(outer);
        const body = this.statements(statement.body);
        const again = this.#value(statement.again);
        this.#known = outer;
        this.#changedIn(statement);
        return { ...statement, body, again };
      }
      default: {
        const rewritten = this.#operands(statement);
        this.#changed(changes(statement));
        return rewritten;
      }
    }
  }

  #operands(statement: Statement): Statement {
    const v = (value: Value) => this.#value(value);
    switch (statement.kind) {
      case "setVariable":
      case "writeState":
      case "writeRegister":
      case "writeFlag":
      case "writeArithmeticFlags":
        return { ...statement, value: v(statement.value) };
      case "setFlags":
        return { ...statement, a: v(statement.a), b: v(statement.b), result: v(statement.result) };
      case "store":
        return { ...statement, address: v(statement.address), value: v(statement.value) };
      case "hostCopy":
        return { ...statement, target: v(statement.target), source: v(statement.source), bytes: v(statement.bytes) };
      case "hostFill":
        return { ...statement, target: v(statement.target), byte: v(statement.byte), bytes: v(statement.bytes) };
      case "raise":
        return statement.errorCode ? { ...statement, errorCode: v(statement.errorCode) } : statement;
      case "exit":
        return statement.exit.to === "indirect"
          ? { ...statement, exit: { to: "indirect", target: v(statement.exit.target) } }
          : statement;
      default:
        return statement;
    }
  }

  #nested(body: readonly Statement[]): Statement[] {
    const outer = this.#known;
    const epochs = [...this.#epochs];
    this.#known = new Map(outer);
    const out = this.statements(body);
    this.#known = outer;
    this.#epochs = epochs;
    return out;
  }

  #changedIn(statement: Statement): void {
    for (const body of bodiesOf(statement)) {
      for (const nested of body) {
        this.#changed(changes(nested));
        this.#changedIn(nested);
      }
    }
  }

  #changed(parts: number): void {
    if (parts === 0) return;
    this.#nextEpoch++;
    for (let bit = 0; bit < 8; bit++) if (parts & (1 << bit)) this.#epochs[bit] = this.#nextEpoch;
  }

  #value(value: Value): Value {
    const replaced = this.#replacement.get(value.id);
    if (replaced) return replaced;
    const node = this.#rewriteOperands(value.node);
    const key = this.#key(value, node);
    const known = key === undefined ? undefined : this.#known.get(key);
    const result = known ?? (node === value.node ? value : { ...value, node });
    if (key !== undefined && !known) this.#known.set(key, result);
    this.#replacement.set(value.id, result);
    return result;
  }

  #rewriteOperands(node: ValueNode): ValueNode {
    const before = operandsOf(node);
    if (before.length === 0) return node;
    const after = before.map((operand) => this.#value(operand));
    if (after.every((operand, i) => operand === before[i])) return node;
    if (node.op === "pure" || node.op === "callHelper") return { ...node, args: after };
    return { ...node, address: after[0] as Value } as ValueNode;
  }

  /** Equal keys mean equal values; undefined for what must not be merged. */
  #key(value: Value, node: ValueNode): string | undefined {
    if (hasEffect(node) || node.op === "getVariable") return undefined;
    switch (node.op) {
      case "const":
        return `const ${value.type} ${Object.is(node.value, -0) ? "-0" : node.value}`;
      case "pure":
        return `${node.name} ${node.args.map((arg) => arg.id).join()} ${node.immediate?.join() ?? ""}`;
      default: {
        const parts = dependsOn(node);
        return `${JSON.stringify(node)} ${this.#epochs.filter((_, bit) => parts & (1 << bit)).join()}`;
      }
    }
  }
}
