// FAT12, FAT16 and FAT32 with long names (Microsoft, "FAT32 File System Specification", 2000).
import {
  type BlockSource,
  CachedSource,
  DEPTH_MAX,
  damagedFileSystem,
  type FileNode,
  type FileSystem,
  NODES_MAX,
  noSuchFile,
} from "./file-system.ts";

const ATTRIBUTE = { volume: 0x08, folder: 0x10, longName: 0x0f } as const;
const ENTRY_BYTES = 32;
const DELETED = 0xe5;
/** Positions of the 13 UTF-16 units of a name in a long name entry. */
const LONG_NAME_UNITS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] as const;
const FOLDER_MAX_BYTES = 2 << 20;

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly firstCluster: number;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** Undefined when there is no such file system. */
export async function openFat(source: BlockSource): Promise<FileSystem | undefined> {
  if (source.sizeBytes < 512) return undefined;
  const cache = new CachedSource(source);
  const boot = await cache.view(0, 512);
  const bytesPerSector = boot.getUint16(11, true);
  const sectorsPerCluster = boot.getUint8(13);
  const isJump = boot.getUint8(0) === 0xeb || boot.getUint8(0) === 0xe9;
  const isPower = (value: number) => value > 0 && (value & (value - 1)) === 0;
  const isFat = isJump && isPower(bytesPerSector) && bytesPerSector >= 512 && bytesPerSector <= 4096;
  if (!isFat || !isPower(sectorsPerCluster) || boot.getUint8(16) === 0 || boot.getUint16(14, true) === 0)
    return undefined;
  // exFAT and NTFS keep these fields zero.
  if (boot.getUint16(22, true) === 0 && boot.getUint32(36, true) === 0) return undefined;
  return new Fat(cache, boot);
}

class Fat implements FileSystem {
  readonly kind = "fat";
  readonly label: string;
  readonly sizeBytes: number;
  readonly #source: CachedSource;
  readonly #bits: 12 | 16 | 32;
  readonly #table: number;
  readonly #root: { readonly offset: number; readonly bytes: number } | { readonly cluster: number };
  readonly #data: number;
  readonly #clusterBytes: number;
  readonly #clusters: number;

  constructor(source: CachedSource, boot: DataView) {
    this.#source = source;
    const sector = boot.getUint16(11, true);
    const tables = boot.getUint8(16);
    const tableSectors = boot.getUint16(22, true) || boot.getUint32(36, true);
    const rootEntries = boot.getUint16(17, true);
    const sectors = boot.getUint16(19, true) || boot.getUint32(32, true);
    this.sizeBytes = sectors * sector;
    this.#table = boot.getUint16(14, true) * sector;
    const rootOffset = this.#table + tables * tableSectors * sector;
    const rootBytes = Math.ceil((rootEntries * ENTRY_BYTES) / sector) * sector;
    this.#data = rootOffset + rootBytes;
    this.#clusterBytes = boot.getUint8(13) * sector;
    this.#clusters = Math.floor((sectors * sector - this.#data) / this.#clusterBytes);
    if (this.#clusters < 1) throw damagedFileSystem("number of clusters");
    // The number of clusters alone decides (specification, "FAT type determination").
    this.#bits = this.#clusters < 4085 ? 12 : this.#clusters < 65525 ? 16 : 32;
    this.#root = this.#bits === 32 ? { cluster: boot.getUint32(44, true) } : { offset: rootOffset, bytes: rootBytes };
    this.label = shortName(boot, this.#bits === 32 ? 71 : 43, 11);
  }

  async *list(): AsyncIterable<FileNode> {
    const waiting: { path: string; bytes: Uint8Array; depth: number }[] = [
      { path: "", bytes: await this.#rootFolder(), depth: 0 },
    ];
    const seen = new Set<number>();
    let count = 0;
    for (let folder = waiting.pop(); folder; folder = waiting.pop()) {
      for (const entry of entriesOf(folder.bytes)) {
        if (++count > NODES_MAX) throw damagedFileSystem("too many files");
        const path = `${folder.path}/${entry.name}`;
        yield {
          path,
          kind: entry.isFolder ? "folder" : "file",
          sizeBytes: entry.sizeBytes,
          modifiedMs: entry.modifiedMs,
          stamp: `${entry.firstCluster} ${entry.sizeBytes} ${entry.modifiedMs}`,
        };
        if (!entry.isFolder || seen.has(entry.firstCluster) || folder.depth >= DEPTH_MAX) continue;
        seen.add(entry.firstCluster);
        waiting.push({ path, bytes: await this.#folder(entry.firstCluster), depth: folder.depth + 1 });
      }
    }
  }

  async *read(path: string): AsyncIterable<Uint8Array> {
    let bytes = await this.#rootFolder();
    const names = path.split("/").filter((part) => part !== "");
    for (const [index, name] of names.entries()) {
      const entry = entriesOf(bytes).find((each) => each.name.toLowerCase() === name.toLowerCase());
      const isLast = index === names.length - 1;
      if (!entry || entry.isFolder === isLast) throw noSuchFile(path);
      if (!isLast) bytes = await this.#folder(entry.firstCluster);
      else yield* this.#chain(entry.firstCluster, entry.sizeBytes);
    }
    if (names.length === 0) throw noSuchFile(path);
  }

  #rootFolder(): Promise<Uint8Array> {
    return "cluster" in this.#root
      ? this.#folder(this.#root.cluster)
      : this.#source.bytes(this.#root.offset, this.#root.bytes);
  }

  async #folder(cluster: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of this.#chain(cluster, FOLDER_MAX_BYTES, true)) {
      pieces.push(piece);
      length += piece.length;
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  /** Clusters up to `limit` bytes. A file whose chain ends before its size is damaged; a folder just ends. */
  async *#chain(first: number, limit: number, mayEnd = false): AsyncIterable<Uint8Array> {
    let cluster = first;
    for (let done = 0, steps = 0; done < limit; steps++) {
      if (cluster < 2 || cluster > this.#clusters + 1 || steps > this.#clusters) {
        if (mayEnd && steps <= this.#clusters) return;
        throw damagedFileSystem("a chain of clusters");
      }
      const length = Math.min(this.#clusterBytes, limit - done);
      yield await this.#source.bytes(this.#data + (cluster - 2) * this.#clusterBytes, length);
      done += length;
      cluster = await this.#next(cluster);
    }
  }

  async #next(cluster: number): Promise<number> {
    if (this.#bits === 12) {
      const pair = (await this.#source.view(this.#table + Math.floor(cluster * 1.5), 2)).getUint16(0, true);
      return cluster & 1 ? pair >> 4 : pair & 0xfff;
    }
    if (this.#bits === 16) return (await this.#source.view(this.#table + cluster * 2, 2)).getUint16(0, true);
    return (await this.#source.view(this.#table + cluster * 4, 4)).getUint32(0, true) & 0x0fffffff;
  }
}

function entriesOf(bytes: Uint8Array): Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Entry[] = [];
  let longName: string[] = [];
  for (let at = 0; at + ENTRY_BYTES <= bytes.length && bytes[at] !== 0; at += ENTRY_BYTES) {
    const attributes = view.getUint8(at + 11);
    if (bytes[at] === DELETED) longName = [];
    else if ((attributes & ATTRIBUTE.longName) === ATTRIBUTE.longName) {
      const units = LONG_NAME_UNITS.map((unit) => view.getUint16(at + unit, true));
      const end = units.indexOf(0);
      longName.unshift(String.fromCharCode(...(end < 0 ? units : units.slice(0, end))));
    } else {
      const entry = entryAt(view, at, longName.join(""));
      longName = [];
      if (!(attributes & ATTRIBUTE.volume) && entry.name !== "." && entry.name !== "..") entries.push(entry);
    }
  }
  return entries;
}

function entryAt(view: DataView, at: number, longName: string): Entry {
  const extension = shortName(view, at + 8, 3);
  const short = shortName(view, at, 8) + (extension && `.${extension}`);
  const [time, date] = [view.getUint16(at + 22, true), view.getUint16(at + 24, true)];
  const isFolder = (view.getUint8(at + 11) & ATTRIBUTE.folder) !== 0;
  return {
    name: (longName || short).replaceAll("/", "_"),
    isFolder,
    firstCluster: view.getUint16(at + 20, true) * 0x10000 + view.getUint16(at + 26, true),
    sizeBytes: isFolder ? 0 : view.getUint32(at + 28, true),
    modifiedMs: Date.UTC(
      1980 + (date >> 9),
      ((date >> 5) & 15) - 1,
      date & 31,
      time >> 11,
      (time >> 5) & 63,
      (time & 31) * 2,
    ),
  };
}

function shortName(view: DataView, offset: number, length: number): string {
  let name = "";
  for (let index = 0; index < length; index++) name += String.fromCharCode(view.getUint8(offset + index));
  return name.trimEnd();
}
