// The 64-word EEPROM with the adapter's address, read through EERD, or bit by bit through EECD as a Microwire part (5.3, 5.4).
import type { z } from "zod";
import { EEPROM_WORDS, Microwire, microwireStateSchema } from "../network/microwire.ts";
import { u32 } from "../state-schema.ts";

const CHECKSUM_WORD = 0x3f;
/** The sum of all words. */
const CHECKSUM = 0xbaba;

export const EECD = { SK: 1, CS: 2, DI: 4, DO: 8, REQ: 0x40, GNT: 0x80, PRES: 0x100 } as const;

const EERD_START = 1;
const EERD_DONE = 0x10;

export const eepromStateSchema = microwireStateSchema.extend({ eecd: u32, eerd: u32 });
type EepromState = z.infer<typeof eepromStateSchema>;

export class Eeprom {
  readonly #words = new Uint16Array(EEPROM_WORDS);
  readonly #wires = new Microwire(this.#words);
  #eecd = 0;
  #eerd = 0;

  constructor(mac: Uint8Array, deviceId: number) {
    const words = this.#words;
    for (let i = 0; i < 3; i++) words[i] = (mac[2 * i] as number) | ((mac[2 * i + 1] as number) << 8);
    // Initialization control and PCI identity as the part has them (table 5-2).
    words.set([0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0x3000, 0x400b, deviceId, 0x8086, deviceId, 0x8086], 3);
    let sum = 0;
    for (let i = 0; i < CHECKSUM_WORD; i++) sum += words[i] as number;
    words[CHECKSUM_WORD] = CHECKSUM - sum;
  }

  reset(): void {
    this.#eecd = 0;
    this.#eerd = 0;
    this.#wires.reset();
  }

  get eecd(): number {
    const grant = this.#eecd & EECD.REQ ? EECD.GNT : 0;
    return (this.#eecd & ~EECD.DO) | (this.#wires.dataOut ? EECD.DO : 0) | EECD.PRES | grant;
  }

  set eecd(value: number) {
    const rises = (value & EECD.SK) !== 0 && (this.#eecd & EECD.SK) === 0;
    this.#eecd = value & (EECD.SK | EECD.CS | EECD.DI | EECD.REQ);
    if ((value & EECD.CS) === 0) this.#wires.deselect();
    else if (rises) this.#wires.clock((value & EECD.DI) !== 0);
  }

  get eerd(): number {
    return this.#eerd;
  }

  set eerd(value: number) {
    const address = (value >>> 8) & 0xff;
    const done = (value & EERD_START) !== 0;
    this.#eerd = done
      ? (((this.#words[address % EEPROM_WORDS] as number) << 16) | EERD_DONE | (value & 0xff01)) >>> 0
      : 0;
  }

  save(): EepromState {
    return { eecd: this.#eecd, eerd: this.#eerd, ...this.#wires.save() };
  }

  restore(state: EepromState): void {
    this.#eecd = state.eecd;
    this.#eerd = state.eerd;
    this.#wires.restore(state);
  }
}
