// A pointer's look as a rectangle without place: VMware's cursor with alpha, or RFC 6143 7.8.1 with a mask. No look hides it.
import type { CursorShape } from "../../devices/display-source.ts";
import { type PixelFormat, pixelConverter, pixelWriter } from "../pixel-format.ts";
import { rectHeader } from "../server-messages.ts";
import { ENCODING } from "./encoding.ts";

/** Kinds of VMware's cursor (rfbproto, "VMware Cursor Pseudo-encoding"). */
const ALPHA_CURSOR = 1;
const MASKED_FROM = 128;

/** Whether its hot spot is one that a rectangle can name. */
export function isSendable({ hotX, hotY, width, height }: CursorShape): boolean {
  return hotX >= 0 && hotY >= 0 && hotX < width && hotY < height;
}

/** The better of the encodings that a viewer has; undefined when it has none. */
export function cursorEncoding(encodings: ReadonlySet<number>): number | undefined {
  return [ENCODING.VMWARE_CURSOR, ENCODING.CURSOR].find((each) => encodings.has(each));
}

/** Header and what follows it. */
export function cursorRect(shape: CursorShape | undefined, encoding: number, format: PixelFormat): Uint8Array[] {
  const place = { x: shape?.hotX ?? 0, y: shape?.hotY ?? 0, width: shape?.width ?? 0, height: shape?.height ?? 0 };
  const header = rectHeader(place, encoding);
  if (encoding === ENCODING.VMWARE_CURSOR) {
    return [header, Uint8Array.of(ALPHA_CURSOR, 0), ...(shape ? [straightAlpha(shape)] : [])];
  }
  return shape ? [header, ...masked(shape, format)] : [header];
}

/** R, G, B, A bytes whose colours are not multiplied by alpha. */
function straightAlpha({ pixels }: CursorShape): Uint8Array {
  const bytes = new Uint8Array(pixels.length * 4);
  pixels.forEach((pixel, at) => {
    const alpha = pixel >>> 24;
    bytes[at * 4 + 3] = alpha;
    if (alpha === 0) return;
    for (let channel = 0; channel < 3; channel++) {
      const value = (pixel >>> (8 * channel)) & 0xff;
      bytes[at * 4 + channel] = Math.min(255, Math.round((value * 255) / alpha));
    }
  });
  return bytes;
}

/** Pixels in the viewer's format, and a bit for each that is seen. */
function masked({ pixels, width, height }: CursorShape, format: PixelFormat): [Uint8Array, Uint8Array] {
  const colors = new Uint8Array(pixels.length * (format.bitsPerPixel / 8));
  const maskLine = Math.ceil(width / 8);
  const mask = new Uint8Array(maskLine * height);
  const convert = pixelConverter(format);
  const put = pixelWriter(format);
  let to = 0;
  pixels.forEach((pixel, at) => {
    to = put(colors, to, convert(pixel & 0xff_ffff));
    if (pixel >>> 24 < MASKED_FROM) return;
    const x = at % width;
    const byte = Math.floor(at / width) * maskLine + (x >> 3);
    mask[byte] = (mask[byte] ?? 0) | (0x80 >> (x & 7));
  });
  return [colors, mask];
}
