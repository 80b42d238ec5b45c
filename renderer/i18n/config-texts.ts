// The configuration's own words in the language of the window. The declaration is the English catalogue; others translate it beside their
// texts and are set here when they are loaded.
import type { ConfigTexts } from "./catalogue.ts";

const ENGLISH: ConfigTexts = { fields: {}, units: {}, messages: [] };

let current = ENGLISH;

export function setConfigTexts(texts: ConfigTexts = ENGLISH): void {
  current = texts;
}

/** Label or explanation of the setting at `path`; `declared` is the English one. */
export function configText(path: string, part: "label" | "help", declared: string): string {
  return current.fields[path]?.[part === "label" ? 0 : 1] ?? declared;
}

/** A unit as the declaration names it: words are translated, `MiB` is the same everywhere. */
export const unitText = (unit: string): string => current.units[unit] ?? unit;

/** A message of the configuration's rules. Those that are not known stay as they are. */
export function messageText(message: string): string {
  for (const [pattern, text] of current.messages) if (pattern.test(message)) return message.replace(pattern, text);
  return message;
}
