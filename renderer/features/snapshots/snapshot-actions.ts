// What can be done with snapshots. The tree follows by events and shows the result; only failures and a restore are announced.
import type { MachineSummary, Snapshot } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { i18n } from "../../i18n/index.ts";
import { savePieces } from "../files/save-pieces.ts";
import { type NoticeAction, notify, notifyFailure } from "../notifications/model.ts";
import { notifyDeleted } from "../trash/undo-deletion.ts";

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
    await client.snapshots.take({ id: machine.id, description, ...(trimmed && { name: trimmed }) });
  });
}

/** `memory`: whether the guest goes on with memory that may not fit its disks any more. */
export function restoreSnapshot(
  machine: MachineSummary,
  snapshot: Snapshot,
  options: { readonly keepCurrent: boolean; readonly memory: "if-safe" | "always" },
): Promise<boolean> {
  return attempt(async () => {
    const { keptSnapshotId } = await client.snapshots.restore({ snapshotId: snapshot.id, ...options });
    notify({
      kind: "success",
      title: i18n.t("snapshots.restored", { name: machine.name, snapshot: snapshot.name }),
      actions: keptSnapshotId === null ? [] : [undoWith(keptSnapshotId)],
    });
  });
}

/** Offers to go back to a snapshot that was taken before what the notification is about. */
export function undoWith(snapshotId: string): NoticeAction {
  const run = () => void attempt(() => client.snapshots.restore({ snapshotId, memory: "if-safe" }));
  return { label: i18n.t("common.undo"), run };
}

export function pinSnapshot(snapshotId: string, pinned: boolean): Promise<boolean> {
  return attempt(() => client.snapshots.update({ snapshotId, pinned }));
}

export function pruneSnapshots(machine: MachineSummary): Promise<boolean> {
  return attempt(() => client.snapshots.prune({ id: machine.id }));
}

/** Hands a file of the guest, as it was in the snapshot, to the user. */
export function downloadSnapshotFile(
  snapshotId: string,
  diskId: string,
  partition: number,
  path: string,
): Promise<boolean> {
  return attempt(() =>
    savePieces(path, (offset) => client.snapshots.readFile({ snapshotId, diskId, partition, path, offset })),
  );
}

/** Puts a file as it was onto a disc in the machine's drive. */
export function handToGuest(place: {
  readonly snapshotId: string;
  readonly diskId: string;
  readonly partition: number;
  readonly path: string;
}): Promise<boolean> {
  return attempt(async () => {
    const { changed } = await client.snapshots.handToGuest(place);
    const name = place.path.slice(place.path.lastIndexOf("/") + 1);
    notify({
      kind: changed ? "success" : "info",
      title: i18n.t(changed ? "snapshotFiles.handed" : "discs.kept", { name }),
      detail: i18n.t(changed ? "snapshotFiles.handedBody" : "snapshotFiles.keptBody"),
    });
  });
}

export function deleteSnapshot(snapshot: Snapshot): Promise<boolean> {
  return attempt(async () => {
    const { undo } = await client.snapshots.delete({ snapshotId: snapshot.id });
    notifyDeleted(i18n.t("snapshots.deleted", { name: snapshot.name }), undo);
  });
}

export function renameSnapshot(snapshotId: string, name: string): Promise<boolean> {
  return attempt(() => client.snapshots.update({ snapshotId, name }));
}

export function describeSnapshot(snapshotId: string, description: string): Promise<boolean> {
  return attempt(() => client.snapshots.update({ snapshotId, description }));
}
