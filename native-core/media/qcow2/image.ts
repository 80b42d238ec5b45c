// A qcow2 image as a disk: reads through the chain, allocates on write, flushes in crash-safe order.
//
// Order on disk, each step durable before the next:  data, refcounts  ->  refcount table  ->  L2 tables  ->  L1 table
// So a torn write or a kill at any point leaves either the old mapping or the new one, and at worst leaked clusters.
import { assert } from "../../common/assert.ts";
import { AppError } from "../../common/errors.ts";
import { isAllZero } from "../../common/zero.ts";
import type { DiskImage, LayerExtent } from "../disk-image.ts";
import { type ImageFile, readPadded } from "../image-file.ts";
import { corruptImage, invalidImage } from "../media-error.ts";
import { ClusterAllocator, type ClusterRange } from "./allocator.ts";
import { ClusterMap, type L2Table } from "./cluster-map.ts";
import type { Decompressors } from "./decompress.ts";
import { compressedRange, ENTRY_SIZE, EntryTable } from "./entries.ts";
import { FlushQueue } from "./flush-queue.ts";
import { INCOMPATIBLE, parseHeader, type Qcow2Header } from "./header.ts";
import { changeBacking, markWritable } from "./header-writer.ts";
import { settleAll, writeAll } from "./write-set.ts";
import { zstdFrameLength } from "./zstd-frame.ts";

export interface Qcow2Options {
  readonly decompressors: Decompressors;
  /** The layer below, already open; undefined where the header names none. It is closed with this image. */
  readonly backing?: DiskImage | undefined;
}

/** Data of several clusters with a new place each; pieces up to this size are copied to be written at once. */
const JOIN_MAX_BYTES = 256 << 10;

export class Qcow2Image implements DiskImage {
  readonly format = "qcow2";
  readonly sizeBytes: number;
  readonly #file: ImageFile;
  readonly #clusterSize: number;
  readonly #tableEntries: number;
  readonly #map: ClusterMap;
  readonly #allocator: ClusterAllocator | undefined;
  readonly #decompressors: Decompressors;
  readonly #flushes = new FlushQueue(() => this.#flushMetadata());
  /** Guest clusters that are getting a new place, and when that is done. */
  readonly #locks = new Map<number, Promise<void>>();
  readonly #inFlight = new Set<Promise<unknown>>();
  #header: Qcow2Header;
  #backing: DiskImage | undefined;
  #abandoned: ClusterRange[] = [];
  #reclaiming: Promise<void> = Promise.resolve();
  #damage: AppError | undefined;
  #frozen = false;

  /** Header as `readHeader` gave it. Throws AppError for anything that is not a sound image. */
  static async open(file: ImageFile, header: Qcow2Header, options: Qcow2Options): Promise<Qcow2Image> {
    if (header.backing && !options.backing) throw invalidImage(file.name, "backing file", "is not open");
    const l1 = new EntryTable(new Uint8Array(header.l1Entries * ENTRY_SIZE));
    await readPadded(file, header.l1Offset, l1.bytes);
    const fileSize = await file.size();
    for (let index = 0; index < l1.length; index++) {
      if (l1.offset(index) + header.clusterSize > Math.max(fileSize, header.clusterSize)) {
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
    this.sizeBytes = header.sizeBytes;
    this.#clusterSize = header.clusterSize;
    this.#tableEntries = header.clusterSize / ENTRY_SIZE;
    this.#allocator = allocator;
    this.#decompressors = options.decompressors;
    this.#backing = options.backing;
    this.#map = new ClusterMap(file, header, l1, allocator, (range) => this.#abandoned.push(range));
  }

  get readOnly(): boolean {
    return this.#file.readOnly || this.#frozen;
  }

  get header(): Qcow2Header {
    return this.#header;
  }

  get backing(): DiskImage | undefined {
    return this.#backing;
  }

  /**
   * No more writes through this object from now on: it becomes the layer below another one. Settles when the file is quiet, so
   * that others may change it (see layers.ts). Call it with no write under way and everything flushed that matters.
   */
  async freeze(): Promise<void> {
    if (this.readOnly) return;
    this.#frozen = true;
    await this.#settle();
  }

  /** Flushes, lowers the counts of space that became free, flushes that. */
  async #settle(): Promise<void> {
    await this.drain();
    await this.#flushes.request();
    await this.#reclaiming;
    await this.#flushes.request();
    await this.#reclaiming;
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    this.#checkRange(offset, target.length);
    return this.#track(this.#read(offset, target));
  }

  async #read(offset: number, target: Uint8Array): Promise<void> {
    const parts: Promise<void>[] = [];
    try {
      for (let done = 0; done < target.length; ) {
        const position = offset + done;
        const found = this.#lookUp(position, target.length - done);
        const extent = found instanceof Promise ? await found : found;
        const part = target.subarray(done, done + extent.length);
        if (extent.kind === "data") parts.push(this.#readData(extent.hostOffset, part));
        else if (extent.kind === "absent") parts.push(this.#readBacking(position, part));
        else if (extent.kind === "zero") part.fill(0);
        else parts.push(this.#readCompressed(extent.table, extent.index, position % this.#clusterSize, part));
        done += extent.length;
      }
    } finally {
      await settleAll(parts);
    }
  }

  async #readData(hostOffset: number, target: Uint8Array): Promise<void> {
    const count = await this.#file.read(hostOffset, target);
    if (count === target.length) return;
    // The file may end inside the last cluster, whose rest was never written; it can't end before one that is in use.
    const lastCluster = hostOffset + target.length - 1 - ((hostOffset + target.length - 1) % this.#clusterSize);
    if (lastCluster >= hostOffset + count) {
      throw corruptImage(this.#file.name, "cluster", "lies behind the end of the file; it may be truncated");
    }
    target.fill(0, count);
  }

  async #readBacking(offset: number, target: Uint8Array): Promise<void> {
    const length = this.#backing ? Math.max(0, Math.min(target.length, this.#backing.sizeBytes - offset)) : 0;
    target.fill(0, length);
    if (length > 0) await this.#backing?.read(offset, target.subarray(0, length));
  }

  /** Reads part of a compressed cluster. The place is taken from the entry before anything is awaited. */
  async #readCompressed(table: L2Table, index: number, from: number, target: Uint8Array): Promise<void> {
    const { offset, length } = compressedRange(table.entries, index, this.#header.clusterBits);
    const input = new Uint8Array(length);
    // The last sector of a compressed cluster may lie behind the end of the file.
    const count = await this.#file.read(offset, input);
    try {
      const { inflateRaw, zstd } = this.#decompressors;
      const isZstd = this.#header.compression === "zstd";
      const stored = input.subarray(0, isZstd ? zstdFrameLength(input.subarray(0, count)) : count);
      const data = await (isZstd ? zstd : inflateRaw)(stored, this.#clusterSize);
      target.set(data.subarray(from, from + target.length));
    } catch (cause) {
      const problem = `can't be unpacked (${cause instanceof Error ? cause.message : String(cause)})`;
      throw corruptImage(this.#file.name, "compressed cluster", problem);
    }
  }

  /** The longest run from `offset` that can be handled in one go. Synchronous while its L2 table is in memory. */
  #lookUp(offset: number, length: number): HostExtent | Promise<HostExtent> {
    const cluster = Math.floor(offset / this.#clusterSize);
    const l1Index = Math.floor(cluster / this.#tableEntries);
    const inTable = (l1Index + 1) * this.#tableEntries * this.#clusterSize - offset;
    if (this.#map.isEmpty(l1Index)) return { kind: "absent", length: Math.min(length, inTable) };
    const table = this.#map.cached(l1Index);
    if (table) return this.#extentIn(table, offset, Math.min(length, inTable));
    return this.#map.load(l1Index).then(() => this.#lookUp(offset, length));
  }

  #extentIn(table: L2Table, offset: number, length: number): HostExtent {
    const size = this.#clusterSize;
    const { entries } = table;
    const start = Math.floor(offset / size) % this.#tableEntries;
    const inCluster = offset % size;
    const kind = entries.kind(start, this.#file.name, size);
    if (kind === "compressed") {
      return { kind, length: Math.min(length, size - inCluster), table, index: start };
    }
    const hostStart = entries.offset(start);
    let index = start + 1;
    let covered = size - inCluster;
    while (covered < length && entries.kind(index, this.#file.name, size) === kind) {
      if (kind === "data" && entries.offset(index) !== hostStart + (index - start) * size) break;
      covered += size;
      index++;
    }
    const found = Math.min(length, covered);
    if (kind === "data") return { kind, length: found, hostOffset: hostStart + inCluster };
    return { kind, length: found };
  }

  async extentAt(offset: number, length: number): Promise<LayerExtent> {
    this.#checkRange(offset, length);
    const extent = await this.#lookUp(offset, length);
    return { kind: extent.kind === "compressed" ? "data" : extent.kind, length: extent.length };
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    this.#checkRange(offset, source.length);
    return this.#change(() => this.#write(offset, source, false));
  }

  /** Like `write`, but leaves clusters alone that this layer already has: for pulling data up from the layer below. */
  fill(offset: number, source: Uint8Array): Promise<void> {
    this.#checkRange(offset, source.length);
    return this.#change(() => this.#write(offset, source, true));
  }

  async #write(offset: number, source: Uint8Array, absentOnly: boolean): Promise<void> {
    const size = this.#clusterSize;
    const parts: Promise<void>[] = [];
    try {
      for (let done = 0; done < source.length; ) {
        const position = offset + done;
        const cluster = Math.floor(position / size);
        const lock = this.#locks.get(cluster);
        const l1Index = Math.floor(cluster / this.#tableEntries);
        const table = this.#map.cached(l1Index);
        if (lock || (!table && !this.#map.isEmpty(l1Index))) {
          await (lock ?? this.#map.load(l1Index));
          continue;
        }
        const ready = table ? this.#readyLength(table, position, source.length - done) : 0;
        if (ready > 0) {
          const place = table?.entries.offset(cluster % this.#tableEntries) ?? 0;
          const part = source.subarray(done, done + ready);
          if (!absentOnly) parts.push(this.#file.write(place + (position % size), part));
          done += ready;
          continue;
        }
        const length = this.#unreadyLength(table, position, source.length - done, absentOnly);
        // With absentOnly a present cluster that is not in place (zero, compressed) is skipped too.
        if (length === 0) done += Math.min(size - (position % size), source.length - done);
        else parts.push(this.#allocateAndWrite(position, source.subarray(done, done + length)));
        done += length;
      }
    } finally {
      await settleAll(parts);
    }
  }

  /** Bytes from `offset` that can be overwritten where they are, in one piece. */
  #readyLength(table: L2Table, offset: number, length: number): number {
    const size = this.#clusterSize;
    const { entries } = table;
    const start = Math.floor(offset / size) % this.#tableEntries;
    let covered = -(offset % size);
    let index = start;
    for (; covered < length && index < this.#tableEntries; index++, covered += size) {
      if (!entries.isCopied(index) || entries.kind(index, this.#file.name, size) !== "data") break;
      if (entries.offset(index) !== entries.offset(start) + (index - start) * size) break;
    }
    const found = Math.max(0, Math.min(length, covered));
    if (found > 0 && this.#allocator?.isReserved(entries.offset(start), (index - start) * size)) {
      throw this.#fail(corruptImage(this.#file.name, "L2 entry", "points at the image's own tables"));
    }
    return found;
  }

  /** Bytes from `offset` up to the next cluster that is in place, being moved, or under another table. */
  #unreadyLength(table: L2Table | undefined, offset: number, length: number, absentOnly: boolean): number {
    const size = this.#clusterSize;
    const first = Math.floor(offset / size);
    let cluster = first;
    let covered = -(offset % size);
    for (; covered < length; cluster++, covered += size) {
      if (cluster > first && (cluster % this.#tableEntries === 0 || this.#locks.has(cluster))) break;
      const kind = table ? table.entries.kind(cluster % this.#tableEntries, this.#file.name, size) : "absent";
      if (absentOnly && kind !== "absent") break;
      if (kind === "data" && table?.entries.isCopied(cluster % this.#tableEntries)) break;
    }
    return Math.max(0, Math.min(length, covered));
  }

  /** Gives the clusters under [offset, offset + data) new places and writes them. All lie under one L2 table, unlocked. */
  async #allocateAndWrite(offset: number, data: Uint8Array): Promise<void> {
    const first = Math.floor(offset / this.#clusterSize);
    const last = Math.floor((offset + data.length - 1) / this.#clusterSize);
    const unlock = this.#lock(first, last);
    let table: L2Table | undefined;
    try {
      await this.#makeRoom();
      table = await this.#map.pinWritable(Math.floor(first / this.#tableEntries));
      for (let cluster = first; cluster <= last; ) {
        cluster += await this.#placeRun(table, cluster, last, offset, data);
      }
    } finally {
      if (table) this.#map.unpin(table);
      unlock();
    }
  }

  /** Places one run of clusters that are contiguous in the file; yields how many. */
  async #placeRun(table: L2Table, first: number, last: number, offset: number, data: Uint8Array): Promise<number> {
    const size = this.#clusterSize;
    const allocator = this.#requireAllocator();
    const index = first % this.#tableEntries;
    const kind = table.entries.kind(index, this.#file.name, size);
    // A zero cluster that kept its space is written there; the zero flag hides the data until the entry changes.
    const reuse = kind === "zero" && table.entries.isCopied(index) && table.entries.offset(index) !== 0;
    const place = reuse
      ? { offset: table.entries.offset(index), clusters: 1, fresh: false }
      : await allocator.allocate(last - first + 1);
    const end = first + place.clusters;
    try {
      const parts: Promise<void>[] = [];
      const from = Math.max(offset, first * size);
      const to = Math.min(offset + data.length, end * size);
      const head = from - first * size;
      const tail = end * size - to;
      const slice = data.subarray(from - offset, to - offset);
      if (head === 0 && tail === 0) parts.push(this.#file.write(place.offset, slice));
      else if (slice.length <= JOIN_MAX_BYTES) parts.push(this.#writeJoined(place, first, end, head, slice));
      else {
        // Whole clusters go out as they are; only the partial ones at the ends are completed from below.
        const bodyFrom = head > 0 ? size - head : 0;
        const bodyTo = slice.length - (tail > 0 ? size - tail : 0);
        const at = (cluster: number) => ({ ...place, offset: place.offset + (cluster - first) * size });
        if (head > 0) parts.push(this.#writeJoined(place, first, first + 1, head, slice.subarray(0, bodyFrom)));
        parts.push(this.#file.write(place.offset + head + bodyFrom, slice.subarray(bodyFrom, bodyTo)));
        if (tail > 0) parts.push(this.#writeJoined(at(end - 1), end - 1, end, 0, slice.subarray(bodyTo)));
      }
      await settleAll(parts);
    } catch (error) {
      // Nothing points at the space yet.
      if (!reuse) this.#reclaim([place]);
      throw error;
    }
    for (let n = 0; n < place.clusters; n++) {
      if (!reuse) this.#abandonEntry(table, index + n);
      table.entries.setCluster(index + n, place.offset + n * size);
    }
    table.dirty = true;
    return place.clusters;
  }

  /** Writes clusters [first, end) whose new data starts `head` bytes in; the rest is what the disk reads as now. */
  async #writeJoined(
    place: { offset: number; fresh: boolean },
    first: number,
    end: number,
    head: number,
    data: Uint8Array,
  ): Promise<void> {
    const size = this.#clusterSize;
    const joined = new Uint8Array((end - first) * size);
    const start = first * size;
    const readable = Math.min(joined.length, this.sizeBytes - start);
    const tail = head + data.length;
    const old: Promise<void>[] = [];
    if (head > 0) old.push(this.#read(start, joined.subarray(0, head)));
    if (tail < readable) old.push(this.#read(start + tail, joined.subarray(tail, readable)));
    await settleAll(old);
    const sparse = place.fresh && isAllZero(joined.subarray(0, head)) && isAllZero(joined.subarray(tail));
    if (sparse) return this.#file.write(place.offset + head, data);
    joined.set(data, head);
    return this.#file.write(place.offset, joined);
  }

  discard(offset: number, length: number): Promise<void> {
    this.#checkRange(offset, length);
    const whole = this.#wholeClusters(offset, length);
    return this.#change(() =>
      this.#eachCluster(whole.first, whole.end, true, (table, index) => {
        if (table.entries.kind(index, this.#file.name, this.#clusterSize) === "absent") return;
        // Without a zero flag (version 2) what lies below would show through: keep the data instead.
        if (this.#backing && this.#header.version < 3) return;
        this.#abandonEntry(table, index);
        if (this.#backing) table.entries.setZero(index);
        else table.entries.setAbsent(index);
        table.dirty = true;
      }),
    );
  }

  writeZeroes(offset: number, length: number, mayUnmap: boolean): Promise<void> {
    this.#checkRange(offset, length);
    return this.#change(() => this.#writeZeroes(offset, length, mayUnmap));
  }

  async #writeZeroes(offset: number, length: number, mayUnmap: boolean): Promise<void> {
    const size = this.#clusterSize;
    const whole = this.#wholeClusters(offset, length);
    if (whole.first >= whole.end || this.#header.version < 3) return this.#writeZeroData(offset, length);
    const skipAbsent = this.#backing === undefined;
    const middle = this.#eachCluster(whole.first, whole.end, skipAbsent, (table, index) => {
      const kind = table.entries.kind(index, this.#file.name, size);
      if (kind === "zero" || (kind === "absent" && skipAbsent)) return;
      if (kind === "data" && table.entries.isCopied(index) && !mayUnmap) {
        table.entries.setCluster(index, table.entries.offset(index), true);
      } else {
        this.#abandonEntry(table, index);
        table.entries.setZero(index);
      }
      table.dirty = true;
    });
    const headLength = whole.first * size - offset;
    const tailStart = Math.min(whole.end * size, this.sizeBytes);
    await settleAll([
      this.#writeZeroData(offset, Math.max(0, headLength)),
      middle,
      this.#writeZeroData(tailStart, Math.max(0, offset + length - tailStart)),
    ]);
  }

  /** Zeroes as data, leaving out what reads as zero already. */
  async #writeZeroData(offset: number, length: number): Promise<void> {
    for (let done = 0; done < length; ) {
      const step = Math.min(length - done, 1 << 20);
      const extent = await this.#lookUp(offset + done, step);
      const isZeroAlready = extent.kind === "zero" || (extent.kind === "absent" && !this.#backing);
      if (!isZeroAlready) await this.#write(offset + done, new Uint8Array(extent.length), false);
      done += extent.length;
    }
  }

  /** Clusters that lie in the range whole; the last one of the disk counts as whole when the range reaches the end. */
  #wholeClusters(offset: number, length: number): { first: number; end: number } {
    const size = this.#clusterSize;
    const end =
      offset + length >= this.sizeBytes ? Math.ceil(this.sizeBytes / size) : Math.floor((offset + length) / size);
    return { first: Math.ceil(offset / size), end };
  }

  /** Runs `change` on the L2 entry of every cluster, under its lock and with a writable table. */
  async #eachCluster(
    first: number,
    end: number,
    skipAbsent: boolean,
    change: (table: L2Table, index: number) => void,
  ): Promise<void> {
    for (let cluster = first; cluster < end; ) {
      const l1Index = Math.floor(cluster / this.#tableEntries);
      const stop = Math.min(end, (l1Index + 1) * this.#tableEntries);
      if (skipAbsent && this.#map.isEmpty(l1Index)) {
        cluster = stop;
        continue;
      }
      const lock = this.#locks.get(cluster);
      if (lock) {
        await lock;
        continue;
      }
      let last = cluster;
      while (last + 1 < stop && !this.#locks.has(last + 1)) last++;
      const unlock = this.#lock(cluster, last);
      let table: L2Table | undefined;
      try {
        await this.#makeRoom();
        table = await this.#map.pinWritable(l1Index);
        for (let n = cluster; n <= last; n++) change(table, n % this.#tableEntries);
      } finally {
        if (table) this.#map.unpin(table);
        unlock();
      }
      cluster = last + 1;
    }
  }

  /** Notes that the place entry `index` points at is free once the change is durable. */
  #abandonEntry(table: L2Table, index: number): void {
    const kind = table.entries.kind(index, this.#file.name, this.#clusterSize);
    if (kind === "absent") return;
    if (kind === "compressed") {
      const { offset, length } = compressedRange(table.entries, index, this.#header.clusterBits);
      const start = Math.floor(offset / this.#clusterSize);
      const end = Math.ceil((offset + length) / this.#clusterSize);
      this.#abandoned.push({ offset: start * this.#clusterSize, clusters: end - start });
    } else if (table.entries.offset(index) !== 0) {
      this.#abandoned.push({ offset: table.entries.offset(index), clusters: 1 });
    }
  }

  flush(): Promise<void> {
    return this.readOnly ? Promise.resolve() : this.#flushes.request();
  }

  async #flushMetadata(): Promise<void> {
    const allocator = this.#requireAllocator();
    const abandoned = [...this.#abandoned.splice(0), ...allocator.takeAbandoned()];
    const before = [...this.#inFlight];
    const { blocks, table } = allocator.collect();
    const { tables, l1 } = this.#map.collect();
    let written = false;
    try {
      if (blocks.length > 0) {
        await writeAll(this.#file, blocks);
      }
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
    if (abandoned.length > 0) this.#reclaim(abandoned, before);
  }

  #reclaim(ranges: readonly ClusterRange[], after: readonly Promise<unknown>[] = []): void {
    const allocator = this.#requireAllocator();
    this.#reclaiming = this.#reclaiming
      .then(() => Promise.allSettled(after))
      .then(() => allocator.release(ranges))
      // Counts that could not be lowered are leaked space, nothing worse.
      .catch(() => undefined);
  }

  /** Names another layer below, whose contents must read the same as the present one's where this layer has nothing. */
  async setBacking(backing: { name: string; format: string; image: DiskImage } | undefined): Promise<void> {
    await this.flush();
    this.#header = await changeBacking(this.#file, this.#header, backing);
    const old = this.#backing;
    this.#backing = backing?.image;
    await Promise.allSettled([...this.#inFlight]);
    if (old !== backing?.image) await old?.close();
  }

  async close(): Promise<void> {
    await this.drain();
    try {
      if (!this.readOnly) await this.#settle();
    } finally {
      await this.#file.close();
      await this.#backing?.close();
    }
  }

  /** Waits until no request is under way, for instance before the layer is frozen. */
  async drain(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled([...this.#inFlight]);
  }

  #change(work: () => Promise<void>): Promise<void> {
    assert(!this.readOnly, "the image is writable");
    if (this.#damage) return Promise.reject(this.#damage);
    return this.#track(work());
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#inFlight.add(work);
    const done = () => void this.#inFlight.delete(work);
    work.then(done, (error: unknown) => {
      done();
      // Damage of a layer below is its own affair.
      if (error instanceof AppError && error.code === "INVALID_FILE" && error.details.file === this.#file.name) {
        this.#fail(error);
      }
    });
    return work;
  }

  /** From now on nothing is written: what is known to be wrong must not grow. */
  #fail(error: AppError): AppError {
    this.#damage ??= error;
    return error;
  }

  #lock(first: number, last: number): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    for (let cluster = first; cluster <= last; cluster++) this.#locks.set(cluster, promise);
    return () => {
      for (let cluster = first; cluster <= last; cluster++) this.#locks.delete(cluster);
      resolve();
    };
  }

  /** Dirty tables must not pile up in memory between the guest's flushes. */
  async #makeRoom(): Promise<void> {
    if (this.#map.isCrowded) await this.flush();
  }

  #requireAllocator(): ClusterAllocator {
    assert(this.#allocator, "the image is writable");
    return this.#allocator;
  }

  #checkRange(offset: number, length: number): void {
    assert(offset >= 0 && length >= 0 && offset + length <= this.sizeBytes, "the request lies inside the disk");
  }
}

type HostExtent =
  | { readonly kind: "absent"; readonly length: number }
  | { readonly kind: "zero"; readonly length: number }
  | { readonly kind: "data"; readonly length: number; readonly hostOffset: number }
  | { readonly kind: "compressed"; readonly length: number; readonly table: L2Table; readonly index: number };

/** Reads and checks the header; refuses to go on where writing would make damage worse. */
export async function readHeader(file: ImageFile): Promise<Qcow2Header> {
  const start = new Uint8Array(2 << 20);
  const count = await file.read(0, start);
  const header = parseHeader(file.name, start.subarray(0, count), await file.size());
  if (!file.readOnly && header.incompatible & (INCOMPATIBLE.dirty | INCOMPATIBLE.corrupt)) {
    const field = header.incompatible & INCOMPATIBLE.corrupt ? "corrupt bit" : "dirty bit";
    throw invalidImage(file.name, field, "is set: the image was damaged or not closed", {
      remedy: "Repair it with `qemu-img check -r all`, or use it read-only.",
    });
  }
  return header;
}
