// Work that machines want by the clock: looks from time to time which of them it is due for.
import type { ServiceContext } from "./context.ts";
import { failureOf } from "./failures.ts";
import type { Machine } from "./machines/machine.ts";

/** How often it is looked whether something is due. */
const LOOK_MS = 20_000;

export interface ClockWork {
  /** As the log names it: `snapshot`. */
  readonly name: string;
  /** `failedAtMs` is when it did not work last, 0 if it never failed: the log is not filled with the same failure. */
  isDue(machine: Machine, nowMs: number, failedAtMs: number): boolean | Promise<boolean>;
  run(machine: Machine, nowMs: number): Promise<void>;
}

export class Schedule {
  readonly #context: ServiceContext;
  readonly #work: ClockWork;
  readonly #timer: NodeJS.Timeout;
  readonly #failedAtMs = new WeakMap<Machine, number>();
  readonly #busy = new WeakSet<Machine>();

  constructor(context: ServiceContext, work: ClockWork) {
    this.#context = context;
    this.#work = work;
    this.#timer = setInterval(() => void this.look(Date.now()), LOOK_MS);
    this.#timer.unref();
  }

  /** Does what is due at this time. Never rejects; a machine that is busy is asked again. */
  async look(nowMs: number): Promise<void> {
    await Promise.all(this.#context.registry.list().map((machine) => this.#lookAt(machine, nowMs)));
  }

  dispose(): void {
    clearInterval(this.#timer);
  }

  async #lookAt(machine: Machine, nowMs: number): Promise<void> {
    if (this.#busy.has(machine) || this.#context.closing.aborted) return;
    this.#busy.add(machine);
    try {
      if (await this.#work.isDue(machine, nowMs, this.#failedAtMs.get(machine) ?? 0)) {
        await this.#work.run(machine, nowMs);
      }
    } catch (error) {
      this.#failedAtMs.set(machine, nowMs);
      const { name } = this.#work;
      void machine.log.write("error", `The scheduled ${name} failed: ${failureOf(error).message}`);
    } finally {
      this.#busy.delete(machine);
    }
  }
}
