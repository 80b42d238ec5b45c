// The machines on the left: search, keyboard, double click, context menu. A listbox with one tab stop.
import { Button, InputGroup, showContextMenu } from "@blueprintjs/core";
import { CrossIcon, SearchIcon } from "@blueprintjs/icons";
import { type KeyboardEvent, type MouseEvent, useCallback, useDeferredValue, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { focusRequests } from "../../app/focus.ts";
import { selectMachine, startRenaming, useRenaming } from "../../app/navigation.ts";
import { useDarkTheme } from "../../app/theme.ts";
import { matchesFilter, sortMachines, step } from "./list-model.ts";
import { MachineMenu } from "./machine-menu.tsx";
import { MachineRow, rowId } from "./machine-row.tsx";
import { runCommand, startOrShow } from "./run-command.ts";
import "./machine-list.css";

interface Props {
  readonly machines: readonly MachineSummary[];
  readonly selectedId: string | null;
}

export function MachineList({ machines, selectedId }: Props) {
  const { t } = useTranslation();
  const dark = useDarkTheme();
  const renamingId = useRenaming();
  const [filter, setFilter] = useState("");
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const shownFilter = useDeferredValue(filter);
  const shown = sortMachines(machines).filter((machine) => matchesFilter(machine, shownFilter));
  const selected = shown.find((machine) => machine.id === selectedId);

  useEffect(() => focusRequests.onSearch(() => search.current?.select()), []);
  useEffect(() => {
    if (selectedId) document.getElementById(rowId(selectedId))?.scrollIntoView({ block: "nearest" });
  }, [selectedId]);
  // The field is gone after renaming: keyboard users go on in the list.
  const wasRenaming = useRef(false);
  useEffect(() => {
    if (wasRenaming.current && !renamingId && document.activeElement === document.body) list.current?.focus();
    wasRenaming.current = renamingId !== null;
  }, [renamingId]);

  const openMenu = useCallback(
    (event: MouseEvent, machine: MachineSummary) => {
      event.preventDefault();
      event.stopPropagation();
      selectMachine(machine.id);
      showContextMenu({
        content: <MachineMenu machine={machine} />,
        targetOffset: { left: event.clientX, top: event.clientY },
        isDarkTheme: dark,
      });
    },
    [dark],
  );

  /** The menu key and Shift+F10 arrive at the list itself: the menu opens at the selected machine. */
  const openMenuOfSelected = (event: MouseEvent) => {
    const row = selected && document.getElementById(rowId(selected.id));
    event.preventDefault();
    if (!row) return;
    const { left, bottom } = row.getBoundingClientRect();
    showContextMenu({
      content: <MachineMenu machine={selected} />,
      targetOffset: { left: left + 40, top: bottom },
      isDarkTheme: dark,
    });
  };

  const move = (by: number | "first" | "last") => {
    const next = step(shown, selectedId, by);
    if (next) selectMachine(next.id);
  };

  const onListKey = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Home") move("first");
    else if (event.key === "End") move("last");
    else if (event.key === "Enter" && selected) startOrShow(selected);
    else if (event.key === "F2" && selected) startRenaming(selected.id);
    else if (event.key === "Delete" && selected) void runCommand("remove", selected);
    else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey) {
      // Typing searches: the field gets this very key.
      search.current?.focus();
      return;
    } else return;
    event.preventDefault();
  };

  const onSearchKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") setFilter("");
    else if (event.key === "ArrowDown") move(selected ? 1 : "first");
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter" && selected) startOrShow(selected);
    else if (event.key === "Enter" && shown[0]) selectMachine(shown[0].id);
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
        role="listbox"
        tabIndex={0}
        aria-label={t("list.label")}
        aria-activedescendant={selected && rowId(selected.id)}
        className="machine-rows"
        onKeyDown={onListKey}
        onContextMenu={openMenuOfSelected}
      >
        {shown.map((machine) => (
          <MachineRow
            key={machine.id}
            machine={machine}
            selected={machine.id === selectedId}
            renaming={machine.id === renamingId}
            onSelect={selectMachine}
            onMenu={openMenu}
          />
        ))}
      </div>
      {machines.length > 0 && shown.length === 0 && (
        <p className="machine-list-empty muted" role="status">
          {t("list.noMatch", { filter: shownFilter })}
        </p>
      )}
    </nav>
  );
}
