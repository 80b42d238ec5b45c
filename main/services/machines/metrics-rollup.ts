// Averages of samples over steps of whole seconds: step N holds the samples from N x step up to the next one.
import type { MetricsSample } from "../../contract/schemas.ts";

const FIELDS = [
  "cpuShare",
  "mips",
  "residentBytes",
  "guestBytes",
  "diskReadRate",
  "diskWriteRate",
  "exitRate",
] as const;

export class Rollup {
  readonly stepS: number;
  #startMs: number | null = null;
  #count = 0;
  #sums: Record<(typeof FIELDS)[number], number> = emptySums();

  constructor(stepS: number) {
    this.stepS = stepS;
  }

  /** The average of the step that `sample` ended, if it ended one. */
  add(sample: MetricsSample): MetricsSample | null {
    const stepMs = this.stepS * 1000;
    const startMs = Math.floor(sample.atMs / stepMs) * stepMs;
    let done: MetricsSample | null = null;
    if (this.#startMs !== startMs) {
      done = this.open;
      this.#startMs = startMs;
      this.#count = 0;
      this.#sums = emptySums();
    }
    this.#count += 1;
    for (const field of FIELDS) this.#sums[field] += sample[field];
    return done;
  }

  /** The average so far of the step in progress. */
  get open(): MetricsSample | null {
    if (this.#startMs === null) return null;
    const average = { ...this.#sums };
    for (const field of FIELDS) average[field] /= this.#count;
    return { atMs: this.#startMs, ...average };
  }
}

function emptySums(): Record<(typeof FIELDS)[number], number> {
  return { cpuShare: 0, mips: 0, residentBytes: 0, guestBytes: 0, diskReadRate: 0, diskWriteRate: 0, exitRate: 0 };
}
