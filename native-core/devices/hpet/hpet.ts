// High Precision Event Timer (IA-PC HPET specification 1.0a): a counter of 100 MHz and three comparators. With the legacy replacement
// route the first two take the interrupts of the PIT and the real-time clock, whose own are cut off then (2.4.3 and the board).
import { z } from "zod";
import type { AccessSize, Device, InterruptLine, IoBus, IoHandler, Timer, VirtualClock } from "../device.ts";
import { arrayOf, timeNs, u8, u32, u64 } from "../state-schema.ts";
import {
  CAPABILITIES,
  CAPABILITIES_HIGH,
  CONFIG,
  HPET_BASE,
  HPET_BYTES,
  REG,
  ROUTES,
  TICK_NS,
  TIMER,
  TIMER_CAPABLE,
  TIMER_REG,
  TIMER_WRITABLE,
  TIMERS,
} from "./registers.ts";

const LOW = 0xffff_ffffn;
/** A periodic comparator of less than 10 us would keep the machine busy with nothing else: it fires as often as that. */
const MIN_PERIOD_TICKS = 1000n;

const stateSchema = z.strictObject({
  config: u8,
  status: u8,
  /** The counter at `startNs`, from where it counts while it is enabled. */
  counter: u64,
  startNs: timeNs,
  /** What a read of the counter's upper half gives. */
  latchedHigh: u32,
  timers: arrayOf(z.strictObject({ config: u32, comparator: u64, period: u64 }), TIMERS),
});
type HpetState = z.infer<typeof stateSchema>;

export interface HpetParts {
  bus: IoBus;
  clock: VirtualClock;
  /** Interrupts of the legacy replacement route: of the PIT, of the real-time clock. */
  legacy: readonly [InterruptLine, InterruptLine];
  /** Input of the I/O APIC. */
  ioapicLine(pin: number): InterruptLine;
  /** The legacy replacement route is on or off now. */
  legacyChanged(on: boolean): void;
}

interface Comparator {
  config: number;
  comparator: bigint;
  period: bigint;
  readonly timer: Timer;
}

export class Hpet implements Device<HpetState>, IoHandler {
  readonly name = "hpet";
  readonly stateVersion = 1;
  readonly stateSchema = stateSchema;
  readonly missingInOldStates = true;
  readonly #parts: HpetParts;
  readonly #timers: readonly Comparator[];
  readonly #routed = new Map<number, InterruptLine>();
  #config = 0;
  #status = 0;
  #counter = 0n;
  #startNs = 0n;
  #latchedHigh = 0;

  constructor(parts: HpetParts) {
    this.#parts = parts;
    this.#timers = Array.from({ length: TIMERS }, (_, index) => ({
      ...{ config: TIMER_CAPABLE, comparator: 0n, period: 0n },
      timer: parts.clock.createTimer(`hpet ${index}`, () => this.#expired(index)),
    }));
    for (let pin = 0; pin < 32; pin++) if ((ROUTES >>> pin) & 1) this.#routed.set(pin, parts.ioapicLine(pin));
    parts.bus.mapMmio(HPET_BASE, HPET_BYTES, this);
  }

  read(offset: number, size: AccessSize): number {
    const word = this.#readWord(offset & ~3) >>> ((offset & 3) * 8);
    return size === 4 ? word >>> 0 : (word & ((1 << (size * 8)) - 1)) >>> 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (size === 4 && (offset & 3) === 0) this.#writeWord(offset, value);
  }

  reset(): void {
    this.#config = 0;
    this.#status = 0;
    this.#counter = 0n;
    this.#latchedHigh = 0;
    for (const each of this.#timers) {
      each.config = TIMER_CAPABLE;
      each.comparator = (1n << 64n) - 1n;
      each.period = 0n;
      each.timer.cancel();
    }
    this.#parts.legacyChanged(false);
    this.#updateLines();
  }

  save(): HpetState {
    return {
      config: this.#config,
      status: this.#status,
      counter: this.#counter,
      startNs: this.#startNs,
      latchedHigh: this.#latchedHigh,
      timers: this.#timers.map(({ config, comparator, period }) => ({ config, comparator, period })),
    };
  }

  restore(state: HpetState): void {
    this.#config = state.config & (CONFIG.ENABLE | CONFIG.LEGACY);
    this.#status = state.status & ((1 << TIMERS) - 1);
    this.#counter = state.counter;
    this.#startNs = state.startNs;
    this.#latchedHigh = state.latchedHigh;
    for (const [index, each] of this.#timers.entries()) {
      const saved = state.timers[index];
      if (!saved) continue;
      each.config = (saved.config & TIMER_WRITABLE) | TIMER_CAPABLE;
      each.comparator = saved.comparator;
      each.period = saved.period;
    }
    this.#parts.legacyChanged(this.#isLegacy);
    this.#updateLines();
    this.#schedule();
  }

  dispose(): void {
    for (const { timer } of this.#timers) timer.cancel();
  }

  get #isLegacy(): boolean {
    return (this.#config & CONFIG.LEGACY) !== 0;
  }

  get #isEnabled(): boolean {
    return (this.#config & CONFIG.ENABLE) !== 0;
  }

  get #now(): bigint {
    if (!this.#isEnabled) return this.#counter;
    return BigInt.asUintN(64, this.#counter + (this.#parts.clock.nowNs() - this.#startNs) / TICK_NS);
  }

  #readWord(offset: number): number {
    const high = (offset & 4) !== 0;
    const half = (value: bigint): number => Number(high ? value >> 32n : value & LOW);
    switch (offset & ~7) {
      case REG.CAPABILITIES:
        return high ? CAPABILITIES_HIGH : CAPABILITIES;
      case REG.CONFIG:
        return high ? 0 : this.#config;
      case REG.STATUS:
        return high ? 0 : this.#status;
      case REG.COUNTER: {
        // Both halves of one access of 64 bits are of one moment.
        if (high) return this.#latchedHigh;
        const now = this.#now;
        this.#latchedHigh = Number(now >> 32n);
        return Number(now & LOW);
      }
    }
    const found = this.#timers[(offset - REG.TIMER) >> 5];
    if (offset < REG.TIMER || !found) return 0;
    if ((offset & 0x18) === TIMER_REG.CONFIG) return high ? ROUTES : found.config;
    return (offset & 0x18) === TIMER_REG.COMPARATOR ? half(found.comparator) : 0;
  }

  #writeWord(offset: number, value: number): void {
    const high = (offset & 4) !== 0;
    switch (offset & ~7) {
      case REG.CONFIG:
        if (!high) this.#configure(value & (CONFIG.ENABLE | CONFIG.LEGACY));
        return;
      case REG.STATUS:
        if (!high) this.#status &= ~value;
        this.#updateLines();
        return;
      case REG.COUNTER:
        this.#counter = withHalf(this.#now, value, high);
        this.#startNs = this.#parts.clock.nowNs();
        this.#schedule();
        return;
    }
    const index = (offset - REG.TIMER) >> 5;
    const found = this.#timers[index];
    if (offset < REG.TIMER || !found) return;
    if ((offset & 0x18) === TIMER_REG.CONFIG && !high) {
      found.config = (value & TIMER_WRITABLE) | TIMER_CAPABLE;
      this.#updateLines();
    } else if ((offset & 0x18) === TIMER_REG.COMPARATOR) this.#compare(found, value, high);
    this.#schedule(found);
  }

  #configure(config: number): void {
    const now = this.#now;
    this.#config = config;
    this.#counter = now;
    this.#startNs = this.#parts.clock.nowNs();
    this.#parts.legacyChanged(this.#isLegacy);
    this.#updateLines();
    this.#schedule();
  }

  /** A periodic comparator takes what is written as its period, and the first time after SET_VALUE as its value, too (2.3.9.2.2). */
  #compare(each: Comparator, value: number, high: boolean): void {
    const isPeriodic = (each.config & TIMER.PERIODIC) !== 0;
    if (!isPeriodic || each.config & TIMER.SET_VALUE) each.comparator = withHalf(each.comparator, value, high);
    if (isPeriodic) each.period = withHalf(each.period, value, high);
    // A write of 64 bits comes as its lower half first.
    if (high || each.config & TIMER.MODE_32 || !isPeriodic) each.config &= ~TIMER.SET_VALUE;
  }

  #width(each: Comparator): number {
    return each.config & TIMER.MODE_32 ? 32 : 64;
  }

  /** Of one comparator, or of all: only those that change, for one of the others may be about to fire. */
  #schedule(changed?: Comparator): void {
    const now = this.#now;
    for (const each of changed ? [changed] : this.#timers) {
      if (!this.#isEnabled || !(each.config & TIMER.ENABLE)) {
        each.timer.cancel();
        continue;
      }
      const width = this.#width(each);
      // A comparator that is passed waits for the counter to come round again.
      const ticks = BigInt.asUintN(width, each.comparator - now) || 1n << BigInt(width);
      const deadline = this.#parts.clock.nowNs() + ticks * TICK_NS;
      if (deadline < 1n << 62n) each.timer.set(deadline);
      else each.timer.cancel();
    }
  }

  #expired(index: number): void {
    const each = this.#timers[index] as Comparator;
    if (each.config & TIMER.PERIODIC && each.period > 0n) {
      const now = this.#now;
      const period = each.period < MIN_PERIOD_TICKS ? MIN_PERIOD_TICKS : each.period;
      // Missed periods are not made up for.
      const passed = BigInt.asUintN(this.#width(each), now - each.comparator) / period;
      each.comparator = BigInt.asUintN(this.#width(each), each.comparator + (passed + 1n) * period);
    }
    if (each.config & TIMER.LEVEL) {
      this.#status |= 1 << index;
      this.#updateLines();
    } else {
      const line = this.#lineOf(index);
      line?.set(false);
      line?.set(true);
    }
    this.#schedule(each);
  }

  #lineOf(index: number): InterruptLine | undefined {
    const { config } = this.#timers[index] as Comparator;
    if (this.#isLegacy && index < 2) return this.#parts.legacy[index];
    return this.#routed.get((config >>> TIMER.ROUTE_SHIFT) & TIMER.ROUTE_MASK);
  }

  /** Level-triggered interrupts stay until they are acknowledged; the others are low between two edges. */
  #updateLines(): void {
    const asserted = new Set<InterruptLine | undefined>();
    for (const [index, { config }] of this.#timers.entries()) {
      if (config & TIMER.LEVEL && config & TIMER.ENABLE && (this.#status >> index) & 1)
        asserted.add(this.#lineOf(index));
    }
    for (const line of [...this.#parts.legacy, ...this.#routed.values()]) line.set(asserted.has(line));
  }
}

function withHalf(value: bigint, half: number, high: boolean): bigint {
  return high ? (value & LOW) | (BigInt(half) << 32n) : (value & ~LOW) | BigInt(half);
}
