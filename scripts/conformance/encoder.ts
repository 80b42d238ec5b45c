// Encodes one form of a row as machine code, from the row's own opcode and operand notation: the decoder's mirror image, used only to make cases.
import type { Size } from "../../native-core/ir/nodes.ts";
import { isVexOpcode, parseVexOpcode } from "../../native-core/x86/decoder/vex-map.ts";
import type { RowEncoding } from "../../native-core/x86/forms.ts";
import type { OperandCode, SizeCode } from "../../native-core/x86/operands.ts";
import { type Mode, SLOT_ADDRESS } from "./vector-format.ts";

export interface Opcode {
  readonly mandatoryPrefix?: number;
  readonly bytes: readonly number[];
  readonly digit?: number;
  readonly registerInOpcode: boolean;
  readonly rexW?: boolean;
}

export interface MemoryOperand {
  readonly base?: number;
  readonly index?: number;
  /** 0..3 */
  readonly scale: number;
  readonly displacement: number;
  /** ModRM.rm of 16-bit addressing, with `displacement`; 8 stands for a displacement alone. */
  readonly rm16?: number;
  /** Absolute target of a RIP-relative operand, instead of all of the above. */
  readonly ripTarget?: bigint;
}

export interface Instance {
  readonly mode: Mode;
  readonly size: Size;
  readonly prefixes: readonly number[];
  /** ModRM.reg or the register in the opcode; general registers 16..19 are AH CH DH BH. */
  readonly register: number;
  /** ModRM.rm as a register, or memory. */
  readonly target: number | MemoryOperand;
  /** Registers in VEX.vvvv (0 where it is unused) and in bits 7..4 of the immediate. */
  readonly vvvv?: number;
  readonly is4?: number;
  /** Of a VEX prefix: fields whose value does not matter, and long form where the short one would do. */
  readonly vex?: { readonly w: boolean; readonly l: boolean; readonly long: boolean };
  /** Immediates, branch displacements and absolute offsets by operand. */
  readonly values: readonly (bigint | undefined)[];
  /** Registers 4..7 of byte size mean SPL..DIL: a REX prefix must be there. */
  readonly forceRex: boolean;
}

export function parseOpcode(text: string): Opcode {
  const words = text.split(" ");
  let mandatoryPrefix: number | undefined;
  if (words[0] === "NP") words.shift();
  else if (words.length > 1 && /^(66|F2|F3)$/.test(words[0] ?? ""))
    mandatoryPrefix = Number.parseInt(words.shift() ?? "", 16);
  const bytes: number[] = [];
  let digit: number | undefined;
  let registerInOpcode = false;
  let rexW: boolean | undefined;
  for (const word of words) {
    if (word.startsWith("/")) digit = Number(word.slice(1));
    else if (word === "W0" || word === "W1") rexW = word === "W1";
    else {
      registerInOpcode = word.endsWith("+r");
      bytes.push(Number.parseInt(word, 16));
    }
  }
  return {
    bytes,
    registerInOpcode,
    ...(mandatoryPrefix === undefined ? {} : { mandatoryPrefix }),
    ...(digit === undefined ? {} : { digit }),
    ...(rexW === undefined ? {} : { rexW }),
  };
}

export function encode(encoding: RowEncoding, instance: Instance): Uint8Array {
  if (isVexOpcode(encoding.row.opcode)) return encodeVex(encoding, instance);
  const opcode = parseOpcode(encoding.row.opcode);
  const { mode, size, target, register } = instance;
  const hasModrm = opcode.digit !== undefined || encoding.operands.some(({ place }) => place.startsWith("modrm"));
  const memory = typeof target === "object" ? target : undefined;

  const prefixes = [...instance.prefixes];
  if (size === (mode === "16" ? 4 : 2) && sizeFollowsPrefixes(encoding)) prefixes.push(0x66);
  if (mode === "16" && memory && memory.rm16 === undefined) prefixes.push(0x67);
  if (opcode.mandatoryPrefix !== undefined) prefixes.push(opcode.mandatoryPrefix);

  const wide =
    opcode.rexW ??
    (size === 8 && (encoding.sizeRule === "v" || encoding.sizeRule === "y" || encoding.sizeRule === "z"));
  const r = hasModrm && opcode.digit === undefined ? register : 0;
  const b = memory ? (memory.base ?? 0) : opcode.registerInOpcode ? register : hasModrm ? (target as number) : 0;
  const x = memory?.index ?? 0;
  let rex = (wide ? 8 : 0) | (isExtended(r) ? 4 : 0) | (isExtended(x) ? 2 : 0) | (isExtended(b) ? 1 : 0);
  if (rex !== 0 || instance.forceRex) rex |= 0x40;
  if (rex !== 0 && mode !== "64") throw new Error(`${encoding.row.mnemonic}: REX outside 64-bit mode`);

  const bytes = [...opcode.bytes];
  const tail: number[] = [];
  if (opcode.registerInOpcode) bytes.push((bytes.pop() ?? 0) + (register & 7));
  let ripDisplacementAt = -1;
  if (hasModrm) {
    const reg = (opcode.digit ?? register) & 7;
    if (!memory) tail.push(0xc0 | (reg << 3) | ((target as number) & 7));
    else if (memory.ripTarget !== undefined) {
      tail.push((reg << 3) | 5);
      ripDisplacementAt = tail.length;
      tail.push(0, 0, 0, 0);
    } else if (memory.rm16 !== undefined) tail.push(...encodeMemory16(reg, memory.rm16, memory.displacement));
    else tail.push(...encodeMemory(mode, reg, memory));
  }
  for (const [n, operand] of encoding.operands.entries())
    tail.push(...encodeValue(operand, instance.values[n], size, mode));

  const head = [...prefixes, ...(rex === 0 ? [] : [rex]), ...bytes];
  const code = Uint8Array.from([...head, ...tail]);
  if (ripDisplacementAt >= 0) {
    const next = SLOT_ADDRESS + BigInt(code.length);
    new DataView(code.buffer).setInt32(head.length + ripDisplacementAt, Number((memory?.ripTarget ?? 0n) - next), true);
  }
  return code;
}

/** `instance.vex` sets fields that the opcode leaves open. */
function encodeVex(encoding: RowEncoding, instance: Instance): Uint8Array {
  const at = parseVexOpcode(encoding.row.opcode);
  const { mode, size, target, register } = instance;
  const memory = typeof target === "object" ? target : undefined;
  const sized = encoding.sizeRule === "y";
  const w = at.w ?? (sized ? (size === 8 ? 1 : 0) : instance.vex?.w ? 1 : 0);
  const l = at.l ?? (instance.vex?.l ? 1 : 0);
  const hasModrm = encoding.operands.length > 0;
  const r = hasModrm && at.reg === undefined && isExtended(register) ? 1 : 0;
  const x = isExtended(memory?.index ?? 0) ? 1 : 0;
  const b = isExtended(memory ? (memory.base ?? 0) : hasModrm ? (target as number) : 0) ? 1 : 0;
  const last = (w << 7) | ((~(instance.vvvv ?? 0) & 15) << 3) | (l << 2) | at.pp;
  const short = x === 0 && b === 0 && w === 0 && at.map === 1 && !instance.vex?.long;
  const prefix = short
    ? [0xc5, ((r ^ 1) << 7) | last]
    : [0xc4, ((r ^ 1) << 7) | ((x ^ 1) << 6) | ((b ^ 1) << 5) | at.map, last];
  const head = [...instance.prefixes, ...(mode === "16" && memory?.rm16 === undefined ? [0x67] : []), ...prefix];
  head.push(at.opcode);
  const tail: number[] = [];
  const reg = (at.reg ?? register) & 7;
  const isRipRelative = memory?.ripTarget !== undefined;
  if (hasModrm && !memory) tail.push(0xc0 | (reg << 3) | ((target as number) & 7));
  else if (memory && isRipRelative) tail.push((reg << 3) | 5, 0, 0, 0, 0);
  else if (memory) tail.push(...encodeMemory(mode, reg, memory));
  for (const [n, operand] of encoding.operands.entries()) {
    if (operand.place === "vex.is4") tail.push(((instance.is4 ?? 0) << 4) & 0xff);
    else tail.push(...encodeValue(operand, instance.values[n], size, mode));
  }
  const code = Uint8Array.from([...head, ...tail]);
  if (isRipRelative) {
    const next = SLOT_ADDRESS + BigInt(code.length);
    new DataView(code.buffer).setInt32(head.length + 1, Number((memory?.ripTarget ?? 0n) - next), true);
  }
  return code;
}

const isExtended = (register: number): boolean => register >= 8 && register < 16;

function sizeFollowsPrefixes({ sizeRule }: RowEncoding): boolean {
  return sizeRule !== "fixed" && sizeRule !== "y" && sizeRule !== "f64y";
}

function encodeMemory(mode: Mode, reg: number, { base, index, scale, displacement }: MemoryOperand): number[] {
  const needsSib = index !== undefined || base === undefined ? mode === "64" || index !== undefined : (base & 7) === 4;
  const small = displacement >= -128 && displacement < 128;
  // Without base: mod 0 and disp32. RBP and R13 as base have no form without displacement.
  const mod = base === undefined ? 0 : displacement === 0 && (base & 7) !== 5 ? 0 : small ? 1 : 2;
  const bytes = [(mod << 6) | (reg << 3) | (needsSib ? 4 : (base ?? 5) & 7)];
  if (needsSib) bytes.push((scale << 6) | (((index ?? 4) & 7) << 3) | ((base ?? 5) & 7));
  if (base === undefined || mod === 2) bytes.push(...littleEndian(BigInt(displacement), 4));
  else if (mod === 1) bytes.push(displacement & 0xff);
  return bytes;
}

/** rm 8 stands for no base: mod 0, rm 6, disp16. */
function encodeMemory16(reg: number, rm: number, displacement: number): number[] {
  if (rm === 8) return [(reg << 3) | 6, ...littleEndian(BigInt(displacement), 2)];
  const mod = displacement === 0 && rm !== 6 ? 0 : displacement >= -128 && displacement < 128 ? 1 : 2;
  return [(mod << 6) | (reg << 3) | rm, ...littleEndian(BigInt(displacement), mod)];
}

function encodeValue(operand: OperandCode, value: bigint | undefined, size: Size, mode: Mode): number[] {
  switch (operand.place) {
    case "immediate":
    case "relative":
      return littleEndian(
        value ?? 0n,
        encodedBytes(operand.encodedSize, size, operand.place === "relative" && mode === "64"),
      );
    case "far": {
      // Offset, then selector: bits 64 and up of the value.
      const far = value ?? 0n;
      return [...littleEndian(far, size === 2 ? 2 : 4), ...littleEndian(far >> 64n, 2)];
    }
    case "offset":
      return littleEndian(value ?? 0n, { "64": 8, legacy: 4, "16": 2 }[mode]);
    default:
      return [];
  }
}

/** z is never 8; branches in 64-bit mode have 32-bit displacements. */
export function encodedBytes(code: SizeCode | undefined, size: Size, longBranch = false): number {
  if (typeof code === "number") return code;
  if (longBranch) return 4;
  return code === "z" || code === "y" ? Math.min(size, 4) : size;
}

function littleEndian(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, n) => Number((value >> BigInt(8 * n)) & 0xffn));
}
