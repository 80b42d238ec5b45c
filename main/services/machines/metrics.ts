// Polls running machines for their figures: every second while a client listens, rarely otherwise, so that the history of the day has no
// gaps and a host that nobody looks at stays quiet.
import type { ServiceContext } from "../context.ts";
import type { Machine } from "./machine.ts";
import { MetricsRecorder } from "./metrics-history.ts";

const WATCHED_MS = 1000;
const UNWATCHED_MS = 30_000;

export class MetricsPoller {
  readonly recorder: MetricsRecorder;
  readonly #context: ServiceContext;
  #timer: NodeJS.Timeout | null = null;
  #intervalMs = 0;
  readonly #asking = new Set<string>();

  constructor(context: ServiceContext) {
    this.#context = context;
    this.recorder = new MetricsRecorder(context.store.metrics, Date.now());
    context.events.onSubscribersChanged(() => this.#adjust());
    this.#adjust();
  }

  /** Whether figures are asked for every second. */
  get watched(): boolean {
    return this.#intervalMs === WATCHED_MS;
  }

  async dispose(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#intervalMs = 0;
    await this.recorder.flush(Date.now());
  }

  #adjust(): void {
    const intervalMs = this.#context.events.subscriberCount === 0 ? UNWATCHED_MS : WATCHED_MS;
    if (this.#context.closing.aborted || intervalMs === this.#intervalMs) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#intervalMs = intervalMs;
    this.#timer = setInterval(() => this.#pollAll(), intervalMs);
    this.#timer.unref();
  }

  #pollAll(): void {
    for (const machine of this.#context.registry.list()) {
      if (machine.state === "running" || machine.state === "paused") void this.#poll(machine);
    }
  }

  /** One question at a time: an engine that is slow to answer is not asked again meanwhile. */
  async #poll(machine: Machine): Promise<void> {
    if (machine.vm === null || this.#asking.has(machine.id)) return;
    this.#asking.add(machine.id);
    try {
      const metrics = await machine.vm.client.request("metrics", null);
      machine.metrics = metrics;
      const sample = this.recorder.add(machine.id, metrics, Date.now());
      this.#context.events.emit({ kind: "metrics", machineId: machine.id, metrics, sample });
    } catch {
      // Figures are a comfort; what is wrong with the machine shows elsewhere.
    } finally {
      this.#asking.delete(machine.id);
    }
  }
}
