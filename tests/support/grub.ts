// Puts GRUB for a PC's BIOS where grub-install would: boot.img and core.img in front of the first partition of a disk. Needs no root:
// the image is linked by grub-mkimage from Debian's packages, unpacked.
//
//   sector 0 boot.img + partition table   1.. core.img   2048.. the partition
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { unpackedPackage } from "../../scripts/starter/packages.ts";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../../.cache/packages", import.meta.url));
const SECTOR = 512;
const PARTITION_SECTOR = 2048;
/** Where the partition begins, in bytes. */
export const PARTITION_OFFSET = PARTITION_SECTOR * SECTOR;
const BOOT_CODE_BYTES = 440;
const PARTITION_ENTRY = 446;

export interface GrubParts {
  /** Commands that GRUB runs when it has started. */
  readonly configuration: string;
  /** What it finds without a disk; `biosdisk`, `part_msdos` and `ext2` are always there. */
  readonly modules: readonly string[];
  readonly partitionBytes: number;
  /** For intermediate files; exists. */
  readonly folder: string;
}

/** Folder of GRUB's modules for the BIOS. */
export async function grubModules(): Promise<string> {
  return join(await unpackedPackage("grub-pc-bin", CACHE), "usr/lib/grub/i386-pc");
}

/** The first `PARTITION_OFFSET` bytes of a disk with one active Linux partition. */
export async function grubSectors(parts: GrubParts): Promise<Uint8Array> {
  const sectors = new Uint8Array(PARTITION_OFFSET);
  const boot = await readFile(join(await grubModules(), "boot.img"));
  sectors.set(boot.subarray(0, BOOT_CODE_BYTES), 0);
  sectors.set(await coreImage(parts), SECTOR);
  writePartitionTable(sectors, parts.partitionBytes);
  return sectors;
}

async function coreImage({ configuration, modules, folder }: GrubParts): Promise<Uint8Array> {
  const common = await unpackedPackage("grub-common", CACHE);
  const libraries = await unpackedPackage("libdevmapper1.02.1", CACHE);
  const early = join(folder, "early.cfg");
  await writeFile(early, configuration);
  const target = join(folder, "core.img");
  await run(
    join(common, "usr/bin/grub-mkimage"),
    [
      ...["-O", "i386-pc", "-d", await grubModules(), "-p", "(hd0,msdos1)/boot/grub", "-c", early, "-o", target],
      ...["biosdisk", "part_msdos", "ext2", ...modules],
    ],
    { env: { ...process.env, LD_LIBRARY_PATH: join(libraries, "lib/x86_64-linux-gnu") } },
  );
  return new Uint8Array(await readFile(target));
}

function writePartitionTable(disk: Uint8Array, partitionBytes: number): void {
  const view = new DataView(disk.buffer, disk.byteOffset);
  disk.set([0x80, 0xff, 0xff, 0xff, 0x83, 0xff, 0xff, 0xff], PARTITION_ENTRY);
  view.setUint32(PARTITION_ENTRY + 8, PARTITION_SECTOR, true);
  view.setUint32(PARTITION_ENTRY + 12, partitionBytes / SECTOR, true);
  view.setUint16(510, 0xaa55, true);
}
