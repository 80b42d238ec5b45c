// The inputs boundary: everything that reaches the machine from outside goes through here and is applied at defined points only
// (start of a slice, after a sleep), never in the middle of a block. Events are plain data, so that they can be recorded.
import type { Inputs } from "../devices/device.ts";

/** What a user or the host does to the machine. */
export type InputEvent =
  /** Key by its set-1 make code, bit 7 = E0 prefix (devices/ps2/scan-codes.ts). */
  | { kind: "key"; key: number; down: boolean }
  /**
   * Motion in pixels and the place it led to, as fractions 0..1 of the picture: the machine uses what the guest has a driver for.
   * Right, down, wheel down are positive. Buttons: bit 0 left, 1 right, 2 middle.
   */
  | { kind: "pointer"; dx: number; dy: number; x: number; y: number; wheel: number; buttons: number }
  | { kind: "serial"; port: 0 | 1; bytes: Uint8Array }
  /** The monitor gets this size in pixels, as the window that shows it. */
  | { kind: "resize"; width: number; height: number }
  | { kind: "power-button" };

export class InputQueue {
  #pending: (() => void)[] = [];
  readonly #apply: (event: InputEvent) => void;
  /** Called when something arrives while the queue is empty: a sleeping machine has to look. */
  onArrival: (() => void) | undefined;

  constructor(apply: (event: InputEvent) => void) {
    this.#apply = apply;
  }

  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  post(event: InputEvent): void {
    this.deliver(() => this.#apply(event));
  }

  /** Completion of something a device started on the host: disk transfers, entropy, packets. */
  deliver(apply: () => void): void {
    this.#pending.push(apply);
    if (this.#pending.length === 1) this.onArrival?.();
  }

  /** Applies what has arrived. What arrives meanwhile waits for the next time. */
  drain(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    for (const apply of pending) apply();
  }
}

/**
 * Inputs that depend on nothing but the number of instructions run: for tests and, later, replay. Random numbers start anew from the time
 * whenever it has changed, so that a restored machine gets those that the saved one would have got.
 */
export function deterministicInputs(nowNs: () => bigint, startMs = Date.UTC(2026, 0, 1)): Inputs {
  let seed = 0;
  let seededAtNs: bigint | undefined;
  return {
    wallClockMs: () => startMs + Number(nowNs() / 1000000n),
    monotonicNs: nowNs,
    random(bytes) {
      const now = nowNs();
      if (now !== seededAtNs) {
        seededAtNs = now;
        // The upper half of a product with 2^64 / golden ratio (Knuth) spreads neighbouring times; xorshift must not start at 0.
        seed = Number((BigInt.asUintN(64, now * 0x9e3779b97f4a7c15n) >> 32n) | 1n) | 0;
      }
      for (let index = 0; index < bytes.length; index++) {
        // xorshift32 (Marsaglia): any fixed sequence does, nothing here is secret.
        seed ^= seed << 13;
        seed ^= seed >>> 17;
        seed ^= seed << 5;
        bytes[index] = seed & 0xff;
      }
    },
  };
}
