// Hyper-V's VHDX, fixed and dynamic ([MS-VHDX]): two headers, a region table, metadata, and a table of blocks.
//
//   64 KiB, 128 KiB headers (the newer one counts)   192 KiB region table
//   block table entry: state in bits 0..2, offset in MiB in bits 20..63; after every `ratio` blocks one entry for a sector bitmap
import type { ImageFile } from "../image-file.ts";
import { invalidImage, unsupportedImage } from "../media-error.ts";
import { BlockImage, checkBlockSize, checkSize, type ForeignImage, HeaderReader, readTable } from "./foreign-image.ts";

export const VHDX_MAGIC = "vhdxfile";
const KIB = 1024;
const HEADERS_AT = [64 * KIB, 128 * KIB] as const;
const HEADER_BYTES = 4 * KIB;
const REGIONS_AT = 192 * KIB;
const REGION_BYTES = 64 * KIB;
const REGIONS_MAX = 2047;
const METADATA_BYTES = 64 * KIB;
const METADATA_ENTRIES_MAX = 2047;
const ENTRY_BYTES = 32;
const HAS_PARENT = 2;
const GUID = {
  BLOCK_TABLE: guid("2DC27766-F623-4200-9D64-115E9BFD4A08"),
  METADATA: guid("8B7CA206-4790-4B9A-B8FE-575F050F886E"),
  FILE_PARAMETERS: guid("CAA16737-FA36-4D43-B3B6-33F0AA44E76B"),
  DISK_SIZE: guid("2FA54224-CD1B-4876-B211-5DBED83BF4B8"),
  SECTOR_SIZE: guid("8141BF1D-A96F-4709-BA47-F233A8FAAB5F"),
} as const;
const STATE_PRESENT = 6n;
const STATE_PARTIAL = 7n;
const STATE_MASK = 7n;
const OFFSET_SHIFT = 20n;

export async function openVhdx(file: ImageFile): Promise<ForeignImage> {
  await requireClean(file);
  const regions = await HeaderReader.at(file, REGIONS_AT, REGION_BYTES, "little");
  if (regions.text(0, 4) !== "regi") throw invalidImage(file.name, "region table", "is missing");
  const places = entries(file, regions, regions.u32(8), REGIONS_MAX, 16, (at) => regions.u64(at + 16, "region"));
  const metadataAt = required(file, places, GUID.METADATA, "metadata");
  const tableAt = required(file, places, GUID.BLOCK_TABLE, "block table");

  const metadata = await HeaderReader.at(file, metadataAt, METADATA_BYTES, "little");
  if (metadata.text(0, 8) !== "metadata") throw invalidImage(file.name, "metadata", "is missing");
  const items = entries(file, metadata, metadata.u16(10), METADATA_ENTRIES_MAX, 32, (at) => metadata.u32(at + 16));
  const item = (id: string, what: string): Promise<HeaderReader> =>
    HeaderReader.at(file, metadataAt + required(file, items, id, what), 8, "little");
  const parameters = await item(GUID.FILE_PARAMETERS, "file parameters");
  if (parameters.u32(4) & HAS_PARENT) {
    throw unsupportedImage(
      file.name,
      "type",
      "it is a difference to another image",
      "Merge it with its parent in Hyper-V first.",
    );
  }
  const blockBytes = checkBlockSize(file, parameters.u32(0));
  const sizeBytes = checkSize(file, (await item(GUID.DISK_SIZE, "disk size")).u64(0, "disk size"));
  const sectorBytes = (await item(GUID.SECTOR_SIZE, "sector size")).u32(0);
  if (sectorBytes !== 512 && sectorBytes !== 4096) throw invalidImage(file.name, "sector size", `is ${sectorBytes}`);
  const ratio = (2 ** 23 * sectorBytes) / blockBytes;
  if (!Number.isInteger(ratio)) throw invalidImage(file.name, "block size", "is larger than a chunk");
  const blocks = Math.ceil(sizeBytes / blockBytes);
  const table = await readTable(file, tableAt, blocks + Math.floor((blocks - 1) / ratio), 8);
  return new BlockImage(file, {
    ...{ format: "vhdx" as const, sizeBytes, blockBytes },
    place(block) {
      const entry = table.getBigUint64((block + Math.floor(block / ratio)) * 8, true);
      const state = entry & STATE_MASK;
      if (state === STATE_PARTIAL) throw invalidImage(file.name, "block table", "has a block of a parent image");
      return state === STATE_PRESENT ? Number(entry >> OFFSET_SHIFT) * 2 ** 20 : undefined;
    },
    close: () => file.close(),
  });
}

/** An image that was not closed has changes in its log that are not in their places. */
async function requireClean(file: ImageFile): Promise<void> {
  let newest: HeaderReader | undefined;
  for (const at of HEADERS_AT) {
    const header = await HeaderReader.at(file, at, HEADER_BYTES, "little");
    if (header.text(0, 4) === "head" && (!newest || header.big(8) > newest.big(8))) newest = header;
  }
  if (!newest) throw invalidImage(file.name, "header", "is missing");
  if (newest.bytes(48, 16).every((byte) => byte === 0)) return;
  throw unsupportedImage(
    file.name,
    "log",
    "it was not closed properly and has changes that are not in their places",
    "Start and shut down its machine in Hyper-V once, or attach it there.",
  );
}

/** Identifier to what `value` makes of each entry. */
function entries(
  file: ImageFile,
  table: HeaderReader,
  count: number,
  limit: number,
  first: number,
  value: (at: number) => number,
): Map<string, number> {
  if (count > limit) throw invalidImage(file.name, "table", `has ${count} entries`);
  const found = new Map<string, number>();
  for (let index = 0; index < count; index++) {
    const at = first + index * ENTRY_BYTES;
    if (at + ENTRY_BYTES > REGION_BYTES) break;
    found.set(hex(table.bytes(at, 16)), value(at));
  }
  return found;
}

function required(file: ImageFile, places: ReadonlyMap<string, number>, id: string, what: string): number {
  const place = places.get(id);
  if (place === undefined) throw invalidImage(file.name, what, "is missing");
  return place;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The first three groups are little-endian numbers. */
function guid(text: string): string {
  const [a = "", b = "", c = "", ...rest] = text.toLowerCase().split("-");
  const swapped = (group: string): string => (group.match(/../g) ?? []).toReversed().join("");
  return [swapped(a), swapped(b), swapped(c), ...rest].join("");
}
