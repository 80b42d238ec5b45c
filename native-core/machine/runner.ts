// Runs a machine on a host's event loop: a slice, then the host's turn, then the next; while the guest halts, sleep until its next
// timer or an input. Used by the VM process and by scripts/boot.ts.
import type { Disposable } from "../common/disposable.ts";
import { Emitter } from "../common/emitter.ts";
import type { Machine } from "./machine.ts";

/** What the runner needs of an event loop. */
export interface EventLoop {
  /** Calls back after about `ms` milliseconds, at least 1. */
  setTimer(ms: number, callback: () => void): Disposable;
  /** Calls back as soon as pending I/O had its turn. */
  setImmediate(callback: () => void): Disposable;
}

export type RunnerEvent =
  /** The guest switched itself off. */
  | "poweroff"
  /** The guest reset itself; the runner has restarted it. */
  | "reset"
  /** Triple fault: the processor has shut down. */
  | "shutdown";

/** Short enough for a picture at 60 Hz beside it, long enough that switching costs nothing. */
const SLICE_NS = 4_000_000n;
const NS_PER_MS = 1_000_000n;
/** Deadlines nearer than this are waited for without sleeping. */
const SPIN_NS = 200_000n;
const LONGEST_SLEEP_MS = 10_000;
/**
 * Timers of event loops are rounded to milliseconds of a time that was read before the slice, so one that is asked for a moment of its own
 * ends early as often as late, and a second one is needed. Sleeps from this length on end late instead, by 2 ms at most: what sleeps that
 * long does not mind, and a host that is at rest wakes half as often.
 */
const COARSE_NS = 5_000_000n;
const COARSE_EXTRA_MS = 1;
/** How long a guest is watched before it is said to rest. */
const WATCH_NS = 3_000_000_000n;
/** Full slices and inputs in that time of a guest at rest, at most: a busy host stretches slices, and nobody's network is quite silent. */
const RESTING_EVENTS = 12;
/** Full slices after which a rest is one: half a second of work. */
const WORK_SLICES = 125;
/** A rest is told of when at least this long nothing will happen in the guest. */
const UNDISTURBED_NS = 50_000_000n;

export class MachineRunner {
  readonly #machine: Machine;
  readonly #loop: EventLoop;
  readonly #onEvent: (event: RunnerEvent) => void;
  readonly #slices = new Emitter<void>();
  /** After each slice in which the guest ran: for whoever samples where it is. */
  readonly onSlice = this.#slices.event;
  readonly #rest = new Emitter<void>();
  /** The guest has worked and has hardly anything to do now; said once after each piece of work. Listeners may take their time. */
  readonly onRest = this.#rest.event;
  #watchedSinceNs = 0n;
  /** Full slices and inputs since then. */
  #eventsWatched = 0;
  #fullSlices = 0;
  #resting = false;
  #running = false;
  #next: Disposable | undefined;
  #sleeping = false;

  /** `onEvent` is called between slices. After `poweroff` and `shutdown` the machine is paused. */
  constructor(machine: Machine, loop: EventLoop, onEvent: (event: RunnerEvent) => void) {
    this.#machine = machine;
    this.#loop = loop;
    this.#onEvent = onEvent;
    machine.inputs.onArrival = () => this.#wake();
  }

  get running(): boolean {
    return this.#running;
  }

  resume(): void {
    if (this.#running) return;
    this.#running = true;
    this.#machine.resume();
    this.#soon();
  }

  /** Stops between two slices, at once seen from outside: virtual time stands still when this returns. */
  pause(): void {
    this.#running = false;
    this.#sleeping = false;
    this.#next?.dispose();
    this.#next = undefined;
    this.#machine.pause();
  }

  /** Hard reset. A paused machine stays paused. */
  reset(): void {
    this.#machine.reset();
    this.#wake();
  }

  #wake(): void {
    if (!this.#running || !this.#sleeping) return;
    this.#next?.dispose();
    this.#eventsWatched++;
    this.#soon();
  }

  #soon(): void {
    this.#sleeping = false;
    this.#next = this.#loop.setImmediate(() => this.#slice());
  }

  #slice(): void {
    this.#next = undefined;
    const slice = this.#machine.runSlice(SLICE_NS);
    this.#slices.fire();
    switch (slice.state) {
      case "running":
        this.#eventsWatched++;
        this.#fullSlices++;
        this.#soon();
        break;
      case "halted":
        this.#sleep(slice.nextDeadlineNs);
        break;
      case "reset":
        this.#machine.reset();
        this.#soon();
        this.#onEvent("reset");
        break;
      case "poweroff":
      case "shutdown":
        this.pause();
        this.#onEvent(slice.state);
        break;
    }
  }

  #sleep(deadlineNs: bigint | undefined): void {
    const nowNs = this.#machine.clock.nowNs();
    const restNs = deadlineNs === undefined ? undefined : deadlineNs - nowNs;
    if (this.#rests(nowNs) && (restNs === undefined || restNs >= UNDISTURBED_NS)) {
      this.#fullSlices = 0;
      this.#rest.fire();
      this.#soon();
      return;
    }
    if (restNs !== undefined && restNs < SPIN_NS) {
      this.#soon();
      return;
    }
    const restMs = restNs === undefined ? LONGEST_SLEEP_MS : sleepMs(restNs);
    this.#sleeping = true;
    const ms = Math.max(1, Math.min(restMs, LONGEST_SLEEP_MS));
    this.#next = this.#loop.setTimer(ms, () => {
      this.#sleeping = false;
      this.#slice();
    });
  }

  /** Whether there is a rest to tell of. */
  #rests(nowNs: bigint): boolean {
    if (nowNs - this.#watchedSinceNs >= WATCH_NS) {
      this.#resting = this.#eventsWatched <= RESTING_EVENTS;
      this.#watchedSinceNs = nowNs;
      this.#eventsWatched = 0;
    }
    return this.#resting && this.#fullSlices >= WORK_SLICES;
  }
}

function sleepMs(restNs: bigint): number {
  const wholeMs = Number(restNs / NS_PER_MS);
  return restNs < COARSE_NS ? wholeMs : wholeMs + 1 + COARSE_EXTRA_MS;
}
