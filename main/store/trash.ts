// The trash of the data folder: removed machines and orphans, restorable until it is emptied.
// Entries are named <what>-<milliseconds>, so that the same machine can be there more than once.
import { readdir } from "node:fs/promises";
import path from "node:path";
import { moveIntoPlace } from "./atomic-file.ts";
import type { DataFolder } from "./data-folder.ts";

/** Moves a file or folder of the data folder into the trash; gives its new place. After a power failure it is in one of the two. */
export async function moveToTrash(data: DataFolder, source: string, label: string): Promise<string> {
  let at = Date.now();
  const existing = new Set(await readdir(data.trash));
  while (existing.has(`${label}-${at}`)) at += 1;
  const target = path.join(data.trash, `${label}-${at}`);
  await moveIntoPlace(source, target);
  return target;
}

/** The newest trash entry of the machine, or null. */
export async function findInTrash(data: DataFolder, machineId: string): Promise<string | null> {
  const entries = (await readdir(data.trash))
    .filter((name) => /^[0-9a-f]{12}-\d+$/.test(name) && name.startsWith(`${machineId}-`))
    .sort((a, b) => Number(a.slice(13)) - Number(b.slice(13)));
  const newest = entries.at(-1);
  return newest === undefined ? null : path.join(data.trash, newest);
}
