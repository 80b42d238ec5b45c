import { beforeEach, describe, expect, it } from "vitest";
import { MachineClock } from "../../../native-core/machine/clock.ts";

describe("Virtual time", () => {
  let source: bigint;
  let clock: MachineClock;

  beforeEach(() => {
    source = 5_000n;
    clock = new MachineClock(() => source);
  });

  it("starts at zero, stands still while paused and goes on from there", () => {
    source += 10n;
    expect(clock.nowNs()).toBe(0n);
    clock.resume();
    source += 7n;
    clock.pause();
    source += 1000n;
    expect(clock.nowNs()).toBe(7n);
    clock.resume();
    source += 1n;
    expect(clock.nowNs()).toBe(8n);
  });

  it("fires due timers once, in order of their deadlines", () => {
    const fired: string[] = [];
    const late = clock.createTimer("late", () => fired.push("late"));
    const early = clock.createTimer("early", () => fired.push("early"));
    const future = clock.createTimer("future", () => fired.push("future"));
    late.set(20n);
    early.set(10n);
    future.set(31n);
    expect(clock.nextDeadlineNs).toBe(10n);
    clock.resume();
    source += 30n;
    clock.fireDue();
    clock.fireDue();
    expect(fired).toEqual(["early", "late"]);
    expect([clock.nextDeadlineNs, early.deadlineNs]).toEqual([31n, undefined]);
  });

  it("does not fire a timer that an earlier one cancelled or moved", () => {
    const fired: string[] = [];
    const first = clock.createTimer("first", () => {
      fired.push("first");
      second.cancel();
      third.set(100n);
    });
    const second = clock.createTimer("second", () => fired.push("second"));
    const third = clock.createTimer("third", () => fired.push("third"));
    first.set(1n);
    second.set(2n);
    third.set(3n);
    clock.setNowNs(50n);
    clock.fireDue();
    expect(fired).toEqual(["first"]);
    expect(clock.nextDeadlineNs).toBe(100n);
  });

  it("lets a timer that sets itself again run once per call", () => {
    let count = 0;
    const timer = clock.createTimer("periodic", () => {
      count++;
      timer.set(1n);
    });
    timer.set(1n);
    clock.setNowNs(10n);
    clock.fireDue();
    expect(count).toBe(1);
  });

  it("tells when the earliest deadline came closer, not when it went away", () => {
    let calls = 0;
    clock.onEarlierDeadline = () => calls++;
    const one = clock.createTimer("one", () => {});
    const two = clock.createTimer("two", () => {});
    one.set(100n);
    two.set(200n);
    two.set(50n);
    two.cancel();
    expect(calls).toBe(2);
  });
});
