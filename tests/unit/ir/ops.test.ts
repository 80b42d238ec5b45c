// Every pure operation: the definition in the table against the WebAssembly engine.
import { describe, expect, it } from "vitest";
import type { ValueType } from "../../../native-core/ir/nodes.ts";
import { type Constant, PURE_OPS, type PureOpName } from "../../../native-core/ir/ops.ts";
import { ModuleWriter } from "../../../native-core/wasm/module-writer.ts";
import { OPCODES, type OpcodeName } from "../../../native-core/wasm/opcodes.ts";
import { Random } from "../../support/cpu/random.ts";

const names = (Object.keys(PURE_OPS) as PureOpName[]).filter((name) => name in OPCODES);
/** Floating-point lanes: NaN payloads are the engine's choice, so only whether a lane is NaN is compared. */
const isFloat = (name: string): boolean => /^f(32|64)/.test(name);

function immediatesOf(name: string, random: Random): number[] {
  if (name.includes("shuffle")) return Array.from({ length: 16 }, () => random.below(32));
  if (!name.includes("lane")) return [];
  return [random.below(Number(/x(\d+)/.exec(name)?.[1]))];
}

/** A module with one function per operation: operands in memory 0, the result at 64. */
function compile(name: PureOpName, immediate: readonly number[]): { run(): void; memory: DataView } {
  const { params, result } = PURE_OPS[name];
  const module = new ModuleWriter();
  module.exportMemory("memory", module.memory({ minimum: 1 }));
  const run = module.declare("run", []);
  const f = module.define(run);
  f.i32(64);
  params.forEach((param, n) => {
    f.i32(n * 16);
    f.access(`${param}.load` as OpcodeName, 0, 0);
  });
  if (immediate.length > 0) f.lanes(name as OpcodeName, immediate);
  else f.emit(name as OpcodeName);
  f.access(`${result}.store` as OpcodeName, 0, 0);
  module.export("run", run);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()));
  return {
    run: exports["run"] as () => void,
    memory: new DataView((exports["memory"] as WebAssembly.Memory).buffer),
  };
}

function write(memory: DataView, at: number, type: ValueType, value: Constant): void {
  if (type === "i32") memory.setInt32(at, Number(value), true);
  else if (type === "f32") memory.setFloat32(at, Number(value), true);
  else if (type === "f64") memory.setFloat64(at, Number(value), true);
  else {
    memory.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    if (type === "v128") memory.setBigUint64(at + 8, BigInt.asUintN(64, BigInt(value) >> 64n), true);
  }
}

function read(memory: DataView, type: ValueType): Constant {
  switch (type) {
    case "i32":
      return memory.getInt32(64, true);
    case "i64":
      return memory.getBigInt64(64, true);
    case "f32":
      return memory.getFloat32(64, true);
    case "f64":
      return memory.getFloat64(64, true);
    case "v128":
      return memory.getBigUint64(64, true) | (memory.getBigUint64(72, true) << 64n);
  }
}

const FLOATS = [
  0,
  -0,
  1,
  -1,
  0.5,
  1.5,
  2.5,
  -2.5,
  1e10,
  -1e30,
  3e38,
  2 ** 31,
  -(2 ** 31),
  2 ** 63,
  5e-324,
  1e-40,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
];

function operand(type: ValueType, random: Random, floats: boolean): Constant {
  switch (type) {
    case "i32":
      return Number(BigInt.asIntN(32, random.operand()));
    case "i64":
      return BigInt.asIntN(64, random.operand());
    case "f32":
      return Math.fround(random.pick(FLOATS));
    case "f64":
      return random.pick(FLOATS);
    case "v128": {
      if (!floats) return (random.operand() << 64n) | random.operand();
      const bytes = new DataView(new ArrayBuffer(16));
      const wide = random.below(2) === 0;
      for (let at = 0; at < 16; at += wide ? 8 : 4) {
        if (wide) bytes.setFloat64(at, random.pick(FLOATS), true);
        else bytes.setFloat32(at, random.pick(FLOATS), true);
      }
      return bytes.getBigUint64(0, true) | (bytes.getBigUint64(8, true) << 64n);
    }
  }
}

/** NaN lanes of a vector result as one NaN. */
function canonical(name: string, type: ValueType, value: Constant): unknown {
  if (type !== "v128" || !isFloat(name)) return value;
  const bits = name.startsWith("f64") ? 64 : 32;
  const lanes: unknown[] = [];
  for (let shift = 0; shift < 128; shift += bits) {
    const lane = BigInt.asUintN(bits, (value as bigint) >> BigInt(shift));
    const exponent = bits === 64 ? 0x7ff0_0000_0000_0000n : 0x7f80_0000n;
    const nan = (lane & exponent) === exponent && (lane & (exponent ^ ((1n << BigInt(bits - 1)) - 1n))) !== 0n;
    lanes.push(nan ? "NaN" : lane);
  }
  return lanes;
}

describe("pure operations", () => {
  it.each(names)("%s", (name) => {
    const random = new Random(name.length * 7 + name.charCodeAt(name.length - 1));
    const { params, result, evaluate } = PURE_OPS[name];
    const floats = isFloat(name) || name.includes("_f32") || name.includes("_f64");
    for (let round = 0; round < 4; round++) {
      const immediate = immediatesOf(name, random);
      const { run, memory } = compile(name, immediate);
      for (let n = 0; n < 20; n++) {
        const args = params.map((type) => operand(type, random, floats));
        params.forEach((type, i) => {
          write(memory, i * 16, type, args[i] as Constant);
        });
        let expected: Constant | undefined;
        try {
          expected = evaluate(args, immediate);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
        if (expected === undefined) {
          expect(run).toThrow(WebAssembly.RuntimeError);
          continue;
        }
        run();
        const actual = read(memory, result);
        expect(canonical(name, result, actual), `${args}`).toEqual(canonical(name, result, expected));
      }
    }
  });

  it("the upper half of a product", () => {
    expect(PURE_OPS["i64.mul_high_u"].evaluate([-1n, -1n], [])).toBe(-2n);
    expect(PURE_OPS["i64.mul_high_s"].evaluate([-1n, -1n], [])).toBe(0n);
    expect(PURE_OPS["i64.mul_high_s"].evaluate([1n << 62n, -4n], [])).toBe(-1n);
  });
});
