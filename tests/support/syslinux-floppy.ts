// A floppy disk with SYSLINUX and what it starts, made by Debian's own tools, which are unpacked and not installed.
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { unpackedPackage } from "../../scripts/starter/packages.ts";
import { temporaryFolder } from "./media/qemu-tools.ts";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../../.cache/packages", import.meta.url));
const KIB = 1440;

/** `files`: by name in 8.3 form. */
export async function syslinuxFloppy(files: ReadonlyMap<string, Uint8Array>): Promise<Uint8Array> {
  const tools = join(await unpackedPackage("mtools", CACHE), "usr/bin");
  const syslinux = join(await unpackedPackage("syslinux", CACHE), "usr/bin/syslinux");
  const folder = temporaryFolder("floppy");
  try {
    const image = folder.file("floppy.img");
    // SYSLINUX calls mtools by their names.
    const env = { ...process.env, PATH: `${tools}:${process.env["PATH"] ?? ""}` };
    await run("mformat", ["-C", "-i", image, "-f", String(KIB), "::"], { env });
    for (const [name, content] of files) {
      await writeFile(folder.file(name), content);
      await run("mcopy", ["-i", image, folder.file(name), "::"], { env });
    }
    await run(syslinux, ["--install", image], { env });
    return new Uint8Array(await readFile(image));
  } finally {
    folder.remove();
  }
}
