// The guest's pointer over its picture: drawn for whoever can't draw it himself, without staying in the screen that all share.
import type { DisplayCursor, Rect } from "../devices/display-source.ts";
import type { Image } from "./png.ts";

const OPAQUE = 0xff00_0000;

export function isSameCursor(a: DisplayCursor | undefined, b: DisplayCursor | undefined): boolean {
  return a?.shape === b?.shape && a?.x === b?.x && a?.y === b?.y;
}

/** The part of the picture that a pointer covers, `down` lines further down; undefined when it lies outside. */
export function cursorArea(
  { shape, x, y }: DisplayCursor,
  { width, height }: { width: number; height: number },
  down = 0,
): Rect | undefined {
  const left = Math.max(0, x - shape.hotX);
  const top = Math.max(0, y - shape.hotY + down);
  const right = Math.min(width, x - shape.hotX + shape.width);
  const bottom = Math.min(height, y - shape.hotY + down + shape.height);
  return right > left && bottom > top ? { x: left, y: top, width: right - left, height: bottom - top } : undefined;
}

/** A picture of its own with the pointer in it; the picture itself where there is no pointer. */
export function withCursor(image: Image, cursor: DisplayCursor | undefined): Image {
  const area = cursor && cursorArea(cursor, image);
  if (!area) return image;
  const copy = { width: image.width, height: image.height, pixels: image.pixels.slice() };
  draw(copy, cursor, area);
  return copy;
}

/** What `read` makes of the picture while the pointer is in it. `read` has seen all it needs when it returns. */
export function readWithCursor<T>(image: Image, cursor: DisplayCursor | undefined, read: () => T): T {
  const area = cursor && cursorArea(cursor, image);
  if (!area) return read();
  const lines = Array.from({ length: area.height }, (_, line) => {
    const from = (area.y + line) * image.width + area.x;
    return { from, pixels: image.pixels.slice(from, from + area.width) };
  });
  draw(image, cursor, area);
  try {
    return read();
  } finally {
    for (const { from, pixels } of lines) image.pixels.set(pixels, from);
  }
}

function draw({ pixels, width }: Image, { shape, x, y }: DisplayCursor, area: Rect): void {
  for (let line = area.y; line < area.y + area.height; line++) {
    const from = (line - (y - shape.hotY)) * shape.width - (x - shape.hotX);
    for (let column = area.x; column < area.x + area.width; column++) {
      const at = line * width + column;
      pixels[at] = blend(shape.pixels[from + column] ?? 0, pixels[at] ?? 0);
    }
  }
}

function blend(above: number, below: number): number {
  const rest = 255 - (above >>> 24);
  const channel = (shift: number) =>
    Math.min(255, ((above >>> shift) & 0xff) + Math.round((((below >>> shift) & 0xff) * rest) / 255)) << shift;
  return (OPAQUE | channel(0) | channel(8) | channel(16)) >>> 0;
}
