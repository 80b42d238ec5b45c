// Keys of the main window. They never take a key away from the guest: display and console mark their area with
// `data-captures-keyboard`, and text fields keep what belongs to editing.
import { useEffect } from "react";
import { hotKeyCommands } from "./commands.ts";
import { currentDialog } from "./navigation.ts";
import { matchesShortcut } from "./shortcuts.ts";

const EDITABLE = "input, textarea, select, [contenteditable]";

export function useHotkeys(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || currentDialog()) return;
      const target = event.target instanceof Element ? event.target : null;
      if (target?.closest("[data-captures-keyboard]")) return;
      const plain = !event.ctrlKey && !event.metaKey;
      // Keys without Ctrl belong to what has the focus; only a press into the void is meant for the window.
      if (plain && target !== document.body) return;
      if (event.key === "Enter" && target?.matches(EDITABLE)) return;
      const command = hotKeyCommands().find(({ shortcut = "" }) => matchesShortcut(shortcut, event));
      if (!command) return;
      event.preventDefault();
      command.run();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}
