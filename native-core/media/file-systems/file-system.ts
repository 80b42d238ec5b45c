// Guest file systems as Terrarium looks into them: read-only, from the layers of a disk, without help of the guest. Everything read is
// untrusted: sizes are bounded, cycles end, and damage is an AppError.
import { AppError } from "../../common/errors.ts";

/** What a file system is read from: a disk image or a part of one. Reads beyond the end throw. */
export interface BlockSource {
  readonly sizeBytes: number;
  read(offset: number, target: Uint8Array): Promise<void>;
}

export type NodeKind = "file" | "folder" | "link" | "other";

export interface FileNode {
  /** From the root, with slashes: `/etc/passwd`. */
  readonly path: string;
  readonly kind: NodeKind;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** Differs when the file was changed in any way that the file system keeps track of. */
  readonly stamp: string;
}

export interface FileSystem {
  readonly kind: "ext4" | "fat" | "ntfs";
  readonly label: string;
  /** How much of its partition it takes, as it says itself. */
  readonly sizeBytes: number;
  /** Everything but the root, folders before what is in them. */
  list(): AsyncIterable<FileNode>;
  /** The contents of a file, in order. @throws AppError NOT_FOUND, INVALID_FILE */
  read(path: string): AsyncIterable<Uint8Array>;
}

/** More entries than any sensible disk of a virtual machine has. */
export const NODES_MAX = 4_000_000;
export const DEPTH_MAX = 255;

export function damagedFileSystem(problem: string): AppError {
  return new AppError("INVALID_FILE", `The file system is damaged or not understood: ${problem}`, {
    field: "fileSystem",
    consequence: "Its files can't be shown.",
    remedy: "Start the machine and let the guest check it.",
  });
}

export function noSuchFile(path: string): AppError {
  return new AppError("NOT_FOUND", `There is no file ${path}`, {
    field: "path",
    remedy: "Give the path as the guest knows it within that file system.",
  });
}

/** A part of a source, from `offset` on. */
export function sectionOf(source: BlockSource, offset: number, sizeBytes: number): BlockSource {
  return {
    sizeBytes,
    read(at, target) {
      if (at < 0 || at + target.length > sizeBytes) throw damagedFileSystem("it points outside of itself");
      return source.read(offset + at, target);
    },
  };
}

const PAGE_BYTES = 64 << 10;
const PAGES_MAX = 256;

/** Remembers what was read last: metadata is read in small pieces that lie close together. */
export class CachedSource {
  readonly #source: BlockSource;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(source: BlockSource) {
    this.#source = source;
  }

  get sizeBytes(): number {
    return this.#source.sizeBytes;
  }

  async bytes(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.#source.sizeBytes) {
      throw damagedFileSystem("it points outside of itself");
    }
    const result = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const index = Math.floor((offset + done) / PAGE_BYTES);
      const page = await this.#page(index);
      const from = offset + done - index * PAGE_BYTES;
      const part = page.subarray(from, from + length - done);
      result.set(part, done);
      done += part.length;
    }
    return result;
  }

  async view(offset: number, length: number): Promise<DataView> {
    const bytes = await this.bytes(offset, length);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  async #page(index: number): Promise<Uint8Array> {
    const cached = this.#pages.get(index);
    if (cached) return cached;
    const start = index * PAGE_BYTES;
    const page = new Uint8Array(Math.min(PAGE_BYTES, this.#source.sizeBytes - start));
    await this.#source.read(start, page);
    const oldest = this.#pages.keys().next().value;
    if (this.#pages.size >= PAGES_MAX && oldest !== undefined) this.#pages.delete(oldest);
    this.#pages.set(index, page);
    return page;
  }
}
