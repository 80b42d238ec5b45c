// The menus of a machine's own window, named as virtualization programs name them: Machine, View, Input, Devices.
import { Button, Menu, MenuDivider, MenuItem } from "@blueprintjs/core";
import { BlankIcon } from "@blueprintjs/icons";
import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { openDialog } from "../../app/navigation.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { ChoiceItem } from "../../ui/choice-item.tsx";
import { DropDown } from "../../ui/drop-down.tsx";
import { type DisplayControls, KeysMenu } from "../display/display-bar.tsx";
import { SCALE_MODES } from "../display/host-commands.ts";
import { saveScreenshot } from "../display/screenshot.ts";
import { ZoomLevels } from "../display/zoom-menu.tsx";
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

function ViewItems({ machine, screen, onFullScreen }: DisplayControls) {
  const { t } = useTranslation();
  const mode = usePreference("scaleMode");
  return (
    <Menu>
      <MenuItem
        icon={<BlankIcon />}
        text={t("display.fullScreen")}
        disabled={screen.link !== "open"}
        onClick={onFullScreen}
      />
      <MenuDivider />
      {SCALE_MODES.map((value) => (
        <ChoiceItem
          key={value}
          chosen={value === mode}
          text={t(`display.modeHelp.${value}`)}
          onChoose={() => setPreference("scaleMode", value)}
        />
      ))}
      <MenuItem icon={<BlankIcon />} text={t("window.zoom")}>
        <ZoomLevels />
      </MenuItem>
      <MenuDivider />
      <MenuItem icon={<BlankIcon />} text={t("display.screenshot")} onClick={() => void saveScreenshot(machine)} />
    </Menu>
  );
}

/** Settings by what they are called, with the field that the dialog opens at. */
const DEVICES = [
  ["storage", "disks"],
  ["audio", "sound.adapter"],
  ["network", "adapters"],
  ["serial", "serial"],
  ["usb", "usb.controller"],
  ["sharedFolders", "sharedFolders"],
  ["display", "display.videoMemoryMiB"],
] as const;

function DeviceItems({ machine }: Props) {
  const { t } = useTranslation();
  return (
    <Menu>
      {DEVICES.map(([page, field]) => (
        <MenuItem
          key={page}
          text={`${t(`settings.pages.${page}`)}…`}
          onClick={() => openDialog({ kind: "settings", machineId: machine.id, field })}
        />
      ))}
    </Menu>
  );
}

function WindowMenus(controls: DisplayControls) {
  const { t } = useTranslation();
  const { machine, screen, onPanel } = controls;
  const menu = (name: "machine" | "view" | "input" | "devices", content: ReactElement) => (
    <DropDown key={name} content={content} align="start">
      <Button variant="minimal" size="small" text={t(`window.${name}`)} />
    </DropDown>
  );
  return (
    <div className="window-menus" role="toolbar" aria-label={t("window.menus")}>
      {menu("machine", <MachineItems machine={machine} />)}
      {menu("view", <ViewItems {...controls} />)}
      {menu("input", <KeysMenu screen={screen} onPanel={onPanel} />)}
      {menu("devices", <DeviceItems machine={machine} />)}
    </div>
  );
}

export const windowMenus = (controls: DisplayControls): ReactElement => <WindowMenus {...controls} />;
