// ext2, ext3 and ext4 (Linux, Documentation/filesystems/ext4): superblock, group descriptors, inodes, extents or block maps, directories.
// What is only in the journal yet is read from there (jbd2.ts). What Linux does behind that when it mounts, removing deleted files that were
// still open, changes nothing that has a name.
import {
  type BlockSource,
  CachedSource,
  DEPTH_MAX,
  damagedFileSystem,
  type FileNode,
  type FileSystem,
  NODES_MAX,
  type NodeKind,
  noSuchFile,
} from "./file-system.ts";
import { type JournalPlace, type JournalRun, withJournal } from "./jbd2.ts";

const SUPERBLOCK = 1024;
const MAGIC = 0xef53;
const ROOT_INODE = 2;
const COMPATIBLE_JOURNAL = 0x4;
const INCOMPATIBLE = { recover: 0x4, extents: 0x40, wide: 0x80, metaGroups: 0x10, inlineData: 0x8000 } as const;
/** Compression, journal device, meta groups, encryption: not read. */
const NOT_READ = 0x1 | 0x8 | INCOMPATIBLE.metaGroups | 0x10000;
const INODE_FLAG = { extents: 0x80000, inlineData: 0x10000000 } as const;
const EXTENT_MAGIC = 0xf30a;
const KINDS: Readonly<Record<number, NodeKind>> = { 0x4: "folder", 0x8: "file", 0xa: "link" };
const READ_BYTES = 1 << 20;
/** Blocks of a file have 32-bit numbers. */
const FILE_MAX_BLOCKS = 2 ** 32;
/** The most that mke2fs makes. */
const JOURNAL_MAX_BLOCKS = 10_240_000;

interface Inode {
  readonly number: number;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly flags: number;
  readonly modifiedMs: number;
  /** Change time with nanoseconds, as it is on the disk. */
  readonly changed: string;
  /** The 60 bytes of the block map, the extent tree's root, or a short link's target. */
  readonly map: DataView;
  /** Inline data beyond those 60 bytes. */
  readonly inlineRest: Uint8Array;
}

interface Run {
  readonly first: number;
  readonly blocks: number;
  /** Undefined for one that reads as zeroes. */
  readonly start: number | undefined;
}

/** Undefined when there is no such file system. @throws AppError when it is one that can't be read */
export async function openExt4(source: BlockSource): Promise<FileSystem | undefined> {
  if (source.sizeBytes < SUPERBLOCK + 1024) return undefined;
  const cache = new CachedSource(source);
  const view = await cache.view(SUPERBLOCK, 1024);
  if (view.getUint16(56, true) !== MAGIC) return undefined;
  const written = new Ext4(cache, view);
  const journal = await written.unreplayedJournal();
  const current = journal ? await withJournal(source, journal) : source;
  if (current === source) return written;
  const replayed = new CachedSource(current);
  const superblock = await replayed.view(SUPERBLOCK, 1024);
  if (superblock.getUint16(56, true) !== MAGIC) throw damagedFileSystem("superblock in its journal");
  return new Ext4(replayed, superblock);
}

class Ext4 implements FileSystem {
  readonly kind = "ext4";
  readonly label: string;
  readonly sizeBytes: number;
  readonly #source: CachedSource;
  readonly #blockSize: number;
  readonly #inodeSize: number;
  readonly #inodesPerGroup: number;
  readonly #inodeCount: number;
  readonly #blockCount: number;
  readonly #descriptors: number;
  readonly #descriptorSize: number;
  /** Of the journal when it has to be replayed; 0 when that is on another disk. */
  readonly #journalInode: number | undefined;

  constructor(source: CachedSource, superblock: DataView) {
    this.#source = source;
    const u32 = (offset: number) => superblock.getUint32(offset, true);
    const logBlockSize = u32(24);
    const incompatible = u32(96);
    if (logBlockSize > 6) throw damagedFileSystem("block size");
    if ((incompatible & NOT_READ) !== 0) throw damagedFileSystem("it has features that are not read");
    this.#blockSize = 1024 << logBlockSize;
    this.#inodeSize = u32(76) === 0 ? 128 : superblock.getUint16(88, true);
    this.#inodesPerGroup = u32(40);
    this.#inodeCount = u32(0);
    this.#descriptorSize = incompatible & INCOMPATIBLE.wide ? Math.max(32, superblock.getUint16(254, true)) : 32;
    this.#blockCount = u32(4) + (incompatible & INCOMPATIBLE.wide ? u32(336) * 2 ** 32 : 0);
    this.sizeBytes = this.#blockCount * this.#blockSize;
    this.#descriptors = (u32(20) + 1) * this.#blockSize;
    if (this.#inodesPerGroup === 0 || this.#inodeSize < 128 || this.#inodeSize > this.#blockSize) {
      throw damagedFileSystem("inode size");
    }
    this.label = text(superblock, 120, 16);
    const needsRecovery = (u32(92) & COMPATIBLE_JOURNAL) !== 0 && (incompatible & INCOMPATIBLE.recover) !== 0;
    this.#journalInode = needsRecovery ? u32(224) : undefined;
  }

  /** Undefined after a clean unmount, or without a journal. @throws AppError INVALID_FILE */
  async unreplayedJournal(): Promise<JournalPlace | undefined> {
    if (this.#journalInode === undefined) return undefined;
    if (this.#journalInode === 0) throw damagedFileSystem("its journal is on another disk, and not replayed yet");
    const inode = await this.#inode(this.#journalInode);
    if (KINDS[inode.mode >> 12] !== "file") throw damagedFileSystem("its journal is no file");
    const blocks = Math.min(Math.floor(inode.sizeBytes / this.#blockSize), JOURNAL_MAX_BLOCKS);
    const runs: JournalRun[] = [];
    let end = 0;
    for await (const { first, blocks: count, start } of this.#runs(inode)) {
      if (first < end) throw damagedFileSystem("its journal has blocks out of order");
      if (first >= blocks) break;
      end = Math.min(first + count, blocks);
      const last = runs.at(-1);
      const goesOn =
        last?.start !== undefined && start === last.start + last.blocks && first === last.first + last.blocks;
      if (goesOn) runs[runs.length - 1] = { ...last, blocks: end - last.first };
      else runs.push({ first, blocks: end - first, start });
    }
    return { blockSize: this.#blockSize, runs };
  }

  async *list(): AsyncIterable<FileNode> {
    const waiting: { path: string; inode: number; depth: number }[] = [{ path: "", inode: ROOT_INODE, depth: 0 }];
    const seen = new Set<number>([ROOT_INODE]);
    let count = 0;
    for (let folder = waiting.pop(); folder; folder = waiting.pop()) {
      for (const [name, number] of await this.#entries(await this.#inode(folder.inode))) {
        if (++count > NODES_MAX) throw damagedFileSystem("too many files");
        const inode = await this.#inode(number);
        const kind = KINDS[inode.mode >> 12] ?? "other";
        const path = `${folder.path}/${name}`;
        yield {
          path,
          kind,
          sizeBytes: kind === "folder" ? 0 : inode.sizeBytes,
          modifiedMs: inode.modifiedMs,
          stamp: `${number} ${inode.mode} ${inode.sizeBytes} ${inode.changed}`,
        };
        if (kind !== "folder" || seen.has(number) || folder.depth >= DEPTH_MAX) continue;
        seen.add(number);
        waiting.push({ path, inode: number, depth: folder.depth + 1 });
      }
    }
  }

  async *read(path: string): AsyncIterable<Uint8Array> {
    let inode = await this.#inode(ROOT_INODE);
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (inode.mode >> 12 !== 0x4) throw noSuchFile(path);
      const number = (await this.#entries(inode)).get(name);
      if (number === undefined) throw noSuchFile(path);
      inode = await this.#inode(number);
    }
    const kind = KINDS[inode.mode >> 12];
    if (kind !== "file" && kind !== "link") throw noSuchFile(path);
    yield* this.#contents(inode);
  }

  async #inode(number: number): Promise<Inode> {
    if (number < 1 || number > this.#inodeCount) throw damagedFileSystem(`inode ${number} does not exist`);
    const group = Math.floor((number - 1) / this.#inodesPerGroup);
    const descriptor = await this.#source.view(this.#descriptors + group * this.#descriptorSize, this.#descriptorSize);
    const high = this.#descriptorSize >= 64 ? descriptor.getUint32(0x28, true) : 0;
    const table = (descriptor.getUint32(8, true) + high * 2 ** 32) * this.#blockSize;
    const at = table + ((number - 1) % this.#inodesPerGroup) * this.#inodeSize;
    const view = await this.#source.view(at, this.#inodeSize);
    const extra = this.#inodeSize > 128 ? view.getUint16(128, true) : 0;
    const changedExtra = extra >= 8 && this.#inodeSize >= 136 ? view.getUint32(132, true) : 0;
    const modifiedExtra = extra >= 12 && this.#inodeSize >= 140 ? view.getUint32(136, true) : 0;
    // Two bits of the extra word extend the seconds beyond 2038, the others are nanoseconds.
    const seconds = view.getInt32(16, true) + (modifiedExtra & 3) * 2 ** 32;
    return {
      number,
      mode: view.getUint16(0, true),
      sizeBytes: view.getUint32(4, true) + view.getUint32(108, true) * 2 ** 32,
      flags: view.getUint32(32, true),
      modifiedMs: seconds * 1000 + Math.floor((modifiedExtra >>> 2) / 1e6),
      changed: `${view.getUint32(12, true)}.${changedExtra}`,
      map: new DataView(view.buffer, view.byteOffset + 40, 60),
      inlineRest: inlineRest(view, 128 + extra),
    };
  }

  async #entries(folder: Inode): Promise<Map<string, number>> {
    const entries = new Map<string, number>();
    // Inline directories begin with the inode of their parent.
    let at = folder.flags & INODE_FLAG.inlineData ? 4 : 0;
    for await (const piece of this.#contents(folder)) {
      // Hash tree nodes look like unused entries that fill their block (linear directories and hash trees alike).
      const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
      while (at + 8 <= piece.length) {
        const number = view.getUint32(at, true);
        const length = view.getUint16(at + 4, true);
        const nameLength = view.getUint8(at + 6);
        if (length < 8 || at + 8 + nameLength > piece.length) break;
        const name = text(view, at + 8, nameLength);
        if (number !== 0 && name !== "." && name !== ".." && name !== "") entries.set(name, number);
        at += length;
        if (entries.size > NODES_MAX) throw damagedFileSystem("too many files in a folder");
      }
      at = 0;
    }
    return entries;
  }

  async *#contents(inode: Inode): AsyncIterable<Uint8Array> {
    const { sizeBytes, map, flags } = inode;
    const isShortLink = inode.mode >> 12 === 0xa && sizeBytes < 60 && !(flags & INODE_FLAG.extents);
    if (isShortLink || flags & INODE_FLAG.inlineData) {
      yield new Uint8Array(map.buffer, map.byteOffset, Math.min(60, sizeBytes)).slice();
      if (sizeBytes > 60) yield inode.inlineRest.subarray(0, sizeBytes - 60);
      return;
    }
    const size = this.#blockSize;
    if (sizeBytes > FILE_MAX_BLOCKS * size) throw damagedFileSystem(`inode ${inode.number} has an impossible size`);
    // Folders have no holes, whatever size a damaged one claims: nothing in a hole would be an entry.
    const hole = KINDS[inode.mode >> 12] === "folder" ? () => [] : zeroes;
    let done = 0;
    for await (const run of this.#runs(inode)) {
      if (run.first * size < done) throw damagedFileSystem(`inode ${inode.number} has blocks out of order`);
      const end = Math.min((run.first + run.blocks) * size, sizeBytes);
      yield* hole(Math.min(run.first * size, sizeBytes) - done);
      done = Math.max(done, Math.min(run.first * size, sizeBytes));
      while (done < end) {
        const length = Math.min(READ_BYTES, end - done);
        if (run.start === undefined) yield* hole(length);
        else yield await this.#source.bytes(run.start * size + (done - run.first * size), length);
        done += length;
      }
    }
    yield* hole(sizeBytes - done);
  }

  #runs({ flags, map, sizeBytes }: Inode): AsyncIterable<Run> {
    return flags & INODE_FLAG.extents ? this.#extents(map, 0, new Set()) : this.#blockMap(map, sizeBytes);
  }

  /** `seen`: the blocks that the tree has already, for one that comes back to itself. */
  async *#extents(node: DataView, level: number, seen: Set<number>): AsyncIterable<Run> {
    if (node.getUint16(0, true) !== EXTENT_MAGIC || level > 5) throw damagedFileSystem("extent tree");
    const count = Math.min(node.getUint16(2, true), Math.floor(node.byteLength / 12) - 1);
    const depth = node.getUint16(6, true);
    for (let index = 1; index <= count; index++) {
      const at = index * 12;
      const first = node.getUint32(at, true);
      if (depth > 0) {
        const block = node.getUint32(at + 4, true) + node.getUint16(at + 8, true) * 2 ** 32;
        if (seen.has(block)) throw damagedFileSystem("extent tree");
        seen.add(block);
        yield* this.#extents(await this.#source.view(block * this.#blockSize, this.#blockSize), level + 1, seen);
        continue;
      }
      const length = node.getUint16(at + 4, true);
      const start = node.getUint16(at + 6, true) * 2 ** 32 + node.getUint32(at + 8, true);
      // More than 32768 says that the blocks are there but were never written.
      if (length > 32768) yield { first, blocks: length - 32768, start: undefined };
      else yield { first, blocks: length, start };
    }
  }

  /** Twelve blocks, then one, two and three levels of tables of blocks. */
  async *#blockMap(map: DataView, sizeBytes: number): AsyncIterable<Run> {
    const total = Math.ceil(sizeBytes / this.#blockSize);
    const blocks = Math.min(this.#blockCount, this.#source.sizeBytes / this.#blockSize);
    if (total > blocks * 8 + 1024) throw damagedFileSystem("file size");
    const position = { next: 0 };
    for (let index = 0; index < 15 && position.next < total; index++) {
      yield* this.#mapped(map.getUint32(index * 4, true), Math.max(0, index - 11), position, total);
    }
  }

  async *#mapped(block: number, level: number, position: { next: number }, total: number): AsyncIterable<Run> {
    const perTable = this.#blockSize / 4;
    if (level === 0 || block === 0) {
      const blocks = perTable ** level;
      if (block !== 0) yield { first: position.next, blocks, start: block };
      position.next += blocks;
      return;
    }
    const table = await this.#source.view(block * this.#blockSize, this.#blockSize);
    for (let index = 0; index < perTable && position.next < total; index++) {
      yield* this.#mapped(table.getUint32(index * 4, true), level - 1, position, total);
    }
  }
}

const ATTRIBUTES_MAGIC = 0xea020000;
const SYSTEM_ATTRIBUTE = 7;

/** The attribute `system.data` behind an inode's fields: offsets are from the first entry, which follows the magic number. */
function inlineRest(inode: DataView, offset: number): Uint8Array {
  const none = new Uint8Array(0);
  if (offset + 4 > inode.byteLength || inode.getUint32(offset, true) !== ATTRIBUTES_MAGIC) return none;
  const first = offset + 4;
  for (let at = first; at + 16 <= inode.byteLength && inode.getUint32(at, true) !== 0; ) {
    const nameLength = inode.getUint8(at);
    if (at + 16 + nameLength > inode.byteLength) return none;
    const value = first + inode.getUint16(at + 2, true);
    const size = inode.getUint32(at + 8, true);
    if (inode.getUint8(at + 1) === SYSTEM_ATTRIBUTE && text(inode, at + 16, nameLength) === "data") {
      return value + size > inode.byteLength
        ? none
        : new Uint8Array(inode.buffer, inode.byteOffset + value, size).slice();
    }
    at += (16 + nameLength + 3) & ~3;
  }
  return none;
}

function* zeroes(length: number): Iterable<Uint8Array> {
  for (let done = 0; done < length; done += READ_BYTES) yield new Uint8Array(Math.min(READ_BYTES, length - done));
}

const decoder = new TextDecoder();

function text(view: DataView, offset: number, length: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, length);
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
