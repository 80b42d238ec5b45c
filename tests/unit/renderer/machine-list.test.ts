import { describe, expect, test } from "vitest";
import { MACHINE_STATES, type MachineSummary } from "../../../main/contract/schemas.ts";
import { matchesFilter, sortMachines, step } from "../../../renderer/features/machines/list-model.ts";
import { hasChannels, isAllowed, MACHINE_COMMANDS, primaryCommand } from "../../../renderer/features/machines/rules.ts";

function machine(name: string, change: Partial<MachineSummary> = {}): MachineSummary {
  return {
    id: "0123456789ab",
    name,
    osType: "linux",
    group: "",
    state: "powered-off",
    currentSnapshotName: null,
    lastFailure: null,
    template: false,
    encryption: "none",
    createdAtMs: 0,
    revision: 1,
    ...change,
  };
}

describe("order and search of the machine list", () => {
  test("numbers in names sort as numbers", () => {
    const names = sortMachines([machine("Test 10"), machine("test 2"), machine("Alpha")]).map(({ name }) => name);
    expect(names).toEqual(["Alpha", "test 2", "Test 10"]);
  });

  test.each([
    ["deb", true],
    ["running debian", true],
    ["golden", true],
    ["windows", false],
    ["", true],
  ])("the filter %j matches by every word in name, state or snapshot: %s", (filter, expected) => {
    const entry = machine("Debian 12", { state: "running", currentSnapshotName: "Golden" });
    expect(matchesFilter(entry, filter)).toBe(expected);
  });

  test("steps stop at the ends and start at the first entry", () => {
    const entries = [{ id: "a" }, { id: "b" }, { id: "c" }];
    expect(step(entries, "a", -1)?.id).toBe("a");
    expect(step(entries, "c", 1)?.id).toBe("c");
    expect(step(entries, "gone", 1)?.id).toBe("a");
    expect(step(entries, "a", "last")?.id).toBe("c");
    expect(step([], null, 1)).toBeUndefined();
  });
});

describe("commands by state", () => {
  test.each([
    ["powered-off", "start"],
    ["saved", "start"],
    ["aborted", "start"],
    ["paused", "resume"],
    ["running", "show"],
  ] as const)("the primary command of a machine that is %s is %s", (state, expected) => {
    expect(primaryCommand(state)).toBe(expected);
  });

  test("every command is possible in some state, and settings in all", () => {
    for (const command of MACHINE_COMMANDS)
      expect(MACHINE_STATES.some((state) => isAllowed(command, state))).toBe(true);
    expect(MACHINE_STATES.every((state) => isAllowed("settings", state))).toBe(true);
  });

  test("nothing that loses data is offered while the machine changes its state", () => {
    for (const state of ["saving", "restoring", "snapshotting"] as const)
      for (const command of ["remove", "reset", "powerOff", "discard", "start", "bootMenu"] as const)
        expect(isAllowed(command, state), `${command} while ${state}`).toBe(false);
  });

  test("display and console connect while the guest is up and keep what they have while it is saved", () => {
    expect(hasChannels("running")).toBe(true);
    expect(hasChannels("starting")).toBe(false);
    expect(hasChannels("powered-off")).toBe(false);
    expect(hasChannels("saving")).toBeUndefined();
  });
});
