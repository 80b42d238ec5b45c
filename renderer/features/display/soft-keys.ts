// The keys of the soft keyboard, row by row, with the legends of a layout.
import { keysymOf } from "./keys.ts";
import { CHARACTER_KEYS, type Layout, type Level, legendOf } from "./layouts.ts";

export interface SoftKey {
  /** What it does without modifiers. */
  readonly label: string;
  readonly keysym: number;
  readonly code: string;
  /** In widths of a letter. */
  readonly width?: number;
  /** Of keys that type characters: with Shift or AltGr, where there is something. */
  readonly levels?: Readonly<Partial<Record<Level, string>>>;
}

const named = (label: string, keysym: number, code: string, width = 1): SoftKey => ({ label, keysym, code, width });

/** Keys without a character in this layout, such as the one beside the left Shift of a US keyboard, are left out. */
function characterKeys(layout: Layout, row: number): SoftKey[] {
  const codes = CHARACTER_KEYS[row] ?? [];
  return codes.flatMap((code, column) => {
    const label = legendOf(layout, "plain", row, column);
    if (label === undefined) return [];
    const [shift, altGr] = (["shift", "altGr"] as const).map((level) => legendOf(layout, level, row, column));
    const levels = { plain: label, ...(shift !== undefined && { shift }), ...(altGr !== undefined && { altGr }) };
    return [{ label, keysym: keysymOf(label), code, levels }];
  });
}

export function softRows(layout: Layout): readonly (readonly SoftKey[])[] {
  return [
    [
      named("Esc", 0xff1b, "Escape"),
      ...Array.from({ length: 12 }, (_, index) => named(`F${index + 1}`, 0xffbe + index, `F${index + 1}`)),
      named("Ins", 0xff63, "Insert"),
      named("Del", 0xffff, "Delete"),
    ],
    [...characterKeys(layout, 0), named("Backspace", 0xff08, "Backspace", 2)],
    [named("Tab", 0xff09, "Tab", 1.5), ...characterKeys(layout, 1)],
    [named("Caps", 0xffe5, "CapsLock", 1.75), ...characterKeys(layout, 2), named("Enter", 0xff0d, "Enter", 2)],
    [
      named("Shift", 0xffe1, "ShiftLeft", 2.25),
      ...characterKeys(layout, 3),
      named("↑", 0xff52, "ArrowUp"),
      named("PgUp", 0xff55, "PageUp"),
    ],
    [
      named("Ctrl", 0xffe3, "ControlLeft", 1.5),
      named("Super", 0xffeb, "MetaLeft", 1.5),
      named("Alt", 0xffe9, "AltLeft", 1.5),
      named("Space", 0x20, "Space", 5),
      named("AltGr", 0xfe03, "AltRight", 1.5),
      named("←", 0xff51, "ArrowLeft"),
      named("↓", 0xff54, "ArrowDown"),
      named("→", 0xff53, "ArrowRight"),
      named("Home", 0xff50, "Home"),
      named("End", 0xff57, "End"),
      named("PgDn", 0xff56, "PageDown"),
    ],
  ];
}
