// How many instructions the vCPU may run until a point in virtual time. Timers can only fire between runs, so the budget decides how
// late they are. In instruction time it is exact; in host time it follows the measured speed.

const MINIMUM = 1000n;
const MAXIMUM = 50_000_000n;
/** First guess, in instructions per microsecond: slow rather than late. */
const INITIAL_RATE = 5n;
/** Weight of an observation that is faster than what is believed: 1 / 2^2. A slower one is believed at once. */
const SMOOTHING_SHIFT = 2n;
/** Shorter runs say little about speed. */
const OBSERVED_NS = 20_000n;

export class Budget {
  readonly #exact: boolean;
  /** Instructions per millisecond. */
  #rate = INITIAL_RATE * 1000n;

  /** `exact`: one instruction takes one nanosecond by definition. */
  constructor(exact: boolean) {
    this.#exact = exact;
  }

  instructions(ns: bigint): number {
    if (this.#exact) return Number(ns > MAXIMUM ? MAXIMUM : ns);
    const wanted = (ns * this.#rate) / 1_000_000n;
    return Number(wanted < MINIMUM ? MINIMUM : wanted > MAXIMUM ? MAXIMUM : wanted);
  }

  observe(instructions: bigint, ns: bigint): void {
    if (ns < OBSERVED_NS) return;
    const rate = (instructions * 1_000_000n) / ns;
    this.#rate = rate < this.#rate ? rate : this.#rate + ((rate - this.#rate) >> SMOOTHING_SHIFT);
    if (this.#rate < 1000n) this.#rate = 1000n;
  }
}
