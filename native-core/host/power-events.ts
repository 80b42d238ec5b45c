// What the end of a run means: the guest switched itself off, reset itself, or its processor shut down.
//
// A triple fault resets a PC, and some guests reset themselves that way on purpose. One that does nothing else is stopped.
import type { MachineRunner, RunnerEvent } from "../machine/runner.ts";
import type { StopReason } from "../protocol/engine.ts";

const FAULTS_MAX = 3;
const FAULT_WINDOW_MS = 1000;

export interface PowerHandlers {
  /** The machine stands still for good. */
  stopped(reason: StopReason, message: string | null): void;
  wasReset(): void;
  warn(message: string): void;
}

export class PowerEvents {
  readonly #handlers: PowerHandlers;
  #faultsMs: number[] = [];

  constructor(handlers: PowerHandlers) {
    this.#handlers = handlers;
  }

  handle(event: RunnerEvent, runner: MachineRunner, nowMs: number): void {
    switch (event) {
      case "poweroff":
        this.#handlers.stopped("guest-shutdown", null);
        break;
      case "reset":
        this.#handlers.wasReset();
        break;
      case "shutdown":
        this.#tripleFault(runner, nowMs);
        break;
    }
  }

  #tripleFault(runner: MachineRunner, nowMs: number): void {
    this.#faultsMs = [...this.#faultsMs.filter((atMs) => nowMs - atMs < FAULT_WINDOW_MS), nowMs];
    if (this.#faultsMs.length >= FAULTS_MAX) {
      this.#handlers.stopped("triple-fault", "The guest's processor shut down after triple faults, again and again");
      return;
    }
    this.#handlers.warn("The guest's processor shut down after a triple fault; the machine was reset");
    runner.reset();
    runner.resume();
    this.#handlers.wasReset();
  }
}
