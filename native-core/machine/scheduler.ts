// Runs the vCPUs of a machine by turns on the one thread there is. Time is dealt out in instructions, so that in instruction time the
// order of turns depends on nothing but the machine's state.
//
// A vCPU keeps its turn until its quantum is used, it halts, or it spins: PAUSE tells that it waits for another vCPU, which can't do
// anything meanwhile. A vCPU that halts costs nothing.
import type { Vcpu, VcpuExit } from "../cpu/vcpu-contract.ts";
import { STATE } from "../x86/state-layout.ts";

/** A turn in instructions: a few hundred microseconds, against a microsecond for a switch. */
const QUANTUM = 200_000;
/** What a turn costs at least: vCPUs that all spin would switch for ever without using up the budget. */
const TURN_COST = 500;

export class VcpuScheduler {
  readonly #vcpus: readonly Vcpu[];
  readonly #first: Vcpu;
  #current = 0;
  /** Retired by all vCPUs but the current one. */
  #retiredByOthers = 0n;
  #exitRequested = false;

  constructor(vcpus: readonly Vcpu[]) {
    this.#vcpus = vcpus;
    this.#first = vcpus[0] as Vcpu;
  }

  /** Index of the vCPU whose turn it is, or was last. */
  get current(): number {
    return this.#current;
  }

  /** Instructions retired by all vCPUs together. */
  get retired(): bigint {
    // In instruction time every RDTSC asks.
    if (this.#vcpus.length === 1) return this.#first.state.get(STATE.instructionCount);
    return this.#retiredByOthers + this.#countOf(this.#current);
  }

  /** Runs until all vCPUs together have used the budget, or something else ends it. "halted": none can run. */
  run(maxInstructions: number): VcpuExit {
    this.#exitRequested = false;
    if (this.#vcpus.length === 1) return this.#first.run(maxInstructions);
    for (let left = maxInstructions; left > 0; ) {
      const next = this.#nextRunnable();
      if (next === undefined) return "halted";
      this.#giveTurn(next);
      const vcpu = this.#vcpus[next] as Vcpu;
      const before = this.#countOf(next);
      if (vcpu.run(Math.min(left, QUANTUM)) === "shutdown") return "shutdown";
      if (this.#exitRequested) return "deadline";
      left -= Math.max(TURN_COST, Number(this.#countOf(next) - before));
    }
    return "deadline";
  }

  /** Leave `run` soon: called from device code. */
  requestExit(): void {
    this.#exitRequested = true;
    this.#vcpus[this.#current]?.requestExit();
  }

  /** The current vCPU executes PAUSE: ends its turn if another one could use it. */
  pause(): void {
    for (let n = 1; n < this.#vcpus.length; n++) {
      if (this.#vcpus[(this.#current + n) % this.#vcpus.length]?.runnable) {
        this.#vcpus[this.#current]?.requestExit();
        return;
      }
    }
  }

  /** Instruction counts were set anew (reset, restored state). */
  recount(): void {
    this.#retiredByOthers = this.#vcpus.reduce(
      (sum, _, index) => (index === this.#current ? sum : sum + this.#countOf(index)),
      0n,
    );
  }

  /** Whose turn it is, for a saved state: it decides who runs next. */
  restoreTurn(index: number): void {
    this.#current = index;
    this.recount();
  }

  #nextRunnable(): number | undefined {
    const count = this.#vcpus.length;
    for (let n = 1; n <= count; n++) {
      const index = (this.#current + n) % count;
      if (this.#vcpus[index]?.runnable) return index;
    }
    return undefined;
  }

  #giveTurn(next: number): void {
    this.#retiredByOthers += this.#countOf(this.#current) - this.#countOf(next);
    this.#current = next;
  }

  #countOf(index: number): bigint {
    return this.#vcpus[index]?.state.get(STATE.instructionCount) ?? 0n;
  }
}
