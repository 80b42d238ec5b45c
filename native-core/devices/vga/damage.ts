// Collects changed spans of lines into few, tight rectangles.
import type { Rect } from "../display-source.ts";

/** A rectangle is closed at this height, so that one wide line does not widen a whole screen of narrow changes. */
const MAX_BAND_LINES = 64;

export class Damage {
  readonly #rects: Rect[] = [];
  #top = 0;
  #bottom = 0;
  #left = 0;
  #right = 0;

  /** Pixels [left, right) of `lines` lines from `y` changed. Calls come in ascending order of `y`. */
  add(y: number, left: number, right: number, lines = 1): void {
    if (this.#right > this.#left && y <= this.#bottom && y + lines - this.#top <= MAX_BAND_LINES) {
      this.#left = Math.min(this.#left, left);
      this.#right = Math.max(this.#right, right);
      this.#bottom = Math.max(this.#bottom, y + lines);
      return;
    }
    this.#close();
    this.#top = y;
    this.#bottom = y + lines;
    this.#left = left;
    this.#right = right;
  }

  take(): Rect[] {
    this.#close();
    return this.#rects;
  }

  #close(): void {
    if (this.#right <= this.#left) return;
    this.#rects.push({
      x: this.#left,
      y: this.#top,
      width: this.#right - this.#left,
      height: this.#bottom - this.#top,
    });
    this.#right = this.#left;
  }
}

/** Puts `line` into `pixels` at `y` and notes where it differs from what was there. */
export function putLine(
  pixels: Uint32Array,
  width: number,
  y: number,
  line: Uint32Array,
  damage: Damage,
  everything: boolean,
): void {
  const at = y * width;
  let left = 0;
  let right = width;
  if (!everything) {
    while (left < right && pixels[at + left] === line[left]) left++;
    if (left === right) return;
    while (pixels[at + right - 1] === line[right - 1]) right--;
  }
  pixels.set(left === 0 && right === width ? line : line.subarray(left, right), at + left);
  damage.add(y, left, right);
}
