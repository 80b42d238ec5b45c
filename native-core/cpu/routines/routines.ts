// Routines: the pure operations that are no Wasm instruction (ir/ops/routine.ts), as functions of the core's module.
// Handlers and compiled regions call them; the evaluator uses the table's own definitions, so that tests compare two implementations.
import { PURE_OPS, ROUTINE_NAMES, type RoutineName } from "../../ir/ops.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference } from "../../wasm/types.ts";
import * as aes from "./aes.ts";
import { carrylessMultiply } from "./carryless.ts";
import { crc32c } from "./crc32.ts";
import { divideWide } from "./divide.ts";
import { fused, fusedInexact } from "./fused.ts";
import { multiplyHigh } from "./multiply.ts";
import { compareStrings } from "./string-compare.ts";
import { writeTables } from "./tables.ts";

export type Routines = Readonly<Record<RoutineName, FunctionReference>>;

/** Writes a routine's body. */
type Body = (f: FunctionWriter, routines: Routines) => void;

const BODIES: Readonly<Record<RoutineName, Body>> = {
  "i64.mul_high_u": multiplyHigh,
  "i64.mul_high_s": (f, routines) => multiplyHigh(f, routines, true),
  "i64.div_wide_u": divideWide,
  "i64.crc32c": crc32c,
  "v128.carryless_multiply": carrylessMultiply,
  "v128.aes_encrypt": aes.encrypt,
  "v128.aes_encrypt_last": aes.encryptLast,
  "v128.aes_decrypt": aes.decrypt,
  "v128.aes_decrypt_last": aes.decryptLast,
  "v128.aes_inverse_mix": aes.inverseMix,
  "v128.aes_substitute": aes.substitute,
  "v128.compare_strings": compareStrings,
  "f32x4.fused_multiply_add": fused("f32"),
  "f32x4.fused_inexact": fusedInexact("f32"),
  "f64x2.fused_multiply_add": fused("f64"),
  "f64x2.fused_inexact": fusedInexact("f64"),
};

export function defineRoutines(module: ModuleWriter): Routines {
  const routines = Object.fromEntries(
    ROUTINE_NAMES.map((name) => {
      const { params, result } = PURE_OPS[name];
      return [name, module.declare(name, params, [result])];
    }),
  ) as Record<RoutineName, FunctionReference>;
  for (const name of ROUTINE_NAMES) BODIES[name](module.define(routines[name]), routines);
  writeTables(module);
  return routines;
}
