// A language that nobody speaks, made from the English texts: accents on every letter and a third more of them. Whatever still reads as
// plain English did not come from the catalogue, and whatever is cut off would be cut off in a longer language. Chosen by tests only.
import { settingFields } from "../../native-core/config/changes.ts";
import { fieldMeta } from "../../native-core/config/field.ts";
import type { Catalogue, ConfigTexts } from "./catalogue.ts";
import { en } from "./en.ts";

const PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ACCENTED = "áƀçďéƒǧĥíĵķĺɱñóƥɋŕšťúṽŵẋýžÁƁÇĎÉƑǦĤÍĴĶĹḾÑÓƤɊŔŠŤÚṼŴẊÝŽ";

/** Values in double braces stay as they are. */
export function pseudo(text: string): string {
  const parts = text.split(/(\{\{.*?\}\})/);
  const accented = parts.map((part) =>
    part.startsWith("{{") ? part : part.replace(/[a-zA-Z]/g, (letter) => ACCENTED[PLAIN.indexOf(letter)] ?? letter),
  );
  return `${accented.join("")}${"·".repeat(Math.ceil(text.length / 3))}`;
}

function pseudoNode(node: object): object {
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, typeof value === "string" ? pseudo(value) : pseudoNode(value)]),
  );
}

export const pseudoTexts: Catalogue = pseudoNode(en);

export const pseudoConfig: ConfigTexts = {
  fields: Object.fromEntries(
    settingFields().map(({ path, schema, label }) => [path, [pseudo(label), pseudo(fieldMeta(schema)?.help ?? "")]]),
  ),
  units: Object.fromEntries(["minutes", "hours", "days", "weeks"].map((unit) => [unit, pseudo(unit)])),
  messages: [[/^.*$/, "·$&·"]],
};
