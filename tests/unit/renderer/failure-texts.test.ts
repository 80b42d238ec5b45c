// Failures of the host in German: each code has its heading, and what the host's sources can say has a sentence.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ERROR_CODES } from "../../../native-core/common/errors.ts";
import { failureSentence } from "../../../renderer/api/failure.ts";
import { de } from "../../../renderer/i18n/de.ts";
import { deFailures } from "../../../renderer/i18n/de-failures.ts";
import { en } from "../../../renderer/i18n/en.ts";
import { failureText, setFailureTexts, translatedFailure } from "../../../renderer/i18n/failure-texts.ts";
import { failureTexts } from "../../support/failure-texts.ts";

/** What a user of the interface can be told; the command line speaks English. */
const FOLDERS = [
  "main/services",
  "main/store",
  "main/supervisor",
  "main/engines",
  "native-core/media",
  "native-core/host",
];
/** Sentences that are new may wait for a translation for a while, but not many. */
const WAITING_MAX = 0.12;

const hasWords = (text: string): boolean => /[A-Za-z]{3}/.test(text.replaceAll("{}", ""));

beforeEach(() => setFailureTexts(deFailures));
afterEach(() => setFailureTexts());

describe("failures in German", () => {
  test("every code has a heading of its own", () => {
    for (const code of ERROR_CODES) {
      expect(en.failure.codes[code], code).toBeTruthy();
      expect(de.failure.codes[code], code).toBeTruthy();
      expect(de.failure.codes[code], code).not.toBe(en.failure.codes[code]);
    }
    expect(new Set(Object.values(de.failure.codes)).size).toBe(ERROR_CODES.length);
  });

  test("what the host's sources can say has a sentence", () => {
    const said = [...new Set(FOLDERS.flatMap(failureTexts).map(({ text }) => text))].filter(hasWords);
    expect(said.length).toBeGreaterThan(200);
    const waiting = said.filter((text) => !(text in deFailures) && failureText(text) === text);
    expect(waiting.length / said.length, waiting.join("\n")).toBeLessThan(WAITING_MAX);
  });

  test("a sentence puts in no more than the English one has", () => {
    for (const [english, german] of Object.entries(deFailures)) {
      const places = english.split("{}").length - 1;
      for (const [, index] of german.matchAll(/\{(\d)\}/g)) expect(Number(index), english).toBeLessThanOrEqual(places);
      expect(german, english).not.toContain("{}");
    }
  });

  test("names and numbers are put where they belong, whatever they hold", () => {
    expect(failureText('There is no file /etc/a (b) in "before"')).toBe("In „before“ gibt es keine Datei /etc/a (b)");
    expect(failureText("The disk is full: /home/$1/{1}")).toBe("Die Platte ist voll: /home/$1/{1}");
    expect(failureText("Something that nobody translated")).toBe("Something that nobody translated");
    const failure = { code: "INVALID_STATE", message: '"box" is not running', remedy: "Start it first." } as const;
    expect(translatedFailure(failure)).toEqual({
      code: "INVALID_STATE",
      message: "„box“ läuft nicht",
      remedy: "Starten Sie sie zuerst.",
    });
    expect(failureSentence(failure)).toBe("„box“ läuft nicht. Starten Sie sie zuerst.");
  });

  test("without a catalogue the host's own words are shown", () => {
    setFailureTexts();
    expect(failureText("Start it first.")).toBe("Start it first.");
  });
});
