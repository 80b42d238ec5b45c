// Where what is on a disk ends, for making the disk smaller: what lies behind that is nobody's.
import { crc32 } from "node:zlib";
import { isAllZero } from "../../../native-core/common/zero.ts";
import { fileSystemsOf } from "../../../native-core/media/file-systems/open.ts";
import { partitionsOf } from "../../../native-core/media/file-systems/partitions.ts";
import type { OpenedImage } from "./disk-images.ts";

const SECTOR = 512;
const STEP_BYTES = 1 << 20;

/** What keeps a disk from being smaller: its last partition, the file system on all of it, or data that nobody here understands. */
export interface DiskEnd {
  readonly bytes: number;
  readonly what: "partition" | "file system" | "data";
}

export async function diskEnd(image: OpenedImage): Promise<DiskEnd> {
  const partitions = await partitionsOf(image);
  if (partitions.some(({ number }) => number > 0)) {
    const bytes = Math.max(...partitions.map(({ offset, sizeBytes }) => offset + sizeBytes));
    const table = await readGpt(image);
    return { bytes: bytes + (table ? table.entries.length + SECTOR : 0), what: "partition" };
  }
  const [found] = await fileSystemsOf(image);
  if (found) return { bytes: found.fileSystem.sizeBytes, what: "file system" };
  return { bytes: await endOfData(image), what: "data" };
}

async function endOfData(image: OpenedImage): Promise<number> {
  const bytes = new Uint8Array(STEP_BYTES);
  let end = 0;
  for (let offset = 0; offset < image.sizeBytes; ) {
    const { kind, length } = await image.extentAt(offset, Math.min(STEP_BYTES, image.sizeBytes - offset));
    if (kind === "data") {
      const part = bytes.subarray(0, length);
      await image.read(offset, part);
      if (!isAllZero(part)) end = offset + length;
    }
    offset += length;
  }
  return end;
}

interface Gpt {
  readonly header: Buffer;
  readonly entries: Buffer;
}

/** The table at the start of the disk (UEFI 2.10, 5.3.2), or null where there is none that makes sense. */
async function readGpt(image: OpenedImage): Promise<Gpt | null> {
  const header = Buffer.alloc(SECTOR);
  await image.read(SECTOR, header);
  const headerBytes = header.readUInt32LE(12);
  const [start, count, size] = [Number(header.readBigUInt64LE(72)), header.readUInt32LE(80), header.readUInt32LE(84)];
  const entriesBytes = Math.ceil((count * size) / SECTOR) * SECTOR;
  if (header.toString("latin1", 0, 8) !== "EFI PART" || headerBytes < 92 || headerBytes > SECTOR) return null;
  if (entriesBytes > STEP_BYTES || start * SECTOR + entriesBytes > image.sizeBytes) return null;
  const entries = Buffer.alloc(entriesBytes);
  await image.read(start * SECTOR, entries);
  return { header, entries };
}

/**
 * What to write so that a disk of `sizeBytes` has its second partition table at its end, where GPT wants it; nothing for other disks. The
 * first table stays valid throughout.
 */
export async function gptForSize(
  image: OpenedImage,
  sizeBytes: number,
): Promise<{ readonly offset: number; readonly bytes: Uint8Array }[]> {
  const table = await readGpt(image);
  if (!table) return [];
  const last = sizeBytes / SECTOR - 1;
  const entriesAt = last - table.entries.length / SECTOR;
  const at = (own: number, other: number, entries: number): Buffer => {
    const header = Buffer.from(table.header);
    header.writeBigUInt64LE(BigInt(own), 24);
    header.writeBigUInt64LE(BigInt(other), 32);
    header.writeBigUInt64LE(BigInt(entriesAt - 1), 48);
    header.writeBigUInt64LE(BigInt(entries), 72);
    header.writeUInt32LE(0, 16);
    header.writeUInt32LE(crc32(header.subarray(0, header.readUInt32LE(12))), 16);
    return header;
  };
  return [
    { offset: entriesAt * SECTOR, bytes: table.entries },
    { offset: last * SECTOR, bytes: at(last, 1, entriesAt) },
    { offset: SECTOR, bytes: at(1, last, Number(table.header.readBigUInt64LE(72))) },
  ];
}
