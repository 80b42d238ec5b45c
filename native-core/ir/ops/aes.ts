// The transformations of AES (FIPS 197) on a state of 16 bytes, column by column as in memory: by definition, slow.
import { join, split } from "./lanes.ts";

/** Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let factor = b; factor > 0; factor >>= 1) {
    if (factor & 1) product ^= a;
    a = (a << 1) ^ (a & 0x80 ? 0x11b : 0);
  }
  return product;
}

function inverse(a: number): number {
  for (let b = 1; b < 256; b++) if (multiply(a, b) === 1) return b;
  return 0;
}

/** The affine map of the S-box over bits. */
function affine(a: number): number {
  const rotated = (count: number): number => ((a << count) | (a >> (8 - count))) & 0xff;
  return a ^ rotated(1) ^ rotated(2) ^ rotated(3) ^ rotated(4) ^ 0x63;
}

export const AES_SBOX: readonly number[] = Array.from({ length: 256 }, (_, a) => affine(inverse(a)));
export const AES_INVERSE_SBOX: readonly number[] = AES_SBOX.reduce((box, value, a) => box.with(value, a), AES_SBOX);

/** Byte n of the result of ShiftRows is byte ROWS[n] of the state: row r = n mod 4 moves r columns. */
export const AES_SHIFT_ROWS: readonly number[] = Array.from({ length: 16 }, (_, n) => (n + 4 * (n % 4)) % 16);
export const AES_INVERSE_SHIFT_ROWS: readonly number[] = Array.from({ length: 16 }, (_, n) => (n + 12 * (n % 4)) % 16);

const substitute =
  (box: readonly number[]) =>
  (state: bigint): bigint =>
    join(
      split(state, 8).map((byte) => BigInt(box[Number(byte)] as number)),
      8,
    );

const move =
  (sources: readonly number[]) =>
  (state: bigint): bigint => {
    const bytes = split(state, 8);
    return join(
      sources.map((n) => bytes[n] as bigint),
      8,
    );
  };

/** Each column times a circulant matrix whose first row is `row`. */
const mix =
  (row: readonly [number, number, number, number]) =>
  (state: bigint): bigint => {
    const bytes = split(state, 8).map(Number);
    const mixed = bytes.map((_, n) =>
      row.reduce((sum, factor, k) => sum ^ multiply(bytes[(n & ~3) | ((n + k) & 3)] as number, factor), 0),
    );
    return join(mixed.map(BigInt), 8);
  };

const shiftRows = move(AES_SHIFT_ROWS);
const inverseShiftRows = move(AES_INVERSE_SHIFT_ROWS);
const inverseSubstitute = substitute(AES_INVERSE_SBOX);
const mixColumns = mix([2, 3, 1, 1]);

export const aesSubstitute = substitute(AES_SBOX);
export const aesInverseMix = mix([14, 11, 13, 9]);
export const aesEncryptLast = (state: bigint): bigint => aesSubstitute(shiftRows(state));
export const aesEncrypt = (state: bigint): bigint => mixColumns(aesEncryptLast(state));
export const aesDecryptLast = (state: bigint): bigint => inverseSubstitute(inverseShiftRows(state));
export const aesDecrypt = (state: bigint): bigint => aesInverseMix(aesDecryptLast(state));
