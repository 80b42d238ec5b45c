// Frees what deleted states leave behind: packs that no state links to any more, and files of saves that were killed.
import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";

/** Younger files may belong to a save that is under way. */
const GRACE_MS = 10 * 60_000;

/**
 * Removes garbage from the chunk folder; yields the bytes freed. Safe at any time: a pack in use has a second link in its state's
 * folder, and the grace period covers those that are about to get one.
 */
export async function collectGarbage(chunkFolder: string, nowMs: number, graceMs = GRACE_MS): Promise<number> {
  let freed = 0;
  // An encrypted machine that never had memory saved has no folder for it.
  for (const name of await readdir(chunkFolder).catch(() => [])) {
    const file = join(chunkFolder, name);
    if (!/\.(pack|tmp)$/.test(name) || isBeingWritten(name)) continue;
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile() || found.nlink > 1 || nowMs - Math.max(found.mtimeMs, found.ctimeMs) < graceMs) continue;
    await unlink(file);
    freed += found.size;
  }
  return freed;
}

/** Packs under construction are named by their writer (pack-file.ts). */
function isBeingWritten(name: string): boolean {
  const [, pid] = /^writing-(\d+)-[0-9a-f]+\.tmp$/.exec(name) ?? [];
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
