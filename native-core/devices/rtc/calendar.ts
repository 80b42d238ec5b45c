// Between milliseconds since 1970 (UTC) and the fields of the MC146818 in BCD or binary, 12 or 24 hours.
import { z } from "zod";
import { u8 } from "../state-schema.ts";
import { ALARM_ANY, RTC, RTC_B } from "./registers.ts";

/** Month 1..12, weekday 1 = Sunday. Fields a guest wrote may be out of range. */
export const calendarSchema = z.strictObject({
  year: z.int().min(-10000).max(99999),
  month: u8,
  day: u8,
  weekday: u8,
  hour: u8,
  minute: u8,
  second: u8,
});
export type CalendarTime = z.infer<typeof calendarSchema>;

const PM = 0x80;

export function fromMs(ms: number): CalendarTime {
  const date = new Date(ms);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: date.getUTCDay() + 1,
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
}

/** Milliseconds since 1970; undefined when the fields make no date (a guest may write anything). */
export function toMs(time: CalendarTime, milliseconds: number): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(time.year, time.month - 1, time.day);
  date.setUTCHours(time.hour, time.minute, time.second, milliseconds);
  const ms = date.getTime();
  return Number.isNaN(ms) || time.year > 9999 ? undefined : ms;
}

export function encodeField(value: number, b: number): number {
  return (b & RTC_B.BINARY) !== 0 ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

export function encodeHours(hour: number, b: number): number {
  if ((b & RTC_B.HOURS_24) !== 0) return encodeField(hour, b);
  return encodeField(hour % 12 === 0 ? 12 : hour % 12, b) | (hour >= 12 ? PM : 0);
}

function decodeField(value: number, b: number): number {
  return (b & RTC_B.BINARY) !== 0 ? value : (value >>> 4) * 10 + (value & 15);
}

function decodeHours(value: number, b: number): number {
  if ((b & RTC_B.HOURS_24) !== 0) return decodeField(value, b);
  return (decodeField(value & ~PM, b) % 12) + ((value & PM) !== 0 ? 12 : 0);
}

/** `time` with the field of time register `index` replaced. */
export function decodeTime(time: CalendarTime, index: number, value: number, b: number): CalendarTime {
  const field = decodeField(value, b);
  switch (index) {
    case RTC.SECONDS:
      return { ...time, second: field };
    case RTC.MINUTES:
      return { ...time, minute: field };
    case RTC.HOURS:
      return { ...time, hour: decodeHours(value, b) };
    case RTC.DAY:
      return { ...time, day: field };
    case RTC.MONTH:
      return { ...time, month: field };
    case RTC.YEAR:
      return { ...time, year: Math.floor(time.year / 100) * 100 + field };
    case RTC.CENTURY:
      return { ...time, year: field * 100 + (time.year % 100) };
    default:
      // The weekday follows from the date.
      return time;
  }
}

export function alarmMatches(ram: Uint8Array, time: CalendarTime, b: number): boolean {
  const matches = (index: number, value: number) => {
    const alarm = ram[index] ?? 0;
    return (alarm & ALARM_ANY) === ALARM_ANY || alarm === value;
  };
  return (
    matches(RTC.SECONDS_ALARM, encodeField(time.second, b)) &&
    matches(RTC.MINUTES_ALARM, encodeField(time.minute, b)) &&
    matches(RTC.HOURS_ALARM, encodeHours(time.hour, b))
  );
}
