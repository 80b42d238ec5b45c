// What kind of disk image a file is, by its contents. For files that a user names; a recorded format is never second-guessed,
// because the guest of a raw disk can write any header it likes.
import { AppError } from "../common/errors.ts";
import type { DiskFormat } from "./disk-image.ts";
import type { ImageFile } from "./image-file.ts";
import { QCOW2_MAGIC } from "./qcow2/header.ts";

/** Formats of other products, named so that the error can say what the file is. */
const FOREIGN: readonly { name: string; offset: number; magic: string }[] = [
  { name: "a VMDK image", offset: 0, magic: "KDMV" },
  { name: "a VMDK descriptor", offset: 0, magic: "# Disk DescriptorFile" },
  // The text before it names the program that made the image and differs from one to the next.
  { name: "a VDI image", offset: 0x40, magic: "\x7f\x10\xda\xbe" },
  { name: "a VHDX image", offset: 0, magic: "vhdxfile" },
  { name: "a VHD image", offset: 0, magic: "conectix" },
  { name: "an ISO 9660 image", offset: 0x8001, magic: "CD001" },
  { name: "a gzip archive", offset: 0, magic: "\x1f\x8b" },
  { name: "an xz archive", offset: 0, magic: "\xfd7zXZ" },
  { name: "a zip archive", offset: 0, magic: "PK\x03\x04" },
];

/** `raw` for anything that has no known header. Throws AppError UNSUPPORTED for formats that would be nonsense as raw disks. */
export async function formatOf(file: ImageFile): Promise<DiskFormat> {
  const start = new Uint8Array(0x8010);
  const count = await file.read(0, start);
  if (count >= 4 && new DataView(start.buffer).getUint32(0) === QCOW2_MAGIC) return "qcow2";
  for (const { name, offset, magic } of FOREIGN) {
    const found = String.fromCharCode(...start.subarray(offset, offset + magic.length));
    // A bootable ISO may be used as a read-only raw disk; everything else is a container.
    if (found !== magic || (magic === "CD001" && file.readOnly)) continue;
    throw new AppError("UNSUPPORTED", `${file.name} is ${name}, not a raw or qcow2 disk image`, {
      file: file.name,
      field: "format",
      remedy: "Convert or unpack it first, for instance with `qemu-img convert -O qcow2`.",
    });
  }
  return "raw";
}
