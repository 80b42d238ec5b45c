// Frames on their way into a guest: they wait here until the machine is at a point where it takes inputs and the driver has buffers.
// Every adapter model has one. Bounded: beyond the limit frames are refused, and their sender hears when there is room again.
import type { AdapterEnd, Frame } from "../../network/frame.ts";

/** A few of the largest segments: enough to keep a fast connection busy between two looks of the machine. */
const LIMIT_BYTES = 1 << 20;
/** Room is announced when this little is left waiting. */
const LOW_BYTES = LIMIT_BYTES / 2;

export interface ReceiveQueueParts {
  /** Brings work into the machine (machine/inputs.ts). */
  readonly deliver: (apply: () => void) => void;
  /** Puts a frame into the driver's buffers; false when they don't suffice for now. Frames nobody wants count as placed. */
  readonly place: (frame: Frame) => boolean;
  /** After a run of `place`: tell the driver. */
  readonly placed: () => void;
  readonly roomAgain: () => void;
}

export class ReceiveQueue implements AdapterEnd {
  readonly #parts: ReceiveQueueParts;
  #frames: Frame[] = [];
  #next = 0;
  #bytes = 0;
  #scheduled = false;
  #refused = false;

  constructor(parts: ReceiveQueueParts) {
    this.#parts = parts;
  }

  get hasRoom(): boolean {
    if (this.#bytes < LIMIT_BYTES) return true;
    this.#refused = true;
    return false;
  }

  get isIdle(): boolean {
    return this.#frames.length === 0;
  }

  receive(frame: Frame): boolean {
    if (!this.hasRoom) return false;
    this.#frames.push(frame);
    this.#bytes += frame.bytes.length;
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#parts.deliver(() => {
        this.#scheduled = false;
        this.drain();
      });
    }
    return true;
  }

  /** Inside the machine: hands over what fits. Call when the driver has new buffers. */
  drain(): void {
    while (this.#next < this.#frames.length) {
      const frame = this.#frames[this.#next] as Frame;
      if (!this.#parts.place(frame)) break;
      this.#next++;
      this.#bytes -= frame.bytes.length;
    }
    if (this.#next === this.#frames.length) {
      this.#frames = [];
      this.#next = 0;
    } else if (this.#next >= 64) {
      this.#frames = this.#frames.slice(this.#next);
      this.#next = 0;
    }
    this.#parts.placed();
    if (this.#refused && this.#bytes <= LOW_BYTES) {
      this.#refused = false;
      this.#parts.roomAgain();
    }
  }

  clear(): void {
    this.#frames = [];
    this.#next = 0;
    this.#bytes = 0;
  }
}
