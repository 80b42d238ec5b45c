// One row of the instruction set: encoding and operands in Intel notation (SDM 2, appendix A) plus one semantic function.
// The decoder, the interpreter generator, the JIT, the disassembler and the conformance tests all read these rows.
import type { InstructionBuilder } from "./instruction-builder.ts";

/** Writes what an instruction does, once, for every tier. Called once per form (operand size, register or memory operand, mode). */
export type Semantics = (i: InstructionBuilder) => void;

export type ArithmeticFlag = "CF" | "PF" | "AF" | "ZF" | "SF" | "OF";

/** What CPUID has a bit for (cpu/helpers/cpuid-features.ts), and a few that go without one. */
export type CpuidFeature =
  | "base"
  | "x87"
  | "cmov"
  | "cx8"
  | "cx16"
  | "fxsr"
  | "mmx"
  | "sse"
  | "sse2"
  | "sse3"
  | "ssse3"
  | "sse4.1"
  | "sse4.2"
  | "popcnt"
  | "lzcnt"
  | "lahf64"
  | "syscall"
  | "sep"
  | "rdtscp"
  | "smap"
  | "fsgsbase"
  | "invpcid"
  | "rdpid"
  | "clflush"
  | "clflushopt"
  | "clwb"
  | "movbe"
  | "adx"
  | "aes"
  | "pclmulqdq"
  | "sha"
  | "rdrand"
  | "rdseed"
  | "bmi1"
  | "bmi2"
  | "xsave"
  | "xsaveopt"
  | "xsavec"
  | "xsaves"
  | "monitor"
  | "avx"
  | "avx2"
  | "fma"
  | "f16c"
  | "vaes"
  | "vpclmulqdq"
  | "nop";

export interface RowTraits {
  /** Ends the block: the next instruction is looked up again (branches, serializing and mode-changing instructions). */
  readonly endsBlock?: boolean;
  /** LOCK is allowed when the destination is memory. */
  readonly lockable?: boolean;
  /** REP/REPE/REPNE are meaningful. */
  readonly repeatable?: boolean;
  readonly reads?: readonly ArithmeticFlag[];
  readonly writes?: readonly ArithmeticFlag[];
  /** Flags the architecture leaves undefined; conformance tests mask them. */
  readonly undefines?: readonly ArithmeticFlag[];
  readonly feature?: CpuidFeature;
  /** Where the row exists: default both. */
  readonly mode?: "64" | "legacy";
  /** CPL 0 only (#GP otherwise, checked by the semantics). */
  readonly privileged?: boolean;
  /** In 64-bit mode: operand size is 64 whatever REX.W says ("f64"), or 64 by default with 16 selectable ("d64"). SDM 2A.2 */
  readonly size64?: "f64" | "d64";
  /** Used instead of `semantics` when an immediate shift count is zero: the row then need not look. */
  readonly zeroCount?: Semantics;
  /** Rare or large: the interpreter keeps its handler out of the main function. */
  readonly cold?: boolean;
  /** Operand size follows the prefixes though no operand shows it (RET, IRET, CBW, PUSHF ...). */
  readonly sized?: boolean;
  /** Address size matters though there is no memory operand (LOOP, JCXZ). String operands X and Y imply it. */
  readonly addressSized?: boolean;
  /** 64-bit code and 16/32-bit code need different semantics (implicit stack or string operands, RIP). `endsBlock` implies it. */
  readonly modal?: boolean;
  /** What becomes of a memory operand: only its offset without segment is used (LEA), or nothing at all (NOP, PREFETCH). */
  readonly addressing?: "offset" | "unused";
  /** POP to memory: an RSP-based address is computed after RSP was incremented (SDM 2B, POP). */
  readonly popsFirst?: boolean;
  /** May not run natively as user code (the conformance generator skips it). */
  readonly system?: boolean;
}

export interface InstructionRow extends RowTraits {
  /** Intel mnemonic in upper case. */
  readonly mnemonic: string;
  /**
   * Opcode in the manual's notation, hexadecimal bytes with an optional mandatory prefix and /reg:
   * `00`, `0F AF`, `83 /0`, `66 0F 6F`, `F3 0F 10`, `0F 01 F8` (a fixed ModRM byte), `50+r`.
   * `NP` as first word: no 66/F3/F2 prefix allowed. `W0`/`W1` as last word: REX.W must be 0/1.
   * Empty for pseudo rows, which only the decoder makes (address operations, NEXT, UD).
   */
  readonly opcode: string;
  /**
   * Comma-separated operand codes of appendix A: `Eb,Gb`, `Ev,Iz`, `Vdq,Wdq`, `Jz`, `Zv` (register in opcode), `rAX`, `CL`, `1`, `M`, `Ob`, `Xb`, `Yb`;
   * besides `Ibs` (a byte sign-extended to the operand size) and `Rv/Mw` (one code for a register, another for memory). See operands.ts.
   */
  readonly operands: string;
  readonly semantics: Semantics;
}

export function row(
  mnemonic: string,
  opcode: string,
  operands: string,
  semantics: Semantics,
  traits: RowTraits = {},
): InstructionRow {
  return { mnemonic, opcode, operands, semantics, ...traits };
}
