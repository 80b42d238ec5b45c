// Which chunk each page of guest memory is in. The file `pages`, little-endian, the body as one zstd frame with a checksum:
//
//   "TRRMPAGS"  u32 version  u32 pages  u32 packs  u32 chunks          24 bytes, not compressed
//   packs:   u8[16] id
//   chunks:  u32 pack  u32 stored bytes  u64 offset  u32 pages  u32 0  u8[32] SHA-256
//   pages:   u32 each: 0 = zeroes, else 1 + chunk * 16 + position in the chunk
import { constants as zlib, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { AppError } from "../../common/errors.ts";
import { CHUNK_BYTES, CHUNK_PAGES, HASH_BYTES, MAX_PAGES, PACK_ID_BYTES } from "./format.ts";

const MAGIC = "TRRMPAGS";
const VERSION = 1;
const HEADER_BYTES = 24;
const CHUNK_ENTRY_BYTES = 24 + HASH_BYTES;

export interface ChunkLocation {
  /** Id of the pack, in hex. */
  readonly pack: string;
  readonly offset: number;
  readonly storedBytes: number;
  readonly pages: number;
  /** SHA-256 of the contents, in hex. */
  readonly hash: string;
}

export class PageMap {
  readonly chunks: readonly ChunkLocation[];
  /** Per page 0 for zeroes, else 1 + chunk * CHUNK_PAGES + position. */
  readonly pages: Uint32Array;

  constructor(chunks: readonly ChunkLocation[], pages: Uint32Array) {
    this.chunks = chunks;
    this.pages = pages;
  }

  static empty(pageCount: number): PageMap {
    return new PageMap([], new Uint32Array(pageCount));
  }

  get packs(): string[] {
    return [...new Set(this.chunks.map((chunk) => chunk.pack))];
  }

  /** Number of pages that are not all zeroes. */
  get storedPages(): number {
    let count = 0;
    for (const entry of this.pages) if (entry !== 0) count++;
    return count;
  }

  /** The map after `changes`, pages and their new places, with chunks that no page is in any more left out. */
  changed(added: readonly ChunkLocation[], changes: ReadonlyMap<number, number>): PageMap {
    const all = [...this.chunks, ...added];
    const pages = this.pages.slice();
    for (const [page, entry] of changes) pages[page] = entry === 0 ? 0 : entry + this.chunks.length * CHUNK_PAGES;
    const used = new Uint8Array(all.length);
    for (const entry of pages) if (entry !== 0) used[Math.floor((entry - 1) / CHUNK_PAGES)] = 1;
    const moved = new Uint32Array(all.length);
    const kept: ChunkLocation[] = [];
    for (const [index, chunk] of all.entries()) {
      if (!used[index]) continue;
      moved[index] = kept.length;
      kept.push(chunk);
    }
    for (let page = 0; page < pages.length; page++) {
      const entry = pages[page] ?? 0;
      if (entry === 0) continue;
      const chunk = Math.floor((entry - 1) / CHUNK_PAGES);
      pages[page] = entry + ((moved[chunk] ?? 0) - chunk) * CHUNK_PAGES;
    }
    return new PageMap(kept, pages);
  }

  /** The same pages, with chunks in other places where `place` knows one. */
  relocated(place: (chunk: ChunkLocation, index: number) => ChunkLocation | undefined): PageMap {
    return new PageMap(
      this.chunks.map((chunk, index) => place(chunk, index) ?? chunk),
      this.pages,
    );
  }

  encode(): Uint8Array {
    const packs = this.packs;
    const packIndex = new Map(packs.map((id, index) => [id, index]));
    const chunksAt = packs.length * PACK_ID_BYTES;
    const pagesAt = chunksAt + this.chunks.length * CHUNK_ENTRY_BYTES;
    const body = Buffer.alloc(pagesAt + this.pages.length * 4);
    for (const [index, id] of packs.entries()) body.write(id, index * PACK_ID_BYTES, "hex");
    for (const [index, chunk] of this.chunks.entries()) {
      const at = chunksAt + index * CHUNK_ENTRY_BYTES;
      body.writeUInt32LE(packIndex.get(chunk.pack) ?? 0, at);
      body.writeUInt32LE(chunk.storedBytes, at + 4);
      body.writeBigUInt64LE(BigInt(chunk.offset), at + 8);
      body.writeUInt32LE(chunk.pages, at + 16);
      body.write(chunk.hash, at + 24, "hex");
    }
    body.set(new Uint8Array(this.pages.buffer, this.pages.byteOffset, this.pages.byteLength), pagesAt);
    const header = Buffer.alloc(HEADER_BYTES);
    header.write(MAGIC, "latin1");
    header.writeUInt32LE(VERSION, 8);
    header.writeUInt32LE(this.pages.length, 12);
    header.writeUInt32LE(packs.length, 16);
    header.writeUInt32LE(this.chunks.length, 20);
    const params = { [zlib.ZSTD_c_compressionLevel]: 1, [zlib.ZSTD_c_checksumFlag]: 1 };
    return Buffer.concat([header, zstdCompressSync(body, { params })]);
  }

  /** Reads a `pages` file that may be hostile; `file` is its name for messages. Throws AppError. */
  static decode(file: string, bytes: Uint8Array): PageMap {
    const bad = (field: string, problem: string) =>
      new AppError("INVALID_FILE", `${file} is damaged: ${field} ${problem}`, {
        file,
        field,
        consequence: "The state can't be restored; the machine was not changed.",
        remedy: "Restore another snapshot, or start the machine afresh.",
      });
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (source.length < HEADER_BYTES || source.toString("latin1", 0, 8) !== MAGIC)
      throw bad("magic", "is not that of a page map");
    const version = source.readUInt32LE(8);
    if (version !== VERSION) {
      throw new AppError("VERSION_MISMATCH", `${file} has version ${version}, this program knows ${VERSION}`, {
        file,
        field: "version",
        remedy: "Open it with the version of Terrarium that made it.",
      });
    }
    const pageCount = source.readUInt32LE(12);
    const packCount = source.readUInt32LE(16);
    const chunkCount = source.readUInt32LE(20);
    if (pageCount > MAX_PAGES) throw bad("page count", "is out of range");
    if (chunkCount > pageCount) throw bad("chunk count", "is out of range");
    if (packCount > chunkCount) throw bad("pack count", "is out of range");
    const chunksAt = packCount * PACK_ID_BYTES;
    const pagesAt = chunksAt + chunkCount * CHUNK_ENTRY_BYTES;
    const length = pagesAt + pageCount * 4;
    let body: Buffer;
    try {
      body = zstdDecompressSync(source.subarray(HEADER_BYTES), { maxOutputLength: Math.max(length, 1) });
    } catch {
      throw bad("body", "can't be unpacked");
    }
    if (body.length !== length) throw bad("body", "has the wrong length");

    const packs = Array.from({ length: packCount }, (_, index) =>
      body.toString("hex", index * PACK_ID_BYTES, (index + 1) * PACK_ID_BYTES),
    );
    const chunks: ChunkLocation[] = [];
    for (let index = 0; index < chunkCount; index++) {
      const at = chunksAt + index * CHUNK_ENTRY_BYTES;
      const pack = packs[body.readUInt32LE(at)];
      const storedBytes = body.readUInt32LE(at + 4);
      const offset = body.readBigUInt64LE(at + 8);
      const pages = body.readUInt32LE(at + 16);
      if (pack === undefined) throw bad(`chunk ${index}`, "names no pack");
      if (pages < 1 || pages > CHUNK_PAGES) throw bad(`chunk ${index}`, "has a wrong number of pages");
      if (storedBytes < 1 || storedBytes > CHUNK_BYTES * 2) throw bad(`chunk ${index}`, "has a wrong length");
      if (offset > 1n << 48n) throw bad(`chunk ${index}`, "has an offset out of range");
      const hash = body.toString("hex", at + 24, at + 24 + HASH_BYTES);
      chunks.push({ pack, storedBytes, offset: Number(offset), pages, hash });
    }
    const pages = new Uint32Array(pageCount);
    new Uint8Array(pages.buffer).set(body.subarray(pagesAt));
    for (let page = 0; page < pageCount; page++) {
      const entry = pages[page] ?? 0;
      if (entry === 0) continue;
      const chunk = chunks[Math.floor((entry - 1) / CHUNK_PAGES)];
      if (!chunk || (entry - 1) % CHUNK_PAGES >= chunk.pages) throw bad(`page ${page}`, "is in no chunk");
    }
    return new PageMap(chunks, pages);
  }
}
