// Several machines selected: what they are, what they use together, and the commands for all of them.
import { Button } from "@blueprintjs/core";
import { useTranslation } from "react-i18next";
import { useMachines } from "../../api/queries.ts";
import { selectMachine, useListSelection } from "../../app/navigation.ts";
import { StateBadge } from "../../ui/state-badge.tsx";
import { allowedOf, BULK_COMMANDS, runBulk } from "./bulk.ts";
import { COMMAND_ICONS } from "./command-icons.tsx";
import { sortMachines } from "./list-model.ts";
import "./selection-pane.css";

/** A list to look over, not to work through; commands are for all that are selected. */
const SHOWN_MAX = 100;

export function SelectionPane() {
  const { t } = useTranslation();
  const { ids } = useListSelection();
  const chosen = new Set(ids);
  const machines = sortMachines((useMachines().data ?? []).filter(({ id }) => chosen.has(id)));
  return (
    <section className="pane tool-page" aria-label={t("list.selection")}>
      <div className="tool-head">
        <h1>{t("list.selected", { count: machines.length })}</h1>
      </div>
      <div className="selection-commands" role="group" aria-label={t("toolbar.label")}>
        {BULK_COMMANDS.map((command) => {
          const count = allowedOf(command, machines).length;
          return (
            <Button
              key={command}
              icon={COMMAND_ICONS[command]}
              text={
                count > 0 ? t("list.bulkCommand", { command: t(`command.${command}`), count }) : t(`command.${command}`)
              }
              disabled={count === 0}
              onClick={() => void runBulk(command, machines)}
            />
          );
        })}
      </div>
      <ul className="selection-list">
        {machines.slice(0, SHOWN_MAX).map((machine) => (
          <li key={machine.id}>
            <button type="button" className="setting-link" onClick={() => selectMachine(machine.id)}>
              {machine.name}
            </button>
            <span className="muted">{machine.group}</span>
            <StateBadge state={machine.state} />
          </li>
        ))}
      </ul>
      {machines.length > SHOWN_MAX && <p className="muted">{t("list.more", { count: machines.length - SHOWN_MAX })}</p>}
    </section>
  );
}
