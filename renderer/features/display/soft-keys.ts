// The keys of the soft keyboard, row by row, as a US keyboard has them.
export interface SoftKey {
  readonly label: string;
  /** With Shift, where that is another character. */
  readonly shifted?: string;
  readonly keysym: number;
  readonly code: string;
  /** In widths of a letter. */
  readonly width?: number;
}

const named = (label: string, keysym: number, code: string, width = 1): SoftKey => ({ label, keysym, code, width });

/** One key per character; `codes` are those of KeyboardEvent. */
function characters(plain: string, shifted: string, codes: readonly string[]): SoftKey[] {
  return plain.split("").map((label, index) => ({
    label,
    shifted: shifted[index] ?? label,
    keysym: label.charCodeAt(0),
    code: codes[index] ?? "",
  }));
}

const letters = (row: string): SoftKey[] =>
  characters(
    row,
    row.toUpperCase(),
    row.split("").map((letter) => `Key${letter.toUpperCase()}`),
  );

export const SOFT_ROWS: readonly (readonly SoftKey[])[] = [
  [
    named("Esc", 0xff1b, "Escape"),
    ...Array.from({ length: 12 }, (_, index) => named(`F${index + 1}`, 0xffbe + index, `F${index + 1}`)),
    named("Ins", 0xff63, "Insert"),
    named("Del", 0xffff, "Delete"),
  ],
  [
    ...characters("`", "~", ["Backquote"]),
    ...characters(
      "1234567890",
      "!@#$%^&*()",
      "1234567890".split("").map((digit) => `Digit${digit}`),
    ),
    ...characters("-=", "_+", ["Minus", "Equal"]),
    named("Backspace", 0xff08, "Backspace", 2),
  ],
  [
    named("Tab", 0xff09, "Tab", 1.5),
    ...letters("qwertyuiop"),
    ...characters("[]\\", "{}|", ["BracketLeft", "BracketRight", "Backslash"]),
  ],
  [
    named("Caps", 0xffe5, "CapsLock", 1.75),
    ...letters("asdfghjkl"),
    ...characters(";'", ':"', ["Semicolon", "Quote"]),
    named("Enter", 0xff0d, "Enter", 2),
  ],
  [
    named("Shift", 0xffe1, "ShiftLeft", 2.25),
    ...letters("zxcvbnm"),
    ...characters(",./", "<>?", ["Comma", "Period", "Slash"]),
    named("↑", 0xff52, "ArrowUp"),
    named("PgUp", 0xff55, "PageUp"),
  ],
  [
    named("Ctrl", 0xffe3, "ControlLeft", 1.5),
    named("Super", 0xffeb, "MetaLeft", 1.5),
    named("Alt", 0xffe9, "AltLeft", 1.5),
    named("Space", 0x20, "Space", 6),
    named("←", 0xff51, "ArrowLeft"),
    named("↓", 0xff54, "ArrowDown"),
    named("→", 0xff53, "ArrowRight"),
    named("Home", 0xff50, "Home"),
    named("End", 0xff57, "End"),
    named("PgDn", 0xff56, "PageDown"),
  ],
];
