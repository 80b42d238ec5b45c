// The picture all viewers share: pulls the display source into one buffer and tells what changed.
import type { DisplayCursor, DisplaySource, Rect } from "../devices/display-source.ts";
import { isSameCursor } from "./cursor.ts";
import { type Scroll, ScrollDetector } from "./scroll-detector.ts";

/** What one refresh brought. */
export interface ScreenChange {
  /** The picture has a new size; everything is new. */
  readonly resized: boolean;
  /** Lines that moved up or down; `damage` is what is new besides. */
  readonly scroll: Scroll | undefined;
  readonly damage: readonly Rect[];
  /** The pointer has another place or look. It is not part of the picture. */
  readonly cursorMoved: boolean;
}

export class Screen {
  readonly #source: DisplaySource;
  readonly #scrolls = new ScrollDetector();
  width = 0;
  height = 0;
  pixels = new Uint32Array(0);
  cursor: DisplayCursor | undefined;

  constructor(source: DisplaySource) {
    this.#source = source;
  }

  refresh(): ScreenChange {
    const { width, height } = this.#source.size();
    const resized = width !== this.width || height !== this.height;
    if (resized) {
      this.width = width;
      this.height = height;
      this.pixels = new Uint32Array(width * height);
    }
    const damage = this.#source.render(this.pixels, resized);
    const scroll = this.#scrolls.update(this, damage, resized);
    const { cursor } = this.#source;
    const cursorMoved = !isSameCursor(cursor, this.cursor);
    this.cursor = cursor;
    return { resized, scroll, damage: scroll ? scroll.rest : damage, cursorMoved };
  }
}
