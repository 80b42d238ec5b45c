// Every command of one machine as a menu: the context menu of the list and the tool bar's menu share it.
import { Menu, MenuDivider, MenuItem } from "@blueprintjs/core";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { COMMAND_ICONS } from "./command-icons.tsx";
import { isAllowed, type MachineCommand, primaryCommand } from "./rules.ts";
import { runCommand, startOrShow } from "./run-command.ts";

const KEYS: Partial<Record<MachineCommand, string>> = { rename: "F2", remove: "Del", settings: "Ctrl+," };

interface ItemProps {
  readonly command: MachineCommand;
  readonly machine: MachineSummary;
}

function CommandItem({ command, machine }: ItemProps) {
  const { t } = useTranslation();
  return (
    <MenuItem
      icon={COMMAND_ICONS[command]}
      text={t(`command.${command}`)}
      label={KEYS[command] ?? ""}
      disabled={!isAllowed(command, machine.state)}
      intent={command === "remove" ? "danger" : "none"}
      onClick={() => void runCommand(command, machine)}
    />
  );
}

const STOPS = ["acpi", "save", "powerOff"] as const;

/** The three ways to stop, each with what it does to the guest. */
export function StopMenu({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  return (
    <Menu>
      {STOPS.map((command) => (
        <MenuItem
          key={command}
          icon={COMMAND_ICONS[command]}
          multiline
          text={
            <>
              {t(`command.${command}`)}
              <div className="menu-hint">{t(`command.help.${command}`)}</div>
            </>
          }
          disabled={!isAllowed(command, machine.state)}
          onClick={() => void runCommand(command, machine)}
        />
      ))}
    </Menu>
  );
}

export function MachineMenu({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const primary = primaryCommand(machine.state);
  return (
    <Menu>
      <MenuItem
        icon={COMMAND_ICONS[primary]}
        text={t(`command.${primary}`)}
        label="Enter"
        onClick={() => startOrShow(machine)}
      />
      <CommandItem command="pause" machine={machine} />
      <CommandItem command="reset" machine={machine} />
      <MenuDivider />
      {STOPS.map((command) => (
        <CommandItem key={command} command={command} machine={machine} />
      ))}
      <CommandItem command="discard" machine={machine} />
      <MenuDivider />
      <CommandItem command="takeSnapshot" machine={machine} />
      <CommandItem command="fork" machine={machine} />
      <CommandItem command="clone" machine={machine} />
      <CommandItem command="settings" machine={machine} />
      <CommandItem command="rename" machine={machine} />
      <MenuDivider />
      <CommandItem command="remove" machine={machine} />
    </Menu>
  );
}
