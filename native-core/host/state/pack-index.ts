// The layout of packs, and reading what one has. Many chunks are in one file, because a file per chunk costs more than the chunk.
// Little-endian.
//
//   "TRRMPACK"  u32 version  u32 0
//   chunks:     zstd frames, one behind the other, sealed each by itself in an encrypted machine's packs
//   index:      per chunk  u64 offset  u32 stored bytes  u32 pages  u8[32] SHA-256, or the keyed hash
//   footer:     u64 index offset  u32 chunks  u32 0  u8[32] SHA-256 of the index  "TRRMPEND"
//
// Everything about packs is synchronous: it runs in a worker (state-worker.ts), or in small pieces.
import { hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { CHUNK_BYTES, CHUNK_PAGES, HASH_BYTES, PACK_ID_BYTES } from "./format.ts";
import type { ChunkLocation } from "./page-map.ts";

export const PACK_MAGIC = "TRRMPACK";
export const PACK_END_MAGIC = "TRRMPEND";
export const PACK_VERSION = 1;
export const PACK_HEADER_BYTES = 16;
export const PACK_ENTRY_BYTES = 16 + HASH_BYTES;
export const PACK_FOOTER_BYTES = 16 + HASH_BYTES + 8;

/** The ids of the packs in a folder, by their names. */
export function packIds(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => /^([0-9a-f]{32})\.pack$/.exec(name)?.[1] ?? []);
}

/** The chunks of all sound packs in a folder, by name. A pack that can't be read is passed over: its chunks are written again. */
export function knownChunks(folder: string): Map<string, ChunkLocation> {
  const known = new Map<string, ChunkLocation>();
  for (const pack of packIds(folder)) {
    for (const chunk of readPackIndex(join(folder, `${pack}.pack`), pack)) known.set(chunk.hash, chunk);
  }
  return known;
}

/** The index of a pack; empty when the file is not a sound pack. */
export function readPackIndex(file: string, pack: string): ChunkLocation[] {
  const fd = openSync(file, constants.O_RDONLY);
  try {
    const { size } = fstatSync(fd);
    const footer = Buffer.alloc(PACK_FOOTER_BYTES);
    const footerAt = size - PACK_FOOTER_BYTES;
    if (footerAt < PACK_HEADER_BYTES || readSync(fd, footer, 0, footer.length, footerAt) < footer.length) return [];
    const place = indexPlace(footer, size);
    if (place === undefined) return [];
    const index = Buffer.alloc(place.length);
    if (readSync(fd, index, 0, index.length, place.offset) < index.length) return [];
    return decodePackIndex(index, footer, pack, place.offset);
  } finally {
    closeSync(fd);
  }
}

/** Where the index is, by the last PACK_FOOTER_BYTES of a file of `size` bytes; undefined when they are no footer of it. */
export function indexPlace(footer: Buffer, size: number): { offset: number; length: number } | undefined {
  if (footer.toString("latin1", 16 + HASH_BYTES) !== PACK_END_MAGIC) return undefined;
  const offset = Number(footer.readBigUInt64LE(0));
  const length = footer.readUInt32LE(8) * PACK_ENTRY_BYTES;
  return offset + length + PACK_FOOTER_BYTES === size ? { offset, length } : undefined;
}

/** Empty when the index is not the one that pack and footer name, or says what can't be. */
export function decodePackIndex(index: Buffer, footer: Buffer, pack: string, indexOffset: number): ChunkLocation[] {
  const digest = hash("sha256", index, "hex");
  if (digest !== footer.toString("hex", 16, 16 + HASH_BYTES) || digest.slice(0, PACK_ID_BYTES * 2) !== pack) return [];
  const chunks: ChunkLocation[] = [];
  for (let at = 0; at < index.length; at += PACK_ENTRY_BYTES) {
    const offset = Number(index.readBigUInt64LE(at));
    const storedBytes = index.readUInt32LE(at + 8);
    const pages = index.readUInt32LE(at + 12);
    if (offset + storedBytes > indexOffset || pages < 1 || pages > CHUNK_PAGES || storedBytes > CHUNK_BYTES * 2)
      return [];
    chunks.push({ pack, offset, storedBytes, pages, hash: index.toString("hex", at + 16, at + PACK_ENTRY_BYTES) });
  }
  return chunks;
}
