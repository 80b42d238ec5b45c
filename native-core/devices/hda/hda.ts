// Intel High Definition Audio as in the ICH6 (8086:2668, HDA specification 1.0a): two output streams, and one codec with a line output,
// which the class drivers of Windows, Linux and macOS know by what it says about itself.
//
//   BAR 0  16 KiB: global registers, command and response rings, stream descriptors at 80h (read again at 2080h: positions)
import { z } from "zod";
import type { AccessSize, Device, GuestMemory, IoHandler, VirtualClock } from "../device.ts";
import { PciFunction, type PciFunctionState } from "../pci/pci-function.ts";
import { type SoundSink, toStereo } from "../sound/pcm.ts";
import { arrayOf, timeNs, u8, u16, u32 } from "../state-schema.ts";
import { Codec, codecStateSchema } from "./codec.ts";
import {
  CORBCTL_RUN,
  CORBRP_RST,
  GCTL,
  HDA,
  ICIS,
  INTCTL,
  RING_ENTRIES,
  RING_SIZE,
  RIRBCTL,
  RIRBSTS_INTERRUPT,
  RIRBWP_RST,
  SD,
} from "./registers.ts";
import { Stream, streamStateSchema } from "./stream.ts";

const STREAMS = 2;
const REGISTER_BYTES = 0x4000;
/** Output streams, 64-bit addresses. */
const GCAP = (STREAMS << 12) | 1;
const STREAMS_END = HDA.STREAMS + STREAMS * SD.BYTES;
/** Where positions can be read without disturbing the stream descriptors. */
const ALIAS = 0x2000;
const RESPONSE_BYTES = 8;
const COMMAND_BYTES = 4;
const POSITION_BYTES = 8;
const WALL_CLOCK_HZ = 24n;
const NS_PER_US = 1000n;

const stateSchema = z.strictObject({
  ...{ gctl: u32, wakeen: u16, statests: u16, intctl: u32, wallStartNs: timeNs },
  ...{ corbBase: z.array(u32).length(2), corbWp: u8, corbRp: u16, corbCtl: u8 },
  ...{ rirbBase: z.array(u32).length(2), rirbWp: u8, rirbCount: u16, rirbCtl: u8, rirbSts: u8, responses: u16 },
  ...{ icoi: u32, icii: u32, icis: u16, positionBase: z.array(u32).length(2) },
  codec: codecStateSchema,
  streams: arrayOf(streamStateSchema, STREAMS),
});
type ControllerState = z.infer<typeof stateSchema>;

interface HdaState {
  pci: PciFunctionState;
  controller: ControllerState;
}

export interface HdaParts {
  readonly memory: GuestMemory;
  readonly clock: VirtualClock;
  readonly sink: SoundSink;
}

export class Hda implements Device<HdaState>, IoHandler {
  readonly name = "hda";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<HdaState>;
  readonly pci = new PciFunction({
    ...{ vendorId: 0x8086, deviceId: 0x2668, classCode: 0x040300, revision: 1 },
    ...{ subsystemVendorId: 0x8086, subsystemId: 0x2668, interruptPin: 1 },
  });
  readonly #parts: HdaParts;
  readonly #codec = new Codec();
  readonly #streams: readonly Stream[];
  #gctl = 0;
  #wakeen = 0;
  #statests = 0;
  #intctl = 0;
  #wallStartNs = 0n;
  readonly #corbBase: [number, number] = [0, 0];
  #corbWp = 0;
  #corbRp = 0;
  #corbCtl = 0;
  readonly #rirbBase: [number, number] = [0, 0];
  #rirbWp = 0;
  #rirbCount = 0;
  #rirbCtl = 0;
  #rirbSts = 0;
  /** Since the last interrupt. */
  #responses = 0;
  #icoi = 0;
  #icii = 0;
  #icis = 0;
  readonly #positionBase: [number, number] = [0, 0];

  constructor(parts: HdaParts) {
    this.#parts = parts;
    this.#streams = Array.from(
      { length: STREAMS },
      (_, index) =>
        new Stream({
          ...{ name: `hda stream ${index}`, memory: parts.memory, clock: parts.clock },
          played: (stream, bytes, format) => {
            if (stream.tag === 0 || stream.tag !== this.#codec.streamTag) return;
            parts.sink.play(toStereo(bytes, format, this.#codec.gain), format.rate);
          },
          changed: (stream) => this.#streamChanged(stream, index),
        }),
    );
    this.pci.addBar({ index: 0, kind: "memory", width: 64, sizeBytes: REGISTER_BYTES, handler: this });
    this.stateSchema = z.strictObject({ pci: this.pci.stateSchema, controller: stateSchema });
  }

  read(offset: number, size: AccessSize): number {
    const word = this.#readWord(offset & ~3) >>> ((offset & 3) * 8);
    return size === 4 ? word : (word & ((1 << (size * 8)) - 1)) >>> 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    const shift = (offset & 3) * 8;
    const mask = size === 4 ? 0xffff_ffff : (((1 << (size * 8)) - 1) << shift) >>> 0;
    this.#writeWord(offset & ~3, (value << shift) >>> 0, mask);
  }

  reset(): void {
    this.pci.reset();
    this.#resetController();
    this.#gctl = 0;
    this.#statests = 0;
    this.#updateInterrupt();
  }

  save(): HdaState {
    return {
      pci: this.pci.save(),
      controller: {
        ...{ gctl: this.#gctl, wakeen: this.#wakeen, statests: this.#statests, intctl: this.#intctl },
        wallStartNs: this.#wallStartNs,
        ...{ corbBase: [...this.#corbBase], corbWp: this.#corbWp, corbRp: this.#corbRp, corbCtl: this.#corbCtl },
        ...{ rirbBase: [...this.#rirbBase], rirbWp: this.#rirbWp, rirbCount: this.#rirbCount },
        ...{ rirbCtl: this.#rirbCtl, rirbSts: this.#rirbSts, responses: this.#responses },
        ...{ icoi: this.#icoi, icii: this.#icii, icis: this.#icis, positionBase: [...this.#positionBase] },
        codec: this.#codec.save(),
        streams: this.#streams.map((stream) => stream.save()),
      },
    };
  }

  restore({ pci, controller: state }: HdaState): void {
    this.pci.restore(pci);
    this.#gctl = state.gctl & GCTL.WRITABLE;
    this.#wakeen = state.wakeen;
    this.#statests = state.statests & 1;
    this.#intctl = state.intctl;
    this.#wallStartNs = state.wallStartNs;
    copyPair(this.#corbBase, state.corbBase);
    this.#corbWp = state.corbWp;
    this.#corbRp = state.corbRp & (CORBRP_RST | 0xff);
    this.#corbCtl = state.corbCtl & 3;
    copyPair(this.#rirbBase, state.rirbBase);
    this.#rirbWp = state.rirbWp;
    this.#rirbCount = state.rirbCount & 0xff;
    this.#rirbCtl = state.rirbCtl & 7;
    this.#rirbSts = state.rirbSts & 5;
    this.#responses = state.responses;
    this.#icoi = state.icoi;
    this.#icii = state.icii;
    this.#icis = state.icis & 3;
    copyPair(this.#positionBase, state.positionBase);
    this.#codec.restore(state.codec);
    this.#streams.forEach((stream, index) => {
      const saved = state.streams[index];
      if (saved) stream.restore(saved);
    });
    this.#updateInterrupt();
  }

  dispose(): void {
    for (const stream of this.#streams) stream.dispose();
    this.pci.dispose();
  }

  #readWord(offset: number): number {
    const at = offset >= ALIAS ? offset - ALIAS : offset;
    if (at >= HDA.STREAMS && at < STREAMS_END) {
      const place = at - HDA.STREAMS;
      return this.#streams[Math.floor(place / SD.BYTES)]?.read(place % SD.BYTES) ?? 0;
    }
    switch (at) {
      case HDA.GCAP:
        return GCAP + 0x0100_0000;
      case HDA.OUTPAY:
        return 0x001d_003c;
      case HDA.GCTL:
        return this.#gctl;
      case HDA.WAKEEN:
        return this.#wakeen + this.#statests * 0x10000;
      case HDA.OUTSTRMPAY:
        return 0x0018_0018;
      case HDA.INTCTL:
        return this.#intctl;
      case HDA.INTSTS:
        return this.#interruptStatus;
      case HDA.WALCLK:
        return Number(
          BigInt.asUintN(32, ((this.#parts.clock.nowNs() - this.#wallStartNs) * WALL_CLOCK_HZ) / NS_PER_US),
        );
      case HDA.CORBLBASE:
      case HDA.CORBUBASE:
        return this.#corbBase[(at - HDA.CORBLBASE) / 4] ?? 0;
      case HDA.CORBWP:
        return this.#corbWp + this.#corbRp * 0x10000;
      case HDA.CORBCTL:
        return this.#corbCtl + RING_SIZE * 0x10000;
      case HDA.RIRBLBASE:
      case HDA.RIRBUBASE:
        return this.#rirbBase[(at - HDA.RIRBLBASE) / 4] ?? 0;
      case HDA.RIRBWP:
        return this.#rirbWp + this.#rirbCount * 0x10000;
      case HDA.RIRBCTL:
        return this.#rirbCtl + this.#rirbSts * 0x100 + RING_SIZE * 0x10000;
      case HDA.ICOI:
        return this.#icoi;
      case HDA.ICII:
        return this.#icii;
      case HDA.ICIS:
        return this.#icis;
      case HDA.DPLBASE:
      case HDA.DPUBASE:
        return this.#positionBase[(at - HDA.DPLBASE) / 4] ?? 0;
      default:
        return 0;
    }
  }

  #writeWord(at: number, value: number, mask: number): void {
    const merge = (old: number) => ((old & ~mask) | (value & mask)) >>> 0;
    if (at === HDA.GCTL) {
      this.#writeControl(merge(this.#gctl) & GCTL.WRITABLE);
      return;
    }
    // While CRST is 0 nothing else can be written (3.3.7).
    if ((this.#gctl & GCTL.CRST) === 0) return;
    if (at >= HDA.STREAMS && at < STREAMS_END) {
      const place = at - HDA.STREAMS;
      this.#streams[Math.floor(place / SD.BYTES)]?.write(place % SD.BYTES, value, mask);
      return;
    }
    switch (at) {
      case HDA.WAKEEN:
        this.#wakeen = merge(this.#wakeen) & 1;
        this.#statests &= ~((value & mask) >>> 16);
        break;
      case HDA.INTCTL:
        this.#intctl = merge(this.#intctl);
        break;
      case HDA.CORBLBASE:
      case HDA.CORBUBASE:
        setPart(this.#corbBase, (at - HDA.CORBLBASE) / 4, merge);
        break;
      case HDA.CORBWP:
        this.#corbWp = merge(this.#corbWp) & 0xff;
        if ((mask & 0xffff_0000) !== 0) this.#corbRp = value >>> 16 >= CORBRP_RST ? CORBRP_RST : 0;
        this.#runCommands();
        break;
      case HDA.CORBCTL:
        this.#corbCtl = merge(this.#corbCtl) & 3;
        this.#runCommands();
        break;
      case HDA.RIRBLBASE:
      case HDA.RIRBUBASE:
        setPart(this.#rirbBase, (at - HDA.RIRBLBASE) / 4, merge);
        break;
      case HDA.RIRBWP:
        if ((value & mask & RIRBWP_RST) !== 0) this.#rirbWp = 0;
        this.#rirbCount = (merge(this.#rirbCount * 0x10000) >>> 16) & 0xff;
        break;
      case HDA.RIRBCTL:
        this.#rirbCtl = merge(this.#rirbCtl) & 7;
        this.#rirbSts &= ~((value & mask) >>> 8);
        break;
      case HDA.ICOI:
        this.#icoi = merge(this.#icoi);
        break;
      case HDA.ICIS:
        this.#immediate(value & mask);
        break;
      case HDA.DPLBASE:
      case HDA.DPUBASE:
        setPart(this.#positionBase, (at - HDA.DPLBASE) / 4, merge);
        break;
    }
    this.#updateInterrupt();
  }

  /** Leaving reset, the codec announces itself. */
  #writeControl(gctl: number): void {
    const was = this.#gctl & GCTL.CRST;
    this.#gctl = gctl;
    if ((gctl & GCTL.CRST) === 0) this.#resetController();
    else if (was === 0) this.#statests = 1;
    this.#updateInterrupt();
  }

  #resetController(): void {
    for (const stream of this.#streams) stream.reset();
    this.#codec.reset();
    this.#wakeen = 0;
    this.#intctl = 0;
    this.#wallStartNs = this.#parts.clock.nowNs();
    this.#corbBase.fill(0);
    this.#rirbBase.fill(0);
    this.#positionBase.fill(0);
    this.#corbWp = 0;
    this.#corbRp = 0;
    this.#corbCtl = 0;
    this.#rirbWp = 0;
    this.#rirbCount = 0;
    this.#rirbCtl = 0;
    this.#rirbSts = 0;
    this.#responses = 0;
    this.#icoi = 0;
    this.#icii = 0;
    this.#icis = 0;
  }

  /** Commands are executed as soon as they are there (4.4.1). */
  #runCommands(): void {
    if ((this.#corbCtl & CORBCTL_RUN) === 0 || (this.#rirbCtl & RIRBCTL.RUN) === 0) return;
    const { memory } = this.#parts;
    while ((this.#corbRp & 0xff) !== this.#corbWp) {
      this.#corbRp = ((this.#corbRp & 0xff) + 1) % RING_ENTRIES;
      const command = memory.readU32(ringAddress(this.#corbBase, this.#corbRp * COMMAND_BYTES));
      this.#respond(this.#execute(command));
    }
  }

  #execute(command: number): number {
    // Codec address, node, verb with payload.
    if (command >>> 28 !== 0) return 0;
    return this.#codec.execute((command >>> 20) & 0xff, command & 0xf_ffff) >>> 0;
  }

  #respond(response: number): void {
    const { memory } = this.#parts;
    this.#rirbWp = (this.#rirbWp + 1) % RING_ENTRIES;
    const at = ringAddress(this.#rirbBase, this.#rirbWp * RESPONSE_BYTES);
    memory.writeU32(at, response);
    memory.writeU32(at + 4, 0);
    this.#responses++;
    // A count of 0 stands for 256; the ring of commands running empty interrupts too.
    const isLast = (this.#corbRp & 0xff) === this.#corbWp;
    if (!isLast && this.#responses < (this.#rirbCount || RING_ENTRIES)) return;
    this.#responses = 0;
    if ((this.#rirbCtl & RIRBCTL.INTERRUPT) !== 0) this.#rirbSts |= RIRBSTS_INTERRUPT;
  }

  /** Commands one by one without rings (3.4.1). */
  #immediate(value: number): void {
    if ((value & ICIS.VALID) !== 0) this.#icis &= ~ICIS.VALID;
    if ((value & ICIS.BUSY) === 0) return;
    this.#icii = this.#execute(this.#icoi);
    this.#icis = ICIS.VALID;
  }

  #streamChanged(stream: Stream, index: number): void {
    const [low, high] = this.#positionBase;
    if ((low & 1) !== 0) {
      this.#parts.memory.writeU32(((low & ~0x7f) >>> 0) + high * 2 ** 32 + index * POSITION_BYTES, stream.position);
    }
    this.#updateInterrupt();
  }

  get #interruptStatus(): number {
    let status = 0;
    this.#streams.forEach((stream, index) => {
      if (stream.interrupt) status |= 1 << index;
    });
    let result = status;
    if (this.#rirbSts !== 0 || (this.#statests & this.#wakeen) !== 0) result += INTCTL.CIE;
    return (result & this.#intctl & 0x7fff_ffff) !== 0 ? result + INTCTL.GIE : result;
  }

  #updateInterrupt(): void {
    this.pci.setInterrupt(this.#interruptStatus >= INTCTL.GIE && this.#intctl >= INTCTL.GIE);
  }
}

function setPart(pair: [number, number], index: number, merge: (old: number) => number): void {
  // Base addresses are aligned to 128 bytes; bit 0 of the position buffer's enables it.
  const value = merge(pair[index] ?? 0);
  pair[index] = index === 0 ? (value & ~0x7e) >>> 0 : value;
}

function copyPair(pair: [number, number], [low = 0, high = 0]: readonly number[]): void {
  pair[0] = low;
  pair[1] = high;
}

function ringAddress([low, high]: readonly [number, number], offset: number): number {
  return ((low & ~0x7f) >>> 0) + high * 2 ** 32 + offset;
}
