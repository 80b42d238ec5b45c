// Reading a machine's disks as they are at one moment, whether it runs or not: from a snapshot that goes again afterwards.
import type { SnapshotRecord } from "../../store/machine-record.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { scheduleCleanup } from "./cleanup.ts";
import { forgetSnapshot } from "./delete.ts";
import { takeSnapshotNow } from "./take.ts";

/** `purpose` is in the snapshot's name, for the case that it is seen: "Backup"; `memory`: whether that of a running machine is wanted, too. */
export async function atThisMoment<T>(
  context: ServiceContext,
  machine: Machine,
  { purpose, memory }: { readonly purpose: string; readonly memory: boolean },
  work: (snapshot: SnapshotRecord) => Promise<T>,
): Promise<T> {
  const name = `${purpose} of ${machine.name}`.slice(0, 128);
  const snapshot = await machine.operate(() =>
    takeSnapshotNow(context, machine, { name, description: "", transient: true, memory }),
  );
  try {
    return await work(snapshot);
  } finally {
    await machine.operate(async () => {
      if (machine.record.snapshots.some((each) => each.id === snapshot.id)) {
        await forgetSnapshot(context, machine, snapshot);
      }
    });
    scheduleCleanup(context, machine);
  }
}
