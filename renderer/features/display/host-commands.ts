// What the Host key does together with other keys.
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { openDialog } from "../../app/navigation.ts";
import type { ScaleMode } from "../../app/preferences-format.ts";
import { isAllowed, type MachineCommand } from "../machines/rules.ts";
import { runCommand } from "../machines/run-command.ts";
import { saveScreenshot } from "./screenshot.ts";

/** Those that are a choice by themselves; the zoom has its own levels. */
export const SCALE_MODES = ["fit", "sharp", "actual", "follow"] as const;

export function nextScaleMode(mode: ScaleMode): ScaleMode {
  return SCALE_MODES[(SCALE_MODES.findIndex((known) => known === mode) + 1) % SCALE_MODES.length] ?? "fit";
}

const COMMANDS: Readonly<Record<string, MachineCommand>> = {
  KeyT: "takeSnapshot",
  KeyS: "settings",
  KeyR: "reset",
  KeyH: "acpi",
};

export function runHostCommand(code: string, machine: MachineSummary): void {
  if (code === "KeyE") void saveScreenshot(machine);
  else if (code === "KeyQ") openDialog({ kind: "close", machineId: machine.id });
  else if (code === "KeyP") void runCommand(isAllowed("resume", machine.state) ? "resume" : "pause", machine);
  else if (COMMANDS[code]) void runCommand(COMMANDS[code], machine);
}
