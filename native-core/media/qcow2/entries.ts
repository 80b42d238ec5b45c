// L1 and L2 table entries of qcow2 as pairs of 32-bit halves, so that the hot paths need no bigints.
//
//   63 COPIED: refcount is exactly one   62 COMPRESSED (L2)   55..9 host offset   0 ZERO (L2, version 3)
import { corruptImage } from "../media-error.ts";

const COPIED_HIGH = 0x80000000;
const COMPRESSED_HIGH = 0x40000000;
const RESERVED_HIGH = 0x3f000000;
const OFFSET_HIGH = 0x00ffffff;
const OFFSET_LOW = 0xfffffe00;
const RESERVED_LOW = 0x1fe;
const ZERO_LOW = 1;
const TWO_32 = 2 ** 32;

export const ENTRY_SIZE = 8;

export type ClusterKind = "absent" | "zero" | "data" | "compressed";

/** A table of 64-bit entries that sits in one piece of the file. */
export class EntryTable {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length / ENTRY_SIZE;
  }

  high(index: number): number {
    return this.#view.getUint32(index * ENTRY_SIZE);
  }

  low(index: number): number {
    return this.#view.getUint32(index * ENTRY_SIZE + 4);
  }

  /** Host offset of an uncompressed entry; 0 when there is none. */
  offset(index: number): number {
    return (this.high(index) & OFFSET_HIGH) * TWO_32 + ((this.low(index) & OFFSET_LOW) >>> 0);
  }

  isCopied(index: number): boolean {
    return (this.high(index) & COPIED_HIGH) !== 0;
  }

  isEmpty(index: number): boolean {
    return this.high(index) === 0 && this.low(index) === 0;
  }

  /** Points entry `index` at a cluster of its own. */
  setCluster(index: number, hostOffset: number, zero = false): void {
    this.#view.setUint32(index * ENTRY_SIZE, (COPIED_HIGH | Math.floor(hostOffset / TWO_32)) >>> 0);
    this.#view.setUint32(index * ENTRY_SIZE + 4, ((hostOffset % TWO_32) | (zero ? ZERO_LOW : 0)) >>> 0);
  }

  setAbsent(index: number): void {
    this.#view.setUint32(index * ENTRY_SIZE, 0);
    this.#view.setUint32(index * ENTRY_SIZE + 4, 0);
  }

  /** A zero cluster without space behind it. */
  setZero(index: number): void {
    this.#view.setUint32(index * ENTRY_SIZE, 0);
    this.#view.setUint32(index * ENTRY_SIZE + 4, ZERO_LOW);
  }

  clearCopied(index: number): void {
    this.#view.setUint32(index * ENTRY_SIZE, (this.high(index) & ~COPIED_HIGH) >>> 0);
  }

  /** What L2 entry `index` says; throws for one that no writer can have made. `file` and `clusterSize` are of the image. */
  kind(index: number, file: string, clusterSize: number): ClusterKind {
    const high = this.high(index);
    const low = this.low(index);
    if (high === 0 && low === 0) return "absent";
    if (high & COMPRESSED_HIGH) {
      if (high & COPIED_HIGH) throw corruptImage(file, "L2 entry", "is compressed and writable at once");
      return "compressed";
    }
    if (high & RESERVED_HIGH || low & RESERVED_LOW) throw corruptImage(file, "L2 entry", "has reserved bits set");
    const offset = this.offset(index);
    if (offset % clusterSize !== 0) throw corruptImage(file, "L2 entry", "points into the middle of a cluster");
    if (low & ZERO_LOW) return "zero";
    if (offset === 0) throw corruptImage(file, "L2 entry", "points at the header");
    return "data";
  }
}

/** Where the data of a compressed cluster is: `length` bytes from `offset`, of which the stream may use fewer. */
export function compressedRange(
  table: EntryTable,
  index: number,
  clusterBits: number,
): { offset: number; length: number } {
  const entry = (BigInt(table.high(index) & ~(COPIED_HIGH | COMPRESSED_HIGH)) << 32n) | BigInt(table.low(index));
  const shift = BigInt(70 - clusterBits);
  const offset = Number(entry & ((1n << shift) - 1n));
  const sectors = Number(entry >> shift) + 1;
  return { offset, length: sectors * 512 - (offset % 512) };
}
