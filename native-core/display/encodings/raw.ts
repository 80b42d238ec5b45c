// Raw encoding (RFC 6143 7.7.1): pixels in the viewer's format, line by line.
import { pixelConverter, pixelWriter } from "../pixel-format.ts";
import type { RectEncoder } from "./encoding.ts";

export const encodeRaw: RectEncoder = ({ pixels, width }, rect, format) => {
  const bytes = new Uint8Array(rect.width * rect.height * (format.bitsPerPixel / 8));
  const convert = pixelConverter(format);
  const put = pixelWriter(format);
  let to = 0;
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    const line = y * width;
    for (let x = rect.x; x < rect.x + rect.width; x++) to = put(bytes, to, convert(pixels[line + x] ?? 0));
  }
  return Promise.resolve(bytes);
};
