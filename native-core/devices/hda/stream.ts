// An output stream of the HDA controller: walks its list of buffers at the pace of the converter, and hands on what lies there.
import { z } from "zod";
import type { GuestMemory, Timer, VirtualClock } from "../device.ts";
import { FrameClock, frameBytes, frameClockStateSchema, type PcmFormat } from "../sound/pcm.ts";
import { u8, u16, u32 } from "../state-schema.ts";
import { pcmFormat } from "./codec.ts";
import { SD, SD_CTL, SD_STS } from "./registers.ts";

/** Sound leaves at least this often, whatever the guest's buffers. */
const TICK_NS = 10_000_000n;
const BDL_ENTRY_BYTES = 16;
const BDL_INTERRUPT = 1;
const CTL_WRITABLE = 0x00f0_001f;
const FIFO_BYTES = 192;

export const streamStateSchema = z.strictObject({
  ...{ ctl: u32, sts: u8, lpib: u32, cbl: u32, lvi: u8, fmt: u16, bdpl: u32, bdpu: u32 },
  /** Entry of the list and place in it. */
  ...{ entry: u16, offset: u32 },
  clock: frameClockStateSchema,
});
type StreamState = z.infer<typeof streamStateSchema>;

export interface StreamParts {
  readonly name: string;
  readonly memory: GuestMemory;
  readonly clock: VirtualClock;
  /** Whole frames that were played just now. */
  played(stream: Stream, bytes: Uint8Array, format: PcmFormat): void;
  /** Position or status changed. */
  changed(stream: Stream): void;
}

export class Stream {
  readonly #parts: StreamParts;
  readonly #timer: Timer;
  readonly #frames: FrameClock;
  #ctl = 0;
  #sts = 0;
  #lpib = 0;
  #cbl = 0;
  #lvi = 0;
  #fmt = 0;
  #bdpl = 0;
  #bdpu = 0;
  #entry = 0;
  #offset = 0;

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#frames = new FrameClock(() => parts.clock.nowNs());
    this.#timer = parts.clock.createTimer(parts.name, () => this.update());
  }

  get tag(): number {
    return (this.#ctl >>> SD_CTL.TAG_SHIFT) & 0xf;
  }

  get position(): number {
    return this.#lpib;
  }

  /** Wants the processor's attention. */
  get interrupt(): boolean {
    return (this.#sts & SD_STS.BCIS) !== 0 && (this.#ctl & SD_CTL.IOCE) !== 0;
  }

  get #running(): boolean {
    return (this.#ctl & SD_CTL.RUN) !== 0;
  }

  reset(): void {
    this.#timer.cancel();
    this.#ctl = 0;
    this.#sts = 0;
    this.#lpib = 0;
    this.#cbl = 0;
    this.#lvi = 0;
    this.#fmt = 0;
    this.#bdpl = 0;
    this.#bdpu = 0;
    this.#rewind();
  }

  /** The 32-bit word at a multiple of 4. */
  read(offset: number): number {
    switch (offset) {
      case SD.CTL:
        return this.#ctl + ((this.#sts | (this.#running ? SD_STS.FIFORDY : 0)) << 24);
      case SD.LPIB:
        this.update();
        return this.#lpib;
      case SD.CBL:
        return this.#cbl;
      case SD.LVI:
        return this.#lvi;
      case SD.FIFOS:
        return FIFO_BYTES | (this.#fmt << 16);
      case SD.BDPL:
        return this.#bdpl;
      case SD.BDPU:
        return this.#bdpu;
      default:
        return 0;
    }
  }

  /** Writes the bytes of `mask` within the word. */
  write(offset: number, value: number, mask: number): void {
    const merge = (old: number) => ((old & ~mask) | (value & mask)) >>> 0;
    switch (offset) {
      case SD.CTL:
        this.#sts &= ~((value & mask & (SD_STS.CLEARABLE << 24)) >>> 24);
        this.#control(merge(this.#ctl) & CTL_WRITABLE);
        break;
      case SD.CBL:
        this.#cbl = merge(this.#cbl);
        break;
      case SD.LVI:
        this.#lvi = merge(this.#lvi) & 0xff;
        break;
      case SD.FIFOS:
        if (!this.#running) this.#fmt = (merge(this.#fmt << 16) >>> 16) & 0x7f7f;
        break;
      case SD.BDPL:
        this.#bdpl = (merge(this.#bdpl) & ~0x7f) >>> 0;
        break;
      case SD.BDPU:
        this.#bdpu = merge(this.#bdpu);
        break;
    }
    this.#parts.changed(this);
  }

  /** Plays what has been due since the last time. */
  update(): void {
    if (!this.#running) return;
    const format = pcmFormat(this.#fmt);
    const unit = frameBytes(format);
    let frames = this.#frames.due(format.rate);
    this.#frames.take(frames);
    // Whoever slept longer than the guest's buffers last has nothing to make up for.
    frames = Math.min(frames, format.rate, Math.floor(this.#cbl / unit));
    let left = frames * unit;
    while (left > 0) {
      const played = this.#playSome(left, format);
      if (played === 0) break;
      left -= played;
    }
    this.#parts.changed(this);
    this.#schedule(format);
  }

  save(): StreamState {
    return {
      ...{ ctl: this.#ctl, sts: this.#sts, lpib: this.#lpib, cbl: this.#cbl, lvi: this.#lvi, fmt: this.#fmt },
      ...{ bdpl: this.#bdpl, bdpu: this.#bdpu, entry: this.#entry, offset: this.#offset },
      clock: this.#frames.save(),
    };
  }

  restore(state: StreamState): void {
    this.#timer.cancel();
    this.#ctl = state.ctl & CTL_WRITABLE;
    this.#sts = state.sts & SD_STS.CLEARABLE;
    this.#lpib = state.lpib;
    this.#cbl = state.cbl;
    this.#lvi = state.lvi;
    this.#fmt = state.fmt & 0x7f7f;
    this.#bdpl = (state.bdpl & ~0x7f) >>> 0;
    this.#bdpu = state.bdpu;
    this.#entry = state.entry;
    this.#offset = state.offset;
    this.#frames.restore(state.clock);
    if (this.#running) this.#schedule(pcmFormat(this.#fmt));
  }

  dispose(): void {
    this.#timer.cancel();
  }

  #control(ctl: number): void {
    const started = (ctl & SD_CTL.RUN) !== 0 && !this.#running;
    if (!started) this.update();
    if ((ctl & SD_CTL.SRST) !== 0) {
      this.reset();
      this.#ctl = SD_CTL.SRST;
      return;
    }
    this.#ctl = ctl;
    if (!this.#running) this.#timer.cancel();
    else if (started) {
      this.#frames.start();
      this.#schedule(pcmFormat(this.#fmt));
    }
  }

  #rewind(): void {
    this.#entry = 0;
    this.#offset = 0;
  }

  /** Plays up to `wanted` bytes, no further than the current buffer or the end of the cycle goes. Returns how many; 0: there is nothing to play. */
  #playSome(wanted: number, format: PcmFormat): number {
    // Empty entries are passed over, but a list of nothing else ends the search.
    for (let tries = 0; tries <= this.#lvi; tries++) {
      const { address, length, interrupt } = this.#buffer();
      const bytes = new Uint8Array(Math.max(0, Math.min(wanted, length - this.#offset, this.#cbl - this.#lpib)));
      if (bytes.length > 0) {
        this.#parts.memory.read(address + this.#offset, bytes);
        this.#parts.played(this, bytes, format);
      }
      this.#offset += bytes.length;
      this.#lpib += bytes.length;
      if (this.#offset >= length) {
        if (interrupt) this.#sts |= SD_STS.BCIS;
        this.#entry = this.#entry >= this.#lvi ? 0 : this.#entry + 1;
        this.#offset = 0;
      }
      if (this.#lpib >= this.#cbl) {
        this.#lpib = 0;
        this.#rewind();
      }
      if (bytes.length > 0) return bytes.length;
    }
    return 0;
  }

  #buffer(): { address: number; length: number; interrupt: boolean } {
    const { memory } = this.#parts;
    const at = this.#bdpl + this.#bdpu * 2 ** 32 + this.#entry * BDL_ENTRY_BYTES;
    const end = at + BDL_ENTRY_BYTES;
    if (end > memory.sizeBytes) return { address: 0, length: 0, interrupt: false };
    const address = memory.readU32(at) + memory.readU32(at + 4) * 2 ** 32;
    return { address, length: memory.readU32(at + 8), interrupt: (memory.readU32(at + 12) & BDL_INTERRUPT) !== 0 };
  }

  /** The next interrupt comes when its buffer ends, sound in between every now and then. */
  #schedule(format: PcmFormat): void {
    if (!this.#running) return;
    const { length } = this.#buffer();
    const rest = Math.max(0, Math.min(length - this.#offset, this.#cbl - this.#lpib));
    const endNs = this.#frames.dueAtNs(Math.max(1, Math.ceil(rest / frameBytes(format))), format.rate);
    const tickNs = this.#parts.clock.nowNs() + TICK_NS;
    this.#timer.set(rest > 0 && endNs < tickNs ? endNs : tickNs);
  }
}
