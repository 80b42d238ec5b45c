// FAT file systems, and a floppy disk with SYSLINUX, made by Debian's own tools, which are unpacked and not installed.
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { unpackedPackage } from "../../scripts/starter/packages.ts";
import { temporaryFolder } from "./media/qemu-tools.ts";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../../.cache/packages", import.meta.url));

interface FatParts {
  readonly kib: number;
  /** By path with slashes, names in 8.3 form. Folders come by themselves. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Makes it boot with SYSLINUX. */
  readonly syslinux?: boolean;
}

/** A disk that is one file system, without partitions. */
export async function fatImage({ kib, files, syslinux = false }: FatParts): Promise<Uint8Array> {
  const tools = join(await unpackedPackage("mtools", CACHE), "usr/bin");
  const folder = temporaryFolder("fat");
  try {
    const image = folder.file("disk.img");
    // SYSLINUX calls mtools by their names.
    const env = { ...process.env, PATH: `${tools}:${process.env["PATH"] ?? ""}` };
    const size = kib === 1440 ? ["-f", "1440"] : ["-T", String(2 * kib)];
    await run("mformat", ["-C", "-i", image, ...size, "::"], { env });
    const made = new Set<string>();
    for (const [path, content] of files) {
      const names = path.split("/");
      for (let depth = 1; depth < names.length; depth++) {
        const parent = names.slice(0, depth).join("/");
        if (!made.has(parent)) await run("mmd", ["-i", image, `::/${parent}`], { env });
        made.add(parent);
      }
      await writeFile(folder.file("content"), content);
      await run("mcopy", ["-i", image, folder.file("content"), `::/${path}`], { env });
    }
    if (syslinux) {
      const program = join(await unpackedPackage("syslinux", CACHE), "usr/bin/syslinux");
      await run(program, ["--install", image], { env });
    }
    return new Uint8Array(await readFile(image));
  } finally {
    folder.remove();
  }
}
