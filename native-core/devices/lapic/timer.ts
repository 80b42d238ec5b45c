// The timer of a local APIC (SDM 3A 11.5.4): counts down from an initial count at the bus clock, divided; once or again and again.
// The bus clock here is 1 GHz, so one count is one nanosecond times the divisor. In TSC-deadline mode a point in time is set instead.
import { z } from "zod";
import type { Timer, VirtualClock } from "../device.ts";
import { timeNs, u32 } from "../state-schema.ts";
import { LVT } from "./registers.ts";

export const timerStateSchema = z.strictObject({ initial: u32, divide: u32, startNs: timeNs, running: z.boolean() });
export type LapicTimerState = z.infer<typeof timerStateSchema>;

export class LapicTimer {
  readonly #clock: VirtualClock;
  readonly #timer: Timer;
  readonly #expired: () => void;
  #periodic = false;
  #deadlineMode = false;
  #deadlineNs = 0n;
  #initial = 0;
  #divide = 0;
  #startNs = 0n;
  #running = false;

  constructor(clock: VirtualClock, expired: () => void) {
    this.#clock = clock;
    this.#expired = expired;
    this.#timer = clock.createTimer("lapic", () => this.#expire());
  }

  get initial(): number {
    return this.#initial;
  }

  /** A write of the initial count starts the timer; zero stops it. */
  set initial(value: number) {
    if (this.#deadlineMode) return;
    this.#initial = value;
    this.#startNs = this.#clock.nowNs();
    this.#running = value !== 0;
    this.#schedule();
  }

  get current(): number {
    if (!this.#running) return 0;
    const elapsed = (this.#clock.nowNs() - this.#startNs) / this.#divisor;
    const initial = BigInt(this.#initial);
    if (elapsed < initial) return Number(initial - elapsed);
    return this.#periodic ? Number(initial - (elapsed % initial)) : 0;
  }

  /** 0: not armed. */
  get deadlineNs(): bigint {
    return this.#deadlineNs;
  }

  set deadlineNs(value: bigint) {
    if (!this.#deadlineMode) return;
    this.#deadlineNs = value;
    this.#schedule();
  }

  get divide(): number {
    return this.#divide;
  }

  set divide(value: number) {
    const current = this.current;
    this.#divide = value & 0xb;
    // The count goes on from where it is at the new rate.
    if (this.#running) this.#startNs = this.#clock.nowNs() - BigInt(this.#initial - current) * this.#divisor;
    this.#schedule();
  }

  /** The timer's LVT entry was written: only its mode matters here. */
  setMode(lvt: number): void {
    const deadlineMode = (lvt & LVT.TIMER_MODE) === LVT.TIMER_DEADLINE;
    if (deadlineMode !== this.#deadlineMode) {
      // Going from one kind of timer to the other disarms it (SDM 3A 10.5.4.1).
      this.#deadlineMode = deadlineMode;
      this.#deadlineNs = 0n;
      this.#initial = 0;
      this.#running = false;
      this.#schedule();
    }
    const periodic = (lvt & LVT.TIMER_MODE) === LVT.TIMER_PERIODIC;
    if (periodic === this.#periodic) return;
    const current = this.current;
    this.#periodic = periodic;
    if (this.#running && current === 0) this.#running = false;
    this.#schedule();
  }

  reset(): void {
    this.#periodic = false;
    this.#deadlineMode = false;
    this.#deadlineNs = 0n;
    this.#initial = 0;
    this.#divide = 0;
    this.#running = false;
    this.#timer.cancel();
  }

  save(): LapicTimerState {
    return { initial: this.#initial, divide: this.#divide, startNs: this.#startNs, running: this.#running };
  }

  restore(state: LapicTimerState, lvt: number, deadlineNs: bigint): void {
    this.#initial = state.initial;
    this.#divide = state.divide & 0xb;
    this.#startNs = state.startNs;
    this.#running = state.running && state.initial !== 0;
    this.#periodic = (lvt & LVT.TIMER_MODE) === LVT.TIMER_PERIODIC;
    this.#deadlineMode = (lvt & LVT.TIMER_MODE) === LVT.TIMER_DEADLINE;
    this.#deadlineNs = this.#deadlineMode ? deadlineNs : 0n;
    this.#schedule();
  }

  dispose(): void {
    this.#timer.cancel();
  }

  /** Divide configuration bits 3, 1, 0: 2, 4, 8, ... 128, and 1. */
  get #divisor(): bigint {
    const code = (this.#divide & 3) | ((this.#divide & 8) >>> 1);
    return code === 7 ? 1n : 2n << BigInt(code);
  }

  #schedule(): void {
    if (this.#deadlineNs !== 0n) this.#timer.set(this.#deadlineNs);
    else if (this.#running) this.#timer.set(this.#startNs + BigInt(this.#initial) * this.#divisor);
    else this.#timer.cancel();
  }

  #expire(): void {
    if (this.#deadlineMode) this.#deadlineNs = 0n;
    else if (this.#periodic) {
      // Whole periods that were missed are dropped, the phase is kept.
      const period = BigInt(this.#initial) * this.#divisor;
      this.#startNs += ((this.#clock.nowNs() - this.#startNs) / period) * period;
    } else {
      this.#running = false;
    }
    this.#schedule();
    this.#expired();
  }
}
