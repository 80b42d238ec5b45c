// Fetches Debian packages and unpacks them, without root: `apt-get download` verifies signatures and checksums by itself. Packages of
// another architecture come through package lists in .cache: the system need not know the architecture, and is not told.
import { execFile } from "node:child_process";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { refreshPackageLists } from "../setup/debian.ts";
import { note, SetupError } from "../setup/progress.ts";
import { PROJECT } from "../setup/project.ts";

const run = promisify(execFile);

/** The newest package that a meta package such as linux-image-cloud-amd64 stands for. */
export async function dependencyOf(metaPackage: string, architecture?: string): Promise<string> {
  const { stdout } = await apt("apt-cache", ["depends", metaPackage], { architecture });
  const dependency = /Depends: (\S+)/.exec(stdout)?.[1];
  if (!dependency)
    throw new SetupError(`Debian has no package ${metaPackage}; run 'apt-get update' as root and try again`);
  return dependency;
}

/** Unpacks a package into `cacheFolder/NAME` (once) and returns that folder. Complete or absent. Default: the host's architecture. */
export async function unpackedPackage(name: string, cacheFolder: string, architecture?: string): Promise<string> {
  const target = join(cacheFolder, architecture === undefined ? name : `${name}:${architecture}`);
  const done = await readdir(target).catch(() => []);
  if (done.length > 0) return target;
  const download = `${target}.download`;
  await rm(download, { recursive: true, force: true });
  await mkdir(join(download, "files"), { recursive: true });
  note(`downloading ${name}`);
  await apt("apt-get", ["download", name], { folder: download, architecture });
  const archive = (await readdir(download)).find((file) => file.endsWith(".deb"));
  if (!archive) throw new SetupError(`'apt-get download ${name}' left no package behind`);
  await run("dpkg-deb", ["-x", join(download, archive), join(download, "files")]);
  await rename(join(download, "files"), target);
  await rm(download, { recursive: true, force: true });
  return target;
}

interface AptOptions {
  readonly folder?: string;
  readonly architecture?: string | undefined;
}

async function apt(
  command: string,
  args: string[],
  { folder = "/", architecture }: AptOptions,
): Promise<{ stdout: string }> {
  try {
    const env =
      architecture === undefined ? process.env : { ...process.env, APT_CONFIG: await foreignLists(architecture) };
    return await run(command, args, { cwd: folder, env, maxBuffer: 1 << 24 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw new SetupError(`${command} is needed to fetch the Linux kernel: use Debian or Ubuntu, or install apt`);
    // Package lists are missing on a fresh machine, or old. Refreshing the system's own needs root.
    if (!refreshed.has(architecture) && (architecture !== undefined || process.getuid?.() === 0)) {
      refreshed.add(architecture);
      if (architecture === undefined) await refreshPackageLists();
      else await refreshForeignLists(architecture);
      return apt(command, args, { folder, architecture });
    }
    const reason = String((error as { stderr?: string }).stderr ?? error)
      .trim()
      .split("\n")
      .at(-1);
    throw new SetupError(
      `${command} ${args.join(" ")} failed (${reason}); run 'apt-get update' as root, check the network and try again`,
    );
  }
}
const refreshed = new Set<string | undefined>();

const foreignFolder = (architecture: string): string => join(PROJECT, ".cache", `apt-${architecture}`);

/** The configuration file of apt with lists for one architecture, fetched from the system's own sources the first time. */
async function foreignLists(architecture: string): Promise<string> {
  const folder = foreignFolder(architecture);
  const file = join(folder, "apt.conf");
  const lists = await readdir(join(folder, "lists")).catch(() => []);
  if (lists.some((name) => name.includes("_Packages"))) return file;
  await refreshForeignLists(architecture);
  return file;
}

async function refreshForeignLists(architecture: string): Promise<void> {
  const file = await aptConfiguration(foreignFolder(architecture), architecture);
  note(`fetching package lists for ${architecture}`);
  // One index that fails leaves the others, which may be enough.
  const env = { ...process.env, APT_CONFIG: file };
  await run("apt-get", ["update", "-q"], { env, maxBuffer: 1 << 26 }).catch(() => undefined);
}

/**
 * Writes the configuration file (for APT_CONFIG) of an apt whose lists and downloads are in this folder, for one architecture. Needs no
 * root. Package sources are the system's own unless settings say otherwise.
 */
export async function aptConfiguration(
  folder: string,
  architecture: string,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  for (const part of ["lists/partial", "archives/partial"]) await mkdir(join(folder, part), { recursive: true });
  const settings = {
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Dir::State": folder,
    "Dir::State::lists": join(folder, "lists"),
    "Dir::State::status": "/dev/null",
    "Dir::Cache": folder,
    ...more,
  };
  const file = join(folder, "apt.conf");
  await writeFile(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name} "${value}";\n`)
      .join(""),
  );
  return file;
}
