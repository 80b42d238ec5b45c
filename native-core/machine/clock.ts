// Virtual time: nanoseconds since power-on that pass while the machine runs and stand still while it is paused or saved.
// The source is the host's monotonic clock or the instruction counter; the clock does not care.
//
// A machine has a dozen timers, so the earliest is kept in a field and found again by a plain scan when it goes away.
import type { Timer, VirtualClock } from "../devices/device.ts";

class MachineTimer implements Timer {
  readonly name: string;
  readonly onExpire: () => void;
  readonly #changed: () => void;
  deadlineNs: bigint | undefined;

  constructor(name: string, onExpire: () => void, changed: () => void) {
    this.name = name;
    this.onExpire = onExpire;
    this.#changed = changed;
  }

  set(deadlineNs: bigint): void {
    this.deadlineNs = deadlineNs;
    this.#changed();
  }

  cancel(): void {
    if (this.deadlineNs === undefined) return;
    this.deadlineNs = undefined;
    this.#changed();
  }
}

export class MachineClock implements VirtualClock {
  readonly #source: () => bigint;
  readonly #timers: MachineTimer[] = [];
  /** Virtual time = source + offset while running, the frozen time else. */
  #offsetNs = 0n;
  #frozenNs: bigint | undefined = 0n;
  #nextDeadlineNs: bigint | undefined;
  /** Called when the earliest deadline moved forward: whoever sleeps or runs until the old one must look again. */
  onEarlierDeadline: (() => void) | undefined;

  /** `source`: monotonic nanoseconds from any origin. The clock starts paused at 0. */
  constructor(source: () => bigint) {
    this.#source = source;
  }

  nowNs(): bigint {
    return this.#frozenNs ?? this.#source() + this.#offsetNs;
  }

  get paused(): boolean {
    return this.#frozenNs !== undefined;
  }

  pause(): void {
    this.#frozenNs = this.nowNs();
  }

  resume(): void {
    if (this.#frozenNs === undefined) return;
    this.#offsetNs = this.#frozenNs - this.#source();
    this.#frozenNs = undefined;
  }

  /** Sets the time, forwards (sleep in instruction time) or to a saved one. */
  setNowNs(ns: bigint): void {
    if (this.#frozenNs !== undefined) this.#frozenNs = ns;
    else this.#offsetNs = ns - this.#source();
  }

  createTimer(name: string, onExpire: () => void): Timer {
    const timer = new MachineTimer(name, onExpire, () => this.#reschedule());
    this.#timers.push(timer);
    return timer;
  }

  get nextDeadlineNs(): bigint | undefined {
    return this.#nextDeadlineNs;
  }

  /** Expires every timer that is due, in order of deadline, each at most once. */
  fireDue(): void {
    if (this.#nextDeadlineNs === undefined) return;
    const now = this.nowNs();
    if (this.#nextDeadlineNs > now) return;
    const due = this.#timers.filter((timer) => timer.deadlineNs !== undefined && timer.deadlineNs <= now);
    due.sort((a, b) => ((a.deadlineNs as bigint) < (b.deadlineNs as bigint) ? -1 : 1));
    for (const timer of due) {
      // An earlier callback may have cancelled or moved it.
      if (timer.deadlineNs === undefined || timer.deadlineNs > now) continue;
      timer.deadlineNs = undefined;
      timer.onExpire();
    }
    this.#reschedule();
  }

  #reschedule(): void {
    let next: bigint | undefined;
    for (const { deadlineNs } of this.#timers) {
      if (deadlineNs !== undefined && (next === undefined || deadlineNs < next)) next = deadlineNs;
    }
    const earlier = next !== undefined && (this.#nextDeadlineNs === undefined || next < this.#nextDeadlineNs);
    this.#nextDeadlineNs = next;
    if (earlier) this.onEarlierDeadline?.();
  }
}
