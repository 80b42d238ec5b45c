// Reads files out of an ISO image by their ECMA-119 names (9.1): what an installer's kernel and initial RAM disk are called there.
import { type ImageFile, readPadded } from "./image-file.ts";
import { ISO_BLOCK_BYTES } from "./iso-records.ts";

const PRIMARY_BLOCK = 16;
const ROOT_RECORD = 156;
/** More than any folder of an installer has; a damaged image can't make us read on for ever. */
const FOLDER_MAX_BYTES = 4 << 20;
const FOLDER_FLAG = 2;

export interface IsoExtent {
  /** In bytes. */
  readonly offset: number;
  readonly size: number;
}

interface Entry extends IsoExtent {
  readonly name: string;
  readonly isFolder: boolean;
}

/** Where a file lies, by a path such as `install.amd/vmlinuz`, in whatever case; null where there is none. */
export async function findInIso(file: ImageFile, path: string): Promise<IsoExtent | null> {
  const descriptor = new Uint8Array(ISO_BLOCK_BYTES);
  await readPadded(file, PRIMARY_BLOCK * ISO_BLOCK_BYTES, descriptor);
  if (String.fromCharCode(...descriptor.subarray(0, 6)) !== "\u0001CD001") return null;
  let at: Entry | null = entryAt(descriptor, ROOT_RECORD);
  for (const part of path.toLowerCase().split("/")) {
    if (at === null || !at.isFolder) return null;
    at = (await readFolder(file, at)).find(({ name }) => name === part) ?? null;
  }
  return at === null || at.isFolder || at.offset + at.size > (await file.size()) ? null : at;
}

async function readFolder(file: ImageFile, { offset, size }: IsoExtent): Promise<Entry[]> {
  const bytes = new Uint8Array(Math.min(size, FOLDER_MAX_BYTES));
  await readPadded(file, offset, bytes);
  const entries: Entry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const entry = entryAt(bytes, at);
    // The rest of a block without records is zero.
    at = entry === null ? (Math.floor(at / ISO_BLOCK_BYTES) + 1) * ISO_BLOCK_BYTES : at + (bytes[at] ?? 0);
    if (entry) entries.push(entry);
  }
  return entries;
}

function entryAt(bytes: Uint8Array, at: number): Entry | null {
  const length = bytes[at] ?? 0;
  const nameLength = bytes[at + 32] ?? 0;
  if (length < 34 || at + length > bytes.length || 33 + nameLength > length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const name = String.fromCharCode(...bytes.subarray(at + 33, at + 33 + nameLength));
  return {
    // `INITRD.GZ;1`, `VMLINUZ.;1`
    name: name.replace(/;\d+$/, "").replace(/\.$/, "").toLowerCase(),
    offset: view.getUint32(at + 2, true) * ISO_BLOCK_BYTES,
    size: view.getUint32(at + 10, true),
    isFolder: ((bytes[at + 25] ?? 0) & FOLDER_FLAG) !== 0,
  };
}
