// The payload of DATA SET MANAGEMENT with TRIM (ATA8-ACS 7.10): entries of 48 bits of address and 16 bits of sector count.
import { SECTOR_SIZE_BYTES } from "../block-backend.ts";

const ENTRY_BYTES = 8;

/** Byte ranges that lie on the disk; others are left out. */
export function trimRanges(payload: Uint8Array, sizeBytes: number): { offset: number; length: number }[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const ranges: { offset: number; length: number }[] = [];
  for (let at = 0; at + ENTRY_BYTES <= payload.length; at += ENTRY_BYTES) {
    const sector = view.getUint32(at, true) + view.getUint16(at + 4, true) * 2 ** 32;
    const length = view.getUint16(at + 6, true) * SECTOR_SIZE_BYTES;
    const offset = sector * SECTOR_SIZE_BYTES;
    if (length > 0 && offset + length <= sizeBytes) ranges.push({ offset, length });
  }
  return ranges;
}
