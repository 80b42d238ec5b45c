// Whether a qcow2 image is sound: every table lies where it can, every cluster has one user, and the reference counts say so.
//
// Wrong counts are no loss as long as nobody writes: `repairCounts` makes all of them anew at the end of the file and switches over in one
// sector. Damage of the mapping (L1, L2) is a loss of data, which only another copy of it can make good (layers.ts, `copyReadable`).
import { AppError } from "../../common/errors.ts";
import { type ImageFile, readPadded } from "../image-file.ts";
import { compressedRange, ENTRY_SIZE, EntryTable } from "./entries.ts";
import { INCOMPATIBLE, type Qcow2Header, REFCOUNT_TABLE_MAX_BYTES } from "./header.ts";
import { RefcountBlock } from "./refcount-block.ts";

export interface ImageCheck {
  /** Of the mapping: a range of the disk that can't be read, or not be trusted. */
  readonly damage: readonly { readonly offset: number; readonly length: number; readonly problem: string }[];
  /** Clusters that are counted more often than used: space that is lost. */
  readonly leakedClusters: number;
  /** Clusters that are used more often than counted: writing may destroy what is there. */
  readonly lowClusters: number;
  /** Refcount blocks and tables that lie where they can't. */
  readonly badBlocks: number;
  /** Marked by a writer that found damage or did not close the image. */
  readonly isMarked: boolean;
  /** Users per cluster of the file, but for the reference counts' own clusters. */
  readonly users: Uint16Array;
}

/** @throws AppError UNSUPPORTED for images whose clusters have users that this program does not know: internal snapshots, bitmaps */
export async function checkQcow2(file: ImageFile, header: Qcow2Header): Promise<ImageCheck> {
  requireKnown(file, header);
  const { clusterSize } = header;
  const users = new Uint16Array(Math.ceil((await file.size()) / clusterSize));
  const take = (offset: number, length: number) => takeClusters(users, clusterSize, offset, length);
  take(0, clusterSize);
  take(header.l1Offset, header.l1Entries * ENTRY_SIZE);
  if (header.encryption) take(header.encryption.offset, header.encryption.length);
  const damage = await walkMapping(file, header, users);
  const counts = users.slice();
  const { badBlocks, stored } = await readCounts(file, header, counts);
  let leakedClusters = 0;
  let lowClusters = 0;
  for (let cluster = 0; cluster < counts.length; cluster++) {
    const [is, should] = [stored(cluster), counts[cluster] ?? 0];
    if (is > should) leakedClusters++;
    if (is < should) lowClusters++;
  }
  const isMarked = (header.incompatible & (INCOMPATIBLE.dirty | INCOMPATIBLE.corrupt)) !== 0n;
  return { damage, leakedClusters, lowClusters, badBlocks, isMarked, users };
}

export function isSound(check: ImageCheck): boolean {
  const { damage, leakedClusters, lowClusters, badBlocks, isMarked } = check;
  return damage.length === 0 && leakedClusters + lowClusters + badBlocks === 0 && !isMarked;
}

function requireKnown(file: ImageFile, header: Qcow2Header): void {
  if (header.snapshotCount === 0 && header.autoclear === 0n) return;
  throw new AppError("UNSUPPORTED", `${file.name} has snapshots or bitmaps inside of it`, {
    file: file.name,
    field: header.snapshotCount > 0 ? "snapshots" : "autoclear features",
    consequence: "Its reference counts were not checked.",
    remedy: "Check it with `qemu-img check`.",
  });
}

/** Counts the clusters under these bytes; false when they lie outside of the file. */
function takeClusters(users: Uint16Array, clusterSize: number, offset: number, length: number): boolean {
  const end = Math.ceil((offset + length) / clusterSize);
  if (end > users.length) return false;
  for (let cluster = Math.floor(offset / clusterSize); cluster < end; cluster++) {
    users[cluster] = (users[cluster] ?? 0) + 1;
  }
  return true;
}

async function walkMapping(file: ImageFile, header: Qcow2Header, users: Uint16Array): Promise<ImageCheck["damage"]> {
  const { clusterSize, clusterBits, sizeBytes } = header;
  const damage: { offset: number; length: number; problem: string }[] = [];
  const l1 = new EntryTable(new Uint8Array(header.l1Entries * ENTRY_SIZE));
  await readPadded(file, header.l1Offset, l1.bytes);
  const perTable = clusterSize / ENTRY_SIZE;
  const report = (offset: number, length: number, problem: string) => {
    if (offset < sizeBytes) damage.push({ offset, length: Math.min(length, sizeBytes - offset), problem });
  };
  /** Data whose cluster turns out to have another user, by its cluster. */
  const dataAt = new Map<number, number>();
  for (let index = 0; index < l1.length; index++) {
    if (l1.isEmpty(index)) continue;
    const start = index * perTable * clusterSize;
    const at = l1.offset(index);
    const table = new EntryTable(new Uint8Array(clusterSize));
    const problem = await readTable(file, at, table, users, clusterSize);
    if (problem) {
      report(start, perTable * clusterSize, problem);
      continue;
    }
    for (let entry = 0; entry < perTable; entry++) {
      if (table.isEmpty(entry)) continue;
      const guest = start + entry * clusterSize;
      const place = placeOf(file, table, entry, clusterSize, clusterBits);
      if (typeof place === "string") report(guest, clusterSize, place);
      else if (place.length > 0 && !takeClusters(users, clusterSize, place.offset, place.length)) {
        if (!place.isZero)
          report(guest, clusterSize, "an L2 entry points behind the end of the file; it may be truncated");
      } else if (place.length > 0 && !place.isCompressed) {
        const cluster = place.offset / clusterSize;
        const other = dataAt.get(cluster);
        if ((users[cluster] ?? 0) > 1) {
          report(guest, clusterSize, "an L2 entry points at a cluster that has another user");
          if (other !== undefined) report(other, clusterSize, "another L2 entry points at its cluster");
        }
        dataAt.set(cluster, guest);
      }
    }
  }
  return damage.sort((a, b) => a.offset - b.offset);
}

async function readTable(
  file: ImageFile,
  at: number,
  table: EntryTable,
  users: Uint16Array,
  clusterSize: number,
): Promise<string | undefined> {
  if (at === 0 || at % clusterSize !== 0) return "an L1 entry points into the middle of a cluster";
  if ((users[at / clusterSize] ?? 0) > 0) return "an L1 entry points at a cluster that has another user";
  if (!takeClusters(users, clusterSize, at, clusterSize)) return "an L2 table lies behind the end of the file";
  try {
    await readPadded(file, at, table.bytes);
    return undefined;
  } catch {
    return "an L2 table can't be read";
  }
}

/** Where the data of an entry is; `length` 0 for none. A text says what is wrong. */
function placeOf(
  file: ImageFile,
  table: EntryTable,
  entry: number,
  clusterSize: number,
  clusterBits: number,
): { offset: number; length: number; isCompressed?: boolean; isZero?: boolean } | string {
  try {
    const kind = table.kind(entry, file.name, clusterSize);
    // Compressed data may end with the file, in the middle of its last sector.
    if (kind === "compressed") return { ...compressedRange(table, entry, clusterBits), isCompressed: true };
    const offset = table.offset(entry);
    return { offset, length: offset === 0 ? 0 : clusterSize, isZero: kind === "zero" };
  } catch (error) {
    return error instanceof AppError ? `an L2 entry ${error.message.split("L2 entry ").at(-1)}` : String(error);
  }
}

/** The counts that the file has, and those of the clusters they lie in themselves added to `counts`. */
async function readCounts(file: ImageFile, header: Qcow2Header, counts: Uint16Array) {
  const { clusterSize } = header;
  const perBlock = (clusterSize * 8) >> header.refcountOrder;
  const table = new EntryTable(new Uint8Array(header.refcountTableClusters * clusterSize));
  await readPadded(file, header.refcountTableOffset, table.bytes);
  takeClusters(counts, clusterSize, header.refcountTableOffset, table.bytes.length);
  const blocks = new Map<number, RefcountBlock>();
  let badBlocks = 0;
  for (let index = 0; index < table.length; index++) {
    if (table.isEmpty(index)) continue;
    const offset = table.offset(index);
    const isPossible = offset !== 0 && offset % clusterSize === 0 && (counts[offset / clusterSize] ?? 1) === 0;
    if (!isPossible || !takeClusters(counts, clusterSize, offset, clusterSize)) {
      badBlocks++;
      continue;
    }
    const block = new RefcountBlock(offset, new Uint8Array(clusterSize), header.refcountOrder);
    await readPadded(file, offset, block.bytes);
    blocks.set(index, block);
  }
  const stored = (cluster: number) => blocks.get(Math.floor(cluster / perBlock))?.get(cluster % perBlock) ?? 0;
  return { badBlocks, stored };
}

/**
 * Makes all reference counts anew, in new blocks and a new table behind the end of the file, and switches over in one sector; what the old
 * ones took is free then. With nobody else using the image. A kill leaves the old counts or the new ones.
 *
 * @throws AppError INVALID_FILE where the mapping is damaged: what nobody seems to use may be what is lost
 */
export async function repairCounts(file: ImageFile, header: Qcow2Header, { damage, users }: ImageCheck): Promise<void> {
  const [first] = damage;
  if (first) {
    throw new AppError("INVALID_FILE", `${file.name} is damaged: ${first.problem}`, {
      file: file.name,
      field: `offset ${first.offset}`,
      consequence: "Its reference counts were not changed.",
    });
  }
  const { clusterSize, refcountOrder } = header;
  const perBlock = (clusterSize * 8) >> refcountOrder;
  const base = users.length;
  let [blockCount, tableClusters] = [1, 1];
  while (
    blockCount * perBlock < base + blockCount + tableClusters ||
    tableClusters * (clusterSize / ENTRY_SIZE) < blockCount
  ) {
    blockCount = Math.ceil((base + blockCount + tableClusters) / perBlock);
    tableClusters = Math.ceil((blockCount * ENTRY_SIZE) / clusterSize);
  }
  if (tableClusters * clusterSize > REFCOUNT_TABLE_MAX_BYTES) {
    throw new AppError("UNSUPPORTED", `${file.name} is too large for its cluster size`, { file: file.name });
  }
  const table = new EntryTable(new Uint8Array(tableClusters * clusterSize));
  for (let index = 0; index < blockCount; index++) {
    const block = new RefcountBlock((base + index) * clusterSize, new Uint8Array(clusterSize), refcountOrder);
    for (let slot = 0; slot < perBlock; slot++) {
      const cluster = index * perBlock + slot;
      const count = cluster < base ? (users[cluster] ?? 0) : cluster < base + blockCount + tableClusters ? 1 : 0;
      if (count > 0) block.set(slot, count);
    }
    table.setCluster(index, block.offset);
    table.clearCopied(index);
    await writeBack(file, block.offset, block.bytes);
  }
  const tableOffset = (base + blockCount) * clusterSize;
  await writeBack(file, tableOffset, table.bytes);
  await file.flush();
  await switchOver(file, header, tableOffset, tableClusters);
}

/** Writes and reads again: a disk that keeps something else is not to be trusted with the rest. */
async function writeBack(file: ImageFile, offset: number, bytes: Uint8Array): Promise<void> {
  await file.write(offset, bytes);
  const kept = new Uint8Array(bytes.length);
  await readPadded(file, offset, kept);
  if (kept.every((byte, index) => byte === bytes[index])) return;
  throw new AppError("IO_ERROR", `${file.name}: the disk does not keep what is written`, { file: file.name });
}

/** Bytes 48..79 of the header: the refcount table's place and size, the number of snapshots (none) and their table, the incompatible features. */
async function switchOver(file: ImageFile, header: Qcow2Header, offset: number, clusters: number): Promise<void> {
  const change = new Uint8Array(header.version === 3 ? 32 : 12);
  await readPadded(file, 48, change);
  const view = new DataView(change.buffer);
  view.setBigUint64(0, BigInt(offset));
  view.setUint32(8, clusters);
  if (header.version === 3) {
    view.setBigUint64(24, header.incompatible & ~(INCOMPATIBLE.dirty | INCOMPATIBLE.corrupt));
  }
  await file.write(48, change);
  await file.flush();
}
