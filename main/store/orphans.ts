// Files in a machine's folder that nothing refers to: left over from work that a crash interrupted. Temporary ones are deleted, the
// others go to the trash, because a disk layer is never thrown away on suspicion.
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { TEMPORARY_SUFFIX } from "./atomic-file.ts";
import { type DataFolder, type MachinePaths, machinePaths } from "./data-folder.ts";
import { allImages } from "./images.ts";
import type { MachineRecord, SnapshotRecord } from "./machine-record.ts";
import { readBacking } from "./qcow2-header.ts";
import { moveToTrash } from "./trash.ts";

export async function trashOrphans(data: DataFolder, record: MachineRecord, notices: string[]): Promise<void> {
  const paths = machinePaths(data, record.id);
  await removeTemporaries(paths);
  const layers = await referencedLayers(paths, record);
  if (layers !== null) await sweep(data, paths.disks, (file) => layers.has(file), record, notices);
  const snapshots = new Set(record.snapshots.map((snapshot) => path.join(paths.snapshots, snapshot.id)));
  const states = stateFolders(paths, record);
  const isState = (folder: string) =>
    [...states].some((state) => state === folder || state.startsWith(folder + path.sep));
  await sweep(data, paths.snapshots, (folder) => snapshots.has(folder) || isState(folder), record, notices);
  await sweep(data, paths.savedState, isState, record, notices);
}

/** The memory states that the machine or one of its snapshots refers to; absolute paths. */
export function stateFolders(
  paths: MachinePaths,
  record: { readonly savedState: string | null; readonly snapshots: readonly SnapshotRecord[] },
): Set<string> {
  const folders = [record.savedState, ...record.snapshots.map((snapshot) => snapshot.memory)];
  return new Set(folders.flatMap((folder) => (folder === null ? [] : [path.join(paths.folder, folder)])));
}

/**
 * Every image that the machine or one of its snapshots stands on, backing files included, as absolute paths.
 * Null when one of them can't be read: then it is unknown what it stands on, and nothing may be called an orphan.
 */
async function referencedLayers(paths: MachinePaths, record: MachineRecord): Promise<Set<string> | null> {
  const layers = new Set<string>();
  for (const top of allImages(record)) {
    let file: string | null = path.resolve(paths.folder, top.file);
    let format: string = top.format;
    while (file !== null && !layers.has(file)) {
      layers.add(file);
      const backing: { readonly file: string | null } | null = await readBacking(file, format);
      if (backing === null) {
        // The end of a chain may be an image elsewhere, of another format or away for the moment: only our own must be readable.
        if (file.startsWith(paths.disks + path.sep) && format === "qcow2") return null;
        break;
      }
      file = backing.file;
      format = "qcow2";
    }
  }
  return layers;
}

async function removeTemporaries(paths: MachinePaths): Promise<void> {
  for (const folder of [paths.folder, paths.disks, paths.snapshots, paths.savedState]) {
    if (!existsSync(folder)) continue;
    for (const name of await readdir(folder)) {
      if (name.endsWith(TEMPORARY_SUFFIX)) await rm(path.join(folder, name), { recursive: true, force: true });
    }
  }
}

async function sweep(
  data: DataFolder,
  folder: string,
  isReferenced: (entry: string) => boolean,
  record: MachineRecord,
  notices: string[],
): Promise<void> {
  if (!existsSync(folder)) return;
  for (const name of await readdir(folder)) {
    const entry = path.join(folder, name);
    // Locks of native-core/host/file-lock.ts look after themselves.
    if (isReferenced(entry) || /\.lock-[rmw]-\d/.test(name)) continue;
    const target = await moveToTrash(data, entry, `orphan-${record.id}-${name}`);
    notices.push(`A left-over of "${record.config.name}" was moved to the trash: ${target}`);
  }
}
