// Writes PNG files (RFC 2083): 8-bit RGB without interlacing. Compression comes from the host.

/** zlib format (RFC 1950), whole input at once; the result belongs to the caller. */
export type Deflate = (data: Uint8Array) => Uint8Array;

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const COLOR_TYPE_RGB = 2;
const FILTER_UP = 2;

export interface Image {
  readonly width: number;
  readonly height: number;
  /** `width * height` pixels of R, G, B, A bytes; alpha is ignored. */
  readonly pixels: Uint32Array;
}

export function encodePng({ width, height, pixels }: Image, deflate: Deflate): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8;
  header[9] = COLOR_TYPE_RGB;

  // Each line is filtered against the one above: screens are mostly runs of equal lines, which become zeroes.
  const lineBytes = width * 3;
  const raw = new Uint8Array(height * (lineBytes + 1));
  let above = new Uint8Array(lineBytes);
  let line = new Uint8Array(lineBytes);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0, to = 0; x < width; x++) {
      const pixel = pixels[y * width + x] ?? 0;
      line[to++] = pixel & 0xff;
      line[to++] = (pixel >> 8) & 0xff;
      line[to++] = (pixel >> 16) & 0xff;
    }
    raw[at++] = FILTER_UP;
    for (let i = 0; i < lineBytes; i++) raw[at++] = (line[i] ?? 0) - (above[i] ?? 0);
    [above, line] = [line, above];
  }
  return concat([
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", header),
    chunk("IDAT", deflate(raw)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

let crcTable: Uint32Array | undefined;

function crc32(bytes: Uint8Array): number {
  crcTable ??= buildCrcTable();
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

function buildCrcTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let index = 0; index < 256; index++) {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb8_8320 ^ (value >>> 1) : value >>> 1;
    table[index] = value;
  }
  return table;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
