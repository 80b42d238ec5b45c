// Opening disk images of other products by what is in them.
import type { ImageFile } from "../image-file.ts";
import type { ForeignFormat, ForeignImage } from "./foreign-image.ts";
import { openVdi, VDI_MAGIC } from "./vdi.ts";
import { openVhd, VHD_COOKIE, VHD_FOOTER_BYTES } from "./vhd.ts";
import { openVhdx, VHDX_MAGIC } from "./vhdx.ts";
import { openVmdk, openVmdkDescriptor, VMDK_DESCRIPTOR, VMDK_MAGIC, type VmdkHost } from "./vmdk.ts";

type Kind = ForeignFormat | "vmdk-descriptor";

const MAGICS: readonly { readonly kind: Kind; readonly offset: number; readonly text: string }[] = [
  { kind: "vmdk", offset: 0, text: VMDK_MAGIC },
  { kind: "vmdk-descriptor", offset: 0, text: VMDK_DESCRIPTOR },
  { kind: "vdi", offset: VDI_MAGIC.offset, text: VDI_MAGIC.text },
  { kind: "vhdx", offset: 0, text: VHDX_MAGIC },
  { kind: "vhd", offset: 0, text: VHD_COOKIE },
];
const START_BYTES = 0x50;

/** Null for everything that is none of these formats. A fixed VHD shows only by its footer. */
export async function foreignFormatOf(file: ImageFile): Promise<ForeignFormat | null> {
  const kind = await kindOf(file);
  return kind === "vmdk-descriptor" ? "vmdk" : kind;
}

/** Takes over `file`: it is closed with the image, and when this throws. Null as above, with the file still open. */
export async function openForeign(file: ImageFile, host: VmdkHost): Promise<ForeignImage | null> {
  const kind = await kindOf(file);
  if (kind === null) return null;
  try {
    switch (kind) {
      case "vdi":
        return await openVdi(file);
      case "vhd":
        return await openVhd(file);
      case "vhdx":
        return await openVhdx(file);
      case "vmdk":
        return await openVmdk(file, host);
      case "vmdk-descriptor":
        return await openVmdkDescriptor(file, host);
    }
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function kindOf(file: ImageFile): Promise<Kind | null> {
  const start = await textAt(file, 0, START_BYTES);
  const found = MAGICS.find(({ offset, text }) => start.startsWith(text, offset));
  if (found) return found.kind;
  const size = await file.size();
  const isFixedVhd =
    size > VHD_FOOTER_BYTES && (await textAt(file, size - VHD_FOOTER_BYTES, VHD_COOKIE.length)) === VHD_COOKIE;
  return isFixedVhd ? "vhd" : null;
}

async function textAt(file: ImageFile, offset: number, length: number): Promise<string> {
  const bytes = new Uint8Array(length);
  const count = await file.read(offset, bytes);
  return String.fromCharCode(...bytes.subarray(0, count));
}
