// What can be done with an open screen, for the command palette: as the tool bar over it and its menus, with the keys that do the same.
import { useTranslation } from "react-i18next";
import type { AppCommand } from "../../app/commands.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import type { DisplayControls } from "./display-bar.tsx";
import { SCALE_MODES } from "./host-commands.ts";
import { hostKeyCode } from "./host-key.ts";
import { COMBINATIONS, sendKeys } from "./keys.ts";
import { saveScreenshot } from "./screenshot.ts";
import { zoomBy } from "./zoom.ts";

interface Recording {
  readonly recording: boolean;
  record(): void;
}

export function useScreenCommands(controls: DisplayControls, { recording, record }: Recording): AppCommand[] {
  const { t } = useTranslation();
  const { machine, screen, fullScreen, factor, onFullScreen, onPanel } = controls;
  const hostKey = t(`display.hostKeys.${hostKeyCode(usePreference("hostKey"))}`);
  const command = (id: string, label: string, run: () => void, key?: string): AppCommand => ({
    ...{ id: `screen-${id}`, label, run },
    context: machine.name,
    shortcut: key && `${hostKey} + ${key}`,
  });
  if (screen.link !== "open") return [];
  return [
    command("full-screen", t(fullScreen ? "display.leaveFullScreen" : "display.fullScreen"), onFullScreen, "F"),
    command("screenshot", t("display.screenshot"), () => void saveScreenshot(machine), "E"),
    command("record", t(recording ? "display.stopRecording" : "display.record"), record),
    command("paste", t("display.paste"), () => onPanel("paste"), "V"),
    command("keyboard", t("display.softKeyboard"), () => onPanel("keyboard")),
    command("zoom-in", t("display.zoomIn"), () => zoomBy(1, factor), "+"),
    command("zoom-out", t("display.zoomOut"), () => zoomBy(-1, factor), "−"),
    ...SCALE_MODES.map((mode) =>
      command(`scale-${mode}`, `${t("display.mode")}: ${t(`display.modes.${mode}`)}`, () =>
        setPreference("scaleMode", mode),
      ),
    ),
    ...COMBINATIONS.map(([name, keys]) =>
      command(`keys-${name}`, `${t("display.keys")}: ${name}`, () => {
        if (screen.rfb.current) sendKeys(screen.rfb.current, keys);
      }),
    ),
  ];
}
