// What the host says of failures, in the language of the window. The host speaks English, as its logs and scripts want it; its sentences are
// the keys, with `{}` where names and numbers are put in. What a catalogue does not have stays English under the heading of its code.
import type { Failure } from "../../main/contract/schemas.ts";

/** By the English sentence; `{1}`, `{2}` stand for what was put in, in the order of the English one. */
export type FailureTexts = Readonly<Record<string, string>>;

interface Pattern {
  readonly whole: RegExp;
  readonly text: string;
}

let plain: ReadonlyMap<string, string> = new Map();
let patterns: readonly Pattern[] = [];

export function setFailureTexts(texts: FailureTexts = {}): void {
  const entries = Object.entries(texts);
  plain = new Map(entries.filter(([english]) => !english.includes("{}")));
  patterns = entries
    .filter(([english]) => english.includes("{}"))
    // Those with more words of their own are surer.
    .sort(([a], [b]) => b.length - a.length)
    .map(([english, text]) => ({ whole: patternOf(english), text }));
}

function patternOf(english: string): RegExp {
  const parts = english.split("{}").map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join("([\\s\\S]*?)")}$`);
}

/** The sentence in the language of the window; as it is where that is not known. */
export function failureText(english: string): string {
  const known = plain.get(english);
  if (known !== undefined) return known;
  for (const { whole, text } of patterns) {
    const found = whole.exec(english);
    if (found) return text.replaceAll(/\{(\d)\}/g, (_, index: string) => found[Number(index)] ?? "");
  }
  return english;
}

/** All of a failure's sentences. */
export function translatedFailure(failure: Failure): Failure {
  const { message, consequence, remedy } = failure;
  return {
    ...failure,
    message: failureText(message),
    ...(consequence !== undefined && { consequence: failureText(consequence) }),
    ...(remedy !== undefined && { remedy: failureText(remedy) }),
  };
}
