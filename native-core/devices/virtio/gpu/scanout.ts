// What a virtio-gpu shows: a rectangle of a resource, and a pointer over it, as a DisplaySource.
import { DirtyGrid } from "../../dirty-grid.ts";
import type { CursorShape, DisplayCursor, DisplaySize, DisplaySource, Rect } from "../../display-source.ts";
import type { PixelLayout } from "./protocol.ts";
import type { Resource } from "./resource.ts";

/** Pointers have this width and height. */
export const CURSOR_SIDE = 64;
const OPAQUE = 0xff00_0000;
const MAX_RECT_PIXELS = 1 << 20;

export class Scanout implements DisplaySource {
  #resource: Resource | undefined;
  #view: Rect = { x: 0, y: 0, width: 0, height: 0 };
  readonly #dirty = new DirtyGrid();
  #cursor: CursorShape | undefined;
  #cursorX = 0;
  #cursorY = 0;
  /** The guest has shown something since the last reset; before that its VGA is seen. */
  active = false;

  get resource(): Resource | undefined {
    return this.#resource;
  }

  get view(): Rect {
    return this.#view;
  }

  size(): DisplaySize {
    return this.#view;
  }

  get cursor(): DisplayCursor | undefined {
    return this.#cursor && this.#resource && { shape: this.#cursor, x: this.#cursorX, y: this.#cursorY };
  }

  reset(): void {
    this.#resource = undefined;
    this.#cursor = undefined;
    this.#cursorX = 0;
    this.#cursorY = 0;
    this.active = false;
  }

  /** Shows a rectangle that lies inside the resource. */
  show(resource: Resource, view: Rect): void {
    this.active = true;
    this.#resource = resource;
    this.#setView(view);
  }

  /** The picture goes dark and keeps its size. */
  hide(): void {
    this.#resource = undefined;
    this.#dirty.addAll();
  }

  /** Part of a resource has its new content. */
  flush(resource: Resource, { x, y, width, height }: Rect): void {
    if (resource !== this.#resource) return;
    const left = Math.max(x, this.#view.x);
    const top = Math.max(y, this.#view.y);
    const right = Math.min(x + width, this.#view.x + this.#view.width);
    const bottom = Math.min(y + height, this.#view.y + this.#view.height);
    if (right <= left || bottom <= top) return;
    this.#dirty.add({ x: left - this.#view.x, y: top - this.#view.y, width: right - left, height: bottom - top });
  }

  /** Undefined hides it. The resource is CURSOR_SIDE pixels wide and high. */
  setCursor(resource: Resource | undefined, hotX: number, hotY: number): void {
    this.#cursor = resource && shape(converted(resource.pixels, resource.layout), hotX, hotY);
  }

  moveCursor(x: number, y: number): void {
    this.#cursorX = x;
    this.#cursorY = y;
  }

  saveCursor() {
    const { pixels, hotX, hotY } = this.#cursor ?? { pixels: undefined, hotX: 0, hotY: 0 };
    const image = pixels ? new Uint8Array(pixels.buffer).slice() : null;
    return { x: this.#cursorX, y: this.#cursorY, hotX, hotY, image };
  }

  restoreCursor(state: ReturnType<Scanout["saveCursor"]>): void {
    const { image, hotX, hotY } = state;
    this.#cursor = image ? shape(new Uint32Array(image.slice().buffer), hotX, hotY) : undefined;
    this.#cursorX = state.x;
    this.#cursorY = state.y;
  }

  restoreView(resource: Resource | undefined, view: Rect, active: boolean): void {
    this.active = active;
    this.#resource = resource;
    this.#setView(view);
  }

  render(pixels: Uint32Array, everything: boolean): Rect[] {
    const { width, height } = this.#view;
    if (pixels.length < width * height) return [];
    if (everything) this.#dirty.addAll();
    const rects = this.#dirty.take(MAX_RECT_PIXELS);
    for (const rect of rects) this.#draw(pixels, rect);
    return rects;
  }

  #setView(view: Rect): void {
    if (view.width !== this.#view.width || view.height !== this.#view.height) {
      this.#dirty.resize(view.width, view.height);
    }
    this.#view = view;
    this.#dirty.addAll();
  }

  #draw(pixels: Uint32Array, rect: Rect): void {
    const { width } = this.#view;
    const resource = this.#resource;
    for (let line = rect.y; line < rect.y + rect.height; line++) {
      const at = line * width + rect.x;
      if (!resource) {
        pixels.fill(OPAQUE, at, at + rect.width);
        continue;
      }
      const from = (this.#view.y + line) * resource.width + this.#view.x + rect.x;
      const { red, green, blue } = resource.layout;
      for (let column = 0; column < rect.width; column++) {
        const pixel = resource.pixels[from + column] ?? 0;
        pixels[at + column] =
          OPAQUE | ((pixel >>> red) & 0xff) | (((pixel >>> green) & 0xff) << 8) | (((pixel >>> blue) & 0xff) << 16);
      }
    }
  }
}

function shape(pixels: Uint32Array, hotX: number, hotY: number): CursorShape {
  return { width: CURSOR_SIDE, height: CURSOR_SIDE, pixels, hotX, hotY };
}

/** Guests multiply the pointer's colours by its alpha themselves (DRM's cursor planes). */
function converted(pixels: Uint32Array, { red, green, blue, alpha }: PixelLayout): Uint32Array {
  return pixels.map(
    (pixel) =>
      ((pixel >>> red) & 0xff) |
      (((pixel >>> green) & 0xff) << 8) |
      (((pixel >>> blue) & 0xff) << 16) |
      ((alpha === undefined ? 0xff : (pixel >>> alpha) & 0xff) << 24),
  );
}
