// A translated block in the operation cache:
//
//   -16  header: u16 BLOCK_MARKER, u8 flags, u8 context, u32 host address of its code or NO_HOST, u32 length of operations and trailer in
//        bytes, i32 counter: executions until the block is hot; 0 if nobody counts; ~n if it enters compiled region n (cpu/jit)
//     0  operations of 16 bytes (x86/operation.ts); the last one ends the block
//     n  trailer: two link slots (taken, next) and the number of instructions
//
// A link slot leads straight to the next block while the cell it names has the value it holds; CELLS.zero and 0 for ever.
// A block that ends in a computed jump or call needs no link slots: its taken slot names its profile (target-profile.ts), which is behind
// the trailer.
import { OPERATION_SIZE } from "../../x86/operation.ts";

export const BLOCK_HEADER_SIZE = 16;
export const BLOCK_HEADER = { marker: 0, flags: 2, host: 4, size: 8, counter: 12 } as const;
/** No handler has this number: walking back over a block ends here. */
export const BLOCK_MARKER = 0xffff;

/** The block is void, or its code is not in RAM. */
export const NO_HOST = -1;
/** In the header's first word. */
export const BLOCK_CONTEXT_SHIFT = 24;

/** The block's only instruction crosses a page end: it is valid for one mapping generation. */
export const BLOCK_SPANS_PAGES = 1;

export const LINK_SLOT = { block: 0, cell: 4, check: 8, size: 12 } as const;

/** Offsets from the block's last operation. */
export const TAKEN_SLOT = OPERATION_SIZE;
export const NEXT_SLOT = OPERATION_SIZE + LINK_SLOT.size;
export const INSTRUCTION_COUNT = OPERATION_SIZE + 2 * LINK_SLOT.size;
export const TRAILER_SIZE = 32;
