// Snapshot commands, and what the snapshots take up together.
import { Button } from "@blueprintjs/core";
import { CameraIcon, DuplicateIcon, HistoryIcon, TrashIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { MachineSummary, Snapshot, SnapshotTree } from "../../../main/contract/schemas.ts";
import { openDialog } from "../../app/navigation.ts";
import { formatBytes } from "../../ui/format.ts";
import { isAllowed } from "../machines/rules.ts";
import type { SnapshotQuestion } from "./question.ts";

interface Props {
  readonly machine: MachineSummary;
  readonly tree: SnapshotTree;
  readonly selected: Snapshot | undefined;
  onAsk(question: SnapshotQuestion): void;
}

export function SnapshotToolbar({ machine, tree, selected, onAsk }: Props) {
  const { t } = useTranslation();
  const free = isAllowed("takeSnapshot", machine.state);
  const size = formatBytes(tree.snapshots.reduce((sum, snapshot) => sum + snapshot.ownBytes, 0));
  const clone = () => selected && openDialog({ kind: "clone", machineId: machine.id, snapshotId: selected.id });
  return (
    <div className="pane-bar" role="toolbar" aria-label={t("snapshots.toolbar")}>
      <Button
        variant="minimal"
        icon={<CameraIcon />}
        text={t("snapshots.take")}
        disabled={!free}
        onClick={() => onAsk("take")}
      />
      <Button
        variant="minimal"
        icon={<HistoryIcon />}
        text={t("snapshots.restore")}
        disabled={!selected || !free}
        onClick={() => onAsk("restore")}
      />
      <Button
        variant="minimal"
        icon={<TrashIcon />}
        text={t("snapshots.delete")}
        disabled={!selected || !free}
        onClick={() => onAsk("delete")}
      />
      <Button
        variant="minimal"
        icon={<DuplicateIcon />}
        text={t("snapshots.clone")}
        disabled={!selected}
        onClick={clone}
      />
      <span className="pane-bar-space" />
      {tree.snapshots.length > 0 && (
        <span className="muted number">
          {t("snapshots.total", { number: t("snapshots.count", { count: tree.snapshots.length }), size })}
        </span>
      )}
    </div>
  );
}
