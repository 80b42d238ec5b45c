// Console: the machine's serial ports as terminals.
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { useMachine } from "../../api/queries.ts";
import { mayTakeFocus } from "../../app/focus.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { useDarkTheme } from "../../app/theme.ts";
import { zoomKey } from "../../ui/zoom-keys.ts";
import { useChannels } from "../machines/use-channels.ts";
import { ConsoleBar } from "./console-bar.tsx";
import { ConsoleSession } from "./console-session.ts";
import { openSession } from "./sessions.ts";
import { TimeGutter } from "./time-gutter.tsx";
import "./console.css";

type Port = 0 | 1;

const FONT_MIN = 9;
const FONT_MAX = 28;
const FONT_USUAL = 13;

function zoom(current: number, by: number): void {
  setPreference("consoleFontSize", Math.min(FONT_MAX, Math.max(FONT_MIN, current + by)));
}

/** Keys that belong to the terminal's frame, not to the guest. True when handled. */
function handleFrameKey(event: KeyboardEvent, session: ConsoleSession, focusSearch: () => void): boolean {
  if (event.type !== "keydown" || !event.ctrlKey) return false;
  const fontSize = session.terminal.options.fontSize ?? FONT_USUAL;
  const zoomStep = zoomKey(event);
  if (event.shiftKey && event.code === "KeyC") void navigator.clipboard.writeText(session.terminal.getSelection());
  else if (event.shiftKey && event.code === "KeyF") focusSearch();
  else if (zoomStep === 0) setPreference("consoleFontSize", FONT_USUAL);
  else if (zoomStep !== null) zoom(fontSize, zoomStep);
  else return false;
  event.preventDefault();
  return true;
}

interface TerminalProps {
  readonly session: ConsoleSession;
  readonly machine: MachineSummary;
  readonly run: number | null;
  /** Whether `run` is up to date. */
  readonly current: boolean;
  onSearch(): void;
}

function TerminalView({ session, machine, run, current, onSearch }: TerminalProps) {
  const { t } = useTranslation();
  const frame = useRef<HTMLDivElement>(null);
  const dark = useDarkTheme();
  const fontSize = usePreference("consoleFontSize");
  const screenReader = usePreference("screenReader");
  const live = useChannels(machine.state);

  useEffect(() => {
    const parent = frame.current;
    if (!parent) return;
    session.attach(parent);
    session.terminal.attachCustomKeyEventHandler((event) => !handleFrameKey(event, session, onSearch));
    const observer = new ResizeObserver(() => session.fit());
    observer.observe(parent);
    if (mayTakeFocus()) session.terminal.focus();
    return () => {
      observer.disconnect();
      session.detach();
    };
  }, [session, onSearch]);

  useEffect(() => {
    session.setLook(dark, fontSize, screenReader);
    session.fit();
  }, [session, dark, fontSize, screenReader]);

  useEffect(() => session.follow(live && current, run), [session, live, current, run]);

  return (
    <section
      ref={frame}
      className="console-frame"
      data-captures-keyboard=""
      aria-label={t("console.label", { name: machine.name })}
    />
  );
}

export default function ConsolePane({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const { data: details, isFetching } = useMachine(machine.id);
  const [port, setPort] = useState<Port>(0);
  const search = useRef<HTMLInputElement>(null);
  const [focusSearch] = useState(() => () => search.current?.select());
  const key = `${machine.id}/${port}`;
  const session = openSession(key, () => new ConsoleSession(machine.id, port));
  const withTimes = usePreference("consoleTimes");
  const attached = details?.config.serial[port].mode !== "none";
  return (
    <>
      <ConsoleBar
        session={session}
        machine={machine}
        port={port}
        searchRef={search}
        onPort={setPort}
        onZoom={(by) => zoom(session.terminal.options.fontSize ?? FONT_USUAL, by)}
      />
      {attached ? (
        // The details say when the machine was started; connecting with old ones would mistake one run for another.
        details && (
          <div className="console-body">
            {withTimes && <TimeGutter key={`${key}/times`} session={session} />}
            <TerminalView
              key={key}
              session={session}
              machine={machine}
              run={details.startedAtMs}
              current={!isFetching}
              onSearch={focusSearch}
            />
          </div>
        )
      ) : (
        <p className="pane-message muted">{t("console.notAttached")}</p>
      )}
    </>
  );
}
