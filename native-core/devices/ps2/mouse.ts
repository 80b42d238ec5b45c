// PS/2 mouse: standard 3-byte packets; after the sample rates 200, 100, 80 an IntelliMouse with a wheel and 4-byte packets.
// Movement is added up until the host has room for a packet, so that fast motion loses nothing.
import { z } from "zod";
import { bytesUpTo, flag, u8 } from "../state-schema.ts";
import { MOUSE_COMMAND, PS2_ACK, PS2_RESEND, PS2_SELF_TEST_PASSED } from "./registers.ts";

const QUEUE_BYTES = 64;
const STANDARD_ID = 0x00;
const WHEEL_ID = 0x03;
const WHEEL_KNOCK = [200, 100, 80];
/** Movement of one packet: 9 bits with sign. */
const MOVE_MAX = 255;
const PENDING_MAX = 100_000;

const distance = z.int().min(-PENDING_MAX).max(PENDING_MAX);
export const mouseStateSchema = z.strictObject({
  queue: bytesUpTo(QUEUE_BYTES),
  reporting: flag,
  remote: flag,
  wrap: flag,
  doubleScale: flag,
  resolution: u8,
  sampleRate: u8,
  rateHistory: bytesUpTo(3),
  wheelMode: flag,
  command: u8,
  lastSent: u8,
  dx: distance,
  dy: distance,
  wheel: distance,
  buttons: u8,
  buttonsSent: u8,
});
export type MouseState = z.infer<typeof mouseStateSchema>;

function powerOn(): MouseState {
  return {
    queue: new Uint8Array(0),
    reporting: false,
    remote: false,
    wrap: false,
    doubleScale: false,
    resolution: 2,
    sampleRate: 100,
    rateHistory: new Uint8Array(0),
    wheelMode: false,
    command: 0,
    lastSent: 0,
    dx: 0,
    dy: 0,
    wheel: 0,
    buttons: 0,
    buttonsSent: 0,
  };
}

export class Ps2Mouse {
  #state = powerOn();
  #queue: number[] = [];

  /** Relative motion (right and down positive), wheel clicks (down positive), buttons: bit 0 left, 1 right, 2 middle. */
  move(dx: number, dy: number, wheel: number, buttons: number): void {
    const s = this.#state;
    s.dx = clamp(s.dx + Math.trunc(dx), PENDING_MAX);
    s.dy = clamp(s.dy - Math.trunc(dy), PENDING_MAX);
    s.wheel = clamp(s.wheel + Math.trunc(wheel), PENDING_MAX);
    s.buttons = buttons & 7;
  }

  receive(byte: number): void {
    const s = this.#state;
    if (s.wrap && byte !== MOUSE_COMMAND.RESET && byte !== MOUSE_COMMAND.RESET_WRAP) {
      this.#reply(byte);
      return;
    }
    const command = s.command;
    s.command = 0;
    if (command !== 0) {
      this.#argument(command, byte);
      return;
    }
    if (byte !== MOUSE_COMMAND.RESEND) this.#queue = [];
    switch (byte) {
      case MOUSE_COMMAND.SET_RESOLUTION:
      case MOUSE_COMMAND.SET_SAMPLE_RATE:
        s.command = byte;
        this.#reply(PS2_ACK);
        break;
      case MOUSE_COMMAND.STATUS:
        this.#reply(PS2_ACK, this.#statusByte(), s.resolution, s.sampleRate);
        break;
      case MOUSE_COMMAND.READ_DATA:
        this.#reply(PS2_ACK, ...this.#packet());
        break;
      case MOUSE_COMMAND.IDENTIFY:
        this.#reply(PS2_ACK, s.wheelMode ? WHEEL_ID : STANDARD_ID);
        break;
      case MOUSE_COMMAND.RESEND:
        this.#reply(s.lastSent);
        break;
      case MOUSE_COMMAND.RESET:
        this.#state = powerOn();
        this.#reply(PS2_ACK, PS2_SELF_TEST_PASSED, STANDARD_ID);
        break;
      default:
        this.#reply(this.#setMode(byte) ? PS2_ACK : PS2_RESEND);
    }
  }

  take(): number | undefined {
    const s = this.#state;
    const moved = s.dx !== 0 || s.dy !== 0 || s.buttons !== s.buttonsSent || (s.wheelMode && s.wheel !== 0);
    if (this.#queue.length === 0 && s.reporting && !s.remote && moved) this.#queue.push(...this.#packet());
    const byte = this.#queue.shift();
    if (byte !== undefined) s.lastSent = byte;
    return byte;
  }

  reset(): void {
    this.#state = powerOn();
    this.#queue = [];
  }

  save(): MouseState {
    return { ...this.#state, queue: Uint8Array.from(this.#queue), rateHistory: this.#state.rateHistory.slice() };
  }

  restore(state: MouseState): void {
    this.#state = { ...state, rateHistory: state.rateHistory.slice() };
    this.#queue = [...state.queue];
  }

  /** Commands without argument or data. False for an unknown one. */
  #setMode(byte: number): boolean {
    const s = this.#state;
    switch (byte) {
      case MOUSE_COMMAND.SCALING_1_1:
      case MOUSE_COMMAND.SCALING_2_1:
        s.doubleScale = byte === MOUSE_COMMAND.SCALING_2_1;
        return true;
      case MOUSE_COMMAND.STREAM_MODE:
      case MOUSE_COMMAND.REMOTE_MODE:
        s.remote = byte === MOUSE_COMMAND.REMOTE_MODE;
        return true;
      case MOUSE_COMMAND.WRAP_MODE:
      case MOUSE_COMMAND.RESET_WRAP:
        s.wrap = byte === MOUSE_COMMAND.WRAP_MODE;
        return true;
      case MOUSE_COMMAND.ENABLE:
      case MOUSE_COMMAND.DISABLE:
        s.reporting = byte === MOUSE_COMMAND.ENABLE;
        return true;
      case MOUSE_COMMAND.DEFAULTS:
        this.#state = { ...powerOn(), wheelMode: s.wheelMode };
        return true;
      default:
        return false;
    }
  }

  #argument(command: number, byte: number): void {
    const s = this.#state;
    if (command === MOUSE_COMMAND.SET_RESOLUTION) {
      s.resolution = byte & 3;
    } else {
      s.sampleRate = byte;
      s.rateHistory = Uint8Array.from([...s.rateHistory, byte].slice(-WHEEL_KNOCK.length));
      if (WHEEL_KNOCK.every((rate, index) => s.rateHistory[index] === rate)) s.wheelMode = true;
    }
    this.#reply(PS2_ACK);
  }

  #statusByte(): number {
    const s = this.#state;
    const buttons = ((s.buttons & 1) << 2) | ((s.buttons >>> 1) & 1) | ((s.buttons >>> 2) << 1);
    return (s.remote ? 0x40 : 0) | (s.reporting ? 0x20 : 0) | (s.doubleScale ? 0x10 : 0) | buttons;
  }

  /** Takes as much of the pending movement as one packet can carry. */
  #packet(): number[] {
    const s = this.#state;
    const dx = clamp(s.dx, MOVE_MAX);
    const dy = clamp(s.dy, MOVE_MAX);
    s.dx -= dx;
    s.dy -= dy;
    s.buttonsSent = s.buttons;
    const packet = [0x08 | s.buttons | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0), dx & 0xff, dy & 0xff];
    if (s.wheelMode) {
      const wheel = clamp(s.wheel, 7);
      s.wheel -= wheel;
      packet.push(wheel & 0xff);
    }
    return packet;
  }

  #reply(...bytes: number[]): void {
    this.#queue.push(...bytes);
    if (this.#queue.length > QUEUE_BYTES) this.#queue.length = QUEUE_BYTES;
  }
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}
