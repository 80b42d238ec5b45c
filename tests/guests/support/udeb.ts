// Packages of Debian's installer (`.udeb`), made of files that Debian has in packages of another kind.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Udeb {
  /** Where a mirror has it. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Its paragraph in a package list. */
  readonly record: string;
}

export interface UdebParts {
  readonly name: string;
  readonly architecture: string;
  /** More fields of its description: `Provides`, `Kernel-Version`. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Paths in the installer, each with the file on the host; links are followed. */
  readonly files: ReadonlyMap<string, string>;
}

export async function buildUdeb({ name, architecture, fields = {}, files }: UdebParts): Promise<Udeb> {
  const folder = await mkdtemp(join(tmpdir(), "terrarium-udeb-"));
  try {
    for (const [path, from] of files) {
      await mkdir(dirname(join(folder, "root", path)), { recursive: true });
      await cp(from, join(folder, "root", path), { dereference: true });
    }
    return await packUdeb(join(folder, "root"), controlOf({ name, architecture, fields }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * The same package for another architecture, with files replaced or added: most of the installer is scripts, in packages that are made
 * for each architecture.
 */
export async function relabelledUdeb(
  archive: string,
  architecture: string,
  replaced: ReadonlyMap<string, string> = new Map(),
): Promise<Udeb> {
  const folder = await mkdtemp(join(tmpdir(), "terrarium-udeb-"));
  try {
    const root = join(folder, "root");
    await run("dpkg-deb", ["-R", archive, root]);
    for (const [path, from] of replaced) await cp(from, join(root, path), { recursive: true });
    const control = await readFile(join(root, "DEBIAN/control"), "utf8");
    return await packUdeb(root, control.replace(/^Architecture: .*$/m, `Architecture: ${architecture}`));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function packUdeb(root: string, control: string): Promise<Udeb> {
  await mkdir(join(root, "DEBIAN"), { recursive: true });
  await writeFile(join(root, "DEBIAN/control"), control);
  const archive = `${root}.udeb`;
  await run("dpkg-deb", ["--root-owner-group", "-Zxz", "-b", root, archive]);
  const bytes = new Uint8Array(await readFile(archive));
  const path = `pool/terrarium/${/^Package: (.*)$/m.exec(control)?.[1]}.udeb`;
  const sums = [`Filename: ${path}`, `Size: ${bytes.length}`, `MD5sum: ${hash("md5", bytes)}`];
  return { path, bytes, record: `${control.trimEnd()}\n${sums.join("\n")}\nSHA256: ${hash("sha256", bytes)}` };
}

function controlOf({ name, architecture, fields }: Omit<UdebParts, "files">): string {
  const all = {
    ...{ Package: name, Version: "1", Architecture: architecture, Maintainer: "Nobody <nobody@example.org>" },
    ...{ Section: "debian-installer", Priority: "standard", ...fields, Description: "made for a test" },
  };
  const lines = Object.entries(all).map(([field, value]) => `${field}: ${value}\n`);
  return lines.join("");
}

export const hash = (algorithm: "md5" | "sha256", bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest("hex");
