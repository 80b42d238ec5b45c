// This window's preferences, kept in the browser's local storage.
import { createStore, type Store, useStore } from "../api/store.ts";
import { type Preferences, readPreferences } from "./preferences-format.ts";

const KEY = "terrarium.preferences";

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
