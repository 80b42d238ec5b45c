// The binary module writer: what it writes is valid WebAssembly and does what was written.
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../../native-core/wasm/byte-writer.ts";
import {
  add32,
  block,
  br,
  brIf,
  call,
  choose,
  eq32,
  get,
  i32,
  i64,
  load,
  loop,
  op,
  set,
  store,
  sub32,
} from "../../../native-core/wasm/code.ts";
import { FunctionWriter } from "../../../native-core/wasm/function-writer.ts";
import { ModuleWriter } from "../../../native-core/wasm/module-writer.ts";
import { OPCODES } from "../../../native-core/wasm/opcodes.ts";
import { printFunction } from "../../../native-core/wasm/printer.ts";
import type { Local } from "../../../native-core/wasm/types.ts";

const instantiate = (module: ModuleWriter, imports: WebAssembly.Imports = {}) =>
  new WebAssembly.Instance(new WebAssembly.Module(module.finish()), imports).exports as Record<
    string,
    CallableFunction
  >;

describe("LEB128", () => {
  it("encodes unsigned and signed numbers as the specification does", () => {
    const unsigned = (value: number) => [...new ByteWriter().unsigned(value).finish()];
    const signed = (value: bigint | number) => [...new ByteWriter().signed(value).finish()];
    expect(unsigned(0)).toEqual([0]);
    expect(unsigned(624485)).toEqual([0xe5, 0x8e, 0x26]);
    expect(unsigned(0xffff_ffff)).toEqual([0xff, 0xff, 0xff, 0xff, 0x0f]);
    expect(signed(-123456n)).toEqual([0xc0, 0xbb, 0x78]);
    expect(signed(63n)).toEqual([0x3f]);
    expect(signed(64n)).toEqual([0xc0, 0x00]);
    expect(signed(-64n)).toEqual([0x40]);
  });

  it("encodes a number as the equal bigint, whatever its length", () => {
    const decoded = (bytes: Uint8Array) =>
      BigInt.asIntN(
        64,
        bytes.reduce((sum, byte, n) => sum | (BigInt(byte & 0x7f) << BigInt(7 * n)), 0n) |
          ((bytes.at(-1) ?? 0) & 0x40 ? -1n << BigInt(7 * bytes.length) : 0n),
      );
    for (let shift = 0n; shift < 64n; shift++) {
      for (const value of [1n << shift, (1n << shift) - 1n, -1n << shift, ~(1n << shift)].map((n) =>
        BigInt.asIntN(64, n),
      )) {
        const bytes = new ByteWriter().signed(value).finish();
        expect(decoded(bytes)).toBe(value);
        expect(bytes.length).toBeLessThanOrEqual(Math.ceil((Number(shift) + 2) / 7));
        if (Number.isSafeInteger(Number(value))) expect(new ByteWriter().signed(Number(value)).finish()).toEqual(bytes);
      }
    }
  });
});

describe("module writer", () => {
  it("writes structured control, locals and calls", () => {
    const module = new ModuleWriter();
    const double = module.declare("double", ["i32"], ["i32"]);
    const sum = module.declare("sum", ["i32"], ["i32"]);
    const f = module.define(sum);
    const [n] = f.params as [Local];
    const total = f.local("i32");
    block((done) => [
      loop((next) => [
        brIf(done, op("i32.eqz", get(n))),
        set(total, add32(get(total), call(double, get(n)))),
        set(n, sub32(get(n), i32(1))),
        br(next),
      ]),
    ])(f);
    get(total)(f);
    const g = module.define(double);
    add32(get(g.params[0] as Local), get(g.params[0] as Local))(g);
    module.export("sum", sum);
    expect(instantiate(module)["sum"]?.(10)).toBe(110);
  });

  it("addresses two memories, imported and defined, with data", () => {
    const module = new ModuleWriter();
    const first = module.importMemory("env", "first", { minimum: 1 });
    const second = module.memory({ minimum: 1, maximum: 2 });
    module.data(second, 8, Uint8Array.of(1, 2, 3, 4));
    module.exportMemory("second", second);
    const copy = module.declare("copy", []);
    const f = module.define(copy);
    store("i32.store", i32(16), load("i32.load", i32(8), 0, second), 4, first)(f);
    module.export("copy", copy);
    const memory = new WebAssembly.Memory({ initial: 1 });
    instantiate(module, { env: { first: memory } })["copy"]?.();
    expect(new DataView(memory.buffer).getUint32(20, true)).toBe(0x0403_0201);
  });

  it("calls through tables and keeps globals", () => {
    const module = new ModuleWriter();
    const counter = module.global("i64", 5n);
    const bump = module.declare("bump", [], ["i64"]);
    const f = module.define(bump);
    f.index("global.get", counter);
    f.i64(1n);
    f.emit("i64.add");
    f.index("global.set", counter);
    f.index("global.get", counter);
    const indirect = module.declare("indirect", ["i32"], ["i64"]);
    const g = module.define(indirect);
    get(g.params[0] as Local)(g);
    g.callIndirect(module.typeIndex({ params: [], results: ["i64"] }), module.table({ minimum: 2 }));
    module.elements(0, 1, [bump]);
    module.export("indirect", indirect);
    const exports = instantiate(module);
    expect(exports["indirect"]?.(1)).toBe(6n);
    expect(exports["indirect"]?.(1)).toBe(7n);
    expect(() => exports["indirect"]?.(0)).toThrow();
  });

  it("accepts branch hints without changing what the code does", () => {
    const module = new ModuleWriter();
    const pick = module.declare("pick", ["i32"], ["i64"]);
    const f = module.define(pick);
    choose("i64", eq32(get(f.params[0] as Local), i32(3)), i64(1), i64(2), false)(f);
    module.export("pick", pick);
    const bytes = module.finish();
    expect(new TextDecoder("latin1").decode(bytes)).toContain("metadata.code.branch_hint");
    const exports = instantiate(module);
    expect([exports["pick"]?.(3), exports["pick"]?.(4)]).toEqual([1n, 2n]);
  });

  it("refuses a branch out of its block and a body that is left open", () => {
    const module = new ModuleWriter();
    const f = module.define(module.declare("f", []));
    const label = f.open("block");
    f.close(label);
    expect(() => f.br(label)).toThrow("open block");
    f.open("loop");
    expect(() => module.finish()).toThrow("closed");
  });
});

describe("opcode table", () => {
  it("gives every instruction an encoding of its own", () => {
    const codes = Object.values(OPCODES);
    expect(new Set(codes).size).toBe(codes.length);
  });
});

describe("printer", () => {
  it("prints one instruction a line, indented by nesting", () => {
    const writer = new FunctionWriter("clamp", { params: ["i32"], results: ["i32"] }, true);
    choose(
      "i32",
      op("i32.lt_s", get(writer.params[0] as Local), i32(0)),
      i32(0),
      get(writer.params[0] as Local),
    )(writer);
    expect(printFunction(writer)).toBe(
      [
        "func clamp (i32) -> (i32)",
        "  local.get 0",
        "  i32.const 0",
        "  i32.lt_s",
        "  if i32",
        "    i32.const 0",
        "  else",
        "    local.get 0",
        "  end",
        "",
      ].join("\n"),
    );
  });
});
