// Files that machines have in common. A disk layer that is not written any more gets one more name, in the folder of whoever shares it
// (ADR 22): a machine's folder always holds everything it stands on, and the file system counts the users.
import { existsSync } from "node:fs";
import { constants, copyFile, link, mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import { syncFile, syncFolder } from "../../store/atomic-file.ts";
import type { MachinePaths } from "../../store/data-folder.ts";
import { systemErrorCode } from "../../store/io-error.ts";
import { readBacking } from "../../store/qcow2-header.ts";
import { newId } from "../ids.ts";
import type { Machine } from "../machines/machine.ts";

/** What a file system without hard links, another file system or a file with too many names answers. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "EXDEV", "EMLINK", "ENOSYS"]);

/** Gives `from` the further name `to`. Where that is not possible the bytes are copied: more space, same meaning. */
async function shareFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const code = systemErrorCode(error) ?? "";
    // The chain of another disk of the same machine may have brought it here already.
    if (code === "EEXIST") return;
    if (!NO_LINKS.has(code)) throw error;
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    await syncFile(to);
  }
}

/** Shares an image of `source` and all the layers it stands on. Yields its path for the new machine. */
export async function shareChain(
  source: Machine,
  disk: { readonly file: string; readonly format: string },
  target: MachinePaths,
): Promise<string> {
  const top = path.resolve(source.paths.folder, disk.file);
  const isOwn = (file: string) => file.startsWith(source.paths.disks + path.sep);
  // Images that are used where they are have no owner that could take them away with it.
  if (!isOwn(top)) return top;
  let file: string | null = top;
  let format: string = disk.format;
  while (file !== null && isOwn(file)) {
    await shareFile(file, path.join(target.disks, path.basename(file)));
    file = (await readBacking(file, format))?.file ?? null;
    format = "qcow2";
  }
  return path.join(target.disks, path.basename(top));
}

/**
 * Discs in drives that were made for `source` and lie in its folder, such as those of files for its guest. Yields the drives with the files
 * that the new machine will have.
 */
export async function shareDiscs(
  source: Machine,
  { opticalDrives }: Pick<MachineConfig, "opticalDrives">,
  target: MachinePaths,
  final: MachinePaths,
): Promise<MachineConfig["opticalDrives"]> {
  const drives: MachineConfig["opticalDrives"] = [];
  for (const drive of opticalDrives) {
    const isOwn = drive.file?.startsWith(source.paths.folder + path.sep) === true;
    // One that is gone is told when the copy starts, as with its source.
    if (drive.file === null || !isOwn || !existsSync(drive.file)) {
      drives.push(drive);
      continue;
    }
    const inner = path.relative(source.paths.folder, drive.file);
    const file = path.join(target.folder, inner);
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await shareFile(drive.file, file);
    await syncFolder(path.dirname(file));
    drives.push({ ...drive, file: path.join(final.folder, inner) });
  }
  return drives;
}

/** A state of the new machine's own, made of the files of the source's: memory is never written again, so it costs nothing. */
export async function copyState(
  source: Machine,
  memory: string | null,
  target: MachinePaths,
): Promise<{ savedState?: string }> {
  if (memory === null) return {};
  const savedState = `saved-state/${newId()}`;
  await copyStateFolder(path.join(source.paths.folder, memory), path.join(target.folder, savedState));
  return { savedState };
}

async function copyStateFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) await copyStateFolder(source, target);
    else await shareFile(source, target);
  }
  await syncFolder(to);
}
