// Decodes one instruction into one or two operations (an address operation may come first). SDM 2A chapter 2.
// The caller guarantees that at least MAX_DECODE_BYTES bytes can be read; what lies behind the instruction does not matter.
import { formKey, NO_FORM, writesMemory } from "../forms.ts";
import type { Operation } from "../operation.ts";
import { PSEUDO_ROWS, SEGMENT_READ_MASK, SEGMENT_WRITE_MASK } from "../semantics/address.ts";
import { PSEUDO_REGISTERS, SEGMENTS } from "../state-layout.ts";
import {
  choiceIndex,
  IMMEDIATE,
  type Leaf,
  MEMORY_RM,
  OPCODE_MAPS,
  pseudoHandler,
  SIZE_LOG2,
  SOURCE,
  type Source,
  sizeIndex,
} from "./opcode-map.ts";

/** 2 = 16-bit, 4 = 32-bit, 8 = 64-bit code (STATE.codeMode). */
export type CodeMode = 2 | 4 | 8;

export const MAX_INSTRUCTION_LENGTH = 15;
/** Prefixes up to the limit, then the longest opcode, ModRM, SIB, displacement and immediate. */
export const MAX_DECODE_BYTES = 32;

const DS = SEGMENTS.indexOf("ds");
const SS = SEGMENTS.indexOf("ss");
const FS = SEGMENTS.indexOf("fs");

const { ZERO, BLOCK_RIP, ADDRESS } = PSEUDO_REGISTERS;

/** Classes of bytes before the opcode. */
const PREFIX = { NONE: 0, OPERAND: 1, ADDRESS: 2, REP: 3, REPNE: 4, LOCK: 5, SEGMENT: 6, REX: 7 } as const;

const LEGACY_PREFIXES = buildPrefixes(false);
const LONG_PREFIXES = buildPrefixes(true);

function buildPrefixes(long: boolean): Uint8Array {
  const table = new Uint8Array(256);
  table[0x66] = PREFIX.OPERAND;
  table[0x67] = PREFIX.ADDRESS;
  table[0xf3] = PREFIX.REP;
  table[0xf2] = PREFIX.REPNE;
  table[0xf0] = PREFIX.LOCK;
  for (const byte of [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]) table[byte] = PREFIX.SEGMENT;
  if (long) table.fill(PREFIX.REX, 0x40, 0x50);
  return table;
}

/** Segment number of an override prefix. */
function prefixSegment(byte: number): number {
  return byte >= 0x64 ? FS + (byte - 0x64) : (byte >> 3) & 3;
}

/** Base and index registers of 16-bit addressing by ModRM.rm (SDM 2A table 2-1). */
const BASE16 = [3 * 8, 3 * 8, 5 * 8, 5 * 8, 6 * 8, 7 * 8, 5 * 8, 3 * 8];
const INDEX16 = [6 * 8, 7 * 8, 6 * 8, 7 * 8, ZERO, ZERO, ZERO, ZERO];

interface PseudoHandlers {
  readonly undefinedOpcode: number;
  readonly generalProtection: number;
  readonly next: number;
  readonly address64: number;
  readonly address64Segment: number;
  readonly address32: number;
  readonly address16: number;
  readonly address32Segment: number;
  readonly legacy32: number;
  readonly legacy16: number;
  readonly absolute64: number;
  readonly absolute64Segment: number;
}

function pseudoHandlers(mode: "64" | "legacy"): PseudoHandlers {
  return {
    undefinedOpcode: pseudoHandler(PSEUDO_ROWS.UD, mode),
    generalProtection: pseudoHandler(PSEUDO_ROWS.GP, mode),
    next: pseudoHandler(PSEUDO_ROWS.NEXT, mode),
    address64: pseudoHandler(PSEUDO_ROWS.ADDRESS64, mode),
    address64Segment: pseudoHandler(PSEUDO_ROWS.ADDRESS64_SEGMENT, mode),
    address32: pseudoHandler(PSEUDO_ROWS.ADDRESS32, mode),
    address16: pseudoHandler(PSEUDO_ROWS.ADDRESS16, mode),
    address32Segment: pseudoHandler(PSEUDO_ROWS.ADDRESS32_SEGMENT, mode),
    legacy32: pseudoHandler(PSEUDO_ROWS.LEGACY32, mode),
    legacy16: pseudoHandler(PSEUDO_ROWS.LEGACY16, mode),
    absolute64: pseudoHandler(PSEUDO_ROWS.ABSOLUTE64, mode),
    absolute64Segment: pseudoHandler(PSEUDO_ROWS.ABSOLUTE64_SEGMENT, mode),
  };
}

export const PSEUDO_HANDLERS = { "64": pseudoHandlers("64"), legacy: pseudoHandlers("legacy") };

/** The handler of NEXT: appended where a block ends without a control transfer. */
export function nextHandler(mode: CodeMode): number {
  return (mode === 8 ? PSEUDO_HANDLERS["64"] : PSEUDO_HANDLERS.legacy).next;
}

/** XCHG r8, rAX: what opcode 90 is with REX.B, instead of NOP. */
const XCHG_LEAF = OPCODE_MAPS["64"][0x91]?.leaf;

export class InstructionDecoder {
  // Results of the last decode.
  length = 0;
  endsBlock = false;
  /** The row that was decoded; undefined for an undefined opcode. */
  leaf: Leaf | undefined = undefined;
  sizeLog2 = 0;
  addressLog2 = 0;
  prefixSegment = -1;
  prefixRepeat = 0;
  prefixLock = false;

  readonly #long: boolean;
  readonly #modeLog2: number;
  readonly #map: (typeof OPCODE_MAPS)["64"];
  readonly #prefixes: Uint8Array;
  readonly #pseudo: PseudoHandlers;

  // The effective address of the current instruction.
  #base = 0;
  #index = 0;
  #scale = 0;
  #disp = 0;
  #segment = 0;
  #at = 0;

  constructor(mode: CodeMode) {
    this.#long = mode === 8;
    this.#modeLog2 = mode === 8 ? 3 : mode === 4 ? 2 : 1;
    this.#map = OPCODE_MAPS[this.#long ? "64" : "legacy"];
    this.#prefixes = this.#long ? LONG_PREFIXES : LEGACY_PREFIXES;
    this.#pseudo = PSEUDO_HANDLERS[this.#long ? "64" : "legacy"];
  }

  /** Decodes the instruction at `bytes[offset]`, which is `start` bytes into its block, and appends its operations. */
  decode(bytes: Uint8Array, offset: number, start: number, out: Operation[]): void {
    let at = offset;
    let opcode = 0;
    let rex = 0;
    let prefix66 = 0;
    let prefix67 = false;
    let repeat = 0;
    let override = -1;
    let lock = false;
    const prefixes = this.#prefixes;
    scan: for (;;) {
      const byte = bytes[at++] as number;
      switch (prefixes[byte]) {
        case PREFIX.NONE:
          opcode = byte;
          break scan;
        case PREFIX.REX:
          rex = byte;
          continue;
        case PREFIX.OPERAND:
          prefix66 = 1;
          break;
        case PREFIX.ADDRESS:
          prefix67 = true;
          break;
        case PREFIX.REP:
          repeat = 1;
          break;
        case PREFIX.REPNE:
          repeat = 2;
          break;
        case PREFIX.LOCK:
          lock = true;
          break;
        default: {
          // In 64-bit mode only FS and GS mean something; the others do not even cancel them.
          const segment = prefixSegment(byte);
          if (!this.#long || segment >= FS) override = segment;
        }
      }
      rex = 0; // a REX prefix counts only right before the opcode
      if (at - offset >= MAX_INSTRUCTION_LENGTH)
        return this.#fail(this.#pseudo.generalProtection, at, offset, start, out);
    }
    this.prefixSegment = override;
    this.prefixRepeat = repeat;
    this.prefixLock = lock;

    let index = opcode;
    if (opcode === 0x0f) {
      opcode = bytes[at++] as number;
      index = 256 + opcode;
      if (opcode === 0x38 || opcode === 0x3a) {
        index = (opcode === 0x38 ? 512 : 768) + (bytes[at] as number);
        opcode = bytes[at++] as number;
      }
    }
    const node = this.#map[index];
    if (node === undefined) return this.#fail(this.#pseudo.undefinedOpcode, at, offset, start, out);

    let modrm = 0;
    if (node.modrm) modrm = bytes[at++] as number;
    let leaf = node.leaf;
    if (leaf === undefined && node.choices !== undefined) {
      const prefix = repeat !== 0 ? repeat + 1 : prefix66;
      const rm = modrm >= 0xc0 || !node.modrm ? modrm & 7 : MEMORY_RM;
      const reg = (modrm >> 3) & 7;
      leaf = node.choices[choiceIndex(prefix, (rex >> 3) & 1, reg, rm)];
    }
    if (opcode === 0x90 && index === 0x90 && rex & 1) leaf = XCHG_LEAF;
    if (leaf === undefined) return this.#fail(this.#pseudo.undefinedOpcode, at, offset, start, out);

    const sizeLog2 =
      leaf.sizeRule === 0
        ? leaf.fixedSizeLog2
        : (SIZE_LOG2[sizeIndex(leaf.sizeRule, this.#modeLog2, (rex >> 3) & 1, prefix66)] as number);
    const addressLog2 = prefix67 ? (this.#long ? 2 : 3 - this.#modeLog2) : this.#modeLog2;
    const memory = leaf.modrm && modrm < 0xc0 && !leaf.ignoresMod ? 1 : 0;
    const offsetOperand = leaf.immediate === IMMEDIATE.OFFSET;
    const segmentInField = leaf.hasSource && override >= 0 && this.#long ? 1 : 0;
    const inMemory = memory === 1 || offsetOperand ? 1 : 0;
    // A row without operands (in an opcode that others give a ModRM byte) has only register forms.
    const key = formKey(inMemory, sizeLog2, addressLog2, repeat, segmentInField);
    const handler = leaf.forms[key] as number;
    if (handler === NO_FORM || (lock && (!leaf.lockable || inMemory === 0))) {
      return this.#fail(this.#pseudo.undefinedOpcode, at, offset, start, out);
    }

    const operation: Operation = {
      handler,
      length: 0,
      start,
      reg: 0,
      rm: 0,
      index: ZERO,
      scale: 0,
      disp: 0,
      imm: 0,
    };
    this.#at = at;
    if (memory === 1) {
      this.#segment = DS;
      if (addressLog2 === 1) this.#decodeAddress16(bytes, modrm);
      else this.#decodeAddress(bytes, modrm, rex);
      operation.reg = this.#register(leaf.memoryRegSource, modrm, opcode, rex);
    } else if (!offsetOperand) {
      operation.reg = this.#register(leaf.regSource, modrm, opcode, rex);
      operation.rm = this.#register(leaf.rmSource, modrm, opcode, rex);
      if (leaf.hasSource) operation.reg = override >= 0 ? override : DS;
    }
    at = this.#at;

    switch (leaf.immediate) {
      case IMMEDIATE.NONE:
        break;
      case IMMEDIATE.BYTE:
        operation.imm = ((bytes[at++] as number) << 24) >> 24;
        break;
      case IMMEDIATE.WORD:
        operation.imm = read16(bytes, at);
        at += 2;
        break;
      case IMMEDIATE.Z:
        if (sizeLog2 === 1) {
          operation.imm = read16(bytes, at);
          at += 2;
        } else {
          operation.imm = read32(bytes, at);
          at += 4;
        }
        break;
      case IMMEDIATE.V:
        if (sizeLog2 === 3) {
          operation.disp = read32(bytes, at);
          operation.imm = read32(bytes, at + 4);
          at += 8;
        } else if (sizeLog2 === 2) {
          operation.imm = read32(bytes, at);
          at += 4;
        } else {
          operation.imm = read16(bytes, at);
          at += 2;
        }
        break;
      case IMMEDIATE.RELATIVE_BYTE:
        operation.disp = ((bytes[at++] as number) << 24) >> 24;
        operation.disp += start + at - offset;
        break;
      case IMMEDIATE.RELATIVE_Z:
        if (sizeLog2 === 1) {
          operation.disp = read16(bytes, at);
          at += 2;
        } else {
          operation.disp = read32(bytes, at);
          at += 4;
        }
        operation.disp = (operation.disp + start + at - offset) | 0;
        break;
      case IMMEDIATE.OFFSET:
        this.#base = ZERO;
        this.#index = ZERO;
        this.#scale = 0;
        this.#segment = DS;
        if (addressLog2 === 1) this.#disp = read16(bytes, at) & 0xffff;
        else this.#disp = read32(bytes, at);
        operation.imm = addressLog2 === 3 ? read32(bytes, at + 4) : 0;
        at += 1 << addressLog2;
        break;
      case IMMEDIATE.FAR:
        if (sizeLog2 === 1) operation.disp = read16(bytes, at) & 0xffff;
        else operation.disp = read32(bytes, at);
        at += 1 << sizeLog2;
        operation.imm = read16(bytes, at) & 0xffff;
        at += 2;
        break;
      case IMMEDIATE.WORD_BYTE:
        operation.imm = (read16(bytes, at) & 0xffff) | ((bytes[at + 2] as number) << 16);
        at += 3;
        break;
    }

    if (leaf.zeroForms !== undefined && (operation.imm & (sizeLog2 === 3 ? 63 : 31)) === 0) {
      operation.handler = leaf.zeroForms[key] as number;
    }
    const length = at - offset;
    if (length > MAX_INSTRUCTION_LENGTH) return this.#fail(this.#pseudo.generalProtection, at, offset, start, out);
    operation.length = length;
    this.length = length;
    this.endsBlock = leaf.endsBlock;
    this.leaf = leaf;
    this.sizeLog2 = sizeLog2;
    this.addressLog2 = addressLog2;
    if (inMemory === 1) this.#placeMemory(leaf, operation, addressLog2, override, sizeLog2, out);
    out.push(operation);
  }

  /** Fills in the memory operand, directly or through an address operation that is appended first. */
  #placeMemory(
    leaf: Leaf,
    operation: Operation,
    addressLog2: number,
    override: number,
    sizeLog2: number,
    out: Operation[],
  ): void {
    const pseudo = this.#pseudo;
    let disp = this.#disp;
    if (leaf.addressing === "unused") {
      operation.rm = ZERO;
      return;
    }
    if (leaf.popsFirst && this.#base === 4 * 8) disp += 1 << sizeLog2;
    let tooFar = false;
    if (this.#base === BLOCK_RIP) {
      const fromBlock = disp + operation.start + operation.length;
      tooFar = fromBlock !== (fromBlock | 0);
      if (!tooFar) disp = fromBlock;
    }
    const absolute = leaf.immediate === IMMEDIATE.OFFSET;
    const segment = override >= 0 ? override : this.#segment;
    const segmented = leaf.addressing === "full" && (!this.#long || segment >= FS);
    if (addressLog2 === 3 && !segmented && !absolute && !tooFar) {
      operation.rm = this.#base;
      operation.index = this.#index;
      operation.scale = this.#scale;
      operation.disp = disp;
      return;
    }
    let handler: number;
    if (addressLog2 === 3) {
      if (absolute) handler = segmented ? pseudo.absolute64Segment : pseudo.absolute64;
      else handler = segmented ? pseudo.address64Segment : pseudo.address64;
    } else if (!segmented) handler = addressLog2 === 2 ? pseudo.address32 : pseudo.address16;
    else if (this.#long) handler = pseudo.address32Segment;
    else handler = addressLog2 === 2 ? pseudo.legacy32 : pseudo.legacy16;
    out.push({
      handler,
      length: operation.length,
      start: operation.start,
      reg: segment,
      rm: this.#base,
      index: this.#index,
      scale: this.#scale,
      disp,
      imm:
        absolute && addressLog2 === 3
          ? operation.imm
          : this.#access(operation.handler, leaf.memorySize || 1 << sizeLog2),
    });
    if (absolute) operation.imm = 0;
    operation.rm = ADDRESS;
    // A RIP-relative displacement that does not fit with the block offset keeps the offset in the second operation.
    operation.disp = tooFar ? operation.start + operation.length : 0;
  }

  /** How a legacy segment is accessed (semantics/address.ts). */
  #access(handler: number, bytes: number): number {
    if (this.#long) return bytes;
    return bytes | ((writesMemory(handler) ? SEGMENT_WRITE_MASK : SEGMENT_READ_MASK) << 8);
  }

  /** 32- and 64-bit addressing (SDM 2A tables 2-2 and 2-3). */
  #decodeAddress(bytes: Uint8Array, modrm: number, rex: number): void {
    const mod = modrm >> 6;
    const rm = modrm & 7;
    let at = this.#at;
    this.#index = ZERO;
    this.#scale = 0;
    let base = rm;
    if (rm === 4) {
      const sib = bytes[at++] as number;
      const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
      if (index !== 4) {
        this.#index = index * 8;
        this.#scale = sib >> 6;
      }
      base = sib & 7;
    }
    if (base === 5 && mod === 0) {
      this.#base = rm === 5 && this.#long ? BLOCK_RIP : ZERO;
      this.#disp = read32(bytes, at);
      this.#at = at + 4;
      return;
    }
    if (base === 4 || base === 5) this.#segment = (rex & 1) === 0 ? SS : DS;
    this.#base = (base | ((rex & 1) << 3)) * 8;
    if (mod === 0) this.#disp = 0;
    else if (mod === 1) this.#disp = ((bytes[at++] as number) << 24) >> 24;
    else {
      this.#disp = read32(bytes, at);
      at += 4;
    }
    this.#at = at;
  }

  #decodeAddress16(bytes: Uint8Array, modrm: number): void {
    const mod = modrm >> 6;
    const rm = modrm & 7;
    this.#scale = 0;
    this.#index = INDEX16[rm] as number;
    this.#base = BASE16[rm] as number;
    if (mod === 0 && rm === 6) {
      this.#base = ZERO;
      this.#disp = read16(bytes, this.#at);
      this.#at += 2;
      return;
    }
    if (rm === 2 || rm === 3 || rm === 6) this.#segment = SS;
    if (mod === 0) this.#disp = 0;
    else if (mod === 1) this.#disp = ((bytes[this.#at++] as number) << 24) >> 24;
    else {
      this.#disp = read16(bytes, this.#at);
      this.#at += 2;
    }
  }

  #register(source: Source, modrm: number, opcode: number, rex: number): number {
    switch (source) {
      case SOURCE.REG:
        return (((modrm >> 3) & 7) | ((rex & 4) << 1)) << 3;
      case SOURCE.RM:
        return ((modrm & 7) | ((rex & 1) << 3)) << 3;
      case SOURCE.OPCODE:
        return ((opcode & 7) | ((rex & 1) << 3)) << 3;
      case SOURCE.REG_BYTE:
        return byteRegister(((modrm >> 3) & 7) | ((rex & 4) << 1), rex);
      case SOURCE.RM_BYTE:
        return byteRegister((modrm & 7) | ((rex & 1) << 3), rex);
      case SOURCE.OPCODE_BYTE:
        return byteRegister((opcode & 7) | ((rex & 1) << 3), rex);
      case SOURCE.REG_NUMBER:
        return ((modrm >> 3) & 7) | ((rex & 4) << 1);
      case SOURCE.RM_NUMBER:
        return (modrm & 7) | ((rex & 1) << 3);
      case SOURCE.REG_SHORT:
        return (modrm >> 3) & 7;
      case SOURCE.RM_SHORT:
        return modrm & 7;
      default:
        return 0;
    }
  }

  #fail(handler: number, at: number, offset: number, start: number, out: Operation[]): void {
    this.length = Math.min(at - offset, MAX_INSTRUCTION_LENGTH);
    this.endsBlock = true;
    this.leaf = undefined;
    out.push({ handler, length: this.length, start, reg: 0, rm: 0, index: 0, scale: 0, disp: 0, imm: 0 });
  }
}

function byteRegister(number: number, rex: number): number {
  return rex === 0 && number >= 4 ? (number - 4) * 8 + 1 : number * 8;
}

function read16(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) | ((bytes[at + 1] as number) << 8)) << 16) >> 16;
}

function read32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}
