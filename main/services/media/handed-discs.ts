// Where discs of files for a guest lie: with its machine, for as long as one of its drives has them, or had when a snapshot was taken. Copies
// of the machine have files of their own (clones/share.ts).
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import type { MachinePaths } from "../../store/data-folder.ts";
import type { Machine } from "../machines/machine.ts";

export function handedFolder({ folder }: MachinePaths): string {
  return path.join(folder, "handed");
}

/** Deletes those that no drive has. The caller holds the machine's operations: none is on its way into a drive. */
export async function removeHanded({ paths, record }: Machine): Promise<void> {
  const folder = handedFolder(paths);
  const discs = await readdir(folder).catch(() => []);
  const configs = [record.config, ...record.snapshots.map(({ config }) => config)];
  const files = configs.flatMap(({ opticalDrives }) => opticalDrives.map(({ file }) => path.basename(file ?? "")));
  for (const disc of discs.filter((name) => !files.includes(name))) {
    // What the system still holds on to goes with the next clean-up.
    await rm(path.join(folder, disc), { force: true }).catch(() => undefined);
  }
}
