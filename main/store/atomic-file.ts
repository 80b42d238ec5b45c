// Files that are either the old or the new version after a crash, never a mixture: temporary file, fsync, rename, fsync of the folder.
import { open, rename, rm } from "node:fs/promises";
import path from "node:path";

/** Suffix of files and folders under construction; whatever carries it at start is left over from a crash. */
export const TEMPORARY_SUFFIX = ".tmp";

let serial = 0;

/** A sibling name on the same file system, so that the rename is atomic. */
export function temporaryName(target: string): string {
  serial += 1;
  return `${target}.${process.pid}-${serial}${TEMPORARY_SUFFIX}`;
}

/** Makes the names in `folder` survive a power failure. Windows has no such call and needs none (NTFS journals them). */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces `file` by `data`. On failure the old version is untouched and no temporary file stays behind. */
export async function writeFileAtomic(file: string, data: string | Uint8Array, mode?: number): Promise<void> {
  await putFile(file, data, mode);
  await syncFolder(path.dirname(file));
}

/** `writeFileAtomic` whose name is durable only when the caller has synced the folder: for many files in one. */
export async function putFile(file: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = temporaryName(file);
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Gives a finished file or folder its final name, durably. */
export async function moveIntoPlace(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(path.dirname(to));
  if (path.dirname(from) !== path.dirname(to)) await syncFolder(path.dirname(from));
}
