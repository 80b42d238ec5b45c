import { beforeEach, describe, expect, it } from "vitest";
import { CPUS_MAX } from "../../../native-core/config/machine-config.ts";
import { VCPUS_MAX } from "../../../native-core/cpu/mmu/memory-layout.ts";
import type { VcpuExit } from "../../../native-core/cpu/vcpu-contract.ts";
import { VcpuScheduler } from "../../../native-core/machine/scheduler.ts";
import { STATE } from "../../../native-core/x86/state-layout.ts";
import { FakeVcpu } from "../../support/fake-processor.ts";

const QUANTUM = 200_000;

/** Retires what it is asked for at once, or does what `act` says. */
class ScriptedVcpu extends FakeVcpu {
  readonly turns: number[] = [];
  awake = true;
  act: ((budget: number) => number) | undefined;
  exit: VcpuExit = "deadline";
  asked = false;

  constructor() {
    super({ hasInterrupt: () => false, acknowledge: () => undefined });
  }

  override get runnable(): boolean {
    return this.awake;
  }

  override run(budget: number): VcpuExit {
    this.asked = false;
    const retired = this.act ? this.act(budget) : budget;
    this.turns.push(retired);
    this.state.set(STATE.instructionCount, this.state.get(STATE.instructionCount) + BigInt(retired));
    return this.exit;
  }

  override requestExit(): void {
    this.asked = true;
  }
}

let vcpus: ScriptedVcpu[];
let scheduler: VcpuScheduler;
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

beforeEach(() => {
  vcpus = [new ScriptedVcpu(), new ScriptedVcpu(), new ScriptedVcpu()];
  scheduler = new VcpuScheduler(vcpus);
});

describe("The scheduler of vCPUs", () => {
  it("deals out equal turns in rotation until the budget is used", () => {
    expect(scheduler.run(9 * QUANTUM)).toBe("deadline");
    for (const vcpu of vcpus) expect(vcpu.turns).toEqual([QUANTUM, QUANTUM, QUANTUM]);
    expect(scheduler.retired).toBe(BigInt(9 * QUANTUM));
  });

  it("passes over vCPUs that halt, and reports that none can run", () => {
    (vcpus[1] as ScriptedVcpu).awake = false;
    scheduler.run(4 * QUANTUM);
    expect(vcpus.map(({ turns }) => sum(turns))).toEqual([2 * QUANTUM, 0, 2 * QUANTUM]);
    for (const vcpu of vcpus) vcpu.awake = false;
    expect(scheduler.run(1000)).toBe("halted");
  });

  it("goes on with the one whose turn it was not, also in the next run", () => {
    scheduler.run(100);
    scheduler.run(100);
    scheduler.run(100);
    expect(vcpus.map(({ turns }) => turns)).toEqual([[100], [100], [100]]);
  });

  it("ends a turn at PAUSE only if another vCPU could use it", () => {
    const asked: boolean[] = [];
    for (const vcpu of vcpus) {
      vcpu.act = () => {
        scheduler.pause();
        asked.push(vcpu.asked);
        return 10;
      };
    }
    scheduler.run(500);
    expect(asked).toEqual([true]);
    for (const vcpu of vcpus.slice(1)) vcpu.awake = false;
    scheduler.run(500);
    expect(asked).toEqual([true, false]);
  });

  it("comes back in bounded time when all vCPUs spin", () => {
    for (const vcpu of vcpus) vcpu.act = () => 2;
    expect(scheduler.run(100_000)).toBe("deadline");
    expect(sum(vcpus.map(({ turns }) => turns.length))).toBe(200);
  });

  it("leaves at once when it is asked to, and when a processor shuts down", () => {
    (vcpus[1] as ScriptedVcpu).act = (budget) => {
      scheduler.requestExit();
      return budget;
    };
    scheduler.run(9 * QUANTUM);
    expect(vcpus.map(({ turns }) => turns.length)).toEqual([0, 1, 0]);
    (vcpus[2] as ScriptedVcpu).exit = "shutdown";
    expect(scheduler.run(9 * QUANTUM)).toBe("shutdown");
  });

  it("counts anew after a restored state set the counters and the turn", () => {
    scheduler.run(300);
    vcpus.forEach((vcpu, index) => {
      vcpu.state.set(STATE.instructionCount, BigInt(1000 * index));
    });
    scheduler.restoreTurn(2);
    expect(scheduler.retired).toBe(3000n);
    scheduler.run(50);
    expect((vcpus[0] as ScriptedVcpu).turns.at(-1)).toBe(50);
    expect(scheduler.retired).toBe(3050n);
  });

  it("has room for as many vCPUs as the configuration allows", () => {
    expect(VCPUS_MAX).toBe(CPUS_MAX);
  });
});
