// Fetches Debian packages and unpacks them, without root: `apt-get download` verifies signatures and checksums by itself.
import { execFile } from "node:child_process";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { refreshPackageLists } from "../setup/debian.ts";
import { note, SetupError } from "../setup/progress.ts";

const run = promisify(execFile);

/** The newest package that a meta package such as linux-image-cloud-amd64 stands for. */
export async function dependencyOf(metaPackage: string): Promise<string> {
  const { stdout } = await apt("apt-cache", ["depends", metaPackage]);
  const dependency = /Depends: (\S+)/.exec(stdout)?.[1];
  if (!dependency)
    throw new SetupError(`Debian has no package ${metaPackage}; run 'apt-get update' as root and try again`);
  return dependency;
}

/** Unpacks a package into `cacheFolder/NAME` (once) and returns that folder. Complete or absent. */
export async function unpackedPackage(name: string, cacheFolder: string): Promise<string> {
  const target = join(cacheFolder, name);
  const done = await readdir(target).catch(() => []);
  if (done.length > 0) return target;
  const download = join(cacheFolder, `${name}.download`);
  await rm(download, { recursive: true, force: true });
  await mkdir(join(download, "files"), { recursive: true });
  note(`downloading ${name}`);
  await apt("apt-get", ["download", name], download);
  const archive = (await readdir(download)).find((file) => file.endsWith(".deb"));
  if (!archive) throw new SetupError(`'apt-get download ${name}' left no package behind`);
  await run("dpkg-deb", ["-x", join(download, archive), join(download, "files")]);
  await rename(join(download, "files"), target);
  await rm(download, { recursive: true, force: true });
  return target;
}

async function apt(command: string, args: string[], cwd = "/"): Promise<{ stdout: string }> {
  try {
    return await run(command, args, { cwd, maxBuffer: 1 << 24 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw new SetupError(`${command} is needed to fetch the Linux kernel: use Debian or Ubuntu, or install apt`);
    // Package lists are missing on a fresh machine; refreshing them needs root.
    if (process.getuid?.() === 0 && !refreshed) {
      refreshed = true;
      await refreshPackageLists();
      return apt(command, args, cwd);
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
let refreshed = false;
