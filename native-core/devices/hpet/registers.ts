// Registers of the HPET (IA-PC HPET specification 1.0a, 2.3): 64 bits wide, reached by 32 bits or 64.

export const HPET_BASE = 0xfed0_0000;
export const HPET_BYTES = 0x400;
/** Femtoseconds of a tick: 100 MHz. */
const PERIOD_FS = 10_000_000;
export const TICK_NS = 10n;
export const TIMERS = 3;

export const REG = { CAPABILITIES: 0x000, CONFIG: 0x010, STATUS: 0x020, COUNTER: 0x0f0, TIMER: 0x100 } as const;
export const TIMER_REG = { CONFIG: 0x00, COMPARATOR: 0x08 } as const;

const REVISION = 1;
const COUNTER_64 = 1 << 13;
const LEGACY_CAPABLE = 1 << 15;
const VENDOR = 0x8086;
/** Its lower half is in the ACPI table, too. */
export const CAPABILITIES = ((VENDOR << 16) | LEGACY_CAPABLE | COUNTER_64 | ((TIMERS - 1) << 8) | REVISION) >>> 0;
export const CAPABILITIES_HIGH = PERIOD_FS;

export const CONFIG = { ENABLE: 1, LEGACY: 2 } as const;
export const TIMER = {
  LEVEL: 1 << 1,
  ENABLE: 1 << 2,
  PERIODIC: 1 << 3,
  PERIODIC_CAPABLE: 1 << 4,
  SIZE_64_CAPABLE: 1 << 5,
  SET_VALUE: 1 << 6,
  MODE_32: 1 << 8,
  ROUTE_SHIFT: 9,
  ROUTE_MASK: 31,
} as const;
export const TIMER_CAPABLE = TIMER.PERIODIC_CAPABLE | TIMER.SIZE_64_CAPABLE;
export const TIMER_WRITABLE =
  TIMER.LEVEL |
  TIMER.ENABLE |
  TIMER.PERIODIC |
  TIMER.SET_VALUE |
  TIMER.MODE_32 |
  (TIMER.ROUTE_MASK << TIMER.ROUTE_SHIFT);
/** Inputs of the I/O APIC that nothing else is wired to: 20 to 23. */
export const ROUTES = 0x00f0_0000;
