// Snapshot commands, and what the snapshots take up together.
import { Button, InputGroup } from "@blueprintjs/core";
import {
  CameraIcon,
  CleanIcon,
  ComparisonIcon,
  DuplicateIcon,
  HistoryIcon,
  PinIcon,
  SearchIcon,
  TimelineEventsIcon,
  TrashIcon,
  UnpinIcon,
} from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { MachineSummary, Snapshot, SnapshotTree } from "../../../main/contract/schemas.ts";
import { openDialog } from "../../app/navigation.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { formatBytes } from "../../ui/format.ts";
import { isAllowed } from "../machines/rules.ts";
import type { SnapshotQuestion } from "./question.ts";
import { pinSnapshot } from "./snapshot-actions.ts";

interface Props {
  readonly machine: MachineSummary;
  readonly tree: SnapshotTree;
  readonly selected: Snapshot | undefined;
  /** What is restored and compared: the selected one, or the one that the current state came from. */
  readonly subject: Snapshot | undefined;
  readonly filter: string;
  onFilter(filter: string): void;
  onAsk(question: SnapshotQuestion): void;
}

export function SnapshotToolbar({ machine, tree, selected, subject, filter, onFilter, onAsk }: Props) {
  const { t } = useTranslation();
  const timeline = usePreference("timeline");
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
        disabled={!subject || !free}
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
      <Button
        variant="minimal"
        icon={<ComparisonIcon />}
        text={t("snapshots.compare")}
        disabled={!subject}
        onClick={() => onAsk("diff")}
      />
      {selected && (
        <Button
          variant="minimal"
          icon={selected.pinned ? <UnpinIcon /> : <PinIcon />}
          text={t(selected.pinned ? "snapshots.unpin" : "snapshots.pin")}
          onClick={() => void pinSnapshot(selected.id, !selected.pinned)}
        />
      )}
      {tree.snapshots.some((snapshot) => snapshot.kind !== "user") && (
        <Button
          variant="minimal"
          icon={<CleanIcon />}
          text={t("snapshots.prune")}
          disabled={!free}
          onClick={() => onAsk("prune")}
        />
      )}
      <span className="pane-bar-space" />
      {tree.snapshots.length > 0 && (
        <Button
          variant="minimal"
          icon={<TimelineEventsIcon />}
          aria-label={t("snapshots.timeline")}
          title={t("snapshots.timeline")}
          aria-pressed={timeline}
          active={timeline}
          onClick={() => setPreference("timeline", !timeline)}
        />
      )}
      {tree.snapshots.length > 5 && (
        <InputGroup
          type="search"
          size="small"
          leftIcon={<SearchIcon />}
          value={filter}
          placeholder={t("snapshots.search")}
          aria-label={t("snapshots.search")}
          onChange={(event) => onFilter(event.target.value)}
        />
      )}
      {tree.snapshots.length > 0 && (
        <span className="muted number">
          {t("snapshots.total", { number: t("snapshots.count", { count: tree.snapshots.length }), size })}
        </span>
      )}
    </div>
  );
}
