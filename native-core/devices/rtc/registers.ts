// MC146818 real-time clock and CMOS RAM (Motorola data sheet; PC/AT use of the RAM bytes as in SeaBIOS and QEMU).

export const RTC_PORT = 0x70;
export const RTC_IRQ = 8;
export const CMOS_BYTES = 128;

export const RTC = {
  SECONDS: 0x00,
  SECONDS_ALARM: 0x01,
  MINUTES: 0x02,
  MINUTES_ALARM: 0x03,
  HOURS: 0x04,
  HOURS_ALARM: 0x05,
  WEEKDAY: 0x06,
  DAY: 0x07,
  MONTH: 0x08,
  YEAR: 0x09,
  A: 0x0a,
  B: 0x0b,
  C: 0x0c,
  D: 0x0d,
  CENTURY: 0x32,
} as const;

export const RTC_A = { UPDATE_IN_PROGRESS: 0x80, RATE: 0x0f, DIVIDER: 0x70, DIVIDER_32KHZ: 0x20 } as const;
export const RTC_B = { SET: 0x80, PERIODIC: 0x40, ALARM: 0x20, UPDATE: 0x10, BINARY: 0x04, HOURS_24: 0x02 } as const;
export const RTC_C = { REQUEST: 0x80, PERIODIC: 0x40, ALARM: 0x20, UPDATE: 0x10 } as const;
/** RAM and time are valid: the battery is good. */
export const RTC_D_VALID = 0x80;

/** In an alarm register: any value matches. */
export const ALARM_ANY = 0xc0;

/** Memory size bytes of the PC/AT: base in KiB, extended above 1 MiB in KiB, above 16 MiB in 64 KiB units. */
export const CMOS = {
  /** Types of drives A: and B:. */
  FLOPPY: 0x10,
  BASE_MEMORY: 0x15,
  EXTENDED_MEMORY: 0x17,
  EXTENDED_MEMORY_COPY: 0x30,
  MEMORY_ABOVE_16M: 0x34,
  EQUIPMENT: 0x14,
} as const;
/** 80x25 colour display, keyboard and mouse port, no floppy, coprocessor there. */
export const EQUIPMENT = 0x06;
export const EQUIPMENT_FLOPPY = 0x01;
