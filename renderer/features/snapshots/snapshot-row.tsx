// One snapshot, or the current state, as a row of the tree.
import { CameraIcon, DatabaseIcon, PinIcon } from "@blueprintjs/icons";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import type { MachineState, Snapshot } from "../../../main/contract/schemas.ts";
import { Age } from "../../ui/age.tsx";
import { formatBytes } from "../../ui/format.ts";
import { InlineEdit } from "../../ui/inline-edit.tsx";
import { StateBadge } from "../../ui/state-badge.tsx";
import { CURRENT } from "./graph-layout.ts";

export const snapshotRowId = (id: string): string => `snapshot-${id}`;

interface Props {
  readonly snapshot: Snapshot;
  readonly depth: number;
  readonly selected: boolean;
  readonly renaming: boolean;
  onSelect(id: string): void;
  onOpen(id: string): void;
  onRename(id: string, name: string | null): void;
}

export const SnapshotRow = memo(function SnapshotRow(props: Props) {
  const { t } = useTranslation();
  const { snapshot, depth, selected, renaming, onSelect, onOpen, onRename } = props;
  const { id, name } = snapshot;
  const kind = t(snapshot.withMemory ? "snapshots.withMemory" : "snapshots.withoutMemory");
  return (
    // oxlint-disable-next-line jsx-a11y/interactive-supports-focus -- the tree has the focus and names its active item
    <div
      id={snapshotRowId(id)}
      role="treeitem"
      aria-level={depth}
      aria-selected={selected}
      className="snapshot-row"
      onMouseDown={() => onSelect(id)}
      onDoubleClick={() => !renaming && onOpen(id)}
    >
      <span className="snapshot-kind" title={kind} role="img" aria-label={kind}>
        {snapshot.withMemory ? <CameraIcon size={14} /> : <DatabaseIcon size={14} />}
      </span>
      <span className="snapshot-text">
        {renaming ? (
          <InlineEdit
            value={name}
            label={t("snapshots.renameLabel", { name })}
            onSave={(next) => onRename(id, next)}
            onCancel={() => onRename(id, null)}
          />
        ) : (
          <span className="snapshot-name">
            {name}
            {snapshot.pinned && (
              <span
                className="snapshot-pin"
                role="img"
                aria-label={t("snapshots.pinned")}
                title={t("snapshots.pinned")}
              >
                <PinIcon size={12} />
              </span>
            )}
          </span>
        )}
        {snapshot.description && <span className="snapshot-notes">{snapshot.description.split("\n")[0]}</span>}
      </span>
      <span className="snapshot-taken">
        <Age atMs={snapshot.takenAtMs} />
      </span>
      <span className="snapshot-size number">{formatBytes(snapshot.ownBytes)}</span>
    </div>
  );
});

interface CurrentRowProps {
  readonly state: MachineState;
  readonly changed: boolean;
  readonly depth: number;
  readonly selected: boolean;
  onSelect(id: string): void;
}

export function CurrentRow({ state, changed, depth, selected, onSelect }: CurrentRowProps) {
  const { t } = useTranslation();
  return (
    // oxlint-disable-next-line jsx-a11y/interactive-supports-focus -- the tree has the focus and names its active item
    <div
      id={snapshotRowId(CURRENT)}
      role="treeitem"
      aria-level={depth}
      aria-selected={selected}
      aria-current="true"
      className="snapshot-row"
      onMouseDown={() => onSelect(CURRENT)}
    >
      <span className="snapshot-kind" />
      <span className="snapshot-text">
        <span className="snapshot-name">
          {t("snapshots.current")}
          {changed && <span className="snapshot-changed"> ({t("snapshots.changed")})</span>}
        </span>
      </span>
      <StateBadge state={state} />
      <span className="snapshot-size" />
    </div>
  );
}
