// Decodes one instruction into one or two operations (an address operation may come first). SDM 2A chapter 2.
// The caller guarantees that at least MAX_DECODE_BYTES bytes can be read; what lies behind the instruction does not matter.
import { formKey, NO_FORM, writesMemory } from "../forms.ts";
import type { Operation } from "../operation.ts";
import { SEGMENT_READ_MASK, SEGMENT_WRITE_MASK } from "../semantics/address.ts";
import { PSEUDO_REGISTERS, SEGMENTS } from "../state-layout.ts";
import { read16, read32 } from "./code-bytes.ts";
import { EffectiveAddress } from "./effective-address.ts";
import {
  choiceIndex,
  IMMEDIATE,
  type Leaf,
  MEMORY_RM,
  OPCODE_MAPS,
  SIZE_LOG2,
  SOURCE,
  type Source,
  sizeIndex,
} from "./opcode-map.ts";
import { LEGACY_PREFIXES, LONG_PREFIXES, PREFIX, prefixSegment } from "./prefixes.ts";
import { PSEUDO_HANDLERS, type PseudoHandlers } from "./pseudo-handlers.ts";
import { VEX_MAPS, vexChoiceIndex } from "./vex-map.ts";
import { VexPrefix } from "./vex-prefix.ts";

/** 2 = 16-bit, 4 = 32-bit, 8 = 64-bit code (STATE.codeMode). */
export type CodeMode = 2 | 4 | 8;

export const MAX_INSTRUCTION_LENGTH = 15;
/** Prefixes up to the limit, then the longest opcode, ModRM, SIB, displacement and immediate. */
export const MAX_DECODE_BYTES = 32;

const DS = SEGMENTS.indexOf("ds");
const FS = SEGMENTS.indexOf("fs");

const { ZERO, BLOCK_RIP, ADDRESS } = PSEUDO_REGISTERS;

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
  readonly #vexMap: (typeof VEX_MAPS)["64"];
  readonly #prefixes: Uint8Array;
  readonly #pseudo: PseudoHandlers;

  // The effective address of the current instruction.
  readonly #address = new EffectiveAddress();
  readonly #vex = new VexPrefix();

  constructor(mode: CodeMode) {
    this.#long = mode === 8;
    this.#modeLog2 = mode === 8 ? 3 : mode === 4 ? 2 : 1;
    this.#map = OPCODE_MAPS[this.#long ? "64" : "legacy"];
    this.#vexMap = VEX_MAPS[this.#long ? "64" : "legacy"];
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
    const vex = VexPrefix.isAt(opcode, bytes[at] as number, this.#long) ? this.#vex : undefined;
    if (vex) {
      // No other prefix that would select an instruction may come before.
      if (prefix66 !== 0 || repeat !== 0 || lock || rex !== 0)
        return this.#fail(this.#pseudo.undefinedOpcode, at, offset, start, out);
      at = vex.decode(bytes, at, opcode, this.#long);
      rex = vex.rex;
      opcode = bytes[at++] as number;
      index = vex.map * 256 + opcode;
    } else if (opcode === 0x0f) {
      opcode = bytes[at++] as number;
      index = 256 + opcode;
      if (opcode === 0x38 || opcode === 0x3a) {
        index = (opcode === 0x38 ? 512 : 768) + (bytes[at] as number);
        opcode = bytes[at++] as number;
      }
    }
    const node = vex ? this.#vexMap[index] : this.#map[index];
    if (node === undefined) return this.#fail(this.#pseudo.undefinedOpcode, at, offset, start, out);

    let modrm = 0;
    if (node.modrm) modrm = bytes[at++] as number;
    let leaf = node.leaf;
    if (vex && node.choices !== undefined) {
      const inMemory = node.modrm && modrm < 0xc0 ? 1 : 0;
      leaf = node.choices[vexChoiceIndex(vex.pp, (rex >> 3) & 1, vex.l, (modrm >> 3) & 7, inMemory)];
      if (leaf !== undefined && leaf.vvvvShift < 0 && vex.vvvv !== 0) leaf = undefined;
    } else if (leaf === undefined && node.choices !== undefined) {
      const prefix = repeat !== 0 ? repeat + 1 : prefix66;
      const rm = modrm >= 0xc0 || !node.modrm ? modrm & 7 : MEMORY_RM;
      const reg = (modrm >> 3) & 7;
      leaf = node.choices[choiceIndex(prefix, (rex >> 3) & 1, reg, rm)];
    }
    if (index === 0x90 && rex & 1) leaf = XCHG_LEAF;
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
    const address = this.#address;
    let sib = 0;
    if (leaf.hasVectorIndex) {
      // A vector index takes a SIB byte, where 4 is a register like others; 16-bit addressing has none.
      if ((modrm & 7) !== 4 || addressLog2 === 1)
        return this.#fail(this.#pseudo.undefinedOpcode, at, offset, start, out);
      sib = bytes[at] as number;
    }
    if (memory === 1) {
      if (addressLog2 === 1) at = address.decode16(bytes, at, modrm);
      else at = address.decode(bytes, at, modrm, rex, this.#long);
      operation.reg = this.#register(leaf.memoryRegSource, modrm, opcode, rex);
    } else if (!offsetOperand) {
      operation.reg = this.#register(leaf.regSource, modrm, opcode, rex);
      operation.rm = this.#register(leaf.rmSource, modrm, opcode, rex);
      if (leaf.hasSource) operation.reg = override >= 0 ? override : DS;
    }

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
        operation.imm = addressLog2 === 3 ? read32(bytes, at + 4) : 0;
        at = address.decodeOffset(bytes, at, addressLog2);
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
    if (vex) {
      const { imm } = operation;
      const vvvv = leaf.vvvvShift < 0 ? 0 : vex.vvvv << leaf.vvvvShift;
      const is4 = leaf.hasIs4 ? (imm >> 4) & (this.#long ? 15 : 7) : 0;
      operation.imm = (imm & 0xff) | (vvvv << 8) | (is4 << 16);
    }
    const length = at - offset;
    if (length > MAX_INSTRUCTION_LENGTH) return this.#fail(this.#pseudo.generalProtection, at, offset, start, out);
    operation.length = length;
    this.length = length;
    this.endsBlock = leaf.endsBlock;
    this.leaf = leaf;
    this.sizeLog2 = sizeLog2;
    this.addressLog2 = addressLog2;
    if (leaf.hasVectorIndex) this.#placeVectorIndex(operation, sib, rex, override);
    else if (inMemory === 1) this.#placeMemory(leaf, operation, addressLog2, override, sizeLog2, out);
    out.push(operation);
  }

  /** Base, scale and displacement; the segment, or -1 where it has no base, is in the last byte of imm. */
  #placeVectorIndex(operation: Operation, sib: number, rex: number, override: number): void {
    const { base, disp } = this.#address;
    const segment = override >= 0 ? override : this.#long ? -1 : this.#address.segment;
    operation.rm = base;
    operation.index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    operation.scale = sib >> 6;
    operation.disp = disp;
    operation.imm |= segment << 24;
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
    const { base, index, scale } = this.#address;
    let { disp } = this.#address;
    if (leaf.addressing === "unused") {
      operation.rm = ZERO;
      return;
    }
    if (leaf.popsFirst && base === 4 * 8) disp += 1 << sizeLog2;
    let tooFar = false;
    if (base === BLOCK_RIP) {
      const fromBlock = disp + operation.start + operation.length;
      tooFar = fromBlock !== (fromBlock | 0);
      if (!tooFar) disp = fromBlock;
    }
    const absolute = leaf.immediate === IMMEDIATE.OFFSET;
    const segment = override >= 0 ? override : this.#address.segment;
    const segmented = leaf.addressing === "full" && (!this.#long || segment >= FS);
    if (addressLog2 === 3 && !segmented && !absolute && !tooFar) {
      operation.rm = base;
      operation.index = index;
      operation.scale = scale;
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
      rm: base,
      index,
      scale,
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
