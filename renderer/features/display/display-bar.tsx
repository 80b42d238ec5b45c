// Over the screen: scaling, Ctrl+Alt+Del, screenshot, full screen. In full screen it slides away until the pointer meets the edge.
import { Button, SegmentedControl } from "@blueprintjs/core";
import { CameraIcon, FullscreenIcon, KeyIcon, MinimizeIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { SCALE_MODES } from "./host-commands.ts";
import { saveScreenshot } from "./screenshot.ts";
import type { Screen } from "./use-screen.ts";

interface Props {
  readonly machine: MachineSummary;
  readonly screen: Screen;
  readonly fullScreen: boolean;
  onFullScreen(): void;
}

export function DisplayBar({ machine, screen, fullScreen, onFullScreen }: Props) {
  const { t } = useTranslation();
  const mode = usePreference("scaleMode");
  const sendKeys = () => {
    screen.rfb.current?.sendCtrlAltDel();
    screen.rfb.current?.focus();
  };
  return (
    <div className="pane-bar display-bar" role="toolbar" aria-label={t("display.toolbar")}>
      <SegmentedControl
        size="small"
        aria-label={t("display.mode")}
        options={SCALE_MODES.map((value) => ({ value, label: t(`display.modes.${value}`) }))}
        value={mode}
        onValueChange={(value) => setPreference("scaleMode", SCALE_MODES.find((known) => known === value) ?? "fit")}
      />
      <span className="muted display-mode-help">{t(`display.modeHelp.${mode}`)}</span>
      <span className="pane-bar-space" />
      {fullScreen && <strong>{machine.name}</strong>}
      <Button
        variant="minimal"
        icon={<KeyIcon />}
        text={t("display.ctrlAltDel")}
        disabled={screen.link !== "open"}
        onClick={sendKeys}
      />
      <Button
        variant="minimal"
        icon={<CameraIcon />}
        text={t("display.screenshot")}
        onClick={() => void saveScreenshot(machine)}
      />
      <Button
        variant="minimal"
        icon={fullScreen ? <MinimizeIcon /> : <FullscreenIcon />}
        text={t(fullScreen ? "display.leaveFullScreen" : "display.fullScreen")}
        disabled={screen.link !== "open" && !fullScreen}
        onClick={onFullScreen}
      />
    </div>
  );
}
