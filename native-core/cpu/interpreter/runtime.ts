// Functions of the module that handlers share: RFLAGS, routines, helpers.
import type { Fragment, Value } from "../../ir/nodes.ts";
import { allStatements, operandsOf, operandsOfStatement } from "../../ir/walk.ts";
import { get } from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import type { AccessFunctions } from "../mmu/access.ts";
import { defineRoutines } from "../routines/routines.ts";
import { composeFlags, writeArithmeticFlags } from "./lower-flags.ts";
import type { Runtime } from "./target.ts";

/** Imports every helper that the fragments call: i64 operands, i64 result. */
export function importHelpers(module: ModuleWriter, fragments: Iterable<Fragment>): Map<string, FunctionReference> {
  const arity = new Map<string, number>();
  for (const fragment of fragments) {
    for (const [name, count] of helpersOf(fragment)) {
      const known = arity.get(name);
      if (known !== undefined && known !== count)
        throw new Error(`helper ${name} is called with ${known} and ${count} operands`);
      arity.set(name, count);
    }
  }
  const names = [...arity.keys()].sort();
  return new Map(
    names.map((name) => [
      name,
      module.importFunction("helpers", name, new Array(arity.get(name)).fill("i64"), ["i64"]),
    ]),
  );
}

/** Helpers that a fragment calls, with the number of their operands. */
export function helpersOf(fragment: Fragment): Map<string, number> {
  const helpers = new Map<string, number>();
  const pending: Value[] = [];
  for (const statement of allStatements(fragment.body)) {
    if (statement.kind === "define") pending.push(statement.value);
    pending.push(...operandsOfStatement(statement));
  }
  const seen = new Set<number>();
  for (let value = pending.pop(); value; value = pending.pop()) {
    if (seen.has(value.id)) continue;
    seen.add(value.id);
    if (value.node.op === "callHelper") helpers.set(value.node.helper, value.node.args.length);
    pending.push(...operandsOf(value.node));
  }
  return helpers;
}

export function declareRuntime(
  module: ModuleWriter,
  access: AccessFunctions,
  helpers: ReadonlyMap<string, FunctionReference>,
): Runtime {
  const runtime: Runtime = {
    access,
    helpers,
    composeFlags: module.declare("composeFlags", [], ["i64"]),
    writeArithmeticFlags: module.declare("writeArithmeticFlags", ["i64"]),
    routines: defineRoutines(module),
  };
  composeFlags(module.define(runtime.composeFlags));
  const write = module.define(runtime.writeArithmeticFlags);
  writeArithmeticFlags(get(write.params[0] as Local))(write);
  return runtime;
}
