// Realtek RTL8139C, the 100 Mbit/s adapter of PCs around 2000, which systems before the e1000 have a driver for: four transmit buffers and
// one receive buffer that it goes round in. Every frame is copied; offloads there are none.
//
//   receive buffer   {status:u16 length:u16} frame, checksum (4 bytes), up to a multiple of four; the next one ...
//                    from CAPR + 16 (the driver reads) to CBR (the part writes)
import { z } from "zod";
import { Frame } from "../../network/frame.ts";
import { cut } from "../../network/offload.ts";
import { isGroupAddress, sameBytes } from "../../network/packets/ethernet.ts";
import type { AccessSize, Device, GuestMemory, IoHandler, Timer, VirtualClock } from "../device.ts";
import {
  CRC_BYTES,
  ethernetFunction,
  MIN_FRAME_BYTES,
  type NetworkAdapter,
  type NetworkAdapterOptions,
} from "../network/adapter.ts";
import { EEPROM_WORDS, Microwire, type MicrowireState, microwireStateSchema } from "../network/microwire.ts";
import { NetworkPort } from "../network/port.ts";
import type { ReceiveQueue } from "../network/receive-queue.ts";
import type { PciFunction, PciFunctionState } from "../pci/pci-function.ts";
import { bytes, flag, optionalTimeNs, timeNs } from "../state-schema.ts";
import {
  ANAR,
  BMCR,
  BMSR,
  CR,
  CSCR,
  EECR,
  ISR,
  LOCKED,
  MSR_LINK_DOWN,
  PARTNER,
  RCR,
  REG,
  REGISTER_BYTES,
  TCR_LOOPBACK,
  TCR_VERSION,
  TSD,
  WRITABLE,
} from "./registers.ts";

const VENDOR_ID = 0x10ec;
const DEVICE_ID = 0x8139;
const REVISION = 0x10;
const TRANSMIT_BUFFERS = 4;
/** With a VLAN tag. */
const MAX_FRAME_BYTES = 1518;
const PACKET_HEADER_BYTES = 4;
/** CAPR is behind what the driver has read by this much. */
const CAPR_LAG = 16;
const PACKET = { OK: 1, BROADCAST: 0x2000, OWN_ADDRESS: 0x4000, MULTICAST: 0x8000 } as const;
const CRC_POLYNOMIAL = 0x04c1_1db7;
/**
 * From the driver's last look at the receive buffer to the next packet, as from a wire. Drivers acknowledge ROK after they have moved CAPR: what
 * came in between they would not hear of.
 */
const WIRE_NS = 20_000n;
/** The timer counts the clock of the PCI bus: 33 ticks are a microsecond. */
const TICKS = 33n;
const TICKS_NS = 1000n;

export interface Rtl8139Options extends NetworkAdapterOptions {
  readonly name: string;
  readonly memory: GuestMemory;
  readonly clock: VirtualClock;
}

interface Rtl8139State {
  pci: PciFunctionState;
  registers: Uint8Array;
  wires: MicrowireState;
  /** When the timer was 0. */
  timerStartNs: bigint;
  timerArmed: boolean;
  /** When packets that wait go into the receive buffer. */
  wireNs: bigint | null;
}

export class Rtl8139 implements Device<Rtl8139State>, NetworkAdapter, IoHandler {
  readonly name: string;
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<Rtl8139State>;
  readonly pci: PciFunction;
  readonly #port: NetworkPort;
  readonly #memory: GuestMemory;
  readonly #clock: VirtualClock;
  readonly #timer: Timer;
  readonly #wire: Timer;
  readonly #mac: Uint8Array;
  readonly #registers = new Uint8Array(REGISTER_BYTES);
  readonly #view = new DataView(this.#registers.buffer);
  readonly #writable = new Uint8Array(REGISTER_BYTES);
  readonly #locked = new Uint8Array(REGISTER_BYTES);
  readonly #wires: Microwire;
  /** A frame on its way into the receive buffer, and the packets of it that are not there yet. */
  #segment: { readonly frame: Frame; readonly packets: Frame[] } | undefined;
  #timerStartNs = 0n;

  constructor(options: Rtl8139Options) {
    this.name = options.name;
    this.#memory = options.memory;
    this.#clock = options.clock;
    this.#mac = options.mac;
    this.#wires = new Microwire(eepromOf(options.mac));
    for (const [target, bits] of [
      [this.#writable, WRITABLE],
      [this.#locked, LOCKED],
    ] as const) {
      for (const [offset, length, mask] of bits) {
        for (let byte = 0; byte < length; byte++) target[offset + byte] = mask >>> (8 * byte);
      }
    }
    this.#timer = options.clock.createTimer(this.name, () => this.#raise(ISR.TIMEOUT));
    this.#wire = options.clock.createTimer(`${this.name} wire`, () => {
      this.end.drain();
      if (this.#unread > 0) this.#raise(ISR.ROK);
    });
    this.pci = ethernetFunction({
      ...{ vendorId: VENDOR_ID, deviceId: DEVICE_ID, revision: REVISION, subsystemId: DEVICE_ID },
    });
    this.pci.addBar({ index: 0, kind: "io", sizeBytes: REGISTER_BYTES, handler: this });
    this.pci.addBar({ index: 1, kind: "memory", sizeBytes: REGISTER_BYTES, handler: this });
    this.#port = new NetworkPort(options, {
      place: (frame) => this.#place(frame),
      linkChanged: () => this.#raise(ISR.LINK),
    });
    this.stateSchema = z.object({
      pci: this.pci.stateSchema,
      registers: bytes(REGISTER_BYTES),
      wires: microwireStateSchema,
      timerStartNs: timeNs,
      timerArmed: flag,
      wireNs: optionalTimeNs,
    });
    this.#powerOn();
  }

  // Host side

  get end(): ReceiveQueue {
    return this.#port.end;
  }

  setLink(up: boolean): void {
    this.#port.setLink(up);
  }

  // Registers

  read(offset: number, size: AccessSize): number {
    this.#refresh();
    let value = 0;
    for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + (this.#registers[offset + byte] ?? 0);
    return value;
  }

  write(offset: number, size: AccessSize, value: number): void {
    for (let byte = 0; byte < size && offset + byte < REGISTER_BYTES; byte++) {
      this.#writeByte(offset + byte, (value >>> (8 * byte)) & 0xff);
    }
    const touches = (register: number, length: number): boolean =>
      offset < register + length && offset + size > register;
    if (touches(REG.IMR, 4)) this.#updateInterrupt();
    if (touches(REG.TIMER_INT, 4)) this.#armTimer();
    if (touches(REG.CAPR, 2) || touches(REG.CR, 1) || touches(REG.RCR, 4)) {
      this.#wire.set(this.#clock.nowNs() + WIRE_NS);
    }
    for (let index = 0; index < TRANSMIT_BUFFERS; index++) {
      // The byte that gives the buffer to the part.
      if (touches(REG.TSD + 4 * index + 1, 1)) this.#transmit(index);
    }
  }

  /** Puts into the registers what follows from something else. */
  #refresh(): void {
    const registers = this.#registers;
    this.#view.setUint32(REG.TCR, this.#get32(REG.TCR) | TCR_VERSION, true);
    registers[REG.CR] = ((registers[REG.CR] ?? 0) & ~CR.EMPTY) | (this.#unread === 0 ? CR.EMPTY : 0);
    registers[REG.EECR] = ((registers[REG.EECR] ?? 0) & ~EECR.DO) | (this.#wires.dataOut ? EECR.DO : 0);
    registers[REG.MSR] = this.#port.linkUp ? 0 : MSR_LINK_DOWN;
    registers[REG.REVISION] = REVISION;
    this.#set16(REG.BMSR, BMSR.ABLE | (this.#port.linkUp ? BMSR.NEGOTIATED | BMSR.LINK : 0));
    this.#set16(REG.ANLPAR, this.#port.linkUp ? PARTNER : 0);
    this.#set16(REG.ANER, this.#port.linkUp ? 1 : 0);
    const changed = this.#get16(REG.ISR) & ISR.LINK ? CSCR.CHANGED : 0;
    this.#set16(REG.CSCR, (this.#port.linkUp ? CSCR.LINK : 0) | changed);
    this.#view.setUint32(REG.TCTR, Number(BigInt.asUintN(32, this.#ticks)), true);
    let summary = 0;
    for (let index = 0; index < TRANSMIT_BUFFERS; index++) {
      const status = this.#get32(REG.TSD + 4 * index);
      if (status & TSD.OWN) summary |= 1 << index;
      if (status & TSD.OK) summary |= 0x1000 << index;
    }
    this.#set16(REG.TSAD_SUMMARY, summary);
  }

  #writeByte(at: number, value: number): void {
    const registers = this.#registers;
    const before = registers[at] ?? 0;
    const unlocked = ((registers[REG.EECR] ?? 0) & EECR.MODE) === EECR.CONFIG_WRITE;
    const mask = (this.#writable[at] ?? 0) | (unlocked ? (this.#locked[at] ?? 0) : 0);
    if (mask !== 0) registers[at] = (before & ~mask) | (value & mask);
    else if (at === REG.CR) this.#command(value);
    else if (at === REG.EECR) this.#writeEeprom(value);
    else if (at >= REG.ISR && at < REG.ISR + 2) registers[at] = before & ~value;
    else if (at >= REG.TCTR && at < REG.TCTR + 4) this.#startTimer();
    else if (at >= REG.MPC && at < REG.MPC + 4) this.#view.setUint32(REG.MPC, 0, true);
    else if (at === REG.BMCR + 1) this.#writePhy(value << 8);
  }

  #command(value: number): void {
    if (value & CR.RESET) return this.#softReset();
    this.#registers[REG.CR] = value & (CR.TRANSMIT | CR.RECEIVE);
  }

  #writeEeprom(value: number): void {
    const before = this.#registers[REG.EECR] ?? 0;
    this.#registers[REG.EECR] = value & ~EECR.DO;
    if ((value & EECR.CS) === 0) this.#wires.deselect();
    else if ((value & EECR.SK) !== 0 && (before & EECR.SK) === 0) this.#wires.clock((value & EECR.DI) !== 0);
  }

  /** Negotiation ends as soon as it begins. */
  #writePhy(value: number): void {
    if (value & BMCR.RESET) this.#set16(REG.BMCR, BMCR.NEGOTIATE);
    else this.#set16(REG.BMCR, value & ~BMCR.RESTART);
  }

  #get16(offset: number): number {
    return this.#view.getUint16(offset, true);
  }

  #set16(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }

  #get32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  #raise(causes: number): void {
    this.#set16(REG.ISR, this.#get16(REG.ISR) | causes);
    this.#updateInterrupt();
  }

  #updateInterrupt(): void {
    this.pci.setInterrupt((this.#get16(REG.ISR) & this.#get16(REG.IMR)) !== 0);
  }

  #powerOn(): void {
    this.#registers.fill(0);
    this.#registers.set(this.#mac, REG.IDR);
    this.#set16(REG.BMCR, BMCR.NEGOTIATE);
    this.#set16(REG.ANAR, ANAR);
    this.#wires.reset();
    this.#softReset();
    this.#startTimer();
  }

  /** CR.RST: addresses and configuration stay (5.7). */
  #softReset(): void {
    this.#registers[REG.CR] = 0;
    for (let index = 0; index < TRANSMIT_BUFFERS; index++) this.#view.setUint32(REG.TSD + 4 * index, TSD.OWN, true);
    this.#registers.fill(0, REG.TSAD, REG.TSAD + 4 * TRANSMIT_BUFFERS);
    this.#set16(REG.CAPR, 0x10000 - CAPR_LAG);
    this.#set16(REG.CBR, 0);
    this.#set16(REG.IMR, 0);
    this.#set16(REG.ISR, 0);
    this.#view.setUint32(REG.TCR, 0, true);
    this.#view.setUint32(REG.RCR, 0, true);
    this.#view.setUint32(REG.TIMER_INT, 0, true);
    this.#timer.cancel();
    this.#wire.cancel();
    this.#segment = undefined;
    this.#updateInterrupt();
  }

  // Timer

  get #ticks(): bigint {
    return ((this.#clock.nowNs() - this.#timerStartNs) * TICKS) / TICKS_NS;
  }

  #startTimer(): void {
    this.#timerStartNs = this.#clock.nowNs();
    this.#armTimer();
  }

  /** The timer raises an interrupt when it is at TimerInt, unless that is 0. */
  #armTimer(): void {
    const at = BigInt(this.#get32(REG.TIMER_INT));
    if (at === 0n || at <= this.#ticks) this.#timer.cancel();
    else this.#timer.set(this.#timerStartNs + (at * TICKS_NS) / TICKS);
  }

  // Frames

  #transmit(index: number): void {
    const at = REG.TSD + 4 * index;
    const status = this.#get32(at) & TSD.OF_DRIVER;
    this.#view.setUint32(at, status, true);
    if (status & TSD.OWN || !((this.#registers[REG.CR] ?? 0) & CR.TRANSMIT) || !this.pci.busMaster) return;
    const packet = new Uint8Array(Math.min(status & TSD.SIZE, MAX_FRAME_BYTES));
    this.#memory.read(this.#get32(REG.TSAD + 4 * index), packet);
    this.#view.setUint32(at, status | TSD.OWN | TSD.OK, true);
    if (packet.length >= 14) this.#send(new Frame(packet));
    this.#raise(ISR.TOK);
  }

  #send(frame: Frame): void {
    if ((this.#get32(REG.TCR) & TCR_LOOPBACK) === TCR_LOOPBACK) {
      this.#place(frame);
    } else if (this.#port.send(frame)) this.#port.flush();
  }

  get #bufferBytes(): number {
    return 8192 << ((this.#get32(REG.RCR) >>> RCR.LENGTH_SHIFT) & 3);
  }

  /** Bytes in the receive buffer that the driver has not taken. */
  get #unread(): number {
    const size = this.#bufferBytes;
    return (this.#get16(REG.CBR) - this.#get16(REG.CAPR) - CAPR_LAG + 2 * 0x10000) % size;
  }

  #place(frame: Frame): boolean {
    if (!((this.#registers[REG.CR] ?? 0) & CR.RECEIVE) || !this.pci.busMaster) return true;
    const kind = this.#kindOf(frame.bytes);
    if (kind === 0) return true;
    // A large segment is more than the buffer holds: its packets go in as the driver makes room.
    if (this.#segment?.frame !== frame) this.#segment = { frame, packets: cut(frame) };
    const { packets } = this.#segment;
    for (let packet = packets[0]; packet; packet = packets[0]) {
      // Never filled to the brim: that would be empty.
      if (this.#unread + spaceOf(packet.bytes.length) >= this.#bufferBytes) return false;
      this.#putPacket(packet.bytes, kind);
      this.#raise(ISR.ROK);
      packets.shift();
    }
    this.#segment = undefined;
    return true;
  }

  #putPacket(source: Uint8Array, kind: number): void {
    const length = Math.max(MIN_FRAME_BYTES, source.length) + CRC_BYTES;
    const packet = new Uint8Array(PACKET_HEADER_BYTES + length);
    const view = new DataView(packet.buffer);
    view.setUint16(0, PACKET.OK | kind, true);
    view.setUint16(2, length, true);
    packet.set(source, PACKET_HEADER_BYTES);
    const size = this.#bufferBytes;
    const start = this.#get32(REG.RBSTART);
    const at = this.#get16(REG.CBR) % size;
    // With WRAP the last packet goes on behind the buffer's end, where the driver has left room; never with the largest buffer.
    const linear = (this.#get32(REG.RCR) & RCR.WRAP) !== 0 && size < 0x10000;
    const first = linear ? packet.length : Math.min(packet.length, size - at);
    this.#memory.write(start + at, packet.subarray(0, first));
    if (first < packet.length) this.#memory.write(start, packet.subarray(first));
    this.#set16(REG.CBR, (at + spaceOf(source.length)) % size);
  }

  /** The status bit by which a frame is taken; 0: nobody wants it. */
  #kindOf(frame: Uint8Array): number {
    const wanted = this.#get32(REG.RCR);
    if (!isGroupAddress(frame)) {
      if (sameBytes(frame, 0, this.#registers, REG.IDR, 6))
        return wanted & (RCR.OWN_ADDRESS | RCR.ALL) ? PACKET.OWN_ADDRESS : 0;
      return wanted & RCR.ALL ? PACKET.OK : 0;
    }
    if (frame.subarray(0, 6).every((byte) => byte === 0xff)) {
      return wanted & (RCR.BROADCAST | RCR.ALL) ? PACKET.BROADCAST : 0;
    }
    if (wanted & RCR.ALL) return PACKET.MULTICAST;
    if (!(wanted & RCR.MULTICAST)) return 0;
    const bit = hashOf(frame);
    return (((this.#registers[REG.MAR + (bit >>> 3)] ?? 0) >>> (bit & 7)) & 1) !== 0 ? PACKET.MULTICAST : 0;
  }

  // Device

  reset(): void {
    this.pci.reset();
    this.end.clear();
    this.#powerOn();
  }

  save(): Rtl8139State {
    return {
      pci: this.pci.save(),
      registers: this.#registers.slice(),
      wires: this.#wires.save(),
      timerStartNs: this.#timerStartNs,
      timerArmed: this.#timer.deadlineNs !== undefined,
      wireNs: this.#wire.deadlineNs ?? null,
    };
  }

  restore(state: Rtl8139State): void {
    this.pci.restore(state.pci);
    this.end.clear();
    this.#registers.set(state.registers);
    this.#wires.restore(state.wires);
    this.#timerStartNs = state.timerStartNs;
    this.#timer.cancel();
    if (state.timerArmed) this.#armTimer();
    if (state.wireNs === null) this.#wire.cancel();
    else this.#wire.set(state.wireNs);
    this.#segment = undefined;
    this.#updateInterrupt();
    // The network is a new one: the driver looks at the link again.
    this.#port.announce();
  }

  dispose(): void {
    this.#timer.cancel();
    this.#wire.cancel();
    this.pci.dispose();
  }
}

/** Of a frame in the receive buffer, with what is around it. */
function spaceOf(frameBytes: number): number {
  return (PACKET_HEADER_BYTES + Math.max(MIN_FRAME_BYTES, frameBytes) + CRC_BYTES + 3) & ~3;
}

/** Of the address a frame goes to: the highest six bits of the checksum that Ethernet would make of it. */
function hashOf(frame: Uint8Array): number {
  let crc = -1;
  for (const byte of frame.subarray(0, 6)) {
    for (let bit = 0; bit < 8; bit++) {
      const feedback = (crc >>> 31) ^ ((byte >>> bit) & 1);
      crc = (crc << 1) ^ (feedback ? CRC_POLYNOMIAL : 0);
    }
  }
  return crc >>> 26;
}

/** Identity and address as the part's own EEPROM has them (data sheet, chapter 6). */
function eepromOf(mac: Uint8Array): Uint16Array {
  const words = new Uint16Array(EEPROM_WORDS);
  words.set([0x8129, VENDOR_ID, DEVICE_ID, VENDOR_ID, DEVICE_ID, 0x4020, 0xe512]);
  for (let i = 0; i < 3; i++) words[7 + i] = (mac[2 * i] as number) | ((mac[2 * i + 1] as number) << 8);
  return words;
}
