// The display adapter: a VGA with Bochs VBE, as QEMU's "stdvga" (PCI 1234:1111), which vgacon, vesafb, efifb and bochs-drm all drive.
//
//   ports  3B4h-3DFh VGA    1CEh-1D0h VBE
//   memory A0000h-BFFFFh    BAR 0: video memory    BAR 2: EDID 0x000, VGA ports 0x400, VBE 0x500, QEMU extension 0x600
import { z } from "zod";
import { assert } from "../../common/assert.ts";
import { byteWide } from "../bus.ts";
import type { AccessSize, Device, IoBus, IoMapping, VirtualClock } from "../device.ts";
import type { DisplaySource } from "../display-source.ts";
import { PciFunction, type PciFunctionState } from "../pci/pci-function.ts";
import { bytesUpTo, u16, u32 } from "../state-schema.ts";
import { GC, SEQ, SEQ_MEMORY_CHAIN4, SEQ_MEMORY_ODD_EVEN_OFF } from "./constants.ts";
import { buildEdid } from "./edid.ts";
import { defaultFont, FONT_HEIGHT } from "./font/default-font.ts";
import { MemoryWindow, PLANES_BYTES, WINDOW_BASE, WINDOW_BYTES } from "./memory-window.ts";
import { Picture } from "./picture.ts";
import { type RegistersState, registersStateSchema, VgaRegisters } from "./registers.ts";
import { TEXT_COLUMNS, TEXT_ROWS } from "./text-mode.ts";
import { type LinearMode, VBE, VBE_8BIT_DAC, VBE_ENABLED, VbeRegisters, type VbeState, vbeStateSchema } from "./vbe.ts";
import { VRAM_PAGE_BYTES, type Vram, VramAperture } from "./vram.ts";

/** Video memory unless the machine says otherwise: enough for 2560x1600 at 32 bits. */
export const VRAM_DEFAULT_BYTES = 16 * 1024 * 1024;
const VRAM_MAX_BYTES = 64 * 1024 * 1024;

const MMIO_BYTES = 4096;
const MMIO_VGA_PORTS = 0x400;
const MMIO_VBE = 0x500;
const MMIO_EXTENSION = 0x600;
/** QEMU's extension: its length, and a register that says little-endian. */
const EXTENSION_BYTES = 8;
const LITTLE_ENDIAN = 0x1e1e1e1e;

const FRAME_NS = 16_683_350n;
const LINE_NS = 31_778n;
const VISIBLE_LINES = 400n;
const INPUT_STATUS_BLANK = 0x01;
const INPUT_STATUS_V_RETRACE = 0x08;

export interface VgaOptions {
  readonly bus: IoBus;
  readonly clock: VirtualClock;
  /** Its length is a power of two, as that of a BAR has to be, of at most 64 MiB. */
  readonly vram: Vram;
  /** False when the machine saves video memory together with RAM. */
  readonly saveVram?: boolean;
  /** The monitor's preferred mode, which bochs-drm sets. */
  readonly monitor?: { readonly width: number; readonly height: number };
  /** VGA BIOS, as the adapter's expansion ROM. */
  readonly rom?: Uint8Array | undefined;
  /** The function that it is part of; BARs 0 and 2 are free. Without it the VGA is a function of its own. */
  readonly pci?: PciFunction;
}

const vramStateSchema = z
  .object({ pages: z.array(u16), content: bytesUpTo(VRAM_MAX_BYTES) })
  .refine(({ pages, content }) => content.length === pages.length * VRAM_PAGE_BYTES, "pages and content disagree");

export interface VgaState {
  pci: PciFunctionState;
  registers: RegistersState;
  vbe: VbeState;
  latch: number;
  vram: z.infer<typeof vramStateSchema> | null;
}

export class Vga implements Device<VgaState> {
  readonly name = "vga";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<VgaState>;
  readonly pci: PciFunction;
  readonly display: DisplaySource;
  readonly #options: VgaOptions;
  readonly #vram: Vram;
  readonly #registers: VgaRegisters;
  readonly #vbe: VbeRegisters;
  readonly #window: MemoryWindow;
  readonly #edid: Uint8Array;
  readonly #mappings: IoMapping[];

  constructor(options: VgaOptions) {
    const { bus, clock, vram, monitor = { width: 1024, height: 768 } } = options;
    const sizeBytes = vram.bytes.length;
    assert(sizeBytes <= VRAM_MAX_BYTES && (sizeBytes & (sizeBytes - 1)) === 0, "video memory has the size of a BAR");
    this.#options = options;
    this.#vram = vram;
    this.#edid = buildEdid(monitor.width, monitor.height);
    this.#registers = new VgaRegisters(() => inputStatus(clock.nowNs()));
    this.#window = new MemoryWindow(this.#registers, vram);
    this.#vbe = new VbeRegisters(sizeBytes, {
      modeChanged: (mode, clear) => this.#modeChanged(mode, clear),
      changed: () => this.#vbeChanged(),
    });
    this.display = new Picture({ registers: this.#registers, vbe: this.#vbe, window: this.#window, vram, clock });
    this.pci =
      options.pci ??
      new PciFunction({
        vendorId: 0x1234,
        deviceId: 0x1111,
        classCode: 0x030000,
        revision: 2,
        subsystemVendorId: 0x1af4,
        subsystemId: 0x1100,
      });
    this.pci.addBar({
      index: 0,
      kind: "memory",
      prefetchable: true,
      sizeBytes,
      handler: new VramAperture(vram),
    });
    this.pci.addBar({
      index: 2,
      kind: "memory",
      sizeBytes: MMIO_BYTES,
      handler: {
        read: (offset, size) => this.#readMmio(offset, size),
        write: (offset, size, value) => this.#writeMmio(offset, size, value),
      },
    });
    if (options.rom) this.pci.addRom(options.rom);
    const vgaPorts = (first: number) =>
      byteWide(
        (offset) => this.#registers.read(first + offset),
        (offset, value) => this.#registers.write(first + offset, value),
      );
    this.#mappings = [
      bus.mapPorts(0x3b4, 2, vgaPorts(0x3b4)),
      bus.mapPorts(0x3ba, 1, vgaPorts(0x3ba)),
      bus.mapPorts(0x3c0, 0x20, vgaPorts(0x3c0)),
      bus.mapPorts(0x1ce, 3, {
        read: (offset) => (offset === 0 ? this.#vbe.index : this.#vbe.read(this.#vbe.index)),
        write: (offset, _size, value) => {
          if (offset === 0) this.#vbe.index = value & 0xffff;
          else this.#vbe.write(this.#vbe.index, value & 0xffff);
        },
      }),
      bus.mapMmio(WINDOW_BASE, WINDOW_BYTES, this.#window),
    ];
    this.stateSchema = z.object({
      pci: this.pci.stateSchema,
      registers: registersStateSchema,
      vbe: vbeStateSchema,
      latch: u32,
      vram: vramStateSchema.nullable(),
    });
    this.reset();
  }

  /**
   * Sets a linear mode before the guest runs, for kernels that take over a frame buffer at boot (efifb, vesafb).
   * Returns what the boot parameters must say; the frame buffer starts at BAR 0.
   */
  setLinearMode(width: number, height: number, bitsPerPixel: 15 | 16 | 24 | 32): LinearMode {
    this.#vbe.write(VBE.ENABLE, 0);
    this.#vbe.write(VBE.XRES, width);
    this.#vbe.write(VBE.YRES, height);
    this.#vbe.write(VBE.BPP, bitsPerPixel);
    this.#vbe.write(VBE.ENABLE, VBE_ENABLED | VBE_8BIT_DAC);
    const mode = this.#vbe.mode;
    assert(mode !== undefined, `${width}x${height}x${bitsPerPixel} fits video memory`);
    return mode;
  }

  reset(): void {
    this.pci.reset();
    this.#vbe.reset();
    this.#registers.reset();
    this.#window.bankOffset = 0;
    this.#window.latch = 0;
    // What mode 3 of a VGA BIOS leaves in memory: blanks in light grey, and a font in plane 2.
    const { bytes } = this.#vram;
    bytes.fill(0, 0, PLANES_BYTES);
    for (let cell = 0; cell < TEXT_COLUMNS * TEXT_ROWS; cell++) {
      bytes[cell * 4] = 0x20;
      bytes[cell * 4 + 1] = 0x07;
    }
    const font = defaultFont();
    for (let character = 0; character < 256; character++) {
      for (let line = 0; line < FONT_HEIGHT; line++) {
        bytes[(character * 32 + line) * 4 + 2] = font[character * FONT_HEIGHT + line] ?? 0;
      }
    }
    this.#window.fontGeneration++;
    this.#vram.markDirty(0, PLANES_BYTES);
  }

  save(): VgaState {
    return {
      pci: this.pci.save(),
      registers: this.#registers.save(),
      vbe: this.#vbe.save(),
      latch: this.#window.latch >>> 0,
      vram: this.#options.saveVram === false ? null : this.#saveVram(),
    };
  }

  restore(state: VgaState): void {
    this.pci.restore(state.pci);
    this.#vbe.restore(state.vbe);
    this.#registers.restore(state.registers);
    this.#vbeChanged();
    this.#window.latch = state.latch | 0;
    this.#window.fontGeneration++;
    if (!state.vram) return;
    const { pages, content } = state.vram;
    this.#vram.bytes.fill(0);
    pages.forEach((page, index) => {
      if ((page + 1) * VRAM_PAGE_BYTES > this.#vram.bytes.length) return;
      const from = index * VRAM_PAGE_BYTES;
      this.#vram.bytes.set(content.subarray(from, from + VRAM_PAGE_BYTES), page * VRAM_PAGE_BYTES);
    });
    this.#vram.markDirty(0, this.#vram.bytes.length);
  }

  dispose(): void {
    for (const mapping of this.#mappings) mapping.unmap();
    this.pci.dispose();
  }

  #saveVram(): z.infer<typeof vramStateSchema> {
    const { bytes } = this.#vram;
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const pageWords = VRAM_PAGE_BYTES / 4;
    const pages: number[] = [];
    for (let page = 0; page < bytes.length / VRAM_PAGE_BYTES; page++) {
      const end = (page + 1) * pageWords;
      let at = page * pageWords;
      while (at < end && words[at] === 0) at++;
      if (at < end) pages.push(page);
    }
    const content = new Uint8Array(pages.length * VRAM_PAGE_BYTES);
    pages.forEach((page, index) => {
      const from = page * VRAM_PAGE_BYTES;
      content.set(bytes.subarray(from, from + VRAM_PAGE_BYTES), index * VRAM_PAGE_BYTES);
    });
    return { pages, content };
  }

  #readMmio(offset: number, size: AccessSize): number {
    if (offset < MMIO_VGA_PORTS) return littleEndian(size, (i) => this.#edid[offset + i] ?? 0);
    if (offset < MMIO_VGA_PORTS + 0x20) {
      return littleEndian(size, (i) => this.#registers.read(offset - MMIO_VGA_PORTS + 0x3c0 + i));
    }
    if (offset >= MMIO_VBE && offset < MMIO_EXTENSION) return this.#vbe.read((offset - MMIO_VBE) >> 1);
    if (offset === MMIO_EXTENSION) return EXTENSION_BYTES;
    if (offset === MMIO_EXTENSION + 4) return LITTLE_ENDIAN;
    return 0;
  }

  #writeMmio(offset: number, size: AccessSize, value: number): void {
    if (offset >= MMIO_VGA_PORTS && offset < MMIO_VGA_PORTS + 0x20) {
      const port = offset - MMIO_VGA_PORTS + 0x3c0;
      for (let i = 0; i < size; i++) this.#registers.write(port + i, (value >>> (8 * i)) & 0xff);
    } else if (offset >= MMIO_VBE && offset < MMIO_EXTENSION) {
      this.#vbe.write((offset - MMIO_VBE) >> 1, value & 0xffff);
    }
  }

  #modeChanged(mode: LinearMode | undefined, clear: boolean): void {
    if (mode) {
      // The window at A0000h shows 64 KiB of the mode, so that software without the linear frame buffer can draw too.
      const { graphics, sequencer } = this.#registers;
      graphics[GC.MISC] = 0x05;
      sequencer[SEQ.MAP_MASK] = 0x0f;
      sequencer[SEQ.MEMORY_MODE] =
        mode.bitsPerPixel === 4 ? SEQ_MEMORY_ODD_EVEN_OFF : SEQ_MEMORY_ODD_EVEN_OFF | SEQ_MEMORY_CHAIN4;
      graphics[GC.MODE] = mode.bitsPerPixel === 4 ? 0 : 0x40;
      if (clear) {
        const length = mode.strideBytes * mode.height;
        this.#vram.bytes.fill(0, 0, length);
        this.#vram.markDirty(0, length);
      }
    }
    this.#vbeChanged();
  }

  #vbeChanged(): void {
    this.#window.bankOffset = this.#vbe.bankOffset;
    this.#registers.dac8Bit = this.#vbe.dac8Bit;
    this.#registers.generation++;
  }
}

/** Port 3DAh: retrace bits that follow a 60 Hz picture, for software that waits for them. */
function inputStatus(nowNs: bigint): number {
  const inFrame = nowNs % FRAME_NS;
  if (inFrame >= VISIBLE_LINES * LINE_NS) {
    // The pulse lasts longer than a monitor's, so that no polling loop misses it.
    const line = inFrame / LINE_NS - VISIBLE_LINES;
    return line >= 12n ? INPUT_STATUS_BLANK | INPUT_STATUS_V_RETRACE : INPUT_STATUS_BLANK;
  }
  return inFrame % LINE_NS > (LINE_NS * 4n) / 5n ? INPUT_STATUS_BLANK : 0;
}

function littleEndian(size: AccessSize, byteAt: (index: number) => number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value |= byteAt(i) << (8 * i);
  return value >>> 0;
}
