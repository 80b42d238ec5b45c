// Over the screen: scaling, keys for the guest, screenshot and recording, full screen. In full screen it slides away until the pointer
// meets the edge.
import { Button, Menu, MenuDivider, MenuItem, SegmentedControl } from "@blueprintjs/core";
import {
  ApplicationIcon,
  CameraIcon,
  CaretDownIcon,
  ClipboardIcon,
  FullscreenIcon,
  KeyCommandIcon,
  MinimizeIcon,
  RecordIcon,
  StopIcon,
} from "@blueprintjs/icons";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { usePaneCommands } from "../../app/pane-commands.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { DropDown } from "../../ui/drop-down.tsx";
import { IconButton } from "../../ui/icon-button.tsx";
import { openMachineWindow } from "../machine-window/open-window.ts";
import { SoundControl } from "../sound/sound-control.tsx";
import { SCALE_MODES } from "./host-commands.ts";
import { COMBINATIONS, sendKeys } from "./keys.ts";
import { saveScreenshot } from "./screenshot.ts";
import { useRecording } from "./use-recording.ts";
import type { Screen } from "./use-screen.ts";
import { useScreenCommands } from "./use-screen-commands.ts";
import { ZoomMenu } from "./zoom-menu.tsx";

/** What can be laid over the screen's edge. */
export type DisplayPanel = "paste" | "keyboard" | null;

/** What the tool bar and the menus of a window of its own act on. */
export interface DisplayControls {
  readonly machine: MachineSummary;
  readonly screen: Screen;
  readonly fullScreen: boolean;
  /** CSS pixels per guest pixel. */
  readonly factor: number;
  readonly panel: DisplayPanel;
  onFullScreen(): void;
  onPanel(panel: DisplayPanel): void;
}

interface Props extends DisplayControls {
  /** In a window of its own there is nothing to detach. */
  readonly detached: boolean;
}

interface KeysMenuProps extends Pick<DisplayControls, "screen" | "onPanel"> {
  onSent?(): void;
}

export function KeysMenu({ screen, onPanel, onSent }: KeysMenuProps) {
  const { t } = useTranslation();
  return (
    <Menu>
      {COMBINATIONS.map(([name, keys]) => (
        <MenuItem
          key={name}
          text={name}
          disabled={screen.link !== "open"}
          onClick={() => {
            const rfb = screen.rfb.current;
            if (!rfb) return;
            sendKeys(rfb, keys);
            onSent?.();
          }}
        />
      ))}
      <MenuDivider />
      <MenuItem icon={<ClipboardIcon />} text={t("display.paste")} onClick={() => onPanel("paste")} />
      <MenuItem icon={<KeyCommandIcon />} text={t("display.softKeyboard")} onClick={() => onPanel("keyboard")} />
    </Menu>
  );
}

export function DisplayBar(props: Props) {
  const { t } = useTranslation();
  const { machine, screen, fullScreen, factor, panel, detached, onFullScreen, onPanel } = props;
  const mode = usePreference("scaleMode");
  const open = screen.link === "open";
  // The menu gives the focus back to its button as it closes; after keys for the guest it belongs to the guest.
  const toGuest = useRef(false);
  const focusGuest = () => {
    if (toGuest.current) screen.rfb.current?.focus();
    toGuest.current = false;
  };
  const keysMenu = <KeysMenu screen={screen} onPanel={onPanel} onSent={() => (toGuest.current = true)} />;
  const { recording, start, stop } = useRecording(machine.name);
  const record = () => {
    const canvas = screen.canvas();
    if (recording) stop();
    else if (canvas) start(canvas);
  };
  usePaneCommands(useScreenCommands(props, { recording, record }));
  return (
    <div className="pane-bar display-bar" role="toolbar" aria-label={t("display.toolbar")}>
      <SegmentedControl
        size="small"
        aria-label={t("display.mode")}
        options={SCALE_MODES.map((value) => ({ value, label: t(`display.modes.${value}`) }))}
        value={mode}
        onValueChange={(value) => setPreference("scaleMode", SCALE_MODES.find((known) => known === value) ?? "fit")}
      />
      <ZoomMenu factor={factor} disabled={!open} />
      <span className="muted display-mode-help">{t(`display.modeHelp.${mode}`)}</span>
      <span className="pane-bar-space" />
      {fullScreen && <strong>{machine.name}</strong>}
      <DropDown content={keysMenu} onClosed={focusGuest} align="end" disabled={!open}>
        <Button
          variant="minimal"
          icon={<KeyCommandIcon />}
          endIcon={<CaretDownIcon />}
          text={t("display.keys")}
          disabled={!open}
        />
      </DropDown>
      <IconButton
        icon={<ClipboardIcon />}
        label={t("display.paste")}
        disabled={!open}
        active={panel === "paste"}
        onClick={() => onPanel(panel === "paste" ? null : "paste")}
      />
      <IconButton icon={<CameraIcon />} label={t("display.screenshot")} onClick={() => void saveScreenshot(machine)} />
      <IconButton
        icon={recording ? <StopIcon /> : <RecordIcon />}
        label={t(recording ? "display.stopRecording" : "display.record")}
        disabled={!open}
        active={recording}
        onClick={record}
      />
      <SoundControl />
      {!detached && (
        <IconButton
          icon={<ApplicationIcon />}
          label={t("command.window")}
          onClick={() => openMachineWindow(machine.id)}
        />
      )}
      <Button
        variant="minimal"
        icon={fullScreen ? <MinimizeIcon /> : <FullscreenIcon />}
        text={t(fullScreen ? "display.leaveFullScreen" : "display.fullScreen")}
        disabled={!open && !fullScreen}
        onClick={onFullScreen}
      />
    </div>
  );
}
