// What an ISO image says about itself (ECMA-119 8.4; El Torito 1.0): its label, and whether a PC can boot from it.
import { type ImageFile, readPadded } from "./image-file.ts";

const BLOCK_BYTES = 2048;
const FIRST_DESCRIPTOR_BLOCK = 16;
const DESCRIPTORS_MAX = 64;
const DESCRIPTOR = { BOOT: 0, PRIMARY: 1, END: 255 } as const;
const LABEL = { at: 40, bytes: 32 } as const;
const EL_TORITO = "EL TORITO SPECIFICATION";
const CATALOGUE_POINTER = 0x47;
/** Platform ids of the boot catalogue. */
const PLATFORM = { PC: 0x00, EFI: 0xef } as const;
const HEADER = { SECTION: 0x90, LAST_SECTION: 0x91 } as const;
const ENTRY_BYTES = 32;

export interface IsoFacts {
  /** As the publisher wrote it, often with the version: `Debian 12.11.0 amd64 n`; may be empty. */
  readonly label: string;
  readonly bootsBios: boolean;
  readonly bootsUefi: boolean;
}

/** Null for a file that is no ISO image. */
export async function readIso(file: ImageFile): Promise<IsoFacts | null> {
  const block = new Uint8Array(BLOCK_BYTES);
  let label: string | null = null;
  let catalogue: number | null = null;
  for (let index = 0; index < DESCRIPTORS_MAX; index++) {
    await readPadded(file, (FIRST_DESCRIPTOR_BLOCK + index) * BLOCK_BYTES, block);
    if (ascii(block, 1, 5) !== "CD001") break;
    if (block[0] === DESCRIPTOR.END) break;
    if (block[0] === DESCRIPTOR.PRIMARY) label ??= ascii(block, LABEL.at, LABEL.bytes).trim();
    if (block[0] === DESCRIPTOR.BOOT && ascii(block, 7, EL_TORITO.length) === EL_TORITO) {
      catalogue ??= new DataView(block.buffer).getUint32(CATALOGUE_POINTER, true);
    }
  }
  if (label === null) return null;
  if (catalogue === null) return { label, bootsBios: false, bootsUefi: false };
  await readPadded(file, catalogue * BLOCK_BYTES, block);
  const platforms = bootPlatforms(block);
  return { label, bootsBios: platforms.has(PLATFORM.PC), bootsUefi: platforms.has(PLATFORM.EFI) };
}

/** The first entry belongs to the validation entry's platform, others to the section header before them. */
function bootPlatforms(catalogue: Uint8Array): Set<number> {
  const platforms = new Set<number>();
  if (catalogue[0] !== 1 || catalogue[30] !== 0x55 || catalogue[31] !== 0xaa) return platforms;
  if (catalogue[ENTRY_BYTES] === 0x88) platforms.add(catalogue[1] ?? 0);
  for (let at = 2 * ENTRY_BYTES; at < catalogue.length; at += ENTRY_BYTES) {
    const kind = catalogue[at];
    if (kind !== HEADER.SECTION && kind !== HEADER.LAST_SECTION) continue;
    platforms.add(catalogue[at + 1] ?? 0);
  }
  return platforms;
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
