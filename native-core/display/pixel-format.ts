// Pixel formats of RFC 6143 7.4, and the conversion of the screen's pixels into what a viewer asked for.

export interface PixelFormat {
  readonly bitsPerPixel: 8 | 16 | 32;
  readonly depth: number;
  readonly bigEndian: boolean;
  readonly trueColor: boolean;
  readonly redMax: number;
  readonly greenMax: number;
  readonly blueMax: number;
  readonly redShift: number;
  readonly greenShift: number;
  readonly blueShift: number;
}

/** The screen's own: bytes R, G, B, X. It is also what noVNC asks for, so nothing is converted. */
export const SCREEN_FORMAT: PixelFormat = {
  bitsPerPixel: 32,
  depth: 24,
  bigEndian: false,
  trueColor: true,
  redMax: 255,
  greenMax: 255,
  blueMax: 255,
  redShift: 0,
  greenShift: 8,
  blueShift: 16,
};

/** Pixels need no conversion, but for what is in the byte that is left over. */
export function isScreenFormat(format: PixelFormat): boolean {
  const { depth: _, ...layout } = SCREEN_FORMAT;
  return Object.entries(layout).every(([key, value]) => format[key as keyof PixelFormat] === value);
}

/** What a viewer without true colour gets: three bits of red and green, two of blue, through a colour map that is sent to it. */
const MAPPED_FORMAT: PixelFormat = {
  bitsPerPixel: 8,
  depth: 8,
  bigEndian: false,
  trueColor: false,
  redMax: 7,
  greenMax: 7,
  blueMax: 3,
  redShift: 0,
  greenShift: 3,
  blueShift: 6,
};

export const PIXEL_FORMAT_BYTES = 16;

export function writePixelFormat(view: DataView, at: number, format: PixelFormat): void {
  view.setUint8(at, format.bitsPerPixel);
  view.setUint8(at + 1, format.depth);
  view.setUint8(at + 2, format.bigEndian ? 1 : 0);
  view.setUint8(at + 3, format.trueColor ? 1 : 0);
  view.setUint16(at + 4, format.redMax);
  view.setUint16(at + 6, format.greenMax);
  view.setUint16(at + 8, format.blueMax);
  view.setUint8(at + 10, format.redShift);
  view.setUint8(at + 11, format.greenShift);
  view.setUint8(at + 12, format.blueShift);
}

/** Undefined when no pixel could be made of it. */
export function readPixelFormat(view: DataView, at: number): PixelFormat | undefined {
  const bitsPerPixel = view.getUint8(at);
  if (bitsPerPixel !== 8 && bitsPerPixel !== 16 && bitsPerPixel !== 32) return undefined;
  if (view.getUint8(at + 3) === 0) return bitsPerPixel === 8 ? MAPPED_FORMAT : undefined;
  const format: PixelFormat = {
    bitsPerPixel,
    depth: view.getUint8(at + 1),
    bigEndian: view.getUint8(at + 2) !== 0,
    trueColor: true,
    redMax: view.getUint16(at + 4),
    greenMax: view.getUint16(at + 6),
    blueMax: view.getUint16(at + 8),
    redShift: view.getUint8(at + 10),
    greenShift: view.getUint8(at + 11),
    blueShift: view.getUint8(at + 12),
  };
  const fits = (max: number, shift: number) =>
    max > 0 && (max & (max + 1)) === 0 && shift < bitsPerPixel && max * 2 ** shift < 2 ** bitsPerPixel;
  return fits(format.redMax, format.redShift) &&
    fits(format.greenMax, format.greenShift) &&
    fits(format.blueMax, format.blueShift)
    ? format
    : undefined;
}

/** Turns 0xAABBGGRR into a viewer's pixel value. */
export type PixelConverter = (pixel: number) => number;

export function pixelConverter(format: PixelFormat): PixelConverter {
  const { redMax, greenMax, blueMax, redShift, greenShift, blueShift } = format;
  if (redMax === 255 && greenMax === 255 && blueMax === 255) {
    if (redShift === 0 && greenShift === 8 && blueShift === 16) return (pixel) => pixel & 0xff_ffff;
    return (pixel) =>
      (((pixel & 0xff) << redShift) | (((pixel >> 8) & 0xff) << greenShift) | (((pixel >> 16) & 0xff) << blueShift)) >>>
      0;
  }
  const table = (max: number, shift: number) =>
    Uint32Array.from({ length: 256 }, (_, value) => Math.round((value * max) / 255) * 2 ** shift);
  const red = table(redMax, redShift);
  const green = table(greenMax, greenShift);
  const blue = table(blueMax, blueShift);
  return (pixel) =>
    ((red[pixel & 0xff] ?? 0) | (green[(pixel >> 8) & 0xff] ?? 0) | (blue[(pixel >> 16) & 0xff] ?? 0)) >>> 0;
}

/** Puts a viewer's pixel value into `bytes` at `at`. Returns where the next one goes. */
export type PixelWriter = (bytes: Uint8Array, at: number, value: number) => number;

export function pixelWriter({ bitsPerPixel, bigEndian }: PixelFormat): PixelWriter {
  return bytesWriter(bitsPerPixel / 8, bigEndian, 0);
}

/**
 * ZRLE's compressed pixels (RFC 6143 7.7.5): three bytes where a 32-bit format leaves the lowest or highest byte unused.
 */
export function compressedPixelWriter(format: PixelFormat): PixelWriter {
  if (format.bitsPerPixel !== 32 || format.depth > 24) return pixelWriter(format);
  const used =
    format.redMax * 2 ** format.redShift +
    format.greenMax * 2 ** format.greenShift +
    format.blueMax * 2 ** format.blueShift;
  if (used < 2 ** 24) return bytesWriter(3, format.bigEndian, 0);
  if (used % 256 === 0) return bytesWriter(3, format.bigEndian, 8);
  return pixelWriter(format);
}

function bytesWriter(count: number, bigEndian: boolean, shift: number): PixelWriter {
  // The two that noVNC asks for, written out: this runs for every pixel that is sent.
  if (count === 3 && !bigEndian && shift === 0) {
    return (bytes, at, value) => {
      bytes[at] = value;
      bytes[at + 1] = value >>> 8;
      bytes[at + 2] = value >>> 16;
      return at + 3;
    };
  }
  if (count === 4 && !bigEndian) {
    return (bytes, at, value) => {
      bytes[at] = value;
      bytes[at + 1] = value >>> 8;
      bytes[at + 2] = value >>> 16;
      bytes[at + 3] = value >>> 24;
      return at + 4;
    };
  }
  return (bytes, at, value) => {
    const bits = value >>> shift;
    for (let i = 0; i < count; i++) bytes[at + i] = bits >>> (8 * (bigEndian ? count - 1 - i : i));
    return at + count;
  };
}
