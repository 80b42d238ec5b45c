// The constants that routines look up, in memory 0: V8 builds a vector constant in registers, which takes longer than loading it.
import { AES_INVERSE_SBOX, AES_INVERSE_SHIFT_ROWS, AES_SBOX, AES_SHIFT_ROWS } from "../../ir/ops/aes.ts";
import { crc32cOfByte } from "../../ir/ops/carryless.ts";
import { type Code, i32, load } from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import { ROUTINE_TABLES } from "../mmu/memory-layout.ts";

const CRC_TABLES = 8;
export const CRC_TABLE_BYTES = 256 * 4;

const repeated = (byte: number): number[] => new Array<number>(16).fill(byte);
/** All but its own bits 7:4 taken away from a byte of this high nibble leave 0..15. */
const HIGH_NIBBLES = Array.from({ length: 16 }, (_, high) => repeated(high << 4)).flat();
const REVERSED_NIBBLES = Array.from({ length: 16 }, (_, n) =>
  [1, 2, 4, 8].reduce((reversed, bit, k) => reversed | (n & bit ? 8 >> k : 0), 0),
);

/** Table k: the CRC of a byte followed by k zero bytes. */
function crcTables(): number[] {
  const words = new Uint32Array(CRC_TABLES * 256);
  for (let zeros = 0; zeros < CRC_TABLES; zeros++) {
    for (let byte = 0; byte < 256; byte++) words[zeros * 256 + byte] = crc32cOfByte(byte, zeros);
  }
  return [...new Uint8Array(words.buffer)];
}

const CONTENTS = {
  crc: crcTables(),
  sbox: AES_SBOX,
  inverseSbox: AES_INVERSE_SBOX,
  highNibbles: HIGH_NIBBLES,
  shiftRows: AES_SHIFT_ROWS,
  inverseShiftRows: AES_INVERSE_SHIFT_ROWS,
  /** What leaves GF(2^8) comes back as this. */
  reduction: repeated(0x1b),
  reversedNibbles: REVERSED_NIBBLES,
  lowNibbles: repeated(0x0f),
} as const satisfies Record<string, readonly number[]>;

type TableName = keyof typeof CONTENTS;

const names = Object.keys(CONTENTS) as TableName[];

/** Address in memory 0. */
export function tableAddress(name: TableName): number {
  const before = names.slice(0, names.indexOf(name));
  return before.reduce<number>((address, table) => address + CONTENTS[table].length, ROUTINE_TABLES.address);
}

/** Sixteen bytes of a table, from byte 16 * n on. */
export function vectorOf(name: TableName, n = 0): Code {
  return load("v128.load", i32(0), tableAddress(name) + 16 * n);
}

export function writeTables(module: ModuleWriter): void {
  for (const name of names) module.data(0, tableAddress(name), Uint8Array.from(CONTENTS[name]));
}
