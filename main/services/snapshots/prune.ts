// Applies a machine's retention rules, or says what that would delete.
import type { Snapshot } from "../../contract/schemas.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { scheduleCleanup } from "./cleanup.ts";
import { forgetSnapshot } from "./delete.ts";
import { dispensable } from "./retention.ts";
import { snapshotView } from "./tree.ts";
import { visibleSnapshots } from "./visible.ts";

/** The snapshots that the rules don't keep, oldest first; they are deleted unless `dryRun`. */
export async function pruneSnapshots(context: ServiceContext, machine: Machine, dryRun: boolean): Promise<Snapshot[]> {
  if (dryRun) return chosen(machine);
  return machine.operate(() => pruneNow(context, machine));
}

/** For callers that hold the machine's operations already. */
export async function pruneNow(context: ServiceContext, machine: Machine): Promise<Snapshot[]> {
  const doomed = await chosen(machine);
  for (const { id } of doomed) {
    const snapshot = machine.record.snapshots.find((each) => each.id === id);
    if (snapshot) await forgetSnapshot(context, machine, snapshot);
  }
  if (doomed.length > 0) {
    void machine.log.write("info", `Snapshots that the rules don't keep were deleted: ${doomed.length}`);
    scheduleCleanup(context, machine);
  }
  return doomed;
}

async function chosen(machine: Machine): Promise<Snapshot[]> {
  const { config } = machine.record;
  const snapshots = visibleSnapshots(machine.record);
  if (snapshots.every((snapshot) => snapshot.kind === "user")) return [];
  const views = await Promise.all(snapshots.map((snapshot) => snapshotView(machine, snapshot)));
  return dispensable(views, config, -new Date().getTimezoneOffset() * 60_000);
}
