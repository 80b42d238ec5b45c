// Snapshots in the trash stay in the record with everything they hold and with their place in the tree, so that bringing one back is a
// single change of the record. Wherever a user looks they are passed over, and so are those that only last as long as a backup or a fork.

import type { MachineRecord, SnapshotRecord } from "../../store/machine-record.ts";
import { comparedWith } from "../../store/recover.ts";

type Tree = Pick<MachineRecord, "snapshots">;

export function visibleSnapshots({ snapshots }: Tree): readonly SnapshotRecord[] {
  return snapshots.some(isHidden) ? snapshots.filter((snapshot) => !isHidden(snapshot)) : snapshots;
}

const isHidden = ({ deletedAtMs, transient }: SnapshotRecord) => deletedAtMs !== null || transient;

/** What stands in for a snapshot: itself, or the nearest one above it that is visible. */
export function visibleFrom({ snapshots }: Tree): (id: string | null) => string | null {
  const above = new Map(snapshots.filter(isHidden).map(({ id, parentId }) => [id, parentId]));
  return (id) => {
    let found = id;
    while (found !== null && above.has(found)) found = above.get(found) ?? null;
    return found;
  };
}

/** The snapshot that the present descends from. */
export function currentSnapshot(record: MachineRecord): SnapshotRecord | undefined {
  const id = visibleFrom(record)(record.currentSnapshotId);
  return id === null ? undefined : record.snapshots.find((snapshot) => snapshot.id === id);
}

/** Whether the present differs from `currentSnapshot`, or there is none. */
export function isChanged(record: MachineRecord): boolean {
  return record.changedSinceSnapshot || currentSnapshot(record)?.id !== comparedWith(record);
}
