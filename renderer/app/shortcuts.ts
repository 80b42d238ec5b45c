// Keyboard shortcuts as text (`Ctrl+Shift+S`): matching a key event, and how they are written on this platform. Ctrl stands for the
// platform's command key.
export const IS_MAC = typeof navigator !== "undefined" && /Mac/.test(navigator.platform);

interface KeyLike {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
}

export function matchesShortcut(shortcut: string, event: KeyLike): boolean {
  const parts = shortcut.split("+");
  const key = parts.pop() ?? "";
  return (
    event.key.toLowerCase() === key.toLowerCase() &&
    (event.ctrlKey || event.metaKey) === parts.includes("Ctrl") &&
    event.shiftKey === parts.includes("Shift") &&
    event.altKey === parts.includes("Alt")
  );
}

export function shortcutLabel(shortcut: string, mac: boolean = IS_MAC): string {
  if (!mac) return shortcut;
  const symbols = { Ctrl: "⌘", Shift: "⇧", Alt: "⌥" };
  return shortcut
    .split("+")
    .map((part) => symbols[part as keyof typeof symbols] ?? part)
    .join("");
}
