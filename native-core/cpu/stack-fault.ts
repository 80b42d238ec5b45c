// An address that is not canonical raises #SS where it was reached as part of the stack, else #GP (SDM 3A 6.15, interrupts 12 and 13).
// Whoever translates addresses does not know which; it is found out afterwards, from the instruction, because it hardly ever happens.
import type { DecodedBlock } from "../x86/decoder/decode-block.ts";
import { FORMS } from "../x86/forms.ts";
import { VECTOR } from "../x86/registers.ts";
import type { CpuState } from "./cpu-state.ts";

const RSP = 4;
const RBP = 5;
/** `rm` of an operation whose memory operand has RSP or RBP as its base. */
const STACK_BASES: readonly number[] = [RSP * 8, RBP * 8];
/** Use the stack without naming it. */
const STACK_MNEMONICS: ReadonlySet<string> = new Set([
  ...["PUSH", "POP", "PUSHF", "POPF", "ENTER", "LEAVE"],
  ...["CALL", "RET", "CALLF", "RETF", "IRET"],
]);
/** How far from RSP an instruction that also has a memory operand reaches. */
const REACH = 16n;

/** `block`: the instruction that faulted, decoded alone; undefined if not even that is possible. `linear`: the address. */
export function nonCanonicalVector(state: CpuState, block: DecodedBlock | undefined, linear: bigint): number {
  const [first, second] = block?.operations ?? [];
  if (!first) return VECTOR.GP;
  // An operation that computes an address beforehand is there for FS, GS and other address sizes.
  const isDirect = FORMS[first.handler]?.row.opcode !== "";
  const form = FORMS[(isDirect ? first : second)?.handler ?? -1];
  if (!form) return VECTOR.GP;
  const hasMemory = form.info.operands.some(({ kind }) => kind === "memory");
  if (hasMemory && isDirect && STACK_BASES.includes(first.rm)) return VECTOR.SS;
  if (!STACK_MNEMONICS.has(form.row.mnemonic)) return VECTOR.GP;
  const distance = BigInt.asIntN(64, linear - state.general(RSP));
  return !hasMemory || (distance >= -REACH && distance < REACH) ? VECTOR.SS : VECTOR.GP;
}
