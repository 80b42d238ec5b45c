// The tool bar over the panes: what can be done with the selected machine, most likely first.
import { Button, ButtonGroup, Menu, MenuItem } from "@blueprintjs/core";
import { ApplicationIcon, CaretDownIcon, EyeOffIcon, ImportIcon, PlusIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { openDialog } from "../../app/navigation.ts";
import { openMachineWindow } from "../machine-window/open-window.ts";
import { COMMAND_ICONS } from "../machines/command-icons.tsx";
import { StopMenu } from "../machines/machine-menu.tsx";
import { isAllowed, type MachineCommand, primaryCommand } from "../machines/rules.ts";
import { runCommand, startOrShow } from "../machines/run-command.ts";
import { NotificationBell } from "../notifications/notification-bell.tsx";
import { AppMenu } from "./app-menu.tsx";
import { ConfirmButton } from "./confirm-button.tsx";
import "./toolbar.css";
import { DropDown } from "../../ui/drop-down.tsx";

interface CommandButtonProps {
  readonly command: MachineCommand;
  readonly machine: MachineSummary;
}

function CommandButton({ command, machine }: CommandButtonProps) {
  const { t } = useTranslation();
  return (
    <Button
      variant="minimal"
      icon={COMMAND_ICONS[command]}
      text={t(`command.${command}`)}
      title={t(`command.${command}`)}
      disabled={!isAllowed(command, machine.state)}
      onClick={() => void runCommand(command, machine)}
    />
  );
}

function RiskyButton({
  command,
  machine,
}: {
  readonly command: "discard" | "reset";
  readonly machine: MachineSummary;
}) {
  const { t } = useTranslation();
  return (
    <ConfirmButton
      icon={COMMAND_ICONS[command]}
      text={t(`command.${command}`)}
      warning={t(`command.help.${command}`)}
      disabled={!isAllowed(command, machine.state)}
      onConfirm={() => void runCommand(command, machine)}
    />
  );
}

function StopButton({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const possible = (["acpi", "save", "powerOff"] as const).some((command) => isAllowed(command, machine.state));
  return (
    <DropDown content={<StopMenu machine={machine} />} align="start" disabled={!possible}>
      <Button
        variant="minimal"
        icon={COMMAND_ICONS.acpi}
        endIcon={<CaretDownIcon />}
        text={t("command.stop")}
        disabled={!possible}
      />
    </DropDown>
  );
}

/** Start without being taken to the screen, with the screen in a window of its own, or with firmware's boot menu. */
function StartModes({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const startable = isAllowed("start", machine.state);
  const content = (
    <Menu>
      <MenuItem
        icon={COMMAND_ICONS.show}
        text={t(startable ? "command.startNormal" : "command.show")}
        onClick={() => startOrShow(machine)}
      />
      <MenuItem
        icon={<ApplicationIcon />}
        text={t(startable ? "command.startWindow" : "command.window")}
        onClick={() => {
          if (startable) void runCommand("start", machine);
          openMachineWindow(machine.id);
        }}
      />
      <MenuItem
        icon={<EyeOffIcon />}
        text={t("command.startHeadless")}
        disabled={!startable}
        onClick={() => void runCommand("start", machine)}
      />
      <MenuItem
        icon={COMMAND_ICONS.bootMenu}
        text={t("command.bootMenu")}
        disabled={!isAllowed("bootMenu", machine.state)}
        onClick={() => void runCommand("bootMenu", machine)}
      />
    </Menu>
  );
  return (
    <DropDown content={content} align="end">
      <Button intent="primary" icon={<CaretDownIcon />} aria-label={t("command.startModes")} />
    </DropDown>
  );
}

interface ToolbarProps {
  /** The selected machine while its panes are shown. */
  readonly machine: MachineSummary | undefined;
  /** Several are selected: their commands are in the pane. */
  readonly several: boolean;
}

export function Toolbar({ machine: shown, several }: ToolbarProps) {
  const { t } = useTranslation();
  const machine = several ? undefined : shown;
  const primary = machine && primaryCommand(machine.state);
  return (
    <div className="toolbar" role="toolbar" aria-label={t("toolbar.label")}>
      <Button
        variant="minimal"
        icon={<PlusIcon />}
        text={t("command.new")}
        onClick={() => openDialog({ kind: "new-machine" })}
      />
      <Button
        variant="minimal"
        icon={<ImportIcon />}
        text={t("command.import")}
        title={t("command.import")}
        onClick={() => openDialog({ kind: "import" })}
      />
      {machine && primary && (
        <>
          <CommandButton command="settings" machine={machine} />
          <RiskyButton command="discard" machine={machine} />
          <span className="toolbar-line" />
          <ButtonGroup className="toolbar-start">
            <Button
              intent="primary"
              className="toolbar-primary"
              icon={COMMAND_ICONS[primary]}
              text={t(`command.${primary}`)}
              disabled={!isAllowed(primary, machine.state)}
              onClick={() => startOrShow(machine)}
            />
            <StartModes machine={machine} />
          </ButtonGroup>
          <CommandButton command="pause" machine={machine} />
          <RiskyButton command="reset" machine={machine} />
          <StopButton machine={machine} />
        </>
      )}
      <span className="toolbar-space" />
      <div className="toolbar-end">
        <NotificationBell />
        <AppMenu />
      </div>
    </div>
  );
}
