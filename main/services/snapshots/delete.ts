// Deleting a snapshot for good: its children move up to its parent and keep reading what they read before. What it alone held is freed by the
// clean-up in the background.
import { AppError } from "../../../native-core/common/errors.ts";
import { crashPoint } from "../../store/crash-points.ts";
import { imagesOfSnapshot } from "../../store/images.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import { withoutSnapshot } from "../../store/recover.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { dropLayers, removeStates, scheduleCleanup } from "./cleanup.ts";

export async function deleteSnapshot(
  context: ServiceContext,
  machine: Machine,
  snapshot: SnapshotRecord,
): Promise<void> {
  await machine.operate(async () => {
    if (!machine.record.snapshots.some((each) => each.id === snapshot.id)) {
      throw new AppError("NOT_FOUND", `There is no snapshot ${snapshot.id}`, { field: "snapshotId" });
    }
    await forgetSnapshot(context, machine, snapshot);
    void machine.log.write("info", `Snapshot "${snapshot.name}" was deleted`);
  });
  scheduleCleanup(context, machine);
}

/** For callers that hold the machine's operations already. */
export async function forgetSnapshot(
  context: ServiceContext,
  machine: Machine,
  snapshot: SnapshotRecord,
): Promise<void> {
  await machine.update((record) => withoutSnapshot(record, snapshot.id));
  crashPoint("delete:recorded");
  dropLayers(machine, imagesOfSnapshot(snapshot));
  machine.publishSnapshots();
  // Memory is freed at once, also while the machine runs: its process keeps open what it still needs.
  await removeStates(machine);
}

export interface SnapshotChange {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly pinned?: boolean | undefined;
}

export async function updateSnapshot(
  machine: Machine,
  snapshot: SnapshotRecord,
  change: SnapshotChange,
): Promise<SnapshotRecord> {
  const name = change.name?.trim();
  if (name === "")
    throw new AppError("INVALID_ARGUMENT", "A snapshot needs a name", { field: "name", remedy: "Enter a name." });
  const patch = {
    ...(name !== undefined && { name }),
    ...(change.description !== undefined && { description: change.description }),
    ...(change.pinned !== undefined && { pinned: change.pinned }),
  };
  await machine.update((record) => ({
    snapshots: record.snapshots.map((each) => (each.id === snapshot.id ? { ...each, ...patch } : each)),
  }));
  machine.publishSnapshots();
  return { ...snapshot, ...patch };
}
