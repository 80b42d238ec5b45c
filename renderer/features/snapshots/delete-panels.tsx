// The inline questions before snapshots are deleted: what that frees, and which ones the rules don't keep.
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { MachineSummary, Snapshot } from "../../../main/contract/schemas.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { formatBytes } from "../../ui/format.ts";
import { InlinePanel } from "./inline-panel.tsx";
import { deleteSnapshot, pruneSnapshots } from "./snapshot-actions.ts";

interface DeleteProps {
  readonly snapshot: Snapshot;
  onClose(): void;
}

export function DeletePanel({ snapshot, onClose }: DeleteProps) {
  const { t } = useTranslation();
  const preview = useQuery({
    queryKey: keys.deletePreview(snapshot.id),
    queryFn: () => client.snapshots.previewDelete({ snapshotId: snapshot.id }),
    staleTime: 0,
  }).data;
  return (
    <InlinePanel
      title={t("snapshots.deleteTitle", { name: snapshot.name })}
      confirm={t("snapshots.delete")}
      intent="danger"
      onConfirm={() => deleteSnapshot(snapshot)}
      onClose={onClose}
    >
      <p className="muted">
        {preview ? t("snapshots.deleteHint", { size: formatBytes(preview.freedBytes) }) : t("snapshots.deleteUnknown")}{" "}
        {preview !== undefined &&
          preview.copiedBytes > 0 &&
          t("snapshots.deleteCopies", { size: formatBytes(preview.copiedBytes) })}
      </p>
    </InlinePanel>
  );
}

interface PruneProps {
  readonly machine: MachineSummary;
  onClose(): void;
}

export function PrunePanel({ machine, onClose }: PruneProps) {
  const { t } = useTranslation();
  const doomed = useQuery({
    queryKey: keys.prunePreview(machine.id),
    queryFn: () => client.snapshots.prune({ id: machine.id, dryRun: true }),
    staleTime: 0,
  }).data;
  if (!doomed) return null;
  const size = formatBytes(doomed.reduce((sum, snapshot) => sum + snapshot.ownBytes, 0));
  return (
    <InlinePanel
      title={t("snapshots.pruneTitle")}
      confirm={doomed.length === 0 ? t("common.ok") : t("snapshots.delete")}
      intent={doomed.length === 0 ? "none" : "danger"}
      onConfirm={() => (doomed.length === 0 ? Promise.resolve(true) : pruneSnapshots(machine))}
      onClose={onClose}
    >
      <p className="muted">
        {doomed.length === 0 ? t("snapshots.pruneNone") : t("snapshots.pruneHint", { count: doomed.length, size })}
      </p>
      {doomed.length > 0 && <p className="muted">{doomed.map((snapshot) => snapshot.name).join(", ")}</p>}
    </InlinePanel>
  );
}
