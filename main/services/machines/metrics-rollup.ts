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
  "netReceiveRate",
  "netSendRate",
] as const;

/** Of the samples that have the figure: machines without network adapters have none of theirs. */
class Average {
  #sum = 0;
  #count = 0;

  add(value: number | undefined): void {
    if (value === undefined) return;
    this.#sum += value;
    this.#count += 1;
  }

  get value(): number | undefined {
    return this.#count === 0 ? undefined : this.#sum / this.#count;
  }
}

export class Rollup {
  readonly stepS: number;
  #startMs: number | null = null;
  #averages = emptyAverages();

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
      this.#averages = emptyAverages();
    }
    for (const field of FIELDS) this.#averages[field].add(sample[field]);
    return done;
  }

  /** The average so far of the step in progress. */
  get open(): MetricsSample | null {
    if (this.#startMs === null) return null;
    const figures = FIELDS.map((field) => [field, this.#averages[field].value] as const);
    const known = Object.fromEntries(figures.filter(([, value]) => value !== undefined));
    // Only figures that a sample may lack can be missing here.
    return { atMs: this.#startMs, ...known } as MetricsSample;
  }
}

function emptyAverages(): Record<(typeof FIELDS)[number], Average> {
  return Object.fromEntries(FIELDS.map((field) => [field, new Average()])) as ReturnType<typeof emptyAverages>;
}
