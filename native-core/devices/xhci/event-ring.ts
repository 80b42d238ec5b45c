// The event ring and its interrupter (xHCI 1.2 4.9.4, 4.17): what the controller tells the driver. Events that find the ring full wait.
import { z } from "zod";
import type { GuestMemory } from "../device.ts";
import { flag, u16, u32, u64 } from "../state-schema.ts";
import { ERDP_BUSY, IMAN, RT, TRB_BITS, TRB_BYTES } from "./registers.ts";

const MAX_SEGMENTS = 16;
const SEGMENT_ENTRY_BYTES = 16;
const MAX_WAITING = 4096;

const eventSchema = z.strictObject({ parameter: u64, status: u32, control: u32 });
type Event = z.infer<typeof eventSchema>;

export const eventRingStateSchema = z.strictObject({
  ...{ iman: u32, imod: u32, erstsz: u16, erstba: u64, erdp: u64 },
  ...{ segment: u16, index: u32, cycle: z.int().min(0).max(1), started: flag },
  waiting: z.array(eventSchema).max(MAX_WAITING),
});
type EventRingState = z.infer<typeof eventRingStateSchema>;

export interface EventRingHost {
  readonly memory: GuestMemory;
  /** There are events: interrupt, if interrupts are on. */
  raise(): void;
  /** The pending bit changed by the guest's hand. */
  changed(): void;
}

export class EventRing {
  readonly #host: EventRingHost;
  #iman = 0;
  #imod = 4000;
  #erstsz = 0;
  #erstba = 0n;
  #erdp = 0n;
  #segment = 0;
  #index = 0;
  #cycle = 1;
  /** The driver has set a table. */
  #started = false;
  #waiting: Event[] = [];

  constructor(host: EventRingHost) {
    this.#host = host;
  }

  /** Interrupt wanted and allowed by the interrupter. */
  get pending(): boolean {
    return (this.#iman & IMAN.PENDING) !== 0 && (this.#iman & IMAN.ENABLE) !== 0;
  }

  /** A message has been sent: it stands for the bit (4.17.5). */
  messageSent(): void {
    this.#iman &= ~IMAN.PENDING;
  }

  post(type: number, parameter: bigint, status: number, control = 0): void {
    // A driver that lets thousands wait does not look.
    if (this.#waiting.length < MAX_WAITING) {
      this.#waiting.push({ parameter, status: status >>> 0, control: ((type << 10) | control) >>> 0 });
    }
    this.#flush();
  }

  read(offset: number): number {
    switch (offset) {
      case RT.IMAN:
        return this.#iman;
      case RT.IMOD:
        return this.#imod;
      case RT.ERSTSZ:
        return this.#erstsz;
      case RT.ERSTBA:
        return half(this.#erstba, 0);
      case RT.ERSTBA + 4:
        return half(this.#erstba, 1);
      case RT.ERDP:
        return half(this.#erdp, 0);
      case RT.ERDP + 4:
        return half(this.#erdp, 1);
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    switch (offset) {
      case RT.IMAN:
        this.#iman = (this.#iman & IMAN.PENDING & ~value) | (value & IMAN.ENABLE);
        this.#host.changed();
        break;
      case RT.IMOD:
        this.#imod = value;
        break;
      case RT.ERSTSZ:
        this.#erstsz = Math.min(value & 0xffff, MAX_SEGMENTS);
        break;
      case RT.ERSTBA:
        this.#erstba = withHalf(this.#erstba, 0, value & ~0x3f);
        this.#start();
        break;
      case RT.ERSTBA + 4:
        this.#erstba = withHalf(this.#erstba, 1, value);
        this.#start();
        break;
      case RT.ERDP: {
        const busy = (value & ERDP_BUSY) !== 0 ? 0 : Number(this.#erdp) & ERDP_BUSY;
        this.#erdp = withHalf(this.#erdp, 0, (value & ~ERDP_BUSY) | busy);
        this.#flush();
        // What the driver has not taken yet interrupts once more.
        if ((value & ERDP_BUSY) !== 0 && this.#dequeue !== this.#place) this.#raise();
        break;
      }
      case RT.ERDP + 4:
        this.#erdp = withHalf(this.#erdp, 1, value);
        break;
    }
  }

  reset(): void {
    this.#iman = 0;
    this.#imod = 4000;
    this.#erstsz = 0;
    this.#erstba = 0n;
    this.#erdp = 0n;
    this.#waiting = [];
    this.#started = false;
  }

  save(): EventRingState {
    return {
      ...{ iman: this.#iman, imod: this.#imod, erstsz: this.#erstsz, erstba: this.#erstba, erdp: this.#erdp },
      ...{ segment: this.#segment, index: this.#index, cycle: this.#cycle, started: this.#started },
      waiting: this.#waiting.map((event) => ({ ...event })),
    };
  }

  restore(state: EventRingState): void {
    this.#iman = state.iman & (IMAN.PENDING | IMAN.ENABLE);
    this.#imod = state.imod;
    this.#erstsz = Math.min(state.erstsz, MAX_SEGMENTS);
    this.#erstba = state.erstba;
    this.#erdp = state.erdp;
    this.#segment = state.segment;
    this.#index = state.index;
    this.#cycle = state.cycle;
    this.#started = state.started;
    this.#waiting = state.waiting.map((event) => ({ ...event }));
  }

  #start(): void {
    this.#segment = 0;
    this.#index = 0;
    this.#cycle = 1;
    this.#started = true;
  }

  #raise(): void {
    const busy = (this.#erdp & BigInt(ERDP_BUSY)) !== 0n;
    this.#erdp |= BigInt(ERDP_BUSY);
    this.#iman |= IMAN.PENDING;
    if (!busy) this.#host.raise();
  }

  #flush(): void {
    let wrote = false;
    while (this.#waiting.length > 0 && this.#hasRoom) {
      const event = this.#waiting.shift() as Event;
      const { memory } = this.#host;
      const at = this.#place;
      memory.writeU64(at, event.parameter);
      memory.writeU32(at + 8, event.status);
      memory.writeU32(at + 12, (event.control | this.#cycle) >>> 0);
      this.#advance();
      wrote = true;
    }
    if (wrote) this.#raise();
  }

  get #dequeue(): number {
    return Number(this.#erdp & ~0xfn);
  }

  /** One place stays free, so that a full ring is not an empty one. */
  get #hasRoom(): boolean {
    if (!this.#started || this.#erstsz === 0 || this.#segmentAt(this.#segment).size === 0) return false;
    const { segment, index } = this.#behind();
    return this.#segmentAt(segment).base + index * TRB_BYTES !== this.#dequeue;
  }

  get #place(): number {
    return this.#segmentAt(this.#segment).base + this.#index * TRB_BYTES;
  }

  #behind(): { segment: number; index: number; wraps: boolean } {
    if (this.#index + 1 < this.#segmentAt(this.#segment).size) {
      return { segment: this.#segment, index: this.#index + 1, wraps: false };
    }
    const wraps = this.#segment + 1 >= this.#erstsz;
    return { segment: wraps ? 0 : this.#segment + 1, index: 0, wraps };
  }

  #advance(): void {
    const { segment, index, wraps } = this.#behind();
    this.#segment = segment;
    this.#index = index;
    if (wraps) this.#cycle ^= TRB_BITS.CYCLE;
  }

  #segmentAt(number: number): { base: number; size: number } {
    const { memory } = this.#host;
    const entry = Number(this.#erstba) + number * SEGMENT_ENTRY_BYTES;
    if (entry + SEGMENT_ENTRY_BYTES > memory.sizeBytes) return { base: 0, size: 0 };
    const base = Number(memory.readU64(entry) & 0xffff_ffff_ffc0n);
    const size = memory.readU32(entry + 8) & 0xffff;
    return base + size * TRB_BYTES <= memory.sizeBytes ? { base, size } : { base: 0, size: 0 };
  }
}

export function half(value: bigint, index: 0 | 1): number {
  return Number((value >> BigInt(32 * index)) & 0xffff_ffffn);
}

export function withHalf(value: bigint, index: 0 | 1, word: number): bigint {
  const shift = BigInt(32 * index);
  return (value & ~(0xffff_ffffn << shift)) | (BigInt(word >>> 0) << shift);
}
