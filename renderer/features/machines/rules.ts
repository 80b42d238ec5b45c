// Which command makes sense in which state. Toolbar, context menu, command palette and hot keys all ask here.
import type { MachineState } from "../../../main/contract/schemas.ts";

export const MACHINE_COMMANDS = [
  "start",
  "bootMenu",
  "resume",
  "show",
  "pause",
  "reset",
  "acpi",
  "save",
  "powerOff",
  "discard",
  "takeSnapshot",
  "settings",
  "rename",
  "fork",
  "clone",
  "export",
  "encryption",
  "reclaim",
  "verify",
  "remove",
] as const;
export type MachineCommand = (typeof MACHINE_COMMANDS)[number];

const OFF: readonly MachineState[] = ["powered-off", "aborted"];
const STILL: readonly MachineState[] = [...OFF, "saved"];
const ALIVE: readonly MachineState[] = ["running", "paused"];
const WITH_SCREEN: readonly MachineState[] = ["running", "starting", "restoring", "snapshotting", "saving", "stopping"];

const ALLOWED: Record<MachineCommand, readonly MachineState[] | "always"> = {
  start: STILL,
  bootMenu: OFF,
  resume: ["paused"],
  show: WITH_SCREEN,
  pause: ["running"],
  reset: ALIVE,
  acpi: ["running"],
  save: ALIVE,
  // The way out of a machine that hangs while it starts or stops.
  powerOff: [...ALIVE, "starting", "stopping"],
  discard: ["saved"],
  takeSnapshot: [...STILL, ...ALIVE],
  settings: "always",
  rename: "always",
  fork: ALIVE,
  clone: STILL,
  export: [...STILL, ...ALIVE],
  encryption: "always",
  reclaim: [...STILL, ...ALIVE],
  verify: [...STILL, ...ALIVE],
  remove: STILL,
};

export function isAllowed(command: MachineCommand, state: MachineState): boolean {
  const states = ALLOWED[command];
  return states === "always" || states.includes(state);
}

/** The one thing a double click, Enter and the accented button do. */
export function primaryCommand(state: MachineState): "start" | "resume" | "show" {
  if (isAllowed("start", state)) return "start";
  return state === "paused" ? "resume" : "show";
}

export const isOff = (state: MachineState): boolean => OFF.includes(state);
export const isStill = (state: MachineState): boolean => STILL.includes(state);
/** A VM process exists or is being made. */
export const isLive = (state: MachineState): boolean => !STILL.includes(state);

/**
 * Whether display and console can be connected. A machine that is just starting has no channels yet; while it is saved or
 * stopped the connections that exist stay (undefined: as it was before).
 */
export function hasChannels(state: MachineState): boolean | undefined {
  if (ALIVE.includes(state)) return true;
  return isLive(state) && state !== "starting" && state !== "restoring" ? undefined : false;
}
