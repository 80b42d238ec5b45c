// The legacy window A0000h-BFFFFh: four planes of 64 KiB behind latches, write modes 0-3 and read modes 0-1.
//
// The planes are interleaved in video memory, plane p of offset o at byte 4*o + p. Text cells, chained 256-colour pixels and the
// linear frame buffer are then the same bytes, and one 32-bit word is what the latches hold.
import type { AccessSize, IoHandler } from "../device.ts";
import {
  GC,
  GC_MISC_GRAPHICS,
  GC_MODE_ODD_EVEN,
  GC_MODE_READ_COMPARE,
  SEQ,
  SEQ_MEMORY_CHAIN4,
  SEQ_MEMORY_ODD_EVEN_OFF,
} from "./constants.ts";
import type { VgaRegisters } from "./registers.ts";
import type { Vram } from "./vram.ts";

export const WINDOW_BASE = 0xa0000;
export const WINDOW_BYTES = 0x20000;

/** What the planes can hold; VBE's bank reaches the rest of video memory. */
export const PLANES_BYTES = 0x40000;

/** Windows of graphics register 6, bits 3..2: offset in A0000h-BFFFFh and length. */
const WINDOWS: readonly (readonly [base: number, length: number])[] = [
  [0x00000, 0x20000],
  [0x00000, 0x10000],
  [0x10000, 0x08000],
  [0x18000, 0x08000],
];

const FONT_PLANE = 2;

export class MemoryWindow implements IoHandler {
  readonly #registers: VgaRegisters;
  readonly #vram: Vram;
  /** Offset added in chained modes: VBE's 64 KiB bank. */
  bankOffset = 0;
  /** One byte per plane. */
  latch = 0;
  /** Counts writes to the plane that holds fonts. */
  fontGeneration = 0;

  constructor(registers: VgaRegisters, vram: Vram) {
    this.#registers = registers;
    this.#vram = vram;
  }

  read(offset: number, size: AccessSize): number {
    const { bytes } = this.#vram;
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.#readByte(bytes, offset + i) << (8 * i);
    return value >>> 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    const { bytes } = this.#vram;
    for (let i = 0; i < size; i++) this.#writeByte(bytes, offset + i, (value >>> (8 * i)) & 0xff);
  }

  /** Offset inside the selected window, or -1 outside it. */
  #decode(offset: number): number {
    const window = WINDOWS[((this.#registers.graphics[GC.MISC] ?? 0) >> 2) & 3];
    if (!window) return -1;
    const inside = offset - window[0];
    return inside >= 0 && inside < window[1] ? inside : -1;
  }

  #readByte(bytes: Uint8Array, offset: number): number {
    const address = this.#decode(offset);
    if (address < 0) return 0xff;
    const { sequencer, graphics } = this.#registers;
    const memoryMode = sequencer[SEQ.MEMORY_MODE] ?? 0;
    const mode = graphics[GC.MODE] ?? 0;
    if (memoryMode & SEQ_MEMORY_CHAIN4) return bytes[this.bankOffset + address] ?? 0xff;

    const oddEven = (mode & GC_MODE_ODD_EVEN) !== 0;
    const word = oddEven ? address >> 1 : address;
    const at = (word * 4) % PLANES_BYTES;
    this.latch =
      (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    if (mode & GC_MODE_READ_COMPARE) {
      const care = planeMask(graphics[GC.COLOR_DONT_CARE] ?? 0);
      const compare = planeMask(graphics[GC.COLOR_COMPARE] ?? 0);
      const different = (this.latch ^ compare) & care;
      return ~(different | (different >> 8) | (different >> 16) | (different >> 24)) & 0xff;
    }
    const map = graphics[GC.READ_MAP] ?? 0;
    const plane = oddEven ? (map & 2) | (address & 1) : map & 3;
    return (this.latch >>> (8 * plane)) & 0xff;
  }

  #writeByte(bytes: Uint8Array, offset: number, value: number): void {
    const address = this.#decode(offset);
    if (address < 0) return;
    const { sequencer, graphics } = this.#registers;
    const memoryMode = sequencer[SEQ.MEMORY_MODE] ?? 0;
    const mapMask = sequencer[SEQ.MAP_MASK] ?? 0;
    if (memoryMode & SEQ_MEMORY_CHAIN4) {
      const at = this.bankOffset + address;
      if (!(mapMask & (1 << (address & 3))) || at >= bytes.length) return;
      bytes[at] = value;
      this.#vram.markDirty(at, 1);
      return;
    }
    const oddEven = (memoryMode & SEQ_MEMORY_ODD_EVEN_OFF) === 0;
    const word = oddEven ? address >> 1 : address;
    const planes = oddEven ? mapMask & (address & 1 ? 0b1010 : 0b0101) : mapMask;
    if (planes === 0) return;
    const at = (word * 4) % PLANES_BYTES;
    const data = this.#functionUnits(graphics, value);
    for (let plane = 0; plane < 4; plane++) {
      if (planes & (1 << plane)) bytes[at + plane] = data >>> (8 * plane);
    }
    if (planes & (1 << FONT_PLANE)) this.fontGeneration++;
    this.#vram.markDirty(at, 4);
  }

  /** What the graphics controller makes of a byte from the processor: one byte per plane. */
  #functionUnits(graphics: Uint8Array, value: number): number {
    const mode = (graphics[GC.MODE] ?? 0) & 3;
    if (mode === 1) return this.latch;

    const rotate = graphics[GC.DATA_ROTATE] ?? 0;
    const count = rotate & 7;
    const rotated = ((value >> count) | (value << (8 - count))) & 0xff;
    const setReset = planeMask(graphics[GC.SET_RESET] ?? 0);
    let bitMask = graphics[GC.BIT_MASK] ?? 0;
    let data: number;
    if (mode === 0) {
      const enabled = planeMask(graphics[GC.ENABLE_SET_RESET] ?? 0);
      data = (replicate(rotated) & ~enabled) | (setReset & enabled);
    } else if (mode === 2) {
      data = planeMask(value & 0x0f);
    } else {
      data = setReset;
      bitMask &= rotated;
    }
    switch ((rotate >> 3) & 3) {
      case 1:
        data &= this.latch;
        break;
      case 2:
        data |= this.latch;
        break;
      case 3:
        data ^= this.latch;
        break;
    }
    const mask = replicate(bitMask);
    return (data & mask) | (this.latch & ~mask);
  }
}

/** Text: odd/even addressing in B8000h with the graphics bit off. */
export function isGraphics(graphics: Uint8Array): boolean {
  return ((graphics[GC.MISC] ?? 0) & GC_MISC_GRAPHICS) !== 0;
}

function replicate(byte: number): number {
  return Math.imul(byte, 0x01010101);
}

/** Four bits, one per plane, each widened to a byte. */
function planeMask(bits: number): number {
  let mask = 0;
  for (let plane = 0; plane < 4; plane++) if (bits & (1 << plane)) mask |= 0xff << (8 * plane);
  return mask;
}
