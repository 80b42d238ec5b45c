// Gives up the memory of a snapshot and keeps its disks: where the memory is damaged for good, or for its space. It restores as after a
// power failure then.
import { AppError } from "../../../native-core/common/errors.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { scheduleCleanup } from "../snapshots/cleanup.ts";

/** @throws AppError INVALID_STATE for a snapshot without memory */
export async function dropMemory(
  context: ServiceContext,
  machine: Machine,
  { id, name }: SnapshotRecord,
): Promise<SnapshotRecord> {
  const dropped = await machine.operate(async () => {
    const snapshot = machine.record.snapshots.find((each) => each.id === id);
    if (!snapshot?.memory) {
      throw new AppError("INVALID_STATE", `The snapshot "${name}" has no memory`, {
        field: "snapshotId",
        consequence: "Nothing was changed.",
      });
    }
    await machine.update(({ snapshots }) => ({
      snapshots: snapshots.map((each) => (each.id === id ? { ...each, memory: null } : each)),
    }));
    machine.publishSnapshots();
    void machine.log.write("info", `The memory of snapshot "${name}" was given up; its disks are kept`);
    return { ...snapshot, memory: null };
  });
  // What it alone had goes in the background.
  scheduleCleanup(context, machine);
  return dropped;
}
