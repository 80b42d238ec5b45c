// Independent disks (ADR 38): snapshots hold nothing of them, and a restore leaves them as they are. Whether a snapshot left a disk out is told by
// its layers, not by a setting that may have changed since.
import type { DiskConfig } from "../../../native-core/config/machine-config.ts";
import type { DetachedDisk, Layer, MachineRecord, SnapshotRecord } from "../../store/machine-record.ts";

/** Disks of the snapshot that a guest could write to and of which it holds nothing. */
export function disksLeftOut({ config, layers }: SnapshotRecord): DiskConfig[] {
  return config.disks.filter(({ id, readOnly }) => !readOnly && !layers.some(({ diskId }) => diskId === id));
}

/** A disk that is outside of its machine from now on. */
export function detached(disk: DiskConfig): DetachedDisk {
  return { disk, detachedAtMs: Date.now(), deletedAtMs: null };
}

export interface RestorePlan {
  /** The disks of the machine afterwards. Those in `layers` get a new layer on that one, the others go on in their file. */
  readonly disks: readonly DiskConfig[];
  readonly layers: readonly Layer[];
  /** Disks outside of the machine afterwards. */
  readonly detachedDisks: readonly DetachedDisk[];
  /** Ids of disks that stay as they are, and of those that the machine had then and that are gone. */
  readonly kept: readonly string[];
  readonly gone: readonly string[];
}

/** What a restore makes of the disks: settings are the snapshot's, and so is what is on a disk unless it is, or was then, independent. */
export function planRestore({ config, detachedDisks }: MachineRecord, snapshot: SnapshotRecord): RestorePlan {
  const leftOut = new Set(disksLeftOut(snapshot).map(({ id }) => id));
  const present = new Map(config.disks.map((disk) => [disk.id, disk]));
  const aside = new Map(
    detachedDisks.filter(({ deletedAtMs }) => deletedAtMs === null).map((each) => [each.disk.id, each] as const),
  );
  const disks: DiskConfig[] = [];
  const [kept, gone, back]: [string[], string[], DetachedDisk[]] = [[], [], []];
  for (const disk of snapshot.config.disks) {
    const now = present.get(disk.id);
    const detached = aside.get(disk.id);
    if (now && (leftOut.has(disk.id) || now.independent)) disks.push({ ...disk, file: now.file, format: now.format });
    else if (!leftOut.has(disk.id)) {
      disks.push(disk);
      continue;
    } else if (detached) {
      disks.push({ ...disk, file: detached.disk.file, format: detached.disk.format });
      back.push(detached);
    } else {
      gone.push(disk.id);
      continue;
    }
    if (!disk.readOnly || now?.readOnly === false) kept.push(disk.id);
  }
  const ids = new Set(snapshot.config.disks.map(({ id }) => id));
  const added = config.disks.filter(({ id, independent }) => independent && !ids.has(id));
  return {
    disks,
    layers: snapshot.layers.filter(({ diskId }) => !kept.includes(diskId)),
    detachedDisks: [...detachedDisks.filter((each) => !back.includes(each)), ...added.map(detached)],
    kept,
    gone,
  };
}

/** Whether the memory of the snapshot goes with what would be on the disks: a guest that finds another file system than it knows destroys it. */
export function memoryFits(record: MachineRecord, snapshot: SnapshotRecord): boolean {
  // Nothing was written since the machine stopped with this memory.
  if (record.state === "saved" && record.savedState === snapshot.memory) return true;
  const { kept, gone } = planRestore(record, snapshot);
  return kept.length === 0 && gone.length === 0;
}
