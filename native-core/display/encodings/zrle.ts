// ZRLE (RFC 6143 7.7.6): tiles of 64x64 as solid, packed palette, run-length or raw pixels, then one deflate stream per viewer.
//
// A stream with a shared dictionary would tie compression to one viewer and its order; here every rectangle is deflated on its own and
// only strung together, which compresses little worse and can run outside the machine's thread.
import type { Rect } from "../../devices/display-source.ts";
import { compressedPixelWriter, type PixelWriter, pixelConverter } from "../pixel-format.ts";
import type { DeflateBlock, RectEncoder } from "./encoding.ts";

const TILE = 64;
const MAX_PALETTE = 127;
const MAX_PACKED_PALETTE = 16;

const SOLID = 1;
const PLAIN_RLE = 128;

/** Header of a zlib stream (RFC 1950): deflate, 32 KiB window, fastest. Goes before the first rectangle only. */
const ZLIB_HEADER = Uint8Array.of(0x78, 0x01);

/**
 * Photographs and films hardly become smaller, and compressing them takes ten times as long as everything else: once a large rectangle did not
 * pay, as many large ones are stored before one is tried again.
 */
const STORED_IN_A_ROW = 32;
const LARGE_BYTES = 64 << 10;
const WORTH_IT = 0.6;

/** A stored block of deflate (RFC 1951 3.2.4): one byte, as what goes before ends at a byte, then length and its complement. */
const STORED_HEADER_BYTES = 5;
const STORED_MAX_BYTES = 0xffff;

/** An encoder for one viewer: the first rectangle it encodes opens the stream, and all must be sent in order. */
export function zrleEncoder(deflate: DeflateBlock): RectEncoder {
  let opened = false;
  let toStore = 0;
  const compress = async (tiles: Uint8Array): Promise<Uint8Array> => {
    const isLarge = tiles.length >= LARGE_BYTES;
    if (isLarge && toStore > 0) {
      toStore--;
      return storedBlocks(tiles);
    }
    const compressed = await deflate(tiles);
    if (isLarge && compressed.length > tiles.length * WORTH_IT) toStore = STORED_IN_A_ROW;
    return compressed;
  };
  return async ({ pixels, width }, rect, format) => {
    const first = !opened;
    opened = true;
    const tiles = encodeTiles(pixels, width, rect, compressedPixelWriter(format), pixelConverter(format));
    const compressed = await compress(tiles);
    const header = first ? ZLIB_HEADER : new Uint8Array(0);
    const bytes = new Uint8Array(4 + header.length + compressed.length);
    new DataView(bytes.buffer).setUint32(0, header.length + compressed.length);
    bytes.set(header, 4);
    bytes.set(compressed, 4 + header.length);
    return bytes;
  };
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
