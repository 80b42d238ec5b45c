// Kernels and RAM disks for benchmarks, from Debian packages: amd64 for everybody, i386 for v86, which has no 64-bit mode.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CpioEntry, characterDevice, cpioArchive, directory, file } from "../../main/services/unattended/cpio.ts";
import { note } from "../../scripts/setup/progress.ts";
import { PROJECT } from "../../scripts/setup/project.ts";
import { type KernelModule, modulesInLoadOrder } from "../../scripts/starter/modules.ts";
import { dependencyOf, unpackedPackage } from "../../scripts/starter/packages.ts";

const CACHE = join(PROJECT, ".cache/packages");
const OUT = join(PROJECT, "out/bench");

export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
  readonly busybox: string;
}

/** Debian's cloud kernel with `init` as PID 1. `name` keeps images of different suites apart. */
export async function amd64Image(name: string, init: string, extra: readonly CpioEntry[] = []): Promise<GuestImage> {
  await mkdir(CACHE, { recursive: true });
  const kernelPackage = await dependencyOf("linux-image-cloud-amd64");
  const kernel = await unpackedPackage(kernelPackage, CACHE);
  const busybox = join(await unpackedPackage("busybox-static", CACHE), "bin/busybox");
  const image = join(kernel, "boot", kernelPackage.replace("linux-image-", "vmlinuz-"));
  return { kernel: image, initrd: await initrd(`${name}-amd64`, busybox, init, extra), busybox };
}

/** The same for a 32-bit guest; undefined where i386 packages cannot be had. */
export async function i386Image(name: string, init: string): Promise<GuestImage | undefined> {
  await mkdir(CACHE, { recursive: true });
  try {
    const kernelPackage = await dependencyOf("linux-image-686", "i386");
    const kernel = await unpackedPackage(kernelPackage, CACHE, "i386");
    const busybox = join(await unpackedPackage("busybox-static", CACHE, "i386"), "bin/busybox");
    const image = join(kernel, "boot", kernelPackage.replace("linux-image-", "vmlinuz-"));
    return { kernel: image, initrd: await initrd(`${name}-i386`, busybox, init, []), busybox };
  } catch (error) {
    note(`no i386 guest: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Drivers of the amd64 cloud kernel and what they depend on, in load order. */
export async function kernelModules(names: readonly string[]): Promise<KernelModule[]> {
  const kernelPackage = await dependencyOf("linux-image-cloud-amd64");
  const folder = join(
    await unpackedPackage(kernelPackage, CACHE),
    "lib/modules",
    kernelPackage.replace("linux-image-", ""),
  );
  return modulesInLoadOrder(folder, names);
}

async function initrd(name: string, busybox: string, init: string, extra: readonly CpioEntry[]): Promise<string> {
  await mkdir(OUT, { recursive: true });
  const target = join(OUT, `${name}.img`);
  const entries = [
    ...["bin", "dev", "proc", "sys", "tmp", "mnt"].map(directory),
    characterDevice("dev/console", 5, 1),
    file("bin/busybox", await readFile(busybox), true),
    file("init", new TextEncoder().encode(init), true),
    ...extra,
  ];
  await writeFile(target, cpioArchive(entries));
  return target;
}
