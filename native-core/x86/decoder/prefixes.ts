// Legacy and REX prefixes (SDM 2A 2.1.1, 2.2.1).
import { SEGMENTS } from "../state-layout.ts";

const FS = SEGMENTS.indexOf("fs");

/** Classes of bytes before the opcode. */
export const PREFIX = { NONE: 0, OPERAND: 1, ADDRESS: 2, REP: 3, REPNE: 4, LOCK: 5, SEGMENT: 6, REX: 7 } as const;

export const LEGACY_PREFIXES = buildPrefixes(false);
export const LONG_PREFIXES = buildPrefixes(true);

function buildPrefixes(long: boolean): Uint8Array {
  const table = new Uint8Array(256);
  table[0x66] = PREFIX.OPERAND;
  table[0x67] = PREFIX.ADDRESS;
  table[0xf3] = PREFIX.REP;
  table[0xf2] = PREFIX.REPNE;
  table[0xf0] = PREFIX.LOCK;
  for (const byte of [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]) table[byte] = PREFIX.SEGMENT;
  if (long) table.fill(PREFIX.REX, 0x40, 0x50);
  return table;
}

/** Segment number of an override prefix. */
export function prefixSegment(byte: number): number {
  return byte >= 0x64 ? FS + (byte - 0x64) : (byte >> 3) & 3;
}
