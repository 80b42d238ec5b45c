// Builds Starter Linux into out/starter from Debian packages: kernel, initial RAM disk and a template disk with ext4 on it.
//   vmlinuz               Debian's kernel, untouched
//   initrd.img            busybox, the drivers for the disk, and stage 1
//   disk-template.qcow2   a 1 GiB ext4 disk (a few MB on the host); each machine starts from a copy
// Needs no root: archives and file systems are written as files, packages only unpacked.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, copyFile, symlink as linkFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type CpioEntry, characterDevice, cpioArchive, directory, file } from "../../main/services/unattended/cpio.ts";
import { note, SetupError } from "../setup/progress.ts";
import { PROJECT } from "../setup/project.ts";
import { rawToQcow2 } from "./disk.ts";
import { type KernelModule, modulesInLoadOrder } from "./modules.ts";
import { dependencyOf, unpackedPackage } from "./packages.ts";
import { initramfsInit, MODULES, ROOT_FILES, ROOT_FOLDERS } from "./root-files.ts";

const run = promisify(execFile);

const DISK_SIZE_BYTES = 1024 * 1024 * 1024;

/** Builds what is missing or out of date; returns the folder. */
export async function buildStarter(
  cacheFolder = join(PROJECT, ".cache/packages"),
  outFolder = join(PROJECT, "out/starter"),
): Promise<string> {
  const stamp = await recipeDigest();
  const current = await readFile(join(outFolder, "recipe"), "utf8").catch(() => "");
  if (current === stamp) return outFolder;

  await mkdir(cacheFolder, { recursive: true });
  const kernelName = await dependencyOf("linux-image-cloud-amd64");
  const kernel = await unpackedPackage(kernelName, cacheFolder);
  const busybox = await unpackedPackage("busybox-static", cacheFolder);
  const version = kernelName.replace("linux-image-", "");

  const building = `${outFolder}.tmp`;
  await rm(building, { recursive: true, force: true });
  await mkdir(building, { recursive: true });
  await copyFile(join(kernel, "boot", `vmlinuz-${version}`), join(building, "vmlinuz"));
  const modules = await modulesInLoadOrder(join(kernel, "lib/modules", version), MODULES);
  const busyboxProgram = await readFile(join(busybox, "bin/busybox"));
  await writeFile(join(building, "initrd.img"), cpioArchive(initramfs(busyboxProgram, modules)));
  note("making the disk");
  await makeDisk(join(building, "disk-template.qcow2"), busyboxProgram, building, cacheFolder);
  await writeFile(join(building, "recipe"), stamp);
  await rm(outFolder, { recursive: true, force: true });
  await mkdir(dirname(outFolder), { recursive: true });
  await rename(building, outFolder);
  return outFolder;
}

/** Changes when this recipe does, so that a later start rebuilds. */
export async function recipeDigest(): Promise<string> {
  const hash = createHash("sha256");
  const cpio = "../../main/services/unattended/cpio.ts";
  for (const name of ["build.ts", cpio, "disk.ts", "modules.ts", "packages.ts", "root-files.ts"])
    hash.update(await readFile(new URL(name, import.meta.url)));
  return hash.digest("hex");
}

function initramfs(busybox: Uint8Array, modules: readonly KernelModule[]): CpioEntry[] {
  return [
    ...["bin", "dev", "proc", "sys", "modules", "new"].map(directory),
    // The kernel opens /dev/console before PID 1 runs; devtmpfs is mounted over it afterwards.
    characterDevice("dev/console", 5, 1),
    file("bin/busybox", busybox, true),
    file("init", new TextEncoder().encode(initramfsInit(modules.map(({ name }) => name))), true),
    ...modules.map(({ name, data }) => file(`modules/${name}.ko`, data)),
  ];
}

async function makeDisk(target: string, busybox: Uint8Array, workFolder: string, cacheFolder: string): Promise<void> {
  const root = join(workFolder, "root");
  for (const folder of ROOT_FOLDERS) await mkdir(join(root, folder), { recursive: true });
  for (const [path, { text, executable }] of Object.entries(ROOT_FILES)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    if (executable) await chmod(join(root, path), 0o755);
  }
  await writeFile(join(root, "bin/busybox"), busybox);
  await chmod(join(root, "bin/busybox"), 0o755);
  await linkFile("busybox", join(root, "bin/sh"));
  for (const name of ["init", "poweroff", "reboot", "halt"]) await linkFile("../bin/busybox", join(root, "sbin", name));

  const raw = join(workFolder, "disk.raw");
  await run(await mke2fs(cacheFolder), [
    ...[
      "-q",
      "-F",
      "-t",
      "ext4",
      "-L",
      "starter",
      "-E",
      "root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0",
      "-d",
      root,
    ],
    ...[raw, `${DISK_SIZE_BYTES / 1024}k`],
  ]);
  await rawToQcow2(raw, target);
  await rm(raw);
  await rm(root, { recursive: true });
}

/** The host's mke2fs, or Debian's, unpacked: it is part of every Debian system, though not of every PATH. */
async function mke2fs(cacheFolder: string): Promise<string> {
  for (const candidate of ["/sbin/mke2fs", "/usr/sbin/mke2fs"]) {
    if (
      await run(candidate, ["-V"]).then(
        () => true,
        () => false,
      )
    )
      return candidate;
  }
  const unpacked = join(await unpackedPackage("e2fsprogs", cacheFolder), "sbin/mke2fs");
  const works = await run(unpacked, ["-V"]).then(
    () => true,
    () => false,
  );
  if (!works) throw new SetupError("mke2fs is needed to make Starter's disk: install the package e2fsprogs");
  return unpacked;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${await buildStarter()}\n`);
