// A disk with GRUB in its boot sectors and Debian's kernel in a partition: what an installed system is to firmware. Made without root:
// GRUB's image is linked by grub-mkimage from Debian's packages, unpacked, and written where grub-install would write it.
//
//   sector 0 boot.img + partition table   1.. core.img   2048.. ext2 with /vmlinuz and /initrd
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { characterDevice, cpioArchive, directory, file } from "../../main/services/unattended/cpio.ts";
import type { BlockBackend } from "../../native-core/devices/block-backend.ts";
import { modulesInLoadOrder } from "../../scripts/starter/modules.ts";
import { dependencyOf, unpackedPackage } from "../../scripts/starter/packages.ts";
import { temporaryFolder } from "./media/qemu-tools.ts";
import { memoryDisk } from "./memory-disk.ts";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../../.cache/packages", import.meta.url));
const SECTOR = 512;
const PARTITION_START = 2048;
const PARTITION_MIB = 56;
const DISK_BYTES = 64 << 20;
const ATA_DRIVERS = ["ata_piix", "ahci", "sd_mod", "sr_mod"];
const FILE_SYSTEMS = ["isofs", "ext4"];
const BOOT_CODE_BYTES = 440;

export interface GrubDiskOptions {
  /** Kernel modules to load beside file systems. */
  readonly drivers?: readonly string[];
  /** Devices that must be there before the script runs. */
  readonly awaited?: readonly string[];
}

/** PID 1 loads the drivers (of IDE and SATA drives), mounts what is needed and runs `script` with sh on ttyS0. */
export async function grubDisk(
  script: string,
  { drivers = ATA_DRIVERS, awaited = ["/dev/sda1", "/dev/sr0"] }: GrubDiskOptions = {},
): Promise<BlockBackend & { readonly content: Uint8Array }> {
  const waits = awaited.map((path) => `until [ -e ${path} ]; do usleep 50000; done`);
  const body = [...waits, script].join("\n");
  const folder = temporaryFolder("grub");
  try {
    const disk = memoryDisk(DISK_BYTES);
    const core = await coreImage(folder.path);
    const boot = await readFile(join(await unpackedPackage("grub-pc-bin", CACHE), "usr/lib/grub/i386-pc/boot.img"));
    disk.content.set(boot.subarray(0, BOOT_CODE_BYTES), 0);
    disk.content.set(core, SECTOR);
    disk.content.set(await partition(folder.path, body, drivers), PARTITION_START * SECTOR);
    writePartitionTable(disk.content);
    return disk;
  } finally {
    folder.remove();
  }
}

async function coreImage(folder: string): Promise<Uint8Array> {
  const common = await unpackedPackage("grub-common", CACHE);
  const libraries = await unpackedPackage("libdevmapper1.02.1", CACHE);
  const modules = join(await unpackedPackage("grub-pc-bin", CACHE), "usr/lib/grub/i386-pc");
  const configuration = join(folder, "early.cfg");
  await writeFile(
    configuration,
    "set root=(hd0,msdos1)\nlinux /vmlinuz console=ttyS0 panic=-1\ninitrd /initrd\necho GRUB STARTS LINUX\nboot\n",
  );
  const target = join(folder, "core.img");
  await run(
    join(common, "usr/bin/grub-mkimage"),
    [
      ...["-O", "i386-pc", "-d", modules, "-p", "(hd0,msdos1)/", "-c", configuration, "-o", target],
      ...["biosdisk", "part_msdos", "ext2", "linux", "echo", "boot"],
    ],
    { env: { ...process.env, LD_LIBRARY_PATH: join(libraries, "lib/x86_64-linux-gnu") } },
  );
  return new Uint8Array(await readFile(target));
}

async function partition(folder: string, script: string, drivers: readonly string[]): Promise<Uint8Array> {
  const kernelName = await dependencyOf("linux-image-amd64");
  const kernel = await unpackedPackage(kernelName, CACHE);
  const version = kernelName.replace("linux-image-", "");
  const root = join(folder, "root");
  await mkdir(root);
  await writeFile(join(root, "vmlinuz"), await readFile(join(kernel, "boot", `vmlinuz-${version}`)));
  await writeFile(join(root, "initrd"), await initialRamDisk(join(kernel, "lib/modules", version), script, drivers));
  const image = join(folder, "partition");
  await run("/sbin/mke2fs", ["-q", "-t", "ext2", "-d", root, image, `${PARTITION_MIB}M`]);
  const bytes = new Uint8Array(await readFile(image));
  await rm(image);
  return bytes;
}

async function initialRamDisk(moduleFolder: string, script: string, drivers: readonly string[]): Promise<Uint8Array> {
  const busybox = await readFile(join(await unpackedPackage("busybox-static", CACHE), "bin/busybox"));
  const modules = await modulesInLoadOrder(moduleFolder, [...drivers, ...FILE_SYSTEMS]);
  const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec </dev/ttyS0 >/dev/ttyS0 2>&1
${modules.map(({ name }) => `insmod /modules/${name}.ko`).join("\n")}
${script}
`;
  return cpioArchive([
    ...["bin", "dev", "proc", "sys", "mnt", "modules"].map(directory),
    characterDevice("dev/console", 5, 1),
    file("bin/busybox", busybox, true),
    file("init", new TextEncoder().encode(init), true),
    ...modules.map(({ name, data }) => file(`modules/${name}.ko`, data)),
  ]);
}

/** One active Linux partition. */
function writePartitionTable(disk: Uint8Array): void {
  const view = new DataView(disk.buffer, disk.byteOffset);
  const at = 446;
  disk.set([0x80, 0xff, 0xff, 0xff, 0x83, 0xff, 0xff, 0xff], at);
  view.setUint32(at + 8, PARTITION_START, true);
  view.setUint32(at + 12, (PARTITION_MIB << 20) / SECTOR, true);
  view.setUint16(510, 0xaa55, true);
}
