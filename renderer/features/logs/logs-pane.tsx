// What happened to the machine, newest at the bottom: find, filter by level, follow, save.
import { Button, InputGroup, Switch } from "@blueprintjs/core";
import { BookmarkIcon, DownloadIcon, SearchIcon } from "@blueprintjs/icons";
import { useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { useLog } from "../../api/queries.ts";
import { download } from "../../ui/download.ts";
import { formatLogTime } from "../../ui/format.ts";
import { entryKey, useBookmarks } from "./bookmarks.ts";
import { filterLog, LEVEL_FILTERS, type LevelFilter, logText } from "./log-model.ts";
import "./logs.css";
import { Select } from "../../ui/select.tsx";

export function LogsPane({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const entries = useLog(machine.id).data ?? [];
  const [find, setFind] = useState("");
  const [level, setLevel] = useState<LevelFilter>("all");
  const [follow, setFollow] = useState(true);
  const list = useRef<HTMLDivElement>(null);
  const [marked, setMarked] = useBookmarks(machine.id);
  const [onlyMarked, setOnlyMarked] = useState(false);
  const shown = filterLog(entries, find, level).filter((entry) => !onlyMarked || marked.has(entryKey(entry)));

  const last = shown.at(-1)?.atMs;
  useLayoutEffect(() => {
    if (follow && last !== undefined) list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [follow, last]);

  return (
    <>
      <div className="pane-bar">
        <InputGroup
          type="search"
          leftElement={<SearchIcon />}
          placeholder={t("logs.find")}
          aria-label={t("logs.find")}
          value={find}
          onChange={(event) => setFind(event.target.value)}
        />
        <Select
          aria-label={t("logs.level")}
          value={level}
          options={LEVEL_FILTERS.map((value) => ({ value, label: t(`logs.levels.${value}`) }))}
          onChange={(event) => setLevel(LEVEL_FILTERS.find((value) => value === event.target.value) ?? "all")}
        />
        <Switch
          label={t("logs.follow")}
          checked={follow}
          onChange={(event) => setFollow(event.currentTarget.checked)}
        />
        <Switch
          label={t("logs.onlyBookmarks")}
          checked={onlyMarked}
          onChange={(event) => setOnlyMarked(event.currentTarget.checked)}
        />
        <span className="pane-bar-space" />
        <span className="muted number">{t("logs.shown", { shown: shown.length, total: entries.length })}</span>
        <Button
          variant="minimal"
          icon={<DownloadIcon />}
          text={t("logs.download")}
          disabled={entries.length === 0}
          onClick={() => download(`${machine.name}.log`, new Blob([logText(entries)], { type: "text/plain" }))}
        />
      </div>
      <div
        ref={list}
        className="log selectable"
        role="log"
        aria-live="off"
        aria-label={t("logs.label", { name: machine.name })}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reachable by keyboard
        tabIndex={0}
      >
        {shown.map((entry, index) => (
          // Entries have no identity of their own; the list only grows at its end.
          <div key={index} className="log-entry" data-level={entry.level}>
            <button
              type="button"
              className="log-bookmark"
              aria-pressed={marked.has(entryKey(entry))}
              aria-label={t(marked.has(entryKey(entry)) ? "logs.bookmarked" : "logs.bookmark")}
              onClick={() => setMarked(entry)}
            >
              <BookmarkIcon size={12} />
            </button>
            <time className="number" dateTime={new Date(entry.atMs).toISOString()}>
              {formatLogTime(entry.atMs)}
            </time>
            <span className="log-level">{t(`logs.levels.${entry.level}`)}</span>
            <span className="log-message">{entry.message}</span>
          </div>
        ))}
        {shown.length === 0 && (
          <p className="muted log-empty">{t(entries.length === 0 ? "logs.empty" : "logs.noMatch")}</p>
        )}
      </div>
    </>
  );
}
