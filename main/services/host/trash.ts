// The trash as clients see it: removed machines and left-overs that reconciliation found, which are in the trash of the data folder, and
// deleted snapshots and disks, which are still with their machines (snapshots/trash.ts). Emptying it is what gives the space back.
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { TrashEntry } from "../../contract/schemas.ts";
import { machinePathsIn } from "../../store/data-folder.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import { readRecordFile } from "../../store/record-file.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { undoRemove } from "../machines/removal.ts";
import { diskEntry, purge, snapshotEntry, undeleteDisk, undeleteSnapshot } from "../snapshots/trash.ts";
import { snapshotView } from "../snapshots/tree.ts";
import { freeableBytes } from "../space/usage.ts";

export async function listTrash(context: ServiceContext): Promise<TrashEntry[]> {
  const { trash } = context.store.data;
  const entries = [
    ...(await readdir(trash)).map((name) => describe(path.join(trash, name), name)),
    ...context.registry.list().flatMap(deletedParts).map(describePart),
  ];
  return (await Promise.all(entries)).sort((a, b) => b.removedAtMs - a.removedAtMs);
}

/** A snapshot or disk that its machine has still. */
interface Part {
  readonly name: string;
  readonly machine: Machine;
  readonly deletedAtMs: number;
  readonly snapshot?: SnapshotRecord;
  /** The image, as in the record. */
  readonly file?: string;
}

function deletedParts(machine: Machine): Part[] {
  const { snapshots, detachedDisks } = machine.record;
  return [
    ...snapshots.flatMap((snapshot) => {
      const { id, deletedAtMs } = snapshot;
      return deletedAtMs === null ? [] : [{ name: snapshotEntry(id), machine, deletedAtMs, snapshot }];
    }),
    ...detachedDisks.flatMap(({ disk: { file }, deletedAtMs }) =>
      deletedAtMs === null ? [] : [{ name: diskEntry(machine, file), machine, deletedAtMs, file }],
    ),
  ];
}

const partNamed = ({ registry }: ServiceContext, name: string): Part | undefined =>
  registry
    .list()
    .flatMap(deletedParts)
    .find((part) => part.name === name);

async function describePart({ name, machine, deletedAtMs, snapshot, file = "" }: Part): Promise<TrashEntry> {
  return {
    name,
    kind: snapshot ? "snapshot" : "disk",
    label: snapshot?.name ?? path.basename(file),
    machineId: machine.id,
    machineName: machine.name,
    removedAtMs: deletedAtMs,
    sizeBytes: snapshot
      ? (await snapshotView(machine, snapshot)).ownBytes
      : await freeableBytes(path.resolve(machine.paths.folder, file)),
  };
}

/** Brings back one entry of the list; yields the machine that it is or belongs to. @throws AppError NOT_FOUND */
export async function restoreTrashed(context: ServiceContext, name: string): Promise<Machine> {
  const part = partNamed(context, name);
  if (part) {
    const { machine, snapshot, file = "" } = part;
    if (snapshot) await undeleteSnapshot(machine, snapshot);
    else await undeleteDisk(machine, path.resolve(machine.paths.folder, file));
    return machine;
  }
  const machineId = MACHINE_ENTRY.exec(name)?.[1];
  if (machineId !== undefined && (await readdir(context.store.data.trash)).includes(name)) {
    return undoRemove(context, machineId);
  }
  throw notThere(name, "Nothing was brought back.");
}

/** Deletes one entry for good; yields the bytes freed. @throws AppError NOT_FOUND */
export async function deleteTrashed(context: ServiceContext, name: string): Promise<number> {
  const part = partNamed(context, name);
  if (part) {
    const { sizeBytes } = await describePart(part);
    const { machine, snapshot, file } = part;
    await purge(context, machine, {
      snapshots: snapshot ? [snapshot.id] : [],
      files: file === undefined ? [] : [file],
    });
    return sizeBytes;
  }
  const { trash } = context.store.data;
  // Compared with what is there, so that a name can't lead anywhere else.
  if (!(await readdir(trash)).includes(name)) throw notThere(name, "Nothing was deleted.");
  const entry = path.join(trash, name);
  const freed = await freeableBytes(entry);
  await rm(entry, { recursive: true, force: true });
  return freed;
}

function notThere(name: string, consequence: string): AppError {
  return new AppError("NOT_FOUND", `There is no "${name}" in the trash`, {
    field: "name",
    consequence,
    remedy: "Look at the list of what is there; it may have been brought back or deleted meanwhile.",
  });
}

/** Deletes everything in the trash for good; yields the bytes freed. */
export async function emptyTrash(context: ServiceContext): Promise<number> {
  const options = { title: "Emptying the trash", machineId: null, cancellable: false };
  return context.tasks.run(options, async (task) => {
    const entries = await listTrash(context);
    let freed = 0;
    for (const [index, { name }] of entries.entries()) {
      freed += await deleteTrashed(context, name);
      task.progress((index + 1) / entries.length);
    }
    return freed;
  });
}

/** <machine id>-<milliseconds>; others are orphan-...-<milliseconds> (store/trash.ts). */
const MACHINE_ENTRY = /^([0-9a-f]{12})-\d+$/;

async function describe(entry: string, name: string): Promise<TrashEntry> {
  const [, machineId] = MACHINE_ENTRY.exec(name) ?? [];
  const record = machineId === undefined ? null : await readRecordFile(machinePathsIn(entry).record).catch(() => null);
  return {
    name,
    kind: record === null ? "left-over" : "machine",
    label: record?.config.name ?? name,
    machineId: record?.id ?? null,
    machineName: record?.config.name ?? null,
    removedAtMs: Number(name.slice(name.lastIndexOf("-") + 1)) || 0,
    sizeBytes: await freeableBytes(entry),
  };
}
