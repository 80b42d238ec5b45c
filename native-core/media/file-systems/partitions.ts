// Where the file systems of a disk are: GPT (UEFI 2.10, 5.3), MBR with its logical partitions, or the disk as one.
import { type BlockSource, CachedSource } from "./file-system.ts";

export interface Partition {
  /** As the guest numbers it; 0 is the whole disk. */
  readonly number: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

const SECTOR = 512;
const MBR_SIGNATURE = 0xaa55;
const GPT_SIGNATURE = 0x5452415020494645n;
const EXTENDED_TYPES = new Set([0x05, 0x0f, 0x85]);
const GPT_PROTECTIVE = 0xee;
const ENTRIES_MAX = 128;

/** Those that lie inside of the disk, in the order of their numbers. The whole disk where there is no table. */
export async function partitionsOf(disk: BlockSource): Promise<Partition[]> {
  const whole: Partition = { number: 0, offset: 0, sizeBytes: disk.sizeBytes };
  if (disk.sizeBytes < 2 * SECTOR) return [whole];
  const source = new CachedSource(disk);
  const mbr = await source.view(0, SECTOR);
  if (mbr.getUint16(510, true) !== MBR_SIGNATURE) return [whole];
  const found = isProtective(mbr) ? await gptEntries(source, disk) : await mbrEntries(source, disk, mbr);
  const inside = found.filter(
    ({ offset, sizeBytes }) => sizeBytes > 0 && offset > 0 && offset + sizeBytes <= disk.sizeBytes,
  );
  // A boot sector of a file system has the same signature, and no entries that make sense.
  return inside.length > 0 ? inside : [whole];
}

const isProtective = (mbr: DataView): boolean => mbr.getUint8(446 + 4) === GPT_PROTECTIVE;

async function mbrEntries(source: CachedSource, disk: BlockSource, mbr: DataView): Promise<Partition[]> {
  const found: Partition[] = [];
  for (let index = 0; index < 4; index++) {
    const entry = mbrEntry(mbr, index);
    if (entry.type === 0) continue;
    if (!EXTENDED_TYPES.has(entry.type)) {
      found.push({ number: index + 1, offset: entry.start * SECTOR, sizeBytes: entry.sectors * SECTOR });
    } else found.push(...(await logicalEntries(source, disk, entry.start)));
  }
  return found;
}

/** A chain of tables, each with one partition and the next table, both relative: the first to itself, the other to the whole. */
async function logicalEntries(source: CachedSource, disk: BlockSource, extended: number): Promise<Partition[]> {
  const found: Partition[] = [];
  for (let table = extended, number = 5; number < 5 + ENTRIES_MAX; number++) {
    if ((table + 1) * SECTOR > disk.sizeBytes) break;
    const view = await source.view(table * SECTOR, SECTOR);
    if (view.getUint16(510, true) !== MBR_SIGNATURE) break;
    const own = mbrEntry(view, 0);
    if (own.type !== 0) found.push({ number, offset: (table + own.start) * SECTOR, sizeBytes: own.sectors * SECTOR });
    const next = mbrEntry(view, 1);
    if (next.type === 0 || next.start === 0) break;
    table = extended + next.start;
  }
  return found;
}

function mbrEntry(table: DataView, index: number) {
  const at = 446 + index * 16;
  return {
    type: table.getUint8(at + 4),
    start: table.getUint32(at + 8, true),
    sectors: table.getUint32(at + 12, true),
  };
}

async function gptEntries(source: CachedSource, disk: BlockSource): Promise<Partition[]> {
  const header = await source.view(SECTOR, SECTOR);
  if (header.getBigUint64(0, true) !== GPT_SIGNATURE) return [];
  const start = Number(header.getBigUint64(72, true)) * SECTOR;
  const count = Math.min(ENTRIES_MAX, header.getUint32(80, true));
  const size = header.getUint32(84, true);
  if (size < 128 || size > 4096 || start + count * size > disk.sizeBytes) return [];
  const found: Partition[] = [];
  for (let index = 0; index < count; index++) {
    const entry = await source.view(start + index * size, 128);
    if (entry.getBigUint64(0, true) === 0n && entry.getBigUint64(8, true) === 0n) continue;
    const first = Number(entry.getBigUint64(32, true));
    const last = Number(entry.getBigUint64(40, true));
    found.push({ number: index + 1, offset: first * SECTOR, sizeBytes: (last - first + 1) * SECTOR });
  }
  return found;
}
