// Deleting that can be undone: snapshots, and disks that were taken out, stay in the machine's record with the time of their deletion and
// keep everything they hold. Purging is what frees their space: when the time to undo has passed, space is short or somebody asks for it.
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { DetachedDisk, SnapshotRecord } from "../../store/machine-record.ts";
import type { ServiceContext } from "../context.ts";
import { freeBytes } from "../host/free-space.ts";
import type { Machine } from "../machines/machine.ts";
import type { ClockWork } from "../schedule.ts";
import { dropLayers, scheduleCleanup } from "./cleanup.ts";
import { deleteSnapshot, forgetSnapshot } from "./delete.ts";

const HOUR_MS = 3_600_000;
/** Below that nothing deleted is kept any longer. */
const SPACE_LOW_BYTES = 2 ** 30;
/** Deleted snapshots that are kept at most: each keeps layers from being merged, and long chains cost look-ups. */
const DELETED_MAX = 64;

/** By which name of the trash a deletion is undone, and until when. */
interface Undo {
  readonly name: string;
  readonly untilMs: number;
}

export const snapshotEntry = (id: string): string => `snapshot-${id}`;
/** `file` as in the record. */
export const diskEntry = (machine: Machine, file: string): string => `disk-${machine.id}-${path.basename(file)}`;

/** Null: it was deleted for good. @throws AppError NOT_FOUND */
export async function trashSnapshot(
  context: ServiceContext,
  machine: Machine,
  snapshot: SnapshotRecord,
  permanently: boolean,
): Promise<Undo | null> {
  const { undoHours } = machine.record.config.snapshots;
  if (permanently || undoHours === 0) {
    await deleteSnapshot(context, machine, snapshot);
    return null;
  }
  const deletedAtMs = Date.now();
  await machine.update(({ snapshots }) => {
    if (!snapshots.some(({ id }) => id === snapshot.id)) {
      throw new AppError("NOT_FOUND", `There is no snapshot ${snapshot.id}`, { field: "snapshotId" });
    }
    return { snapshots: snapshots.map((each) => (each.id === snapshot.id ? { ...each, deletedAtMs } : each)) };
  });
  machine.publishSnapshots();
  void machine.log.write("info", `Snapshot "${snapshot.name}" was deleted`);
  return { name: snapshotEntry(snapshot.id), untilMs: deletedAtMs + undoHours * HOUR_MS };
}

/** Brings a deleted snapshot back to its place in the tree. */
export async function undeleteSnapshot(machine: Machine, { id, name }: SnapshotRecord): Promise<void> {
  // Not while it is purged.
  await machine.operate(async () => {
    if (!machine.record.snapshots.some((each) => each.id === id && each.deletedAtMs !== null)) {
      throw new AppError("NOT_FOUND", `There is no snapshot ${id} in the trash`, {
        ...{ field: "snapshotId", consequence: "It can't be brought back." },
        remedy: "Look at the trash: the time to undo may have passed.",
      });
    }
    await machine.update(({ snapshots }) => ({
      snapshots: snapshots.map((each) => (each.id === id ? { ...each, deletedAtMs: null } : each)),
    }));
  });
  machine.publishSnapshots();
  void machine.log.write("info", `Snapshot "${name}" was brought back`);
}

/** The same for a disk that was taken out; `file` is its image as an absolute path. @throws AppError NOT_FOUND */
export async function trashDisk(
  context: ServiceContext,
  machine: Machine,
  file: string,
  permanently: boolean,
): Promise<Undo | null> {
  const { disk } = detachedDisk(machine, file, false);
  const deletedAtMs = Date.now();
  await machine.update(({ detachedDisks }) => ({
    detachedDisks: detachedDisks.map((each) => (each.disk.file === disk.file ? { ...each, deletedAtMs } : each)),
  }));
  void machine.log.write("info", `The disk image ${disk.file} was deleted`);
  const { undoHours } = machine.record.config.snapshots;
  if (!permanently && undoHours > 0) {
    return { name: diskEntry(machine, disk.file), untilMs: deletedAtMs + undoHours * HOUR_MS };
  }
  await purge(context, machine, { snapshots: [], files: [disk.file] });
  return null;
}

export async function undeleteDisk(machine: Machine, file: string): Promise<void> {
  await machine.operate(async () => {
    const { disk } = detachedDisk(machine, file, true);
    await machine.update(({ detachedDisks }) => ({
      detachedDisks: detachedDisks.map((each) =>
        each.disk.file === disk.file ? { ...each, deletedAtMs: null } : each,
      ),
    }));
  });
}

export function detachedDisk({ record, paths, name }: Machine, file: string, inTrash: boolean): DetachedDisk {
  const found = record.detachedDisks.find(
    ({ disk, deletedAtMs }) => path.resolve(paths.folder, disk.file) === file && (deletedAtMs !== null) === inTrash,
  );
  if (found) return found;
  const where = inTrash ? "in the trash" : `that was taken out of "${name}"`;
  throw new AppError("NOT_FOUND", `There is no disk image ${where}: ${file}`, {
    ...{ file, field: "file", consequence: "Nothing was changed.", remedy: "Look at the list of disk images." },
  });
}

interface Doomed {
  readonly snapshots: readonly string[];
  /** As in the record. */
  readonly files: readonly string[];
}

/** What is in the trash of the machine, if it was deleted before that time. */
export function deletedBefore({ record }: Machine, ms: number): Doomed {
  const isDoomed = ({ deletedAtMs }: { readonly deletedAtMs: number | null }) =>
    deletedAtMs !== null && deletedAtMs < ms;
  return {
    snapshots: record.snapshots.filter(isDoomed).map(({ id }) => id),
    files: record.detachedDisks.filter(isDoomed).map(({ disk }) => disk.file),
  };
}

/** Deletes for good what is in the trash; what was brought back meanwhile stays. Layers are merged in the background. */
export async function purge(context: ServiceContext, machine: Machine, what: Doomed): Promise<void> {
  if (what.snapshots.length + what.files.length === 0) return;
  await machine.operate(async () => {
    for (const id of what.snapshots) {
      const snapshot = machine.record.snapshots.find((each) => each.id === id && each.deletedAtMs !== null);
      if (snapshot) await forgetSnapshot(context, machine, snapshot);
    }
    const gone = machine.record.detachedDisks.filter(
      ({ disk, deletedAtMs }) => deletedAtMs !== null && what.files.includes(disk.file),
    );
    if (gone.length === 0) return;
    await machine.update(({ detachedDisks }) => ({
      detachedDisks: detachedDisks.filter((each) => !gone.some(({ disk }) => disk.file === each.disk.file)),
    }));
    dropLayers(
      machine,
      gone.map(({ disk }) => disk),
    );
  });
  scheduleCleanup(context, machine);
}

/** Purges when the time to undo has passed, and everything when space is short. */
export function scheduledPurges(context: ServiceContext, freeBytesOf = freeBytes): ClockWork {
  const due = async (machine: Machine, nowMs: number): Promise<Doomed> => {
    const { config, snapshots, detachedDisks } = machine.record;
    const times = [...snapshots, ...detachedDisks].flatMap(({ deletedAtMs }) => deletedAtMs ?? []);
    if (times.length === 0) return { snapshots: [], files: [] };
    if ((await freeBytesOf(machine.paths.folder)) < SPACE_LOW_BYTES)
      return deletedBefore(machine, Number.POSITIVE_INFINITY);
    const newest = times.sort((a, b) => b - a)[DELETED_MAX - 1] ?? 0;
    return deletedBefore(machine, Math.max(newest, nowMs - config.snapshots.undoHours * HOUR_MS));
  };
  return {
    name: "purge",
    isDue: async (machine, nowMs) => {
      if (machine.operations.busy) return false;
      const { snapshots, files } = await due(machine, nowMs);
      return snapshots.length + files.length > 0;
    },
    run: async (machine, nowMs) => purge(context, machine, await due(machine, nowMs)),
  };
}
