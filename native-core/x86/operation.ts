// A pre-decoded operation: what the decoder produces, the interpreter dispatches on and the JIT specializes.
// 16 bytes in memory 0:
//
//    0  u16 handler   id of (row, form); index into the interpreter's br_table
//    2  u8  length    of the whole instruction in bytes (1..15)
//    3  u8  start     offset of the instruction from the start of its block (0..255)
//    4  u8  reg       register selected by ModRM.reg or by the opcode (see below)
//    5  u8  rm        register selected by ModRM.rm, or the base of a memory operand
//    6  u8  index     index register of a memory operand
//    7  u8  scale     0..3
//    8  i32 disp      displacement, or the low half of a 64-bit immediate
//   12  i32 imm       immediate (sign-extended), or the high half of a 64-bit immediate; of a VEX instruction:
//   12  u8  imm8      13  u8 vvvv  register in VEX.vvvv      14  u8 is4  register in bits 7..4 of the immediate
//
// General registers are byte offsets into the register file (GPR_OFFSET; AH is 1, RCX is 8, PSEUDO_REGISTERS.ZERO is 0x80), so a handler
// loads `file[op.reg]` with no arithmetic. Vector, segment, control, debug and x87 registers are plain numbers.
// RIP-relative operands use base BLOCK_RIP with `start + length` folded into disp.
// Relative branches hold their target as an offset from BLOCK_RIP in disp; imm, rm, index and scale are then free for the block link.

import type { FieldName } from "../ir/nodes.ts";

export const OPERATION_SIZE = 16;

export const OPERATION_FIELDS = {
  handler: { offset: 0, type: "u16" },
  length: { offset: 2, type: "u8" },
  start: { offset: 3, type: "u8" },
  reg: { offset: 4, type: "u8" },
  rm: { offset: 5, type: "u8" },
  index: { offset: 6, type: "u8" },
  scale: { offset: 7, type: "u8" },
  disp: { offset: 8, type: "i32" },
  imm: { offset: 12, type: "i32" },
  /** The second and third byte of imm: registers of VEX instructions beside ModRM's. */
  vvvv: { offset: 13, type: "u8" },
  is4: { offset: 14, type: "u8" },
  /** disp and imm as one 64-bit value (MOV r64, imm64; moffs). */
  imm64: { offset: 8, type: "i64" },
} as const satisfies Record<FieldName, { offset: number; type: string }>;

/** One decoded operation in TypeScript form, before it is written to memory 0. */
export interface Operation {
  handler: number;
  length: number;
  start: number;
  reg: number;
  rm: number;
  index: number;
  scale: number;
  disp: number;
  imm: number;
}
