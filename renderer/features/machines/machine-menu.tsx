// Every command of one machine as menu items, and the menu of the ways to stop.
import { Menu, MenuDivider, MenuItem } from "@blueprintjs/core";
import { ApplicationIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { shortcutLabel } from "../../app/shortcuts.ts";
import { openMachineWindow } from "../machine-window/open-window.ts";
import { COMMAND_ICONS } from "./command-icons.tsx";
import { isAllowed, type MachineCommand, primaryCommand } from "./rules.ts";
import { runCommand, startOrShow } from "./run-command.ts";
import { MACHINE_SHORTCUTS } from "./shortcuts.ts";

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
      label={shortcutLabel(MACHINE_SHORTCUTS[command] ?? "")}
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

/** The commands of one machine, for a menu that may have more. */
export function MachineMenuItems({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const primary = primaryCommand(machine.state);
  return (
    <>
      <MenuItem
        icon={COMMAND_ICONS[primary]}
        text={t(`command.${primary}`)}
        label={shortcutLabel("Enter")}
        onClick={() => startOrShow(machine)}
      />
      <MenuItem icon={<ApplicationIcon />} text={t("command.window")} onClick={() => openMachineWindow(machine.id)} />
      <CommandItem command="bootMenu" machine={machine} />
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
      <CommandItem command="export" machine={machine} />
      <CommandItem command="encryption" machine={machine} />
      <CommandItem command="reclaim" machine={machine} />
      <CommandItem command="verify" machine={machine} />
      <CommandItem command="settings" machine={machine} />
      <CommandItem command="rename" machine={machine} />
      <MenuDivider />
      <CommandItem command="remove" machine={machine} />
    </>
  );
}
