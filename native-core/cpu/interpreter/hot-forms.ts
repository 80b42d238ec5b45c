// Which handlers are written into the dispatch function. It is compiled as a whole, in time and memory that grow with it (1 KiB and more
// of compiler memory per byte), and everything in it competes for the instruction cache; so only what programs execute all the time is
// there. A handler elsewhere costs one more call.
//
// Measured while Linux booted and busybox ran (2.9 billion instructions): 523 handlers did 99.99 % of the work.
import type { Form } from "../../x86/forms.ts";
import type { Variant } from "./target.ts";

/** Operand sizes that are worth a place, by mnemonic: between registers (or register and immediate), and with a memory operand. */
interface Heat {
  readonly register: readonly number[];
  readonly memory: readonly number[];
}

const WIDE = [4, 8];
const ALL_BUT_16_BIT = [1, 4, 8];
const heat = (register: readonly number[], memory: readonly number[] = []): Heat => ({ register, memory });
const each = (mnemonics: string, value: Heat): [string, Heat][] => mnemonics.split(" ").map((name) => [name, value]);

const GENERAL: ReadonlyMap<string, Heat> = new Map([
  ...each("MOV MOVZX MOVSX MOVSXD LEA", heat([1, 2, 4, 8], [1, 2, 4, 8])),
  ...each("ADD SUB AND OR XOR CMP TEST", heat(ALL_BUT_16_BIT, ALL_BUT_16_BIT)),
  ...each("INC DEC", heat(ALL_BUT_16_BIT, WIDE)),
  ...each("ADC SBB NEG NOT SHL SHR SAR ROL ROR MUL DIV IDIV BSF BSR BSWAP XCHG CBW CWD", heat(WIDE)),
  ...each("IMUL BT CMPXCHG", heat(WIDE, WIDE)),
  ...each("XADD SHRD SHLD", heat([], [])),
  ...each("CMOVB CMOVAE CMOVE CMOVNE CMOVBE CMOVA CMOVS CMOVNS CMOVL CMOVGE CMOVLE CMOVG", heat(WIDE)),
  ...each("SETB SETAE SETE SETNE SETBE SETA SETS SETNS SETL SETGE SETLE SETG", heat([1])),
  ...each("PUSH POP", heat([8], [8])),
  ...each("JMP CALL RET LEAVE", heat([8], [8])),
]);

/** Without general operands, or only with them as what is moved to or from a vector. */
const OTHERS: ReadonlySet<string> = new Set([
  ..."JO JNO JB JAE JE JNE JBE JA JS JNS JP JNP JL JGE JLE JG NOP NEXT CLD CLI STI ADDRESS64 ADDRESS64_SEGMENT ADDRESS32".split(
    " ",
  ),
  ..."ADDRESS32_SEGMENT MOVUPS MOVAPS MOVDQA MOVDQU MOVUPD MOVAPD MOVQ MOVD MOVSD MOVSS MOVHPS MOVLPS".split(" "),
  ..."PXOR XORPS POR PAND PANDN ANDPS PCMPEQB PCMPEQD PMOVMSKB PMINUB PSUBB PADDD PADDQ PADDB PSHUFD".split(" "),
  ..."PUNPCKLBW PUNPCKLWD PUNPCKLDQ PUNPCKLQDQ PSRLDQ PSLLDQ PSLLD PSRLD PSLLQ PSRLQ SWAPGS".split(" "),
]);

export function isHot(form: Form): boolean {
  const { mnemonic } = form.row;
  const { size, mode } = form.info;
  if (form.cold || mode === "legacy") return false;
  const known = GENERAL.get(mnemonic);
  if (!known) return OTHERS.has(mnemonic);
  return (hasMemory(form) ? known.memory : known.register).includes(size);
}

/** With an index register in the address, most are too rare: half of the instructions in this list, one in forty of what is executed. */
const INDEXED: ReadonlySet<string> = new Set([
  "MOV",
  "MOVZX",
  "MOVSXD",
  "LEA",
  "ADD",
  "XOR",
  "CALL",
  "JMP",
  "MOVUPS",
  "MOVD",
]);

/** Whether a hot form is worth a place without a variant, too. */
export const isHotPlain = (form: Form): boolean => !hasMemory(form) || INDEXED.has(form.row.mnemonic);

export const hasMemory = (form: Form): boolean => form.info.operands.some(({ kind }) => kind === "memory");

/** The variants of a hot form that are worth a place. `setsFlags`: its fragment does. */
export function hotVariants(form: Form, setsFlags: boolean): readonly Variant[] {
  const simple: Variant = { quiet: false, simple: true };
  if (!hasMemory(form)) return setsFlags ? [{ quiet: true, simple: false }] : [];
  // A memory destination may fault, so flags before it are rarely dead and its own seldom known to be.
  const intoRegister =
    form.info.operands[0]?.kind === "general" && form.row.mnemonic !== "CMP" && form.row.mnemonic !== "TEST";
  return setsFlags && intoRegister ? [simple, { quiet: true, simple: true }] : [simple];
}
