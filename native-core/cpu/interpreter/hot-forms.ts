// Which handlers are written into the dispatch function. It is compiled as a whole, in time that grows with it, and everything in it
// competes for the instruction cache; so only what programs execute all the time is there. A handler elsewhere costs one more call.
import type { Form } from "../../x86/forms.ts";

/** Of 16-bit operations compilers emit only these often. */
const HOT_16_BIT = new Set(["MOV", "MOVZX", "MOVSX", "CMP", "TEST"]);

/** Rare, or so long by themselves that the call does not matter. */
const COLD = new Set([
  "SCAS",
  "LODS",
  "CMPS",
  "MOVS",
  "STOS",
  "RCL",
  "RCR",
  "LOOP",
  "LOOPE",
  "LOOPNE",
  "JCXZ",
  "ENTER",
  "XLAT",
  "MOVNTI",
  "POPF",
  "PUSHF",
  "LAHF",
  "SAHF",
  "LDMXCSR",
  "STMXCSR",
  "CLFLUSH",
  "PREFETCHW",
  "CMPXCHG8B",
  "CMC",
  "STC",
  "CLC",
  "UD",
  "GP",
  "ADDRESS16",
  "LEGACY16",
  "LEGACY32",
  "ABSOLUTE64",
  "ABSOLUTE64_SEGMENT",
  "RCPSS",
  "RSQRTSS",
  "RCPPS",
  "RSQRTPS",
  "MULPS",
  "ADDPS",
  "SUBPS",
  "DIVPS",
  "SQRTPS",
  "SQRTPD",
  "CVTDQ2PS",
  "CVTPS2DQ",
  "CVTTPS2DQ",
  "CVTTPD2DQ",
  "CVTPD2DQ",
  "CVTPD2PS",
  "CVTPS2PD",
  "CVTDQ2PD",
  "PSADBW",
  "PAVGB",
  "PAVGW",
  "PADDSB",
  "PADDSW",
  "PADDUSB",
  "PADDUSW",
  "PSUBSB",
  "PSUBSW",
  "PSUBUSW",
  "PMADDWD",
  "PMULHW",
  "PMULHUW",
  "PACKSSWB",
  "PACKSSDW",
  "CMOVO",
  "CMOVNO",
  "CMOVP",
  "CMOVNP",
  "SETO",
  "SETNO",
]);

/** With a memory operand these are rare. */
const COLD_IN_MEMORY = new Set([
  "ADC",
  "SBB",
  "SHL",
  "SHR",
  "SAR",
  "ROL",
  "ROR",
  "SHLD",
  "SHRD",
  "BTS",
  "BTR",
  "BTC",
  "BSF",
  "BSR",
  "NEG",
  "NOT",
  "MUL",
  "DIV",
  "IDIV",
]);

export function isHot(form: Form): boolean {
  const { mnemonic } = form.row;
  const { size, operands } = form.info;
  if (form.cold || form.info.mode === "legacy" || COLD.has(mnemonic)) return false;
  const general = operands.some(({ kind }) => kind === "general");
  if (size === 2 && general && !HOT_16_BIT.has(mnemonic)) return false;
  const memory = operands.some(({ kind }) => kind === "memory");
  return !memory || !(COLD_IN_MEMORY.has(mnemonic) || mnemonic.startsWith("SET"));
}
