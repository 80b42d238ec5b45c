// One machine in the list: its screen or its symbol, name, the snapshot it descends from, state.
import { LockIcon, UnlockIcon } from "@blueprintjs/icons";
import { type DragEvent, type MouseEvent, memo } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { endRenaming } from "../../app/navigation.ts";
import { InlineEdit } from "../../ui/inline-edit.tsx";
import { StateBadge } from "../../ui/state-badge.tsx";
import type { ListRow, MachineListRow } from "./list-model.ts";
import { MachineGlyph } from "./machine-glyph.tsx";
import { renameMachine, startOrShow } from "./run-command.ts";

export const rowId = (key: string): string => `machine-${key}`;

/** What every row of the list is given, whatever it shows. */
export interface RowProps<T extends ListRow = ListRow> {
  readonly row: T;
  readonly top: number;
  readonly position: number;
  readonly count: number;
  readonly selected: boolean;
  readonly active: boolean;
  readonly renaming: boolean;
  /** Where something that is dragged would be dropped at this row. */
  readonly drop: "before" | "after" | "into" | undefined;
  onSelect(row: ListRow, event: MouseEvent): void;
  onMenu(event: MouseEvent, row: ListRow): void;
  onDragStart(event: DragEvent, row: ListRow): void;
  onDragOver(event: DragEvent, row: ListRow): void;
}

/** Attributes that rows of machines and of groups share. */
export function rowAttributes(props: RowProps) {
  const { row, top, position, count, selected, active, renaming, drop } = props;
  return {
    id: rowId(row.id),
    role: "treeitem",
    "aria-level": row.depth,
    "aria-posinset": position,
    "aria-setsize": count,
    "aria-selected": selected,
    "data-active": active || undefined,
    "data-drop": drop,
    draggable: !renaming,
    style: { top, paddingLeft: 8 + (row.depth - 1) * 14 },
    onMouseDown: (event: MouseEvent) => event.button === 0 && props.onSelect(row, event),
    onContextMenu: (event: MouseEvent) => props.onMenu(event, row),
    onDragStart: (event: DragEvent) => props.onDragStart(event, row),
    onDragOver: (event: DragEvent) => props.onDragOver(event, row),
  } as const;
}

export const MachineRow = memo(function MachineRow(props: RowProps<MachineListRow>) {
  const { t } = useTranslation();
  const { row, renaming } = props;
  const machine: MachineSummary = row.machine;
  const { id, name } = machine;
  const rename = (next: string) => {
    endRenaming();
    void renameMachine(id, next);
  };
  return (
    // oxlint-disable-next-line jsx-a11y/interactive-supports-focus -- the list has the focus and names its active item
    <div {...rowAttributes(props)} className="machine-row" onDoubleClick={() => !renaming && startOrShow(machine)}>
      <MachineGlyph machine={machine} />
      <div className="machine-row-text">
        <div className="machine-row-title">
          {renaming ? (
            <InlineEdit value={name} label={t("list.renameLabel", { name })} onSave={rename} onCancel={endRenaming} />
          ) : (
            <>
              <span className="machine-row-name">{name}</span>
              {machine.encryption === "locked" && <LockIcon size={12} title={t("encryption.locked")} />}
              {machine.encryption === "unlocked" && <UnlockIcon size={12} title={t("encryption.unlocked")} />}
              {machine.currentSnapshotName && (
                <span className="machine-row-snapshot">
                  {t("list.currentSnapshot", { name: machine.currentSnapshotName })}
                </span>
              )}
            </>
          )}
        </div>
        <StateBadge state={machine.state} />
      </div>
    </div>
  );
});
