import { beforeEach, describe, expect, it } from "vitest";
import type { FirmwareTarget } from "../../../native-core/firmware/firmware.ts";
import { createMachine, type Machine } from "../../../native-core/machine/machine.ts";
import { MachineRunner, type RunnerEvent } from "../../../native-core/machine/runner.ts";
import { type FakeVcpu, fakeProcessor } from "../../support/fake-processor.ts";

/** An event loop that the test turns by hand, with the machine's monotonic time. */
class ManualLoop {
  nowNs = 0n;
  #tasks: { atNs: bigint; callback: () => void }[] = [];
  timers: number[] = [];

  setTimer(ms: number, callback: () => void) {
    this.timers.push(ms);
    return this.#add(this.nowNs + BigInt(ms) * 1_000_000n, callback);
  }

  setImmediate(callback: () => void) {
    return this.#add(this.nowNs, callback);
  }

  /** Runs the next task, moving time to it. False when there is none. */
  turn(): boolean {
    this.#tasks.sort((a, b) => Number(a.atNs - b.atNs));
    const task = this.#tasks.shift();
    if (!task) return false;
    if (task.atNs > this.nowNs) this.nowNs = task.atNs;
    task.callback();
    return true;
  }

  #add(atNs: bigint, callback: () => void) {
    const task = { atNs, callback };
    this.#tasks.push(task);
    return { dispose: () => void (this.#tasks = this.#tasks.filter((other) => other !== task)) };
  }
}

describe("The runner", () => {
  let loop: ManualLoop;
  let machine: Machine;
  let vcpu: FakeVcpu;
  let runner: MachineRunner;
  let events: RunnerEvent[];

  beforeEach(() => {
    loop = new ManualLoop();
    events = [];
    const sink = { write: () => {} };
    machine = createMachine({
      memoryBytes: 64 << 20,
      createProcessor: fakeProcessor,
      firmware: {
        start({ bus }: FirmwareTarget) {
          bus.writeMmio(0xfee000f0, 4, 0x1ff);
          bus.writeMmio(0xfee003e0, 4, 0x0b);
          bus.writeMmio(0xfee00320, 4, 0x31);
          bus.writeMmio(0xfee00380, 4, 50_000_000);
        },
      },
      inputs: { wallClockMs: () => 0, monotonicNs: () => loop.nowNs, random: () => {} },
      serial: [sink, sink],
    });
    vcpu = machine.vcpu as FakeVcpu;
    vcpu.step = () => {
      loop.nowNs += 1000n;
      return "halted";
    };
    runner = new MachineRunner(machine, loop, (event) => events.push(event));
    machine.powerOn();
  });

  it("sleeps while the guest halts until its next timer is due", () => {
    runner.resume();
    loop.turn();
    while (vcpu.interrupts.length === 0) loop.turn();
    // Once: rather late than a moment too early.
    expect(loop.timers).toEqual([51, 10_000]);
    expect(loop.nowNs).toBeGreaterThanOrEqual(50_000_000n);
    expect(loop.nowNs).toBeLessThan(52_000_000n);
  });

  it("is not late for a timer that is due soon", () => {
    machine.bus.writeMmio(0xfee00380, 4, 3_500_000);
    runner.resume();
    while (vcpu.interrupts.length === 0) loop.turn();
    expect(loop.timers).toEqual([3, 1, 10_000]);
  });

  it("wakes for an input", () => {
    runner.resume();
    loop.turn();
    machine.post({ kind: "serial", port: 0, bytes: Uint8Array.of(0x61) });
    loop.turn();
    expect(loop.nowNs).toBeLessThan(1_000_000n);
    expect(machine.bus.readPort(0x3f8, 1)).toBe(0x61);
  });

  it("gives the host its turn between slices of a busy guest", () => {
    vcpu.step = () => {
      loop.nowNs += 100n;
      return "next";
    };
    runner.resume();
    loop.turn();
    expect(loop.nowNs).toBeLessThan(10_000_000n);
    expect(loop.turn()).toBe(true);
  });

  it("stands still while paused, also when inputs arrive, and goes on later", () => {
    runner.resume();
    loop.turn();
    runner.pause();
    const at = machine.clock.nowNs();
    machine.post({ kind: "power-button" });
    expect(loop.turn()).toBe(false);
    loop.nowNs += 1_000_000_000n;
    expect(machine.clock.nowNs()).toBe(at);
    runner.resume();
    loop.turn();
    expect(machine.bus.readPort(0x600, 2) & 0x100).toBe(0x100);
  });

  it("stops and tells when the guest powers off or dies", () => {
    vcpu.step = () => {
      machine.bus.writePort(0x604, 2, (5 << 10) | 0x2000);
      return "next";
    };
    runner.resume();
    loop.turn();
    expect([events, runner.running, machine.clock.paused, loop.turn()]).toEqual([["poweroff"], false, true, false]);
    vcpu.step = () => "shutdown";
    runner.reset();
    runner.resume();
    loop.turn();
    expect(events).toEqual(["poweroff", "shutdown"]);
  });

  it("restarts a guest that resets itself", () => {
    vcpu.step = () => {
      machine.bus.writePort(0x64, 1, 0xfe);
      return "next";
    };
    runner.resume();
    loop.turn();
    expect([events, runner.running]).toEqual([["reset"], true]);
  });

  describe("tells of a rest", () => {
    let rests: number;

    beforeEach(() => {
      rests = 0;
      runner.onRest(() => rests++);
      runner.resume();
    });

    /** Keeps the guest busy for so long and lets it halt for most of a minute. */
    function work(ms: number) {
      const endNs = loop.nowNs + BigInt(ms) * 1_000_000n;
      vcpu.step = () => {
        loop.nowNs += 1000n;
        return loop.nowNs < endNs ? "next" : "halted";
      };
      machine.post({ kind: "serial", port: 0, bytes: Uint8Array.of(0x61) });
      while (loop.nowNs < endNs + 50_000_000_000n) loop.turn();
    }

    it("once after each piece of work", () => {
      work(700);
      expect(rests).toBe(1);
      work(700);
      expect(rests).toBe(2);
    });

    it("not after next to no work, unless it adds up", () => {
      work(400);
      expect(rests).toBe(0);
      work(400);
      expect(rests).toBe(1);
    });

    it("not while inputs keep arriving", () => {
      work(0);
      const endNs = loop.nowNs + 5_000_000_000n;
      vcpu.step = () => {
        loop.nowNs += 1000n;
        return loop.nowNs % 100_000_000n < 20_000_000n ? "next" : "halted";
      };
      while (loop.nowNs < endNs) {
        machine.post({ kind: "serial", port: 0, bytes: Uint8Array.of(0x61) });
        loop.turn();
        if (loop.nowNs % 100_000_000n >= 20_000_000n) loop.nowNs += 80_000_000n;
      }
      expect(rests).toBe(0);
    });
  });
});
