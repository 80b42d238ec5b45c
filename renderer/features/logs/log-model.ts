// Filtering the log, and its text form for saving.
import type { LogEntry } from "../../../main/contract/schemas.ts";

export const LEVEL_FILTERS = ["all", "info", "warn", "error"] as const;
export type LevelFilter = (typeof LEVEL_FILTERS)[number];

const SEVERITY = { info: 0, warn: 1, error: 2 } as const;

/** Entries of at least this level that contain the text. */
export function filterLog(entries: readonly LogEntry[], find: string, level: LevelFilter): LogEntry[] {
  const text = find.trim().toLocaleLowerCase();
  const least = level === "all" ? 0 : SEVERITY[level];
  return entries.filter((entry) => SEVERITY[entry.level] >= least && entry.message.toLocaleLowerCase().includes(text));
}

export function logText(entries: readonly LogEntry[]): string {
  return entries
    .map(({ atMs, level, message }) => `${new Date(atMs).toISOString()} ${level.padEnd(5)} ${message}\n`)
    .join("");
}
