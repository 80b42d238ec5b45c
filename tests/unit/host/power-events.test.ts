// What the end of a guest's run means for the machine.
import { describe, expect, it } from "vitest";
import { PowerEvents } from "../../../native-core/host/power-events.ts";
import type { MachineRunner } from "../../../native-core/machine/runner.ts";

function setUp() {
  const seen: string[] = [];
  const power = new PowerEvents({
    stopped: (reason) => seen.push(`stopped ${reason}`),
    wasReset: () => seen.push("reset"),
    warn: () => seen.push("warning"),
  });
  const runner = {
    reset: () => seen.push("runner reset"),
    resume: () => seen.push("runner resumed"),
  } as unknown as MachineRunner;
  return { power, runner, seen };
}

describe("power events", () => {
  it("stop the machine when the guest switches itself off", () => {
    const { power, runner, seen } = setUp();
    power.handle("poweroff", runner, 0);
    expect(seen).toEqual(["stopped guest-shutdown"]);
  });

  it("reset the machine after a triple fault, as a PC does", () => {
    const { power, runner, seen } = setUp();
    power.handle("shutdown", runner, 0);
    expect(seen).toEqual(["warning", "runner reset", "runner resumed", "reset"]);
  });

  it("stop a machine that does nothing but fault, not one that faults now and then", () => {
    const { power, runner, seen } = setUp();
    for (const at of [0, 1100, 2200]) power.handle("shutdown", runner, at);
    expect(seen.filter((event) => event.startsWith("stopped"))).toEqual([]);
    power.handle("shutdown", runner, 2250);
    expect(seen.at(-1)).toBe("reset");
    power.handle("shutdown", runner, 2300);
    expect(seen.at(-1)).toBe("stopped triple-fault");
  });
});
