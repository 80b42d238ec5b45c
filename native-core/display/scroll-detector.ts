// Notices that a band of the picture moved up or down, as consoles do, so that viewers copy it instead of getting it again.
//
// Each line of the picture has a hash. When much changes at once, the lines' new hashes are looked for among the old ones; if most
// moved by the same distance, that is a scroll, and only lines that fit neither are sent.
import type { Rect } from "../devices/display-source.ts";
import type { Image } from "./png.ts";

/** Smaller changes are cheaper to send than to look at. */
const MIN_CHANGED_LINES = 48;
/** Of the changed lines, the part that must have moved together. */
const MIN_MOVED_FRACTION = 0.5;

export interface Scroll {
  /** Lines [top, top + height) now hold what lines [from, from + height) held before; full width. */
  readonly top: number;
  readonly from: number;
  readonly height: number;
  /** What changed and is not explained by the move. */
  readonly rest: readonly Rect[];
}

export class ScrollDetector {
  #hashes = new Int32Array(0);

  update(image: Image, damage: readonly Rect[], resized: boolean): Scroll | undefined {
    if (resized) {
      this.#hashes = new Int32Array(image.height);
      for (let y = 0; y < image.height; y++) this.#hashes[y] = hashLine(image, y);
      return undefined;
    }
    if (damage.length === 0) return undefined;
    let top = image.height;
    let bottom = 0;
    for (const { y, height } of damage) {
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + height);
    }
    const old = this.#hashes.slice(top, bottom);
    const now = this.#hashes.subarray(top, bottom);
    for (const { y, height } of damage) {
      for (let line = y; line < y + height; line++) this.#hashes[line] = hashLine(image, line);
    }
    if (bottom - top < MIN_CHANGED_LINES) return undefined;
    const distance = commonDistance(old, now);
    return distance === 0 ? undefined : this.#scroll(image.width, top, old, now, distance);
  }

  /** The longest run of lines that moved by `distance`, and the changed lines outside it. */
  #scroll(width: number, top: number, old: Int32Array, now: Int32Array, distance: number): Scroll | undefined {
    const count = now.length;
    let bestStart = 0;
    let bestLength = 0;
    for (let line = 0; line < count; ) {
      if (old[line + distance] !== now[line]) {
        line++;
        continue;
      }
      const start = line;
      while (line < count && line + distance >= 0 && line + distance < count && old[line + distance] === now[line]) {
        line++;
      }
      if (line - start > bestLength) {
        bestStart = start;
        bestLength = line - start;
      }
    }
    if (bestLength < count * MIN_MOVED_FRACTION) return undefined;
    const rest: Rect[] = [];
    for (let line = 0; line < count; ) {
      const moved = line >= bestStart && line < bestStart + bestLength;
      if (moved || old[line] === now[line]) {
        line++;
        continue;
      }
      const start = line;
      while (line < count && old[line] !== now[line] && (line < bestStart || line >= bestStart + bestLength)) line++;
      rest.push({ x: 0, y: top + start, width, height: line - start });
    }
    return { top: top + bestStart, from: top + bestStart + distance, height: bestLength, rest };
  }
}

/** The distance most changed lines came from: `now[y]` was `old[y + distance]`; 0 if there is none. */
function commonDistance(old: Int32Array, now: Int32Array): number {
  // A hash that occurs twice (blank lines) says nothing about where a line came from.
  const places = new Map<number, number>();
  old.forEach((hash, line) => {
    places.set(hash, places.has(hash) ? -1 : line);
  });
  const votes = new Map<number, number>();
  let best = 0;
  let bestVotes = 0;
  now.forEach((hash, line) => {
    const from = places.get(hash);
    if (from === undefined || from < 0 || from === line) return;
    const count = (votes.get(from - line) ?? 0) + 1;
    votes.set(from - line, count);
    if (count > bestVotes) {
      best = from - line;
      bestVotes = count;
    }
  });
  return bestVotes >= 8 ? best : 0;
}

/** Four sums side by side, which do not wait for each other: this reads every pixel that changes. */
function hashLine({ pixels, width }: Image, y: number): number {
  let a = 1;
  let b = 2;
  let c = 3;
  let d = 4;
  let at = y * width;
  const end = at + width;
  for (; at + 3 < end; at += 4) {
    a = mixed(a, pixels[at] as number);
    b = mixed(b, pixels[at + 1] as number);
    c = mixed(c, pixels[at + 2] as number);
    d = mixed(d, pixels[at + 3] as number);
  }
  for (; at < end; at++) a = mixed(a, pixels[at] as number);
  return mixed(mixed(mixed(a, b), c), d);
}

function mixed(hash: number, value: number): number {
  const product = Math.imul(hash ^ value, 0x9e37_79b1);
  return product ^ (product >>> 15);
}
