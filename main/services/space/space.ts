// What a machine takes up, honestly: each file counts once, where it belongs, and one that several machines share for none of them.
import { readdir } from "node:fs/promises";
import path from "node:path";
import { PACKS_FOLDER } from "../../../native-core/host/state/format.ts";
import type { MachineSpace } from "../../contract/schemas.ts";
import { imagesOfSnapshot } from "../../store/images.ts";
import { stateFolders } from "../../store/orphans.ts";
import { readDiskSize } from "../../store/qcow2-header.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { isStill } from "../machines/states.ts";
import { scheduleCleanup } from "../snapshots/cleanup.ts";
import { isOwn } from "../snapshots/layers.ts";
import { deletedBefore, purge } from "../snapshots/trash.ts";
import { visibleSnapshots } from "../snapshots/visible.ts";
import type { TaskHandle } from "../tasks.ts";
import { compactMemory } from "./memory-chunks.ts";
import { usageOf } from "./usage.ts";

/** Of the progress of reclaiming; the rest is memory. */
const DISKS_SHARE = 0.7;

export async function machineSpace(machine: Machine): Promise<MachineSpace> {
  const { config } = machine.record;
  const { paths } = machine;
  const space = {
    guestBytes: 0,
    presentBytes: 0,
    snapshotBytes: 0,
    sharedBytes: 0,
    elsewhereBytes: 0,
    otherBytes: 0,
    trashBytes: 0,
  };
  const isInTrash = trashOf(machine);
  const tops = new Set<string>();
  for (const disk of config.disks) {
    const file = path.resolve(paths.folder, disk.file);
    tops.add(file);
    space.guestBytes += (await readDiskSize(file, disk.format)) ?? 0;
    if (!isOwn(machine, disk.file)) space.elsewhereBytes += (await usageOf(file)).bytes;
  }
  const saved = machine.record.savedState === null ? null : path.join(paths.folder, machine.record.savedState);
  for (const entry of await readdir(paths.folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const { bytes, links } = await usageOf(file);
    // A pack has a name in the chunk folder, too (ADR 7).
    const isShared = links > (path.basename(entry.parentPath) === PACKS_FOLDER ? 2 : 1);
    if (isShared) space.sharedBytes += bytes;
    else if (isInTrash(file)) space.trashBytes += bytes;
    else if (tops.has(file) || (saved !== null && file.startsWith(saved + path.sep))) space.presentBytes += bytes;
    else if (file.startsWith(paths.disks + path.sep) || file.startsWith(paths.snapshots + path.sep)) {
      space.snapshotBytes += bytes;
    } else space.otherBytes += bytes;
  }
  return { ...space, hostBytes: space.presentBytes + space.snapshotBytes + space.trashBytes + space.otherBytes };
}

/** Tells of a file whether only deleted snapshots and disks have it. Of such layers parts may be merged into others when they are purged. */
function trashOf({ record, paths }: Machine): (file: string) => boolean {
  const isDeleted = ({ deletedAtMs }: { readonly deletedAtMs: number | null }): boolean => deletedAtMs !== null;
  const [gone, kept] = [record.snapshots.filter(isDeleted), visibleSnapshots(record)];
  const disks = record.detachedDisks.filter(isDeleted).map(({ disk }) => disk);
  const images = new Set(
    [...disks, ...gone.flatMap(imagesOfSnapshot)].map(({ file }) => path.resolve(paths.folder, file)),
  );
  for (const { file } of kept.flatMap(imagesOfSnapshot)) images.delete(path.resolve(paths.folder, file));
  const goneFolders = [
    ...gone.map(({ id }) => path.join(paths.snapshots, id)),
    ...stateFolders(paths, { savedState: null, snapshots: gone }),
  ];
  const keptFolders = [...stateFolders(paths, { savedState: record.savedState, snapshots: kept })];
  const isIn = (folders: readonly string[], file: string) =>
    folders.some((folder) => file.startsWith(folder + path.sep));
  return (file) => images.has(file) || (isIn(goneFolders, file) && !isIn(keptFolders, file));
}

/**
 * Gives back whatever the machine does not need: zeroes and free clusters of its disks while it is still, and the unused parts of packs of its
 * memory. A disk that is being written is left alone; no file ever grows.
 */
export async function reclaimSpace(context: ServiceContext, machine: Machine): Promise<{ freedBytes: number }> {
  const before = (await machineSpace(machine)).hostBytes;
  await purge(context, machine, deletedBefore(machine, Number.POSITIVE_INFINITY));
  const options = { title: `Reclaiming space of ${machine.name}`, machineId: machine.id, cancellable: true };
  const freedMemory = await context.tasks.run(options, async (task) => {
    await machine.operate(() => compactDisks(context, machine, task));
    return compactMemory(context, machine, task, (share) => task.progress(DISKS_SHARE + share * (1 - DISKS_SHARE)));
  });
  scheduleCleanup(context, machine);
  // Of a running machine the layers may just have been merged, and a guest may have written meanwhile. Packs may be others' as well.
  const freed = before - (await machineSpace(machine)).hostBytes;
  return { freedBytes: Math.max(0, freed, freedMemory) };
}

async function compactDisks(context: ServiceContext, machine: Machine, task: TaskHandle): Promise<void> {
  if (!isStill(machine.state)) return;
  const images: string[] = [];
  for (const disk of machine.record.config.disks) {
    const file = path.resolve(machine.paths.folder, disk.file);
    const isAlone = isOwn(machine, disk.file) && (await usageOf(file)).links === 1;
    if (!disk.readOnly && disk.format === "qcow2" && isAlone) images.push(file);
  }
  for (const [index, file] of images.entries()) {
    const progress = (share: number) => task.progress(((index + share) / images.length) * DISKS_SHARE);
    await context.images.compact(file, { signal: task.signal, progress });
  }
}
