// What a drive is doing for its current command: data on the way between host and medium. Plain data, part of the saved state.
//
// The medium is read and written in chunks; a chunk passes the data register in blocks, with an interrupt for each.
import { z } from "zod";
import { bytesUpTo, flag } from "../state-schema.ts";

/** The most that is read ahead or held back at once. */
export const CHUNK_BYTES = 128 * 1024;
/** Largest request of any command: 65,536 sectors; a packet's count has 32 bits. */
const REMAINING_MAX = 2 ** 32 * 2048;

export const TRANSFER_ACTIONS = ["reply", "read", "write", "flush", "trim", "packet"] as const;

export const transferSchema = z.strictObject({
  action: z.enum(TRANSFER_ACTIONS),
  dma: flag,
  /** Ends with a status phase of its own: interrupt reason and interrupt. */
  isPacket: flag,
  /** Of the medium: where `buffer` belongs while it is written, else what comes next. */
  offset: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  /** Bytes of the command that are not in `buffer` yet. */
  remaining: z.int().min(0).max(REMAINING_MAX),
  durable: flag,
  blockBytes: z.int().min(1).max(CHUNK_BYTES),
  buffer: bytesUpTo(CHUNK_BYTES),
  position: z.int().min(0).max(CHUNK_BYTES),
  /** End of the block that the host may move now. */
  blockEnd: z.int().min(0).max(CHUNK_BYTES),
  /** The medium is at work; repeated when a saved state is restored. */
  waiting: flag,
});
export type Transfer = z.infer<typeof transferSchema>;

export function newTransfer(action: Transfer["action"], changes: Partial<Transfer>): Transfer {
  return {
    ...{ action, dma: false, isPacket: false, offset: 0, remaining: 0, durable: false, blockBytes: CHUNK_BYTES },
    ...{ buffer: new Uint8Array(0), position: 0, blockEnd: 0, waiting: false },
    ...changes,
  };
}
