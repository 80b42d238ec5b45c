// A qcow2 image as a disk: its face to the rest, flushing in crash-safe order, and its life from open to close.
//
// Order on disk, each step durable before the next:  data, refcounts  ->  refcount table  ->  L2 tables  ->  L1 table
// So a torn write or a kill at any point leaves either the old mapping or the new one, and at worst leaked clusters. Counts come down
// last of all, after the flush that made sure that nothing points at the space any more.
import { assert } from "../../common/assert.ts";
import { AppError } from "../../common/errors.ts";
import { type Pieces, piecesLength } from "../../common/pieces.ts";
import type { DiskImage, LayerExtent } from "../disk-image.ts";
import { type ImageFile, readPadded } from "../image-file.ts";
import { invalidImage } from "../media-error.ts";
import { ClusterAllocator, type ClusterRange } from "./allocator.ts";
import { ClusterMap } from "./cluster-map.ts";
import { ClusterReader } from "./cluster-reader.ts";
import { ClusterWriter } from "./cluster-writer.ts";
import type { Decompressors } from "./decompress.ts";
import { ENTRY_SIZE, EntryTable } from "./entries.ts";
import { extentAt } from "./extents.ts";
import { FlushQueue } from "./flush-queue.ts";
import { Geometry } from "./geometry.ts";
import { CLUSTER_BITS_MAX, INCOMPATIBLE, parseHeader, type Qcow2Header } from "./header.ts";
import { changeBacking, markWritable } from "./header-writer.ts";
import { writeAll } from "./write-set.ts";
import { discardClusters, fillZeroClusters, zeroClusters } from "./zeroing.ts";

export interface Qcow2Options {
  readonly decompressors: Decompressors;
  /** The layer below, already open; undefined where the header names none. It is closed with this image. */
  readonly backing?: DiskImage | undefined;
  /** Of an encrypted image: the file as its data clusters are read and written, in the clear. */
  readonly clearFile?: ImageFile | undefined;
}

/** What only a writable image has. */
interface Writing {
  readonly allocator: ClusterAllocator;
  readonly writer: ClusterWriter;
}

export class Qcow2Image implements DiskImage {
  readonly format = "qcow2";
  readonly #file: ImageFile;
  readonly #geometry: Geometry;
  readonly #map: ClusterMap;
  readonly #reader: ClusterReader;
  readonly #writing: Writing | undefined;
  readonly #flushes = new FlushQueue(() => this.#flushMetadata());
  readonly #inFlight = new Set<Promise<unknown>>();
  #header: Qcow2Header;
  #abandoned: ClusterRange[] = [];
  #reclaiming: Promise<void> = Promise.resolve();
  #damage: AppError | undefined;
  #frozen = false;

  /** Header as `readHeader` gave it. Throws AppError for anything that is not a sound image. */
  static async open(file: ImageFile, header: Qcow2Header, options: Qcow2Options): Promise<Qcow2Image> {
    if (header.encryption && !options.clearFile) throw invalidImage(file.name, "encryption", "is not open");
    if (header.backing && !options.backing) throw invalidImage(file.name, "backing file", "is not open");
    const fileSize = await file.size();
    const l1 = new EntryTable(new Uint8Array(header.l1Entries * ENTRY_SIZE));
    await readPadded(file, header.l1Offset, l1.bytes);
    for (let index = 0; index < l1.length; index++) {
      if (l1.offset(index) !== 0 && l1.offset(index) + header.clusterSize > fileSize) {
        throw invalidImage(file.name, "L1 table", "points behind the end of the file; it may be truncated");
      }
    }
    let allocator: ClusterAllocator | undefined;
    if (!file.readOnly) {
      const table = new EntryTable(new Uint8Array(header.refcountTableClusters * header.clusterSize));
      await readPadded(file, header.refcountTableOffset, table.bytes);
      allocator = new ClusterAllocator(file, header, table, fileSize);
      await markWritable(file, header);
    }
    return new Qcow2Image(file, header, l1, allocator, options);
  }

  private constructor(
    file: ImageFile,
    header: Qcow2Header,
    l1: EntryTable,
    allocator: ClusterAllocator | undefined,
    options: Qcow2Options,
  ) {
    this.#file = file;
    this.#header = header;
    const geometry = new Geometry(file.name, header);
    this.#geometry = geometry;
    const abandon = (range: ClusterRange) => void this.#abandoned.push(range);
    const map = new ClusterMap(file, header, l1, allocator, abandon);
    this.#map = map;
    const { compression } = header;
    const { decompressors, backing, clearFile } = options;
    const data = clearFile ?? file;
    const reader = new ClusterReader({ file: data, geometry, map, compression, decompressors, backing });
    this.#reader = reader;
    if (!allocator) return;
    const giveBack = (range: ClusterRange) => this.#reclaim(allocator, [range]);
    const flush = () => this.flush();
    const sparse = clearFile === undefined;
    const writer = new ClusterWriter({
      ...{ file: data, sparse, geometry, map, allocator, reader },
      ...{ abandon, giveBack, flush },
    });
    this.#writing = { allocator, writer };
  }

  get sizeBytes(): number {
    return this.#geometry.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#file.readOnly || this.#frozen;
  }

  get header(): Qcow2Header {
    return this.#header;
  }

  get backing(): DiskImage | undefined {
    return this.#reader.backing;
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    return this.readPieces(offset, [target]);
  }

  readPieces(offset: number, target: Pieces): Promise<void> {
    this.#checkRange(offset, piecesLength(target));
    return this.#track(this.#reader.read(offset, target));
  }

  readNow(offset: number, target: Pieces): boolean {
    this.#checkRange(offset, piecesLength(target));
    return this.#reader.readNow(offset, target);
  }

  async extentAt(offset: number, length: number): Promise<LayerExtent> {
    this.#checkRange(offset, length);
    const extent = await extentAt(this.#map, this.#geometry, offset, length);
    return { kind: extent.kind === "compressed" ? "data" : extent.kind, length: extent.length };
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.writePieces(offset, [source]);
  }

  writePieces(offset: number, source: Pieces): Promise<void> {
    return this.#change(offset, piecesLength(source), ({ writer }) => writer.write(offset, source));
  }

  /** Like `write`, but leaves clusters alone that this layer already has: for pulling data up from the layer below. */
  fill(offset: number, source: Uint8Array): Promise<void> {
    return this.#change(offset, source.length, ({ writer }) => writer.write(offset, [source], true));
  }

  /** Like `fill`, with zeroes. */
  fillZeroes(offset: number, length: number): Promise<void> {
    return this.#change(offset, length, ({ writer }) => fillZeroClusters(writer, this.#geometry, offset, length));
  }

  discard(offset: number, length: number): Promise<void> {
    const hasBacking = this.backing !== undefined;
    return this.#change(offset, length, ({ writer }) =>
      discardClusters(writer, this.#geometry, hasBacking, offset, length),
    );
  }

  writeZeroes(offset: number, length: number, mayUnmap: boolean): Promise<void> {
    const hasBacking = this.backing !== undefined;
    return this.#change(offset, length, ({ writer }) =>
      zeroClusters(writer, this.#map, this.#geometry, hasBacking, { offset, length, mayUnmap }),
    );
  }

  flush(): Promise<void> {
    return this.readOnly ? Promise.resolve() : this.#flushes.request();
  }

  /** Waits until no request is under way, for instance before the layer is frozen. */
  async drain(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled([...this.#inFlight]);
  }

  /**
   * No more writes through this object from now on: it becomes the layer below another one. Settles when the file is quiet, so
   * that others may change it (see layers.ts). Call it with no write under way.
   */
  async freeze(): Promise<void> {
    if (this.readOnly) return;
    this.#frozen = true;
    await this.#settle();
  }

  /**
   * Names another layer below, whose contents must read the same as the present one's where this layer has nothing. With no write under
   * way: the header's first sector is written as a whole.
   */
  async setBacking(backing: { name: string; format: string; image: DiskImage } | undefined): Promise<void> {
    await this.flush();
    this.#header = await changeBacking(this.#file, this.#header, backing);
    await this.#exchangeBacking(backing?.image);
  }

  /** Goes on with another image of the layer below, opened anew because somebody changed what that one stands on. */
  async reopenBacking(image: DiskImage): Promise<void> {
    assert(this.backing, "there is a layer below");
    await this.#exchangeBacking(image);
  }

  async #exchangeBacking(image: DiskImage | undefined): Promise<void> {
    const old = this.#reader.backing;
    this.#reader.backing = image;
    await Promise.allSettled([...this.#inFlight]);
    if (old !== image) await old?.close();
  }

  /** Gives the host back what the image does not use, never growing the file. With no request under way. Yields the bytes. */
  async giveBackFree(): Promise<number> {
    const { allocator } = this.#requireWriting();
    await this.#settle();
    const given = await allocator.giveBackFree();
    await this.#file.flush();
    return given;
  }

  async close(): Promise<void> {
    await this.drain();
    try {
      if (!this.readOnly) await this.#settle();
    } finally {
      await this.#file.close();
      await this.backing?.close();
    }
  }

  async #flushMetadata(): Promise<void> {
    const { allocator } = this.#requireWriting();
    const abandoned = [...this.#abandoned.splice(0), ...allocator.takeAbandoned()];
    const before = [...this.#inFlight];
    // All taken in one instant: what changes from here on belongs to the next flush.
    const { blocks, table } = allocator.collect();
    const { tables, l1 } = this.#map.collect();
    let written = false;
    try {
      await writeAll(this.#file, blocks);
      for (const step of [table, tables, l1]) {
        if (step.length === 0) continue;
        await this.#file.flush();
        await writeAll(this.#file, step);
      }
      await this.#file.flush();
      written = true;
    } finally {
      for (const write of [...blocks, ...table, ...tables, ...l1]) write.settle(written);
      if (!written) this.#abandoned.unshift(...abandoned);
    }
    this.#map.trim();
    // Requests that saw the old mapping may still be reading or writing the old places.
    if (abandoned.length > 0) this.#reclaim(allocator, abandoned, before);
  }

  #reclaim(
    allocator: ClusterAllocator,
    ranges: readonly ClusterRange[],
    after: readonly Promise<unknown>[] = [],
  ): void {
    this.#reclaiming = this.#reclaiming
      .then(() => Promise.allSettled(after))
      .then(() => allocator.release(ranges))
      // Counts that could not be lowered are leaked space, nothing worse.
      .catch(() => undefined);
  }

  /** Flushes, lowers the counts of space that became free, flushes that. */
  async #settle(): Promise<void> {
    await this.drain();
    await this.#flushes.request();
    await this.#reclaiming;
    await this.#flushes.request();
    await this.#reclaiming;
  }

  #change(offset: number, length: number, work: (writing: Writing) => Promise<void>): Promise<void> {
    assert(!this.readOnly, "the image is writable");
    this.#checkRange(offset, length);
    return this.#damage ? Promise.reject(this.#damage) : this.#track(work(this.#requireWriting()));
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#inFlight.add(work);
    const done = () => void this.#inFlight.delete(work);
    work.then(done, (error: unknown) => {
      done();
      // Damage ends all writing, so that it can't grow; that of a layer below is its own affair.
      const isOurs = error instanceof AppError && error.details.file === this.#file.name;
      if (isOurs && error.code === "INVALID_FILE") this.#damage ??= error;
    });
    return work;
  }

  #requireWriting(): Writing {
    assert(this.#writing, "the image is writable");
    return this.#writing;
  }

  #checkRange(offset: number, length: number): void {
    assert(offset >= 0 && length >= 0 && offset + length <= this.sizeBytes, "the request lies inside the disk");
  }
}

/** Reads and checks the header; refuses to go on where writing would make damage worse. */
export async function readHeader(file: ImageFile): Promise<Qcow2Header> {
  const fileSize = await file.size();
  let start = new Uint8Array(64 << 10);
  let count = await file.read(0, start);
  const clusterBits = new DataView(start.buffer).getUint32(20);
  // The header is the whole first cluster.
  if (clusterBits > 16 && clusterBits <= CLUSTER_BITS_MAX) {
    start = new Uint8Array(2 ** clusterBits);
    count = await file.read(0, start);
  }
  const header = parseHeader(file.name, start.subarray(0, count), fileSize);
  if (!file.readOnly && header.incompatible & (INCOMPATIBLE.dirty | INCOMPATIBLE.corrupt)) {
    const field = header.incompatible & INCOMPATIBLE.corrupt ? "corrupt bit" : "dirty bit";
    throw invalidImage(file.name, field, "is set: the image was damaged or not closed", {
      remedy: "Repair it with `terrarium verify NAME --repair`, or use it read-only.",
    });
  }
  return header;
}
