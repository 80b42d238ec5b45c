// Which registers of the local APIC a guest can read and write, and with which bits: the LVT in both modes, the others in x2APIC mode.
import { LAPIC } from "./registers.ts";

/** LVT entries by register offset, with the bits a guest can write. */
export const LVT_WRITABLE: ReadonlyMap<number, number> = new Map([
  [LAPIC.LVT_TIMER, 0x700ff],
  [LAPIC.LVT_THERMAL, 0x107ff],
  [LAPIC.LVT_PERFORMANCE, 0x107ff],
  [LAPIC.LVT_LINT0, 0x1a7ff],
  [LAPIC.LVT_LINT1, 0x1a7ff],
  [LAPIC.LVT_ERROR, 0x100ff],
]);
export const LVT_OFFSETS = [...LVT_WRITABLE.keys()];

/** Delivery status, and remote IRR where there is one: read-only, which is not reserved. Linux sets both when it powers off. */
const LVT_READ_ONLY = 0x1000;
const LINT_READ_ONLY = 0x5000;
const readOnlyBits = (offset: number): number =>
  offset === LAPIC.LVT_LINT0 || offset === LAPIC.LVT_LINT1 ? LINT_READ_ONLY : LVT_READ_ONLY;

/** Bits that may be set by a write in x2APIC mode by register offset (SDM 3A table 10-6); all others are #GP. */
export const X2APIC_WRITABLE: ReadonlyMap<number, number> = new Map([
  [LAPIC.TPR, 0xff],
  [LAPIC.EOI, 0],
  [LAPIC.SVR, 0x1ff],
  [LAPIC.ESR, 0],
  ...[...LVT_WRITABLE].map(([offset, bits]) => [offset, bits | readOnlyBits(offset)] as const),
  [LAPIC.TIMER_INITIAL, 0xffff_ffff],
  [LAPIC.TIMER_DIVIDE, 0xb],
  [LAPIC.SELF_IPI, 0xff],
]);

/** EOI and SELF IPI are write-only; DFR and the high half of ICR don't exist. */
export const isReadableX2apic = (offset: number): boolean =>
  (offset >= LAPIC.ISR && offset <= LAPIC.ESR) || LVT_WRITABLE.has(offset) || X2APIC_READABLE_REGISTERS.has(offset);
const X2APIC_READABLE_REGISTERS: ReadonlySet<number> = new Set([
  LAPIC.ID,
  LAPIC.VERSION,
  LAPIC.TPR,
  LAPIC.PPR,
  LAPIC.LDR,
  LAPIC.SVR,
  LAPIC.ICR_LOW,
  LAPIC.TIMER_INITIAL,
  LAPIC.TIMER_CURRENT,
  LAPIC.TIMER_DIVIDE,
]);
