// The memory operand of one instruction: base, index, scale, displacement and default segment, in the form of an operation's fields.
import { PSEUDO_REGISTERS, SEGMENTS } from "../state-layout.ts";
import { read16, read32 } from "./code-bytes.ts";

const { ZERO, BLOCK_RIP } = PSEUDO_REGISTERS;
const DS = SEGMENTS.indexOf("ds");
const SS = SEGMENTS.indexOf("ss");

/** Base and index registers of 16-bit addressing by ModRM.rm (SDM 2A table 2-1). */
const BASE16 = [3 * 8, 3 * 8, 5 * 8, 5 * 8, 6 * 8, 7 * 8, 5 * 8, 3 * 8];
const INDEX16 = [6 * 8, 7 * 8, 6 * 8, 7 * 8, ZERO, ZERO, ZERO, ZERO];

export class EffectiveAddress {
  base: number = ZERO;
  index: number = ZERO;
  scale = 0;
  disp = 0;
  /** Segment without an override: SS for addresses based on the stack or frame pointer. */
  segment = DS;

  /** 32- and 64-bit addressing (SDM 2A tables 2-2 and 2-3) from the byte behind ModRM; yields where it ends. */
  decode(bytes: Uint8Array, offset: number, modrm: number, rex: number, long: boolean): number {
    const mod = modrm >> 6;
    const rm = modrm & 7;
    let at = offset;
    let base = rm;
    this.segment = DS;
    this.index = ZERO;
    this.scale = 0;
    if (rm === 4) {
      const sib = bytes[at++] as number;
      const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
      if (index !== 4) {
        this.index = index * 8;
        this.scale = sib >> 6;
      }
      base = sib & 7;
    }
    if (base === 5 && mod === 0) {
      this.base = rm === 5 && long ? BLOCK_RIP : ZERO;
      this.disp = read32(bytes, at);
      return at + 4;
    }
    if ((base === 4 || base === 5) && (rex & 1) === 0) this.segment = SS;
    this.base = (base | ((rex & 1) << 3)) * 8;
    if (mod === 0) {
      this.disp = 0;
      return at;
    }
    if (mod === 1) {
      this.disp = ((bytes[at] as number) << 24) >> 24;
      return at + 1;
    }
    this.disp = read32(bytes, at);
    return at + 4;
  }

  /** 16-bit addressing. */
  decode16(bytes: Uint8Array, at: number, modrm: number): number {
    const mod = modrm >> 6;
    const rm = modrm & 7;
    this.segment = DS;
    this.scale = 0;
    this.index = INDEX16[rm] as number;
    this.base = BASE16[rm] as number;
    if (mod === 0 && rm === 6) {
      this.base = ZERO;
      this.disp = read16(bytes, at);
      return at + 2;
    }
    if (rm === 2 || rm === 3 || rm === 6) this.segment = SS;
    if (mod === 0) {
      this.disp = 0;
      return at;
    }
    if (mod === 1) {
      this.disp = ((bytes[at] as number) << 24) >> 24;
      return at + 1;
    }
    this.disp = read16(bytes, at);
    return at + 2;
  }

  /** A plain offset of the address size (moffs). */
  decodeOffset(bytes: Uint8Array, at: number, addressLog2: number): number {
    this.segment = DS;
    this.base = ZERO;
    this.index = ZERO;
    this.scale = 0;
    this.disp = addressLog2 === 1 ? read16(bytes, at) & 0xffff : read32(bytes, at);
    return at + (1 << addressLog2);
  }
}
