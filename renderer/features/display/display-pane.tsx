// Display: the machine's screen, as large as it gets; when the machine is off, its last picture with the way to start it.
import { Button } from "@blueprintjs/core";
import { type ReactElement, useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { zoomKey } from "../../ui/zoom-keys.ts";
import { isLive } from "../machines/rules.ts";
import { useChannels } from "../machines/use-channels.ts";
import { useSound } from "../sound/use-sound.ts";
import { DisplayBar, type DisplayControls, type DisplayPanel } from "./display-bar.tsx";
import { DisplayStatus } from "./display-status.tsx";
import { nextScaleMode, runHostCommand } from "./host-commands.ts";
import { hostKeyCode, listenForHostKey, type PressedKey } from "./host-key.ts";
import { LayoutSelect } from "./layout-select.tsx";
import { OffScreen } from "./off-screen.tsx";
import { PastePanel } from "./paste-panel.tsx";
import { isCrisp, scaleFactor } from "./scaling.ts";
import { SoftKeyboard } from "./soft-keyboard.tsx";
import { useDevicePixelRatio } from "./use-device-pixel-ratio.ts";
import { useElementSize } from "./use-element-size.ts";
import { useFullScreen } from "./use-full-screen.ts";
import { useScreen } from "./use-screen.ts";
import { zoomBy } from "./zoom.ts";
import "./display.css";

interface Props {
  readonly machine: MachineSummary;
  /** The menus over the screen in a window of its own. */
  menus?(controls: DisplayControls): ReactElement;
}

export default function DisplayPane({ machine, menus }: Props) {
  const { t } = useTranslation();
  const target = useRef<HTMLDivElement>(null);
  const [stage, setStage] = useState<HTMLDivElement | null>(null);
  const mode = usePreference("scaleMode");
  const live = isLive(machine.state);
  const label = t("display.label", { name: machine.name });
  const follow = mode === "follow";
  const channels = useChannels(machine.state);
  const screen = useScreen(target, machine.id, channels, label, follow);
  useSound(machine.id, channels);
  const pane = useElementSize(stage);
  const [panel, setPanel] = useState<DisplayPanel>(null);
  const hostKey = hostKeyCode(usePreference("hostKey"));
  const [fullScreen, toggleFullScreen] = useFullScreen();
  const pixelRatio = useDevicePixelRatio();
  const zoomPercent = usePreference("zoomPercent");
  const factor = screen.size && pane ? scaleFactor(mode, screen.size, pane, pixelRatio, zoomPercent) : 1;

  const { rfb } = screen;
  useEffect(() => {
    if (fullScreen) rfb.current?.focus();
  }, [fullScreen, rfb]);
  const release = useCallback(() => {
    rfb.current?.blur();
    document.getElementById("tab-display")?.focus();
  }, [rfb]);

  // The handlers see the machine as it is now, without listening anew for each change.
  const command = useRef((_key: PressedKey) => {});
  useEffect(() => {
    command.current = (key) => {
      const zoomStep = zoomKey(key);
      if (zoomStep !== null) zoomBy(zoomStep, factor);
      else if (key.code === "KeyF") toggleFullScreen();
      else if (key.code === "KeyV") setPanel("paste");
      else if (key.code === "KeyC") setPreference("scaleMode", nextScaleMode(mode));
      else runHostCommand(key.code, machine);
    };
  }, [machine, mode, factor, toggleFullScreen]);
  useEffect(() => {
    if (!stage) return;
    const listener = listenForHostKey(stage, hostKey, { release, command: (key) => command.current(key) });
    return () => listener.dispose();
  }, [stage, hostKey, release]);

  // The session asks the guest for the size of its element, which is then all of the pane.
  const sized = follow
    ? null
    : screen.size && { width: screen.size.width * factor, height: screen.size.height * factor };
  const controls: DisplayControls = {
    machine,
    screen,
    fullScreen,
    factor,
    panel,
    onFullScreen: toggleFullScreen,
    onPanel: setPanel,
  };
  return (
    <div className="display" data-full-screen={fullScreen || undefined}>
      {!fullScreen && menus?.(controls)}
      <DisplayBar {...controls} detached={menus !== undefined} />
      {panel === "paste" && <PastePanel screen={screen} onClose={() => setPanel(null)} />}
      <div
        ref={setStage}
        className="display-stage"
        data-mode={mode}
        data-crisp={isCrisp(factor, pixelRatio) || undefined}
        data-captures-keyboard=""
        data-screen-of={live ? machine.id : undefined}
        data-focused={screen.focused || undefined}
      >
        <div ref={target} className="display-target" hidden={!live} style={sized ?? undefined} />
        {live && screen.link !== "open" && (
          <p className="display-message" role="status">
            {t(screen.link === "reconnecting" ? "display.reconnecting" : "display.connecting")}
          </p>
        )}
        {!live && <OffScreen machine={machine} />}
      </div>
      {panel === "keyboard" && (
        <div className="display-panel">
          <SoftKeyboard screen={screen} />
          <div className="display-panel-actions">
            <span />
            <LayoutSelect />
            <Button size="small" text={t("common.close")} onClick={() => setPanel(null)} />
          </div>
        </div>
      )}
      <DisplayStatus machine={machine} screen={screen} />
    </div>
  );
}
