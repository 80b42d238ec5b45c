// Display: the machine's screen, as large as it gets; when the machine is off, its last picture with the way to start it.
import { Button } from "@blueprintjs/core";
import { useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { isLive } from "../machines/rules.ts";
import { useChannels } from "../machines/use-channels.ts";
import { useSound } from "../sound/use-sound.ts";
import { DisplayBar, type DisplayPanel } from "./display-bar.tsx";
import { DisplayStatus } from "./display-status.tsx";
import { nextScaleMode, runHostCommand } from "./host-commands.ts";
import { hostKeyCode, listenForHostKey } from "./host-key.ts";
import { LayoutSelect } from "./layout-select.tsx";
import { OffScreen } from "./off-screen.tsx";
import { PastePanel } from "./paste-panel.tsx";
import { scaleFactor } from "./scaling.ts";
import { SoftKeyboard } from "./soft-keyboard.tsx";
import { useElementSize } from "./use-element-size.ts";
import { useFullScreen } from "./use-full-screen.ts";
import { useScreen } from "./use-screen.ts";
import "./display.css";

interface Props {
  readonly machine: MachineSummary;
  /** Shown in a window of its own. */
  readonly detached?: boolean;
}

export default function DisplayPane({ machine, detached = false }: Props) {
  const { t } = useTranslation();
  const frame = useRef<HTMLDivElement>(null);
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
  const [fullScreen, toggleFullScreen] = useFullScreen(frame);
  const factor = screen.size && pane ? scaleFactor(mode, screen.size, pane, window.devicePixelRatio) : 1;

  const { rfb } = screen;
  const release = useCallback(() => {
    rfb.current?.blur();
    document.getElementById("tab-display")?.focus();
  }, [rfb]);

  // The handlers see the machine as it is now, without listening anew for each change.
  const command = useRef((_code: string) => {});
  useEffect(() => {
    command.current = (code) => {
      if (code === "KeyF") toggleFullScreen();
      else if (code === "KeyV") setPanel("paste");
      else if (code === "KeyC") setPreference("scaleMode", nextScaleMode(mode));
      else runHostCommand(code, machine);
    };
  }, [machine, mode, toggleFullScreen]);
  useEffect(() => {
    if (!stage) return;
    const listener = listenForHostKey(stage, hostKey, { release, command: (code) => command.current(code) });
    return () => listener.dispose();
  }, [stage, hostKey, release]);

  // The session asks the guest for the size of its element, which is then all of the pane.
  const sized = follow
    ? null
    : screen.size && { width: screen.size.width * factor, height: screen.size.height * factor };
  return (
    <div ref={frame} className="display" data-full-screen={fullScreen || undefined}>
      <DisplayBar
        machine={machine}
        screen={screen}
        fullScreen={fullScreen}
        panel={panel}
        detached={detached}
        onFullScreen={toggleFullScreen}
        onPanel={setPanel}
      />
      {panel === "paste" && <PastePanel screen={screen} onClose={() => setPanel(null)} />}
      <div
        ref={setStage}
        className="display-stage"
        data-mode={mode}
        data-captures-keyboard=""
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
      <DisplayStatus machine={machine} screen={screen} factor={factor} />
    </div>
  );
}
