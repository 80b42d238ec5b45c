// VMware's VMDK (Virtual Disk Format 5.0): sparse extents, compressed ones as in OVF packages, and disks that a text file puts together
// from extents beside it.
//
//   sparse extent: header, grain directory -> grain tables -> grains (64 KiB); numbers count sectors
import type { LayerExtent } from "../disk-image.ts";
import { type ImageFile, readPadded } from "../image-file.ts";
import { invalidImage, unsupportedImage } from "../media-error.ts";
import type { Decompressors } from "../qcow2/decompress.ts";
import {
  BlockImage,
  type BlockPlace,
  checkBlockSize,
  checkSize,
  type ForeignImage,
  HeaderReader,
  readTable,
} from "./foreign-image.ts";

export const VMDK_MAGIC = "KDMV";
export const VMDK_DESCRIPTOR = "# Disk DescriptorFile";
const SECTOR = 512;
const HEADER_BYTES = 512;
const DESCRIPTOR_MAX_BYTES = 1 << 20;
const EXTENTS_MAX = 1024;
const FLAG = { ZERO_GRAINS: 1 << 2, COMPRESSED: 1 << 16 } as const;
/** The directory's place is in a footer, two sectors before the end: the image was written as a stream. */
const IN_FOOTER = 0xffffffffffffffffn;
const FOOTER_FROM_END = 2 * SECTOR;
const GRAIN_HEADER_BYTES = 12;
const ZLIB_HEADER_BYTES = 2;
const TABLES_KEPT = 64;
const REMEDY = "Make a full disk of it with its own product first (vmware-vdiskmanager -r, VBoxManage clonemedium).";

export interface VmdkHost {
  readonly decompressors: Pick<Decompressors, "inflateRaw">;
  /** Opens an extent that lies beside the descriptor. */
  openBeside(name: string): Promise<ImageFile>;
}

/** A sparse extent that is a whole disk. */
export async function openVmdk(file: ImageFile, host: VmdkHost): Promise<ForeignImage> {
  const first = await HeaderReader.at(file, 0, HEADER_BYTES, "little");
  const descriptorAt = first.u64(28, "descriptor") * SECTOR;
  const descriptorBytes = Math.min(first.u64(36, "descriptor") * SECTOR, DESCRIPTOR_MAX_BYTES);
  if (descriptorAt > 0) {
    const text = new Uint8Array(descriptorBytes);
    await readPadded(file, descriptorAt, text);
    requireNoParent(file, new TextDecoder("latin1").decode(text));
  }
  return openSparse(file, host);
}

/** A text file that names extents. */
export async function openVmdkDescriptor(file: ImageFile, host: VmdkHost): Promise<ForeignImage> {
  const bytes = new Uint8Array(Math.min(await file.size(), DESCRIPTOR_MAX_BYTES));
  await readPadded(file, 0, bytes);
  const text = new TextDecoder("latin1").decode(bytes);
  requireNoParent(file, text);
  const lines = [...text.matchAll(/^\s*(?:RW|RDONLY)\s+(\d+)\s+(\w+)(?:\s+"([^"]*)"(?:\s+(\d+))?)?/gm)];
  if (lines.length === 0 || lines.length > EXTENTS_MAX) {
    throw invalidImage(file.name, "extents", lines.length === 0 ? "are missing" : "are too many");
  }
  const extents: Extent[] = [];
  try {
    let offset = 0;
    for (const [, sectors = "0", kind = "", name, start = "0"] of lines) {
      const sizeBytes = checkSize(file, Number(sectors) * SECTOR);
      extents.push({
        offset,
        sizeBytes,
        disk: await openExtent(file, host, kind, name, Number(start) * SECTOR, sizeBytes),
      });
      offset += sizeBytes;
    }
    checkSize(file, offset);
  } catch (error) {
    await closeAll(extents);
    throw error;
  }
  await file.close();
  return new JoinedImage(extents);
}

interface Extent {
  /** Where it begins on the disk. */
  readonly offset: number;
  readonly sizeBytes: number;
  /** Undefined: zeroes. */
  readonly disk: ForeignImage | undefined;
}

async function openExtent(
  descriptor: ImageFile,
  host: VmdkHost,
  kind: string,
  name: string | undefined,
  start: number,
  sizeBytes: number,
): Promise<ForeignImage | undefined> {
  if (kind === "ZERO") return undefined;
  // The name comes from whoever made the image: only a file beside it is meant, never one elsewhere on the host.
  if (name === undefined || /[/\\]/.test(name) || name.startsWith(".")) {
    throw invalidImage(descriptor.name, "extent", `names a file elsewhere: ${name ?? "none"}`);
  }
  if (kind !== "FLAT" && kind !== "VMFS" && kind !== "SPARSE") {
    throw unsupportedImage(descriptor.name, "extent", `it has an extent of kind ${kind}`, REMEDY);
  }
  const file = await host.openBeside(name);
  try {
    const disk = kind === "SPARSE" ? await openSparse(file, host) : flatExtent(file, start, sizeBytes);
    if (disk.sizeBytes < sizeBytes) throw invalidImage(file.name, "size", "is smaller than its descriptor says");
    return disk;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function flatExtent(file: ImageFile, start: number, sizeBytes: number): ForeignImage {
  const blockBytes = 2 << 20;
  return new BlockImage(file, {
    ...{ format: "vmdk" as const, sizeBytes, blockBytes },
    place: (block) => start + block * blockBytes,
    close: () => file.close(),
  });
}

async function openSparse(file: ImageFile, { decompressors }: VmdkHost): Promise<ForeignImage> {
  let header = await HeaderReader.at(file, 0, HEADER_BYTES, "little");
  if (header.text(0, 4) !== VMDK_MAGIC) throw invalidImage(file.name, "header", "is missing");
  if (header.big(56) === IN_FOOTER) {
    header = await HeaderReader.at(file, (await file.size()) - FOOTER_FROM_END, HEADER_BYTES, "little");
    if (header.text(0, 4) !== VMDK_MAGIC) throw invalidImage(file.name, "footer", "is missing: the image is cut off");
  }
  const flags = header.u32(8);
  const sizeBytes = checkSize(file, header.u64(12, "capacity") * SECTOR);
  const grainBytes = checkBlockSize(file, header.u64(20, "grain size") * SECTOR);
  const perTable = header.u32(44);
  if (perTable === 0 || perTable > 65536) throw invalidImage(file.name, "grain table", `has ${perTable} entries`);
  const grains = Math.ceil(sizeBytes / grainBytes);
  const directory = await readTable(file, header.u64(56, "grain directory") * SECTOR, Math.ceil(grains / perTable), 4);
  const tables = new TableCache(file, perTable);

  async function place(grain: number): Promise<BlockPlace> {
    const tableAt = directory.getUint32(Math.floor(grain / perTable) * 4, true);
    if (tableAt === 0) return undefined;
    const entry = (await tables.at(tableAt * SECTOR)).getUint32((grain % perTable) * 4, true);
    if (entry === 0 || (entry === 1 && flags & FLAG.ZERO_GRAINS)) return undefined;
    if (!(flags & FLAG.COMPRESSED)) return entry * SECTOR;
    return { read: () => inflate(file, entry * SECTOR, grainBytes, decompressors) };
  }

  return new BlockImage(file, {
    ...{ format: "vmdk" as const, sizeBytes, blockBytes: grainBytes },
    place,
    close: () => file.close(),
  });
}

/** {sector:u64 length:u32}, then zlib data. */
async function inflate(
  file: ImageFile,
  at: number,
  grainBytes: number,
  decompressors: VmdkHost["decompressors"],
): Promise<Uint8Array> {
  const header = await HeaderReader.at(file, at, GRAIN_HEADER_BYTES, "little");
  const length = header.u32(8);
  if (length < ZLIB_HEADER_BYTES || length > 2 * grainBytes + SECTOR)
    throw invalidImage(file.name, "grain", `of ${length} bytes makes no sense`);
  const data = new Uint8Array(length);
  await readPadded(file, at + GRAIN_HEADER_BYTES, data);
  try {
    return await decompressors.inflateRaw(data.subarray(ZLIB_HEADER_BYTES), grainBytes);
  } catch {
    throw invalidImage(file.name, "grain", "can't be decompressed");
  }
}

class TableCache {
  readonly #file: ImageFile;
  readonly #entries: number;
  readonly #tables = new Map<number, DataView>();

  constructor(file: ImageFile, entries: number) {
    this.#file = file;
    this.#entries = entries;
  }

  async at(offset: number): Promise<DataView> {
    const known = this.#tables.get(offset);
    if (known) return known;
    const table = await readTable(this.#file, offset, this.#entries, 4);
    const [oldest] = this.#tables.keys();
    if (this.#tables.size >= TABLES_KEPT && oldest !== undefined) this.#tables.delete(oldest);
    this.#tables.set(offset, table);
    return table;
  }
}

/** Extents one after another. */
class JoinedImage implements ForeignImage {
  readonly format = "vmdk";
  readonly sizeBytes: number;
  readonly #extents: readonly Extent[];

  constructor(extents: readonly Extent[]) {
    this.#extents = extents;
    this.sizeBytes = extents.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const extent = this.#at(offset + done);
      const inside = offset + done - extent.offset;
      const part = target.subarray(done, done + Math.min(extent.sizeBytes - inside, target.length - done));
      if (extent.disk) await extent.disk.read(inside, part);
      else part.fill(0);
      done += part.length;
    }
  }

  async extentAt(offset: number, length: number): Promise<LayerExtent> {
    const extent = this.#at(offset);
    const inside = offset - extent.offset;
    const within = Math.min(length, extent.sizeBytes - inside);
    return extent.disk ? extent.disk.extentAt(inside, within) : { kind: "zero", length: within };
  }

  close(): Promise<void> {
    return closeAll(this.#extents);
  }

  #at(offset: number): Extent {
    const found = this.#extents.find((extent) => offset < extent.offset + extent.sizeBytes);
    if (!found) throw new Error("assertion failed: the request lies inside the disk");
    return found;
  }
}

async function closeAll(extents: readonly Extent[]): Promise<void> {
  for (const { disk } of extents) await disk?.close();
}

function requireNoParent(file: ImageFile, descriptor: string): void {
  const parent = /^\s*parentCID\s*=\s*([0-9a-f]+)/im.exec(descriptor)?.[1];
  if (parent === undefined || parent.toLowerCase() === "ffffffff") return;
  throw unsupportedImage(file.name, "parent", "it is a snapshot on top of another disk", REMEDY);
}
