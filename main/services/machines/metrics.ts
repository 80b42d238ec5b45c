// Polls running machines for their figures, but only while a client listens.
import type { ServiceContext } from "../context.ts";
import type { Machine } from "./machine.ts";

const INTERVAL_MS = 1000;

export class MetricsPoller {
  readonly #context: ServiceContext;
  #timer: NodeJS.Timeout | null = null;
  readonly #asking = new Set<string>();

  constructor(context: ServiceContext) {
    this.#context = context;
    context.events.onSubscribersChanged(() => this.#adjust());
  }

  get polling(): boolean {
    return this.#timer !== null;
  }

  dispose(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #adjust(): void {
    if (this.#context.events.subscriberCount === 0) {
      this.dispose();
    } else if (this.#timer === null) {
      this.#timer = setInterval(() => this.#pollAll(), INTERVAL_MS);
      this.#timer.unref();
    }
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
      this.#context.events.emit({ kind: "metrics", machineId: machine.id, metrics });
    } catch {
      // Figures are a comfort; what is wrong with the machine shows elsewhere.
    } finally {
      this.#asking.delete(machine.id);
    }
  }
}
