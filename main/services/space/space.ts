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
import type { TaskHandle } from "../tasks.ts";
import { compactMemory, unusedMemory } from "./memory-chunks.ts";
import { usageOf } from "./usage.ts";

/** `deeply`: looks for what `reclaimSpace` would give back of memory, which reads the maps of all states. */
export async function spaceOf(context: ServiceContext, machine: Machine, deeply: boolean): Promise<MachineSpace> {
  const space = await machineSpace(machine);
  return { ...space, unusedMemoryBytes: deeply ? await unusedMemory(context, machine) : null };
}

/** Of the progress of reclaiming; the rest is memory. */
const DISKS_SHARE = 0.7;

export async function machineSpace(machine: Machine): Promise<Omit<MachineSpace, "unusedMemoryBytes">> {
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
  for (const { names, bytes, links } of await filesIn(paths.folder)) {
    // A pack has a name in the chunk folder, too (ADR 7).
    const isPack = names.some((file) => path.basename(path.dirname(file)) === PACKS_FOLDER);
    const isSaved = (file: string) => saved !== null && file.startsWith(saved + path.sep);
    const isKept = (file: string) =>
      file.startsWith(paths.disks + path.sep) || file.startsWith(paths.snapshots + path.sep);
    if (links > names.length + (isPack ? 1 : 0)) space.sharedBytes += bytes;
    else if (names.every(isInTrash)) space.trashBytes += bytes;
    else if (names.some((file) => tops.has(file))) space.presentBytes += bytes;
    // Before the saved state: that of a machine that goes back is its snapshot's, and ends sooner.
    else if (names.some(isKept)) space.snapshotBytes += bytes;
    else if (names.some(isSaved)) space.presentBytes += bytes;
    else space.otherBytes += bytes;
  }
  return { ...space, hostBytes: space.presentBytes + space.snapshotBytes + space.trashBytes + space.otherBytes };
}

interface CountedFile {
  /** Those it has in this folder: several snapshots may have the same pack of memory. */
  readonly names: string[];
  readonly bytes: number;
  /** All names it has. */
  readonly links: number;
}

async function filesIn(folder: string): Promise<Iterable<CountedFile>> {
  const files = new Map<string, CountedFile>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const name = path.join(entry.parentPath, entry.name);
    const { bytes, links, identity } = await usageOf(name);
    const found = files.get(identity) ?? { names: [], bytes, links };
    found.names.push(name);
    files.set(identity, found);
  }
  return files.values();
}

/** Tells of a file whether only deleted snapshots and disks have it. Of such layers parts may be merged into others when they are purged. */
function trashOf({ record, paths }: Machine): (file: string) => boolean {
  const isDeleted = ({ deletedAtMs }: { readonly deletedAtMs: number | null }): boolean => deletedAtMs !== null;
  const [gone, kept] = [record.snapshots.filter(isDeleted), record.snapshots.filter((each) => !isDeleted(each))];
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
