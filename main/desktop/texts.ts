// The words of the shell itself, which are drawn by the operating system: menus, the tray and questions. Those of the pages are in
// renderer/i18n, with the same languages.

const en = {
  file: "File",
  newMachine: "New Machine…",
  import: "Import…",
  preferences: "Preferences…",
  help: "Help",
  about: "About Terrarium",
  show: "Show Terrarium",
  showMachine: "Show",
  pause: "Pause",
  resume: "Resume",
  save: "Save State",
  shutDown: "Shut Down",
  noneRuns: "No machine is running",
  oneRuns: "1 machine is running",
  someRun: "{count} machines are running",
  paused: "{name} (paused)",
  quit: "Quit Terrarium",
  quitDetail: "{names}\n\nSaved machines go on where they are now when they are started again.",
  saveAndQuit: "Save States and Quit",
  powerOffAndQuit: "Power Off and Quit",
  cancel: "Cancel",
  pageFailed: "The window stopped working several times",
  pageHangs: "The window doesn't answer",
  machinesGoOn: "Running machines go on.",
  reload: "Load It Again",
  wait: "Wait",
};

export type Texts = Readonly<Record<keyof typeof en, string>>;

const de: Texts = {
  file: "Datei",
  newMachine: "Neue Maschine…",
  import: "Importieren…",
  preferences: "Einstellungen…",
  help: "Hilfe",
  about: "Über Terrarium",
  show: "Terrarium zeigen",
  showMachine: "Zeigen",
  pause: "Pausieren",
  resume: "Fortsetzen",
  save: "Zustand sichern",
  shutDown: "Herunterfahren",
  noneRuns: "Keine Maschine läuft",
  oneRuns: "1 Maschine läuft",
  someRun: "{count} Maschinen laufen",
  paused: "{name} (pausiert)",
  quit: "Terrarium beenden",
  quitDetail: "{names}\n\nGesicherte Maschinen machen beim nächsten Start weiter, wo sie jetzt sind.",
  saveAndQuit: "Zustände sichern und beenden",
  powerOffAndQuit: "Ausschalten und beenden",
  cancel: "Abbrechen",
  pageFailed: "Das Fenster ist mehrmals ausgefallen",
  pageHangs: "Das Fenster antwortet nicht",
  machinesGoOn: "Laufende Maschinen machen weiter.",
  reload: "Neu laden",
  wait: "Warten",
};

/** `chosen` is the preference `language`: `system`, or a language's code. */
export function textsFor(chosen: unknown, systemLocale: string): Texts {
  const language = typeof chosen === "string" && chosen !== "system" ? chosen : systemLocale;
  return language.startsWith("de") ? de : en;
}

/** Puts `values` where their names are in braces. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all));
}

/** How many machines run, in words. */
export function countText(texts: Texts, count: number): string {
  if (count === 0) return texts.noneRuns;
  return count === 1 ? texts.oneRuns : fill(texts.someRun, { count });
}
