// What the app remembers between starts, and how it is read back: unreadable values are dropped one by one.

export const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
export type ScaleMode = "fit" | "sharp" | "actual" | "follow" | "zoom";

export interface Preferences {
  readonly theme: Theme;
  /** `system`, or the code of a catalogue in i18n/. */
  readonly language: string;
  /** Code of the Host key (`KeyboardEvent.code`); "" for the platform's usual one. */
  readonly hostKey: string;
  /** Keyboard layout that guests are taken to have: a name of display/layouts.ts. */
  readonly guestLayout: string;
  readonly scaleMode: ScaleMode;
  /** Of guest screens in the mode `zoom`. */
  readonly zoomPercent: number;
  /** Of machines that play, in percent. */
  readonly soundVolume: number;
  readonly soundMuted: boolean;
  readonly consoleFontSize: number;
  /** Times beside the lines of consoles. */
  readonly consoleTimes: boolean;
  readonly copyOnSelect: boolean;
  /** The console offers its text to screen readers, which costs speed with much output. */
  readonly screenReader: boolean;
  /** Screens of running machines in the list instead of their symbols. */
  readonly listThumbnails: boolean;
  readonly closedBoxes: readonly string[];
  /** Paths of the collapsed groups. */
  readonly closedGroups: readonly string[];
  /** Keys of machines and groups in the order of the user; what is not in here follows by name. */
  readonly listOrder: readonly string[];
  /** New machines are made step by step; else all is on one page. */
  readonly wizard: boolean;
  /** Of the desktop shell, which keeps the operating system's list in step. */
  readonly startAtLogin: boolean;
  /** Where file pickers begin; "" for the host's choice. */
  readonly filesFolder: string;
  /** Where the last backup or export went. */
  readonly exportFolder: string;
  /** Snapshots are shown in the order of time instead of as a tree. */
  readonly timeline: boolean;
  /** How the last running machine was closed. */
  readonly closeWith: string;
  readonly selectedMachine: string | null;
  readonly place: string;
  readonly pane: string;
  readonly layout: Readonly<Record<string, number>>;
}

/** What belongs to one window: read at its start, not followed while others change theirs. */
export const WINDOW_KEYS: ReadonlySet<keyof Preferences> = new Set(["selectedMachine", "place", "pane", "layout"]);

const DEFAULTS: Preferences = {
  theme: "system",
  language: "system",
  hostKey: "",
  guestLayout: "us",
  scaleMode: "fit",
  zoomPercent: 100,
  soundVolume: 100,
  soundMuted: false,
  filesFolder: "",
  exportFolder: "",
  timeline: false,
  consoleFontSize: 13,
  consoleTimes: false,
  copyOnSelect: false,
  screenReader: false,
  listThumbnails: true,
  closedBoxes: [],
  closedGroups: [],
  listOrder: [],
  wizard: true,
  startAtLogin: false,
  closeWith: "save",
  selectedMachine: null,
  place: "machines",
  pane: "details",
  layout: { list: 22, work: 78 },
};

/** Keeps each stored value only when it has the type of its default. */
export function preferencesFrom(stored: unknown, base: Preferences = DEFAULTS): Preferences {
  const result: Record<string, unknown> = { ...base };
  for (const [key, fallback] of Object.entries(DEFAULTS)) {
    const value = (stored as Record<string, unknown> | null)?.[key];
    const sameType = fallback === null ? typeof value === "string" : typeof value === typeof fallback;
    if (value !== undefined && value !== null && sameType && Array.isArray(value) === Array.isArray(fallback))
      result[key] = value;
  }
  return result as unknown as Preferences;
}

export function readPreferences(text: string | null): Preferences {
  try {
    return preferencesFrom(JSON.parse(text ?? "{}"));
  } catch {
    return DEFAULTS;
  }
}

/** Members of `after` that differ from `before`. */
export function changedPreferences(before: Preferences, after: Preferences): Partial<Preferences> {
  const keys = Object.keys(after) as (keyof Preferences)[];
  return Object.fromEntries(keys.filter((key) => !Object.is(before[key], after[key])).map((key) => [key, after[key]]));
}
