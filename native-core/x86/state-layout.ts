// The one declaration of where CPU state lives in memory 0 of the core's Wasm instance.
// Every tier, helper, saved state and debugger view takes its offsets from here; nobody types one by hand.
//
//   0x0000  general registers (16 x 8), pseudo registers, RIP, flags, system registers, pending event
//   0x0800  vector registers (16 x 32: YMM)
//   0x0A00  x87 registers (8 x 16)
//   0x0B00  VECTOR_RESULT
//   0x1000  end of the CPU state; the TLB, the page flags and the operation cache follow (cpu/mmu, cpu/interpreter)

import type { StateSlot } from "../ir/nodes.ts";

/** Byte offset of general register n (RAX=0 ... R15=15): 8 bytes each. AH..BH are byte 1 of registers 0..3. */
export const GPR_OFFSET = 0x000;
export const GPR_COUNT = 16;

/**
 * Pseudo registers continue the general register file, so that an effective address is always
 * `file[base] + (file[index] << scale) + disp`, without a branch for what is absent.
 */
export const PSEUDO_REGISTERS = {
  /** Always zero: the base or index that is not there. */
  ZERO: 0x080,
  /** Linear address (offset in CS) of the first instruction of the current block; the base of RIP-relative operands. */
  BLOCK_RIP: 0x088,
  /** Effective address computed by a preceding address operation (segment override, 16/32-bit addressing). */
  ADDRESS: 0x090,
} as const;

const u16 = (offset: number): StateSlot => ({ offset, type: "u16" });
const u32 = (offset: number): StateSlot => ({ offset, type: "u32" });
const u64 = (offset: number): StateSlot => ({ offset, type: "u64" });

/** Segment registers in encoding order; each occupies SEGMENT_STRIDE bytes from SEGMENT_OFFSET. */
export const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
export type SegmentName = (typeof SEGMENTS)[number];
export const SEGMENT_OFFSET = 0x200;
export const SEGMENT_STRIDE = 0x20;
/** Fields of one segment's descriptor cache, relative to its start. `attributes` = descriptor bits 40..55 (SDM 3A 3.4.5). */
export const SEGMENT_FIELDS = {
  base: u64(0x00),
  limit: u32(0x08),
  attributes: u16(0x0c),
  selector: u16(0x0e),
} as const;

export const VECTOR_OFFSET = 0x800;
/** Bytes between vector registers: the upper 16 of each are bits 255..128 of its YMM register. */
export const VECTOR_STRIDE = 32;
/** Number, in the vector file, of a pseudo register: where packed helpers leave their result. */
export const VECTOR_RESULT = 24;
/** Bits of STATE.avxBlocked: XCR0 or CR4.OSXSAVE does not allow AVX; the mode has no VEX prefix at all. */
export const AVX_BLOCKED = { DISABLED: 1, NO_VEX: 2 } as const;
/** Which part of an operation on YMM registers a packed helper is asked for. */
export const VECTOR_PART = { whole: 0, low: 1, high: 2 } as const;
export const X87_OFFSET = 0xa00;
/** Bytes between x87 registers: 80-bit values in 16-byte slots, physical (not stack-relative) order. */
export const X87_STRIDE = 16;

/**
 * Arithmetic flags are lazy: three slots determine all six whatever operation set them.
 *   ZF = flagResult == 0 (result sign-extended from the operand size to 64 bits)
 *   SF = bit 63 of flagResult, inverted if flagAux bit 8 is set
 *   PF = even parity of the low byte of flagResult, inverted if flagAux bit 9 is set
 *   CF = bit 63 of flagCarry       (the carry-out vector, shifted left by 64 - size)
 *   OF = bit 63 ^ bit 62 of flagCarry
 *   AF = bit (flagAux & 63) of flagCarry   (67 - size for add and subtract)
 * The inversion bits exist so that POPF, SAHF and IRET can make combinations that no result has.
 */
export const STATE = {
  rip: u64(0x0a0),
  flagResult: u64(0x0a8),
  flagCarry: u64(0x0b0),
  flagAux: u32(0x0b8),
  /** RFLAGS without the six arithmetic flags (they read as zero here); bit 1 is always set. */
  systemFlags: u32(0x0bc),

  cr0: u64(0x0c0),
  cr2: u64(0x0c8),
  cr3: u64(0x0d0),
  cr4: u64(0x0d8),
  cr8: u64(0x0e0),
  efer: u64(0x0e8),
  dr0: u64(0x0f0),
  dr1: u64(0x0f8),
  dr2: u64(0x100),
  dr3: u64(0x108),
  dr6: u64(0x110),
  dr7: u64(0x118),
  gdtBase: u64(0x120),
  idtBase: u64(0x128),
  gdtLimit: u32(0x130),
  idtLimit: u32(0x134),
  /** LDTR and TR descriptor caches, laid out as SEGMENT_FIELDS. */
  ldtr: u64(0x140),
  tr: u64(0x160),
  star: u64(0x180),
  lstar: u64(0x188),
  cstar: u64(0x190),
  fmask: u64(0x198),
  kernelGsBase: u64(0x1a0),
  sysenterCs: u64(0x1a8),
  sysenterEsp: u64(0x1b0),
  sysenterEip: u64(0x1b8),
  pat: u64(0x1c0),
  tscOffset: u64(0x1c8),
  tscAux: u64(0x1d0),
  apicBase: u64(0x1d8),
  miscEnable: u64(0x1e0),

  /** Pending exception: vector + 1 (0 = none), error code, and whether it has one. Set where it is raised, delivered by the vCPU loop. */
  exceptionVector: u32(0x2d0),
  exceptionErrorCode: u32(0x2d4),
  exceptionHasErrorCode: u32(0x2d8),
  /** Non-zero when the loop must leave Wasm at the next block end (interrupt line, NMI, INIT, stop request). */
  eventPending: u32(0x2dc),
  /** Non-zero while interrupts are inhibited for one instruction (STI, MOV SS). */
  interruptShadow: u32(0x2e0),
  /** Code mode of the current CS: 2 = 16-bit, 4 = 32-bit, 8 = 64-bit. Part of the block key. */
  codeMode: u32(0x2e4),
  cpl: u32(0x2e8),
  /** Mask applied to SP for stack accesses outside 64-bit mode: 0xFFFF or 0xFFFFFFFF (all ones in 64-bit mode). */
  stackMask: u64(0x2f0),
  /** Instructions retired and exceptions delivered since reset; the virtual time base of instruction-count mode. */
  instructionCount: u64(0x2f8),
  /** The run loop returns to the vCPU when instructionCount reaches this. */
  instructionDeadline: u64(0x300),
  /** Generation of linear-to-physical mappings; bumped by every TLB flush, checked by cached block links. */
  mappingGeneration: u32(0x308),
  /** 0: runs; 1: after HLT, until an interrupt or NMI; 2: waits for a start-up IPI; 3: after MWAIT. */
  halted: u32(0x30c),
  /** Set by instructions that no single-step trap follows although TF was set: INT n, SYSCALL that masks TF, MOV SS (SDM 3A 17.3.1.4). */
  trapInhibited: u32(0x310),
  /**
   * Code mode that each privilege's blocks were last looked up in: supervisor in bits 7..0, user in bits 15..8. Whoever changes privilege
   * into another mode than noted here has to report it (CpuContext.modeChanged).
   */
  codeModes: u32(0x314),

  mxcsr: u32(0x320),
  /** What keeps SSE instructions from running: CR0.EM and CR0.TS as they are, CR4.OSFXSR inverted. Derived when the mode changes. */
  vectorBlocked: u32(0x324),
  /** What keeps AVX instructions from running: CR0.TS as it is, and AVX_BLOCKED. Derived when the mode changes. */
  avxBlocked: u32(0x328),
  /** Exceptions of the low half of a 256-bit operation, while its high half is computed. */
  vectorLowFlags: u32(0x32c),
  x87Control: u16(0x330),
  x87Status: u16(0x332),
  x87Tag: u16(0x334),
  x87Opcode: u16(0x336),
  x87Ip: u64(0x338),
  x87Dp: u64(0x340),
  xcr0: u64(0x348),

  /** Kinds of breakpoints that are enabled (cpu/debug-registers.ts), derived from DR7; and, as bits of DR6, traps that are due. */
  debugArmed: u32(0x3b8),
  debugHits: u32(0x3bc),

  /** Signals that wait for the processor; an NMI is blocked from the delivery of one until IRET. */
  nmiPending: u32(0x3c0),
  nmiBlocked: u32(0x3c4),
  initPending: u32(0x3c8),
  startupPending: u32(0x3cc),
  /** Number of the page where a start-up IPI has the processor begin. */
  startupPage: u32(0x3d0),
  /** IGNNE#: the pending x87 exception stops nothing. */
  numericErrorsIgnored: u32(0x3d4),

  /** Machine check registers: IA32_MCG_STATUS, IA32_MCG_CTL, and CTL, ADDR and MISC of six banks. SDM 3B 15.3 */
  mcgStatus: u64(0x3d8),
  mcgControl: u64(0x3e0),
  machineCheckBanks: u64(0x4e8),

  /** Memory type range registers: held for the guest, without effect (all RAM is cached alike). SDM 3A 12.11 */
  mtrrDefaultType: u64(0x400),
  /** IA32_MTRR_PHYSBASE0, PHYSMASK0, ... PHYSMASK7 in the order of their numbers: 16 of 8 bytes. */
  mtrrVariable: u64(0x408),
  /** The 11 fixed-range registers in the order of their numbers. */
  mtrrFixed: u64(0x488),
} as const satisfies Record<string, StateSlot>;

export type StateName = keyof typeof STATE;

export const STATE_SIZE = 0x1000;

export function segmentOffset(segment: SegmentName): number {
  return SEGMENT_OFFSET + SEGMENTS.indexOf(segment) * SEGMENT_STRIDE;
}
