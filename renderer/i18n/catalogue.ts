// The shape of a translation: the texts of en.ts, each of which may be missing (it is then shown in English).
import type { en } from "./en.ts";

type Texts<T> = { readonly [K in keyof T]?: T[K] extends string ? string : Texts<T[K]> };

export type Catalogue = Texts<typeof en>;

/** What the configuration declares in English: label and help by the path of the setting, and patterns of messages. */
export interface ConfigTexts {
  readonly fields: Readonly<Record<string, readonly [label: string, help: string]>>;
  /** Units that are words. */
  readonly units: Readonly<Record<string, string>>;
  /** `$1` and so on stand for the groups of the pattern. */
  readonly messages: readonly (readonly [pattern: RegExp, text: string])[];
}
