// Which host clusters of a qcow2 file are in use: refcount table, refcount blocks, and handing out free clusters.
//
// Crash order: counts go up before anything points at a cluster and come down only after nothing on disk points at it any more
// (`release` is called by the image after the flush that made that true). What a crash leaves behind is leaked space, never a
// cluster with two owners.
import { assert } from "../../common/assert.ts";
import { AppError } from "../../common/errors.ts";
import type { ImageFile } from "../image-file.ts";
import { readPadded } from "../image-file.ts";
import { corruptImage } from "../media-error.ts";
import { ENTRY_SIZE, EntryTable } from "./entries.ts";
import { type Qcow2Header, REFCOUNT_TABLE_MAX_BYTES } from "./header.ts";
import { RefcountBlock } from "./refcount-block.ts";
import type { PendingWrite } from "./write-set.ts";

export interface Allocation {
  readonly offset: number;
  readonly clusters: number;
  /** The file never held anything here: it reads as zeroes without being written. */
  readonly fresh: boolean;
}

export interface ClusterRange {
  readonly offset: number;
  readonly clusters: number;
}

/** Clean refcount blocks kept in memory. */
const CACHE_BYTES = 1 << 20;
/** Smaller holes than this are reused but not given back to the host. */
const PUNCH_MIN_BYTES = 1 << 20;

export class ClusterAllocator {
  readonly #file: ImageFile;
  readonly #clusterSize: number;
  readonly #order: number;
  readonly #perBlock: number;
  readonly #blocks = new Map<number, RefcountBlock>();
  readonly #dirtyTableEntries = new Set<number>();
  #table: EntryTable;
  #tableOffset: number;
  /** Extents that are never handed out, whatever the counts say: a second fence against damaged images. */
  readonly #reserved: { offset: number; length: number }[];
  #next = 0;
  #endCluster: number;
  #turn: Promise<unknown> = Promise.resolve();
  #abandoned: ClusterRange[] = [];

  constructor(file: ImageFile, header: Qcow2Header, table: EntryTable, fileSize: number) {
    this.#file = file;
    this.#clusterSize = header.clusterSize;
    this.#order = header.refcountOrder;
    this.#perBlock = (header.clusterSize * 8) >> header.refcountOrder;
    this.#table = table;
    this.#tableOffset = header.refcountTableOffset;
    this.#endCluster = Math.ceil(fileSize / header.clusterSize);
    this.#reserved = [
      { offset: 0, length: header.clusterSize },
      { offset: header.l1Offset, length: header.l1Entries * ENTRY_SIZE },
      { offset: header.refcountTableOffset, length: table.bytes.length },
    ];
  }

  /** Whether these bytes hold the header or one of the two top tables. */
  isReserved(offset: number, length: number): boolean {
    return this.#reserved.some((area) => offset < area.offset + area.length && area.offset < offset + length);
  }

  /** Takes up to `wanted` clusters in one piece, at least one. */
  allocate(wanted: number): Promise<Allocation> {
    return this.#exclusive(async () => {
      for (;;) {
        const block = await this.#blockFor(this.#next);
        const first = this.#next % this.#perBlock;
        let start = first;
        while (start < this.#perBlock && block.get(start) !== 0) start++;
        const base = this.#next - first;
        let end = start;
        while (end < this.#perBlock && end - start < wanted && block.get(end) === 0) end++;
        this.#next = base + end;
        if (start === end) continue;
        return this.#take(block, base, start, end);
      }
    });
  }

  #take(block: RefcountBlock, base: number, start: number, end: number): Allocation {
    const offset = (base + start) * this.#clusterSize;
    const clusters = end - start;
    if (this.isReserved(offset, clusters * this.#clusterSize)) {
      throw corruptImage(this.#file.name, "refcount", "says that a table's space is free");
    }
    for (let index = start; index < end; index++) block.set(index, 1);
    const fresh = base + start >= this.#endCluster;
    this.#endCluster = Math.max(this.#endCluster, base + end);
    return { offset, clusters, fresh };
  }

  /** Lowers the count of each cluster by one. Only for clusters that nothing on disk points at any more. */
  async release(ranges: readonly ClusterRange[]): Promise<void> {
    const merged = mergeRanges(ranges, this.#clusterSize);
    for (const range of merged) {
      // Punched while the count still guards the space: nobody can take it before the hole is made.
      const lengthBytes = range.clusters * this.#clusterSize;
      if (lengthBytes >= PUNCH_MIN_BYTES && (await this.#exclusive(() => this.#isSingle(range)))) {
        await this.#file.punchHole(range.offset, lengthBytes);
      }
      await this.#exclusive(() => this.#lower(range));
    }
  }

  async #isSingle(range: ClusterRange): Promise<boolean> {
    const first = range.offset / this.#clusterSize;
    if (first + range.clusters > this.#table.length * this.#perBlock) return false;
    for (let cluster = first; cluster < first + range.clusters; cluster++) {
      if ((await this.#blockFor(cluster)).get(cluster % this.#perBlock) !== 1) return false;
    }
    return true;
  }

  async #lower(range: ClusterRange): Promise<void> {
    const first = range.offset / this.#clusterSize;
    for (let cluster = first; cluster < first + range.clusters; cluster++) {
      if (cluster >= this.#table.length * this.#perBlock) continue;
      const block = await this.#blockFor(cluster);
      const count = block.get(cluster % this.#perBlock);
      // Already free: the image was damaged before. The space stays as it is.
      if (count === 0) continue;
      block.set(cluster % this.#perBlock, count - 1);
      if (count === 1) this.#next = Math.min(this.#next, cluster);
    }
  }

  /** Copies of everything dirty, oldest dependency first: blocks, then the table entries that point at them. */
  collect(): { blocks: PendingWrite[]; table: PendingWrite[] } {
    const blocks: PendingWrite[] = [];
    for (const block of this.#blocks.values()) {
      if (!block.dirty) continue;
      block.dirty = false;
      block.writing++;
      blocks.push({
        offset: block.offset,
        bytes: block.bytes.slice(),
        settle: (written) => {
          block.writing--;
          if (!written) block.dirty = true;
        },
      });
    }
    const table = [...this.#dirtyTableEntries].map((index) => ({
      offset: this.#tableOffset + index * ENTRY_SIZE,
      bytes: this.#table.bytes.slice(index * ENTRY_SIZE, (index + 1) * ENTRY_SIZE),
      settle: (written: boolean) => {
        if (!written) this.#dirtyTableEntries.add(index);
      },
    }));
    this.#dirtyTableEntries.clear();
    return { blocks, table };
  }

  /** The block that counts `cluster`; made when it isn't there yet. Only within `#exclusive`. */
  async #blockFor(cluster: number): Promise<RefcountBlock> {
    const index = Math.floor(cluster / this.#perBlock);
    const cached = this.#blocks.get(index);
    if (cached) {
      // Youngest last: the map's order is the eviction order.
      this.#blocks.delete(index);
      this.#blocks.set(index, cached);
      return cached;
    }
    if (index >= this.#table.length) await this.#growTable(index);
    const existing = this.#blocks.get(index);
    if (existing) return existing;
    const offset = this.#table.offset(index);
    const block = this.#table.isEmpty(index) || offset === 0 ? this.#newBlock(index) : await this.#loadBlock(offset);
    this.#blocks.set(index, block);
    this.#evict();
    return block;
  }

  /** A new block sits in the first cluster that it counts itself, so making one needs no other space. */
  #newBlock(index: number): RefcountBlock {
    const offset = index * this.#perBlock * this.#clusterSize;
    if (this.isReserved(offset, this.#clusterSize)) {
      throw corruptImage(this.#file.name, "refcount table", "doesn't cover the image's own tables");
    }
    const block = new RefcountBlock(offset, new Uint8Array(this.#clusterSize), this.#order);
    block.set(0, 1);
    this.#endCluster = Math.max(this.#endCluster, index * this.#perBlock + 1);
    this.#table.setCluster(index, offset);
    this.#table.clearCopied(index);
    this.#dirtyTableEntries.add(index);
    return block;
  }

  async #loadBlock(offset: number): Promise<RefcountBlock> {
    const bad = offset % this.#clusterSize !== 0 || offset + this.#clusterSize > (await this.#file.size());
    if (bad) throw corruptImage(this.#file.name, "refcount table entry", "points at no cluster of the file");
    const block = new RefcountBlock(offset, new Uint8Array(this.#clusterSize), this.#order);
    await readPadded(this.#file, offset, block.bytes);
    return block;
  }

  #evict(): void {
    const limit = Math.max(4, CACHE_BYTES / this.#clusterSize);
    if (this.#blocks.size <= limit) return;
    for (const [index, block] of this.#blocks) {
      if (this.#blocks.size <= limit) break;
      if (!block.dirty && block.writing === 0) this.#blocks.delete(index);
    }
  }

  /**
   * Makes the table long enough for block `index`. The new table and the blocks that count it lie behind all counted space:
   *   [block][block]...[new table ............]
   */
  async #growTable(index: number): Promise<void> {
    const size = this.#clusterSize;
    const firstIndex = this.#table.length;
    const entries = Math.max(index + 1, firstIndex * 2);
    let tableClusters = Math.ceil((entries * ENTRY_SIZE) / size);
    let blockCount = 1;
    while (blockCount * this.#perBlock < blockCount + tableClusters) blockCount++;
    tableClusters = Math.max(tableClusters, Math.ceil(((firstIndex + blockCount) * ENTRY_SIZE) / size));
    assert(blockCount + tableClusters <= blockCount * this.#perBlock, "new refcount blocks cover the new table");
    if (tableClusters * size > REFCOUNT_TABLE_MAX_BYTES) {
      throw new AppError("UNSUPPORTED", `${this.#file.name} has grown to the limit of its cluster size`, {
        file: this.#file.name,
        remedy: "Convert it to larger clusters with `qemu-img convert -O qcow2`.",
      });
    }
    const base = firstIndex * this.#perBlock;
    const table = new EntryTable(new Uint8Array(tableClusters * size));
    table.bytes.set(this.#table.bytes);
    const blocks: [number, RefcountBlock][] = [];
    for (let n = 0; n < blockCount; n++) {
      const block = new RefcountBlock((base + n) * size, new Uint8Array(size), this.#order);
      const used = Math.min(this.#perBlock, blockCount + tableClusters - n * this.#perBlock);
      for (let cluster = 0; cluster < used; cluster++) block.set(cluster, 1);
      block.dirty = false;
      table.setCluster(firstIndex + n, block.offset);
      table.clearCopied(firstIndex + n);
      blocks.push([firstIndex + n, block]);
    }
    const tableOffset = (base + blockCount) * size;
    for (const [, block] of blocks) await this.#file.write(block.offset, block.bytes);
    await this.#file.write(tableOffset, table.bytes);
    await this.#file.flush();
    await this.#file.write(48, tablePointer(tableOffset, tableClusters));
    await this.#file.flush();

    const old = { offset: this.#tableOffset, clusters: this.#table.bytes.length / size };
    for (const [at, block] of blocks) this.#blocks.set(at, block);
    this.#table = table;
    this.#tableOffset = tableOffset;
    this.#reserved[2] = { offset: tableOffset, length: table.bytes.length };
    this.#dirtyTableEntries.clear();
    this.#endCluster = Math.max(this.#endCluster, base + blockCount + tableClusters);
    // A flush under way may still write to the old table, so its space waits for the next one.
    this.#abandoned.push(old);
  }

  /**
   * Gives the host back what no count guards: holes where clusters are free, and the end of the file. With no write under way. Yields the
   * bytes of the ranges that became holes or went away.
   */
  giveBackFree(): Promise<number> {
    return this.#exclusive(async () => {
      const size = this.#clusterSize;
      const fileEnd = Math.ceil((await this.#file.size()) / size);
      let given = 0;
      let free = -1;
      let used = 0;
      const punch = async (first: number, end: number) => {
        await this.#file.punchHole(first * size, (end - first) * size);
        given += (end - first) * size;
      };
      for (let cluster = 0; cluster < fileEnd; cluster++) {
        const block = cluster % this.#perBlock === 0 ? await this.#existingBlock(cluster) : undefined;
        // A whole block of free clusters may have no counts at all.
        if (cluster % this.#perBlock === 0 && block === undefined) {
          if (free < 0) free = cluster;
          cluster += this.#perBlock - 1;
          continue;
        }
        const count = (await this.#existingBlock(cluster))?.get(cluster % this.#perBlock) ?? 0;
        if (count === 0 && free < 0) free = cluster;
        if (count === 0) continue;
        if (free >= 0) await punch(free, cluster);
        free = -1;
        used = cluster + 1;
      }
      if (used < fileEnd) {
        given += (fileEnd - used) * size;
        await this.#file.truncate(used * size);
        this.#endCluster = used;
        this.#next = Math.min(this.#next, used);
      }
      return given;
    });
  }

  async #existingBlock(cluster: number): Promise<RefcountBlock | undefined> {
    const index = Math.floor(cluster / this.#perBlock);
    if (index >= this.#table.length || this.#table.isEmpty(index) || this.#table.offset(index) === 0) return undefined;
    return this.#blockFor(cluster);
  }

  /** Space of outgrown tables, to be released after the next flush. */
  takeAbandoned(): ClusterRange[] {
    return this.#abandoned.splice(0);
  }

  /** One at a time: counts are read, decided on and written without anybody in between. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

/** Header bytes 48..59: refcount table offset and its length in clusters, changed by a single write within one sector. */
function tablePointer(offset: number, clusters: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(offset));
  view.setUint32(8, clusters);
  return bytes;
}

function mergeRanges(ranges: readonly ClusterRange[], clusterSize: number): ClusterRange[] {
  const merged: { offset: number; clusters: number }[] = [];
  for (const range of [...ranges].sort((a, b) => a.offset - b.offset)) {
    const last = merged.at(-1);
    if (last && last.offset + last.clusters * clusterSize === range.offset) last.clusters += range.clusters;
    else merged.push({ ...range });
  }
  return merged;
}
