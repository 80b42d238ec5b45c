// A driver that Debian's kernel leaves out, built as a module from Debian's own source and headers of that kernel. Needs gcc and make.
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { KernelModule } from "../../../scripts/starter/modules.ts";
import { dependencyOf, unpackedPackage } from "../../../scripts/starter/packages.ts";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../../../.cache/packages", import.meta.url));

export interface DebianModule {
  /** File name without `.ko`. */
  readonly name: string;
  /** Its folder in the kernel's source: `sound/virtio`. */
  readonly folder: string;
  /** What switches it on: `CONFIG_SND_VIRTIO`. */
  readonly option: string;
}

/** For the kernel of `linux-image-amd64`. Throws when it can't be built. */
export async function debianModule({ name, folder, option }: DebianModule): Promise<KernelModule> {
  const kernel = await dependencyOf("linux-image-amd64");
  const [, release, series] = /^linux-image-((\d+\.\d+)\..+)-amd64$/.exec(kernel) ?? [];
  const headers = `linux-headers-${release}`;
  const root = await mkdtemp(join(tmpdir(), "terrarium-module-"));
  try {
    // Headers and build programs point at each other by relative links.
    for (const part of [`${headers}-amd64`, `${headers}-common`, `linux-kbuild-${series}`]) {
      await cp(await unpackedPackage(part, CACHE), root, { recursive: true, verbatimSymlinks: true });
    }
    const build = join(root, "usr/src", `${headers}-amd64`);
    await writeFile(join(build, "Makefile"), `include ${root}/usr/src/${headers}-common/Makefile\n`);
    const archive = join(
      await unpackedPackage(`linux-source-${series}`, CACHE),
      `usr/src/linux-source-${series}.tar.xz`,
    );
    await run("tar", ["-xJf", archive, "-C", root, `linux-source-${series}/${folder}`]);
    const source = join(root, `linux-source-${series}`, folder);
    await run("make", ["-C", build, `M=${source}`, `${option}=m`, "modules"], { maxBuffer: 16 << 20 });
    await run("strip", ["--strip-debug", join(source, `${name}.ko`)]);
    return { name, data: await readFile(join(source, `${name}.ko`)) };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
