// A disassembler in Intel syntax, derived from the rows: for the debugger, traces and tests. Spelling follows GNU objdump -M intel.
import type { RegisterField } from "../../ir/nodes.ts";
import { placeOperands } from "../forms.ts";
import type { OperandCode, SizeCode } from "../operands.ts";
import type { Operation } from "../operation.ts";
import { PSEUDO_REGISTERS, SEGMENTS } from "../state-layout.ts";
import { type CodeMode, InstructionDecoder, MAX_DECODE_BYTES } from "./instruction-decoder.ts";
import type { Leaf } from "./opcode-map.ts";

export interface Disassembly {
  readonly text: string;
  /** In bytes. */
  readonly length: number;
}

const LOW_NAMES = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const HIGH_BYTES = ["ah", "ch", "dh", "bh"];
const POINTERS: Record<number, string> = {
  1: "BYTE PTR ",
  2: "WORD PTR ",
  4: "DWORD PTR ",
  8: "QWORD PTR ",
  10: "TBYTE PTR ",
  16: "XMMWORD PTR ",
  32: "YMMWORD PTR ",
};

/** Mnemonics that name the operand size, by log2 of it; "" where the row's own is used. */
const SIZED: Record<string, readonly string[]> = {
  CBW: ["", "cbw", "cwde", "cdqe"],
  CWD: ["", "cwd", "cdq", "cqo"],
  IRET: ["", "iretw", "iret", "iretq"],
  XLAT: ["xlat", "xlat", "xlat", "xlat"],
};

const DECODERS: Record<CodeMode, InstructionDecoder> = {
  2: new InstructionDecoder(2),
  4: new InstructionDecoder(4),
  8: new InstructionDecoder(8),
};

/** The instruction at the start of `bytes`, which lies at offset `rip` in CS. Undefined opcodes and missing bytes yield "(bad)". */
export function disassemble(bytes: Uint8Array, rip: bigint, mode: CodeMode): Disassembly {
  const decoder = DECODERS[mode];
  const padded = new Uint8Array(MAX_DECODE_BYTES);
  padded.set(bytes.subarray(0, MAX_DECODE_BYTES));
  const operations: Operation[] = [];
  decoder.decode(padded, 0, 0, operations);
  const { leaf, length } = decoder;
  const operation = operations.at(-1);
  if (!leaf || !operation || length > bytes.length) return { text: "(bad)", length: Math.max(1, length) };
  const address = operations.length > 1 ? operations[0] : undefined;
  const context: Context = { leaf, operation, address, rip, mode, decoder };
  const operands = leaf.operands.map((operand, n) => formatOperand(context, operand, n)).filter((text) => text !== "");
  const text = [prefixes(context) + mnemonic(context), operands.join(",")].filter((part) => part !== "").join(" ");
  return { text, length };
}

interface Context {
  readonly leaf: Leaf;
  readonly operation: Operation;
  /** The address operation before it, if there is one. */
  readonly address: Operation | undefined;
  readonly rip: bigint;
  readonly mode: CodeMode;
  readonly decoder: InstructionDecoder;
}

function prefixes({ leaf, decoder }: Context): string {
  const lock = decoder.prefixLock ? "lock " : "";
  if (!leaf.row.repeatable || decoder.prefixRepeat === 0) return lock;
  const conditional = leaf.row.writes?.includes("ZF");
  return lock + (decoder.prefixRepeat === 2 ? "repnz " : conditional ? "repz " : "rep ");
}

function mnemonic({ leaf, decoder }: Context): string {
  const sized = SIZED[leaf.row.mnemonic]?.[decoder.sizeLog2];
  if (sized) return sized;
  const name = leaf.row.mnemonic.toLowerCase();
  if (leaf.row.mnemonic === "JCXZ") return ["", "jcxz", "jecxz", "jrcxz"][decoder.addressLog2] ?? name;
  return name;
}

/** In bytes. */
function sizeOf(context: Context, code: SizeCode | undefined): number {
  return typeof code === "number" ? code : 1 << context.decoder.sizeLog2;
}

function formatOperand(context: Context, operand: OperandCode, n: number): string {
  const { leaf, operation } = context;
  const memory = operation.rm === PSEUDO_REGISTERS.ADDRESS || context.address !== undefined || usesMemory(context);
  switch (operand.place) {
    case "string":
      return formatString(context, operand);
    case "constant":
      return operand.text === "1" || operand.text === "3" ? operand.text : operand.text.toLowerCase();
    case "fixed":
      return operand.file === "x87" ? "st" : operand.text.toLowerCase();
    case "relative":
      return hex(wrapOffset(context, context.rip + BigInt(operation.disp)));
    case "far":
      return `${hex(BigInt(operation.imm))}:${hex(BigInt(operation.disp >>> 0))}`;
    case "immediate":
      return formatImmediate(context, operand);
  }
  if (operand.place === "offset" || (operand.place === "modrm.rm" && memory && operand.memorySize !== undefined)) {
    return formatMemory(context, sizeOf(context, operand.memorySize), operand);
  }
  if (leaf.operands.length === 1 && leaf.addressing === "unused" && operand.memorySize === undefined) return ""; // fences: ModRM is part of the opcode
  const field = placeOperands(leaf.operands, memory)[n] ?? "reg";
  return registerName(operand, fieldOf(operation, field), sizeOf(context, operand.registerSize));
}

function fieldOf(operation: Operation, field: RegisterField): number {
  if (field === "vvvv") return (operation.imm >> 8) & 0xff;
  return field === "is4" ? (operation.imm >> 16) & 0xff : operation[field];
}

/** Register forms leave index at ZERO with base 0; what tells them apart is the form itself. */
function usesMemory({ leaf, operation }: Context): boolean {
  const at = leaf.forms.indexOf(operation.handler);
  return at >= leaf.forms.length / 2;
}

function formatImmediate(context: Context, operand: OperandCode): string {
  const { operation } = context;
  const size = sizeOf(context, operand.registerSize);
  if (operand.encodedSize === "v" && size === 8) {
    return hex((BigInt(operation.imm >>> 0) << 32n) | BigInt(operation.disp >>> 0));
  }
  const values = context.leaf.operands.filter(({ place }) => place === "immediate");
  if (values.length === 2) return hex(BigInt(values[0] === operand ? operation.imm & 0xffff : operation.imm >> 16));
  return hex(BigInt.asUintN(size * 8, BigInt(operation.imm)));
}

function formatString(context: Context, operand: OperandCode): string {
  const size = POINTERS[sizeOf(context, operand.memorySize)] ?? "";
  const wide = ["", "", "e", "r"][context.decoder.addressLog2] ?? "";
  if (operand.text.startsWith("Y")) return `${size}es:[${wide}di]`;
  const segment = SEGMENTS[context.operation.reg] ?? "ds";
  const register = context.leaf.row.mnemonic === "XLAT" ? "bx" : "si";
  return `${size}${segment}:[${wide}${register}]`;
}

function formatMemory(context: Context, size: number, operand: OperandCode): string {
  const { operation, address, mode, decoder, leaf } = context;
  const source = address ?? operation;
  const pointer = operand.place === "offset" ? "" : (POINTERS[size] ?? "");
  if (leaf.addressing === "unused") return `${pointer}[...]`;
  const explicit = decoder.prefixSegment >= 0 ? `${SEGMENTS[decoder.prefixSegment]}:` : "";
  if (operand.place === "offset" && mode === 8) {
    return `${explicit || "ds:"}${hex((BigInt(source.imm >>> 0) << 32n) | BigInt(source.disp >>> 0))}`;
  }
  const parts: string[] = [];
  const { ZERO, BLOCK_RIP } = PSEUDO_REGISTERS;
  const width = 1 << decoder.addressLog2;
  let disp = source.disp;
  if (source.rm === BLOCK_RIP) {
    parts.push(width === 4 ? "eip" : "rip");
    if (!address || operation.disp === 0) disp -= operation.length;
  } else if (source.rm !== ZERO) parts.push(generalName(source.rm, width));
  if (source.index !== ZERO) {
    const scale = width === 2 ? "" : `*${1 << source.scale}`;
    const vector = { VSIBx: "xmm", VSIBy: "ymm" }[operand.text];
    parts.push((vector ? `${vector}${source.index}` : generalName(source.index, width)) + scale);
  }
  if (parts.length === 0) {
    const bits = width * 8;
    return `${pointer}${explicit || "ds:"}${hex(BigInt.asUintN(bits, BigInt(disp)))}`;
  }
  const sign = disp < 0 ? "-" : "+";
  const text = parts.join("+") + (disp === 0 && source.rm !== BLOCK_RIP ? "" : sign + hex(BigInt(Math.abs(disp))));
  return `${pointer}${explicit}[${text}]`;
}

function registerName(operand: OperandCode, value: number, size: number): string {
  switch (operand.file) {
    case "vector":
      return `${size === 32 ? "y" : "x"}mm${value}`;
    case "mmx":
      return `mm${value}`;
    case "x87":
      return `st(${value})`;
    case "segment":
      return SEGMENTS[value] ?? "?";
    case "control":
      return `cr${value}`;
    case "debug":
      return `dr${value}`;
    default:
      return generalName(value, size);
  }
}

/** `offset`: byte offset into the register file. */
function generalName(offset: number, size: number): string {
  if (offset & 1) return HIGH_BYTES[offset >> 3] ?? "?";
  const number = offset >> 3;
  const low = LOW_NAMES[number];
  if (low === undefined) return `r${number}${{ 1: "b", 2: "w", 4: "d" }[size] ?? ""}`;
  if (size === 1) return number < 4 ? `${low[0]}l` : `${low}l`;
  return (size === 8 ? "r" : size === 4 ? "e" : "") + low;
}

function wrapOffset({ mode, decoder }: Context, value: bigint): bigint {
  if (mode === 8) return BigInt.asUintN(64, value);
  return BigInt.asUintN(decoder.sizeLog2 === 1 ? 16 : 32, value);
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
