// The transmit ring: legacy, context and data descriptors (3.3), put together to frames with their offloads.
//
//   legacy   address:u64 length:u16 cso:u8 cmd:u8 sta:u8 css:u8 special:u16
//   context  ipcss:u8 ipcso:u8 ipcse:u16 tucss:u8 tucso:u8 tucse:u16 | paylen:20 dtyp:4 tucmd:8 | sta:u8 hdrlen:u8 mss:u16
//   data     address:u64 | length:20 dtyp:4 dcmd:8 | sta:u8 popts:u8 special:u16
import { z } from "zod";
import { complement, fold, pseudoHeaderSum, sumWords } from "../../network/checksum.ts";
import { Frame, MAX_OFFLOAD_FRAME_BYTES } from "../../network/frame.ts";
import { PROTOCOL, parseIp, putU16 } from "../../network/packets/ip.ts";
import type { GuestMemory } from "../device.ts";
import { bytesUpTo, flag, u8, u16 } from "../state-schema.ts";
import { DESCRIPTOR_BYTES } from "./registers.ts";

const CMD = { EOP: 1, IC: 4, TSE: 4, RS: 8, DEXT: 0x20 } as const;
const POPTS = { IXSM: 1, TXSM: 2 } as const;
const DTYP_CONTEXT = 0;
const STA_DD = 1;
const CMD_TCP = 1;
/** Buffers of one frame; drivers use as many as a packet has fragments. */
const MAX_PARTS = 256;
const MIN_SEGMENT_BYTES = 48;

const contextSchema = z.object({
  ipcss: u8,
  ipcso: u8,
  ipcse: u16,
  tucss: u8,
  tucso: u8,
  mss: u16,
  tcp: flag,
});
export const transmitStateSchema = z.object({
  context: contextSchema,
  pending: bytesUpTo(MAX_OFFLOAD_FRAME_BYTES),
  options: u8,
  segment: flag,
});
type TransmitState = z.infer<typeof transmitStateSchema>;

/** Takes the descriptors of a ring one by one. */
export class Transmitter {
  readonly #memory: GuestMemory;
  readonly #descriptor = new Uint8Array(DESCRIPTOR_BYTES);
  readonly #view = new DataView(this.#descriptor.buffer);
  #context = emptyContext();
  #parts: Uint8Array[] = [];
  #length = 0;
  /** Of the frame that is being put together, as its first data descriptor said. */
  #options = 0;
  #segment = false;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  reset(): void {
    this.#context = emptyContext();
    this.#drop();
  }

  /** Carries a descriptor out. `frame`: what is complete with it. `reported`: the driver wants to know, and was told in the descriptor. */
  take(address: number): { readonly frame: Frame | undefined; readonly reported: boolean } {
    this.#memory.read(address, this.#descriptor);
    const command = this.#descriptor[11] as number;
    const isExtended = (command & CMD.DEXT) !== 0;
    let frame: Frame | undefined;
    if (isExtended && (this.#descriptor[10] as number) >>> 4 === DTYP_CONTEXT) this.#setContext(command);
    else frame = this.#data(command, isExtended);
    const reported = (command & CMD.RS) !== 0;
    if (reported) this.#memory.write(address + 12, Uint8Array.of((this.#descriptor[12] as number) | STA_DD));
    return { frame, reported };
  }

  save(): TransmitState {
    const pending = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      pending.set(part, at);
      at += part.length;
    }
    return { context: { ...this.#context }, pending, options: this.#options, segment: this.#segment };
  }

  restore(state: TransmitState): void {
    this.#context = { ...state.context };
    this.#parts = state.pending.length > 0 ? [state.pending.slice()] : [];
    this.#length = state.pending.length;
    this.#options = state.options;
    this.#segment = state.segment;
  }

  #setContext(command: number): void {
    const descriptor = this.#descriptor;
    this.#context = {
      ipcss: descriptor[0] as number,
      ipcso: descriptor[1] as number,
      ipcse: this.#view.getUint16(2, true),
      tucss: descriptor[4] as number,
      tucso: descriptor[5] as number,
      mss: this.#view.getUint16(14, true),
      tcp: (command & CMD_TCP) !== 0,
    };
  }

  #data(command: number, isExtended: boolean): Frame | undefined {
    const length = isExtended ? this.#view.getUint32(8, true) & 0xfffff : this.#view.getUint16(8, true);
    const address = this.#view.getUint32(0, true) + this.#view.getUint32(4, true) * 2 ** 32;
    if (this.#parts.length === 0) {
      this.#options = isExtended ? (this.#descriptor[13] as number) : 0;
      this.#segment = isExtended && (command & CMD.TSE) !== 0;
    }
    this.#length += length;
    // More than any frame has: it is read no further, and dropped at its end.
    if (this.#length <= MAX_OFFLOAD_FRAME_BYTES && this.#parts.length < MAX_PARTS && address < this.#memory.sizeBytes) {
      const part = new Uint8Array(length);
      this.#memory.read(address, part);
      this.#parts.push(part);
    } else {
      this.#length = Number.POSITIVE_INFINITY;
    }
    if ((command & CMD.EOP) === 0) return undefined;
    const bytes = this.#join();
    if (!bytes) return undefined;
    if (isExtended) return this.#offloaded(bytes);
    const [start, offset] = [this.#descriptor[13] as number, this.#descriptor[10] as number];
    return (command & CMD.IC) !== 0 ? unfinished(bytes, start, offset) : new Frame(bytes);
  }

  #join(): Uint8Array | undefined {
    const length = this.#length;
    const bytes = length >= 14 && length <= MAX_OFFLOAD_FRAME_BYTES ? new Uint8Array(length) : undefined;
    let at = 0;
    for (const part of bytes ? this.#parts : []) {
      bytes?.set(part, at);
      at += part.length;
    }
    this.#drop();
    return bytes;
  }

  #drop(): void {
    this.#parts = [];
    this.#length = 0;
  }

  #offloaded(bytes: Uint8Array): Frame | undefined {
    const { ipcss, ipcso, ipcse, tucss, tucso, mss, tcp } = this.#context;
    if (this.#segment) return tcp ? segmentOf(bytes, tucss, tucso, mss) : undefined;
    if ((this.#options & POPTS.IXSM) !== 0) {
      const end = ipcse === 0 ? bytes.length : Math.min(bytes.length, ipcse + 1);
      if (ipcso + 2 <= bytes.length && ipcss < end) {
        putU16(bytes, ipcso, 0);
        putU16(bytes, ipcso, complement(sumWords(bytes, ipcss, end)));
      }
    }
    return (this.#options & POPTS.TXSM) !== 0 ? unfinished(bytes, tucss, tucso) : new Frame(bytes);
  }
}

function unfinished(bytes: Uint8Array, start: number, at: number): Frame | undefined {
  if (start < 14 || at < start || at + 2 > bytes.length) return undefined;
  return new Frame(bytes, start, at - start);
}

/** A segment to be cut: the driver leaves lengths and sums of the large packet to the adapter. */
function segmentOf(bytes: Uint8Array, tucss: number, tucso: number, mss: number): Frame | undefined {
  const isV4 = bytes[12] === 8;
  if (bytes.length < 34) return undefined;
  if (isV4) putU16(bytes, 16, Math.min(0xffff, bytes.length - 14));
  else if (bytes.length >= 54) putU16(bytes, 18, Math.min(0xffff, bytes.length - 54));
  const packet = parseIp(bytes);
  if (!packet || packet.protocol !== PROTOCOL.TCP || packet.transport !== tucss || mss < MIN_SEGMENT_BYTES) {
    return undefined;
  }
  if (isV4) {
    putU16(bytes, 24, 0);
    putU16(bytes, 24, complement(sumWords(bytes, 14, packet.transport)));
  }
  const { addresses, addressBytes, transport, end } = packet;
  const sum = pseudoHeaderSum(bytes, addresses, addressBytes, PROTOCOL.TCP, end - transport);
  if (tucso + 2 > bytes.length || tucso < tucss) return undefined;
  putU16(bytes, tucso, fold(sum));
  const headers = transport + ((bytes[transport + 12] as number) >>> 4) * 4;
  return new Frame(bytes, tucss, tucso - tucss, bytes.length - headers > mss ? mss : 0);
}

function emptyContext() {
  return { ipcss: 0, ipcso: 0, ipcse: 0, tucss: 0, tucso: 0, mss: 0, tcp: false };
}
