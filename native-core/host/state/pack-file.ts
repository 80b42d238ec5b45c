// The pack of a state that is being saved: holds the chunks that no other pack has.
import { hash } from "node:crypto";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { constants as zlib, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { StateSeal } from "../crypt/sealed.ts";
import { PAGE_BYTES, packName } from "./format.ts";
import { PackBuilder } from "./pack-builder.ts";
import { knownChunks } from "./pack-index.ts";
import type { ChunkLocation } from "./page-map.ts";

const COMPRESSION = { params: { [zlib.ZSTD_c_compressionLevel]: 1, [zlib.ZSTD_c_checksumFlag]: 1 } };

type PendingLocation = Omit<ChunkLocation, "pack"> & { pack: string | undefined };

/** A chunk as packs have it. */
export function storedChunk(name: string, contents: Uint8Array, seal: StateSeal | undefined): Buffer {
  const compressed = zstdCompressSync(contents, COMPRESSION);
  return seal?.seal(name, compressed) ?? compressed;
}

/** Writes one pack of the chunks that no pack of the folder has yet. */
export class PackWriter {
  readonly #folder: string;
  readonly #known: Map<string, PendingLocation>;
  readonly #own: PendingLocation[] = [];
  /** Other packs, open for comparing. */
  readonly #others = new Map<string, number>();
  readonly #builder: PackBuilder;
  readonly #pin: (pack: string) => boolean;
  readonly #seal: StateSeal | undefined;

  /** `pin` is called before a chunk of another pack is relied on: it keeps that pack from being collected, or says that it is gone. */
  constructor(folder: string, pin: (pack: string) => boolean = () => true, seal?: StateSeal) {
    this.#folder = folder;
    this.#seal = seal;
    this.#pin = pin;
    this.#known = knownChunks(folder);
    this.#builder = new PackBuilder(folder);
  }

  /** Adds a chunk of 1 to 16 pages. The location is complete when `finish` has run. */
  add(contents: Uint8Array): PendingLocation {
    const name = this.#seal?.nameOf(contents) ?? hash("sha256", contents, "hex");
    const known = this.#known.get(name);
    if (known && (known.pack === undefined || this.#holds(known.pack, known, contents))) return known;
    const stored = storedChunk(name, contents, this.#seal);
    const place = this.#builder.append(name, stored, contents.length / PAGE_BYTES);
    const location: PendingLocation = { ...place, pack: undefined };
    this.#known.set(name, location);
    this.#own.push(location);
    return location;
  }

  /** Where a chunk is by now whose pack is gone: compaction may have moved it (compact-packs.ts). */
  relocated(chunk: ChunkLocation): ChunkLocation | undefined {
    const known = this.#known.get(chunk.hash);
    return known?.pack !== undefined && known.pages === chunk.pages && this.#pin(known.pack)
      ? { ...known, pack: known.pack }
      : undefined;
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
    if (this.#builder.isEmpty) {
      this.abort();
      return 0;
    }
    const { id, sizeBytes } = this.#builder.finish();
    for (const chunk of this.#own) chunk.pack = id;
    return sizeBytes;
  }

  abort(): void {
    this.#closeOthers();
    this.#builder.abort();
  }
}
