// Numbers and times as people read them. Binary units, as everywhere in Terrarium.
import { i18n } from "../i18n/index.ts";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** 1536 becomes `1.5 KiB`; three significant digits at most. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${UNITS[unit]}`;
}

export function formatMiB(mebibytes: number): string {
  return formatBytes(mebibytes * 1024 * 1024);
}

const LOG_TIME: Intl.DateTimeFormatOptions = {
  month: "short",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
};

/** In the language of the window, as the region of the system writes it where that is the same language. */
function timeFormat(options: Intl.DateTimeFormatOptions): (atMs: number) => string {
  // To make one takes as long as to draw a row, and lists have many rows.
  let made: { readonly language: string; readonly format: Intl.DateTimeFormat } | null = null;
  return (atMs) => {
    const { language } = i18n;
    if (made?.language !== language) {
      const regional =
        typeof navigator === "undefined" ? undefined : navigator.languages.find((tag) => tag.startsWith(language));
      made = { language, format: new Intl.DateTimeFormat(regional ?? language, options) };
    }
    return made.format.format(atMs);
  };
}

export const formatDateTime = timeFormat({ dateStyle: "medium", timeStyle: "short" });
export const formatDay = timeFormat({ weekday: "short", day: "numeric", month: "short" });
export const formatTime = timeFormat({ timeStyle: "short" });
export const formatLogTime = timeFormat(LOG_TIME);

export type Age = { readonly unit: "now" } | { readonly unit: "minutes" | "hours" | "days"; readonly count: number };

/** Age in the largest whole unit; a clock that runs behind counts as now. */
export function ageOf(atMs: number, nowMs: number): Age {
  const minutes = Math.floor((nowMs - atMs) / 60_000);
  if (minutes < 1) return { unit: "now" };
  if (minutes < 60) return { unit: "minutes", count: minutes };
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return { unit: "hours", count: hours };
  return { unit: "days", count: Math.floor(hours / 24) };
}
