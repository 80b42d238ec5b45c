// Raw encoding (RFC 6143 7.7.1): pixels in the viewer's format, line by line.
import type { Rect } from "../../devices/display-source.ts";
import { isScreenFormat, type PixelFormat, pixelConverter, pixelWriter } from "../pixel-format.ts";
import type { Image } from "../png.ts";
import { ENCODING, type EncodedRect } from "./encoding.ts";

export function encodeRaw(image: Image, rect: Rect, format: PixelFormat): EncodedRect {
  const body = isScreenFormat(format) ? copyPixels(image, rect) : convertPixels(image, rect, format);
  return { encoding: ENCODING.RAW, body };
}

/** The viewer's pixels are the screen's, which has what they leave unused for alpha. */
function copyPixels({ pixels, width }: Image, rect: Rect): Uint8Array {
  if (rect.width === width) {
    return new Uint8Array(pixels.slice(rect.y * width, (rect.y + rect.height) * width).buffer);
  }
  const copy = new Uint32Array(rect.width * rect.height);
  for (let line = 0; line < rect.height; line++) {
    const from = (rect.y + line) * width + rect.x;
    copy.set(pixels.subarray(from, from + rect.width), line * rect.width);
  }
  return new Uint8Array(copy.buffer);
}

function convertPixels({ pixels, width }: Image, rect: Rect, format: PixelFormat): Uint8Array {
  const bytes = new Uint8Array(rect.width * rect.height * (format.bitsPerPixel / 8));
  const convert = pixelConverter(format);
  const put = pixelWriter(format);
  let to = 0;
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    const line = y * width;
    for (let x = rect.x; x < rect.x + rect.width; x++) to = put(bytes, to, convert(pixels[line + x] ?? 0));
  }
  return bytes;
}
