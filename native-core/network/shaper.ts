// A bandwidth limit in one direction: a token bucket with a short queue behind it (the excess of a longer one is dropped, which is how
// a slow line tells TCP to slow down).
import type { Disposable } from "../common/disposable.ts";
import type { Frame } from "./frame.ts";

/** Frames of a fifth of a second may wait, but never fewer than a few of the largest. */
const QUEUE_SECONDS = 0.2;
const MIN_QUEUE_BYTES = 256 * 1024;
/** What may go out at once after a pause. */
const BURST_SECONDS = 0.02;
const MIN_BURST_BYTES = 16 * 1024;

export interface ShaperClock {
  nowMs(): number;
  setTimer(ms: number, callback: () => void): Disposable;
}

export class Shaper {
  readonly #clock: ShaperClock;
  readonly #release: (frame: Frame) => void;
  /** Called when a queue that was full has emptied. */
  onRoom: (() => void) | undefined;
  #bytesPerMs: number | undefined;
  #tokens = 0;
  #filledMs = 0;
  #queue: Frame[] = [];
  #queued = 0;
  #wasFull = false;
  #timer: Disposable | undefined;

  constructor(clock: ShaperClock, release: (frame: Frame) => void) {
    this.#clock = clock;
    this.#release = release;
  }

  /** In kbit/s; undefined: no limit. */
  setLimit(kbitPerSecond: number | undefined): void {
    this.#bytesPerMs = kbitPerSecond === undefined ? undefined : kbitPerSecond / 8;
    this.#filledMs = this.#clock.nowMs();
    this.#tokens = this.#burst;
    this.#drain();
  }

  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  get hasRoom(): boolean {
    if (this.#queued < this.#capacity) return true;
    this.#wasFull = true;
    return false;
  }

  /** False: dropped. */
  push(frame: Frame): boolean {
    if (this.#bytesPerMs === undefined) {
      this.#release(frame);
      return true;
    }
    if (!this.hasRoom) return false;
    this.#queue.push(frame);
    this.#queued += frame.bytes.length;
    if (!this.#timer) this.#drain();
    return true;
  }

  dispose(): void {
    this.#timer?.dispose();
    this.#queue = [];
  }

  get #burst(): number {
    return Math.max(MIN_BURST_BYTES, (this.#bytesPerMs ?? 0) * 1000 * BURST_SECONDS);
  }

  get #capacity(): number {
    return Math.max(MIN_QUEUE_BYTES, (this.#bytesPerMs ?? 0) * 1000 * QUEUE_SECONDS);
  }

  /** A frame goes when the bucket is not in debt; a large one puts it into debt, so that the rate holds over time. */
  #drain(): void {
    this.#timer?.dispose();
    this.#timer = undefined;
    const rate = this.#bytesPerMs;
    if (rate !== undefined) {
      const nowMs = this.#clock.nowMs();
      this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#filledMs) * rate);
      this.#filledMs = nowMs;
    }
    let sent = 0;
    while (sent < this.#queue.length && (rate === undefined || this.#tokens > 0)) {
      const frame = this.#queue[sent++] as Frame;
      this.#tokens -= frame.bytes.length;
      this.#queued -= frame.bytes.length;
      this.#release(frame);
    }
    this.#queue = this.#queue.slice(sent);
    if (this.#queue.length > 0 && rate !== undefined) {
      this.#timer = this.#clock.setTimer(Math.max(1, -this.#tokens / rate), () => this.#drain());
    }
    if (this.#wasFull && this.#queued < this.#capacity / 2) {
      this.#wasFull = false;
      this.onRoom?.();
    }
  }
}
