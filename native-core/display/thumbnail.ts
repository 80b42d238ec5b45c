// Small pictures for the machine list and the snapshot tree.
import type { Image } from "./png.ts";

const BLACK = 0xff00_0000;

/**
 * Scales `image` down to fit `width` x `width * 10 / 16`, centred on black: each pixel is the mean of the ones it covers.
 * Pictures smaller than that are not enlarged.
 */
export function thumbnail(image: Image, width: number): Image {
  const height = Math.round((width * 10) / 16);
  const pixels = new Uint32Array(width * height).fill(BLACK);
  const scale = Math.min(1, width / image.width, height / image.height);
  const innerWidth = Math.max(1, Math.round(image.width * scale));
  const innerHeight = Math.max(1, Math.round(image.height * scale));
  const left = (width - innerWidth) >> 1;
  const top = (height - innerHeight) >> 1;
  for (let y = 0; y < innerHeight; y++) {
    const fromY = Math.floor((y * image.height) / innerHeight);
    const toY = Math.max(fromY + 1, Math.floor(((y + 1) * image.height) / innerHeight));
    for (let x = 0; x < innerWidth; x++) {
      const fromX = Math.floor((x * image.width) / innerWidth);
      const toX = Math.max(fromX + 1, Math.floor(((x + 1) * image.width) / innerWidth));
      pixels[(top + y) * width + left + x] = mean(image, fromX, toX, fromY, toY);
    }
  }
  return { width, height, pixels };
}

function mean(image: Image, fromX: number, toX: number, fromY: number, toY: number): number {
  let red = 0;
  let green = 0;
  let blue = 0;
  for (let y = fromY; y < toY; y++) {
    for (let x = fromX; x < toX; x++) {
      const pixel = image.pixels[y * image.width + x] ?? 0;
      red += pixel & 0xff;
      green += (pixel >> 8) & 0xff;
      blue += (pixel >> 16) & 0xff;
    }
  }
  const count = (toX - fromX) * (toY - fromY);
  return (BLACK | (Math.round(blue / count) << 16) | (Math.round(green / count) << 8) | Math.round(red / count)) >>> 0;
}
