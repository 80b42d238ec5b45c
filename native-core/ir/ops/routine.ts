// Pure operations that are no Wasm instruction: a back end calls a routine for them (cpu/routines), which is written in Wasm.
// What is here has to be hot enough that a helper in JavaScript would show, and too long to be repeated wherever it occurs.
import { aesDecrypt, aesDecryptLast, aesEncrypt, aesEncryptLast, aesInverseMix, aesSubstitute } from "./aes.ts";
import { carrylessMultiply, crc32c } from "./carryless.ts";
import { fusedDoubles, fusedDoublesInexact, fusedSingles, fusedSinglesInexact } from "./fused.ts";
import { compareStrings } from "./string-compare.ts";
import { define, type PureOp } from "./types.ts";

function divideWide(high: bigint, low: bigint, by: bigint): bigint {
  const [upper, divisor] = [BigInt.asUintN(64, high), BigInt.asUintN(64, by)];
  if (upper >= divisor) return 0n;
  return BigInt.asIntN(64, ((upper << 64n) | BigInt.asUintN(64, low)) / divisor);
}

export const ROUTINE_OPS = {
  // The upper 64 bits of the 128-bit product.
  ...define("i64", ["i64", "i64"], "i64", {
    mul_high_u: (a: bigint, b: bigint) => (BigInt.asUintN(64, a) * BigInt.asUintN(64, b)) >> 64n,
    mul_high_s: (a: bigint, b: bigint) => (a * b) >> 64n,
  }),
  // The quotient of a 128-bit dividend, upper half first, and a divisor; 0 where it has more than 64 bits, or the divisor is 0.
  ...define("i64", ["i64", "i64", "i64"], "i64", { div_wide_u: divideWide }),
  /** (register, data, bytes): the register in the low half, zero above. */
  ...define("i64", ["i64", "i64", "i32"], "i64", { crc32c }),
  ...define("v128", ["i64", "i64"], "v128", { carryless_multiply: carrylessMultiply }),
  // A round without its key; `last`: without MixColumns. aes_substitute: SubBytes alone.
  ...define("v128", ["v128"], "v128", {
    aes_encrypt: aesEncrypt,
    aes_encrypt_last: aesEncryptLast,
    aes_decrypt: aesDecrypt,
    aes_decrypt_last: aesDecryptLast,
    aes_inverse_mix: aesInverseMix,
    aes_substitute: aesSubstitute,
  }),
  ...define("v128", ["v128", "v128", "i32", "i32", "i32"], "i32", { compare_strings: compareStrings }),
  // a * b + c with one rounding; NaN where a helper has to do it (fused.ts).
  ...define("f32x4", ["v128", "v128", "v128"], "v128", {
    fused_multiply_add: fusedSingles,
    fused_inexact: fusedSinglesInexact,
  }),
  ...define("f64x2", ["v128", "v128", "v128"], "v128", {
    fused_multiply_add: fusedDoubles,
    fused_inexact: fusedDoublesInexact,
  }),
} satisfies Record<string, PureOp>;

export type RoutineName = keyof typeof ROUTINE_OPS;

export const ROUTINE_NAMES = Object.keys(ROUTINE_OPS) as readonly RoutineName[];

const routines = new Set<string>(ROUTINE_NAMES);

export function isRoutine(name: string): name is RoutineName {
  return routines.has(name);
}
