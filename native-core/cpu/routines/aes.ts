// AES rounds on a whole state at once. The S-box is sixteen swizzles of sixteen entries: an index that is not in a table yields zero.
import { AES_INVERSE_SBOX, AES_INVERSE_SHIFT_ROWS, AES_SBOX, AES_SHIFT_ROWS } from "../../ir/ops/aes.ts";
import { type Code, get, i32, op, set } from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { Local } from "../../wasm/types.ts";

const splat = (byte: number): Code => constant(new Array<number>(16).fill(byte));

const constant =
  (bytes: readonly number[]): Code =>
  (f) =>
    f.v128(bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n));

const xor = (a: Code, b: Code): Code => op("v128.xor", a, b);

/** Entry x of a table of 256 for each byte x. */
function lookUp(state: Local, box: readonly number[]): Code {
  const terms = Array.from({ length: 16 }, (_, high) => {
    const index = high === 0 ? get(state) : xor(get(state), splat(high << 4));
    return op("i8x16.swizzle", constant(box.slice(high * 16, high * 16 + 16)), index);
  });
  return terms.reduce((a, b) => op("v128.or", a, b));
}

const shuffled =
  (state: Local, bytes: readonly number[]): Code =>
  (f) => {
    f.get(state);
    f.get(state);
    f.lanes("i8x16.shuffle", bytes);
  };

/** Twice each byte in GF(2^8). */
function doubled(state: Local): Code {
  const reduction = op("v128.and", op("i8x16.shr_s", get(state), i32(7)), splat(0x1b));
  return xor(op("i8x16.shl", get(state), i32(1)), reduction);
}

/** Byte n of each column takes byte n + count. */
const columnsBy = (count: number): number[] => Array.from({ length: 16 }, (_, n) => (n & ~3) | ((n + count) & 3));

/** Leaves MixColumns of the state: 2 a0 + 3 a1 + a2 + a3, byte by byte. */
function mixColumns(f: FunctionWriter, state: Local): void {
  const twice = f.local("v128");
  const sum = f.local("v128");
  set(twice, doubled(state))(f);
  set(sum, xor(get(twice), get(state)))(f);
  const others = xor(shuffled(state, columnsBy(2)), shuffled(state, columnsBy(3)));
  xor(xor(get(twice), shuffled(sum, columnsBy(1))), others)(f);
}

/** Leaves the inverse of MixColumns: MixColumns of what has four times a0 + a2 added to a0 and a2, and so on. */
function inverseMixColumns(f: FunctionWriter, state: Local): void {
  const opposite = f.local("v128");
  set(opposite, xor(get(state), shuffled(state, columnsBy(2))))(f);
  set(opposite, doubled(opposite))(f);
  set(opposite, doubled(opposite))(f);
  set(state, xor(get(state), get(opposite)))(f);
  mixColumns(f, state);
}

const stateOf = (f: FunctionWriter): Local => f.params[0] as Local;

export function substitute(f: FunctionWriter): void {
  lookUp(stateOf(f), AES_SBOX)(f);
}

export function encryptLast(f: FunctionWriter): void {
  const state = stateOf(f);
  set(state, shuffled(state, AES_SHIFT_ROWS))(f);
  lookUp(state, AES_SBOX)(f);
}

export function encrypt(f: FunctionWriter): void {
  encryptLast(f);
  f.set(stateOf(f));
  mixColumns(f, stateOf(f));
}

export function decryptLast(f: FunctionWriter): void {
  const state = stateOf(f);
  set(state, shuffled(state, AES_INVERSE_SHIFT_ROWS))(f);
  lookUp(state, AES_INVERSE_SBOX)(f);
}

export function decrypt(f: FunctionWriter): void {
  decryptLast(f);
  f.set(stateOf(f));
  inverseMixColumns(f, stateOf(f));
}

export function inverseMix(f: FunctionWriter): void {
  inverseMixColumns(f, stateOf(f));
}
