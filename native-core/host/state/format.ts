// A saved state or snapshot of a running machine on disk.
//
//   FOLDER/                 complete or absent: made as FOLDER.tmp, synced, renamed
//     state.json            versions, shape of the machine, CPU and device states (value-codec.ts)
//     pages                 which chunk each page of guest memory is in (page-map.ts)
//     packs/ID.pack         the chunks (pack-index.ts): hard links into the chunk folder
//     relocating.json       only while chunks get other places (relocate-state.ts)
//   CHUNKS/ID.pack          shared by all states of all machines
//
// Guest memory is RAM, then video memory, in pages of 4 KiB. A chunk is up to 16 pages, compressed by zstd with its own checksum and
// named by the SHA-256 of its contents; a chunk that any pack has already is not written again. Pages of zeroes have no chunk.
// States of an encrypted machine have their chunks, `pages` and state.json sealed (crypt/sealed.ts), chunks named by a keyed hash, and a chunk
// folder of the machine's own.
// `pages` is whole: a state never needs its parent to be read, so states are deleted in any order. A pack lives as long as a
// state has a link to it; one whose only link is that in CHUNKS is garbage, and finding that out needs no list of states.
export const STATE_FORMAT = "terrarium-state";
export const STATE_FORMAT_VERSION = 1;

export const PAGE_BYTES = 4096;
/** Pages per chunk: one decompression of 64 KiB brings any of them. */
export const CHUNK_PAGES = 16;
export const CHUNK_BYTES = PAGE_BYTES * CHUNK_PAGES;
export const HASH_BYTES = 32;

export const STATE_FILE = "state.json";
export const PAGES_FILE = "pages";
export const PACKS_FOLDER = "packs";

/** Bounds on what a hostile state can make us read. 3 GiB of RAM and 256 MiB of video memory. */
export const MAX_PAGES = 0xd_0000;
export const MAX_STATE_JSON_BYTES = 64 << 20;

export function packName(id: string): string {
  return `${id}.pack`;
}

/** Packs are named by half the SHA-256 of their index. */
export const PACK_ID_BYTES = 16;
