// One counter of the 8254 (Intel 8254 data sheet). Its value is never counted down step by step: it is computed from the virtual
// time that passed since it was loaded, so a counter that nobody looks at costs nothing.
import { z } from "zod";
import { flag, timeNs, u8, u16 } from "../state-schema.ts";

const PIT_FREQUENCY_HZ = 1193182n;
const NS_PER_SECOND = 1000000000n;

export const counterStateSchema = z.strictObject({
  mode: z.int().min(0).max(5),
  /** 1 = low byte, 2 = high byte, 3 = low then high. */
  access: z.int().min(1).max(3),
  bcd: flag,
  /** Reload value; 0 means 65536 (10000 in BCD). */
  reload: u16,
  writeLow: u8,
  writeHighNext: flag,
  readHighNext: flag,
  latched: u16.nullable(),
  latchedStatus: u8.nullable(),
  gate: flag,
  /** A count was written since the control word. */
  loaded: flag,
  /** Counting: loaded, and triggered by the gate in modes 1 and 5. */
  counting: flag,
  startNs: timeNs,
  /** Clocks counted before `startNs` (mode 0 and 4 with the gate held low). */
  heldTicks: z
    .bigint()
    .min(0n)
    .max(1n << 62n),
});
export type CounterState = z.infer<typeof counterStateSchema>;

function powerOn(gate: boolean): CounterState {
  return {
    mode: 3,
    access: 3,
    bcd: false,
    reload: 0,
    writeLow: 0,
    writeHighNext: false,
    readHighNext: false,
    latched: null,
    latchedStatus: null,
    gate,
    loaded: false,
    counting: false,
    startNs: 0n,
    heldTicks: 0n,
  };
}

/** Clocks in `ns`, and the time at which clock `ticks` is complete (rounded up, so that it is then surely over). */
export function ticksIn(ns: bigint): bigint {
  return (ns * PIT_FREQUENCY_HZ) / NS_PER_SECOND;
}
function nsOf(ticks: bigint): bigint {
  return (ticks * NS_PER_SECOND + PIT_FREQUENCY_HZ - 1n) / PIT_FREQUENCY_HZ;
}

export class PitCounter {
  #state: CounterState;
  readonly #initialGate: boolean;
  readonly #now: () => bigint;

  constructor(now: () => bigint, initialGate: boolean) {
    this.#now = now;
    this.#initialGate = initialGate;
    this.#state = powerOn(initialGate);
  }

  /** Level of the OUT pin now. */
  get output(): boolean {
    const s = this.#state;
    const ticks = this.#ticks();
    switch (s.mode) {
      case 0:
        return s.counting && ticks >= this.#period();
      case 1:
        return !s.counting || ticks >= this.#period();
      case 2:
        return !s.counting || !s.gate || ticks % this.#period() !== this.#period() - 1n;
      case 3:
        return !s.counting || !s.gate || ticks % this.#period() < (this.#period() + 1n) / 2n;
      default:
        return !s.counting || ticks !== this.#period();
    }
  }

  /** Next time after now at which OUT rises; undefined when it won't by itself. */
  get nextRiseNs(): bigint | undefined {
    const s = this.#state;
    if (!s.counting) return undefined;
    const periodic = s.mode === 2 || s.mode === 3;
    if (!s.gate && s.mode !== 1 && s.mode !== 5) return undefined;
    const ticks = this.#ticks();
    const period = this.#period();
    // Modes 4 and 5 give a strobe one clock long after the terminal count; its end is the edge.
    const end = s.mode >= 4 ? period + 1n : period;
    if (periodic) return s.startNs + nsOf((ticks / period + 1n) * period - s.heldTicks);
    return ticks >= end ? undefined : s.startNs + nsOf(end - s.heldTicks);
  }

  get gate(): boolean {
    return this.#state.gate;
  }

  setGate(level: boolean): void {
    const s = this.#state;
    if (s.gate === level) return;
    const holds = s.mode === 0 || s.mode === 4;
    if (holds && !level) s.heldTicks = this.#ticks();
    s.gate = level;
    if (!level) return;
    if (holds) s.startNs = this.#now();
    else if (s.loaded) this.#start();
  }

  /** Control word for this counter: bits 5..4 access, 3..1 mode, 0 BCD. */
  control(word: number): void {
    const access = (word >>> 4) & 3;
    if (access === 0) {
      this.latchCount();
      return;
    }
    const mode = (word >>> 1) & 7;
    this.#state = {
      ...powerOn(this.#state.gate),
      mode: mode > 5 ? mode & 3 : mode,
      access,
      bcd: (word & 1) !== 0,
      reload: this.#state.reload,
    };
  }

  latchCount(): void {
    this.#state.latched ??= this.#count();
  }

  latchStatus(): void {
    const s = this.#state;
    s.latchedStatus ??=
      (this.output ? 0x80 : 0) | (s.loaded ? 0 : 0x40) | (s.access << 4) | (s.mode << 1) | (s.bcd ? 1 : 0);
  }

  write(value: number): void {
    const s = this.#state;
    if (s.access === 1) this.#load(value);
    else if (s.access === 2) this.#load(value << 8);
    else if (!s.writeHighNext) {
      s.writeLow = value;
      s.writeHighNext = true;
      // In mode 0 the first byte stops counting until the second comes.
      if (s.mode === 0) s.counting = false;
    } else {
      s.writeHighNext = false;
      this.#load((value << 8) | s.writeLow);
    }
  }

  read(): number {
    const s = this.#state;
    if (s.latchedStatus !== null) {
      const status = s.latchedStatus;
      s.latchedStatus = null;
      return status;
    }
    const count = s.latched ?? this.#count();
    const high = s.access === 2 || (s.access === 3 && s.readHighNext);
    if (s.access === 3) s.readHighNext = !s.readHighNext;
    if (s.access !== 3 || high) s.latched = null;
    return high ? count >>> 8 : count & 0xff;
  }

  reset(): void {
    this.#state = powerOn(this.#initialGate);
  }

  save(): CounterState {
    return { ...this.#state };
  }

  restore(state: CounterState): void {
    this.#state = { ...state };
  }

  #load(reload: number): void {
    const s = this.#state;
    s.reload = reload;
    const first = !s.loaded;
    s.loaded = true;
    if (s.mode === 1 || s.mode === 5) return;
    // A periodic counter takes a new count at the end of its period; restarting at once differs by less than a period.
    if ((s.mode === 2 || s.mode === 3) && !first && !s.gate) return;
    this.#start();
  }

  #start(): void {
    const s = this.#state;
    s.counting = true;
    s.startNs = this.#now();
    s.heldTicks = 0n;
  }

  #period(): bigint {
    const { reload, bcd } = this.#state;
    if (!bcd) return reload === 0 ? 0x10000n : BigInt(reload);
    return reload === 0 ? 10000n : BigInt(fromBcd(reload));
  }

  /** Clocks since the count was loaded or triggered. */
  #ticks(): bigint {
    const s = this.#state;
    if (!s.counting) return 0n;
    const held = (s.mode === 0 || s.mode === 4) && !s.gate;
    return held ? s.heldTicks : s.heldTicks + ticksIn(this.#now() - s.startNs);
  }

  /** The counting element as the guest reads it. */
  #count(): number {
    const s = this.#state;
    if (!s.counting) return s.reload;
    const ticks = this.#ticks();
    const period = this.#period();
    let count: bigint;
    if (s.mode === 3) count = period - ((ticks * 2n) % period);
    else if (s.mode === 2) count = period - (ticks % period);
    else count = period - ticks;
    if (s.bcd) return toBcd(Number(((count % 10000n) + 10000n) % 10000n));
    return Number(count & 0xffffn);
  }
}

function fromBcd(value: number): number {
  return (value >>> 12) * 1000 + ((value >>> 8) & 15) * 100 + ((value >>> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  let result = 0;
  for (let digit = 0, rest = value; digit < 4; digit++, rest = Math.floor(rest / 10))
    result |= (rest % 10) << (digit * 4);
  return result;
}
