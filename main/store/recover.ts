// Finishes or undoes what a machine was in the middle of when the last host ended.
import { existsSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import path from "node:path";
import type { MachinePaths } from "./data-folder.ts";
import type { Layer, MachineRecord, Pending } from "./machine-record.ts";
import { stateFolders } from "./orphans.ts";

/** The same object when nothing had to change, else a new one with a higher revision. */
export async function recover(paths: MachinePaths, record: MachineRecord, notices: string[]): Promise<MachineRecord> {
  let next = record;
  if (next.pending !== null) next = await recoverPending(paths, next, next.pending, notices);
  if (next.state === "running") {
    notices.push(`"${next.config.name}" was running when Terrarium ended. Start it to boot it again.`);
    next = {
      ...next,
      state: "aborted",
      lastFailure: {
        code: "ENGINE_FAILED",
        message: "Terrarium ended while the machine was running",
        consequence: "What the guest had not written to its disks is lost, as after a power failure.",
        remedy: "Start the machine again, or restore a snapshot.",
      },
    };
  }
  if (next.savedState !== null && !existsSync(path.join(paths.folder, next.savedState))) {
    notices.push(`The saved state of "${next.config.name}" is gone. The machine is powered off.`);
    next = { ...next, savedState: null, state: next.state === "saved" ? "powered-off" : next.state };
  }
  // What they were taken for has ended with the host.
  for (const { id, transient } of next.snapshots) {
    if (!transient) continue;
    next = { ...next, ...withoutSnapshot(next, id) };
    const folder = path.join(paths.snapshots, id);
    const isUsed = [...stateFolders(paths, next)].some((state) => state.startsWith(folder + path.sep));
    if (!isUsed) await rm(folder, { recursive: true, force: true });
  }
  if (next.superseded.length > 0) {
    await removeInner(paths, next.superseded);
    next = { ...next, superseded: [] };
  }
  return next === record ? record : { ...next, revision: record.revision + 1 };
}

/** The snapshot that `changedSinceSnapshot` is about: the current one, and that above it where that one only lasts as long as a backup. */
export function comparedWith({ snapshots, currentSnapshotId }: MachineRecord): string | null {
  const current = snapshots.find((snapshot) => snapshot.id === currentSnapshotId);
  return current?.transient ? current.parentId : currentSnapshotId;
}

/** What changes in the record when a snapshot goes: its children move up to its parent. */
export function withoutSnapshot(record: MachineRecord, id: string) {
  const parentId = record.snapshots.find((snapshot) => snapshot.id === id)?.parentId ?? null;
  const wasCurrent = record.currentSnapshotId === id;
  return {
    snapshots: record.snapshots
      .filter((snapshot) => snapshot.id !== id)
      .map((snapshot) => (snapshot.parentId === id ? { ...snapshot, parentId } : snapshot)),
    currentSnapshotId: wasCurrent ? parentId : record.currentSnapshotId,
    changedSinceSnapshot: record.changedSinceSnapshot || comparedWith(record) === id,
  };
}

/** Deletes files and folders inside the machine's folder. */
export async function removeInner(paths: MachinePaths, names: readonly string[]): Promise<void> {
  for (const name of names) await rm(path.join(paths.folder, name), { recursive: true, force: true });
}

/** The record after the interrupted operation was finished or forgotten, judged by the files that are there. */
export async function recoverPending(
  paths: MachinePaths,
  record: MachineRecord,
  pending: Pending,
  notices: string[],
): Promise<MachineRecord> {
  if (pending.kind === "save") {
    // Engines write state folders complete or not at all, and stop afterwards: a folder that is there is the machine's state.
    if (!existsSync(path.join(paths.folder, pending.folder))) return { ...record, pending: null };
    return { ...record, pending: null, state: "saved", savedState: pending.folder, lastFailure: null };
  }
  if (pending.kind === "recode") {
    await removeInner(paths, pending.made);
    return { ...record, pending: null };
  }
  return recoverSnapshot(paths, record, pending, notices);
}

/**
 * Once an overlay exists the guest may have written to it, so it stays the top layer whether the snapshot was finished or not.
 * The snapshot itself counts when everything that belongs to it is there.
 */
async function recoverSnapshot(
  paths: MachinePaths,
  record: MachineRecord,
  pending: Extract<Pending, { kind: "snapshot" }>,
  notices: string[],
): Promise<MachineRecord> {
  const made: Layer[] = [];
  for (const overlay of pending.overlays) {
    if (await isQcow2(path.resolve(paths.folder, overlay.file))) made.push(overlay);
  }
  const disks = record.config.disks.map((disk) => {
    const overlay = made.find((layer) => layer.diskId === disk.id);
    return overlay ? { ...disk, file: overlay.file, format: overlay.format } : disk;
  });
  const next = { ...record, pending: null, config: { ...record.config, disks } };
  const { snapshot } = pending;
  const memoryThere = snapshot.memory === null || existsSync(path.join(paths.folder, snapshot.memory));
  if (made.length !== pending.overlays.length || !memoryThere) return next;
  notices.push(
    `The snapshot "${snapshot.name}" of "${record.config.name}" was being taken when Terrarium ended; it is complete.`,
  );
  return {
    ...next,
    snapshots: [...record.snapshots, snapshot],
    currentSnapshotId: snapshot.id,
    changedSinceSnapshot: true,
  };
}

/** Whether the file starts like a qcow2 image ("QFI\xfb"): a torn creation has no header yet. */
async function isQcow2(file: string): Promise<boolean> {
  try {
    const handle = await open(file, "r");
    try {
      const magic = Buffer.alloc(4);
      await handle.read(magic, 0, 4, 0);
      return magic.equals(Buffer.from([0x51, 0x46, 0x49, 0xfb]));
    } finally {
      await handle.close();
    }
  } catch {
    return false;
  }
}
