// What files take on the host, and what deleting them would give back. A file with several names (a disk layer that linked clones share,
// a pack of memory chunks) is there once: it is freed with the last of its names.
import { lstat, readdir } from "node:fs/promises";
import path from "node:path";
import { PACKS_FOLDER } from "../../../native-core/host/state/format.ts";

export interface FileUsage {
  /** What the file takes; sparse parts count nothing. Windows reports no blocks. */
  readonly bytes: number;
  /** Names it has. */
  readonly links: number;
  /** The same for all names of one file. */
  readonly identity: string;
}

/** Zeroes for a file that is not there. */
export async function usageOf(file: string): Promise<FileUsage> {
  return lstat(file).then(
    (found) => ({
      bytes: process.platform === "win32" ? found.size : found.blocks * 512,
      links: found.nlink,
      identity: `${found.dev} ${found.ino}`,
    }),
    () => ({ bytes: 0, links: 0, identity: "" }),
  );
}

export async function usedBytes(file: string): Promise<number> {
  return (await usageOf(file)).bytes;
}

/** Bytes that deleting this file or folder gives back, at once or with the next collection of memory chunks. */
export async function freeableBytes(entry: string): Promise<number> {
  const found = await lstat(entry).catch(() => null);
  if (!found?.isDirectory()) return ownShare(entry, await usageOf(entry));
  let bytes = 0;
  for (const child of await readdir(entry, { recursive: true, withFileTypes: true })) {
    const file = path.join(child.parentPath, child.name);
    if (child.isFile()) bytes += ownShare(file, await usageOf(file));
  }
  return bytes;
}

/** A pack has a name in the chunk folder besides those in the states that use it (ADR 7). */
function ownShare(file: string, { bytes, links }: FileUsage): number {
  const isPack = path.basename(path.dirname(file)) === PACKS_FOLDER;
  return links <= (isPack ? 2 : 1) ? bytes : 0;
}
