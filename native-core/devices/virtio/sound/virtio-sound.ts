// virtio-snd (virtio 1.2 5.14) with one output stream: the driver hands over buffers, and has each back when it has been played.
//
// Buffers that wait to be played are chains in flight; a restored machine reads them again from memory and plays on where it was.
import { z } from "zod";
import type { AccessSize, Timer, VirtualClock } from "../../device.ts";
import {
  FrameClock,
  frameBytes,
  frameClockStateSchema,
  type PcmFormat,
  type SoundSink,
  toStereo,
} from "../../sound/pcm.ts";
import { u8, u32 } from "../../state-schema.ts";
import { DEVICE_ID } from "../constants.ts";
import type { DescriptorChain } from "../descriptor-chain.ts";
import { readConfigBytes, type VirtioModel, type VirtioTransportServices } from "../model.ts";
import type { Virtqueue } from "../virtqueue.ts";
import {
  DIRECTION_OUTPUT,
  FORMAT_BITS,
  MAX_CHANNELS,
  PCM_INFO_BYTES,
  RATE_BITS,
  SND,
  SND_CONFIG,
  SND_QUEUE,
  SND_STATUS,
  streamFormat,
} from "./protocol.ts";

const TICK_NS = 10_000_000n;
const MAX_REQUEST_BYTES = 64;
const STATUS_BYTES = 4;
/** Before the samples: the stream's number. */
const HEADER_BYTES = 4;
/** Behind them, for the device to write: status and latency. */
const TRAILER_BYTES = 8;
const MAX_BUFFER_BYTES = 1 << 20;

/** virtio 1.2 5.14.6.6.1: what may follow what. */
const STATES = ["released", "set", "prepared", "running", "stopped"] as const;
type State = (typeof STATES)[number];

const stateSchema = z.strictObject({
  stream: z.enum(STATES),
  ...{ channels: u8, format: u8, rate: u8 },
  /** Bytes of the first buffer that have been played. */
  played: u32,
  clock: frameClockStateSchema,
});
type VirtioSoundState = z.infer<typeof stateSchema>;

export class VirtioSound implements VirtioModel<VirtioSoundState> {
  readonly deviceId = DEVICE_ID.SOUND;
  readonly pciClass = 0x0401;
  readonly features = 0n;
  readonly queueSizes = [64, 64, 64, 64];
  readonly configLength = SND_CONFIG.LENGTH;
  readonly stateSchema = stateSchema;
  readonly #sink: SoundSink;
  readonly #timer: Timer;
  readonly #clock: VirtualClock;
  readonly #frames: FrameClock;
  #services!: VirtioTransportServices;
  #state: State = "released";
  #channels = MAX_CHANNELS;
  #format = 5;
  #rate = 7;
  #buffers: DescriptorChain[] = [];
  #played = 0;

  constructor(clock: VirtualClock, sink: SoundSink) {
    this.#clock = clock;
    this.#sink = sink;
    this.#frames = new FrameClock(() => clock.nowNs());
    this.#timer = clock.createTimer("virtio-snd", () => this.#play());
  }

  attach(services: VirtioTransportServices): void {
    this.#services = services;
  }

  readConfig(offset: number, size: AccessSize): number {
    const config = new Uint8Array(SND_CONFIG.LENGTH);
    config[SND_CONFIG.STREAMS] = 1;
    return readConfigBytes(config, offset, size);
  }

  writeConfig(): void {}

  notified(queueIndex: number): void {
    const queue = this.#services.queues[queueIndex];
    if (!queue || queueIndex === SND_QUEUE.EVENT) return;
    for (let chain = queue.pop(); chain; chain = queue.pop()) {
      if (queueIndex === SND_QUEUE.CONTROL) queue.push(chain, this.#answer(chain));
      else if (queueIndex === SND_QUEUE.TX && isBuffer(chain)) this.#buffers.push(chain);
      else this.#return(queue, chain, SND_STATUS.IO_ERR);
    }
    this.#services.signal(queue);
  }

  reset(): void {
    this.#timer.cancel();
    this.#state = "released";
    this.#buffers = [];
    this.#played = 0;
  }

  queueReset(queueIndex: number): void {
    if (queueIndex !== SND_QUEUE.TX) return;
    this.#buffers = [];
    this.#played = 0;
  }

  save(): VirtioSoundState {
    return {
      ...{ stream: this.#state, channels: this.#channels, format: this.#format, rate: this.#rate },
      ...{ played: this.#played, clock: this.#frames.save() },
    };
  }

  restore(state: VirtioSoundState): void {
    this.reset();
    const isKnown = streamFormat(state.channels, state.format, state.rate) !== undefined;
    this.#state = isKnown ? state.stream : "released";
    if (isKnown) this.#setFormat(state.channels, state.format, state.rate);
    this.#played = state.played;
    this.#frames.restore(state.clock);
  }

  resume(): void {
    const queue = this.#services.queues[SND_QUEUE.TX];
    this.#buffers = (queue?.takeInterrupted() ?? []).filter(isBuffer);
    if (this.#state === "running") this.#play();
  }

  dispose(): void {
    this.#timer.cancel();
  }

  get #pcm(): PcmFormat {
    return streamFormat(this.#channels, this.#format, this.#rate) ?? { rate: 48_000, channels: 2, sampleBytes: 2 };
  }

  #setFormat(channels: number, format: number, rate: number): void {
    this.#channels = channels;
    this.#format = format;
    this.#rate = rate;
  }

  /** Returns the length of the response. */
  #answer(chain: DescriptorChain): number {
    const request = new Uint8Array(MAX_REQUEST_BYTES);
    chain.read(0, request.subarray(0, Math.min(chain.readableBytes, MAX_REQUEST_BYTES)));
    const view = new DataView(request.buffer);
    const response = this.#execute(view, chain.readableBytes);
    const bytes = typeof response === "number" ? word(response) : response;
    const length = Math.min(bytes.length, chain.writableBytes);
    chain.write(0, bytes.subarray(0, length));
    return length;
  }

  #execute(view: DataView, length: number): number | Uint8Array {
    const code = view.getUint32(0, true);
    const argument = view.getUint32(4, true);
    if (code === SND.JACK_INFO || code === SND.CHMAP_INFO) return SND_STATUS.BAD_MSG;
    if (code === SND.PCM_INFO) {
      return length >= 16 && argument === 0 && view.getUint32(8, true) === 1 ? pcmInfo() : SND_STATUS.BAD_MSG;
    }
    if (length < 8 || argument !== 0) return SND_STATUS.BAD_MSG;
    switch (code) {
      case SND.PCM_SET_PARAMS: {
        const [channels, format, rate] = [view.getUint8(20), view.getUint8(21), view.getUint8(22)];
        if (length < 23) return SND_STATUS.BAD_MSG;
        if (this.#state === "running") return SND_STATUS.IO_ERR;
        if (!streamFormat(channels, format, rate)) return SND_STATUS.NOT_SUPP;
        this.#setFormat(channels, format, rate);
        return this.#enter("set", STATES);
      }
      case SND.PCM_PREPARE:
        return this.#enter("prepared", ["set", "prepared", "stopped"]);
      case SND.PCM_START:
        return this.#enter("running", ["prepared", "stopped"]);
      case SND.PCM_STOP:
        return this.#enter("stopped", ["running"]);
      case SND.PCM_RELEASE:
        return this.#enter("released", ["prepared", "stopped", "set"]);
      default:
        return SND_STATUS.NOT_SUPP;
    }
  }

  #enter(state: State, from: readonly State[]): number {
    if (!from.includes(this.#state)) return SND_STATUS.IO_ERR;
    if (this.#state === "running") this.#play();
    this.#state = state;
    this.#timer.cancel();
    if (state === "running") {
      this.#frames.start();
      this.#schedule();
    } else if (state === "released") this.#returnAll();
    return SND_STATUS.OK;
  }

  /** Plays what has been due since the last time, and returns what has been played whole. */
  #play(): void {
    const queue = this.#services.queues[SND_QUEUE.TX];
    if (!queue || this.#state !== "running") return;
    const format = this.#pcm;
    const unit = frameBytes(format);
    const frames = this.#frames.due(format.rate);
    this.#frames.take(frames);
    // Whoever slept for long has nothing to make up for.
    let left = Math.min(frames, format.rate) * unit;
    for (let chain = this.#buffers[0]; chain && left > 0; chain = this.#buffers[0]) {
      const size = chain.readableBytes - HEADER_BYTES;
      const bytes = new Uint8Array(Math.max(0, Math.min(left, size - this.#played)));
      chain.read(HEADER_BYTES + this.#played, bytes);
      if (bytes.length >= unit) this.#sink.play(toStereo(bytes, format), format.rate);
      this.#played += bytes.length;
      left -= bytes.length;
      if (this.#played < size) break;
      this.#buffers.shift();
      this.#played = 0;
      this.#return(queue, chain, SND_STATUS.OK);
    }
    this.#services.signal(queue);
    this.#schedule();
  }

  /** The next buffer's end, sound in between every now and then. */
  #schedule(): void {
    const format = this.#pcm;
    const [chain] = this.#buffers;
    const rest = chain ? Math.max(1, chain.readableBytes - HEADER_BYTES - this.#played) : 0;
    const endNs = this.#frames.dueAtNs(Math.ceil(rest / frameBytes(format)), format.rate);
    const tickNs = this.#clock.nowNs() + TICK_NS;
    this.#timer.set(chain && endNs < tickNs ? endNs : tickNs);
  }

  #returnAll(): void {
    const queue = this.#services.queues[SND_QUEUE.TX];
    if (!queue) return;
    for (const chain of this.#buffers) this.#return(queue, chain, SND_STATUS.OK);
    this.#buffers = [];
    this.#played = 0;
    this.#services.signal(queue);
  }

  #return(queue: Virtqueue, chain: DescriptorChain, status: number): void {
    const trailer = new Uint8Array(TRAILER_BYTES);
    trailer.set(word(status));
    const length = Math.min(TRAILER_BYTES, chain.writableBytes);
    chain.write(0, trailer.subarray(0, length));
    queue.push(chain, length);
  }
}

function isBuffer(chain: DescriptorChain): boolean {
  return (
    chain.readableBytes > HEADER_BYTES &&
    chain.readableBytes <= HEADER_BYTES + MAX_BUFFER_BYTES &&
    chain.writableBytes >= TRAILER_BYTES
  );
}

/** One output stream: HDA node, features, formats, rates, direction, least and most channels. */
function pcmInfo(): Uint8Array {
  const response = new Uint8Array(STATUS_BYTES + PCM_INFO_BYTES);
  const view = new DataView(response.buffer);
  view.setUint32(0, SND_STATUS.OK, true);
  view.setBigUint64(STATUS_BYTES + 8, FORMAT_BITS, true);
  view.setBigUint64(STATUS_BYTES + 16, RATE_BITS, true);
  view.setUint8(STATUS_BYTES + 24, DIRECTION_OUTPUT);
  view.setUint8(STATUS_BYTES + 25, 1);
  view.setUint8(STATUS_BYTES + 26, MAX_CHANNELS);
  return response;
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
