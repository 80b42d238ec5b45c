// The Wasm that handlers are made of, as text: a change here is a change of every such instruction's cost.
import { describe, expect, it } from "vitest";
import { buildInterpreter } from "../../../../native-core/cpu/interpreter/build-interpreter.ts";
import { lowerFragment } from "../../../../native-core/cpu/interpreter/lower-fragment.ts";
import type { LoweringTarget, Runtime } from "../../../../native-core/cpu/interpreter/target.ts";
import { op } from "../../../../native-core/wasm/code.ts";
import { FunctionWriter } from "../../../../native-core/wasm/function-writer.ts";
import { printFunction } from "../../../../native-core/wasm/printer.ts";
import type { FunctionReference, Local } from "../../../../native-core/wasm/types.ts";
import { FORMS, fragmentOf } from "../../../../native-core/x86/forms.ts";

const reference: FunctionReference = { index: 0, name: "slow", type: { params: [], results: [] } };
const runtime = {
  access: {
    load: reference,
    loadForWrite: reference,
    load16: reference,
    store: reference,
    store16: reference,
    translate: reference,
  },
} as unknown as Runtime;

function lowered(mnemonic: string, first: string, second: string, quiet: boolean, simple: boolean): string[] {
  const form = FORMS.find(
    ({ row, info: { mode, size, operands } }) =>
      row.mnemonic === mnemonic &&
      mode === "64" &&
      size === 8 &&
      operands[0]?.kind === first &&
      operands[1]?.kind === second,
  );
  if (!form) throw new Error(`no form of ${mnemonic}`);
  const f = new FunctionWriter(mnemonic, { params: ["i32"], results: [] }, true);
  const stop = () => op("unreachable");
  const target: LoweringTarget = {
    f,
    runtime,
    operation: f.params[0] as Local,
    area: (w) => w.i32(0x10000),
    exits: { linked: stop, indirect: stop, state: stop, repeat: stop, fault: stop },
  };
  lowerFragment(target, fragmentOf(form), { quiet, simple }, false);
  return printFunction(f)
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.trim());
}

describe("emitted code", () => {
  it("of ADD between registers, flags not needed, is two loads, an addition and a store", () => {
    expect(lowered("ADD", "general", "general", true, false)).toMatchInlineSnapshot(`
      [
        "local.get 0",
        "i32.load8_u offset=0x4",
        "local.get 0",
        "i32.load8_u offset=0x4",
        "i64.load",
        "local.get 0",
        "i32.load8_u offset=0x5",
        "i64.load",
        "i64.add",
        "i64.store",
      ]
    `);
  });

  it("of a load without index register has the TLB look-up in line", () => {
    expect(lowered("MOVZX", "general", "memory", false, true)).toMatchInlineSnapshot(`
      [
        "local $1:i64 $2:i64 $3:i32",
        "local.get 0",
        "i32.load8_u offset=0x4",
        "local.get 0",
        "i32.load8_u offset=0x5",
        "i64.load",
        "local.get 0",
        "i64.load32_s offset=0x8",
        "i64.add",
        "local.set 1",
        "local.get 1",
        "i32.wrap_i64",
        "i32.const 8",
        "i32.shr_u",
        "i32.const 262128",
        "i32.and",
        "i32.const 65536",
        "i32.add",
        "local.set 3",
        "local.get 1",
        "local.get 3",
        "i64.load",
        "i64.add",
        "local.tee 2",
        "i64.const 4095",
        "i64.le_u",
        "if i64 ;; likely",
        "local.get 2",
        "i32.wrap_i64",
        "local.get 3",
        "i32.load offset=0x8",
        "i32.add",
        "i64.load8_u offset=0xbc00000",
        "else",
        "local.get 1",
        "i32.const 1",
        "local.get 0",
        "call 0",
        "i32.const 0",
        "i32.load offset=0x2d0",
        "if ;; unlikely",
        "unreachable",
        "end",
        "end",
        "i64.store",
      ]
    `);
  });

  it("of a read-modify-write looks the TLB up once", () => {
    const lines = lowered("ADD", "memory", "general", true, true);
    expect(lines.filter((line) => line === "i64.le_u")).toHaveLength(1);
  });
});

describe("the generator", () => {
  it("makes the same module every time", () => {
    expect(Buffer.compare(buildInterpreter(), buildInterpreter())).toBe(0);
  }, 30_000);
});
