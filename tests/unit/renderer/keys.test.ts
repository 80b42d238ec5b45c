import { describe, expect, test } from "vitest";
import { matchesShortcut, shortcutLabel } from "../../../renderer/app/shortcuts.ts";
import { COMBINATIONS, sendKeys, typeText } from "../../../renderer/features/display/keys.ts";
import {
  CHARACTER_KEYS,
  LAYOUT_NAMES,
  LAYOUTS,
  type LayoutName,
  layoutName,
  strokesOf,
} from "../../../renderer/features/display/layouts.ts";
import { softRows } from "../../../renderer/features/display/soft-keys.ts";
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

  const type = (rfb: Parameters<typeof sendKeys>[0], text: string, layout: LayoutName = "us") =>
    typeText(rfb, text, LAYOUTS[layout], new AbortController().signal, () => undefined);

  test("text is typed key by key, line ends become Enter, characters without a key are counted", async () => {
    const { rfb, sent } = recorder();
    expect(await type(rfb, "A\r\nü")).toBe(1);
    expect(sent).toEqual([
      ...["ffe1 ShiftLeft true", "41 KeyA true", "41 KeyA false", "ffe1 ShiftLeft false"],
      ...["ff0d Enter true", "ff0d Enter false"],
    ]);
  });

  test("a key is up before the next one goes down, and they are not sent in a heap", async () => {
    const { rfb, sent } = recorder();
    const start = performance.now();
    await type(rfb, "0123456789");
    expect(sent.map((event) => event.endsWith("true"))).toEqual(
      Array.from({ length: 20 }, (_, index) => index % 2 === 0),
    );
    expect(performance.now() - start).toBeGreaterThan(10 * 15);
  });

  test.each([
    ["de", "@", ["fe03 AltRight", "40 KeyQ"]],
    ["de", "y", ["79 KeyZ"]],
    ["de", "ß", ["df Minus"]],
    ["de", "^", ["5e Backquote", "20 Space"]],
    ["fr", "^", ["fe03 AltRight", "5e Digit9"]],
    ["fr", "1", ["ffe1 ShiftLeft", "31 Digit1"]],
    ["es", "ñ", ["f1 Semicolon"]],
    ["uk", "€", ["fe03 AltRight", "10020ac Digit4"]],
    ["uk", "\\", ["5c IntlBackslash"]],
  ] as const)("a guest with the layout %s gets %s", async (layout, character, keys) => {
    const { rfb, sent } = recorder();
    expect(await type(rfb, character, layout)).toBe(0);
    expect(sent.filter((event) => event.endsWith(" true"))).toEqual(keys.map((key) => `${key} true`));
    expect(sent).toHaveLength(2 * keys.length);
  });

  test("typing stops when it is cancelled", async () => {
    const { rfb, sent } = recorder();
    const abort = new AbortController();
    await typeText(rfb, "abcdef", LAYOUTS.us, abort.signal, (share) => share >= 0.5 && abort.abort());
    expect(sent.length).toBe(6);
  });

  test.each(LAYOUT_NAMES)(
    "the soft keyboard %s has each key once, and every character of ASCII can be typed",
    (name) => {
      const layout = LAYOUTS[name];
      const keys = softRows(layout).flat();
      expect(new Set(keys.map(({ code }) => code)).size).toBe(keys.length);
      const shown = new Set(keys.flatMap(({ levels }) => Object.values(levels ?? {})));
      const strokes = strokesOf(layout);
      for (let code = 0x21; code < 0x7f; code++) {
        const character = String.fromCharCode(code);
        expect(shown, character).toContain(character);
        expect(strokes.has(character), character).toBe(true);
      }
      for (const [row, codes] of CHARACTER_KEYS.entries()) {
        expect(layout.plain[row]).toHaveLength(codes.length);
        expect(layout.shift[row]).toHaveLength(codes.length);
      }
    },
  );

  test("an unknown layout is taken for the US one", () => expect(layoutName("dvorak")).toBe("us"));
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
