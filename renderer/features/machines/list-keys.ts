// Keys of the machine list: arrows walk and open, Shift extends, Ctrl+A takes all, Alt moves; typing searches.
import type { KeyboardEvent } from "react";
import { listSelection, selectMachine, selectMachines, startRenaming } from "../../app/navigation.ts";
import { applyDrop, setGroupOpen } from "./arrange.ts";
import { runBulk } from "./bulk.ts";
import { planDrop } from "./drop-plan.ts";
import { groupKey, groupOfRow, type ListRow, machinesBetween, step } from "./list-model.ts";
import { runCommand, startOrShow } from "./run-command.ts";

export function selectRow(row: ListRow | undefined): void {
  if (row?.kind === "machine") selectMachine(row.id);
  else if (row)
    selectMachines(
      row.machines.map(({ id }) => id),
      row.id,
    );
}

/** Walks to a row; with Shift everything from the anchor to it is selected. */
export function moveTo(rows: readonly ListRow[], by: number | "first" | "last", extend: boolean): void {
  const { active, anchor } = listSelection();
  const next = step(rows, active, by);
  if (!next) return;
  if (!extend || !anchor) return selectRow(next);
  selectMachines(machinesBetween(rows, anchor, next.id), next.id, anchor);
}

/** One place up or down among its neighbours, for those who don't drag. */
function shift(rows: readonly ListRow[], row: ListRow, by: 1 | -1): void {
  const siblings = rows.filter((other) => groupOfRow(other) === groupOfRow(row));
  const target = siblings[siblings.indexOf(row) + by];
  const plan = target && planDrop(rows, [row.id], target, by === 1 ? "after" : "before");
  if (plan) void applyDrop(plan);
}

function openOrEnter(rows: readonly ListRow[], row: ListRow): void {
  if (row.kind !== "group") return;
  if (row.open) moveTo(rows, 1, false);
  else setGroupOpen(row.path, true);
}

function closeOrLeave(rows: readonly ListRow[], row: ListRow): void {
  if (row.kind === "group" && row.open) setGroupOpen(row.path, false);
  else selectRow(rows.find((other) => other.id === groupKey(groupOfRow(row))));
}

/** True when the key was for the list; `onType` gets those that begin a search. */
export function handleListKey(event: KeyboardEvent, rows: readonly ListRow[], onType: () => void): boolean {
  const { ids, active } = listSelection();
  const row = rows.find((each) => each.id === active);
  const { key, shiftKey, altKey } = event;
  const command = event.ctrlKey || event.metaKey;
  const selected = rows.flatMap((each) => (each.kind === "machine" && ids.includes(each.id) ? [each.machine] : []));
  const machines = row?.kind === "group" ? row.machines : selected;
  if (altKey && row && key === "ArrowDown") shift(rows, row, 1);
  else if (altKey && row && key === "ArrowUp") shift(rows, row, -1);
  else if (key === "ArrowDown") moveTo(rows, 1, shiftKey);
  else if (key === "ArrowUp") moveTo(rows, -1, shiftKey);
  else if (key === "Home") moveTo(rows, "first", shiftKey);
  else if (key === "End") moveTo(rows, "last", shiftKey);
  else if (key === "ArrowRight" && row) openOrEnter(rows, row);
  else if (key === "ArrowLeft" && row) closeOrLeave(rows, row);
  else if (command && key.toLowerCase() === "a") {
    const all = rows.flatMap((each) => (each.kind === "machine" ? [each.id] : []));
    if (all[0] !== undefined) selectMachines(all, active ?? all[0]);
  } else if (key === "Enter" && row?.kind === "group") setGroupOpen(row.path, !row.open);
  else if (key === "Enter" && row?.kind === "machine") startOrShow(row.machine);
  else if (key === "F2" && row) startRenaming(row.id);
  else if (key === "Delete" && machines.length > 1) void runBulk("remove", machines);
  else if (key === "Delete" && row?.kind === "machine") void runCommand("remove", row.machine);
  else if (key.length === 1 && key !== " " && !command && !altKey) {
    // The field gets this very key.
    onType();
    return false;
  } else return false;
  return true;
}
