// VEX forms of the SSE rows, by what their operands are like. What AVX and AVX2 add beyond is in avx-*.ts.
import type { VexShape } from "../instruction-builder.ts";
import type { CpuidFeature, InstructionRow } from "../row.ts";
import { SSE_ROWS } from "./sse.ts";
import { type VexForm, vexRow } from "./vex.ts";

/** 256-bit operations on integers came with AVX2. */
const INTEGER = /^(P(?!TEST)|MPSADBW|MOVNTDQA)/;

/** The row of an opcode that has several: of its operands, the register (U) or the memory (M) form. */
function legacyRows(mnemonic: string): InstructionRow[] {
  return SSE_ROWS.filter((row) => row.mnemonic === mnemonic && !/(^|,)[PQN]/.test(row.operands));
}

type Lengths = "128" | "256" | "both" | "LIG" | "LZ";

function forms(mnemonics: string, lengths: Lengths, form: Omit<VexForm, "length" | "feature">): InstructionRow[] {
  return mnemonics
    .split(" ")
    .flatMap((mnemonic) =>
      legacyRows(mnemonic).flatMap((row) =>
        (lengths === "both" ? (["128", "256"] as const) : [lengths]).map((length) =>
          vexRow(row, { ...form, length, feature: featureOf(mnemonic, length) }),
        ),
      ),
    );
}

function featureOf(mnemonic: string, length: VexForm["length"]): CpuidFeature {
  if (length === "256" && mnemonic.startsWith("AES")) return "vaes";
  if (length === "256" && mnemonic === "PCLMULQDQ") return "vpclmulqdq";
  return length === "256" && INTEGER.test(mnemonic) ? "avx2" : "avx";
}

/** destination = operation(first source, second source). */
const binary = (lengths: Lengths, mnemonics: string, shape: Partial<VexShape> = {}): InstructionRow[] =>
  forms(mnemonics, lengths, { shape });

/** destination = operation(source). */
const unary = (lengths: Lengths, mnemonics: string): InstructionRow[] => forms(mnemonics, lengths, { unary: true });

const special = (
  length: VexForm["length"],
  mnemonic: string,
  operands: string,
  shape: Partial<VexShape> = {},
  which = 0,
): InstructionRow[] => {
  const row = legacyRows(mnemonic)[which];
  return row ? [vexRow(row, { length, operands, shape, feature: featureOf(mnemonic, length) })] : [];
};

/** A shift count is in the low quadword of an XMM register or 16 bytes of memory, whatever is shifted. */
const shift = (mnemonic: string): InstructionRow[] => [
  ...special("128", mnemonic, "Vx,Hx,Wx"),
  ...special("256", mnemonic, "Vx,Hx,Wdq", { source: "same" }),
  ...special("128", mnemonic, "Hx,Ux,Ib", {}, 1),
  ...special("256", mnemonic, "Hx,Ux,Ib", {}, 1),
];

/** The elements of half a destination, from 8, 4 or 2 bytes of the source. */
const extension = (mnemonic: string, bytes: 8 | 4 | 2): InstructionRow[] => [
  ...special("128", mnemonic, `Vx,${{ 8: "Wq", 4: "Wd", 2: "Ww" }[bytes]}`),
  ...special("256", mnemonic, `Vx,${{ 8: "Wdq", 4: "Wq", 2: "Wd" }[bytes]}`, { source: "next" }),
];

/** The selector is a fourth operand instead of XMM0. */
const blendVariable = (mnemonic: string, opcode: string): InstructionRow[] =>
  (["128", "256"] as const).flatMap((length) =>
    legacyRows(mnemonic).map((row) =>
      vexRow(row, { length, opcode, operands: "Vx,Hx,Wx,Lx", feature: featureOf(mnemonic, length) }),
    ),
  );

const mask = (mnemonic: string, bits: 2 | 4 | 16, suffix: string): InstructionRow[] => [
  ...special("128", mnemonic, `Gd,U${suffix}`),
  ...special("256", mnemonic, `Gd,U${suffix}`, { result: bits }),
];

const scalarMoves = (mnemonic: string, suffix: "ss" | "sd", memory: "Md" | "Mq"): InstructionRow[] => [
  ...special("LIG", mnemonic, `V${suffix},${memory}`),
  ...special("LIG", mnemonic, `V${suffix},H${suffix},U${suffix}`),
  ...special("LIG", mnemonic, `${memory},V${suffix}`, {}, 1),
  ...special("LIG", mnemonic, `U${suffix},H${suffix},V${suffix}`, {}, 1),
];

const halfMoves = (mnemonic: string): InstructionRow[] => [
  ...special("128", mnemonic, "Vq,Hq,Mq"),
  ...special("128", mnemonic, "Mq,Vq", {}, 1),
];

export const AVX_DERIVED_ROWS: readonly InstructionRow[] = [
  // moves
  ...unary(
    "both",
    "MOVUPS MOVUPD MOVAPS MOVAPD MOVDQA MOVDQU MOVNTPS MOVNTPD MOVNTDQ MOVNTDQA LDDQU MOVSLDUP MOVSHDUP",
  ),
  ...unary("128", "MOVD MOVQ MASKMOVDQU"),
  ...special("128", "MOVDDUP", "Vq,Wq"),
  ...special("256", "MOVDDUP", "Vx,Wx"),
  ...scalarMoves("MOVSS", "ss", "Md"),
  ...scalarMoves("MOVSD", "sd", "Mq"),
  ...halfMoves("MOVLPS"),
  ...halfMoves("MOVLPD"),
  ...halfMoves("MOVHPS"),
  ...halfMoves("MOVHPD"),
  ...binary("128", "MOVHLPS MOVLHPS"),
  ...mask("MOVMSKPS", 4, "ps"),
  ...mask("MOVMSKPD", 2, "pd"),
  ...mask("PMOVMSKB", 16, "x"),
  ...unary("LZ", "LDMXCSR STMXCSR"),

  // float arithmetic, compares, conversions
  ...["ADD", "SUB", "MUL", "DIV", "MIN", "MAX"].flatMap((name) => [
    ...binary("both", `${name}PS ${name}PD`),
    ...binary("LIG", `${name}SS ${name}SD`),
  ]),
  ...unary("both", "SQRTPS SQRTPD RCPPS RSQRTPS ROUNDPS ROUNDPD"),
  ...binary("LIG", "SQRTSS SQRTSD RCPSS RSQRTSS ROUNDSS ROUNDSD"),
  ...binary("both", "CMPPS CMPPD ADDSUBPS ADDSUBPD HADDPS HADDPD HSUBPS HSUBPD DPPS"),
  ...binary("128", "DPPD"),
  ...binary("LIG", "CMPSS CMPSD CVTSI2SS CVTSI2SD CVTSS2SD CVTSD2SS"),
  ...unary("LIG", "COMISS COMISD UCOMISS UCOMISD CVTSS2SI CVTSD2SI CVTTSS2SI CVTTSD2SI"),
  ...unary("both", "CVTDQ2PS CVTPS2DQ CVTTPS2DQ"),
  ...["CVTPS2PD", "CVTDQ2PD"].flatMap((name) => [
    ...special("128", name, "Vpd,Wq"),
    ...special("256", name, "Vpd,Wdq", { source: "next" }),
  ]),
  ...["CVTPD2PS", "CVTPD2DQ", "CVTTPD2DQ"].flatMap((name) => [
    ...special("128", name, "Vdq,Wpd"),
    ...special("256", name, "Vdq,Wpd", { result: "quads" }),
  ]),

  // lanes
  ...binary("both", "UNPCKLPS UNPCKLPD UNPCKHPS UNPCKHPD SHUFPS PALIGNR PBLENDW"),
  ...binary("both", "SHUFPD BLENDPD", { immediateBits: 2 }),
  ...binary("both", "BLENDPS", { immediateBits: 4 }),
  ...binary("both", "MPSADBW", { immediateBits: 3 }),
  ...blendVariable("BLENDVPS", "66 0F 3A 4A W0"),
  ...blendVariable("BLENDVPD", "66 0F 3A 4B W0"),
  ...blendVariable("PBLENDVB", "66 0F 3A 4C W0"),
  ...unary("both", "PSHUFD PSHUFHW PSHUFLW PABSB PABSW PABSD"),
  ...unary("128", "PEXTRW PEXTRB PEXTRD EXTRACTPS PHMINPOSUW AESIMC AESKEYGENASSIST"),
  ...unary("128", "PCMPESTRI PCMPESTRM PCMPISTRI PCMPISTRM PTEST"),
  ...binary("128", "PINSRW PINSRB PINSRD INSERTPS"),
  ...binary("both", "AESENC AESENCLAST AESDEC AESDECLAST PCLMULQDQ"),

  // integers
  ...binary("both", "ANDPS ANDPD ANDNPS ANDNPD ORPS ORPD XORPS XORPD PAND PANDN POR PXOR"),
  ...binary("both", "PUNPCKLBW PUNPCKLWD PUNPCKLDQ PUNPCKLQDQ PUNPCKHBW PUNPCKHWD PUNPCKHDQ PUNPCKHQDQ"),
  ...binary("both", "PACKSSWB PACKUSWB PACKSSDW PACKUSDW"),
  ...binary("both", "PADDB PADDW PADDD PADDQ PADDSB PADDSW PADDUSB PADDUSW PSUBB PSUBW PSUBD PSUBQ PSUBSB PSUBSW"),
  ...binary("both", "PSUBUSB PSUBUSW PMULLW PMULHW PMULHUW PMULUDQ PMADDWD PSADBW PAVGB PAVGW PMULDQ PMULLD"),
  ...binary("both", "PMINUB PMAXUB PMINSW PMAXSW PMINSB PMINSD PMINUW PMINUD PMAXSB PMAXSD PMAXUW PMAXUD"),
  ...binary("both", "PCMPEQB PCMPEQW PCMPEQD PCMPEQQ PCMPGTB PCMPGTW PCMPGTD PCMPGTQ"),
  ...binary("both", "PSHUFB PHADDW PHADDD PHADDSW PHSUBW PHSUBD PHSUBSW PMADDUBSW PSIGNB PSIGNW PSIGND PMULHRSW"),
  ...["PSLLW", "PSLLD", "PSLLQ", "PSRLW", "PSRLD", "PSRLQ", "PSRAW", "PSRAD"].flatMap(shift),
  ...binary("both", "PSLLDQ PSRLDQ"),
  ...["PMOVSX", "PMOVZX"].flatMap((name) => [
    ...["BW", "WD", "DQ"].flatMap((suffix) => extension(name + suffix, 8)),
    ...["BD", "WQ"].flatMap((suffix) => extension(name + suffix, 4)),
    ...extension(`${name}BQ`, 2),
  ]),
];
