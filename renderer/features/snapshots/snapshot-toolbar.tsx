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
import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary, Snapshot, SnapshotTree } from "../../../main/contract/schemas.ts";
import { openDialog } from "../../app/navigation.ts";
import { usePaneCommands } from "../../app/pane-commands.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { formatBytes } from "../../ui/format.ts";
import { isAllowed } from "../machines/rules.ts";
import type { SnapshotQuestion } from "./question.ts";
import { pinSnapshot } from "./snapshot-actions.ts";

type CommandId = "take" | "restore" | "delete" | "clone" | "compare" | "pin" | "unpin" | "prune";

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
  const command = (id: CommandId, icon: ReactElement, enabled: boolean, run: () => void, about?: Snapshot) => ({
    ...{ id: `snapshot-${id}`, icon, enabled, run },
    label: t(`snapshots.${id}`),
    context: about?.name ?? machine.name,
  });
  const commands = [
    command("take", <CameraIcon />, free, () => onAsk("take")),
    command("restore", <HistoryIcon />, free && subject !== undefined, () => onAsk("restore"), subject),
    command("delete", <TrashIcon />, free && selected !== undefined, () => onAsk("delete"), selected),
    command("clone", <DuplicateIcon />, selected !== undefined, clone, selected),
    command("compare", <ComparisonIcon />, subject !== undefined, () => onAsk("diff"), subject),
    ...(selected
      ? [
          selected.pinned
            ? command("unpin", <UnpinIcon />, true, () => void pinSnapshot(selected.id, false), selected)
            : command("pin", <PinIcon />, true, () => void pinSnapshot(selected.id, true), selected),
        ]
      : []),
    ...(tree.snapshots.some((snapshot) => snapshot.kind !== "user")
      ? [command("prune", <CleanIcon />, free, () => onAsk("prune"))]
      : []),
  ];
  usePaneCommands(commands.filter(({ enabled }) => enabled));
  return (
    <div className="pane-bar" role="toolbar" aria-label={t("snapshots.toolbar")}>
      {commands.map(({ id, icon, label, enabled, run }) => (
        <Button key={id} variant="minimal" icon={icon} text={label} disabled={!enabled} onClick={run} />
      ))}
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
