// PS/2 keyboard (101/102 keys, scan code set 2). Typematic repeat is left to the guest, whose input layer repeats by itself.
import { z } from "zod";
import { bytesUpTo, flag, u8 } from "../state-schema.ts";
import { KEYBOARD_COMMAND, PS2_ACK, PS2_RESEND, PS2_SELF_TEST_PASSED } from "./registers.ts";
import { set2Sequence } from "./scan-codes.ts";

const QUEUE_BYTES = 256;
const IDENTITY = [0xab, 0x83];
const SCAN_CODE_SET = 2;

export const keyboardStateSchema = z.strictObject({
  queue: bytesUpTo(QUEUE_BYTES),
  scanning: flag,
  leds: u8,
  /** Command whose argument comes next; 0 = none. */
  command: u8,
  lastSent: u8,
});
export type KeyboardState = z.infer<typeof keyboardStateSchema>;

export class Ps2Keyboard {
  #queue: number[] = [];
  #scanning = true;
  #leds = 0;
  #command = 0;
  #lastSent = 0;

  /** Bit 0 scroll lock, 1 num lock, 2 caps lock. */
  get leds(): number {
    return this.#leds;
  }

  /** A key went down or up (numbers as in scan-codes.ts). A full buffer drops it whole, never half a sequence. */
  key(key: number, down: boolean): void {
    if (!this.#scanning) return;
    const sequence = set2Sequence(key, down);
    if (this.#queue.length + sequence.length <= QUEUE_BYTES) this.#queue.push(...sequence);
  }

  /** A byte from the host. */
  receive(byte: number): void {
    const command = this.#command;
    this.#command = 0;
    if (command !== 0 && byte < 0xec) {
      this.#argument(command, byte);
      return;
    }
    switch (byte) {
      case KEYBOARD_COMMAND.SET_LEDS:
      case KEYBOARD_COMMAND.SCAN_CODE_SET:
      case KEYBOARD_COMMAND.SET_TYPEMATIC:
        this.#command = byte;
        this.#reply(PS2_ACK);
        break;
      case KEYBOARD_COMMAND.ECHO:
        this.#reply(KEYBOARD_COMMAND.ECHO);
        break;
      case KEYBOARD_COMMAND.IDENTIFY:
        this.#reply(PS2_ACK, ...IDENTITY);
        break;
      case KEYBOARD_COMMAND.ENABLE:
        this.#queue = [];
        this.#scanning = true;
        this.#reply(PS2_ACK);
        break;
      case KEYBOARD_COMMAND.DISABLE:
      case KEYBOARD_COMMAND.DEFAULTS:
        this.#queue = [];
        this.#scanning = byte === KEYBOARD_COMMAND.DEFAULTS;
        this.#reply(PS2_ACK);
        break;
      case KEYBOARD_COMMAND.RESEND:
        this.#reply(this.#lastSent);
        break;
      case KEYBOARD_COMMAND.RESET:
        this.reset();
        this.#reply(PS2_ACK, PS2_SELF_TEST_PASSED);
        break;
      default:
        this.#reply(PS2_RESEND);
    }
  }

  /** Next byte for the host, taken out. */
  take(): number | undefined {
    const byte = this.#queue.shift();
    if (byte !== undefined && byte !== PS2_RESEND) this.#lastSent = byte;
    return byte;
  }

  reset(): void {
    this.#queue = [];
    this.#scanning = true;
    this.#leds = 0;
    this.#command = 0;
  }

  save(): KeyboardState {
    return {
      queue: Uint8Array.from(this.#queue),
      scanning: this.#scanning,
      leds: this.#leds,
      command: this.#command,
      lastSent: this.#lastSent,
    };
  }

  restore(state: KeyboardState): void {
    this.#queue = [...state.queue];
    this.#scanning = state.scanning;
    this.#leds = state.leds & 7;
    this.#command = state.command;
    this.#lastSent = state.lastSent;
  }

  #argument(command: number, byte: number): void {
    if (command === KEYBOARD_COMMAND.SET_LEDS) this.#leds = byte & 7;
    // Argument 0 asks for the scan code set; set 2 is the only one, and what every guest selects.
    if (command === KEYBOARD_COMMAND.SCAN_CODE_SET && byte === 0) this.#reply(PS2_ACK, SCAN_CODE_SET);
    else this.#reply(PS2_ACK);
  }

  #reply(...bytes: number[]): void {
    this.#queue.push(...bytes);
    if (this.#queue.length > QUEUE_BYTES) this.#queue.length = QUEUE_BYTES;
  }
}
