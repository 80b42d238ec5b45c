// The menus of a machine's own window, named as virtualization programs name them: Machine, View, Devices.
import { Button, Menu, MenuDivider, MenuItem } from "@blueprintjs/core";
import { BlankIcon, TickIcon } from "@blueprintjs/icons";
import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { openDialog } from "../../app/navigation.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { DropDown } from "../../ui/drop-down.tsx";
import { SCALE_MODES } from "../display/host-commands.ts";
import { saveScreenshot } from "../display/screenshot.ts";
import { MachineMenuItems } from "../machines/machine-menu.tsx";

interface Props {
  readonly machine: MachineSummary;
}

function MachineItems({ machine }: Props) {
  const { t } = useTranslation();
  return (
    <Menu>
      <MachineMenuItems machine={machine} />
      <MenuDivider />
      <MenuItem text={t("close.menu")} onClick={() => openDialog({ kind: "close", machineId: machine.id })} />
    </Menu>
  );
}

function ViewItems({ machine }: Props) {
  const { t } = useTranslation();
  const mode = usePreference("scaleMode");
  return (
    <Menu>
      {SCALE_MODES.map((value) => (
        <MenuItem
          key={value}
          icon={value === mode ? <TickIcon /> : <BlankIcon />}
          text={t(`display.modeHelp.${value}`)}
          onClick={() => setPreference("scaleMode", value)}
        />
      ))}
      <MenuDivider />
      <MenuItem text={t("display.screenshot")} onClick={() => void saveScreenshot(machine)} />
    </Menu>
  );
}

function DeviceItems({ machine }: Props) {
  const { t } = useTranslation();
  const settings = (field: string) => openDialog({ kind: "settings", machineId: machine.id, field });
  return (
    <Menu>
      <MenuItem text={t("settings.pages.storage")} onClick={() => settings("disks")} />
      <MenuItem text={t("settings.pages.display")} onClick={() => settings("display.videoMemoryMiB")} />
      <MenuItem text={t("settings.pages.serial")} onClick={() => settings("serial")} />
    </Menu>
  );
}

export function WindowMenus({ machine }: Props) {
  const { t } = useTranslation();
  const menu = (name: "machine" | "view" | "devices", content: ReactElement) => (
    <DropDown key={name} content={content} align="start">
      <Button variant="minimal" size="small" text={t(`window.${name}`)} />
    </DropDown>
  );
  return (
    <div className="window-menus" role="toolbar" aria-label={t("window.menus")}>
      {menu("machine", <MachineItems machine={machine} />)}
      {menu("view", <ViewItems machine={machine} />)}
      {menu("devices", <DeviceItems machine={machine} />)}
    </div>
  );
}
