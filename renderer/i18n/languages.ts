// The languages of the interface, by their own names.
export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
/** `pseudo` is for tests and not offered. */
export type Language = keyof typeof LANGUAGES | "pseudo";

/** The catalogue for what was chosen: `system` follows the browser as far as there is a catalogue. */
export function languageFor(chosen: string, system: readonly string[]): Language {
  if (chosen === "pseudo") return chosen;
  const wanted = chosen === "system" ? system : [chosen];
  for (const tag of wanted) {
    const [code = ""] = tag.toLowerCase().split("-");
    if (code in LANGUAGES) return code as Language;
  }
  return "en";
}
