// Writes one pack (pack-index.ts): chunks as they come, then the index, then the name. It has a name when it is durable, never before.
import { hash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../common/assert.ts";
import { HASH_BYTES, PACK_ID_BYTES, packName } from "./format.ts";
import {
  PACK_END_MAGIC,
  PACK_ENTRY_BYTES,
  PACK_FOOTER_BYTES,
  PACK_HEADER_BYTES,
  PACK_MAGIC,
  PACK_VERSION,
} from "./pack-index.ts";
import type { ChunkLocation } from "./page-map.ts";

const WRITE_BYTES = 1 << 20;

/** A chunk's place in the pack under construction, which has no name yet. */
export type PlaceInPack = Omit<ChunkLocation, "pack">;

export class PackBuilder {
  readonly #folder: string;
  readonly #temporary: string;
  #fd: number | undefined;
  readonly #chunks: PlaceInPack[] = [];
  #buffer: Buffer[] = [];
  #buffered = 0;
  #position = PACK_HEADER_BYTES;

  /** `gapBytes` before the first chunk: equal chunks in a pack of another name, where those of an earlier pack have rotted. */
  constructor(folder: string, gapBytes = 0) {
    this.#folder = folder;
    const unique = hash("sha256", `${process.hrtime.bigint()}`).slice(0, 12);
    this.#temporary = join(folder, `writing-${process.pid}-${unique}.tmp`);
    this.#fd = openSync(this.#temporary, "wx", 0o600);
    const header = Buffer.alloc(PACK_HEADER_BYTES + gapBytes);
    header.write(PACK_MAGIC, "latin1");
    header.writeUInt32LE(PACK_VERSION, 8);
    this.#position += gapBytes;
    this.#push(header);
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Adds a chunk as it is stored: compressed, sealed in an encrypted machine's packs. `name` is that of its contents. */
  append(name: string, stored: Buffer, pages: number): PlaceInPack {
    const place = { offset: this.#position, storedBytes: stored.length, pages, hash: name };
    this.#chunks.push(place);
    this.#position += stored.length;
    this.#push(stored);
    return place;
  }

  /** Makes the pack durable under its name; the caller makes the name durable. */
  finish(): { id: string; sizeBytes: number } {
    const index = Buffer.alloc(this.#chunks.length * PACK_ENTRY_BYTES);
    for (const [n, chunk] of this.#chunks.entries()) {
      index.writeBigUInt64LE(BigInt(chunk.offset), n * PACK_ENTRY_BYTES);
      index.writeUInt32LE(chunk.storedBytes, n * PACK_ENTRY_BYTES + 8);
      index.writeUInt32LE(chunk.pages, n * PACK_ENTRY_BYTES + 12);
      index.write(chunk.hash, n * PACK_ENTRY_BYTES + 16, "hex");
    }
    const digest = hash("sha256", index, "hex");
    const footer = Buffer.alloc(PACK_FOOTER_BYTES);
    footer.writeBigUInt64LE(BigInt(this.#position));
    footer.writeUInt32LE(this.#chunks.length, 8);
    footer.write(digest, 16, "hex");
    footer.write(PACK_END_MAGIC, 16 + HASH_BYTES, "latin1");
    this.#push(index);
    this.#push(footer);
    this.#drain();
    fsyncSync(this.#open);
    this.#close();
    const id = digest.slice(0, PACK_ID_BYTES * 2);
    renameSync(this.#temporary, join(this.#folder, packName(id)));
    return { id, sizeBytes: this.#position + index.length + footer.length };
  }

  abort(): void {
    this.#close();
    if (existsSync(this.#temporary)) unlinkSync(this.#temporary);
  }

  get #open(): number {
    assert(this.#fd !== undefined, "the pack is under construction");
    return this.#fd;
  }

  /** Once: the number may be another file's by then. */
  #close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) closeSync(fd);
  }

  #push(bytes: Buffer): void {
    this.#buffer.push(bytes);
    this.#buffered += bytes.length;
    if (this.#buffered >= WRITE_BYTES) this.#drain();
  }

  #drain(): void {
    const bytes = Buffer.concat(this.#buffer);
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#open, bytes, done);
    this.#buffer = [];
    this.#buffered = 0;
  }
}
