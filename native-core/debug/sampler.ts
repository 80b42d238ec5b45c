// Where the guest spends its instructions: RIP sampled every few hundred instructions.
import type { InterpreterVcpu } from "../cpu/vcpu.ts";
import { STATE } from "../x86/state-layout.ts";

/** Odd and not round, so that loops don't beat in time with it. */
const INTERVAL = 1009;

export class Sampler {
  readonly #vcpu: InterpreterVcpu;
  readonly #samples = new Map<bigint, number>();
  #total = 0;

  constructor(vcpu: InterpreterVcpu) {
    this.#vcpu = vcpu;
  }

  /** Runs up to `instructions` and samples meanwhile; yields false when the vCPU halts or shuts down. */
  run(instructions: number): boolean {
    for (let left = instructions; left > 0; left -= INTERVAL) {
      if (this.#vcpu.run(INTERVAL) !== "deadline") return false;
      const rip = this.#vcpu.state.get(STATE.rip);
      this.#samples.set(rip, (this.#samples.get(rip) ?? 0) + 1);
      this.#total++;
    }
    return true;
  }

  /** The most frequent addresses with their share of all samples, in percent. */
  top(count: number): { readonly rip: bigint; readonly percent: number }[] {
    return [...this.#samples]
      .sort((a, b) => b[1] - a[1])
      .slice(0, count)
      .map(([rip, samples]) => ({ rip, percent: (100 * samples) / this.#total }));
  }
}
