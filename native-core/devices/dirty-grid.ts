// What of a picture has changed since somebody looked, as a grid of 16x16 pixel squares: bounded, and overlapping damage costs nothing.
import type { Rect } from "./display-source.ts";

const SQUARE = 16;

export class DirtyGrid {
  #width = 0;
  #height = 0;
  #columns = 0;
  #rows = 0;
  #squares = new Uint8Array(0);
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Forgets everything; the picture has this size now. */
  resize(width: number, height: number): void {
    this.#width = width;
    this.#height = height;
    this.#columns = Math.ceil(width / SQUARE);
    this.#rows = Math.ceil(height / SQUARE);
    this.#squares = new Uint8Array(this.#columns * this.#rows);
    this.#count = 0;
  }

  /** Parts outside the picture are ignored. */
  add({ x, y, width, height }: Rect): void {
    const right = Math.min(this.#columns, Math.ceil((x + width) / SQUARE));
    const bottom = Math.min(this.#rows, Math.ceil((y + height) / SQUARE));
    for (let row = Math.floor(y / SQUARE); row < bottom; row++) {
      for (let column = Math.floor(x / SQUARE); column < right; column++) {
        const at = row * this.#columns + column;
        if (this.#squares[at]) continue;
        this.#squares[at] = 1;
        this.#count++;
      }
    }
  }

  addAll(): void {
    this.#squares.fill(1);
    this.#count = this.#squares.length;
  }

  /** Whether anything between the lines `top` and `bottom` is dirty. */
  touches(top: number, bottom: number): boolean {
    const first = Math.floor(top / SQUARE) * this.#columns;
    const last = Math.min(this.#rows, Math.ceil(bottom / SQUARE)) * this.#columns;
    return this.#squares.subarray(first, last).includes(1);
  }

  /** The dirty area as disjoint rectangles of at most `maxPixels` each; the grid is clean afterwards. */
  take(maxPixels: number): Rect[] {
    const rects: Rect[] = [];
    if (this.#count === 0) return rects;
    for (let row = 0; row < this.#rows; row++) {
      for (let column = 0; column < this.#columns; column++) {
        if (!this.#squares[row * this.#columns + column]) continue;
        let right = column;
        while (right < this.#columns && this.#squares[row * this.#columns + right]) right++;
        const width = Math.min(right * SQUARE, this.#width) - column * SQUARE;
        // Grow downwards while the rows below are dirty over the same width.
        let bottom = row;
        while (
          bottom < this.#rows &&
          (bottom === row || (bottom + 1 - row) * SQUARE * width <= maxPixels) &&
          this.#dirtyRun(bottom, column, right)
        ) {
          this.#squares.fill(0, bottom * this.#columns + column, bottom * this.#columns + right);
          bottom++;
        }
        const y = row * SQUARE;
        rects.push({ x: column * SQUARE, y, width, height: Math.min(bottom * SQUARE, this.#height) - y });
      }
    }
    this.#count = 0;
    return rects;
  }

  #dirtyRun(row: number, from: number, to: number): boolean {
    return !this.#squares.subarray(row * this.#columns + from, row * this.#columns + to).includes(0);
  }
}
