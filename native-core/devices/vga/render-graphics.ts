// Graphics modes, one line at a time: planar 16 colours, CGA's interleaved four, packed 256, and linear VBE pixels.
import type { GraphicsGeometry, LinearGeometry } from "./geometry.ts";
import { OPAQUE_BLACK } from "./palette.ts";

/** Fills `line` with row `y` of a legacy mode. Words wrap at the end of the planes. */
export function renderLegacyLine(
  line: Uint32Array,
  y: number,
  view: GraphicsGeometry,
  vram: Uint8Array,
  colors: Uint32Array,
  planeEnable: number,
): void {
  const split = y >= view.splitLine;
  const shown = split ? y - view.splitLine : y;
  const row = Math.floor(shown / view.banks);
  // CGA-like modes take address bits 13 and 14 from the line inside the row.
  const bank = (shown % view.banks) << 13;
  const first = (split ? 0 : view.start) + row * view.rowWords;
  const wordAt = (index: number) => (((first + index) & ~(view.banks > 1 ? 0x6000 : 0)) | bank) & 0xffff;
  switch (view.kind) {
    case "planar":
      for (let x = 0, word = 0; x < view.width; word++) {
        const at = wordAt(word) * 4;
        const p0 = vram[at] ?? 0;
        const p1 = vram[at + 1] ?? 0;
        const p2 = vram[at + 2] ?? 0;
        const p3 = vram[at + 3] ?? 0;
        for (let bit = 7; bit >= 0 && x < view.width; bit--, x++) {
          const index =
            ((p0 >> bit) & 1) | (((p1 >> bit) & 1) << 1) | (((p2 >> bit) & 1) << 2) | (((p3 >> bit) & 1) << 3);
          line[x] = colors[index & planeEnable] ?? OPAQUE_BLACK;
        }
      }
      return;
    case "interleaved":
      for (let x = 0, word = 0; x < view.width; word++) {
        const at = wordAt(word) * 4;
        for (let pair = 0; pair < 2; pair++) {
          const low = vram[at + pair] ?? 0;
          const high = vram[at + pair + 2] ?? 0;
          for (let shift = 6; shift >= 0 && x < view.width; shift -= 2, x++) {
            line[x] = colors[(((low >> shift) & 3) | (((high >> shift) & 3) << 2)) & planeEnable] ?? OPAQUE_BLACK;
          }
        }
      }
      return;
    case "packed":
      for (let x = 0; x < view.width; x++) {
        line[x] = colors[vram[wordAt(x >> 2) * 4 + (x & 3)] ?? 0] ?? OPAQUE_BLACK;
      }
  }
}

/** Fills `line` with row `y` of a VBE mode; `dac` serves 8-bit pixels. The mode fits video memory (vbe.ts). */
export function renderLinearLine(
  line: Uint32Array,
  y: number,
  view: LinearGeometry,
  vram: Uint8Array,
  dac: Uint32Array,
): void {
  const { width } = view;
  let at = view.startBytes + y * view.strideBytes;
  const { bitsPerPixel } = view;
  if (bitsPerPixel === 32) {
    // Lines of 32-bit modes are aligned: a pixel is the unit of width and panning, video memory starts on a page.
    const source = new Uint32Array(vram.buffer, vram.byteOffset + at, width);
    for (let x = 0; x < width; x++) {
      const pixel = source[x] ?? 0;
      line[x] = OPAQUE_BLACK | ((pixel & 0xff) << 16) | (pixel & 0xff00) | ((pixel >>> 16) & 0xff);
    }
  } else if (bitsPerPixel === 24) {
    for (let x = 0; x < width; x++, at += 3) {
      line[x] = OPAQUE_BLACK | ((vram[at] ?? 0) << 16) | ((vram[at + 1] ?? 0) << 8) | (vram[at + 2] ?? 0);
    }
  } else if (bitsPerPixel === 16 || bitsPerPixel === 15) {
    const greenBits = bitsPerPixel - 10;
    for (let x = 0; x < width; x++, at += 2) {
      const value = (vram[at] ?? 0) | ((vram[at + 1] ?? 0) << 8);
      const blue = widen(value & 0x1f, 5);
      const green = widen((value >> 5) & ((1 << greenBits) - 1), greenBits);
      const red = widen((value >> (5 + greenBits)) & 0x1f, 5);
      line[x] = OPAQUE_BLACK | (blue << 16) | (green << 8) | red;
    }
  } else {
    for (let x = 0; x < width; x++, at++) line[x] = dac[vram[at] ?? 0] ?? OPAQUE_BLACK;
  }
}

function widen(value: number, bits: number): number {
  return (value << (8 - bits)) | (value >> (2 * bits - 8));
}
