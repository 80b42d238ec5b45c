// Sound on its way out: where devices put it, samples of any format as 16-bit stereo, and the clock by which they are played.
import { z } from "zod";
import { timeNs } from "../state-schema.ts";

/** Takes what the guest plays, at the pace at which it is played: left and right in turn, `rate` of either per second. */
export interface SoundSink {
  play(samples: Int16Array, rate: number): void;
}

export interface PcmFormat {
  readonly rate: number;
  readonly channels: number;
  /** Bytes that a sample takes in memory, little-endian; 1 is unsigned, the others are signed with their value in the high bits. */
  readonly sampleBytes: 1 | 2 | 4;
}

/** Factors of the two channels. */
export type Gain = readonly [left: number, right: number];

export function frameBytes({ channels, sampleBytes }: PcmFormat): number {
  return channels * sampleBytes;
}

/** Whole frames as 16-bit stereo: one channel goes to both sides, of more than two the first two are heard. */
export function toStereo(bytes: Uint8Array, format: PcmFormat, [left, right]: Gain = [1, 1]): Int16Array {
  const { channels, sampleBytes } = format;
  const frames = Math.floor(bytes.length / frameBytes(format));
  const samples = new Int16Array(frames * 2);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const sampleAt = (index: number): number => {
    if (sampleBytes === 2) return view.getInt16(index * 2, true);
    return sampleBytes === 1 ? ((bytes[index] ?? 0) - 128) << 8 : view.getInt32(index * 4, true) >> 16;
  };
  const second = channels > 1 ? 1 : 0;
  for (let frame = 0; frame < frames; frame++) {
    // Gains do not exceed 1: there is nothing to clip.
    samples[frame * 2] = sampleAt(frame * channels) * left;
    samples[frame * 2 + 1] = sampleAt(frame * channels + second) * right;
  }
  return samples;
}

const NS_PER_SECOND = 1_000_000_000n;

export const frameClockStateSchema = z.strictObject({
  startNs: timeNs,
  frames: z
    .bigint()
    .min(0n)
    .max(1n << 62n),
});
type FrameClockState = z.infer<typeof frameClockStateSchema>;

/** Counts the frames that a converter has played since it was started. */
export class FrameClock {
  readonly #nowNs: () => bigint;
  #startNs = 0n;
  /** Frames that have been taken. */
  #frames = 0n;

  constructor(nowNs: () => bigint) {
    this.#nowNs = nowNs;
  }

  start(): void {
    this.#startNs = this.#nowNs();
    this.#frames = 0n;
  }

  /** Frames whose time has come since the last `take`. */
  due(rate: number): number {
    const played = ((this.#nowNs() - this.#startNs) * BigInt(rate)) / NS_PER_SECOND;
    return played > this.#frames ? Number(played - this.#frames) : 0;
  }

  take(frames: number): void {
    this.#frames += BigInt(frames);
  }

  /** When so many more frames will be due. */
  dueAtNs(frames: number, rate: number): bigint {
    const last = (this.#frames + BigInt(frames)) * NS_PER_SECOND;
    return this.#startNs + (last + BigInt(rate) - 1n) / BigInt(rate);
  }

  save(): FrameClockState {
    return { startNs: this.#startNs, frames: this.#frames };
  }

  restore(state: FrameClockState): void {
    this.#startNs = state.startNs;
    this.#frames = state.frames;
  }
}
