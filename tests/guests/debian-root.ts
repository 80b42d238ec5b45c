// A Debian file system with glibc programs, for guests that run what people run: made by mmdebstrap from the host's own package sources,
// once, into .cache/guests. The same folder is where the programs run natively for comparison.
import { execFile } from "node:child_process";
import { cp, lstat, mkdir, readdir, readFile, readlink, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import { type CpioEntry, characterDevice, cpioArchive, file } from "../../main/services/unattended/cpio.ts";

const run = promisify(execFile);
const compress = promisify(zstdCompress);
const CACHE = fileURLToPath(new URL("../../.cache/guests", import.meta.url));
const PROGRAMS = fileURLToPath(new URL("programs", import.meta.url));

const PACKAGES = [
  ...["bash", "coreutils", "grep", "sed", "util-linux", "gawk", "bc", "diffutils", "gzip", "libc-bin"],
  ...["perl", "python3", "libpython3.11-testsuite"],
  ...["openssl", "xz-utils", "zstd", "bzip2", "gcc", "libc6-dev"],
];
/** Not needed to run anything, and a third of the bytes. */
const LEFT_OUT = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/cache", "var/lib/apt"];

export interface DebianRoot {
  /** The file system as a folder. */
  readonly folder: string;
  /** The same as a raw ext4 disk. */
  readonly disk: string;
}

/** Builds the file system unless it is there. Needs root, as changing the root folder for the native run does. */
export async function debianRoot(): Promise<DebianRoot> {
  const target = join(CACHE, "programs");
  const root = { folder: join(target, "root"), disk: join(target, "root.ext4") };
  const recipe = PACKAGES.join(" ");
  const current = await readFile(join(target, "recipe"), "utf8").catch(() => "");
  if (current !== recipe) await build(target, recipe);
  await refreshPrograms(root);
  return root;
}

async function build(target: string, recipe: string): Promise<void> {
  const building = `${target}.tmp`;
  await rm(building, { recursive: true, force: true });
  await mkdir(building, { recursive: true });
  const folder = join(building, "root");
  // `extract` unpacks without running the packages' scripts: what runs here is only what the tests ask for.
  const options = ["--quiet", "--variant=extract", `--include=${PACKAGES.join(",")}`];
  await run("mmdebstrap", [...options, "bookworm", folder], { maxBuffer: 1 << 26 });
  for (const part of LEFT_OUT) await rm(join(folder, part), { recursive: true, force: true });
  await writeFile(join(building, "recipe"), recipe);
  await rm(target, { recursive: true, force: true });
  await rename(building, target);
}

/** The tests' own programs change more often than the packages: they are copied each time, and the disk made anew if they differ. */
async function refreshPrograms(root: DebianRoot): Promise<void> {
  const folder = join(root.folder, "programs");
  const stamp = `${root.disk}.stamp`;
  const { stdout: digest } = await run("sh", ["-c", `cat ${PROGRAMS}/* | sha256sum`]);
  if ((await readFile(stamp, "utf8").catch(() => "")) === digest) return;
  await rm(folder, { recursive: true, force: true });
  await cp(PROGRAMS, folder, { recursive: true });
  await rm(root.disk, { force: true });
  await run("/sbin/mke2fs", ["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", root.folder, root.disk, "768M"]);
  await writeFile(stamp, digest);
}

/**
 * The same as an initial RAM disk with `init` as PID 1. Made each time: compressing it takes a second, and what is unpacked is the
 * folder as it is.
 */
export async function debianInitramfs({ folder }: DebianRoot, init: string): Promise<Uint8Array> {
  const entries = await archived(folder, "");
  entries.push(characterDevice("dev/console", 5, 1), characterDevice("dev/null", 1, 3));
  entries.push(file("init", Buffer.from(init), true));
  return compress(cpioArchive(entries), { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}

/** What is below `path` in the folder: directories before what they hold. */
async function archived(folder: string, path: string): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  for (const item of await readdir(join(folder, path), { withFileTypes: true })) {
    const name = path === "" ? item.name : `${path}/${item.name}`;
    const { mode } = await lstat(join(folder, name));
    if (item.isDirectory()) entries.push({ path: name, mode }, ...(await archived(folder, name)));
    else if (item.isFile()) entries.push({ path: name, mode, data: await readFile(join(folder, name)) });
    else if (item.isSymbolicLink())
      entries.push({ path: name, mode, data: Buffer.from(await readlink(join(folder, name))) });
  }
  return entries;
}

/** Runs one command in the folder as its root, with a clean environment; what it printed. */
export async function runNatively(root: DebianRoot, command: string): Promise<string> {
  const inside = ["/usr/bin/env", "-i", ...ENVIRONMENT, "/bin/bash", "-c", `cd /tmp; ${command}`];
  const { stdout } = await run(
    "unshare",
    ["--fork", "--mount", "sh", "-c", NATIVE_SETUP, "sh", root.folder, ...inside],
    {
      maxBuffer: 1 << 26,
    },
  );
  return stdout;
}

/** A /tmp, /dev and /proc of its own, as the guest has: nothing is left in the folder. */
const NATIVE_SETUP =
  'root=$1; shift; mount -t tmpfs tmpfs "$root/tmp" && mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc"; exec chroot "$root" "$@"';

export const ENVIRONMENT = [
  "PATH=/usr/bin:/bin",
  "HOME=/tmp",
  "LC_ALL=C.UTF-8",
  "PYTHONDONTWRITEBYTECODE=1",
  "PYTHONHASHSEED=0",
  // The C library's mathematics round differently where the processor has FMA: both sides take the variant without.
  "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4",
] as const;
