// NTFS 3.x, read by its master file table: every file has a record there that names its folder (linux-ntfs project, "NTFS Documentation";
// numbers in brackets below are its attribute types). Files that NTFS compressed or encrypted are listed but not read.
import { AppError } from "../../common/errors.ts";
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
import { attributesOf, type NtfsAttribute, type NtfsRun, openRecord, RECORD_FLAG, runsOf } from "./ntfs-records.ts";

const TYPE = { standard: 0x10, list: 0x20, name: 0x30, volumeName: 0x60, data: 0x80, reparse: 0xc0 } as const;
/** Records below are the file system's own, the root folder among them. */
const FIRST_USER_RECORD = 16;
const ROOT_RECORD = 5;
const VOLUME_RECORD = 3;
/** A name for programs that know eight letters only; the long one is there, too. */
const NAMESPACE_DOS = 2;
const DATA_FLAG = { compressed: 0x00ff, encrypted: 0x4000 } as const;
const READ_BYTES = 1 << 20;
/** 100 ns since 1601, and milliseconds since 1970. */
const EPOCH_MS = 11_644_473_600_000;

interface NtfsFile {
  readonly names: { readonly parent: number; readonly name: string }[];
  isFolder: boolean;
  isLink: boolean;
  sizeBytes: number;
  modifiedMs: number;
  stamp: string;
  /** Records that hold parts of its contents. */
  readonly dataRecords: number[];
}

/** Undefined when there is no such file system. @throws AppError when it is one that can't be read */
export async function openNtfs(source: BlockSource): Promise<FileSystem | undefined> {
  if (source.sizeBytes < 512) return undefined;
  const cache = new CachedSource(source);
  const boot = await cache.view(0, 512);
  // "NTFS    "
  if (boot.getBigUint64(3, true) !== 0x202020205346544en) return undefined;
  const ntfs = new Ntfs(cache, boot);
  await ntfs.open();
  return ntfs;
}

class Ntfs implements FileSystem {
  readonly kind = "ntfs";
  label = "";
  readonly sizeBytes: number;
  readonly #source: CachedSource;
  readonly #clusterBytes: number;
  readonly #recordBytes: number;
  #table: { runs: readonly NtfsRun[]; sizeBytes: number };
  #files: Promise<Map<number, NtfsFile>> | undefined;

  constructor(source: CachedSource, boot: DataView) {
    this.#source = source;
    const sector = boot.getUint16(11, true);
    const perCluster = boot.getUint8(13);
    this.#clusterBytes = sector * (perCluster > 128 ? 2 ** (256 - perCluster) : perCluster);
    // Behind the last sector that it counts is a copy of the boot sector.
    this.sizeBytes = Number(boot.getBigUint64(40, true)) * sector + sector;
    const recordSize = boot.getInt8(64);
    this.#recordBytes = recordSize < 0 ? 2 ** -recordSize : recordSize * this.#clusterBytes;
    const isPower = (value: number, max: number) => value >= 512 && value <= max && (value & (value - 1)) === 0;
    if (!isPower(sector, 4096) || !isPower(this.#clusterBytes, 2 << 20) || !isPower(this.#recordBytes, 64 << 10))
      throw damagedFileSystem("boot sector");
    // Enough of the table to read its own record.
    const start = Number(boot.getBigUint64(48, true));
    this.#table = {
      runs: [{ first: 0, clusters: Math.ceil((FIRST_USER_RECORD * this.#recordBytes) / this.#clusterBytes), start }],
      sizeBytes: FIRST_USER_RECORD * this.#recordBytes,
    };
  }

  /** The table's own record says where the rest of it is. */
  async open(): Promise<void> {
    const own = await this.#attributes(0);
    const data = unnamedData(own);
    if (!data || data.resident) throw damagedFileSystem("master file table");
    this.#table = { runs: runsOf(data), sizeBytes: data.sizeBytes };
    const parts = await this.#dataRecords(own, 0);
    if (parts.length > 1) this.#table = { runs: await this.#runs(parts), sizeBytes: data.sizeBytes };
    const name = (await this.#attributes(VOLUME_RECORD)).find(({ type }) => type === TYPE.volumeName);
    if (name?.resident) this.label = utf16(name.value, 0, name.value.byteLength / 2);
  }

  async *list(): AsyncIterable<FileNode> {
    const files = await this.#scan();
    const children = new Map<number, { name: string; number: number }[]>();
    for (const [number, { names }] of files) {
      for (const { parent, name } of names) {
        const siblings = children.get(parent);
        if (siblings) siblings.push({ name, number });
        else children.set(parent, [{ name, number }]);
      }
    }
    const waiting = [{ path: "", number: ROOT_RECORD, depth: 0 }];
    const seen = new Set<number>();
    for (let folder = waiting.pop(); folder; folder = waiting.pop()) {
      for (const { name, number } of children.get(folder.number) ?? []) {
        const file = files.get(number);
        if (!file) continue;
        const path = `${folder.path}/${name}`;
        yield {
          path,
          kind: file.isLink ? "link" : file.isFolder ? "folder" : "file",
          sizeBytes: file.isFolder ? 0 : file.sizeBytes,
          modifiedMs: file.modifiedMs,
          stamp: file.stamp,
        };
        if (!file.isFolder || seen.has(number) || folder.depth >= DEPTH_MAX) continue;
        seen.add(number);
        waiting.push({ path, number, depth: folder.depth + 1 });
      }
    }
  }

  async *read(path: string): AsyncIterable<Uint8Array> {
    const files = await this.#scan();
    let number = ROOT_RECORD;
    for (const part of path.split("/").filter((each) => each !== "")) {
      const wanted = part.toLowerCase();
      const found = [...files].find(([, { names }]) =>
        names.some(({ parent, name }) => parent === number && name.toLowerCase() === wanted),
      );
      if (!found) throw noSuchFile(path);
      number = found[0];
    }
    const file = files.get(number);
    if (!file || file.isFolder || file.isLink) throw noSuchFile(path);
    yield* this.#contents(path, file);
  }

  async *#contents(path: string, { dataRecords, sizeBytes }: NtfsFile): AsyncIterable<Uint8Array> {
    const [first = -1] = dataRecords;
    const data = first < 0 ? undefined : unnamedData(await this.#attributes(first));
    if (!data) return;
    if (data.resident) {
      yield new Uint8Array(data.value.buffer, data.value.byteOffset, data.value.byteLength).slice();
      return;
    }
    if (data.flags & (DATA_FLAG.compressed | DATA_FLAG.encrypted)) {
      throw new AppError("UNSUPPORTED", `${path} is compressed or encrypted by NTFS`, {
        field: "path",
        consequence: "It can't be read from outside of the guest.",
        remedy: "Restore the snapshot in a clone and copy the file there.",
      });
    }
    // Behind what was ever written it reads as zeroes, whatever its clusters hold.
    const written = Math.min(data.initializedBytes, sizeBytes);
    const runs = await this.#runs(dataRecords);
    const end = Math.max(0, ...runs.map(({ first, clusters }) => first + clusters)) * this.#clusterBytes;
    if (end < sizeBytes) throw damagedFileSystem(`${path} has too few clusters`);
    yield* this.#stream(runs, written);
    for (let left = sizeBytes - written; left > 0; left -= READ_BYTES) yield new Uint8Array(Math.min(left, READ_BYTES));
  }

  async *#stream(runs: readonly NtfsRun[], sizeBytes: number): AsyncIterable<Uint8Array> {
    for (let offset = 0; offset < sizeBytes; offset += READ_BYTES) {
      yield await this.#bytes(runs, offset, Math.min(READ_BYTES, sizeBytes - offset));
    }
  }

  async #bytes(runs: readonly NtfsRun[], offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (const { first, clusters, start } of runs) {
      const from = Math.max(offset, first * this.#clusterBytes);
      const to = Math.min(offset + length, (first + clusters) * this.#clusterBytes);
      if (from >= to || start === undefined) continue;
      const at = start * this.#clusterBytes + from - first * this.#clusterBytes;
      bytes.set(await this.#source.bytes(at, to - from), from - offset);
    }
    return bytes;
  }

  /** Everything that the records say of files, by the number of each file's first record. */
  #scan(): Promise<Map<number, NtfsFile>> {
    this.#files ??= this.#scanNow();
    return this.#files;
  }

  async #scanNow(): Promise<Map<number, NtfsFile>> {
    const files = new Map<number, NtfsFile>();
    const { runs, sizeBytes } = this.#table;
    const count = Math.floor(sizeBytes / this.#recordBytes);
    if (count > NODES_MAX) throw damagedFileSystem("too many files");
    let number = 0;
    for await (const piece of this.#stream(runs, count * this.#recordBytes)) {
      for (let at = 0; at + this.#recordBytes <= piece.length; at += this.#recordBytes, number++) {
        if (number < FIRST_USER_RECORD) continue;
        const record = openRecord(piece.subarray(at, at + this.#recordBytes));
        // Records that were never used, or that the guest was writing when the power went.
        if (!record || !(record.flags & RECORD_FLAG.used)) continue;
        const own = record.base === 0 ? number : record.base;
        const file = files.get(own) ?? newFile();
        files.set(own, file);
        if (record.base === 0) file.isFolder = (record.flags & RECORD_FLAG.folder) !== 0;
        for (const attribute of attributesOf(record)) take(file, number, attribute);
      }
    }
    return files;
  }

  async #attributes(number: number): Promise<NtfsAttribute[]> {
    const bytes = await this.#bytes(this.#table.runs, number * this.#recordBytes, this.#recordBytes);
    const record = openRecord(bytes);
    if (!record) throw damagedFileSystem(`record ${number}`);
    return [...attributesOf(record)];
  }

  /** The records with parts of the contents of a file whose attributes did not fit into one. */
  async #dataRecords(attributes: readonly NtfsAttribute[], own: number): Promise<number[]> {
    const list = attributes.find(({ type }) => type === TYPE.list);
    if (!list) return [own];
    const view = list.resident
      ? list.value
      : viewOf(await this.#bytes(runsOf(list), 0, Math.min(list.sizeBytes, READ_BYTES)));
    const records = new Set<number>();
    for (let at = 0; at + 26 <= view.byteLength; ) {
      const length = view.getUint16(at + 4, true);
      if (length < 26) break;
      if (view.getUint32(at, true) === TYPE.data && view.getUint8(at + 6) === 0) records.add(reference(view, at + 16));
      at += length;
    }
    return [...records];
  }

  async #runs(records: readonly number[]): Promise<NtfsRun[]> {
    const runs: NtfsRun[] = [];
    for (const number of records) {
      const data = unnamedData(await this.#attributes(number));
      if (data && !data.resident) runs.push(...runsOf(data));
    }
    return runs;
  }
}

function newFile(): NtfsFile {
  return { names: [], isFolder: false, isLink: false, sizeBytes: 0, modifiedMs: 0, stamp: "", dataRecords: [] };
}

function take(file: NtfsFile, record: number, attribute: NtfsAttribute): void {
  if (attribute.type === TYPE.data && !attribute.isNamed) {
    // The first part of the contents says how long they are.
    if (attribute.resident || attribute.firstCluster === 0) {
      file.sizeBytes = attribute.resident ? attribute.value.byteLength : attribute.sizeBytes;
      file.dataRecords.unshift(record);
    } else file.dataRecords.push(record);
  } else if (attribute.type === TYPE.reparse) file.isLink = true;
  else if (attribute.resident) {
    const { type, value } = attribute;
    if (type === TYPE.standard && value.byteLength >= 32) {
      file.modifiedMs = Number(value.getBigUint64(8, true) / 10_000n) - EPOCH_MS;
      // When the contents and when anything about it changed.
      file.stamp = `${value.getBigUint64(8, true)} ${value.getBigUint64(16, true)}`;
    }
    if (type === TYPE.name && value.byteLength >= 66 && value.getUint8(65) !== NAMESPACE_DOS) {
      file.names.push({ parent: reference(value, 0), name: utf16(value, 66, value.getUint8(64)).replaceAll("/", "_") });
    }
  }
}

function unnamedData(attributes: readonly NtfsAttribute[]): NtfsAttribute | undefined {
  return attributes.find(({ type, isNamed }) => type === TYPE.data && !isNamed);
}

/** The number of a record in a reference to it; the upper 16 bits count how often it was used anew. */
function reference(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true) & 0xffff_ffff_ffffn);
}

function utf16(view: DataView, at: number, length: number): string {
  let text = "";
  for (let index = 0; index < length && at + 2 * index + 2 <= view.byteLength; index++)
    text += String.fromCharCode(view.getUint16(at + 2 * index, true));
  return text;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
