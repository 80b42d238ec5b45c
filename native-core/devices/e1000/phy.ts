// The PHY behind MDIC (13.4.8, 8.9): enough of a Marvell 88E1011 that drivers find a gigabit link, or none.
import { arrayOf, u16 } from "../state-schema.ts";

const REGISTERS = 32;
const PHY = {
  CONTROL: 0,
  STATUS: 1,
  ID1: 2,
  ID2: 3,
  ANAR: 4,
  ANLPAR: 5,
  EXPANSION: 6,
  GB_CONTROL: 9,
  GB_STATUS: 10,
  SPECIFIC: 17,
} as const;

const CONTROL_RESET = 0x8000;
const CONTROL_RESTART = 0x0200;
const CONTROL_POWER_ON = 0x1140;
/** All 10 and 100 Mbit/s modes, extended status, auto-negotiation, extended capability; link and completion are added. */
const STATUS_ABILITIES = 0x7949;
const STATUS_LINK = 0x0004;
const STATUS_NEGOTIATED = 0x0020;
/** Speed 1000, full duplex, resolved, link. */
const SPECIFIC_UP = 0xac00 | 0x0400;

const MDIC = {
  REGISTER_SHIFT: 16,
  PHY_SHIFT: 21,
  WRITE: 1 << 26,
  READ: 1 << 27,
  READY: 1 << 28,
  ERROR: 1 << 30,
} as const;

export const phyStateSchema = arrayOf(u16, REGISTERS);

export class Phy {
  readonly #registers = new Uint16Array(REGISTERS);
  /** Told when negotiation starts over: the link comes up anew. */
  onRestart: (() => void) | undefined;
  linkUp = false;

  constructor() {
    this.reset();
  }

  reset(): void {
    this.#registers.fill(0);
    this.#registers[PHY.CONTROL] = CONTROL_POWER_ON;
    this.#registers[PHY.ID1] = 0x0141;
    this.#registers[PHY.ID2] = 0x0c20;
    this.#registers[PHY.ANAR] = 0x0de1;
    this.#registers[PHY.GB_CONTROL] = 0x0e00;
  }

  /** Carries an MDIC command out; yields what MDIC reads then. */
  command(mdic: number): number {
    const register = (mdic >>> MDIC.REGISTER_SHIFT) & 31;
    if (((mdic >>> MDIC.PHY_SHIFT) & 31) !== 1) return (mdic | MDIC.READY | MDIC.ERROR) >>> 0;
    if (mdic & MDIC.READ) return ((mdic & 0xffff0000) | this.#read(register) | MDIC.READY) >>> 0;
    if (mdic & MDIC.WRITE) this.#write(register, mdic & 0xffff);
    return (mdic | MDIC.READY) >>> 0;
  }

  save(): number[] {
    return [...this.#registers];
  }

  restore(state: readonly number[]): void {
    this.#registers.set(state);
  }

  #read(register: number): number {
    switch (register) {
      case PHY.STATUS:
        return STATUS_ABILITIES | (this.linkUp ? STATUS_LINK | STATUS_NEGOTIATED : 0);
      case PHY.ANLPAR:
        return this.linkUp ? 0x45e1 : 0;
      case PHY.EXPANSION:
        return this.linkUp ? 1 : 0;
      case PHY.GB_STATUS:
        return this.linkUp ? 0x3c00 : 0;
      case PHY.SPECIFIC:
        return this.linkUp ? SPECIFIC_UP : 0;
      default:
        return this.#registers[register] as number;
    }
  }

  #write(register: number, value: number): void {
    if (register === PHY.ID1 || register === PHY.ID2) return;
    if (register === PHY.CONTROL) {
      if (value & CONTROL_RESET) this.reset();
      else this.#registers[PHY.CONTROL] = value & ~CONTROL_RESTART;
      if (value & (CONTROL_RESET | CONTROL_RESTART)) this.onRestart?.();
      return;
    }
    this.#registers[register] = value;
  }
}
