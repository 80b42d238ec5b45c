// VirtualBox's VDI, versions 1.x: a header, a table of blocks, blocks (as VirtualBox's and QEMU's sources describe it).
//
//   40h magic  44h version  4Ch type  154h table at  158h blocks at  170h disk size:u64  178h block size  17Ch extra  180h blocks
import type { ImageFile } from "../image-file.ts";
import { invalidImage, unsupportedImage } from "../media-error.ts";
import { BlockImage, checkBlockSize, checkSize, type ForeignImage, HeaderReader, readTable } from "./foreign-image.ts";

export const VDI_MAGIC = { offset: 0x40, text: "\x7f\x10\xda\xbe" } as const;
const HEADER_BYTES = 0x190;
const TYPE = { DYNAMIC: 1, FIXED: 2 } as const;
/** Entries from here on stand for blocks of zeroes: never written, or discarded. */
const FIRST_ABSENT = 0xfffffffe;

export async function openVdi(file: ImageFile): Promise<ForeignImage> {
  const header = await HeaderReader.at(file, 0, HEADER_BYTES, "little");
  if (header.u16(0x46) !== 1) throw unsupportedImage(file.name, "version", "this version of VDI is unknown", REMEDY);
  const type = header.u32(0x4c);
  if (type !== TYPE.DYNAMIC && type !== TYPE.FIXED) {
    throw unsupportedImage(file.name, "type", "it is a difference to another image", REMEDY);
  }
  const sizeBytes = checkSize(file, header.u64(0x170, "disk size"));
  const blockBytes = checkBlockSize(file, header.u32(0x178));
  const stride = blockBytes + header.u32(0x17c);
  const count = header.u32(0x180);
  if (count < Math.ceil(sizeBytes / blockBytes))
    throw invalidImage(file.name, "block count", "is too small for the disk");
  const table = await readTable(file, header.u32(0x154), count, 4);
  const dataAt = header.u32(0x158) + (stride - blockBytes);
  return new BlockImage(file, {
    ...{ format: "vdi" as const, sizeBytes, blockBytes },
    place(block) {
      const entry = table.getUint32(block * 4, true);
      return entry >= FIRST_ABSENT ? undefined : dataAt + entry * stride;
    },
    close: () => file.close(),
  });
}

const REMEDY = "Make a full image of it with its own product first (VBoxManage clonemedium).";
