// A VGA on a bus of its own, with a clock that the test moves, and its picture as text.
import { SystemBus } from "../../native-core/devices/bus.ts";
import type { Rect } from "../../native-core/devices/display-source.ts";
import { Vga, VRAM_DEFAULT_BYTES } from "../../native-core/devices/vga/vga.ts";
import { PlainVram } from "../../native-core/devices/vga/vram.ts";

export const LFB = 0xc000_0000;
export const MMIO = 0xd000_0000;

export class VgaBench {
  readonly bus = new SystemBus();
  readonly vram: PlainVram;
  nowNs = 0n;
  readonly vga: Vga;
  pixels = new Uint32Array(0);

  constructor(vramBytes = VRAM_DEFAULT_BYTES) {
    this.vram = new PlainVram(vramBytes);
    this.vga = new Vga({
      bus: this.bus,
      vram: this.vram,
      clock: {
        nowNs: () => this.nowNs,
        createTimer: () => {
          throw new Error("the VGA needs no timer");
        },
      },
    });
    this.vga.pci.connect({
      messages: { send() {} },
      map: (_kind, base, length, handler) => this.bus.mapMmio(base, length, handler),
      setInterrupt() {},
      decodingChanged() {},
    });
    this.vga.pci.writeConfig(0x10, 4, LFB);
    this.vga.pci.writeConfig(0x18, 4, MMIO);
    this.vga.pci.writeConfig(0x04, 2, 2);
  }

  out(port: number, value: number, size: 1 | 2 = 1): void {
    this.bus.writePort(port, size, value);
  }

  index(port: number, index: number, value: number): void {
    this.out(port, index);
    this.out(port + 1, value);
  }

  attribute(index: number, value: number): void {
    this.bus.readPort(0x3da, 1);
    this.out(0x3c0, index);
    this.out(0x3c0, value);
    this.out(0x3c0, 0x20);
  }

  vbe(index: number, value: number): void {
    this.out(0x1ce, index, 2);
    this.out(0x1cf, value, 2);
  }

  readVbe(index: number): number {
    this.out(0x1ce, index, 2);
    return this.bus.readPort(0x1cf, 2);
  }

  setVbeMode(width: number, height: number, bpp: number): void {
    this.vbe(4, 0);
    this.vbe(1, width);
    this.vbe(2, height);
    this.vbe(3, bpp);
    this.vbe(4, 0x41);
  }

  cell(row: number, column: number, text: string, attribute = 0x07): void {
    for (let at = 0; at < text.length; at++) {
      const address = 0xb8000 + (row * 80 + column + at) * 2;
      this.bus.writeMmio(address, 2, (text.charCodeAt(at) & 0xff) | (attribute << 8));
    }
  }

  render(everything = false): Rect[] {
    const { width, height } = this.vga.display.size();
    const fresh = this.pixels.length !== width * height;
    if (fresh) this.pixels = new Uint32Array(width * height);
    return this.vga.display.render(this.pixels, fresh || everything);
  }

  /** Registers and memory as int 10h mode 12h (planar) or 13h (packed) would leave them. */
  setGraphics(mode: 0x12 | 0x13): void {
    const packed = mode === 0x13;
    this.out(0x3c2, packed ? 0x63 : 0xe3);
    for (const [at, value] of [
      [1, 0x01],
      [2, 0x0f],
      [3, 0x00],
      [4, packed ? 0x0e : 0x06],
    ] as const)
      this.index(0x3c4, at, value);
    this.index(0x3d4, 0x11, 0x00);
    const crtc = packed
      ? [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41]
      : [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40];
    crtc.forEach((value, at) => this.index(0x3d4, at, value));
    this.index(0x3d4, 0x12, packed ? 0x8f : 0xdf);
    this.index(0x3d4, 0x13, 0x28);
    this.index(0x3d4, 0x17, packed ? 0xa3 : 0xe3);
    this.index(0x3d4, 0x18, 0xff);
    const graphics = [0, 0, 0, 0, 0, packed ? 0x40 : 0x00, 0x05, 0x0f, 0xff];
    graphics.forEach((value, at) => this.index(0x3ce, at, value));
    for (let at = 0; at < 16; at++) this.attribute(at, at);
    this.attribute(0x10, packed ? 0x41 : 0x01);
    this.attribute(0x12, 0x0f);
    this.vram.bytes.fill(0, 0, 0x40000);
    this.vram.markDirty(0, 0x40000);
  }

  pixel(x: number, y: number): string {
    const value = this.pixels[y * this.vga.display.size().width + x] ?? 0;
    const hex = (byte: number) => (byte & 0xff).toString(16).padStart(2, "0");
    return hex(value) + hex(value >> 8) + hex(value >> 16);
  }

  /** Part of the picture as dots: `#` where a pixel is not black. */
  dots(x: number, y: number, width: number, height: number): string[] {
    const lines: string[] = [];
    for (let row = y; row < y + height; row++) {
      let line = "";
      for (let column = x; column < x + width; column++) line += this.pixel(column, row) === "000000" ? "." : "#";
      lines.push(line);
    }
    return lines;
  }
}
