// The machines on the left: search, groups, several at once, keyboard, dragging, context menu. A tree with one tab stop that draws only
// the rows in sight.
import { Button, InputGroup, showContextMenu } from "@blueprintjs/core";
import { CrossIcon, SearchIcon } from "@blueprintjs/icons";
import {
  type KeyboardEvent,
  type MouseEvent,
  useCallback,
  useDeferredValue,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { focusRequests } from "../../app/focus.ts";
import { listSelection, selectMachine, selectMachines, useListSelection, useRenaming } from "../../app/navigation.ts";
import { usePreference } from "../../app/preferences.ts";
import { useDarkTheme } from "../../app/theme.ts";
import { useVirtualRows } from "../../ui/use-virtual-rows.ts";
import { GroupRow } from "./group-row.tsx";
import { handleListKey, moveTo, selectRow } from "./list-keys.ts";
import { ListMenu } from "./list-menu.tsx";
import { type ListRow, listRows, machinesBetween, sortMachines } from "./list-model.ts";
import { MachineRow, rowId } from "./machine-row.tsx";
import { startOrShow } from "./run-command.ts";
import { useListDrag } from "./use-list-drag.ts";
import "./machine-list.css";

const MACHINE_HEIGHT = 44;
const GROUP_HEIGHT = 28;

/** Click selects, Ctrl adds or takes away, Shift selects up to here. */
function selectByClick(rows: readonly ListRow[], row: ListRow, event: MouseEvent): void {
  const { ids, active, anchor } = listSelection();
  if (event.shiftKey && anchor) return selectMachines(machinesBetween(rows, anchor, row.id), row.id, anchor);
  if (!(event.ctrlKey || event.metaKey) || row.kind === "group") return selectRow(row);
  const next = ids.includes(row.id) ? ids.filter((id) => id !== row.id) : [...ids, row.id];
  if (next.length > 0) selectMachines(next, next.includes(row.id) ? row.id : (next.at(-1) ?? row.id));
  else if (active) selectMachine(row.id);
}

export function MachineList({ machines }: { readonly machines: readonly MachineSummary[] }) {
  const { t } = useTranslation();
  const dark = useDarkTheme();
  const renamingKey = useRenaming();
  const { ids, active } = useListSelection();
  const order = usePreference("listOrder");
  const closed = usePreference("closedGroups");
  const inMachines = usePreference("place") === "machines";
  const [filter, setFilter] = useState("");
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const shownFilter = useDeferredValue(filter);
  // Sorted once: what is in order already is quickly put in order again with every letter of a search.
  const sorted = useMemo(() => sortMachines(machines), [machines]);
  const rows = useMemo(
    () => listRows(sorted, { filter: shownFilter, order, closed }),
    [sorted, shownFilter, order, closed],
  );
  const heights = useMemo(() => rows.map(({ kind }) => (kind === "group" ? GROUP_HEIGHT : MACHINE_HEIGHT)), [rows]);
  const { first, end, top, totalHeight, reveal } = useVirtualRows(list, heights);
  const drag = useListDrag(rows);
  const latest = useRef(rows);
  useEffect(() => {
    latest.current = rows;
  }, [rows]);
  const selected = new Set(ids);
  const activeIndex = rows.findIndex((row) => row.id === active);

  useEffect(() => focusRequests.onSearch(() => search.current?.select()), []);
  // Only when it moves there, not whenever the list changes.
  const shownActive = useRef<string | null>(null);
  useEffect(() => {
    if (active === shownActive.current || activeIndex < 0) return;
    shownActive.current = active;
    reveal(activeIndex);
  }, [active, activeIndex, reveal]);
  // The field is gone after renaming: keyboard users go on in the list.
  const wasRenaming = useRef(false);
  useEffect(() => {
    if (wasRenaming.current && !renamingKey && document.activeElement === document.body) list.current?.focus();
    wasRenaming.current = renamingKey !== null;
  }, [renamingKey]);

  const onSelect = useCallback((row: ListRow, event: MouseEvent) => selectByClick(latest.current, row, event), []);
  const openMenu = useCallback(
    (row: ListRow, left: number, menuTop: number) =>
      showContextMenu({ content: <ListMenu row={row} />, targetOffset: { left, top: menuTop }, isDarkTheme: dark }),
    [dark],
  );
  const onMenu = useCallback(
    (event: MouseEvent, row: ListRow) => {
      event.preventDefault();
      event.stopPropagation();
      if (!listSelection().ids.includes(row.id)) selectRow(row);
      openMenu(row, event.clientX, event.clientY);
    },
    [openMenu],
  );

  /** The menu key and Shift+F10 arrive at the list itself: the menu opens at the active row. */
  const onListMenu = (event: MouseEvent) => {
    event.preventDefault();
    const row = rows[activeIndex];
    const box = row && document.getElementById(rowId(row.id))?.getBoundingClientRect();
    if (row && box) openMenu(row, box.left + 40, box.bottom);
  };

  const onListKey = (event: KeyboardEvent) => {
    if (handleListKey(event, rows, () => search.current?.focus())) event.preventDefault();
  };

  const onSearchKey = (event: KeyboardEvent) => {
    const row = rows[activeIndex];
    if (event.key === "Escape") setFilter("");
    else if (event.key === "ArrowDown") moveTo(rows, row ? 1 : "first", false);
    else if (event.key === "ArrowUp") moveTo(rows, -1, false);
    else if (event.key === "Enter" && row?.kind === "machine") startOrShow(row.machine);
    else if (event.key === "Enter") selectRow(rows.find(({ kind }) => kind === "machine"));
    else return;
    event.preventDefault();
  };

  return (
    <nav className="machine-list" data-keeps-focus="" aria-label={t("app.machines")}>
      <div className="machine-list-head">
        <InputGroup
          inputRef={search}
          type="search"
          leftElement={<SearchIcon />}
          placeholder={t("list.search")}
          aria-label={t("command.search")}
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
          onKeyDown={onSearchKey}
          {...(filter && {
            rightElement: (
              <Button
                variant="minimal"
                icon={<CrossIcon />}
                aria-label={t("list.clearSearch")}
                onClick={() => setFilter("")}
              />
            ),
          })}
        />
      </div>
      <div
        ref={list}
        role="tree"
        tabIndex={0}
        aria-label={t("list.label")}
        aria-multiselectable="true"
        aria-activedescendant={activeIndex >= first && activeIndex < end && active ? rowId(active) : undefined}
        className="machine-rows"
        data-drop={drag.dropAtEnd || undefined}
        onKeyDown={onListKey}
        onContextMenu={onListMenu}
        {...drag.onDropEnd}
      >
        <div className="machine-rows-space" role="presentation" style={{ height: totalHeight }}>
          {rows.slice(first, end).map((row, index) => {
            const shared = {
              top: top(first + index),
              position: first + index + 1,
              count: rows.length,
              selected: inMachines && (row.kind === "group" ? row.id === active : selected.has(row.id)),
              active: row.id === active,
              renaming: row.id === renamingKey,
              drop: drag.dropAt(row.id),
              onSelect,
              onMenu,
              onDragStart: drag.onDragStart,
              onDragOver: drag.onDragOver,
            };
            return row.kind === "group" ? (
              <GroupRow key={row.id} row={row} {...shared} />
            ) : (
              <MachineRow key={row.id} row={row} {...shared} />
            );
          })}
        </div>
      </div>
      {machines.length > 0 && rows.length === 0 && (
        <p className="machine-list-empty muted" role="status">
          {t("list.noMatch", { filter: shownFilter })}
        </p>
      )}
    </nav>
  );
}
