// Everything by name: commands of the selected machine, panes, other machines. Ctrl+K, type, Enter.
import { InputGroup, Overlay2 } from "@blueprintjs/core";
import { SearchIcon } from "@blueprintjs/icons";
import { type KeyboardEvent, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useMachines } from "../../api/queries.ts";
import { openDialog, PANES, selectMachine, showPane, useSelectedMachineId } from "../../app/navigation.ts";
import { isAllowed, MACHINE_COMMANDS } from "../machines/rules.ts";
import { runCommand } from "../machines/run-command.ts";
import { matchesWords } from "./match.ts";
import "./command-palette.css";

interface Entry {
  readonly id: string;
  readonly label: string;
  readonly context: string;
  run(): void;
}

function useEntries(): Entry[] {
  const { t } = useTranslation();
  const machines = useMachines().data ?? [];
  const selectedId = useSelectedMachineId();
  const machine = machines.find((candidate) => candidate.id === selectedId);
  const entries: Entry[] = [];
  if (machine) {
    for (const command of MACHINE_COMMANDS) {
      if (!isAllowed(command, machine.state)) continue;
      const run = () => void runCommand(command, machine);
      entries.push({ id: command, label: t(`command.${command}`), context: machine.name, run });
    }
    for (const pane of PANES)
      entries.push({ id: `pane-${pane}`, label: t(`pane.${pane}`), context: machine.name, run: () => showPane(pane) });
  }
  const create = () => openDialog({ kind: "new-machine" });
  entries.push({ id: "new", label: t("create.title"), context: t("app.name"), run: create });
  entries.push({ id: "trash", label: t("command.trash"), context: "", run: () => openDialog({ kind: "trash" }) });
  entries.push({ id: "about", label: t("command.about"), context: "", run: () => openDialog({ kind: "about" }) });
  for (const other of machines) {
    if (other.id === selectedId) continue;
    entries.push({
      id: other.id,
      label: other.name,
      context: t(`state.${other.state}`),
      run: () => selectMachine(other.id),
    });
  }
  return entries;
}

export default function CommandPalette({ onClose }: { onClose(): void }) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const [index, setIndex] = useState(0);
  const listId = useId();
  const list = useRef<HTMLDivElement>(null);
  const shown = useEntries().filter((entry) => matchesWords(`${entry.label} ${entry.context}`, text));
  const active = Math.min(index, shown.length - 1);

  const run = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    entry.run();
  };
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && shown.length > 0) {
      const next = (active + step + shown.length) % shown.length;
      setIndex(next);
      list.current?.children[next]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") run(shown[active]);
    else return;
    event.preventDefault();
  };

  return (
    <Overlay2 isOpen onClose={onClose} transitionDuration={0}>
      <div className="palette" role="dialog" aria-modal="true" aria-label={t("palette.title")}>
        <InputGroup
          autoFocus
          size="large"
          leftElement={<SearchIcon />}
          placeholder={t("palette.placeholder")}
          role="combobox"
          aria-expanded="true"
          aria-controls={listId}
          aria-activedescendant={shown[active] && `${listId}-${shown[active].id}`}
          aria-label={t("palette.placeholder")}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setIndex(0);
          }}
          onKeyDown={onKey}
        />
        <div ref={list} id={listId} role="listbox" aria-label={t("palette.title")}>
          {shown.map((entry, position) => (
            // oxlint-disable-next-line jsx-a11y/interactive-supports-focus -- the field has the focus and names its active item
            <div
              key={entry.id}
              id={`${listId}-${entry.id}`}
              role="option"
              aria-selected={position === active}
              onMouseMove={() => setIndex(position)}
              onMouseDown={() => run(entry)}
            >
              <span>{entry.label}</span>
              <span className="muted">{entry.context}</span>
            </div>
          ))}
        </div>
        {shown.length === 0 && <p className="muted palette-empty">{t("palette.empty")}</p>}
      </div>
    </Overlay2>
  );
}
