// The console's tool bar: port, search, clipboard, text size, saving, and how the line stands.
import { Button, InputGroup, SegmentedControl } from "@blueprintjs/core";
import {
  ChevronDownIcon,
  ChevronUpIcon,
  ClipboardIcon,
  DownloadIcon,
  DuplicateIcon,
  SearchIcon,
  TimeIcon,
  ZoomInIcon,
  ZoomOutIcon,
  ZoomToFitIcon,
} from "@blueprintjs/icons";
import { type KeyboardEvent, type RefObject, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { useStore } from "../../api/store.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { download } from "../../ui/download.ts";
import { IconButton } from "../../ui/icon-button.tsx";
import { isLive } from "../machines/rules.ts";
import type { ConsoleSession } from "./console-session.ts";

interface Props {
  readonly session: ConsoleSession;
  readonly machine: MachineSummary;
  readonly port: 0 | 1;
  readonly searchRef: RefObject<HTMLInputElement | null>;
  onPort(port: 0 | 1): void;
  onZoom(by: number): void;
}

function ConsoleSearch({ session, searchRef }: Pick<Props, "session" | "searchRef">) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const matches = useStore(session.state, (state) => state.matches);
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter") session.find(text, event.shiftKey ? "previous" : "next", false);
    else if (event.key === "Escape") {
      setText("");
      session.find("", "next", false);
      session.terminal.focus();
    } else return;
    event.preventDefault();
  };
  return (
    <>
      <InputGroup
        className="console-search"
        type="search"
        inputRef={searchRef}
        leftElement={<SearchIcon />}
        placeholder={t("console.search")}
        aria-label={t("console.search")}
        value={text}
        onKeyDown={onKey}
        onChange={(event) => {
          setText(event.target.value);
          session.find(event.target.value, "next", true);
        }}
      />
      {text && (
        <>
          <span className="muted number" role="status">
            {matches && matches.count > 0
              ? t("console.matches", { index: matches.index + 1, count: matches.count })
              : t("console.noMatch")}
          </span>
          <IconButton
            icon={<ChevronUpIcon />}
            label={t("console.previous")}
            onClick={() => session.find(text, "previous", false)}
          />
          <IconButton
            icon={<ChevronDownIcon />}
            label={t("console.next")}
            onClick={() => session.find(text, "next", false)}
          />
        </>
      )}
    </>
  );
}

export function ConsoleBar({ session, machine, port, searchRef, onPort, onZoom }: Props) {
  const { t } = useTranslation();
  const { link, columns, rows } = useStore(session.state);
  const { terminal } = session;
  const withTimes = usePreference("consoleTimes");
  const paste = async () => {
    terminal.paste(await navigator.clipboard.readText());
    terminal.focus();
  };
  const tellSize = () => {
    session.send(`stty rows ${rows} cols ${columns}\r`);
    terminal.focus();
  };
  const save = () =>
    download(
      `${machine.name} ${t(`console.ports.${port}`)}.txt`,
      new Blob([session.text(withTimes)], { type: "text/plain" }),
    );
  const status = isLive(machine.state) ? t(link === "open" ? "console.connected" : "console.connecting") : "";
  return (
    <div className="pane-bar">
      <SegmentedControl
        size="small"
        aria-label={t("console.port")}
        options={(["0", "1"] as const).map((value) => ({ value, label: t(`console.ports.${value}`) }))}
        value={String(port)}
        onValueChange={(value) => onPort(value === "1" ? 1 : 0)}
      />
      <ConsoleSearch session={session} searchRef={searchRef} />
      <span className="pane-bar-space" />
      <span className="muted number console-status" role="status">
        {isLive(machine.state) ? `${status} · ${t("console.size", { columns, rows })}` : t("console.off")}
      </span>
      <IconButton
        icon={<DuplicateIcon />}
        label={t("console.copy")}
        onClick={() => void navigator.clipboard.writeText(terminal.getSelection())}
      />
      <IconButton
        icon={<ClipboardIcon />}
        label={t("console.paste")}
        disabled={link !== "open"}
        onClick={() => void paste()}
      />
      <IconButton
        icon={<TimeIcon />}
        label={t("console.times")}
        active={withTimes}
        onClick={() => setPreference("consoleTimes", !withTimes)}
      />
      <IconButton icon={<ZoomOutIcon />} label={t("console.smaller")} onClick={() => onZoom(-1)} />
      <IconButton icon={<ZoomInIcon />} label={t("console.larger")} onClick={() => onZoom(1)} />
      <IconButton
        icon={<ZoomToFitIcon />}
        label={t("console.fit")}
        hint={t("console.fitHelp", { rows, columns })}
        disabled={link !== "open"}
        onClick={tellSize}
      />
      <Button variant="minimal" icon={<DownloadIcon />} text={t("console.download")} onClick={save} />
    </div>
  );
}
