// Text modes: cells of character and attribute, glyphs from plane 2, cursor and blinking.
// Remembers what each cell showed, so that a frame costs one comparison per cell and draws only what changed.
import type { Rect } from "../display-source.ts";
import { ATTR, ATTR_MODE_BLINK, ATTR_MODE_LINE_GRAPHICS, CRTC, CRTC_CURSOR_OFF, SEQ } from "./constants.ts";
import { Damage } from "./damage.ts";
import type { TextGeometry } from "./geometry.ts";
import type { VgaRegisters } from "./registers.ts";

/** Glyphs are kept 32 lines apart, whatever the character height. */
const GLYPH_LINES = 32;

/** Blink rates in frames of 60 Hz: the cursor 16 on and 16 off, characters half as fast. */
const CURSOR_BLINK_FRAMES = 16;
const FRAME_NS = 16_666_667n;

/** A cell as drawn: character, attribute, and what time and cursor add to it. */
const KEY_CURSOR = 1 << 16;
const KEY_HIDDEN = 1 << 17;
const KEY_NEVER_DRAWN = 0xffff_ffff;

export class TextRenderer {
  #drawn = new Uint32Array(0);

  /** Draws what changed since the last call; `colors` are the sixteen attribute colours. */
  render(
    pixels: Uint32Array,
    view: TextGeometry,
    registers: VgaRegisters,
    vram: Uint8Array,
    colors: Uint32Array,
    nowNs: bigint,
    everything: boolean,
  ): Rect[] {
    const { columns, rows, cellWidth, cellHeight } = view;
    if (everything || this.#drawn.length !== columns * rows) {
      this.#drawn = new Uint32Array(columns * rows).fill(KEY_NEVER_DRAWN);
    }
    const { attribute, sequencer } = registers;
    const blinking = ((attribute[ATTR.MODE] ?? 0) & ATTR_MODE_BLINK) !== 0;
    const frame = Number((nowNs / FRAME_NS) % (4n * BigInt(CURSOR_BLINK_FRAMES)));
    const charactersHidden = blinking && frame >= 2 * CURSOR_BLINK_FRAMES;
    const cursor = cursorCell(registers, Math.floor(frame / CURSOR_BLINK_FRAMES) % 2 === 0);
    const [plainFont, brightFont] = fontOffsets(sequencer[SEQ.CHARACTER_MAP] ?? 0);
    const lineGraphics = cellWidth === 9 && ((attribute[ATTR.MODE] ?? 0) & ATTR_MODE_LINE_GRAPHICS) !== 0;
    const damage = new Damage();

    for (let row = 0; row < rows; row++) {
      let left = columns;
      let right = 0;
      for (let column = 0; column < columns; column++) {
        // Sixteen bits of address: what is shown wraps around the planes.
        const cell = (view.start + row * view.rowCells + column) & 0xffff;
        const character = vram[cell * 4] ?? 0;
        const attributes = vram[cell * 4 + 1] ?? 0;
        const hidden = charactersHidden && (attributes & 0x80) !== 0;
        const key = character | (attributes << 8) | (cell === cursor.cell ? KEY_CURSOR : 0) | (hidden ? KEY_HIDDEN : 0);
        const at = row * columns + column;
        if (this.#drawn[at] === key) continue;
        this.#drawn[at] = key;
        left = Math.min(left, column);
        right = column + 1;

        const foreground = colors[attributes & 0x0f] ?? 0;
        const background = colors[(attributes >> 4) & (blinking ? 7 : 15)] ?? 0;
        const font = attributes & 0x08 ? brightFont : plainFont;
        const glyph = (font + character * GLYPH_LINES) * 4 + 2;
        const wide = lineGraphics && character >= 0xc0 && character <= 0xdf;
        for (let line = 0; line < cellHeight; line++) {
          let bits = hidden ? 0 : (vram[glyph + line * 4] ?? 0) << 1;
          if (wide) bits |= (bits >> 1) & 1;
          if (key & KEY_CURSOR && line >= cursor.first && line <= cursor.last) bits = 0x1ff;
          const to = (row * cellHeight + line) * view.width + column * cellWidth;
          for (let dot = 0; dot < cellWidth; dot++) {
            pixels[to + dot] = bits & (0x100 >> dot) ? foreground : background;
          }
        }
      }
      if (right > left) damage.add(row * cellHeight, left * cellWidth, right * cellWidth, cellHeight);
    }
    return damage.take();
  }
}

function cursorCell({ crtc }: VgaRegisters, blinkOn: boolean): { cell: number; first: number; last: number } {
  const start = crtc[CRTC.CURSOR_START] ?? 0;
  const visible = blinkOn && (start & CRTC_CURSOR_OFF) === 0;
  return {
    cell: visible ? ((crtc[CRTC.CURSOR_HIGH] ?? 0) << 8) | (crtc[CRTC.CURSOR_LOW] ?? 0) : -1,
    first: start & 0x1f,
    last: (crtc[CRTC.CURSOR_END] ?? 0) & 0x1f,
  };
}

/** Where the two character sets start in plane 2: set B for attributes without bit 3, set A for those with it. */
function fontOffsets(map: number): [plain: number, bright: number] {
  // Sets 0-3 are 16 KiB apart, 4-7 lie 8 KiB behind them.
  const offset = (set: number) => (set & 3) * 0x4000 + (set & 4 ? 0x2000 : 0);
  const b = (map & 3) | ((map >> 2) & 4);
  const a = ((map >> 2) & 3) | ((map >> 3) & 4);
  return [offset(b), offset(a)];
}
