// ACPI fixed hardware (ACPI 6.4, 4.8): power management timer, PM1 event and control blocks, and a block of general-purpose events. The
// tables that point here are built in firmware/acpi. ACPI mode is always on (there is no SMI command port), as on hardware-reduced firmware-less boards.
import { z } from "zod";
import type { AccessSize, Device, InterruptLine, IoBus, Timer, VirtualClock } from "../device.ts";
import type { PowerControl } from "../power.ts";
import { u16 } from "../state-schema.ts";

export const ACPI_PM_PORT = 0x600;
export const ACPI_PM_BYTES = 0x10;
/** Offsets of the blocks from ACPI_PM_PORT. */
export const ACPI_PM = {
  EVENT_STATUS: 0,
  EVENT_ENABLE: 2,
  CONTROL: 4,
  TIMER: 8,
  GPE_STATUS: 0xc,
  GPE_ENABLE: 0xe,
} as const;
/** Bytes of the status and enable registers of the general-purpose events together. */
export const ACPI_GPE_BYTES = 4;
/** General-purpose events of the board; each has its method in the DSDT. */
export const ACPI_GPE = { GENERATION_ID: 0, PCI_HOT_PLUG: 1 } as const;
export const ACPI_SCI_IRQ = 9;
const ACPI_PM_TIMER_HZ = 3579545n;
/** SLP_TYP value of \_S5 (soft off) in the DSDT. */
export const ACPI_SLEEP_TYPE_S5 = 5;

const PM1 = {
  TIMER: 1 << 0,
  GLOBAL: 1 << 5,
  POWER_BUTTON: 1 << 8,
  SLEEP_BUTTON: 1 << 9,
  RTC: 1 << 10,
  WAKE: 1 << 15,
} as const;
/** The board has no sleep button, and its RTC interrupts by itself; guests check that the enable bits are there all the same. */
const PM1_ENABLES = PM1.TIMER | PM1.GLOBAL | PM1.POWER_BUTTON | PM1.SLEEP_BUTTON | PM1.RTC;
const PM1_EVENTS = PM1_ENABLES | PM1.WAKE;
const PM1_CONTROL = { SCI_ENABLE: 1, BUS_MASTER_RELOAD: 2, SLEEP_TYPE_SHIFT: 10, SLEEP_ENABLE: 1 << 13 } as const;
const PM1_CONTROL_WRITABLE = 0x1c02;
/** The timer has 24 bits; its status bit is set whenever the highest one changes. */
const TIMER_MASK = 0xffffffn;
const TIMER_HALF = 0x800000n;
const NS_PER_SECOND = 1000000000n;

const stateSchema = z.strictObject({
  status: u16,
  enable: u16,
  control: u16,
  /** Half periods of the timer that its status bit accounts for. */
  timerHalves: z
    .bigint()
    .min(0n)
    .max(1n << 62n),
  gpeStatus: u16,
  gpeEnable: u16,
});
export type AcpiPmState = z.infer<typeof stateSchema>;

export interface AcpiPmParts {
  bus: IoBus;
  clock: VirtualClock;
  sci: InterruptLine;
  power: PowerControl;
}

export class AcpiPm implements Device<AcpiPmState> {
  readonly name = "acpi-pm";
  readonly stateVersion = 2;
  readonly stateSchema: z.ZodType<AcpiPmState> = stateSchema;
  readonly #parts: AcpiPmParts;
  readonly #carry: Timer;
  #status = 0;
  #enable = 0;
  #control: number = PM1_CONTROL.SCI_ENABLE;
  #timerHalves = 0n;
  #gpeStatus = 0;
  #gpeEnable = 0;

  constructor(parts: AcpiPmParts) {
    this.#parts = parts;
    this.#carry = parts.clock.createTimer("acpi pm timer", () => this.#update());
    parts.bus.mapPorts(ACPI_PM_PORT, ACPI_PM_BYTES, {
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => this.#write(offset, size, value),
    });
  }

  /** The user presses the power button: the guest's ACPI driver shuts down. */
  pressPowerButton(): void {
    this.#status |= PM1.POWER_BUTTON;
    this.#update();
  }

  /** A general-purpose event happens. */
  raise(event: (typeof ACPI_GPE)[keyof typeof ACPI_GPE]): void {
    this.#gpeStatus |= 1 << event;
    this.#update();
  }

  /** Whether a guest listens to the power button. */
  get powerButtonEnabled(): boolean {
    return (this.#enable & PM1.POWER_BUTTON) !== 0;
  }

  reset(): void {
    this.#status = 0;
    this.#enable = 0;
    this.#control = PM1_CONTROL.SCI_ENABLE;
    this.#timerHalves = this.#ticks() / TIMER_HALF;
    this.#gpeStatus = 0;
    this.#gpeEnable = 0;
    this.#update();
  }

  save(): AcpiPmState {
    // The timer's bit is kept up to date only when somebody looks; a copy would start from another count of halves.
    this.#update();
    return {
      status: this.#status,
      enable: this.#enable,
      control: this.#control,
      timerHalves: this.#timerHalves,
      gpeStatus: this.#gpeStatus,
      gpeEnable: this.#gpeEnable,
    };
  }

  restore(state: AcpiPmState): void {
    this.#status = state.status & PM1_EVENTS;
    this.#enable = state.enable & PM1_ENABLES;
    this.#control = (state.control & PM1_CONTROL_WRITABLE) | PM1_CONTROL.SCI_ENABLE;
    this.#timerHalves = state.timerHalves;
    this.#gpeStatus = state.gpeStatus;
    this.#gpeEnable = state.gpeEnable;
    this.#update();
  }

  dispose(): void {
    this.#carry.cancel();
  }

  #ticks(): bigint {
    return (this.#parts.clock.nowNs() * ACPI_PM_TIMER_HZ) / NS_PER_SECOND;
  }

  #read(offset: number, size: AccessSize): number {
    const word = offset & ~3;
    let value = 0;
    if (word === ACPI_PM.TIMER) value = Number(this.#ticks() & TIMER_MASK);
    else if (word === ACPI_PM.CONTROL) value = this.#control;
    else if (word === ACPI_PM.EVENT_STATUS) {
      this.#update();
      value = this.#status | (this.#enable << 16);
    } else value = this.#gpeStatus | (this.#gpeEnable << 16);
    const shifted = value >>> ((offset & 3) * 8);
    return size === 4 ? shifted : shifted & ((1 << (size * 8)) - 1);
  }

  #write(offset: number, size: AccessSize, value: number): void {
    if (offset === ACPI_PM.EVENT_STATUS) {
      this.#update();
      this.#status &= ~value;
      if (size === 4) this.#enable = (value >>> 16) & PM1_ENABLES;
    } else if (offset === ACPI_PM.EVENT_STATUS + 1) {
      this.#status &= ~(value << 8);
    } else if (offset === ACPI_PM.EVENT_ENABLE) {
      this.#enable = (size === 1 ? (this.#enable & 0xff00) | value : value) & PM1_ENABLES;
    } else if (offset === ACPI_PM.EVENT_ENABLE + 1) {
      this.#enable = ((this.#enable & 0xff) | (value << 8)) & PM1_ENABLES;
    } else if (offset === ACPI_PM.CONTROL) {
      this.#writeControl(size === 1 ? (this.#control & 0xff00) | value : value);
    } else if (offset === ACPI_PM.CONTROL + 1) {
      this.#writeControl((this.#control & 0xff) | (value << 8));
    } else if (offset >= ACPI_PM.GPE_STATUS) this.#writeGpe(offset - ACPI_PM.GPE_STATUS, size, value);
    this.#update();
  }

  /** Guests access the block byte by byte: two of status, where ones clear, and two of enable. */
  #writeGpe(offset: number, size: AccessSize, value: number): void {
    for (let byte = offset; byte < Math.min(offset + size, ACPI_GPE_BYTES); byte++) {
      const bits = (value >>> ((byte - offset) * 8)) & 0xff;
      const shift = (byte & 1) * 8;
      if (byte < 2) this.#gpeStatus &= ~(bits << shift);
      else this.#gpeEnable = (this.#gpeEnable & ~(0xff << shift)) | (bits << shift);
    }
  }

  #writeControl(value: number): void {
    this.#control = (value & PM1_CONTROL_WRITABLE) | PM1_CONTROL.SCI_ENABLE;
    const type = (value >>> PM1_CONTROL.SLEEP_TYPE_SHIFT) & 7;
    if ((value & PM1_CONTROL.SLEEP_ENABLE) !== 0 && type === ACPI_SLEEP_TYPE_S5) this.#parts.power.requestPowerOff();
  }

  /** Brings the timer's status bit up to date, drives SCI, and sees to it that the next carry is noticed if anyone wants it. */
  #update(): void {
    const halves = this.#ticks() / TIMER_HALF;
    if (halves !== this.#timerHalves) this.#status |= PM1.TIMER;
    this.#timerHalves = halves;
    const fixed = this.#status & this.#enable & PM1_ENABLES;
    this.#parts.sci.set((fixed | (this.#gpeStatus & this.#gpeEnable)) !== 0);
    if ((this.#enable & PM1.TIMER) === 0) {
      this.#carry.cancel();
      return;
    }
    const next = (halves + 1n) * TIMER_HALF;
    this.#carry.set((next * NS_PER_SECOND + ACPI_PM_TIMER_HZ - 1n) / ACPI_PM_TIMER_HZ);
  }
}
