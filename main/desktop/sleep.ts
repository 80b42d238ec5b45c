// The computer goes to sleep: running machines are paused, so that none finds itself hours later in the middle of what it did, and those
// that were paused for it go on afterwards. Their clocks are set by resuming, as after every pause.
import { failureOf } from "../services/failures.ts";
import type { Lifecycle } from "../services/machines/lifecycle.ts";
import type { Machine } from "../services/machines/machine.ts";

export class SleepGuard {
  readonly #running: () => readonly Machine[];
  readonly #lifecycle: Pick<Lifecycle, "pause" | "resume">;
  /** Paused by us; the user's own pauses outlast the sleep. */
  readonly #paused = new Set<Machine>();
  #last: Promise<void> = Promise.resolve();

  constructor(running: () => readonly Machine[], lifecycle: Pick<Lifecycle, "pause" | "resume">) {
    this.#running = running;
    this.#lifecycle = lifecycle;
  }

  suspend(): Promise<void> {
    return this.#inOrder(() =>
      this.#each(this.#running(), "running", async (machine) => {
        await this.#lifecycle.pause(machine);
        this.#paused.add(machine);
      }),
    );
  }

  resume(): Promise<void> {
    return this.#inOrder(async () => {
      const machines = [...this.#paused];
      this.#paused.clear();
      await this.#each(machines, "paused", (machine) => this.#lifecycle.resume(machine));
    });
  }

  /** The computer may wake before all machines stand still. */
  #inOrder(work: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(work);
    return this.#last;
  }

  async #each(
    machines: readonly Machine[],
    state: "running" | "paused",
    work: (machine: Machine) => Promise<void>,
  ): Promise<void> {
    const act = async (machine: Machine) => {
      try {
        await work(machine);
      } catch (error) {
        void machine.log.write("warn", `Around the computer's sleep: ${failureOf(error).message}`);
      }
    };
    await Promise.all(machines.filter((machine) => machine.state === state).map(act));
  }
}
