// Which rows are recorded together in one vector file, and which rows no user-mode case can be made of.
import type { InstructionRow } from "../../native-core/x86/row.ts";
import { ARITHMETIC_ROWS } from "../../native-core/x86/semantics/arithmetic.ts";
import { AVX_DERIVED_ROWS } from "../../native-core/x86/semantics/avx-derived.ts";
import { AVX_INTEGER_ROWS } from "../../native-core/x86/semantics/avx-integer.ts";
import { AVX_LANE_ROWS } from "../../native-core/x86/semantics/avx-lane.ts";
import { BIT_ROWS } from "../../native-core/x86/semantics/bit.ts";
import { BIT_COUNT_ROWS } from "../../native-core/x86/semantics/bit-count.ts";
import { BMI_ROWS } from "../../native-core/x86/semantics/bmi.ts";
import { CONTROL_FLOW_ROWS } from "../../native-core/x86/semantics/control-flow.ts";
import { CRYPTO_ROWS } from "../../native-core/x86/semantics/crypto.ts";
import { DATA_MOVEMENT_ROWS } from "../../native-core/x86/semantics/data-movement.ts";
import { F16C_ROWS } from "../../native-core/x86/semantics/f16c.ts";
import { FLAG_ROWS } from "../../native-core/x86/semantics/flag.ts";
import { FMA_ROWS } from "../../native-core/x86/semantics/fma.ts";
import { GATHER_ROWS } from "../../native-core/x86/semantics/gather.ts";
import { INTEGER_EXTENSION_ROWS } from "../../native-core/x86/semantics/integer-extension.ts";
import { LEGACY_ROWS } from "../../native-core/x86/semantics/legacy.ts";
import { MMX_ROWS } from "../../native-core/x86/semantics/mmx.ts";
import { MULTIPLY_ROWS } from "../../native-core/x86/semantics/multiply.ts";
import { PRIVILEGE_CHANGE_ROWS } from "../../native-core/x86/semantics/privilege-change.ts";
import { SHA_ROWS } from "../../native-core/x86/semantics/sha.ts";
import { SHIFT_ROWS } from "../../native-core/x86/semantics/shift.ts";
import { SSE_ARITHMETIC_ROWS } from "../../native-core/x86/semantics/sse-arithmetic.ts";
import { SSE_COMPARE_ROWS } from "../../native-core/x86/semantics/sse-compare.ts";
import { SSE_CONVERT_ROWS } from "../../native-core/x86/semantics/sse-convert.ts";
import { SSE_INTEGER_ROWS } from "../../native-core/x86/semantics/sse-integer.ts";
import { SSE_MOVE_ROWS } from "../../native-core/x86/semantics/sse-move.ts";
import { SSE_SHIFT_ROWS } from "../../native-core/x86/semantics/sse-shift.ts";
import { SSE_SHUFFLE_ROWS } from "../../native-core/x86/semantics/sse-shuffle.ts";
import { SSE_STATE_ROWS } from "../../native-core/x86/semantics/sse-state.ts";
import { SSE3_ROWS } from "../../native-core/x86/semantics/sse3.ts";
import { SSE41_FLOAT_ROWS } from "../../native-core/x86/semantics/sse41-float.ts";
import { SSE41_INTEGER_ROWS } from "../../native-core/x86/semantics/sse41-integer.ts";
import { SSE41_LANE_ROWS } from "../../native-core/x86/semantics/sse41-lane.ts";
import { SSE42_STRING_ROWS } from "../../native-core/x86/semantics/sse42-string.ts";
import { SSSE3_ROWS } from "../../native-core/x86/semantics/ssse3.ts";
import { STACK_ROWS } from "../../native-core/x86/semantics/stack.ts";
import { STRING_ROWS } from "../../native-core/x86/semantics/string.ts";
import { SYSTEM_ROWS } from "../../native-core/x86/semantics/system.ts";
import { X87_ROWS } from "../../native-core/x86/semantics/x87.ts";
import { XSAVE_ROWS } from "../../native-core/x86/semantics/xsave.ts";
import type { Mode } from "./vector-format.ts";

export const FAMILIES: Readonly<Record<string, readonly InstructionRow[]>> = {
  "data-movement": DATA_MOVEMENT_ROWS,
  arithmetic: ARITHMETIC_ROWS,
  multiply: MULTIPLY_ROWS,
  shift: SHIFT_ROWS,
  bit: BIT_ROWS,
  "bit-count": BIT_COUNT_ROWS,
  "integer-extension": INTEGER_EXTENSION_ROWS,
  stack: STACK_ROWS,
  "control-flow": CONTROL_FLOW_ROWS,
  "privilege-change": PRIVILEGE_CHANGE_ROWS,
  string: STRING_ROWS,
  system: SYSTEM_ROWS,
  flag: FLAG_ROWS,
  legacy: LEGACY_ROWS,
  "sse-move": SSE_MOVE_ROWS,
  "sse-shuffle": SSE_SHUFFLE_ROWS,
  "sse-integer": SSE_INTEGER_ROWS,
  "sse-shift": SSE_SHIFT_ROWS,
  "sse-arithmetic": SSE_ARITHMETIC_ROWS,
  "sse-compare": SSE_COMPARE_ROWS,
  "sse-convert": SSE_CONVERT_ROWS,
  "sse-state": SSE_STATE_ROWS,
  sse3: SSE3_ROWS,
  ssse3: SSSE3_ROWS,
  "sse41-integer": SSE41_INTEGER_ROWS,
  "sse41-lane": SSE41_LANE_ROWS,
  "sse41-float": SSE41_FLOAT_ROWS,
  "sse42-string": SSE42_STRING_ROWS,
  crypto: CRYPTO_ROWS,
  sha: SHA_ROWS,
  mmx: MMX_ROWS,
  "avx-derived": AVX_DERIVED_ROWS,
  "avx-lane": AVX_LANE_ROWS,
  "avx-integer": AVX_INTEGER_ROWS,
  bmi: BMI_ROWS,
  fma: FMA_ROWS,
  f16c: F16C_ROWS,
  gather: GATHER_ROWS,
  xsave: XSAVE_ROWS,
  x87: X87_ROWS,
};

export function rowKey(row: InstructionRow): string {
  return `${row.mnemonic}|${row.opcode}|${row.operands}`;
}

/**
 * Privileged instructions are recorded as the #GP(0) that user code gets. These are not: they depend on the kernel (system calls, descriptor
 * tables under UMIP), on time, are how a case ends, are reported wrongly by a hypervisor (INT1 as a fault), or raise what the hypervisor chose
 * to show (MONITOR, MWAIT, XSAVES, XRSTORS: #UD or #GP).
 */
const UNRECORDED =
  /^(INT3|INT1|SYSCALL|SYSENTER|SYSEXIT|SMSW|SGDT|SIDT|SLDT|STR|RDTSC|RDTSCP|CPUID|RDRAND|RDSEED|RDPID|MONITOR|MWAIT|XSAVES|XRSTORS)$/;

/** Why a row has no vectors; undefined if it has. */
export function skipReason(row: InstructionRow, mode: Mode): string | undefined {
  if (UNRECORDED.test(row.mnemonic)) return "not recorded";
  if (row.opcode === "") return "pseudo row";
  // Their 16-bit forms differ in addressing only, which the integer families show.
  if (mode === "16" && (row.privileged || row.feature || row.system)) return "as in 32-bit code";
  return undefined;
}
