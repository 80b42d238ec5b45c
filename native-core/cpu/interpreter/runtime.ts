// Functions of the module that handlers share: RFLAGS, wide multiplication, helpers.
import type { Fragment, Value } from "../../ir/nodes.ts";
import { allStatements, operandsOf, operandsOfStatement } from "../../ir/walk.ts";
import { add64, and64, type Code, get, i64, op, set, shrU64 } from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import type { AccessFunctions } from "../mmu/access.ts";
import { composeFlags, writeArithmeticFlags } from "./lower-flags.ts";
import type { Runtime } from "./target.ts";

/** Imports every helper that the fragments call: i64 operands, i64 result. */
export function importHelpers(module: ModuleWriter, fragments: Iterable<Fragment>): Map<string, FunctionReference> {
  const arity = new Map<string, number>();
  for (const fragment of fragments) {
    for (const [name, count] of helperCalls(fragment)) {
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
  return new Map(helperCalls(fragment));
}

function* helperCalls(fragment: Fragment): Generator<[string, number]> {
  const pending: Value[] = [];
  for (const statement of allStatements(fragment.body)) {
    if (statement.kind === "define") pending.push(statement.value);
    pending.push(...operandsOfStatement(statement));
  }
  const seen = new Set<number>();
  for (let value = pending.pop(); value; value = pending.pop()) {
    if (seen.has(value.id)) continue;
    seen.add(value.id);
    if (value.node.op === "callHelper") yield [value.node.helper, value.node.args.length];
    pending.push(...operandsOf(value.node));
  }
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
    mulHighU: module.declare("mulHighU", ["i64", "i64"], ["i64"]),
    mulHighS: module.declare("mulHighS", ["i64", "i64"], ["i64"]),
  };
  composeFlags(module.define(runtime.composeFlags));
  const write = module.define(runtime.writeArithmeticFlags);
  writeArithmeticFlags(get(write.params[0] as Local))(write);
  defineMulHigh(module, runtime);
  return runtime;
}

/** Schoolbook multiplication on 32-bit halves; the signed product corrects for negative operands. */
function defineMulHigh(module: ModuleWriter, { mulHighU, mulHighS }: Runtime): void {
  const low = (a: Code): Code => and64(a, i64(0xffff_ffff));
  const high = (a: Code): Code => shrU64(a, 32);
  const mul = (a: Code, b: Code): Code => op("i64.mul", a, b);
  {
    const f = module.define(mulHighU);
    const [a, b] = f.params as [Local, Local];
    const middle = f.local("i64");
    const middle2 = f.local("i64");
    set(middle, add64(mul(high(get(a)), low(get(b))), high(mul(low(get(a)), low(get(b))))))(f);
    set(middle2, add64(mul(low(get(a)), high(get(b))), low(get(middle))))(f);
    add64(mul(high(get(a)), high(get(b))), add64(high(get(middle)), high(get(middle2))))(f);
  }
  {
    const f = module.define(mulHighS);
    const [a, b] = f.params as [Local, Local];
    const sign = (x: Code): Code => op("i64.shr_s", x, i64(63));
    get(a)(f);
    get(b)(f);
    f.call(mulHighU);
    op("i64.sub", and64(sign(get(a)), get(b)))(f);
    op("i64.sub", and64(sign(get(b)), get(a)))(f);
  }
}
