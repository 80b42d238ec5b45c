// A disk with GRUB in its boot sectors and Debian's kernel in a partition: what an installed system is to firmware. Made without root (grub.ts).
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { characterDevice, cpioArchive, directory, file } from "../../main/services/unattended/cpio.ts";
import type { BlockBackend } from "../../native-core/devices/block-backend.ts";
import { modulesInLoadOrder } from "../../scripts/starter/modules.ts";
import { dependencyOf, unpackedPackage } from "../../scripts/starter/packages.ts";
import { grubSectors, PARTITION_OFFSET } from "./grub.ts";
import { temporaryFolder } from "./media/qemu-tools.ts";
import { memoryDisk } from "./memory-disk.ts";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../../.cache/packages", import.meta.url));
const PARTITION_MIB = 56;
const DISK_BYTES = 64 << 20;
const ATA_DRIVERS = ["ata_piix", "ahci", "sd_mod", "sr_mod"];
const FILE_SYSTEMS = ["isofs", "ext4"];
const GRUB_COMMANDS = `set root=(hd0,msdos1)
linux /vmlinuz console=ttyS0 panic=-1
initrd /initrd
echo GRUB STARTS LINUX
boot
`;

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
    const grub = { configuration: GRUB_COMMANDS, modules: ["linux", "echo", "boot"], folder: folder.path };
    disk.content.set(await grubSectors({ ...grub, partitionBytes: PARTITION_MIB << 20 }), 0);
    disk.content.set(await partition(folder.path, body, drivers), PARTITION_OFFSET);
    return disk;
  } finally {
    folder.remove();
  }
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
