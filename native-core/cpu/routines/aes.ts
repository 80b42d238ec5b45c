// AES rounds on a whole state at once. The S-box is sixteen swizzles of sixteen entries: an index that is not in a table yields zero.
import { type Code, get, i32, op, set } from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { Local } from "../../wasm/types.ts";
import { vectorOf } from "./tables.ts";

const xor = (a: Code, b: Code): Code => op("v128.xor", a, b);

/** Combines neighbours, then their results: no long chain of operations that wait for each other. */
function combined(terms: readonly Code[]): Code {
  if (terms.length === 1) return terms[0] as Code;
  const half = terms.length / 2;
  return op("v128.or", combined(terms.slice(0, half)), combined(terms.slice(half)));
}

/** Entry x of a table of 256 for each byte x. */
function lookUp(state: Local, box: "sbox" | "inverseSbox"): Code {
  const terms = Array.from({ length: 16 }, (_, high) => {
    const index = high === 0 ? get(state) : xor(get(state), vectorOf("highNibbles", high));
    return op("i8x16.swizzle", vectorOf(box, high), index);
  });
  return combined(terms);
}

/** Twice each byte in GF(2^8). */
function doubled(state: Local): Code {
  const reduction = op("v128.and", op("i8x16.shr_s", get(state), i32(7)), vectorOf("reduction"));
  return xor(op("i8x16.shl", get(state), i32(1)), reduction);
}

/** Byte n of each column takes byte n + 1. */
function nextRow(state: Local): Code {
  return op("v128.or", op("i32x4.shr_u", get(state), i32(8)), op("i32x4.shl", get(state), i32(24)));
}

/** Byte n of each column takes byte n + 2. */
const oppositeRow =
  (state: Local): Code =>
  (f) => {
    f.get(state);
    f.get(state);
    f.lanes("i8x16.shuffle", [2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13]);
  };

/** Leaves MixColumns of the state, 2 a0 + 3 a1 + a2 + a3, as 2 (a0 + a1) + a1 + (a2 + a3). */
function mixColumns(f: FunctionWriter, state: Local): void {
  const next = f.local("v128");
  const sum = f.local("v128");
  set(next, nextRow(state))(f);
  set(sum, xor(get(state), get(next)))(f);
  xor(xor(doubled(sum), get(next)), oppositeRow(sum))(f);
}

/** Leaves the inverse of MixColumns: MixColumns of what has four times a0 + a2 added to a0 and a2, and so on. */
function inverseMixColumns(f: FunctionWriter, state: Local): void {
  const opposite = f.local("v128");
  set(opposite, xor(get(state), oppositeRow(state)))(f);
  set(opposite, doubled(opposite))(f);
  set(opposite, doubled(opposite))(f);
  set(state, xor(get(state), get(opposite)))(f);
  mixColumns(f, state);
}

const stateOf = (f: FunctionWriter): Local => f.params[0] as Local;

export function substitute(f: FunctionWriter): void {
  lookUp(stateOf(f), "sbox")(f);
}

export function encryptLast(f: FunctionWriter): void {
  const state = stateOf(f);
  set(state, op("i8x16.swizzle", get(state), vectorOf("shiftRows")))(f);
  lookUp(state, "sbox")(f);
}

export function encrypt(f: FunctionWriter): void {
  encryptLast(f);
  f.set(stateOf(f));
  mixColumns(f, stateOf(f));
}

export function decryptLast(f: FunctionWriter): void {
  const state = stateOf(f);
  set(state, op("i8x16.swizzle", get(state), vectorOf("inverseShiftRows")))(f);
  lookUp(state, "inverseSbox")(f);
}

export function decrypt(f: FunctionWriter): void {
  decryptLast(f);
  f.set(stateOf(f));
  inverseMixColumns(f, stateOf(f));
}

export function inverseMix(f: FunctionWriter): void {
  inverseMixColumns(f, stateOf(f));
}
