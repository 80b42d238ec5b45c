// Pictures of the screen as PNG files.
import { deflateSync } from "node:zlib";
import { encodePng, type Image } from "../display/png.ts";
import { thumbnail } from "../display/thumbnail.ts";

const THUMBNAIL_WIDTH = 320;
const RGB = 0x00ffffff;

/** Level 1: screens are mostly flat, speed is what matters. */
export function toPng(image: Image): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encodePng(image, (data) => deflateSync(data, { level: 1 })));
}

/** A picture taken at one moment, to be scaled and packed later. */
export class Thumbnail {
  readonly #image: Image;

  private constructor(image: Image) {
    this.#image = image;
  }

  /** Keeps a copy of the picture; null when there is nothing on it. */
  static grab({ width, height, pixels }: Image): Thumbnail | null {
    return isBlank(pixels) ? null : new Thumbnail({ width, height, pixels: pixels.slice() });
  }

  encode(): { png: Uint8Array<ArrayBuffer>; width: number; height: number } {
    const image = thumbnail(this.#image, THUMBNAIL_WIDTH);
    return { png: toPng(image), width: image.width, height: image.height };
  }
}

/** What stands for a screen without display or picture. */
export function emptyPicture(): Image {
  const height = (THUMBNAIL_WIDTH * 10) / 16;
  return { width: THUMBNAIL_WIDTH, height, pixels: new Uint32Array(THUMBNAIL_WIDTH * height) };
}

function isBlank(pixels: Uint32Array): boolean {
  for (let n = 0; n < pixels.length; n++) if (((pixels[n] ?? 0) & RGB) !== 0) return false;
  return true;
}
