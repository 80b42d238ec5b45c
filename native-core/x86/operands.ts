// Operand codes (SDM 2, appendix A.2) parsed once at load: what each one is, where its bits come from and how wide it is.
// forms.ts resolves them to one size; the decoder compiles them to field sources.
import type { InstructionRow } from "./row.ts";

/** Bytes, or the letter of a size that depends on prefixes: v = 2/4/8, z = 2/4 (sign-extended to the operand size), y = 4/8. */
export type SizeCode = number | "v" | "y" | "z";

export type RegisterKind = "general" | "vector" | "mmx" | "x87" | "segment" | "control" | "debug";

export interface OperandCode {
  readonly text: string;
  readonly place:
    | "modrm.reg"
    | "modrm.rm"
    | "vex.vvvv"
    | "vex.is4" // bits 7..4 of an immediate byte
    | "opcode" // low three bits of the opcode
    | "accumulator" // AL, AX, EAX, RAX: encoded as register 0 of a field, so that it shares forms with other registers
    | "fixed" // CL, DX: named by the semantics
    | "constant"
    | "immediate"
    | "relative"
    | "offset" // moffs
    | "far" // ptr16:16, ptr16:32
    | "string"; // X, Y: known to the semantics
  /** Register file where the operand may be a register. */
  readonly file?: RegisterKind;
  readonly registerSize?: SizeCode;
  /** Present where the operand may be in memory; 0 when only the address matters. */
  readonly memorySize?: SizeCode;
  /** Bytes of an immediate or branch displacement. */
  readonly encodedSize?: SizeCode;
  readonly value?: number;
}

const GENERAL_SIZES: Record<string, SizeCode> = { b: 1, w: 2, d: 4, q: 8, v: "v", y: "y", z: "z", dq: 16, t: 10 };
const VECTOR_SIZES: Record<string, SizeCode> = { ss: 4, d: 4, sd: 8, q: 8, w: 2, b: 1, y: "y", dq: 16 };

const SEGMENT_NAMES = ["ES", "CS", "SS", "DS", "FS", "GS"];

export function parseOperands(row: InstructionRow): OperandCode[] {
  const vectorBytes = row.opcode.startsWith("VEX.256") ? 32 : 16;
  return row.operands === "" ? [] : row.operands.split(",").map((code) => parseOperand(code.trim(), vectorBytes));
}

/** `vectorBytes`: size of vectors whose code does not say it (ps, pd, x). */
function parseOperand(text: string, vectorBytes: number): OperandCode {
  const slash = text.indexOf("/");
  if (slash >= 0) {
    const register = parseOperand(text.slice(0, slash), vectorBytes);
    return { ...register, text, memorySize: parseOperand(text.slice(slash + 1), vectorBytes).memorySize ?? 0 };
  }
  const named = parseNamed(text);
  if (named) return named;
  const letter = text[0] ?? "";
  const suffix = text.slice(1);
  const general = GENERAL_SIZES[suffix] ?? 0;
  const vector = VECTOR_SIZES[suffix] ?? vectorBytes;
  switch (letter) {
    case "E":
      return { text, place: "modrm.rm", file: "general", registerSize: general, memorySize: general };
    case "R":
      return { text, place: "modrm.rm", file: "general", registerSize: general };
    case "M":
      return { text, place: "modrm.rm", memorySize: suffix === "x" ? vectorBytes : general };
    case "G":
      return { text, place: "modrm.reg", file: "general", registerSize: general };
    case "Z":
      return { text, place: "opcode", file: "general", registerSize: general };
    case "S":
      return { text, place: "modrm.reg", file: "segment", registerSize: 2 };
    case "C":
      return { text, place: "modrm.reg", file: "control", registerSize: "y" };
    case "D":
      return { text, place: "modrm.reg", file: "debug", registerSize: "y" };
    case "V":
      return { text, place: "modrm.reg", file: "vector", registerSize: vector };
    case "W":
      return { text, place: "modrm.rm", file: "vector", registerSize: vector, memorySize: vector };
    case "U":
      return { text, place: "modrm.rm", file: "vector", registerSize: vector };
    case "H":
      return { text, place: "vex.vvvv", file: "vector", registerSize: vector };
    case "B":
      return { text, place: "vex.vvvv", file: "general", registerSize: general };
    case "L":
      return { text, place: "vex.is4", file: "vector", registerSize: vector, encodedSize: 1 };
    case "P":
      return { text, place: "modrm.reg", file: "mmx", registerSize: 8 };
    case "Q":
      return { text, place: "modrm.rm", file: "mmx", registerSize: 8, memorySize: general || 8 };
    case "N":
      return { text, place: "modrm.rm", file: "mmx", registerSize: 8 };
    case "J":
      return { text, place: "relative", encodedSize: general };
    case "O":
      return { text, place: "offset", memorySize: general };
    case "X":
    case "Y":
      return { text, place: "string", memorySize: general };
    case "A":
      return { text, place: "far" };
    default:
      throw new Error(`unknown operand code ${text}`);
  }
}

function parseNamed(text: string): OperandCode | undefined {
  switch (text) {
    case "AL":
      return { text, place: "accumulator", file: "general", registerSize: 1 };
    case "AX":
      return { text, place: "accumulator", file: "general", registerSize: 2 };
    case "rAX":
      return { text, place: "accumulator", file: "general", registerSize: "v" };
    case "eAX": // never 64 bits wide (IN, OUT)
      return { text, place: "accumulator", file: "general", registerSize: "z" };
    case "VSIBx": // base, vector of indices (XMM or YMM), scale, displacement: known to the semantics
    case "VSIBy":
      return { text, place: "modrm.rm", memorySize: 0 };
    case "CL":
      return { text, place: "fixed", file: "general", registerSize: 1, value: 1 };
    case "DX":
      return { text, place: "fixed", file: "general", registerSize: 2, value: 2 };
    case "ST":
      return { text, place: "fixed", file: "x87", registerSize: 10, value: 0 };
    case "STi":
      return { text, place: "modrm.rm", file: "x87", registerSize: 10 };
    case "1":
      return { text, place: "constant", value: 1 };
    case "3":
      return { text, place: "constant", value: 3 };
    case "Ib":
      return { text, place: "immediate", registerSize: 1, encodedSize: 1 };
    case "Ibs":
      return { text, place: "immediate", registerSize: "v", encodedSize: 1 };
    case "Iw":
      return { text, place: "immediate", registerSize: 2, encodedSize: 2 };
    case "Iz":
      return { text, place: "immediate", registerSize: "v", encodedSize: "z" };
    case "Iv":
      return { text, place: "immediate", registerSize: "v", encodedSize: "v" };
  }
  const segment = SEGMENT_NAMES.indexOf(text);
  return segment < 0 ? undefined : { text, place: "constant", value: segment };
}

export function mayBeRegister(operands: readonly OperandCode[]): boolean {
  return operands.every(({ place, file }) => place !== "offset" && (place !== "modrm.rm" || file !== undefined));
}

export function mayBeMemory(operands: readonly OperandCode[]): boolean {
  return operands.some(
    (operand) => operand.place === "offset" || (operand.place === "modrm.rm" && operand.memorySize !== undefined),
  );
}
