// ZRLE (RFC 6143 7.7.6): tiles of 64x64 as solid, packed palette, run-length or raw pixels, then one deflate stream per viewer.
//
// A stream with a shared dictionary would tie compression to one viewer and its order; here every rectangle is deflated on its own and
// only strung together, which compresses little worse and can run outside the machine's thread.
import type { Rect } from "../../devices/display-source.ts";
import { compressedPixelWriter, type PixelFormat, type PixelWriter, pixelConverter } from "../pixel-format.ts";
import type { Image } from "../png.ts";
import { type DeflateBlock, ENCODING, type EncodedRect } from "./encoding.ts";

const TILE = 64;
const MAX_PALETTE = 127;
const MAX_PACKED_PALETTE = 16;

const SOLID = 1;
const PLAIN_RLE = 128;

/** Header of a zlib stream (RFC 1950): deflate, 32 KiB window, fastest. Goes before the first rectangle only. */
const ZLIB_HEADER = Uint8Array.of(0x78, 0x01);

/** A stored block of deflate (RFC 1951 3.2.4): one byte, as what goes before ends at a byte, then length and its complement. */
const STORED_HEADER_BYTES = 5;
const STORED_MAX_BYTES = 0xffff;

/** The stream of one viewer. All that is encoded must be sent, in order. */
export class ZrleStream {
  readonly #deflate: DeflateBlock;
  #opened = false;

  constructor(deflate: DeflateBlock) {
    this.#deflate = deflate;
  }

  /** `compressed`: false stores the pixels, which is what remains for films where raw pixels are not the viewer's. */
  async encode({ pixels, width }: Image, rect: Rect, format: PixelFormat, compressed: boolean): Promise<EncodedRect> {
    const first = !this.#opened;
    this.#opened = true;
    const tiles = encodeTiles(pixels, width, rect, compressedPixelWriter(format), pixelConverter(format));
    const data = compressed ? await this.#deflate(tiles) : storedBlocks(tiles);
    const header = first ? ZLIB_HEADER : new Uint8Array(0);
    const body = new Uint8Array(4 + header.length + data.length);
    new DataView(body.buffer).setUint32(0, header.length + data.length);
    body.set(header, 4);
    body.set(data, 4 + header.length);
    return { encoding: ENCODING.ZRLE, body };
  }

  /** What part of their size pixels keep when they are compressed; nothing of it gets into the stream. */
  async trial({ pixels, width }: Image, rect: Rect, format: PixelFormat): Promise<number> {
    const tiles = encodeTiles(pixels, width, rect, compressedPixelWriter(format), pixelConverter(format));
    return (await this.#deflate(tiles)).length / tiles.length;
  }
}

function storedBlocks(data: Uint8Array): Uint8Array {
  const blocks = Math.ceil(data.length / STORED_MAX_BYTES);
  const bytes = new Uint8Array(data.length + blocks * STORED_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  let to = 0;
  for (let at = 0; at < data.length; at += STORED_MAX_BYTES) {
    const piece = data.subarray(at, at + STORED_MAX_BYTES);
    view.setUint16(to + 1, piece.length, true);
    view.setUint16(to + 3, ~piece.length & 0xffff, true);
    bytes.set(piece, to + STORED_HEADER_BYTES);
    to += STORED_HEADER_BYTES + piece.length;
  }
  return bytes;
}

function encodeTiles(
  pixels: Uint32Array,
  stride: number,
  rect: Rect,
  put: PixelWriter,
  convert: (pixel: number) => number,
): Uint8Array {
  const tilesDown = Math.ceil(rect.height / TILE);
  const tilesAcross = Math.ceil(rect.width / TILE);
  // No tile is larger than its raw form.
  const bytes = new Uint8Array(rect.width * rect.height * 4 + tilesDown * tilesAcross);
  const tile = new Uint32Array(TILE * TILE);
  let at = 0;
  for (let y = rect.y; y < rect.y + rect.height; y += TILE) {
    const height = Math.min(TILE, rect.y + rect.height - y);
    for (let x = rect.x; x < rect.x + rect.width; x += TILE) {
      const width = Math.min(TILE, rect.x + rect.width - x);
      let to = 0;
      for (let line = y; line < y + height; line++) {
        const from = line * stride + x;
        for (let i = 0; i < width; i++) tile[to++] = pixels[from + i] ?? 0;
      }
      at = encodeTile(bytes, at, tile, width, height, put, convert);
    }
  }
  return bytes.subarray(0, at);
}

/** Chooses the smallest form; sizes before compression are a good guide to sizes after it. */
function encodeTile(
  bytes: Uint8Array,
  at: number,
  tile: Uint32Array,
  width: number,
  height: number,
  put: PixelWriter,
  convert: (pixel: number) => number,
): number {
  const count = width * height;
  const palette = new Map<number, number>();
  let runs = 0;
  let singles = 0;
  for (let i = 0; i < count; ) {
    const pixel = tile[i] as number;
    const start = i;
    while (i < count && tile[i] === pixel) i++;
    if (palette.size <= MAX_PALETTE && !palette.has(pixel)) palette.set(pixel, palette.size);
    runs++;
    if (i - start === 1) singles++;
    // A photograph: no form but raw can win any more.
    if (palette.size > MAX_PALETTE && runs * 4 >= count * 3) break;
  }
  const colors = palette.size;
  if (colors === 1) {
    bytes[at] = SOLID;
    return put(bytes, at + 1, convert(tile[0] as number));
  }
  const bits = colors <= 2 ? 1 : colors <= 4 ? 2 : 4;
  const rawSize = count * 3;
  const packedSize = colors <= MAX_PACKED_PALETTE ? colors * 3 + Math.ceil((width * bits) / 8) * height : Infinity;
  const paletteRleSize = colors <= MAX_PALETTE ? colors * 3 + singles + (runs - singles) * 2 : Infinity;
  const plainRleSize = runs * 4;
  const smallest = Math.min(rawSize, packedSize, paletteRleSize, plainRleSize);

  if (smallest === packedSize || smallest === paletteRleSize) {
    const packed = smallest === packedSize;
    bytes[at++] = packed ? colors : PLAIN_RLE + colors;
    for (const pixel of palette.keys()) at = put(bytes, at, convert(pixel));
    return packed
      ? packIndices(bytes, at, tile, width, height, palette, bits)
      : runIndices(bytes, at, tile, count, palette);
  }
  if (smallest === plainRleSize) {
    bytes[at++] = PLAIN_RLE;
    for (let i = 0; i < count; ) {
      const pixel = tile[i] as number;
      const start = i;
      while (i < count && tile[i] === pixel) i++;
      at = put(bytes, at, convert(pixel));
      at = putRunLength(bytes, at, i - start);
    }
    return at;
  }
  bytes[at++] = 0;
  for (let i = 0; i < count; i++) at = put(bytes, at, convert(tile[i] as number));
  return at;
}

/** Lines of palette indices, each padded to a byte. */
function packIndices(
  bytes: Uint8Array,
  at: number,
  tile: Uint32Array,
  width: number,
  height: number,
  palette: ReadonlyMap<number, number>,
  bits: number,
): number {
  for (let y = 0, i = 0; y < height; y++) {
    let byte = 0;
    let filled = 0;
    for (let x = 0; x < width; x++, i++) {
      byte = (byte << bits) | (palette.get(tile[i] as number) ?? 0);
      filled += bits;
      if (filled === 8) {
        bytes[at++] = byte;
        byte = 0;
        filled = 0;
      }
    }
    if (filled > 0) bytes[at++] = byte << (8 - filled);
  }
  return at;
}

/** Palette indices: a single pixel as it is, a run with the top bit set and its length behind. */
function runIndices(
  bytes: Uint8Array,
  at: number,
  tile: Uint32Array,
  count: number,
  palette: ReadonlyMap<number, number>,
): number {
  for (let i = 0; i < count; ) {
    const pixel = tile[i] as number;
    const start = i;
    while (i < count && tile[i] === pixel) i++;
    const index = palette.get(pixel) ?? 0;
    if (i - start === 1) {
      bytes[at++] = index;
    } else {
      bytes[at++] = index | 0x80;
      at = putRunLength(bytes, at, i - start);
    }
  }
  return at;
}

/** Length minus one, as a sum of bytes of which all but the last are 255. */
function putRunLength(bytes: Uint8Array, at: number, length: number): number {
  let rest = length - 1;
  for (; rest >= 255; rest -= 255) bytes[at++] = 255;
  bytes[at++] = rest;
  return at;
}
