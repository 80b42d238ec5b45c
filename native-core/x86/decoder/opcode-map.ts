// Opcode maps, compiled from the rows at load: for each mode and opcode the leaf (one row, ready to decode) or a selection among several
// by mandatory prefix, REX.W, ModRM.reg and a fixed ModRM byte. Decoding then is array look-ups only.
import type { Size } from "../../ir/nodes.ts";
import {
  type FormMode,
  formKey,
  isInField,
  NO_FORM,
  placeOperands,
  type RowEncoding,
  rowEncodings,
  type SizeRule,
} from "../forms.ts";
import { mayBeMemory, mayBeRegister, type OperandCode } from "../operands.ts";
import type { InstructionRow } from "../row.ts";

/** Where a register field of an operation comes from. */
export const SOURCE = {
  NONE: 0,
  /** General register of 2, 4 or 8 bytes: offset = number * 8. */
  REG: 1,
  RM: 2,
  OPCODE: 3,
  /** Byte register: without REX, numbers 4..7 are AH CH DH BH. */
  REG_BYTE: 4,
  RM_BYTE: 5,
  OPCODE_BYTE: 6,
  /** Plain number, extended by REX: vector, control, debug. */
  REG_NUMBER: 7,
  RM_NUMBER: 8,
  /** Plain number of three bits: segment, MMX, x87. */
  REG_SHORT: 9,
  RM_SHORT: 10,
} as const;
export type Source = (typeof SOURCE)[keyof typeof SOURCE];

/** What follows the ModRM operand. */
export const IMMEDIATE = {
  NONE: 0,
  BYTE: 1,
  WORD: 2,
  /** 2 bytes with a 16-bit operand, else 4. */
  Z: 3,
  /** 2, 4 or 8 bytes. */
  V: 4,
  RELATIVE_BYTE: 5,
  RELATIVE_Z: 6,
  /** An offset of the address size (moffs). */
  OFFSET: 7,
  /** Offset of 2 or 4 bytes, then a selector. */
  FAR: 8,
  /** ENTER: a word, then a byte. */
  WORD_BYTE: 9,
} as const;
export type Immediate = (typeof IMMEDIATE)[keyof typeof IMMEDIATE];

/** Rule indices of SIZE_LOG2. */
const SIZE_RULES: readonly SizeRule[] = ["fixed", "v", "z", "y", "d64", "f64", "f64y"];

/**
 * log2 of the operand size by rule, code mode and prefixes: index sizeIndex(rule, log2 of the code mode, REX.W, prefix 66). SDM 1 3.6.
 * For rule "fixed" the leaf knows better.
 */
export const SIZE_LOG2 = buildSizes();

export function sizeIndex(rule: number, modeLog2: number, rexW: number, prefix66: number): number {
  return ((rule * 4 + modeLog2) * 2 + rexW) * 2 + prefix66;
}

function buildSizes(): Uint8Array {
  const table = new Uint8Array(SIZE_RULES.length * 16);
  SIZE_RULES.forEach((rule, ruleIndex) => {
    for (const mode of [1, 2, 3]) {
      for (const w of [0, 1]) {
        for (const prefix of [0, 1]) {
          table[sizeIndex(ruleIndex, mode, w, prefix)] = sizeOf(rule, mode, w === 1, prefix === 1);
        }
      }
    }
  });
  return table;
}

function sizeOf(rule: SizeRule, modeLog2: number, w: boolean, prefix: boolean): number {
  if (modeLog2 < 3) {
    if (rule === "y" || rule === "f64y") return 2;
    return (modeLog2 === 1) !== prefix ? 1 : 2;
  }
  const ordinary = w ? 3 : prefix ? 1 : 2;
  switch (rule) {
    case "z":
      return Math.min(ordinary, 2);
    case "y":
      return w ? 3 : 2;
    case "d64":
      return prefix && !w ? 1 : 3;
    case "f64":
    case "f64y":
      return 3;
    default:
      return ordinary;
  }
}

/** One row, compiled. */
export interface Leaf {
  readonly row: InstructionRow;
  readonly operands: readonly OperandCode[];
  readonly modrm: boolean;
  readonly sizeRule: number;
  readonly fixedSizeLog2: number;
  /** RowEncoding.forms. */
  readonly forms: Uint16Array;
  /** RowEncoding.zeroForms: used when the immediate, masked as a shift count, is zero. */
  readonly zeroForms: Uint16Array | undefined;
  readonly immediate: Immediate;
  /** Sources of the fields of a register form, and of `reg` beside a memory operand. */
  readonly regSource: Source;
  readonly rmSource: Source;
  readonly memoryRegSource: Source;
  /** MOV to and from control and debug registers takes ModRM.rm as a register whatever mod says. */
  readonly ignoresMod: boolean;
  readonly addressing: "full" | "offset" | "unused";
  readonly lockable: boolean;
  readonly endsBlock: boolean;
  readonly popsFirst: boolean;
  /** Has a string source, whose segment goes into `reg`. */
  readonly hasSource: boolean;
  /** Bytes of the memory operand; 0: the operand size. */
  readonly memorySize: number;
  /** How the register in VEX.vvvv is placed in its field: shifted so many bits; -1: there is none, and the field must be unused. */
  readonly vvvvShift: number;
  /** Bits 7..4 of the immediate name a register. */
  readonly hasIs4: boolean;
  /** The index register of the memory operand is a vector. */
  readonly hasVectorIndex: boolean;
}

export interface OpcodeNode {
  /** True if any row of this opcode has a ModRM byte: then all have. */
  modrm: boolean;
  /** The only row, unless `choices` is used. */
  leaf: Leaf | undefined;
  /** By choiceIndex. */
  choices: (Leaf | undefined)[] | undefined;
}

/** Mandatory prefix: 0 none, 1 = 66, 2 = F3, 3 = F2. `rm`: 0..7 a register form, 8 memory. */
export function choiceIndex(prefix: number, rexW: number, reg: number, rm: number): number {
  return ((prefix * 2 + rexW) * 8 + reg) * 9 + rm;
}

const CHOICES = 4 * 2 * 8 * 9;
export const MEMORY_RM = 8;

/** Maps 0 (one byte), 1 (0F), 2 (0F 38), 3 (0F 3A): node of map * 256 + opcode. */
export type OpcodeMap = readonly (OpcodeNode | undefined)[];

/** In the order of choiceIndex. */
const MANDATORY: readonly string[] = ["NP", "66", "F3", "F2"];

interface Encoding {
  readonly prefix: "any" | "NP" | "66" | "F3" | "F2";
  readonly w: 0 | 1 | undefined;
  readonly map: number;
  readonly opcode: number;
  readonly plusRegister: boolean;
  readonly reg: number | undefined;
  /** A fixed ModRM byte. */
  readonly modrm: number | undefined;
}

export const OPCODE_MAPS: Readonly<Record<FormMode, OpcodeMap>> = {
  "64": buildMap("64"),
  legacy: buildMap("legacy"),
};

export function parseOpcode(text: string): Encoding {
  const words = text.split(" ");
  let prefix: Encoding["prefix"] = "any";
  let w: 0 | 1 | undefined;
  let reg: number | undefined;
  const first = words[0];
  if (first === "NP" || ((first === "66" || first === "F3" || first === "F2") && words.length > 1)) {
    prefix = first;
    words.shift();
  }
  const last = words.at(-1);
  if (last === "W0" || last === "W1") {
    w = last === "W1" ? 1 : 0;
    words.pop();
  }
  const digit = /^\/([0-7])$/.exec(words.at(-1) ?? "");
  if (digit) {
    reg = Number(digit[1]);
    words.pop();
  }
  let map = 0;
  if (words[0] === "0F") {
    words.shift();
    map = 1;
    const second: string | undefined = words[0];
    if (words.length > 1 && (second === "38" || second === "3A")) {
      words.shift();
      map = second === "38" ? 2 : 3;
    }
  }
  const plusRegister = words[0]?.endsWith("+r") ?? false;
  const opcode = Number.parseInt(words[0] ?? "", 16);
  const modrm = words[1] === undefined ? undefined : Number.parseInt(words[1], 16);
  if (Number.isNaN(opcode) || words.length > 2) throw new Error(`cannot parse opcode ${text}`);
  return { prefix, w, map, opcode, plusRegister, reg, modrm };
}

function buildMap(mode: FormMode): OpcodeMap {
  const map: (OpcodeNode | undefined)[] = new Array(1024);
  const rows = rowEncodings(mode)
    .filter(({ row }) => row.opcode !== "" && !row.opcode.startsWith("VEX."))
    .map((encoding) => ({ encoding, at: parseOpcode(encoding.row.opcode) }));
  const byOpcode = Map.groupBy(
    rows.flatMap((entry) =>
      Array.from({ length: entry.at.plusRegister ? 8 : 1 }, (_, n) => ({
        ...entry,
        index: entry.at.map * 256 + entry.at.opcode + n,
      })),
    ),
    ({ index }) => index,
  );
  for (const [index, entries] of byOpcode) map[index] = buildNode(entries);
  return map;
}

function buildNode(entries: readonly { encoding: RowEncoding; at: Encoding }[]): OpcodeNode {
  // A row for exactly this opcode goes before `+r` (90 is NOP, not XCHG eAX, eAX).
  const exact = entries.filter(({ at }) => !at.plusRegister);
  const rows = exact.length > 0 && exact.length < entries.length ? exact : entries;
  const modrm = rows.some(({ encoding, at }) => at.modrm !== undefined || at.reg !== undefined || usesModrm(encoding));
  const only = rows.length === 1 ? rows[0] : undefined;
  if (only && only.at.prefix === "any" && only.at.w === undefined && only.at.reg === undefined && !only.at.modrm) {
    return { modrm, leaf: buildLeaf(only.encoding, modrm), choices: undefined };
  }
  const choices: (Leaf | undefined)[] = new Array(CHOICES);
  // The more specific a row, the later it is entered: it overrides the general ones.
  const ordered = rows.toSorted((a, b) => specificity(a.at) - specificity(b.at));
  const owner: number[] = new Array(CHOICES).fill(-1);
  for (const { encoding, at } of ordered) {
    const leaf = buildLeaf(encoding, modrm);
    for (const index of choicesOf(encoding, at, modrm)) {
      if (choices[index] && owner[index] === specificity(at)) {
        throw new Error(`${encoding.row.mnemonic} ${encoding.row.opcode} collides with ${choices[index].row.mnemonic}`);
      }
      choices[index] = leaf;
      owner[index] = specificity(at);
    }
  }
  return { modrm, leaf: undefined, choices };
}

function specificity(at: Encoding): number {
  const prefix = at.prefix === "any" ? 0 : 4;
  return prefix + (at.modrm === undefined ? 0 : 2) + (at.w === undefined ? 0 : 1);
}

function choicesOf(encoding: RowEncoding, at: Encoding, modrm: boolean): number[] {
  const prefixes = at.prefix === "any" ? [0, 1, 2, 3] : [MANDATORY.indexOf(at.prefix)];
  const ws = at.w === undefined ? [0, 1] : [at.w];
  let regs = [0, 1, 2, 3, 4, 5, 6, 7];
  let rms: number[] = [];
  if (at.modrm !== undefined) {
    regs = [(at.modrm >> 3) & 7];
    rms = [at.modrm & 7];
  } else {
    if (at.reg !== undefined) regs = [at.reg];
    const registers = mayBeRegister(encoding.operands);
    const memory = mayBeMemory(encoding.operands) || ignoresMod(encoding) || !usesModrm(encoding);
    if (registers) rms.push(0, 1, 2, 3, 4, 5, 6, 7);
    if (memory) rms.push(MEMORY_RM);
  }
  if (!modrm) {
    regs = [0];
    rms = [0];
  }
  return prefixes.flatMap((prefix) =>
    ws.flatMap((w) => regs.flatMap((reg) => rms.map((rm) => choiceIndex(prefix, w, reg, rm)))),
  );
}

function usesModrm(encoding: RowEncoding): boolean {
  return encoding.operands.some(({ place }) => place === "modrm.reg" || place === "modrm.rm");
}

function ignoresMod(encoding: RowEncoding): boolean {
  return encoding.operands.some(({ file }) => file === "control" || file === "debug");
}

export function buildLeaf(encoding: RowEncoding, modrm: boolean): Leaf {
  const { row, operands } = encoding;
  const memory = operands.find(({ place, memorySize }) => memorySize !== undefined && place !== "string");
  return {
    row,
    operands,
    modrm,
    sizeRule: SIZE_RULES.indexOf(encoding.sizeRule),
    fixedSizeLog2: log2(encoding.fixedSize),
    forms: encoding.forms,
    zeroForms: encoding.zeroForms,
    immediate: immediateOf(operands),
    regSource: sourceOf(operands, false, "reg"),
    rmSource: sourceOf(operands, false, "rm"),
    memoryRegSource: sourceOf(operands, true, "reg"),
    ignoresMod: ignoresMod(encoding),
    addressing: row.addressing ?? "full",
    lockable: row.lockable ?? false,
    endsBlock: row.endsBlock ?? false,
    popsFirst: row.popsFirst ?? false,
    hasSource: operands.some(({ text }) => text.startsWith("X")),
    memorySize: typeof memory?.memorySize === "number" ? memory.memorySize : 0,
    vvvvShift: vvvvShiftOf(operands),
    hasIs4: operands.some(({ place }) => place === "vex.is4"),
    hasVectorIndex: operands.some(({ text }) => text.startsWith("VSIB")),
  };
}

/** General registers are byte offsets into their file. */
function vvvvShiftOf(operands: readonly OperandCode[]): number {
  const operand = operands.find(({ place }) => place === "vex.vvvv");
  return operand === undefined ? -1 : operand.file === "general" ? 3 : 0;
}

function sourceOf(operands: readonly OperandCode[], memory: boolean, field: "reg" | "rm"): Source {
  const fields = placeOperands(operands, memory);
  const operand = operands.find((candidate, n) => isInField(candidate, memory) && fields[n] === field);
  if (!operand) return SOURCE.NONE;
  const kind =
    operand.file === "general"
      ? operand.registerSize === 1
        ? "byte"
        : "general"
      : operand.file === "segment" || operand.file === "mmx" || operand.file === "x87"
        ? "short"
        : "number";
  switch (operand.place) {
    case "modrm.reg":
      return { general: SOURCE.REG, byte: SOURCE.REG_BYTE, number: SOURCE.REG_NUMBER, short: SOURCE.REG_SHORT }[kind];
    case "modrm.rm":
      return { general: SOURCE.RM, byte: SOURCE.RM_BYTE, number: SOURCE.RM_NUMBER, short: SOURCE.RM_SHORT }[kind];
    case "opcode":
      return kind === "byte" ? SOURCE.OPCODE_BYTE : SOURCE.OPCODE;
    default:
      return SOURCE.NONE; // the accumulator is register 0
  }
}

function immediateOf(operands: readonly OperandCode[]): Immediate {
  const encoded = operands.filter(({ place }) => ["immediate", "relative", "offset", "far", "vex.is4"].includes(place));
  const [first, second] = encoded;
  if (!first) return IMMEDIATE.NONE;
  if (second) return IMMEDIATE.WORD_BYTE;
  if (first.place === "far") return IMMEDIATE.FAR;
  if (first.place === "offset") return IMMEDIATE.OFFSET;
  if (first.place === "relative") return first.encodedSize === 1 ? IMMEDIATE.RELATIVE_BYTE : IMMEDIATE.RELATIVE_Z;
  switch (first.encodedSize) {
    case 1:
      return IMMEDIATE.BYTE;
    case 2:
      return IMMEDIATE.WORD;
    case "v":
      return IMMEDIATE.V;
    default:
      return IMMEDIATE.Z;
  }
}

/** Handler of a pseudo row. */
export function pseudoHandler(row: InstructionRow, mode: FormMode): number {
  const encoding = rowEncodings(mode).find((candidate) => candidate.row === row);
  const handler = encoding?.forms[formKey(0, log2(encoding.fixedSize), mode === "64" ? 3 : 2, 0, 0)] ?? NO_FORM;
  if (handler === NO_FORM) throw new Error(`${row.mnemonic} has no form`);
  return handler;
}

function log2(size: Size): number {
  return 31 - Math.clz32(size);
}
