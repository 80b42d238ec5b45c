// Physical region pages (NVMe 1.4, 4.3): where in guest memory a command's data is.
//
//   PRP1: first page, from any offset   PRP2: second page, or where a list of pages is; a list's last entry leads to the next list
import type { GuestMemory } from "../device.ts";
import type { DmaSegment } from "../dma-buffer.ts";
import { PAGE_BYTES, STATUS } from "./registers.ts";

const ENTRY_BYTES = 8;

/** The segments of `length` bytes, neighbours joined; or the status that tells what is wrong with them. */
export function prpSegments(
  memory: GuestMemory,
  prp1: number,
  prp2: number,
  length: number,
): readonly DmaSegment[] | number {
  const segments: { address: number; length: number }[] = [];
  let rest = length;
  const add = (address: number): boolean => {
    const taken = Math.min(rest, PAGE_BYTES - (address % PAGE_BYTES));
    if (address + taken > memory.sizeBytes) return false;
    const last = segments.at(-1);
    if (last && last.address + last.length === address) last.length += taken;
    else segments.push({ address, length: taken });
    rest -= taken;
    return true;
  };
  if (length === 0) return segments;
  if (prp1 % 4 !== 0) return STATUS.PRP_OFFSET_INVALID;
  if (!add(prp1)) return STATUS.DATA_TRANSFER_ERROR;
  if (rest === 0) return segments;
  if (rest <= PAGE_BYTES) {
    if (prp2 % PAGE_BYTES !== 0) return STATUS.PRP_OFFSET_INVALID;
    return add(prp2) ? segments : STATUS.DATA_TRANSFER_ERROR;
  }
  if (prp2 % ENTRY_BYTES !== 0) return STATUS.PRP_OFFSET_INVALID;
  let at = prp2;
  for (;;) {
    if (at + ENTRY_BYTES > memory.sizeBytes) return STATUS.DATA_TRANSFER_ERROR;
    const entry = Number(memory.readU64(at));
    if (entry % PAGE_BYTES !== 0) return STATUS.PRP_OFFSET_INVALID;
    const lastOfList = (at + ENTRY_BYTES) % PAGE_BYTES === 0;
    if (lastOfList && rest > PAGE_BYTES) {
      at = entry;
      // Each list brings at least one page nearer to the end, unless it holds nothing but the way to the next one.
      if (at % PAGE_BYTES === PAGE_BYTES - ENTRY_BYTES) return STATUS.PRP_OFFSET_INVALID;
      continue;
    }
    if (!add(entry)) return STATUS.DATA_TRANSFER_ERROR;
    if (rest === 0) return segments;
    at += ENTRY_BYTES;
  }
}
