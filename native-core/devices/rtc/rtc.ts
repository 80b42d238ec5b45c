// MC146818 RTC with 128 bytes of CMOS RAM, ports 0x70/0x71.
//
// The time of day is the host's wall clock plus an offset that changes when the guest sets the clock; so a machine restored from a
// snapshot knows what time it is. Registers are computed when read; timers run only for interrupts the guest enabled.
import { z } from "zod";
import { byteWide } from "../bus.ts";
import type { Device, Inputs, InterruptLine, IoBus, Timer, VirtualClock } from "../device.ts";
import { bytes, optionalTimeNs, u8 } from "../state-schema.ts";
import {
  alarmMatches,
  type CalendarTime,
  calendarSchema,
  decodeTime,
  encodeField,
  encodeHours,
  fromMs,
  toMs,
} from "./calendar.ts";
import {
  CMOS,
  CMOS_BYTES,
  EQUIPMENT,
  EQUIPMENT_FLOPPY,
  RTC,
  RTC_A,
  RTC_B,
  RTC_C,
  RTC_D_VALID,
  RTC_PORT,
} from "./registers.ts";

const NS_PER_MS = 1000000n;
const MS_PER_SECOND = 1000;
/** The update-in-progress bit precedes the change of the time by 244 microseconds; in milliseconds it is the last one. */
const UPDATE_MS = 999;
const TIME_REGISTERS: ReadonlySet<number> = new Set([
  RTC.SECONDS,
  RTC.MINUTES,
  RTC.HOURS,
  RTC.WEEKDAY,
  RTC.DAY,
  RTC.MONTH,
  RTC.YEAR,
  RTC.CENTURY,
]);
/** The host's clock stays within the years a Date can hold and a BCD century can tell. */
const msSchema = z.int().min(-62_000_000_000_000).max(253_000_000_000_000);

const stateSchema = z.strictObject({
  index: u8,
  ram: bytes(CMOS_BYTES),
  offsetMs: msSchema,
  /** The fields while the guest holds them with B.SET. They need not make a date until it lets go. */
  frozen: calendarSchema.nullable(),
  flags: u8,
  lastUpdateMs: msSchema,
  periodicNs: optionalTimeNs,
});
export type RtcState = z.infer<typeof stateSchema>;

export interface RtcParts {
  bus: IoBus;
  clock: VirtualClock;
  inputs: Inputs;
  irq: InterruptLine;
  memoryBytes: number;
  /** Type of drive A:, 0 for none. */
  floppyType?: number | undefined;
  /** What the clock shows beside UTC, in milliseconds: a time zone for guests that keep local time in it. */
  zoneMs?: number | undefined;
}

export class Rtc implements Device<RtcState> {
  readonly name = "rtc";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<RtcState> = stateSchema;
  readonly #parts: RtcParts;
  readonly #ram = new Uint8Array(CMOS_BYTES);
  readonly #periodic: Timer;
  readonly #second: Timer;
  #index = 0;
  #offsetMs = 0;
  #frozen: CalendarTime | undefined;
  /** Pending interrupt flags of register C, without the summary bit. */
  #flags = 0;
  /** Start of the second up to which update flags were accounted for. */
  #lastUpdateMs = 0;

  constructor(parts: RtcParts) {
    this.#parts = parts;
    this.#periodic = parts.clock.createTimer("rtc periodic", () => this.#periodicTick());
    this.#second = parts.clock.createTimer("rtc second", () => this.#secondTick());
    // The battery keeps these over resets.
    this.#ram[RTC.A] = RTC_A.DIVIDER_32KHZ | 6;
    this.#ram[RTC.B] = RTC_B.HOURS_24;
    this.#setMemorySize(parts.memoryBytes);
    const floppyType = parts.floppyType ?? 0;
    this.#ram[CMOS.FLOPPY] = floppyType << 4;
    if (floppyType > 0) this.#ram[CMOS.EQUIPMENT] = EQUIPMENT | EQUIPMENT_FLOPPY;
    parts.bus.mapPorts(
      RTC_PORT,
      2,
      byteWide(
        (offset) => (offset === 0 ? 0xff : this.#read(this.#index)),
        (offset, value) => {
          if (offset === 0) this.#index = value & 0x7f;
          else this.#write(this.#index, value);
        },
      ),
    );
  }

  reset(): void {
    this.#index = 0;
    this.#flags = 0;
    this.#ram[RTC.B] = (this.#ram[RTC.B] ?? 0) & ~(RTC_B.PERIODIC | RTC_B.ALARM | RTC_B.UPDATE);
    this.#lastUpdateMs = this.#nowMs();
    this.#schedulePeriodic();
    this.#scheduleSecond();
    this.#updateIrq();
  }

  save(): RtcState {
    return {
      index: this.#index,
      ram: this.#ram.slice(),
      offsetMs: this.#offsetMs,
      frozen: this.#frozen ? { ...this.#frozen } : null,
      flags: this.#flags,
      lastUpdateMs: this.#lastUpdateMs,
      periodicNs: this.#periodic.deadlineNs ?? null,
    };
  }

  restore(state: RtcState): void {
    this.#index = state.index & 0x7f;
    this.#ram.set(state.ram);
    this.#offsetMs = state.offsetMs;
    this.#frozen = state.frozen ? { ...state.frozen } : undefined;
    this.#flags = state.flags & (RTC_C.PERIODIC | RTC_C.ALARM | RTC_C.UPDATE);
    this.#lastUpdateMs = state.lastUpdateMs;
    this.#schedulePeriodic();
    if (state.periodicNs !== null && this.#periodic.deadlineNs !== undefined) this.#periodic.set(state.periodicNs);
    this.#scheduleSecond();
    this.#updateIrq();
  }

  dispose(): void {
    this.#periodic.cancel();
    this.#second.cancel();
  }

  get #b(): number {
    return this.#ram[RTC.B] ?? 0;
  }

  #nowMs(): number {
    return this.#parts.inputs.wallClockMs() + (this.#parts.zoneMs ?? 0) + this.#offsetMs;
  }

  #read(index: number): number {
    if (TIME_REGISTERS.has(index)) return this.#readTime(index);
    switch (index) {
      case RTC.A: {
        const updating = this.#frozen === undefined && modulo(this.#nowMs(), MS_PER_SECOND) >= UPDATE_MS;
        return ((this.#ram[RTC.A] ?? 0) & 0x7f) | (updating ? RTC_A.UPDATE_IN_PROGRESS : 0);
      }
      case RTC.C: {
        this.#accountSeconds();
        const value = this.#flags | (this.#requesting ? RTC_C.REQUEST : 0);
        this.#flags = 0;
        this.#updateIrq();
        return value;
      }
      case RTC.D:
        return RTC_D_VALID;
      default:
        return this.#ram[index] ?? 0xff;
    }
  }

  #readTime(index: number): number {
    const time = this.#frozen ?? fromMs(this.#nowMs());
    const b = this.#b;
    switch (index) {
      case RTC.SECONDS:
        return encodeField(time.second, b);
      case RTC.MINUTES:
        return encodeField(time.minute, b);
      case RTC.HOURS:
        return encodeHours(time.hour, b);
      case RTC.WEEKDAY:
        return encodeField(time.weekday, b);
      case RTC.DAY:
        return encodeField(time.day, b);
      case RTC.MONTH:
        return encodeField(time.month, b);
      case RTC.YEAR:
        return encodeField(modulo(time.year, 100), b);
      default:
        return encodeField(Math.floor(time.year / 100), b);
    }
  }

  #write(index: number, value: number): void {
    if (TIME_REGISTERS.has(index)) {
      this.#writeTime(index, value);
      return;
    }
    switch (index) {
      case RTC.A:
        this.#ram[RTC.A] = value & 0x7f;
        this.#schedulePeriodic();
        return;
      case RTC.B:
        this.#writeB(value);
        return;
      case RTC.C:
      case RTC.D:
        return;
      default:
        this.#ram[index] = value;
    }
  }

  #writeTime(index: number, value: number): void {
    const time = decodeTime(this.#frozen ?? fromMs(this.#nowMs()), index, value, this.#b);
    if (this.#frozen === undefined) this.#setTime(time);
    else this.#frozen = time;
  }

  #setTime(time: CalendarTime): void {
    const before = this.#nowMs();
    const after = toMs(time, modulo(before, MS_PER_SECOND));
    if (after === undefined) return;
    this.#offsetMs += after - before;
    this.#lastUpdateMs = after;
    this.#scheduleSecond();
  }

  #writeB(value: number): void {
    this.#accountSeconds();
    this.#ram[RTC.B] = value;
    const set = (value & RTC_B.SET) !== 0;
    if (set) this.#frozen ??= fromMs(this.#nowMs());
    else if (this.#frozen !== undefined) {
      const time = this.#frozen;
      this.#frozen = undefined;
      this.#setTime(time);
    }
    this.#schedulePeriodic();
    this.#scheduleSecond();
    this.#updateIrq();
  }

  get #requesting(): boolean {
    return (this.#flags & this.#b & (RTC_C.PERIODIC | RTC_C.ALARM | RTC_C.UPDATE)) !== 0;
  }

  #updateIrq(): void {
    this.#parts.irq.set(this.#requesting);
  }

  /** Sets update and alarm flags for the seconds that began since the last look. */
  #accountSeconds(): void {
    if (this.#frozen !== undefined) return;
    const now = this.#nowMs();
    const from = Math.floor(this.#lastUpdateMs / MS_PER_SECOND);
    const to = Math.floor(now / MS_PER_SECOND);
    this.#lastUpdateMs = now;
    if (to === from) return;
    this.#flags |= RTC_C.UPDATE;
    // After a long sleep (or a wall clock that was set) one day of seconds covers every alarm there can be.
    const first = Math.max(from + 1, to - 86399);
    for (let second = first; second <= to; second++) {
      if (!alarmMatches(this.#ram, fromMs(second * MS_PER_SECOND), this.#b)) continue;
      this.#flags |= RTC_C.ALARM;
      break;
    }
  }

  #secondTick(): void {
    this.#accountSeconds();
    this.#updateIrq();
    this.#scheduleSecond();
  }

  #scheduleSecond(): void {
    if (this.#frozen !== undefined || (this.#b & (RTC_B.ALARM | RTC_B.UPDATE)) === 0) {
      this.#second.cancel();
      return;
    }
    const rest = Math.max(1, MS_PER_SECOND - Math.floor(modulo(this.#nowMs(), MS_PER_SECOND)));
    this.#second.set(this.#parts.clock.nowNs() + BigInt(rest) * NS_PER_MS);
  }

  /** Period of the rate bits of A: 2^(rate-1) clocks of 32768 Hz; rates 1 and 2 mean 8 and 9. */
  #periodNs(): bigint | undefined {
    const a = this.#ram[RTC.A] ?? 0;
    const rate = a & RTC_A.RATE;
    if (rate === 0 || (a & RTC_A.DIVIDER) > RTC_A.DIVIDER_32KHZ) return undefined;
    const shift = BigInt(rate <= 2 ? rate + 6 : rate - 1);
    return (1000000000n << shift) / 32768n;
  }

  #schedulePeriodic(): void {
    const period = this.#periodNs();
    if (period === undefined || (this.#b & RTC_B.PERIODIC) === 0) this.#periodic.cancel();
    else if (this.#periodic.deadlineNs === undefined) this.#periodic.set(this.#parts.clock.nowNs() + period);
  }

  #periodicTick(): void {
    this.#flags |= RTC_C.PERIODIC;
    this.#updateIrq();
    this.#schedulePeriodic();
  }

  #setMemorySize(bytesOfRam: number): void {
    const extendedKib = Math.min(0xffff, Math.max(0, bytesOfRam / 1024 - 1024));
    const above16M = Math.min(0xffff, Math.max(0, (bytesOfRam - (16 << 20)) / 65536));
    this.#ram[CMOS.EQUIPMENT] = EQUIPMENT;
    this.#setWord(CMOS.BASE_MEMORY, 640);
    this.#setWord(CMOS.EXTENDED_MEMORY, extendedKib);
    this.#setWord(CMOS.EXTENDED_MEMORY_COPY, extendedKib);
    this.#setWord(CMOS.MEMORY_ABOVE_16M, above16M);
  }

  #setWord(index: number, value: number): void {
    this.#ram[index] = value & 0xff;
    this.#ram[index + 1] = value >>> 8;
  }
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
