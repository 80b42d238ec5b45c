// The 64-word EEPROM with the adapter's address, read through EERD, or bit by bit through EECD as a Microwire part (5.3, 5.4).
import { z } from "zod";
import { u32 } from "../state-schema.ts";

const WORDS = 64;
const CHECKSUM_WORD = 0x3f;
/** The sum of all words. */
const CHECKSUM = 0xbaba;

export const EECD = { SK: 1, CS: 2, DI: 4, DO: 8, REQ: 0x40, GNT: 0x80, PRES: 0x100 } as const;

const EERD_START = 1;
const EERD_DONE = 0x10;

const OPCODE_READ = 6;
/** Start bit and opcode, then the address. */
const OPCODE_BITS = 3;
const COMMAND_BITS = OPCODE_BITS + 6;

export const eepromStateSchema = z.object({ eecd: u32, eerd: u32, bits: u32, shift: u32, out: u32 });
type EepromState = z.infer<typeof eepromStateSchema>;

export class Eeprom {
  readonly #words = new Uint16Array(WORDS);
  #state: EepromState = powerOn();

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
    this.#state = powerOn();
  }

  get eecd(): number {
    const { eecd, bits, out } = this.#state;
    // Data comes behind the command, highest bit first; before it, the line is low.
    const level = bits > COMMAND_BITS && ((out >>> (15 - ((bits - COMMAND_BITS - 1) & 15))) & 1) !== 0;
    return (eecd & ~EECD.DO) | (level ? EECD.DO : 0) | EECD.PRES | (eecd & EECD.REQ ? EECD.GNT : 0);
  }

  set eecd(value: number) {
    const state = this.#state;
    const rises = (value & EECD.SK) !== 0 && (state.eecd & EECD.SK) === 0;
    state.eecd = value & (EECD.SK | EECD.CS | EECD.DI | EECD.REQ);
    if ((value & EECD.CS) === 0) {
      state.bits = 0;
      state.shift = 0;
      return;
    }
    if (!rises) return;
    // Zeroes before the start bit are no part of a command.
    if (state.bits === 0 && (value & EECD.DI) === 0) return;
    state.bits++;
    if (state.bits <= COMMAND_BITS) state.shift = ((state.shift << 1) | (value & EECD.DI ? 1 : 0)) >>> 0;
    if (state.bits < COMMAND_BITS) return;
    const isRead = state.shift >>> (COMMAND_BITS - OPCODE_BITS) === OPCODE_READ;
    const position = state.bits - COMMAND_BITS;
    // A word is put out from the clock behind the command on; a read goes on with the next one as long as there is a clock.
    if (position % 16 === 1) {
      const address = (state.shift & (WORDS - 1)) + (position - 1) / 16;
      state.out = isRead ? (this.#words[address % WORDS] as number) : 0;
    }
    if (state.bits > 0x10000) state.bits = COMMAND_BITS + 16;
  }

  get eerd(): number {
    return this.#state.eerd;
  }

  set eerd(value: number) {
    const address = (value >>> 8) & 0xff;
    const done = (value & EERD_START) !== 0;
    this.#state.eerd = done
      ? (((this.#words[address % WORDS] as number) << 16) | EERD_DONE | (value & 0xff01)) >>> 0
      : 0;
  }

  save(): EepromState {
    return { ...this.#state };
  }

  restore(state: EepromState): void {
    this.#state = { ...state };
  }
}

function powerOn(): EepromState {
  return { eecd: 0, eerd: 0, bits: 0, shift: 0, out: 0 };
}
