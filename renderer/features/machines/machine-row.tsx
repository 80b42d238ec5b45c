// One machine in the list: glyph, name, the snapshot it descends from, state.
import { type MouseEvent, memo } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { endRenaming } from "../../app/navigation.ts";
import { InlineEdit } from "../../ui/inline-edit.tsx";
import { OsGlyph } from "../../ui/os-glyph.tsx";
import { StateBadge } from "../../ui/state-badge.tsx";
import { renameMachine, startOrShow } from "./run-command.ts";

export const rowId = (machineId: string): string => `machine-${machineId}`;

interface Props {
  readonly machine: MachineSummary;
  readonly selected: boolean;
  readonly renaming: boolean;
  onSelect(id: string): void;
  onMenu(event: MouseEvent, machine: MachineSummary): void;
}

export const MachineRow = memo(function MachineRow({ machine, selected, renaming, onSelect, onMenu }: Props) {
  const { t } = useTranslation();
  const { id, name } = machine;
  const rename = (next: string) => {
    endRenaming();
    void renameMachine(id, next);
  };
  return (
    // oxlint-disable-next-line jsx-a11y/interactive-supports-focus -- the list has the focus and names its active item
    <div
      id={rowId(id)}
      role="option"
      aria-selected={selected}
      className="machine-row"
      onMouseDown={() => onSelect(id)}
      onDoubleClick={() => !renaming && startOrShow(machine)}
      onContextMenu={(event) => onMenu(event, machine)}
    >
      <OsGlyph osType={machine.osType} />
      <div className="machine-row-text">
        <div className="machine-row-title">
          {renaming ? (
            <InlineEdit value={name} label={t("list.renameLabel", { name })} onSave={rename} onCancel={endRenaming} />
          ) : (
            <>
              <span className="machine-row-name">{name}</span>
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
