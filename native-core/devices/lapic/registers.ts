// Local APIC registers (SDM 3A 10.4, table 10-1): offsets from the APIC base, 16 bytes apart; in x2APIC mode MSR 800h + offset / 16.

export const LAPIC_BASE = 0xfee00000;
export const LAPIC_BYTES = 0x1000;
/** Integrated APIC, six LVT entries (0..5): timer, thermal, performance, LINT0, LINT1, error. */
export const LAPIC_VERSION = 0x0005_0014;

export const LAPIC = {
  ID: 0x020,
  VERSION: 0x030,
  TPR: 0x080,
  APR: 0x090,
  PPR: 0x0a0,
  EOI: 0x0b0,
  REMOTE_READ: 0x0c0,
  LDR: 0x0d0,
  DFR: 0x0e0,
  SVR: 0x0f0,
  ISR: 0x100,
  TMR: 0x180,
  IRR: 0x200,
  ESR: 0x280,
  ICR_LOW: 0x300,
  ICR_HIGH: 0x310,
  LVT_TIMER: 0x320,
  LVT_THERMAL: 0x330,
  LVT_PERFORMANCE: 0x340,
  LVT_LINT0: 0x350,
  LVT_LINT1: 0x360,
  LVT_ERROR: 0x370,
  TIMER_INITIAL: 0x380,
  TIMER_CURRENT: 0x390,
  TIMER_DIVIDE: 0x3e0,
  /** x2APIC mode only. */
  SELF_IPI: 0x3f0,
} as const;

export const SVR_ENABLE = 0x100;
export const APIC_BASE_ENABLE = 0x800n;
/** x2APIC mode. */
export const APIC_BASE_EXTENDED = 0x400n;

export const LVT = {
  VECTOR: 0xff,
  DELIVERY: 0x700,
  PENDING: 0x1000,
  LEVEL: 0x8000,
  MASKED: 0x10000,
  TIMER_PERIODIC: 0x20000,
  TIMER_DEADLINE: 0x40000,
  TIMER_MODE: 0x60000,
} as const;

/** Delivery modes, in bits 10..8 of LVT entries, ICR, MSI data and IOAPIC entries alike. */
export const DELIVERY = { FIXED: 0, LOWEST: 1, SMI: 2, NMI: 4, INIT: 5, STARTUP: 6, EXTINT: 7 } as const;

export const ICR = {
  LOGICAL: 0x800,
  LEVEL_ASSERT: 0x4000,
  TRIGGER_LEVEL: 0x8000,
  SHORTHAND_SHIFT: 18,
  WRITABLE: 0x000c_cfff,
} as const;
export const SHORTHAND = { NONE: 0, SELF: 1, ALL: 2, OTHERS: 3 } as const;

/** Error status bits. */
export const ESR = { SEND_ILLEGAL_VECTOR: 0x20, RECEIVE_ILLEGAL_VECTOR: 0x40, ILLEGAL_REGISTER: 0x80 } as const;
