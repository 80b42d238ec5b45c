// AES-NI and PCLMULQDQ. The work is done by routines in Wasm (cpu/routines).
import type { Value } from "../../ir/nodes.ts";
import type { PureOpName } from "../../ir/ops.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { immediate8, quad, sseInstruction, vectorBinary } from "./sse-common.ts";

const round = (name: PureOpName): Semantics =>
  vectorBinary((i, state, key) => i.pure("v128.xor", [i.pure(name, [state]), key]));

const inverseMix = sseInstruction((i) => {
  i.writeVector(0, i.pure("v128.aes_inverse_mix", [i.readVector(1, true)]));
});

/** Words 1 and 3 through the S-box, each followed by itself rotated by a byte with imm8 added. */
const generateKey = sseInstruction((i) => {
  const boxed = i.pure("v128.aes_substitute", [i.readVector(1, true)]);
  const words = i.pure("i8x16.shuffle", [boxed, boxed], [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12]);
  const constant = i.pure("i64x2.splat", [i.shl(immediate8(i), i.i64(32))]);
  i.writeVector(0, i.pure("v128.xor", [words, constant]));
});

/** Bit 0 of imm8 chooses the destination's quadword, bit 4 the source's. */
const multiply = sseInstruction((i) => {
  const source = i.readVector(1, true);
  const immediate = immediate8(i);
  const a = chosen(i, i.readVector(0), i.and(immediate, i.i64(1)));
  const b = chosen(i, source, i.and(immediate, i.i64(16)));
  i.writeVector(0, i.pure("v128.carryless_multiply", [a, b]));
});

function chosen(i: InstructionBuilder, vector: Value, high: Value): Value {
  return i.select(i.narrow(high), quad(i, vector, 1), quad(i, vector, 0));
}

const AES: RowTraits = { feature: "aes" };

export const CRYPTO_ROWS: readonly InstructionRow[] = [
  row("AESIMC", "66 0F 38 DB", "Vdq,Wdq", inverseMix, AES),
  row("AESENC", "66 0F 38 DC", "Vdq,Wdq", round("v128.aes_encrypt"), AES),
  row("AESENCLAST", "66 0F 38 DD", "Vdq,Wdq", round("v128.aes_encrypt_last"), AES),
  row("AESDEC", "66 0F 38 DE", "Vdq,Wdq", round("v128.aes_decrypt"), AES),
  row("AESDECLAST", "66 0F 38 DF", "Vdq,Wdq", round("v128.aes_decrypt_last"), AES),
  row("AESKEYGENASSIST", "66 0F 3A DF", "Vdq,Wdq,Ib", generateKey, AES),
  row("PCLMULQDQ", "66 0F 3A 44", "Vdq,Wdq,Ib", multiply, { feature: "pclmulqdq" }),
];
