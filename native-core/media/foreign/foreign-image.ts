// Disk images of other products, for reading only: what they have in common. Each format says where a block's bytes lie; reading,
// extents and limits are here. Headers are input from strangers: every number is checked before it is used.
import { assert } from "../../common/assert.ts";
import type { LayerExtent } from "../disk-image.ts";
import { type ImageFile, readPadded } from "../image-file.ts";
import { invalidImage } from "../media-error.ts";

export const FOREIGN_FORMATS = ["vdi", "vmdk", "vhd", "vhdx"] as const;
export type ForeignFormat = (typeof FOREIGN_FORMATS)[number];

/** A disk that can be copied: `copyDisk` (layers.ts) turns it into qcow2. */
export interface ReadableDisk {
  readonly sizeBytes: number;
  read(offset: number, target: Uint8Array): Promise<void>;
  extentAt(offset: number, length: number): Promise<LayerExtent>;
  close(): Promise<void>;
}

export interface ForeignImage extends ReadableDisk {
  readonly format: ForeignFormat;
}

/** Where a block is: an offset in the file, or how to come by it; undefined is a block of zeroes. */
export type BlockPlace = number | { readonly read: () => Promise<Uint8Array> } | undefined;

export interface BlockLayout {
  readonly format: ForeignFormat;
  readonly sizeBytes: number;
  /** A multiple of 512. */
  readonly blockBytes: number;
  place(block: number): BlockPlace | Promise<BlockPlace>;
  close(): Promise<void>;
}

/** Largest disk and smallest and largest block that make sense: 64 TiB, 512 bytes, 256 MiB. */
const SIZE_MAX = 2 ** 46;
const BLOCK_MAX = 2 ** 28;
/** Tables larger than this would belong to a disk that is larger than any. */
const TABLE_MAX_BYTES = 512 << 20;

export class BlockImage implements ForeignImage {
  readonly format: ForeignFormat;
  readonly sizeBytes: number;
  readonly #file: ImageFile;
  readonly #layout: BlockLayout;

  constructor(file: ImageFile, layout: BlockLayout) {
    this.#file = file;
    this.#layout = layout;
    this.format = layout.format;
    this.sizeBytes = layout.sizeBytes;
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    assert(offset >= 0 && offset + target.length <= this.sizeBytes, "the request lies inside the disk");
    const { blockBytes } = this.#layout;
    for (let done = 0; done < target.length; ) {
      const at = offset + done;
      const inBlock = at % blockBytes;
      const part = target.subarray(done, done + Math.min(blockBytes - inBlock, target.length - done));
      const place = await this.#layout.place(Math.floor(at / blockBytes));
      if (place === undefined) part.fill(0);
      else if (typeof place === "number") await readPadded(this.#file, place + inBlock, part);
      else part.set((await place.read()).subarray(inBlock, inBlock + part.length));
      done += part.length;
    }
  }

  async extentAt(offset: number, length: number): Promise<LayerExtent> {
    const { blockBytes } = this.#layout;
    const kindOf = async (at: number): Promise<LayerExtent["kind"]> =>
      (await this.#layout.place(Math.floor(at / blockBytes))) === undefined ? "zero" : "data";
    const kind = await kindOf(offset);
    let end = (Math.floor(offset / blockBytes) + 1) * blockBytes;
    while (end < offset + length && (await kindOf(end)) === kind) end += blockBytes;
    return { kind, length: Math.min(length, end - offset) };
  }

  close(): Promise<void> {
    return this.#layout.close();
  }
}

/** A header of an image, whose numbers are checked as they are taken. */
export class HeaderReader {
  readonly #file: ImageFile;
  readonly #view: DataView;
  readonly #little: boolean;

  private constructor(file: ImageFile, bytes: Uint8Array, little: boolean) {
    this.#file = file;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#little = little;
  }

  static async at(file: ImageFile, offset: number, length: number, byteOrder: "little" | "big"): Promise<HeaderReader> {
    const bytes = new Uint8Array(length);
    if (!Number.isSafeInteger(offset) || offset < 0 || (await file.read(offset, bytes)) < length) {
      throw invalidImage(file.name, "header", "is cut off");
    }
    return new HeaderReader(file, bytes, byteOrder === "little");
  }

  u16(at: number): number {
    return this.#view.getUint16(at, this.#little);
  }

  u32(at: number): number {
    return this.#view.getUint32(at, this.#little);
  }

  /** As a number: `what` names the field when it is larger than any sensible one. */
  u64(at: number, what: string): number {
    const value = this.#view.getBigUint64(at, this.#little);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalidImage(this.#file.name, what, "is beyond all limits");
    return Number(value);
  }

  big(at: number): bigint {
    return this.#view.getBigUint64(at, this.#little);
  }

  text(at: number, length: number): string {
    return String.fromCharCode(...this.bytes(at, length));
  }

  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, length);
  }
}

export function checkSize(file: ImageFile, sizeBytes: number): number {
  if (sizeBytes <= 0 || sizeBytes > SIZE_MAX || sizeBytes % 512 !== 0)
    throw invalidImage(file.name, "disk size", `is ${sizeBytes} bytes`);
  return sizeBytes;
}

export function checkBlockSize(file: ImageFile, blockBytes: number): number {
  if (blockBytes < 512 || blockBytes > BLOCK_MAX || (blockBytes & (blockBytes - 1)) !== 0)
    throw invalidImage(file.name, "block size", `is ${blockBytes} bytes`);
  return blockBytes;
}

/** A table of `count` entries, whole: an image that lacks a part of it is cut off. */
export async function readTable(file: ImageFile, offset: number, count: number, entryBytes: 4 | 8): Promise<DataView> {
  const bytes = count * entryBytes;
  if (bytes > TABLE_MAX_BYTES || !Number.isSafeInteger(offset) || offset + bytes > (await file.size()))
    throw invalidImage(file.name, "block table", "does not fit the file");
  const table = new Uint8Array(bytes);
  await readPadded(file, offset, table);
  return new DataView(table.buffer);
}
