// The life cycle: every allowed change of a machine's state. The only place where this is said.
import { AppError } from "../../../native-core/common/errors.ts";
import { MACHINE_STATES, type MachineState } from "../../contract/schemas.ts";
import type { MachineRecord } from "../../store/machine-record.ts";

export const TRANSITIONS: Readonly<Record<MachineState, readonly MachineState[]>> = {
  "powered-off": ["starting", "snapshotting", "restoring"],
  saved: ["restoring", "snapshotting", "powered-off"],
  aborted: ["starting", "snapshotting", "restoring"],
  starting: ["running", "powered-off", "aborted", "stopping"],
  running: ["paused", "stopping", "saving", "snapshotting", "powered-off", "aborted"],
  paused: ["running", "stopping", "saving", "snapshotting", "powered-off", "aborted"],
  stopping: ["powered-off", "aborted"],
  saving: ["saved", "running", "paused", "powered-off", "aborted"],
  restoring: ["running", "powered-off", "saved", "aborted", "stopping"],
  snapshotting: ["running", "paused", "powered-off", "saved", "aborted"],
};

export const STATE_NAMES: Readonly<Record<MachineState, string>> = {
  "powered-off": "powered off",
  saved: "saved",
  aborted: "aborted",
  running: "running",
  paused: "paused",
  starting: "starting",
  stopping: "stopping",
  saving: "being saved",
  restoring: "being restored",
  snapshotting: "taking a snapshot",
};

/** States without a VM process and without work in progress. */
const STILL_STATES: readonly MachineState[] = ["powered-off", "saved", "aborted"];

export function isStill(state: MachineState): boolean {
  return STILL_STATES.includes(state);
}

export function canChange(from: MachineState, to: MachineState): boolean {
  return TRANSITIONS[from].includes(to);
}

/** @throws AppError INVALID_STATE unless `state` is one of `allowed`. */
export function requireState(
  name: string,
  state: MachineState,
  allowed: readonly MachineState[],
  action: string,
): void {
  if (allowed.includes(state)) return;
  const wanted = MACHINE_STATES.filter((each) => allowed.includes(each)).map((each) => STATE_NAMES[each]);
  throw new AppError("INVALID_STATE", `"${name}" is ${STATE_NAMES[state]}, so it can't be ${action}`, {
    field: "state",
    consequence: "Nothing was changed.",
    remedy: `The machine has to be ${wanted.join(" or ")} first.`,
  });
}

/** @throws AppError INVALID_STATE for a template. */
export function requireNoTemplate({ record }: { readonly record: MachineRecord }, action: string): void {
  if (!record.template) return;
  throw new AppError("INVALID_STATE", `"${record.config.name}" is a template, so it can't be ${action}`, {
    field: "template",
    consequence: "Nothing was changed.",
    remedy: "Make a linked clone of it, or turn the template into a machine again.",
  });
}
