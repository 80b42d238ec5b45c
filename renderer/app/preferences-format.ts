// What this window remembers between starts, and how it is read back: unreadable values are dropped one by one.

type Theme = "system" | "light" | "dark";
export type ScaleMode = "fit" | "sharp" | "actual";

export interface Preferences {
  readonly theme: Theme;
  readonly scaleMode: ScaleMode;
  readonly consoleFontSize: number;
  /** The console offers its text to screen readers, which costs speed with much output. */
  readonly screenReader: boolean;
  readonly selectedMachine: string | null;
  readonly pane: string;
  readonly closedBoxes: readonly string[];
  readonly layout: Readonly<Record<string, number>>;
}

const DEFAULTS: Preferences = {
  theme: "system",
  scaleMode: "fit",
  consoleFontSize: 13,
  screenReader: false,
  selectedMachine: null,
  pane: "details",
  closedBoxes: [],
  layout: { list: 22, work: 78 },
};

/** Keeps each stored value only when it has the type of its default. */
export function readPreferences(text: string | null): Preferences {
  let stored: unknown;
  try {
    stored = JSON.parse(text ?? "{}");
  } catch {
    return DEFAULTS;
  }
  const result: Record<string, unknown> = { ...DEFAULTS };
  for (const [key, fallback] of Object.entries(DEFAULTS)) {
    const value = (stored as Record<string, unknown> | null)?.[key];
    const sameType = fallback === null ? typeof value === "string" : typeof value === typeof fallback;
    if (value !== undefined && value !== null && sameType && Array.isArray(value) === Array.isArray(fallback))
      result[key] = value;
  }
  return result as unknown as Preferences;
}
