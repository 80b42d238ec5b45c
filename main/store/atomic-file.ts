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

/**
 * `syncFolder` after a rename that has happened already and that others see, so that it can't be refused any more. False when the disk
 * doesn't confirm it: it holds, unless the power fails before the disk has written it all the same.
 */
export async function confirmNames(folder: string): Promise<boolean> {
  try {
    await syncFolder(folder);
    return true;
  } catch {
    return false;
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

/**
 * Replaces `file` by `data`. On failure no temporary file stays behind, and the file is the old version; or the new one, where only the
 * folder could not be synced.
 */
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

/** Gives a finished file or folder its final name; false when it has that name but the disk doesn't confirm it (`confirmNames`). */
export async function moveIntoPlace(from: string, to: string): Promise<boolean> {
  await rename(from, to);
  const folders = new Set([path.dirname(to), path.dirname(from)]);
  const confirmed = await Promise.all([...folders].map(confirmNames));
  return confirmed.every(Boolean);
}

/** Gives a finished file the name `to`, which no file has: it is never written over. @throws EEXIST */
export async function moveToNewName(from: string, to: string): Promise<void> {
  await (await open(to, "wx")).close();
  await rename(from, to);
}
