// Evens out the pace of a machine: samples come in bunches by the machine's clock and go out one by one by the sound card's. What is kept
// in between hides delays; by playing a little faster or slower it stays as much, since no two clocks agree.

/** Kept between the machine and the ear. */
const TARGET_SECONDS = 0.06;
/** More than this is the past: skipped at once. */
const MOST_SECONDS = 0.3;
const CAPACITY_SECONDS = 1;
/** Nobody hears half a percent. */
const STEERING = 0.005;
/** A silence that is shorter was no end of what is played: the listener heard a gap. */
const GAP_SECONDS = 0.5;
const FULL_SCALE = 32768;

export class JitterBuffer {
  readonly #outRate: number;
  #rate = 0;
  #ring = new Float32Array(0);
  /** In frames since the buffer was made; the place to read has a fraction. */
  #written = 0;
  #read = 0;
  #waiting = true;
  /** Frames of silence since it ran dry; undefined before. */
  #silent: number | undefined;
  /** How often it ran dry in the middle of what is played. */
  underruns = 0;

  constructor(outRate: number) {
    this.#outRate = outRate;
  }

  /** Left and right in turn. */
  push(samples: Int16Array, rate: number): void {
    if (rate !== this.#rate) this.#start(rate);
    const capacity = this.#ring.length / 2;
    for (let at = 0; at + 1 < samples.length; at += 2) {
      const place = (this.#written % capacity) * 2;
      this.#ring[place] = (samples[at] ?? 0) / FULL_SCALE;
      this.#ring[place + 1] = (samples[at + 1] ?? 0) / FULL_SCALE;
      this.#written++;
    }
    if (this.#seconds > MOST_SECONDS) this.#read = this.#written - TARGET_SECONDS * rate;
  }

  /** Fills both channels; silence while there is too little. */
  pull(left: Float32Array, right: Float32Array): void {
    if (this.#waiting && this.#seconds >= TARGET_SECONDS) this.#begin();
    const off = Math.max(-1, Math.min(1, this.#seconds / TARGET_SECONDS - 1));
    const step = (this.#rate / this.#outRate) * (1 + off * STEERING);
    for (let at = 0; at < left.length; at++) {
      if (!this.#waiting && this.#read + 1 >= this.#written) {
        this.#waiting = true;
        this.#silent = 0;
      }
      if (this.#waiting) {
        if (this.#silent !== undefined) this.#silent++;
        left[at] = 0;
        right[at] = 0;
        continue;
      }
      const frame = Math.floor(this.#read);
      const part = this.#read - frame;
      left[at] = this.#between(frame, 0, part);
      right[at] = this.#between(frame, 1, part);
      this.#read += step;
    }
  }

  #begin(): void {
    this.#waiting = false;
    if (this.#silent !== undefined && this.#silent < GAP_SECONDS * this.#outRate) this.underruns++;
    this.#silent = undefined;
  }

  get #seconds(): number {
    return this.#rate === 0 ? 0 : (this.#written - this.#read) / this.#rate;
  }

  #start(rate: number): void {
    this.#rate = rate;
    this.#ring = new Float32Array(Math.ceil(rate * CAPACITY_SECONDS) * 2);
    this.#written = 0;
    this.#read = 0;
    this.#waiting = true;
  }

  #between(frame: number, channel: 0 | 1, part: number): number {
    const capacity = this.#ring.length / 2;
    const first = this.#ring[(frame % capacity) * 2 + channel] ?? 0;
    const second = this.#ring[((frame + 1) % capacity) * 2 + channel] ?? 0;
    return first + (second - first) * part;
  }
}
