// The 8254 programmable interval timer as a device: ports 0x40..0x43, and port 0x61 with the gate and output of counter 2.
// Counter 0 drives ISA interrupt 0; counter 1 (DRAM refresh on the PC/AT) shows up as the toggling bit 4 of port 0x61.
import { z } from "zod";
import { byteWide } from "../bus.ts";
import type { Device, InterruptLine, IoBus, Timer, VirtualClock } from "../device.ts";
import { arrayOf, flag } from "../state-schema.ts";
import { counterStateSchema, PitCounter, ticksIn } from "./counter.ts";

const PIT_PORT = 0x40;
const SYSTEM_CONTROL_PORT = 0x61;
const SYSTEM_CONTROL = { GATE2: 0x01, SPEAKER: 0x02, REFRESH: 0x10, OUTPUT2: 0x20 } as const;
/** Clocks between two toggles of the refresh bit: 15 microseconds. */
const REFRESH_TICKS = 18n;
const READ_BACK = 3;

const stateSchema = z.strictObject({ counters: arrayOf(counterStateSchema, 3), speaker: flag });
export type PitState = z.infer<typeof stateSchema>;

export class Pit implements Device<PitState> {
  readonly name = "pit";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<PitState> = stateSchema;
  readonly #clock: VirtualClock;
  readonly #counters: readonly [PitCounter, PitCounter, PitCounter];
  readonly #irq: InterruptLine;
  readonly #timer: Timer;
  #speaker = false;

  constructor(bus: IoBus, clock: VirtualClock, irq: InterruptLine) {
    this.#clock = clock;
    this.#irq = irq;
    const now = () => clock.nowNs();
    this.#counters = [new PitCounter(now, true), new PitCounter(now, true), new PitCounter(now, false)];
    this.#timer = clock.createTimer("pit", () => this.#tick());
    bus.mapPorts(
      PIT_PORT,
      4,
      byteWide(
        (offset) => this.#read(offset),
        (offset, value) => this.#write(offset, value),
      ),
    );
    bus.mapPorts(
      SYSTEM_CONTROL_PORT,
      1,
      byteWide(
        () => this.#readSystemControl(),
        (_, value) => this.#writeSystemControl(value),
      ),
    );
  }

  reset(): void {
    for (const counter of this.#counters) counter.reset();
    this.#speaker = false;
    this.#update();
  }

  save(): PitState {
    return { counters: this.#counters.map((counter) => counter.save()), speaker: this.#speaker };
  }

  restore(state: PitState): void {
    for (const [index, counter] of this.#counters.entries()) {
      const saved = state.counters[index];
      if (saved) counter.restore(saved);
    }
    this.#speaker = state.speaker;
    this.#update();
  }

  dispose(): void {
    this.#timer.cancel();
  }

  #read(offset: number): number {
    return offset < 3 ? (this.#counters[offset] as PitCounter).read() : 0xff;
  }

  #write(offset: number, value: number): void {
    if (offset < 3) (this.#counters[offset] as PitCounter).write(value);
    else this.#control(value);
    if (offset === 0 || offset === 3) this.#update();
  }

  #control(word: number): void {
    const select = word >>> 6;
    if (select !== READ_BACK) {
      (this.#counters[select] as PitCounter).control(word);
      return;
    }
    for (const [index, counter] of this.#counters.entries()) {
      if ((word & (2 << index)) === 0) continue;
      if ((word & 0x20) === 0) counter.latchCount();
      if ((word & 0x10) === 0) counter.latchStatus();
    }
  }

  #readSystemControl(): number {
    const counter = this.#counters[2];
    const refresh = (ticksIn(this.#clock.nowNs()) / REFRESH_TICKS) & 1n;
    return (
      (counter.gate ? SYSTEM_CONTROL.GATE2 : 0) |
      (this.#speaker ? SYSTEM_CONTROL.SPEAKER : 0) |
      (refresh ? SYSTEM_CONTROL.REFRESH : 0) |
      (counter.output ? SYSTEM_CONTROL.OUTPUT2 : 0)
    );
  }

  #writeSystemControl(value: number): void {
    this.#counters[2].setGate((value & SYSTEM_CONTROL.GATE2) !== 0);
    this.#speaker = (value & SYSTEM_CONTROL.SPEAKER) !== 0;
  }

  /** OUT of counter 0 rose. Missed periods are not made up for: guests that need exact time read a counter. */
  #tick(): void {
    this.#irq.set(false);
    this.#irq.set(true);
    this.#schedule();
  }

  #update(): void {
    this.#irq.set(this.#counters[0].output);
    this.#schedule();
  }

  #schedule(): void {
    const next = this.#counters[0].nextRiseNs;
    if (next === undefined) this.#timer.cancel();
    else this.#timer.set(next);
  }
}
