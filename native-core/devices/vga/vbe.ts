// Bochs VBE ("DISPI"): sixteen-bit registers that set linear graphics modes (Bochs vbe.h; QEMU docs/specs/standard-vga).
// Reached through ports 1CEh/1CFh and, as bochs-drm does it, through the MMIO BAR.
import { z } from "zod";
import { u16 } from "../state-schema.ts";

export const VBE = {
  ID: 0,
  XRES: 1,
  YRES: 2,
  BPP: 3,
  ENABLE: 4,
  BANK: 5,
  VIRT_WIDTH: 6,
  VIRT_HEIGHT: 7,
  X_OFFSET: 8,
  Y_OFFSET: 9,
  VIDEO_MEMORY_64K: 10,
} as const;
const VBE_COUNT = 11;

export const VBE_ENABLED = 0x01;
const VBE_GETCAPS = 0x02;
export const VBE_8BIT_DAC = 0x20;
const VBE_LFB_ENABLED = 0x40;
const VBE_NOCLEARMEM = 0x80;

const VBE_ID_FIRST = 0xb0c0;
const VBE_ID_LAST = 0xb0c5;

const VBE_MAX_WIDTH = 2560;
const VBE_MAX_HEIGHT = 1600;
const VBE_MAX_BPP = 32;
const BANK_BYTES = 0x10000;

export const vbeStateSchema = z.object({ index: u16, registers: z.array(u16).length(VBE_COUNT) });
export type VbeState = z.infer<typeof vbeStateSchema>;

/** A linear mode as the registers describe it now; always inside video memory. */
export interface LinearMode {
  readonly width: number;
  readonly height: number;
  /** 4 (planar), 8, 15, 16, 24 or 32. */
  readonly bitsPerPixel: number;
  readonly strideBytes: number;
  /** Byte offset of the first visible pixel in video memory. */
  readonly startBytes: number;
}

/** Something changed that the rest of the adapter must follow. */
export interface VbeEvents {
  /** A mode was set (with `clear`: video memory must be zeroed) or left. */
  modeChanged(mode: LinearMode | undefined, clear: boolean): void;
  /** Panning, virtual size or bank. */
  changed(): void;
}

export class VbeRegisters {
  index = 0;
  readonly #registers = new Uint16Array(VBE_COUNT);
  readonly #vramBytes: number;
  readonly #events: VbeEvents;

  constructor(vramBytes: number, events: VbeEvents) {
    this.#vramBytes = vramBytes;
    this.#events = events;
  }

  get enabled(): boolean {
    return (this.#get(VBE.ENABLE) & VBE_ENABLED) !== 0;
  }

  get dac8Bit(): boolean {
    return (this.#get(VBE.ENABLE) & VBE_8BIT_DAC) !== 0;
  }

  get bankOffset(): number {
    return this.enabled ? this.#get(VBE.BANK) * BANK_BYTES : 0;
  }

  /** The mode in force; undefined while the adapter is a plain VGA. */
  get mode(): LinearMode | undefined {
    if (!this.enabled) return undefined;
    const bitsPerPixel = this.#get(VBE.BPP);
    const strideBytes = this.#stride(this.#get(VBE.VIRT_WIDTH));
    const startBytes =
      this.#get(VBE.Y_OFFSET) * strideBytes + Math.floor((this.#get(VBE.X_OFFSET) * storageBits(bitsPerPixel)) / 8);
    return { width: this.#get(VBE.XRES), height: this.#get(VBE.YRES), bitsPerPixel, strideBytes, startBytes };
  }

  read(index: number): number {
    const caps = (this.#get(VBE.ENABLE) & VBE_GETCAPS) !== 0;
    if (caps && index === VBE.XRES) return VBE_MAX_WIDTH;
    if (caps && index === VBE.YRES) return VBE_MAX_HEIGHT;
    if (caps && index === VBE.BPP) return VBE_MAX_BPP;
    if (index === VBE.VIDEO_MEMORY_64K) return this.#vramBytes / BANK_BYTES;
    return this.#get(index);
  }

  write(index: number, value: number): void {
    const wasEnabled = this.enabled;
    switch (index) {
      case VBE.ID:
        if (value >= VBE_ID_FIRST && value <= VBE_ID_LAST) this.#registers[VBE.ID] = value;
        return;
      case VBE.XRES:
      case VBE.YRES:
      case VBE.BPP:
        if (!wasEnabled) this.#registers[index] = value;
        return;
      case VBE.ENABLE:
        this.#enable(value, wasEnabled);
        return;
      case VBE.BANK:
        if (value * BANK_BYTES < this.#vramBytes) this.#registers[VBE.BANK] = value;
        break;
      case VBE.VIRT_WIDTH:
        if (wasEnabled) this.#setVirtualWidth(value);
        break;
      case VBE.X_OFFSET:
      case VBE.Y_OFFSET:
        if (wasEnabled) this.#pan(index, value);
        break;
      default:
        return;
    }
    this.#events.changed();
  }

  reset(): void {
    this.index = 0;
    this.#registers.fill(0);
    this.#registers[VBE.ID] = VBE_ID_LAST;
  }

  save(): VbeState {
    return { index: this.index, registers: [...this.#registers] };
  }

  /** A saved mode is set by the same rules as the guest's writes, so a hostile one can't point outside video memory. */
  restore(state: VbeState): void {
    this.reset();
    const saved = (index: number) => state.registers[index] ?? 0;
    for (const index of [VBE.ID, VBE.XRES, VBE.YRES, VBE.BPP]) this.write(index, saved(index));
    this.write(VBE.ENABLE, saved(VBE.ENABLE) | VBE_NOCLEARMEM);
    this.#registers[VBE.ENABLE] = saved(VBE.ENABLE) & (this.enabled ? 0xffff : ~VBE_ENABLED);
    for (const index of [VBE.BANK, VBE.VIRT_WIDTH, VBE.X_OFFSET, VBE.Y_OFFSET]) this.write(index, saved(index));
    this.index = state.index;
  }

  #get(index: number): number {
    return this.#registers[index] ?? 0;
  }

  /** Bytes of a line of `width` pixels. */
  #stride(width: number): number {
    return Math.floor((width * storageBits(this.#get(VBE.BPP))) / 8);
  }

  #enable(value: number, wasEnabled: boolean): void {
    const bits = value & (VBE_ENABLED | VBE_GETCAPS | VBE_8BIT_DAC | VBE_LFB_ENABLED | VBE_NOCLEARMEM);
    if (!(bits & VBE_ENABLED)) {
      this.#registers[VBE.ENABLE] = bits;
      this.#registers[VBE.BANK] = 0;
      if (wasEnabled) this.#events.modeChanged(undefined, false);
      else this.#events.changed();
      return;
    }
    if (!wasEnabled && !this.#acceptMode()) {
      this.#registers[VBE.ENABLE] = bits & ~VBE_ENABLED;
      return;
    }
    this.#registers[VBE.ENABLE] = bits;
    if (wasEnabled) this.#events.changed();
    else this.#events.modeChanged(this.mode, !(bits & VBE_NOCLEARMEM));
  }

  /** Rounds the requested mode to what exists; false if it does not fit video memory at all. */
  #acceptMode(): boolean {
    const registers = this.#registers;
    const bpp = this.#get(VBE.BPP);
    registers[VBE.BPP] = [4, 8, 15, 16, 24, 32].includes(bpp) ? bpp : 8;
    registers[VBE.XRES] = Math.min(Math.max(this.#get(VBE.XRES) & ~7, 8), VBE_MAX_WIDTH);
    registers[VBE.YRES] = Math.min(Math.max(this.#get(VBE.YRES), 1), VBE_MAX_HEIGHT);
    if (this.#stride(this.#get(VBE.XRES)) * this.#get(VBE.YRES) > this.#usableBytes) return false;
    registers[VBE.X_OFFSET] = 0;
    registers[VBE.Y_OFFSET] = 0;
    registers[VBE.BANK] = 0;
    this.#setVirtualWidth(this.#get(VBE.XRES));
    return true;
  }

  #setVirtualWidth(width: number): void {
    const registers = this.#registers;
    const accepted = Math.max(width & ~7, this.#get(VBE.XRES));
    const lines = Math.floor(this.#usableBytes / this.#stride(accepted));
    // Wider lines than video memory can hold for the visible height are refused.
    if (lines < this.#get(VBE.YRES)) return;
    registers[VBE.VIRT_WIDTH] = accepted;
    registers[VBE.VIRT_HEIGHT] = Math.min(lines, 0xffff);
    registers[VBE.X_OFFSET] = 0;
    registers[VBE.Y_OFFSET] = 0;
  }

  #pan(index: number, value: number): void {
    const registers = this.#registers;
    const limit =
      index === VBE.X_OFFSET
        ? this.#get(VBE.VIRT_WIDTH) - this.#get(VBE.XRES)
        : this.#get(VBE.VIRT_HEIGHT) - this.#get(VBE.YRES);
    registers[index] = Math.min(value, limit);
  }

  /** Planar modes live in the four planes, which are the first 256 KiB. */
  get #usableBytes(): number {
    return this.#get(VBE.BPP) === 4 ? 0x40000 : this.#vramBytes;
  }
}

/** Bits a pixel takes in memory: fifteen-bit pixels are stored in sixteen; planar ones in half a byte. */
function storageBits(bitsPerPixel: number): number {
  return bitsPerPixel === 15 ? 16 : bitsPerPixel;
}
