// Packs: many chunks in one file, because a file per chunk costs more than the chunk. Little-endian.
//
//   "TRRMPACK"  u32 version  u32 0
//   chunks:     zstd frames, back to back, sealed each by itself in an encrypted machine's packs
//   index:      per chunk  u64 offset  u32 stored bytes  u32 pages  u8[32] SHA-256, or the keyed hash
//   footer:     u64 index offset  u32 chunks  u32 0  u8[32] SHA-256 of the index  "TRRMPEND"
//
// Everything here is synchronous: it runs in a worker (state-worker.ts).
import { hash } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { constants as zlib, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { StateSeal } from "../crypt/sealed.ts";
import { CHUNK_BYTES, CHUNK_PAGES, HASH_BYTES, PACK_ID_BYTES, PAGE_BYTES, packName } from "./format.ts";
import type { ChunkLocation } from "./page-map.ts";

const MAGIC = "TRRMPACK";
const END_MAGIC = "TRRMPEND";
const VERSION = 1;
const HEADER_BYTES = 16;
const ENTRY_BYTES = 16 + HASH_BYTES;
const FOOTER_BYTES = 16 + HASH_BYTES + 8;
const WRITE_BYTES = 1 << 20;
const COMPRESSION = { params: { [zlib.ZSTD_c_compressionLevel]: 1, [zlib.ZSTD_c_checksumFlag]: 1 } };

type PendingLocation = Omit<ChunkLocation, "pack"> & { pack: string | undefined };

/** Writes one pack of the chunks that no pack of the folder has yet. */
export class PackWriter {
  readonly #folder: string;
  readonly #temporary: string;
  readonly #known: Map<string, PendingLocation>;
  readonly #own: PendingLocation[] = [];
  /** Other packs, open for comparing. */
  readonly #others = new Map<string, number>();
  readonly #fd: number;
  readonly #pin: (pack: string) => boolean;
  readonly #seal: StateSeal | undefined;
  #buffer: Buffer[] = [];
  #buffered = 0;
  #position = HEADER_BYTES;

  /** `pin` is called before a chunk of another pack is relied on: it keeps that pack from being collected, or says that it is gone. */
  constructor(folder: string, pin: (pack: string) => boolean = () => true, seal?: StateSeal) {
    this.#folder = folder;
    this.#seal = seal;
    this.#pin = pin;
    this.#known = knownChunks(folder);
    this.#temporary = join(
      folder,
      `writing-${process.pid}-${hash("sha256", `${process.hrtime.bigint()}`).slice(0, 12)}.tmp`,
    );
    this.#fd = openSync(this.#temporary, "wx", 0o600);
    const header = Buffer.alloc(HEADER_BYTES);
    header.write(MAGIC, "latin1");
    header.writeUInt32LE(VERSION, 8);
    this.#push(header);
  }

  /** Bytes written for new chunks so far. */
  get writtenBytes(): number {
    return this.#position;
  }

  /** Adds a chunk of 1 to 16 pages. The location is complete when `finish` has run. */
  add(contents: Uint8Array): PendingLocation {
    const name = this.#seal?.nameOf(contents) ?? hash("sha256", contents, "hex");
    const known = this.#known.get(name);
    if (known && (known.pack === undefined || this.#holds(known.pack, known, contents))) return known;
    const compressed = zstdCompressSync(contents, COMPRESSION);
    const stored = this.#seal?.seal(name, compressed) ?? compressed;
    const location: PendingLocation = {
      pack: undefined,
      offset: this.#position,
      storedBytes: stored.length,
      pages: contents.length / PAGE_BYTES,
      hash: name,
    };
    this.#known.set(name, location);
    this.#own.push(location);
    this.#position += stored.length;
    this.#push(stored);
    return location;
  }

  /** Whether the pack really has these contents: what has rotted there must not become part of a new state. */
  #holds(pack: string, chunk: PendingLocation, contents: Uint8Array): boolean {
    try {
      let fd = this.#others.get(pack);
      if (fd === undefined) {
        fd = openSync(join(this.#folder, packName(pack)), constants.O_RDONLY);
        this.#others.set(pack, fd);
      }
      const stored = new Uint8Array(chunk.storedBytes);
      if (readSync(fd, stored, 0, stored.length, chunk.offset) < stored.length) return false;
      const compressed = this.#seal?.open(chunk.hash, stored) ?? stored;
      const isSame =
        Buffer.compare(zstdDecompressSync(compressed, { maxOutputLength: contents.length }), contents) === 0;
      return isSame && this.#pin(pack);
    } catch {
      return false;
    }
  }

  #closeOthers(): void {
    for (const fd of this.#others.values()) closeSync(fd);
    this.#others.clear();
  }

  /** Makes the pack durable under its name. Yields how many bytes that took: 0 when there was nothing new. */
  finish(): number {
    this.#closeOthers();
    if (this.#own.length === 0) {
      this.abort();
      return 0;
    }
    const index = Buffer.alloc(this.#own.length * ENTRY_BYTES);
    for (const [n, chunk] of this.#own.entries()) {
      index.writeBigUInt64LE(BigInt(chunk.offset), n * ENTRY_BYTES);
      index.writeUInt32LE(chunk.storedBytes, n * ENTRY_BYTES + 8);
      index.writeUInt32LE(chunk.pages, n * ENTRY_BYTES + 12);
      index.write(chunk.hash, n * ENTRY_BYTES + 16, "hex");
    }
    const digest = hash("sha256", index, "hex");
    const footer = Buffer.alloc(FOOTER_BYTES);
    footer.writeBigUInt64LE(BigInt(this.#position));
    footer.writeUInt32LE(this.#own.length, 8);
    footer.write(digest, 16, "hex");
    footer.write(END_MAGIC, 16 + HASH_BYTES, "latin1");
    this.#push(index);
    this.#push(footer);
    this.#drain();
    fsyncSync(this.#fd);
    closeSync(this.#fd);
    const id = digest.slice(0, PACK_ID_BYTES * 2);
    renameSync(this.#temporary, join(this.#folder, packName(id)));
    for (const chunk of this.#own) chunk.pack = id;
    return this.#position + index.length + footer.length;
  }

  abort(): void {
    this.#closeOthers();
    try {
      closeSync(this.#fd);
    } catch {
      // Closed already: `finish` failed at the rename.
    }
    if (existsSync(this.#temporary)) unlinkSync(this.#temporary);
  }

  #push(bytes: Buffer): void {
    this.#buffer.push(bytes);
    this.#buffered += bytes.length;
    if (this.#buffered >= WRITE_BYTES) this.#drain();
  }

  #drain(): void {
    const bytes = Buffer.concat(this.#buffer);
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
    this.#buffer = [];
    this.#buffered = 0;
  }
}

/** The chunks of all sound packs in a folder, by name. A pack that can't be read is passed over: its chunks are written again. */
function knownChunks(folder: string): Map<string, PendingLocation> {
  const known = new Map<string, PendingLocation>();
  for (const name of readdirSync(folder)) {
    const [, pack] = /^([0-9a-f]{32})\.pack$/.exec(name) ?? [];
    if (pack) for (const chunk of readPackIndex(join(folder, name), pack)) known.set(chunk.hash, chunk);
  }
  return known;
}

/** The index of a pack; empty when the file is not a sound pack. */
function readPackIndex(file: string, pack: string): ChunkLocation[] {
  const fd = openSync(file, constants.O_RDONLY);
  try {
    const { size } = fstatSync(fd);
    const footer = Buffer.alloc(FOOTER_BYTES);
    if (size < HEADER_BYTES + FOOTER_BYTES || readSync(fd, footer, 0, FOOTER_BYTES, size - FOOTER_BYTES) < FOOTER_BYTES)
      return [];
    if (footer.toString("latin1", 16 + HASH_BYTES) !== END_MAGIC) return [];
    const indexOffset = Number(footer.readBigUInt64LE(0));
    const count = footer.readUInt32LE(8);
    if (indexOffset + count * ENTRY_BYTES + FOOTER_BYTES !== size) return [];
    const index = Buffer.alloc(count * ENTRY_BYTES);
    if (readSync(fd, index, 0, index.length, indexOffset) < index.length) return [];
    const digest = hash("sha256", index, "hex");
    if (digest !== footer.toString("hex", 16, 16 + HASH_BYTES) || digest.slice(0, PACK_ID_BYTES * 2) !== pack)
      return [];
    const chunks: ChunkLocation[] = [];
    for (let at = 0; at < index.length; at += ENTRY_BYTES) {
      const offset = Number(index.readBigUInt64LE(at));
      const storedBytes = index.readUInt32LE(at + 8);
      const pages = index.readUInt32LE(at + 12);
      if (offset + storedBytes > indexOffset || pages < 1 || pages > CHUNK_PAGES || storedBytes > CHUNK_BYTES * 2)
        return [];
      chunks.push({ pack, offset, storedBytes, pages, hash: index.toString("hex", at + 16, at + ENTRY_BYTES) });
    }
    return chunks;
  } finally {
    closeSync(fd);
  }
}
