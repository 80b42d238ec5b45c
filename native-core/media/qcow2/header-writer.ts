// Making and changing qcow2 headers. A change that must not tear is one write inside the first sector.
import type { ImageFile } from "../image-file.ts";
import { invalidImage } from "../media-error.ts";
import {
  BACKING_NAME_MAX,
  ENCRYPTION_LUKS,
  EXTENSION,
  HEADER_V3_LENGTH,
  parseHeader,
  QCOW2_MAGIC,
  type Qcow2Header,
} from "./header.ts";

export interface BackingReference {
  readonly name: string;
  readonly format: string;
}

/** Header fields that are chosen when an image is made. */
export interface HeaderFields {
  readonly clusterBits: number;
  readonly sizeBytes: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  /** Of an encrypted image, where its LUKS header is. */
  readonly encryption?: { readonly offset: number; readonly length: number } | undefined;
}

/** Room for names, far from the first sector, so that a new name never overwrites the one in use. */
const NAME_SLOTS = [4096, 8192] as const;
const SECTOR = 512;

/** Clears what this implementation doesn't keep up to date (bitmaps and the like), before the first write. */
export async function markWritable(file: ImageFile, header: Qcow2Header): Promise<void> {
  if (header.autoclear === 0n) return;
  await file.write(88, new Uint8Array(8));
  await file.flush();
}

/** A version 3 header cluster without the backing file's name, which `changeBacking` or `create` puts at `nameOffset`. */
export function encodeHeader(
  fields: HeaderFields,
  backing: (BackingReference & { nameOffset: number }) | undefined,
): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, QCOW2_MAGIC);
  view.setUint32(4, 3);
  view.setUint32(20, fields.clusterBits);
  view.setBigUint64(24, BigInt(fields.sizeBytes));
  view.setUint32(36, fields.l1Entries);
  view.setBigUint64(40, BigInt(fields.l1Offset));
  view.setBigUint64(48, BigInt(fields.refcountTableOffset));
  view.setUint32(56, fields.refcountTableClusters);
  view.setUint32(96, 4);
  view.setUint32(100, HEADER_V3_LENGTH);
  const at = writeBacking(view, HEADER_V3_LENGTH, backing);
  if (fields.encryption) {
    view.setUint32(32, ENCRYPTION_LUKS);
    view.setUint32(at, EXTENSION.encryption);
    view.setUint32(at + 4, 16);
    view.setBigUint64(at + 8, BigInt(fields.encryption.offset));
    view.setBigUint64(at + 16, BigInt(fields.encryption.length));
  }
  return bytes;
}

function writeBacking(
  view: DataView,
  at: number,
  backing: (BackingReference & { nameOffset: number }) | undefined,
): number {
  view.setBigUint64(8, BigInt(backing?.nameOffset ?? 0));
  view.setUint32(16, backing ? new TextEncoder().encode(backing.name).length : 0);
  if (!backing) return at;
  const format = new TextEncoder().encode(backing.format);
  view.setUint32(at, EXTENSION.backingFormat);
  view.setUint32(at + 4, format.length);
  new Uint8Array(view.buffer, view.byteOffset + at + 8, format.length).set(format);
  return at + 8 + Math.ceil(format.length / 8) * 8;
}

/** UTF-8 of a backing name; throws AppError when the format has no room for it. */
export function encodeBackingName(file: string, name: string): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > BACKING_NAME_MAX) {
    throw invalidImage(file, "backing file name", `is ${bytes.length} bytes long, not 1 to ${BACKING_NAME_MAX}`);
  }
  return bytes;
}

/** Where a name may go that doesn't overlap the one in use. Small clusters have one place only, behind the first sector. */
export function nameSlot(clusterSize: number, inUse: number | undefined): number {
  if (clusterSize < NAME_SLOTS[1] + BACKING_NAME_MAX) return SECTOR;
  return inUse === NAME_SLOTS[0] ? NAME_SLOTS[1] : NAME_SLOTS[0];
}

/** Points the image at another backing file, or at none: first the name, made durable, then the header in one sector. */
export async function changeBacking(
  file: ImageFile,
  header: Qcow2Header,
  backing: BackingReference | undefined,
): Promise<Qcow2Header> {
  const sector = new Uint8Array(SECTOR);
  await file.read(0, sector);
  const view = new DataView(sector.buffer);
  const nameOffset = nameSlot(header.clusterSize, header.backing?.nameOffset);
  if (backing) {
    const name = encodeBackingName(file.name, backing.name);
    if (nameOffset + name.length > header.clusterSize) {
      throw invalidImage(file.name, "backing file name", "doesn't fit into the header cluster");
    }
    await file.write(nameOffset, name);
    await file.flush();
  }
  sector.fill(0, header.headerLength);
  let at = writeBacking(view, header.headerLength, backing && { ...backing, nameOffset });
  for (const extension of header.extensions) {
    // What doesn't fit is descriptive only (the table of feature names): features that matter are refused when opening.
    if (extension.type === EXTENSION.backingFormat || at + 16 + extension.data.length > SECTOR) continue;
    view.setUint32(at, extension.type);
    view.setUint32(at + 4, extension.data.length);
    sector.set(extension.data, at + 8);
    at += 8 + Math.ceil(extension.data.length / 8) * 8;
  }
  await file.write(0, sector);
  await file.flush();
  const start = new Uint8Array(header.clusterSize);
  const count = await file.read(0, start);
  return parseHeader(file.name, start.subarray(0, count), await file.size());
}
