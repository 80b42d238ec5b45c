// A serial EEPROM of 64 words (93C46), read bit by bit: start bit, opcode, address in, then words out, highest bit first. Adapters keep
// their address in one; each has wires of its own to it.
import { z } from "zod";
import { u32 } from "../state-schema.ts";

export const EEPROM_WORDS = 64;
const OPCODE_READ = 6;
/** Start bit and opcode, then the address. */
const OPCODE_BITS = 3;
const COMMAND_BITS = OPCODE_BITS + 6;

export const microwireStateSchema = z.object({ bits: u32, shift: u32, out: u32 });
export type MicrowireState = z.infer<typeof microwireStateSchema>;

export class Microwire {
  readonly #words: Uint16Array;
  /** Of the command that is being clocked in: bits so far, and the first of them. Then the word that is put out. */
  #state: MicrowireState = powerOn();

  constructor(words: Uint16Array) {
    this.#words = words;
  }

  reset(): void {
    this.#state = powerOn();
  }

  /** Level of the data wire to the host. Data comes behind the command; before it, the line is low. */
  get dataOut(): boolean {
    const { bits, out } = this.#state;
    return bits > COMMAND_BITS && ((out >>> (15 - ((bits - COMMAND_BITS - 1) & 15))) & 1) !== 0;
  }

  /** The clock rises with this level on the data wire from the host. */
  clock(dataIn: boolean): void {
    const state = this.#state;
    // Zeroes before the start bit are no part of a command.
    if (state.bits === 0 && !dataIn) return;
    state.bits++;
    if (state.bits <= COMMAND_BITS) state.shift = ((state.shift << 1) | (dataIn ? 1 : 0)) >>> 0;
    if (state.bits < COMMAND_BITS) return;
    const isRead = state.shift >>> (COMMAND_BITS - OPCODE_BITS) === OPCODE_READ;
    const position = state.bits - COMMAND_BITS;
    // A word is put out from the clock behind the command on; a read goes on with the next one as long as there is a clock.
    if (position % 16 === 1) {
      const address = (state.shift & (EEPROM_WORDS - 1)) + (position - 1) / 16;
      state.out = isRead ? (this.#words[address % EEPROM_WORDS] as number) : 0;
    }
    if (state.bits > 0x10000) state.bits = COMMAND_BITS + 16;
  }

  /** The chip is not selected any more: the next bit begins a command. */
  deselect(): void {
    this.#state.bits = 0;
    this.#state.shift = 0;
  }

  save(): MicrowireState {
    return { ...this.#state };
  }

  restore({ bits, shift, out }: MicrowireState): void {
    this.#state = { bits, shift, out };
  }
}

function powerOn(): MicrowireState {
  return { bits: 0, shift: 0, out: 0 };
}
