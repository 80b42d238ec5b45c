import { describe, expect, it } from "vitest";
import { HELPERS } from "../../../native-core/cpu/helpers/registry.ts";
import type { Fragment, Statement, Value } from "../../../native-core/ir/nodes.ts";
import { FORMS, fragmentOf } from "../../../native-core/x86/forms.ts";

function statements(body: readonly Statement[]): Statement[] {
  return body.flatMap((statement) => {
    if (statement.kind === "if") return [statement, ...statements(statement.then), ...statements(statement.otherwise)];
    if (statement.kind === "loop") return [statement, ...statements(statement.body)];
    return [statement];
  });
}

function helpersOf(fragment: Fragment): string[] {
  return statements(fragment.body).flatMap((statement) => {
    const node = statement.kind === "define" ? (statement.value as Value).node : undefined;
    return node?.op === "callHelper" ? [node.helper] : [];
  });
}

describe("forms", () => {
  it("have ids in order that fit the handler field and stay few", () => {
    expect(FORMS.map(({ id }) => id)).toEqual(FORMS.map((_, n) => n));
    expect(FORMS.length).toBeLessThan(4000);
  });

  it("all have a fragment", () => {
    for (const form of FORMS) {
      const where = `${form.row.mnemonic} ${form.row.opcode} ${form.row.operands}`;
      expect(() => fragmentOf(form), where).not.toThrow();
    }
  });

  it("only end the block where the row says so", () => {
    for (const form of FORMS) {
      const exits = statements(fragmentOf(form).body).filter(({ kind }) => kind === "exit");
      const leaves = exits.some((exit) => exit.kind === "exit" && exit.exit.to !== "repeat");
      if (leaves) expect(form.endsBlock, `${form.row.mnemonic} ${form.row.opcode}`).toBe(true);
    }
  });

  it("name only helpers that exist", () => {
    const missing = new Set(FORMS.flatMap((form) => helpersOf(fragmentOf(form))).filter((name) => !(name in HELPERS)));
    expect([...missing]).toEqual([]);
  });
});
