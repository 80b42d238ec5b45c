// What can be done with snapshots. Each reports its own result; the tree follows by events.
import type { MachineSummary, Snapshot } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { i18n } from "../../i18n/index.ts";
import { notify, notifyFailure } from "../notifications/model.ts";

/** Runs a command; a failure is shown and answered with false. */
async function attempt(command: () => Promise<unknown>): Promise<boolean> {
  try {
    await command();
    return true;
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
    return false;
  }
}

export function takeSnapshot(machine: MachineSummary, name: string, description: string): Promise<boolean> {
  return attempt(async () => {
    const trimmed = name.trim();
    const taken = await client.snapshots.take({ id: machine.id, description, ...(trimmed && { name: trimmed }) });
    notify({ kind: "success", title: i18n.t("snapshots.taken_notice", { name: taken.name }) });
  });
}

export function restoreSnapshot(machine: MachineSummary, snapshot: Snapshot, keepCurrent: boolean): Promise<boolean> {
  return attempt(async () => {
    await client.snapshots.restore({ snapshotId: snapshot.id, keepCurrent });
    notify({
      kind: "success",
      title: i18n.t("snapshots.restored", { name: machine.name, snapshot: snapshot.name }),
    });
  });
}

export function deleteSnapshot(snapshot: Snapshot): Promise<boolean> {
  return attempt(async () => {
    await client.snapshots.delete({ snapshotId: snapshot.id });
    notify({ kind: "success", title: i18n.t("snapshots.deleted", { name: snapshot.name }) });
  });
}

export function renameSnapshot(snapshotId: string, name: string): Promise<boolean> {
  return attempt(() => client.snapshots.update({ snapshotId, name }));
}

export function describeSnapshot(snapshotId: string, description: string): Promise<boolean> {
  return attempt(() => client.snapshots.update({ snapshotId, description }));
}
