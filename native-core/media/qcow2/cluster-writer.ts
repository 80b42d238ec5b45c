// Writing a qcow2 layer: in place where it may, else to new clusters that the mapping points at once their data is in the file.
//
// A cluster in place is overwritten without a lock. One that is absent, zero, compressed or shared gets a new place under its lock:
// allocate, complete partial clusters from what they read as, write, change the entry. What the entry pointed at before is
// abandoned: free, but only after the next flush (image.ts).
import { gather, type Pieces, piecesLength, slicePieces } from "../../common/pieces.ts";
import { isAllZero } from "../../common/zero.ts";
import { type ImageFile, writePieces } from "../image-file.ts";
import type { ClusterAllocator, ClusterRange } from "./allocator.ts";
import { ClusterLocks } from "./cluster-locks.ts";
import type { ClusterMap, L2Table } from "./cluster-map.ts";
import type { ClusterReader } from "./cluster-reader.ts";
import { compressedRange } from "./entries.ts";
import { readyLength, unreadyLength } from "./extents.ts";
import type { Geometry } from "./geometry.ts";
import { settleAll } from "./write-set.ts";

export interface WriterParts {
  readonly file: ImageFile;
  /** Whether space that was never written reads as zeroes: not where what is read gets decrypted. */
  readonly sparse: boolean;
  readonly geometry: Geometry;
  readonly map: ClusterMap;
  readonly allocator: ClusterAllocator;
  readonly reader: ClusterReader;
  /** Takes space that is free once the present mapping is durable. */
  readonly abandon: (range: ClusterRange) => void;
  /** Takes space that nothing ever pointed at. */
  readonly giveBack: (range: ClusterRange) => void;
  readonly flush: () => Promise<void>;
}

/** New clusters up to this size are put together in memory to be written at once, even if only their ends are partial. */
const JOIN_MAX_BYTES = 256 << 10;

export class ClusterWriter {
  readonly #parts: WriterParts;
  readonly #locks = new ClusterLocks();

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  /** With `absentOnly`, clusters that this layer has already are left alone. */
  async write(offset: number, source: Pieces, absentOnly = false): Promise<void> {
    const { geometry, map, file, allocator } = this.#parts;
    const size = geometry.clusterSize;
    const isReserved = (at: number, length: number) => allocator.isReserved(at, length);
    const isLocked = (cluster: number) => this.#locks.has(cluster);
    const total = piecesLength(source);
    const pending: Promise<void>[] = [];
    try {
      for (let done = 0; done < total; ) {
        const position = offset + done;
        const rest = total - done;
        const cluster = geometry.cluster(position);
        const l1Index = geometry.l1Index(cluster);
        const table = map.cached(l1Index);
        const holder = this.#locks.holder(cluster);
        if (holder || (!table && !map.isEmpty(l1Index))) {
          // Everything may have changed after the wait: look again.
          await (holder ?? map.load(l1Index));
          continue;
        }
        const ready = table ? readyLength(table, geometry, position, rest, isReserved) : 0;
        if (table && ready > 0) {
          const place = table.entries.offset(geometry.l2Index(cluster)) + (position % size);
          if (!absentOnly) pending.push(writePieces(file, place, slicePieces(source, done, done + ready)));
          done += ready;
          continue;
        }
        const length = unreadyLength(table, geometry, position, rest, absentOnly, isLocked);
        if (length > 0) pending.push(this.#place(position, slicePieces(source, done, done + length)));
        // Nothing to do for a cluster that is here but not in place, when only absent ones are wanted.
        done += length > 0 ? length : Math.min(size - (position % size), rest);
      }
    } finally {
      await settleAll(pending);
    }
  }

  /** Runs `change` on the L2 entry of every cluster in [first, end), under its lock and in a table that may be changed. */
  async changeEntries(
    first: number,
    end: number,
    skipAbsent: boolean,
    change: (table: L2Table, index: number) => void,
  ): Promise<void> {
    const { geometry, map } = this.#parts;
    for (let cluster = first; cluster < end; ) {
      const l1Index = geometry.l1Index(cluster);
      const stop = Math.min(end, (l1Index + 1) * geometry.tableEntries);
      if (skipAbsent && map.isEmpty(l1Index)) {
        cluster = stop;
        continue;
      }
      const holder = this.#locks.holder(cluster);
      if (holder) {
        await holder;
        continue;
      }
      let last = cluster;
      while (last + 1 < stop && !this.#locks.has(last + 1)) last++;
      await this.#withTable(cluster, last, async (table) => {
        for (let n = cluster; n <= last; n++) change(table, geometry.l2Index(n));
      });
      cluster = last + 1;
    }
  }

  /** Notes that the place entry `index` points at is free once the change is durable. */
  abandonEntry(table: L2Table, index: number): void {
    const { geometry, abandon } = this.#parts;
    const size = geometry.clusterSize;
    const kind = table.entries.kind(index, geometry.fileName, size);
    if (kind === "absent") return;
    if (kind === "compressed") {
      const { offset, length } = compressedRange(table.entries, index, geometry.clusterBits);
      const start = Math.floor(offset / size);
      abandon({ offset: start * size, clusters: Math.ceil((offset + length) / size) - start });
    } else if (table.entries.offset(index) !== 0) abandon({ offset: table.entries.offset(index), clusters: 1 });
  }

  /** Locks the clusters and gives `work` their L2 table to change. */
  async #withTable(first: number, last: number, work: (table: L2Table) => Promise<void>): Promise<void> {
    const { geometry, map, flush } = this.#parts;
    const unlock = this.#locks.take(first, last);
    let table: L2Table | undefined;
    try {
      // Dirty tables must not pile up in memory between the guest's flushes.
      if (map.isCrowded) await flush();
      table = await map.pinWritable(geometry.l1Index(first));
      await work(table);
    } finally {
      if (table) map.unpin(table);
      unlock();
    }
  }

  /** Gives the clusters under [offset, offset + data) new places and writes them. All lie under one L2 table, unlocked. */
  #place(offset: number, data: Pieces): Promise<void> {
    const { geometry } = this.#parts;
    const first = geometry.cluster(offset);
    const last = geometry.cluster(offset + piecesLength(data) - 1);
    return this.#withTable(first, last, async (table) => {
      for (let cluster = first; cluster <= last; ) {
        cluster += await this.#placeRun(table, cluster, last, offset, data);
      }
    });
  }

  /** Places one run of clusters that are contiguous in the file; yields how many. */
  async #placeRun(table: L2Table, first: number, last: number, offset: number, data: Pieces): Promise<number> {
    const { geometry, allocator, giveBack } = this.#parts;
    const { entries } = table;
    const size = geometry.clusterSize;
    const index = geometry.l2Index(first);
    const kind = entries.kind(index, geometry.fileName, size);
    // A zero cluster that kept its space is written there; the zero flag hides the data until the entry changes.
    const reuse = kind === "zero" && entries.isCopied(index) && entries.offset(index) !== 0;
    const place = reuse
      ? { offset: entries.offset(index), clusters: 1, fresh: false }
      : await allocator.allocate(last - first + 1);
    const from = Math.max(offset, first * size);
    const to = Math.min(offset + piecesLength(data), (first + place.clusters) * size);
    try {
      await this.#writeRun(place, first, from, slicePieces(data, from - offset, to - offset));
    } catch (error) {
      if (!reuse) giveBack(place);
      throw error;
    }
    for (let n = 0; n < place.clusters; n++) {
      if (!reuse) this.abandonEntry(table, index + n);
      entries.setCluster(index + n, place.offset + n * size);
    }
    table.dirty = true;
    return place.clusters;
  }

  /** Writes `data` for guest offset `from` into new space that begins with cluster `first`. */
  async #writeRun(
    place: { offset: number; clusters: number; fresh: boolean },
    first: number,
    from: number,
    data: Pieces,
  ): Promise<void> {
    const { geometry, file } = this.#parts;
    const size = geometry.clusterSize;
    const length = piecesLength(data);
    const end = first + place.clusters;
    const head = from - first * size;
    const tail = place.clusters * size - head - length;
    if (head === 0 && tail === 0) return writePieces(file, place.offset, data);
    if (length <= JOIN_MAX_BYTES) return this.#writeJoined(place, first, end, head, data);
    // Whole clusters go out as they are; only the partial ones at the ends are completed.
    const bodyFrom = head > 0 ? size - head : 0;
    const bodyTo = length - (tail > 0 ? size - tail : 0);
    const last = { ...place, offset: place.offset + (place.clusters - 1) * size };
    const pending = [writePieces(file, place.offset + head + bodyFrom, slicePieces(data, bodyFrom, bodyTo))];
    if (head > 0) pending.push(this.#writeJoined(place, first, first + 1, head, slicePieces(data, 0, bodyFrom)));
    if (tail > 0) pending.push(this.#writeJoined(last, end - 1, end, 0, slicePieces(data, bodyTo, length)));
    return settleAll(pending);
  }

  /** Writes clusters [first, end) whose new data starts `head` bytes in; the rest is what the disk reads as now. */
  async #writeJoined(
    place: { offset: number; fresh: boolean },
    first: number,
    end: number,
    head: number,
    data: Pieces,
  ): Promise<void> {
    const { geometry, file, reader, sparse: mayBeSparse } = this.#parts;
    const size = geometry.clusterSize;
    const joined = new Uint8Array((end - first) * size);
    const start = first * size;
    const readable = Math.min(joined.length, geometry.sizeBytes - start);
    const tail = head + piecesLength(data);
    const old: Promise<void>[] = [];
    if (head > 0) old.push(reader.read(start, [joined.subarray(0, head)]));
    if (tail < readable) old.push(reader.read(start + tail, [joined.subarray(tail, readable)]));
    await settleAll(old);
    // Fresh space reads as zeroes by itself: the file stays sparse.
    const sparse =
      mayBeSparse && place.fresh && isAllZero(joined.subarray(0, head)) && isAllZero(joined.subarray(tail));
    if (sparse) return writePieces(file, place.offset + head, data);
    gather(data, joined, head);
    return file.write(place.offset, joined);
  }
}
