// Turns registers and video memory into pixels for whoever looks: the VGA's DisplaySource.
// Nothing here is machine state; it only remembers what it drew last.
import type { VirtualClock } from "../device.ts";
import type { DisplaySize, DisplaySource, Rect } from "../display-source.ts";
import { ATTR, SEQ } from "./constants.ts";
import { Damage, putLine } from "./damage.ts";
import { type Geometry, geometry, type LinearGeometry } from "./geometry.ts";
import { type MemoryWindow, PLANES_BYTES } from "./memory-window.ts";
import { attributeColors, dacColors, OPAQUE_BLACK } from "./palette.ts";
import type { VgaRegisters } from "./registers.ts";
import { renderLegacyLine, renderLinearLine } from "./render-graphics.ts";
import { TextRenderer } from "./render-text.ts";
import type { VbeRegisters } from "./vbe.ts";
import { VRAM_PAGE_BYTES, type Vram } from "./vram.ts";

export interface PictureParts {
  readonly registers: VgaRegisters;
  readonly vbe: VbeRegisters;
  readonly window: MemoryWindow;
  readonly vram: Vram;
  readonly clock: VirtualClock;
}

export class Picture implements DisplaySource {
  readonly #parts: PictureParts;
  readonly #text = new TextRenderer();
  #dac: Uint32Array = new Uint32Array(256);
  #colors: Uint32Array = new Uint32Array(16);
  #drawnGeneration = -1;
  #drawnTextLook = "";
  #drawnView = "";

  constructor(parts: PictureParts) {
    this.#parts = parts;
  }

  size(): DisplaySize {
    const { width, height } = this.#geometry();
    return { width, height };
  }

  render(pixels: Uint32Array, everything: boolean): Rect[] {
    const { registers, vram, clock } = this.#parts;
    const view = this.#geometry();
    if (pixels.length < view.width * view.height) return [];
    const registersChanged = registers.generation !== this.#drawnGeneration;
    if (registersChanged) {
      this.#drawnGeneration = registers.generation;
      this.#dac = dacColors(registers);
      this.#colors = attributeColors(registers, this.#dac);
    }
    // The size alone does not tell two modes apart, and a renderer only knows what it drew itself.
    const look = registers.blanked ? "blank" : `${view.kind} ${view.width}x${view.height}`;
    const redraw = everything || look !== this.#drawnView;
    this.#drawnView = look;

    if (registers.blanked) return redraw ? this.#blank(pixels, view) : [];
    if (view.kind === "text") {
      // Cells are few enough to look at all of them; asking for dirty pages would cost the vCPU its write translations.
      const textLook = `${this.#colors.join()} ${this.#fontLook()} ${view.cellWidth}x${view.cellHeight}`;
      const anew = redraw || textLook !== this.#drawnTextLook;
      this.#drawnTextLook = textLook;
      return this.#text.render(pixels, view, registers, vram.bytes, this.#colors, clock.nowNs(), anew);
    }
    const pages = vram.takeDirtyPages();
    if (view.kind === "linear") {
      const all = redraw || registersChanged;
      return this.#renderLinear(pixels, view, all ? undefined : pages, redraw);
    }
    const touched = pages.some((page) => page < PLANES_BYTES / VRAM_PAGE_BYTES);
    if (!redraw && !registersChanged && !touched) return [];
    const damage = new Damage();
    const line = new Uint32Array(view.width);
    const colors = view.kind === "packed" ? this.#dac : this.#colors;
    const planeEnable = registers.attribute[ATTR.PLANE_ENABLE] ?? 0;
    for (let y = 0; y < view.height; y++) {
      renderLegacyLine(line, y, view, vram.bytes, colors, planeEnable & 0x0f);
      putLine(pixels, view.width, y, line, damage, redraw);
    }
    return damage.take();
  }

  #geometry(): Geometry {
    return geometry(this.#parts.registers, this.#parts.vbe.mode);
  }

  /** What text cells look like apart from their content. */
  #fontLook(): string {
    const { registers, window } = this.#parts;
    return `${window.fontGeneration} ${registers.sequencer[SEQ.CHARACTER_MAP]} ${registers.attribute[ATTR.MODE]}`;
  }

  #blank(pixels: Uint32Array, { width, height }: Geometry): Rect[] {
    pixels.fill(OPAQUE_BLACK, 0, width * height);
    return [{ x: 0, y: 0, width, height }];
  }

  /** Draws the lines that `pages` touch, or all of them. */
  #renderLinear(
    pixels: Uint32Array,
    view: LinearGeometry,
    pages: readonly number[] | undefined,
    redraw: boolean,
  ): Rect[] {
    const { bytes } = this.#parts.vram;
    const damage = new Damage();
    const line = new Uint32Array(view.width);
    const draw = (y: number) => {
      renderLinearLine(line, y, view, bytes, this.#dac);
      putLine(pixels, view.width, y, line, damage, redraw);
    };
    if (!pages) {
      for (let y = 0; y < view.height; y++) draw(y);
      return damage.take();
    }
    let next = 0;
    for (const page of pages) {
      const from = page * VRAM_PAGE_BYTES - view.startBytes;
      const first = Math.max(next, Math.floor(from / view.strideBytes));
      next = Math.max(next, Math.min(view.height, Math.ceil((from + VRAM_PAGE_BYTES) / view.strideBytes)));
      for (let y = first; y < next; y++) draw(y);
    }
    return damage.take();
  }
}
