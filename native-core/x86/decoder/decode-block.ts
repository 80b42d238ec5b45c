// Decodes straight-line guest code into the operations of one block.
//
// A block stays within the page of its first byte, so that it can be found and dropped by that page. The exception is an instruction
// that crosses into the next page: it is a block of its own and belongs to both pages.
import type { Operation } from "../operation.ts";
import { type CodeMode, InstructionDecoder, MAX_DECODE_BYTES } from "./instruction-decoder.ts";
import { nextHandler } from "./pseudo-handlers.ts";

export type { CodeMode } from "./instruction-decoder.ts";

/**
 * Code bytes from `offset` (in CS) to the end of the 4 KiB page they are in, at least one; undefined where fetching faults. The caller
 * adds the CS base, checks limits and keeps what it needs to raise the exception.
 */
export type CodeFetch = (offset: bigint) => Uint8Array | undefined;

export interface BlockLimits {
  readonly maxInstructions: number;
}

export const DEFAULT_LIMITS: BlockLimits = { maxInstructions: 64 };

export interface DecodedBlock {
  readonly operations: Operation[];
  /** Bytes of code that the block covers. */
  readonly length: number;
  readonly instructionCount: number;
  /** A single instruction that goes over the page end. */
  readonly crossesPage: boolean;
}

/** The first instruction cannot be fetched: the exception belongs to the byte at `offset`. */
export interface FetchFault {
  readonly faultOffset: bigint;
}

export type BlockResult = DecodedBlock | FetchFault;

/** `Operation.start` is a byte; the last instruction of a block must not start behind this. */
const MAX_START = 240;

const decoders: Record<CodeMode, InstructionDecoder> = {
  2: new InstructionDecoder(2),
  4: new InstructionDecoder(4),
  8: new InstructionDecoder(8),
};

/** Bytes at the end of a page, with zeros behind them, so that the decoder needs no bounds checks. */
const tail = new Uint8Array(2 * MAX_DECODE_BYTES);

export function decodeBlock(
  fetch: CodeFetch,
  rip: bigint,
  mode: CodeMode,
  limits: BlockLimits = DEFAULT_LIMITS,
): BlockResult {
  const page = fetch(rip);
  if (page === undefined) return { faultOffset: rip };
  const decoder = decoders[mode];
  const operations: Operation[] = [];
  let at = 0;
  let instructions = 0;
  while (instructions < limits.maxInstructions && at <= MAX_START) {
    const left = page.length - at;
    if (left === 0) break;
    const count = operations.length;
    if (left >= MAX_DECODE_BYTES) {
      decoder.decode(page, at, at, operations);
    } else {
      tail.fill(0);
      tail.set(page.subarray(at));
      decoder.decode(tail, 0, at, operations);
      if (decoder.length > left) {
        if (at > 0) {
          operations.length = count;
          break;
        }
        return decodeCrossing(fetch, rip, mode, page);
      }
    }
    at += decoder.length;
    instructions++;
    if (decoder.endsBlock) return { operations, length: at, instructionCount: instructions, crossesPage: false };
  }
  operations.push(nextOperation(mode, at));
  return { operations, length: at, instructionCount: instructions, crossesPage: false };
}

function decodeCrossing(fetch: CodeFetch, rip: bigint, mode: CodeMode, first: Uint8Array): BlockResult {
  const second = fetch(rip + BigInt(first.length));
  if (second === undefined) return { faultOffset: rip + BigInt(first.length) };
  const decoder = decoders[mode];
  const operations: Operation[] = [];
  tail.fill(0);
  tail.set(first);
  tail.set(second.subarray(0, MAX_DECODE_BYTES), first.length);
  decoder.decode(tail, 0, 0, operations);
  if (!decoder.endsBlock) operations.push(nextOperation(mode, decoder.length));
  return { operations, length: decoder.length, instructionCount: 1, crossesPage: true };
}

/** NEXT has length 0 at the end of the block, so that "the next instruction" is the one behind it. */
function nextOperation(mode: CodeMode, start: number): Operation {
  return { handler: nextHandler(mode), length: 0, start, reg: 0, rm: 0, index: 0, scale: 0, disp: 0, imm: 0 };
}
