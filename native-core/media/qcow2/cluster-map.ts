// From guest clusters to host clusters: the L1 table, held whole, and a cache of L2 tables.
//
//   guest offset:  | L1 index | L2 index | offset in cluster |
//
// Tables are changed in memory only; the image writes them out in order when it flushes (image.ts, `flush`).
import type { ImageFile } from "../image-file.ts";
import { corruptImage } from "../media-error.ts";
import type { ClusterAllocator, ClusterRange } from "./allocator.ts";
import { ENTRY_SIZE, EntryTable } from "./entries.ts";
import type { Qcow2Header } from "./header.ts";
import type { PendingWrite } from "./write-set.ts";

export interface L2Table {
  /** Where the table is in the file; changes when a shared table is copied. */
  offset: number;
  readonly entries: EntryTable;
  dirty: boolean;
  /** Users that will change the table after an await; it stays in memory for them. */
  pins: number;
}

const CACHE_BYTES = 4 << 20;

export class ClusterMap {
  readonly #file: ImageFile;
  readonly #clusterSize: number;
  readonly #allocator: ClusterAllocator | undefined;
  readonly #l1: EntryTable;
  readonly #l1Offset: number;
  readonly #dirtyL1 = new Set<number>();
  readonly #tables = new Map<number, L2Table>();
  readonly #loading = new Map<number, Promise<L2Table>>();
  readonly #preparing = new Map<number, Promise<L2Table>>();
  readonly #limit: number;
  readonly #abandon: (range: ClusterRange) => void;

  /** `allocator` is undefined for a read-only image. `abandon` gets clusters that are free after the next flush. */
  constructor(
    file: ImageFile,
    header: Qcow2Header,
    l1: EntryTable,
    allocator: ClusterAllocator | undefined,
    abandon: (range: ClusterRange) => void,
  ) {
    this.#file = file;
    this.#clusterSize = header.clusterSize;
    this.#allocator = allocator;
    this.#l1 = l1;
    this.#l1Offset = header.l1Offset;
    this.#limit = Math.max(4, CACHE_BYTES / header.clusterSize);
    this.#abandon = abandon;
  }

  /** True when no cluster under this L1 entry was ever allocated. */
  isEmpty(l1Index: number): boolean {
    return this.#l1.offset(l1Index) === 0;
  }

  /** The table if it is in memory. Valid until the next await. */
  cached(l1Index: number): L2Table | undefined {
    return this.#tables.get(l1Index);
  }

  /** Whether a mapping can be looked up without reading: there is none, or its table is in memory. */
  isAtHand(l1Index: number): boolean {
    return this.#tables.has(l1Index) || this.isEmpty(l1Index);
  }

  /** Brings a table that exists into memory. */
  load(l1Index: number): Promise<L2Table> {
    const cached = this.#tables.get(l1Index);
    if (cached) {
      this.#tables.delete(l1Index);
      this.#tables.set(l1Index, cached);
      return Promise.resolve(cached);
    }
    const running = this.#loading.get(l1Index);
    if (running) return running;
    const loading = this.#read(l1Index).finally(() => this.#loading.delete(l1Index));
    this.#loading.set(l1Index, loading);
    return loading;
  }

  async #read(l1Index: number): Promise<L2Table> {
    const offset = this.#l1.offset(l1Index);
    if (offset % this.#clusterSize !== 0) {
      throw corruptImage(this.#file.name, "L1 entry", "points into the middle of a cluster");
    }
    if (this.#allocator?.isReserved(offset, this.#clusterSize)) {
      throw corruptImage(this.#file.name, "L1 entry", "points at another table");
    }
    const bytes = new Uint8Array(this.#clusterSize);
    if ((await this.#file.read(offset, bytes)) < bytes.length) {
      throw corruptImage(this.#file.name, "L2 table", "lies behind the end of the file; it may be truncated");
    }
    return this.#keep(l1Index, { offset, entries: new EntryTable(bytes), dirty: false, pins: 0 });
  }

  #keep(l1Index: number, table: L2Table): L2Table {
    this.#tables.set(l1Index, table);
    this.trim(l1Index);
    return table;
  }

  /** Drops clean tables beyond the cache's limit, oldest first, but not `keep`. */
  trim(keep = -1): void {
    for (const [index, old] of this.#tables) {
      if (this.#tables.size <= this.#limit) break;
      if (!old.dirty && old.pins === 0 && index !== keep) this.#tables.delete(index);
    }
  }

  /** Dirty tables fill the cache: time for the image to flush. */
  get isCrowded(): boolean {
    return this.#tables.size > this.#limit;
  }

  /**
   * A table of this image's own that may be changed: made, or copied from one shared with an internal snapshot, as needed.
   * Comes pinned; `unpin` it.
   */
  async pinWritable(l1Index: number): Promise<L2Table> {
    let work = this.#preparing.get(l1Index);
    if (!work) {
      work = this.#prepare(l1Index).finally(() => this.#preparing.delete(l1Index));
      this.#preparing.set(l1Index, work);
    }
    const table = await work;
    table.pins++;
    // Evicted between the end of the work and now: put the very same object back, it is the newest there is.
    if (this.#tables.get(l1Index) !== table) {
      table.pins--;
      return this.pinWritable(l1Index);
    }
    return table;
  }

  unpin(table: L2Table): void {
    table.pins--;
  }

  async #prepare(l1Index: number): Promise<L2Table> {
    const allocator = this.#allocator;
    if (!allocator) throw new Error("assertion failed: the image is writable");
    if (this.isEmpty(l1Index)) {
      const { offset } = await allocator.allocate(1);
      const entries = new EntryTable(new Uint8Array(this.#clusterSize));
      this.#pointL1(l1Index, offset);
      return this.#keep(l1Index, { offset, entries, dirty: true, pins: 0 });
    }
    const table = await this.load(l1Index);
    if (this.#l1.isCopied(l1Index)) return table;
    table.pins++;
    try {
      const { offset } = await allocator.allocate(1);
      this.#abandon({ offset: table.offset, clusters: 1 });
      table.offset = offset;
      table.dirty = true;
      this.#pointL1(l1Index, offset);
    } finally {
      table.pins--;
    }
    return table;
  }

  #pointL1(l1Index: number, offset: number): void {
    this.#l1.setCluster(l1Index, offset);
    this.#dirtyL1.add(l1Index);
  }

  /** Copies of everything dirty: L2 tables first, then the L1 entries that point at them. */
  collect(): { tables: PendingWrite[]; l1: PendingWrite[] } {
    const tables: PendingWrite[] = [];
    for (const table of this.#tables.values()) {
      if (!table.dirty) continue;
      table.dirty = false;
      // Not evicted before it is written: the file still has the old contents.
      table.pins++;
      tables.push({
        offset: table.offset,
        bytes: table.entries.bytes.slice(),
        settle: (written) => {
          table.pins--;
          if (!written) table.dirty = true;
        },
      });
    }
    const l1 = [...this.#dirtyL1].map((index) => ({
      offset: this.#l1Offset + index * ENTRY_SIZE,
      bytes: this.#l1.bytes.slice(index * ENTRY_SIZE, (index + 1) * ENTRY_SIZE),
      settle: (written: boolean) => {
        if (!written) this.#dirtyL1.add(index);
      },
    }));
    this.#dirtyL1.clear();
    return { tables, l1 };
  }
}
