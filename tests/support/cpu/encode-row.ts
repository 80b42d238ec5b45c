// Random machine code for a row of the instruction set. The tail is random: the decoder takes as much of it as the instruction has.

import { isVexOpcode, parseVexOpcode } from "../../../native-core/x86/decoder/vex-map.ts";
import type { InstructionRow } from "../../../native-core/x86/row.ts";
import type { Random } from "./random.ts";

export const ENCODED_BYTES = 16;

/** Base registers that the caller points into data: RBX, RSI, RDI. */
export const BASES = [3, 6, 7] as const;

/** `long`: with REX prefixes now and then. */
export function encodeRow(row: InstructionRow, random: Random, long = true): Uint8Array {
  if (isVexOpcode(row.opcode)) return encodeVexRow(row, random, long);
  const words = row.opcode.split(" ");
  const bytes: number[] = [];
  const mandatory: number[] = [];
  let rexW = random.below(2);
  let extension: number | undefined;
  let plus = false;
  let plain = false;
  const opcode: number[] = [];
  for (const word of words) {
    if (word === "NP") plain = true;
    else if (word === "W0") rexW = 0;
    else if (word === "W1") rexW = 1;
    else if (word.startsWith("/")) extension = Number(word[1]);
    else {
      opcode.push(Number.parseInt(word, 16));
      plus ||= word.endsWith("+r");
    }
  }
  while (opcode.length > 1 && [0x66, 0xf2, 0xf3].includes(opcode[0] as number))
    mandatory.push(opcode.shift() as number);
  const usesPrefix = mandatory.length > 0 || plain || /[VWPQ]/.test(row.operands);
  if (!usesPrefix && random.below(4) === 0) bytes.push(0x66);
  if (row.repeatable && random.below(2)) bytes.push(random.pick([0xf2, 0xf3]));
  bytes.push(...mandatory);
  const rex = 0x40 | (rexW << 3) | (random.below(2) << 2);
  if (long && random.below(2)) bytes.push(rex);
  const last = opcode.at(-1) as number;
  bytes.push(...opcode.slice(0, -1), plus ? last + random.below(8) : last);
  const fixedModRm = opcode.length === (opcode[0] === 0x0f ? 3 : 2) && opcode[1] !== 0x38 && opcode[1] !== 0x3a;
  if (!fixedModRm && hasModRm(row)) bytes.push(...modRm(row, extension ?? random.below(8), random));
  while (bytes.length < ENCODED_BYTES) bytes.push(random.below(256));
  return Uint8Array.from(bytes.slice(0, ENCODED_BYTES));
}

/** The long form of the prefix, with W and L random where the row leaves them open; registers of ModRM.rm are the lower eight. */
function encodeVexRow(row: InstructionRow, random: Random, long: boolean): Uint8Array {
  const at = parseVexOpcode(row.opcode);
  const hasSecond = /(^|,)[HB]/.test(row.operands);
  const second = hasSecond ? random.below(long ? 16 : 8) : 0;
  const inverted = (long ? random.below(2) << 7 : 0x80) | 0x60;
  const fields = ((at.w ?? random.below(2)) << 7) | ((~second & 15) << 3) | ((at.l ?? random.below(2)) << 2) | at.pp;
  const bytes = [0xc4, inverted | at.map, fields, at.opcode];
  if (row.operands !== "") bytes.push(...modRm(row, at.reg ?? random.below(8), random));
  while (bytes.length < ENCODED_BYTES) bytes.push(random.below(256));
  return Uint8Array.from(bytes.slice(0, ENCODED_BYTES));
}

function hasModRm(row: InstructionRow): boolean {
  return /\/\d/.test(row.opcode) || /[EGMRVWUNPQSCD]/.test(row.operands.replaceAll(/DX|CL|DS|CS|SS|ES/g, ""));
}

function modRm(row: InstructionRow, reg: number, random: Random): number[] {
  const registerOnly = /[RUN]/.test(row.operands);
  const memoryOnly = /M/.test(row.operands) && !/[EWQR]/.test(row.operands);
  if (registerOnly || (!memoryOnly && random.below(2))) return [0xc0 | (reg << 3) | random.below(8)];
  const base = random.pick(BASES);
  switch (random.below(3)) {
    case 0:
      return [(reg << 3) | base];
    case 1:
      return [0x40 | (reg << 3) | base, random.below(256)];
    default: // SIB: base plus RCX times 1, 2, 4 or 8
      return [0x44 | (reg << 3), (random.below(4) << 6) | (1 << 3) | base, random.below(256)];
  }
}
