// Virtual PC's VHD: fixed and dynamic (Microsoft, Virtual Hard Disk Image Format Specification 1.0). Big-endian; the footer counts.
import type { ImageFile } from "../image-file.ts";
import { invalidImage, unsupportedImage } from "../media-error.ts";
import { BlockImage, checkBlockSize, checkSize, type ForeignImage, HeaderReader, readTable } from "./foreign-image.ts";

export const VHD_COOKIE = "conectix";
const DYNAMIC_COOKIE = "cxsparse";
export const VHD_FOOTER_BYTES = 512;
const DYNAMIC_HEADER_BYTES = 1024;
const TYPE = { FIXED: 2, DYNAMIC: 3 } as const;
const SECTOR = 512;
const ABSENT = 0xffffffff;
/** Fixed images are one piece; any block size does. */
const FIXED_BLOCK_BYTES = 2 << 20;

export async function openVhd(file: ImageFile): Promise<ForeignImage> {
  const fileBytes = await file.size();
  // A dynamic image begins with a copy of its footer, which is there when the last sector got lost.
  const footerAt = fileBytes - VHD_FOOTER_BYTES;
  let footer = await HeaderReader.at(file, footerAt, VHD_FOOTER_BYTES, "big");
  if (footer.text(0, 8) !== VHD_COOKIE) footer = await HeaderReader.at(file, 0, VHD_FOOTER_BYTES, "big");
  if (footer.text(0, 8) !== VHD_COOKIE) throw invalidImage(file.name, "footer", "is missing");
  const sizeBytes = checkSize(file, footer.u64(48, "disk size"));
  switch (footer.u32(60)) {
    case TYPE.FIXED:
      if (sizeBytes > footerAt) throw invalidImage(file.name, "disk size", "is larger than the file");
      return new BlockImage(file, {
        ...{ format: "vhd" as const, sizeBytes, blockBytes: FIXED_BLOCK_BYTES },
        place: (block) => block * FIXED_BLOCK_BYTES,
        close: () => file.close(),
      });
    case TYPE.DYNAMIC:
      return openDynamic(file, footer.u64(16, "dynamic header"), sizeBytes);
    default:
      throw unsupportedImage(
        file.name,
        "type",
        "it is a difference to another image",
        "Merge it with its parent in its own product first.",
      );
  }
}

async function openDynamic(file: ImageFile, headerAt: number, sizeBytes: number): Promise<ForeignImage> {
  const header = await HeaderReader.at(file, headerAt, DYNAMIC_HEADER_BYTES, "big");
  if (header.text(0, 8) !== DYNAMIC_COOKIE) throw invalidImage(file.name, "dynamic header", "is missing");
  const blockBytes = checkBlockSize(file, header.u32(32));
  const count = header.u32(28);
  if (count < Math.ceil(sizeBytes / blockBytes))
    throw invalidImage(file.name, "block count", "is too small for the disk");
  const table = await readTable(file, header.u64(16, "block table"), count, 4);
  // In front of each block a bit for every sector, padded to whole sectors.
  const bitmapBytes = Math.ceil(blockBytes / SECTOR / 8 / SECTOR) * SECTOR;
  return new BlockImage(file, {
    ...{ format: "vhd" as const, sizeBytes, blockBytes },
    place(block) {
      const entry = table.getUint32(block * 4);
      return entry === ABSENT ? undefined : entry * SECTOR + bitmapBytes;
    },
    close: () => file.close(),
  });
}
