// Every routine in Wasm against its definition in the table of operations, and both against published values.
import { describe, expect, it } from "vitest";
import { ROUTINE_TABLES } from "../../../../native-core/cpu/mmu/memory-layout.ts";
import { defineRoutines } from "../../../../native-core/cpu/routines/routines.ts";
import type { ValueType } from "../../../../native-core/ir/nodes.ts";
import { type Constant, PURE_OPS, ROUTINE_NAMES, type RoutineName } from "../../../../native-core/ir/ops.ts";
import { ModuleWriter } from "../../../../native-core/wasm/module-writer.ts";
import type { OpcodeName } from "../../../../native-core/wasm/opcodes.ts";
import { Random } from "../../../support/cpu/random.ts";

const RESULT = 0x100;

/** A module with all routines: `run_NAME` takes operands from memory 0, 16 bytes each, and leaves the result at RESULT. */
function compile(): { exports: WebAssembly.Exports; memory: DataView } {
  const module = new ModuleWriter();
  module.exportMemory("memory", module.memory({ minimum: Math.ceil((ROUTINE_TABLES.address + 0x1_0000) / 0x1_0000) }));
  const routines = defineRoutines(module);
  for (const name of ROUTINE_NAMES) {
    const { params, result } = PURE_OPS[name];
    const run = module.declare(`run ${name}`, []);
    const f = module.define(run);
    f.i32(RESULT);
    params.forEach((param, n) => {
      f.i32(n * 16);
      f.access(`${param}.load` as OpcodeName, 0, 0);
    });
    f.call(routines[name]);
    f.access(`${result}.store` as OpcodeName, 0, 0);
    module.export(name, run);
  }
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()));
  return { exports, memory: new DataView((exports["memory"] as WebAssembly.Memory).buffer) };
}

const { exports, memory } = compile();

function write(at: number, type: ValueType, value: Constant): void {
  if (type === "i32") return memory.setInt32(at, Number(value), true);
  memory.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  memory.setBigUint64(at + 8, BigInt.asUintN(64, BigInt(value) >> 64n), true);
}

function read(type: ValueType): Constant {
  if (type === "i32") return memory.getInt32(RESULT, true);
  if (type === "i64") return memory.getBigInt64(RESULT, true);
  return memory.getBigUint64(RESULT, true) | (memory.getBigUint64(RESULT + 8, true) << 64n);
}

function run(name: RoutineName, args: readonly Constant[]): Constant {
  PURE_OPS[name].params.forEach((type, n) => {
    write(n * 16, type, args[n] as Constant);
  });
  (exports[name] as () => void)();
  return read(PURE_OPS[name].result);
}

/** Both agree, and this is the value. */
function both(name: RoutineName, args: readonly Constant[]): Constant {
  const value = run(name, args);
  expect(value).toBe(PURE_OPS[name].evaluate(args, []));
  return value;
}

/** Strings of few letters, so that they match in part. */
const text = (random: Random): bigint => {
  let value = 0n;
  for (let n = 0; n < 16; n++) value |= BigInt(random.below(4) + (random.below(8) === 0 ? 0x7e : 0)) << BigInt(8 * n);
  return value;
};

/** Lanes a, b and c where rounding is hard: few significant bits, addends that nearly cancel the product or are half a unit of it. */
function fusedOperands(bits: 32 | 64, random: Random): bigint[] {
  const toBits = (value: number): bigint => {
    const view = new DataView(new ArrayBuffer(8));
    if (bits === 64) view.setFloat64(0, value);
    else view.setFloat32(0, value);
    return bits === 64 ? view.getBigUint64(0) : BigInt(view.getUint32(0));
  };
  const precision = bits === 64 ? 53 : 24;
  const factor = (): number => {
    const sign = random.pick([1, -1]);
    const scale = 2 ** (random.pick([0, 0, 0, 1, 8]) * (random.below(130) - 65));
    const dense = 1 + Number(random.u64() >> 11n) / 2 ** 53;
    const sparse = 1 + 2 ** -random.below(precision) + random.pick([0, 2 ** -random.below(precision)]);
    return sign * scale * random.pick([dense, dense, sparse, sparse, 1, 0]);
  };
  const words = [0n, 0n, 0n];
  for (let shift = 0n; shift < 128n; shift += BigInt(bits)) {
    const [a, b] = [factor(), factor()];
    const product = a * b;
    const near = -product * (1 + (random.below(9) - 4) * 2 ** (1 - precision));
    const half = product * 2 ** (random.pick([1, -1]) * (precision + random.below(4) - 1));
    const c = random.pick([factor(), near, -product, half, half * (1 + 2 ** (1 - precision)), 0]);
    for (const [n, value] of [a, b, c].entries()) words[n] = (words[n] ?? 0n) | (toBits(value) << shift);
  }
  return words;
}

function operands(name: RoutineName, random: Random): Constant[] {
  if (name === "i64.crc32c")
    return [random.u64() & 0xffff_ffffn, random.u64(), [1, 2, 4, 8][random.below(4)] as number];
  if (name === "v128.compare_strings") {
    const control = random.below(64);
    const count = control & 1 ? 9 : 17;
    return [text(random), text(random), random.below(count), random.below(count), control];
  }
  if (name === "i64.div_wide_u") {
    // Digits of 32 bits that are all ones or zero, or nearly, are where the estimate of a digit is wrong.
    const edge = (): bigint => random.pick([0n, 1n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_fffen, 0xffff_ffffn]);
    const word = (): bigint => (random.below(2) ? random.u64() : (edge() << 32n) | edge());
    const divisor = word() >> BigInt(random.pick([0, 0, 1, 31, 32, 33, random.below(64)]));
    const high = divisor === 0n || random.below(16) === 0 ? word() : word() % divisor;
    return [high, word(), divisor].map((value) => BigInt.asIntN(64, value));
  }
  if (name.includes("fused")) return fusedOperands(name.startsWith("f32") ? 32 : 64, random);
  return PURE_OPS[name].params.map((type) =>
    type === "i64" ? BigInt.asIntN(64, random.u64()) : random.u64() | (random.u64() << 64n),
  );
}

describe("a routine", () => {
  it.each(ROUTINE_NAMES)("%s computes what its definition says", (name) => {
    const random = new Random(ROUTINE_NAMES.indexOf(name) + 1);
    for (let n = 0; n < (/fused|div/.test(name) ? 3000 : 300); n++) both(name, operands(name, random));
  });

  it("encrypts the example of FIPS 197, appendix B, round 1", () => {
    const bytes = (hex: string): bigint => BigInt(`0x${(hex.match(/../g) ?? []).reverse().join("")}`); // first byte lowest
    const start = bytes("193de3bea0f4e22b9ac68d2ae9f84808");
    expect(both("v128.aes_encrypt", [start])).toBe(bytes("046681e5e0cb199a48f8d37a2806264c"));
    expect(both("v128.aes_decrypt_last", [both("v128.aes_encrypt_last", [start])])).toBe(start);
  });

  it("computes the CRC-32C of '123456789'", () => {
    const first = both("i64.crc32c", [0xffff_ffffn, BigInt.asIntN(64, 0x3837_3635_3433_3231n), 8]);
    expect(BigInt(both("i64.crc32c", [first, 0x39n, 1])) ^ 0xffff_ffffn).toBe(0xe306_9283n);
  });

  it("squares a polynomial by spreading its bits", () => {
    expect(both("v128.carryless_multiply", [-1n, -1n])).toBe(0x5555_5555_5555_5555_5555_5555_5555_5555n);
  });
});
