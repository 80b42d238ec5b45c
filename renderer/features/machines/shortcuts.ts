// Shortcuts of the commands of one machine; those of the app are with its commands (app/commands.ts).
import type { MachineCommand } from "./rules.ts";

export const MACHINE_SHORTCUTS: Partial<Record<MachineCommand, string>> = {
  settings: "Ctrl+,",
  takeSnapshot: "Ctrl+Shift+S",
  pause: "Ctrl+P",
  resume: "Ctrl+P",
  acpi: "Ctrl+H",
  clone: "Ctrl+O",
  rename: "F2",
  remove: "Delete",
};
