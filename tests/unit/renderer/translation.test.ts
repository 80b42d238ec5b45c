import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { settingFields } from "../../../native-core/config/changes.ts";
import { configText, messageText, setConfigTexts } from "../../../renderer/i18n/config-texts.ts";
import { de } from "../../../renderer/i18n/de.ts";
import { deConfig } from "../../../renderer/i18n/de-config.ts";
import { en } from "../../../renderer/i18n/en.ts";

const root = fileURLToPath(new URL("../../../renderer", import.meta.url));

function textsOf(node: object, prefix = ""): [string, string][] {
  return Object.entries(node).flatMap(([key, value]) =>
    typeof value === "object"
      ? textsOf(value, `${prefix}${key}.`)
      : [[prefix + key, String(value)] as [string, string]],
  );
}

const placeholders = (text: string) => [...text.matchAll(/\{\{\w+\}\}/g)].map(([found]) => found).toSorted();

afterEach(() => setConfigTexts());

describe("German", () => {
  const english = new Map(textsOf(en));
  const german = new Map(textsOf(de));

  test("has every text, and none that is not there any more", () => {
    expect([...english.keys()].filter((key) => !german.has(key))).toEqual([]);
    expect([...german.keys()].filter((key) => !english.has(key))).toEqual([]);
  });

  test("puts the same values into each text", () => {
    const wrong = [...german].filter(
      ([key, text]) => placeholders(text).join() !== placeholders(english.get(key) ?? "").join(),
    );
    expect(wrong).toEqual([]);
  });

  test("has label and explanation of every setting", () => {
    const settings = settingFields().map(({ path }) => path);
    expect(settings.filter((path) => !deConfig.fields[path])).toEqual([]);
  });

  test("tells what is wrong with a value, with the numbers of the rule", () => {
    setConfigTexts(deConfig);
    expect(messageText("at least 64 MiB")).toBe("mindestens 64 MiB");
    expect(messageText("at most 8 disks")).toBe("höchstens 8 Platten");
    expect(messageText("something new")).toBe("something new");
    expect(configText("memoryMiB", "label", "Memory")).toBe("Speicher");
    expect(configText("unheard.of", "label", "As declared")).toBe("As declared");
  });
});

test("no component has words of its own: what users read comes from the catalogue", () => {
  const files = globSync(`${root}/**/*.tsx`);
  // Text between tags, and attributes that are read out or shown.
  const words =
    /(?:>\s*([A-Z][a-z]+(?: [A-Za-z]+)*)\s*<\/)|(?:\b(?:aria-label|title|placeholder|label|text)="([A-Z][^"]*)")/g;
  const found = files.flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(words)].map(([, between, attribute]) => `${file}: ${between ?? attribute}`),
  );
  expect(found).toEqual([]);
});
