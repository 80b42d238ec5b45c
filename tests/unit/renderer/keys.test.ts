import { describe, expect, test } from "vitest";
import { matchesShortcut, shortcutLabel } from "../../../renderer/app/shortcuts.ts";
import { COMBINATIONS, keysymOf, sendKeys, typeText } from "../../../renderer/features/display/keys.ts";
import { SOFT_ROWS } from "../../../renderer/features/display/soft-keys.ts";
import { languageFor } from "../../../renderer/i18n/languages.ts";

function recorder() {
  const sent: string[] = [];
  const rfb = {
    sendKey: (keysym: number, code: string, down: boolean) => sent.push(`${keysym.toString(16)} ${code} ${down}`),
  };
  return { rfb: rfb as unknown as Parameters<typeof sendKeys>[0], sent };
}

describe("keys for the guest", () => {
  test("a combination goes down in order and up in reverse", () => {
    const { rfb, sent } = recorder();
    sendKeys(rfb, COMBINATIONS[0]?.[1] ?? []);
    expect(sent).toEqual([
      "ffe3 ControlLeft true",
      "ffe9 AltLeft true",
      "ffff Delete true",
      "ffff Delete false",
      "ffe9 AltLeft false",
      "ffe3 ControlLeft false",
    ]);
  });

  test("text is typed without codes, line ends become Enter, characters without a key are counted", async () => {
    const { rfb, sent } = recorder();
    const skipped = await typeText(rfb, "A\r\nü", new AbortController().signal, () => undefined);
    expect(sent).toEqual(["41  true", "41  false", "ff0d  true", "ff0d  false"]);
    expect(skipped).toBe(1);
  });

  test("typing stops when it is cancelled", async () => {
    const { rfb, sent } = recorder();
    const abort = new AbortController();
    await typeText(rfb, "abcdef", abort.signal, (share) => share >= 0.5 && abort.abort());
    expect(sent.length).toBe(6);
  });

  test.each([
    ["a", 0x61],
    ["~", 0x7e],
    ["\t", 0xff09],
    ["\n", 0xff0d],
    ["€", undefined],
  ])("the keysym of %j is %s", (character, keysym) => {
    expect(keysymOf(character)).toBe(keysym);
  });

  test("the soft keyboard has each key once, and every character of the US layout", () => {
    const keys = SOFT_ROWS.flat();
    expect(new Set(keys.map(({ code }) => code)).size).toBe(keys.length);
    const characters = new Set(keys.flatMap(({ label, shifted }) => [label, shifted ?? label]));
    for (let code = 0x21; code < 0x7f; code++)
      expect(characters, String.fromCharCode(code)).toContain(String.fromCharCode(code));
  });
});

describe("shortcuts", () => {
  const event = { key: "s", ctrlKey: true, metaKey: false, shiftKey: true, altKey: false };

  test("match with exactly their modifiers; the command key counts as Ctrl", () => {
    expect(matchesShortcut("Ctrl+Shift+S", event)).toBe(true);
    expect(matchesShortcut("Ctrl+Shift+S", { ...event, ctrlKey: false, metaKey: true })).toBe(true);
    expect(matchesShortcut("Ctrl+S", event)).toBe(false);
    expect(matchesShortcut("Ctrl+Shift+S", { ...event, altKey: true })).toBe(false);
  });

  test("are written as the platform writes them", () => {
    expect(shortcutLabel("Ctrl+Shift+S", false)).toBe("Ctrl+Shift+S");
    expect(shortcutLabel("Ctrl+Shift+S", true)).toBe("⌘⇧S");
  });
});

test.each([
  ["system", ["de-AT", "en"], "de"],
  ["system", ["fr", "de"], "de"],
  ["system", ["fr"], "en"],
  ["en", ["de"], "en"],
  ["gone", ["de"], "en"],
] as const)("the choice %s with the system's %j is shown in %s", (chosen, system, expected) => {
  expect(languageFor(chosen, system)).toBe(expected);
});
