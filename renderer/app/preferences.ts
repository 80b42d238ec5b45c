// What this window remembers between starts, kept in the browser's local storage: a convenience, so unreadable values are dropped.
import { createStore, type Store, useStore } from "../api/store.ts";

export type Theme = "system" | "light" | "dark";
export type ScaleMode = "fit" | "sharp" | "actual";

export interface Preferences {
  readonly theme: Theme;
  readonly scaleMode: ScaleMode;
  readonly consoleFontSize: number;
  readonly selectedMachine: string | null;
  readonly pane: string;
  readonly closedBoxes: readonly string[];
  readonly layout: Readonly<Record<string, number>>;
}

const KEY = "terrarium.preferences";

const DEFAULTS: Preferences = {
  theme: "system",
  scaleMode: "fit",
  consoleFontSize: 13,
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

function open(): Store<Preferences> {
  const store = createStore(readPreferences(localStorage.getItem(KEY)));
  store.subscribe(() => {
    try {
      localStorage.setItem(KEY, JSON.stringify(store.get()));
    } catch {
      // Private windows may have no storage: the choice lasts as long as the window.
    }
  });
  return store;
}

export const preferences = open();

export function setPreference<K extends keyof Preferences>(key: K, value: Preferences[K]): void {
  preferences.set((all) => (Object.is(all[key], value) ? all : { ...all, [key]: value }));
}

export function usePreference<K extends keyof Preferences>(key: K): Preferences[K] {
  return useStore(preferences, (all) => all[key]);
}
