// Intel 82540EM ("e1000"), the gigabit adapter that almost every system since 2002 has a driver for. One transmit and one receive ring,
// checksum and segmentation offload on the way out, INTx. On the way in frames come complete, cut and with checksums: the part has no
// large receive.
//
//   BAR 0  128 KiB registers     BAR 1  64 ports: index and data of the same registers
import { z } from "zod";
import type { Frame } from "../../network/frame.ts";
import { cut } from "../../network/offload.ts";
import { isGroupAddress, sameBytes } from "../../network/packets/ethernet.ts";
import type { AccessSize, Device, GuestMemory, IoHandler } from "../device.ts";
import {
  CRC_BYTES,
  ethernetFunction,
  MIN_FRAME_BYTES,
  type NetworkAdapter,
  type NetworkAdapterOptions,
} from "../network/adapter.ts";
import { NetworkPort } from "../network/port.ts";
import type { ReceiveQueue } from "../network/receive-queue.ts";
import type { PciFunction, PciFunctionState } from "../pci/pci-function.ts";
import { bytes, flag, u32 } from "../state-schema.ts";
import { Eeprom, eepromStateSchema } from "./eeprom.ts";
import { Phy, phyStateSchema } from "./phy.ts";
import {
  CTRL_PHY_RST,
  CTRL_RST,
  DESCRIPTOR_BYTES,
  ICR_BITS,
  IO_ADDR,
  IO_DATA,
  RAH_AV,
  RCTL,
  RECEIVE_ADDRESSES,
  REG,
  STATUS_FD,
  STATUS_LU,
  STATUS_SPEED,
  TCTL_EN,
} from "./registers.ts";
import { Transmitter, transmitStateSchema } from "./transmit.ts";

const VENDOR_ID = 0x8086;
const DEVICE_ID = 0x100e;
const REGISTER_BYTES = 0x20000;
const IO_BYTES = 64;
const MAX_FRAME_BYTES = 1522;
/** RXD status: done, end of packet, checksums not looked at. */
const RXD_STATUS = 1 | 2 | 4;

export interface E1000Options extends NetworkAdapterOptions {
  readonly name: string;
  readonly memory: GuestMemory;
}

interface E1000State {
  pci: PciFunctionState;
  registers: Uint8Array;
  ioAddress: number;
  linkUp: boolean;
  eeprom: z.infer<typeof eepromStateSchema>;
  phy: number[];
  transmit: z.infer<typeof transmitStateSchema>;
}

export class E1000 implements Device<E1000State>, NetworkAdapter, IoHandler {
  readonly name: string;
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<E1000State>;
  readonly pci: PciFunction;
  readonly #port: NetworkPort;
  readonly #memory: GuestMemory;
  readonly #mac: Uint8Array;
  readonly #registers = new Uint8Array(REG.END);
  readonly #view = new DataView(this.#registers.buffer);
  readonly #eeprom: Eeprom;
  readonly #phy = new Phy();
  readonly #transmitter: Transmitter;
  #ioAddress = 0;

  constructor(options: E1000Options) {
    this.name = options.name;
    this.#memory = options.memory;
    this.#mac = options.mac;
    this.#eeprom = new Eeprom(options.mac, DEVICE_ID);
    this.#transmitter = new Transmitter(options.memory);
    this.#phy.onRestart = () => this.#raise(ICR_BITS.LSC);
    this.pci = ethernetFunction({ vendorId: VENDOR_ID, deviceId: DEVICE_ID, revision: 3, subsystemId: 0x001e });
    this.pci.addBar({ index: 0, kind: "memory", sizeBytes: REGISTER_BYTES, handler: this });
    this.pci.addBar({ index: 1, kind: "io", sizeBytes: IO_BYTES, handler: this.#ports() });
    this.#port = new NetworkPort(options, {
      place: (frame) => this.#place(frame),
      linkChanged: () => {
        this.#phy.linkUp = this.#port.linkUp;
        this.#raise(ICR_BITS.LSC);
      },
    });
    this.stateSchema = z.object({
      pci: this.pci.stateSchema,
      registers: bytes(REG.END),
      ioAddress: u32,
      linkUp: flag,
      eeprom: eepromStateSchema,
      phy: phyStateSchema,
      transmit: transmitStateSchema,
    });
    this.#resetRegisters();
  }

  // Host side

  get end(): ReceiveQueue {
    return this.#port.end;
  }

  setLink(up: boolean): void {
    this.#port.setLink(up);
  }

  // Registers

  /** Registers are 32 bits wide; a smaller access gets its part of one. */
  read(offset: number, size: AccessSize): number {
    const value = this.#readRegister(offset & ~3) >>> (8 * (offset & 3));
    return size >= 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1);
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (size === 4 && (offset & 3) === 0) this.#writeRegister(offset, value);
  }

  #ports(): IoHandler {
    return {
      read: (offset) => {
        if (offset === IO_ADDR) return this.#ioAddress;
        return offset === IO_DATA ? this.#readRegister(this.#ioAddress & ~3) : 0;
      },
      write: (offset, size, value) => {
        if (size !== 4) return;
        if (offset === IO_ADDR) this.#ioAddress = value & (REGISTER_BYTES - 1);
        else if (offset === IO_DATA) this.#writeRegister(this.#ioAddress & ~3, value);
      },
    };
  }

  #readRegister(offset: number): number {
    switch (offset) {
      case REG.STATUS:
        return STATUS_FD | STATUS_SPEED | (this.#port.linkUp ? STATUS_LU : 0);
      case REG.EECD:
        return this.#eeprom.eecd;
      case REG.EERD:
        return this.#eeprom.eerd;
      case REG.ICR: {
        // Reading acknowledges (13.4.17).
        const causes = this.#get(REG.ICR);
        this.#set(REG.ICR, 0);
        this.#updateInterrupt();
        return causes;
      }
      case REG.ICS:
      case REG.IMC:
        return 0;
      default: {
        if (offset >= REG.END) return 0;
        const value = this.#get(offset);
        if (offset >= REG.STATISTICS && offset < REG.STATISTICS_END) this.#set(offset, 0);
        return value;
      }
    }
  }

  #writeRegister(offset: number, value: number): void {
    switch (offset) {
      case REG.CTRL:
        if (value & CTRL_RST) {
          this.#resetRegisters();
          return;
        }
        if (value & CTRL_PHY_RST) this.#phy.reset();
        this.#set(REG.CTRL, value & ~CTRL_PHY_RST);
        return;
      case REG.STATUS:
        return;
      case REG.EECD:
        this.#eeprom.eecd = value;
        return;
      case REG.EERD:
        this.#eeprom.eerd = value;
        return;
      case REG.MDIC:
        this.#set(REG.MDIC, this.#phy.command(value));
        return;
      case REG.ICR:
        this.#set(REG.ICR, this.#get(REG.ICR) & ~value);
        this.#updateInterrupt();
        return;
      case REG.ICS:
        this.#raise(value);
        return;
      case REG.IMS:
        this.#set(REG.IMS, this.#get(REG.IMS) | value);
        this.#updateInterrupt();
        return;
      case REG.IMC:
        this.#set(REG.IMS, this.#get(REG.IMS) & ~value);
        this.#updateInterrupt();
        return;
      default:
        this.#writePlain(offset, value);
    }
  }

  #writePlain(offset: number, value: number): void {
    if (offset >= REG.END || (offset >= REG.STATISTICS && offset < REG.STATISTICS_END)) return;
    this.#set(offset, value);
    if (offset === REG.TDT || offset === REG.TCTL) this.#transmit();
    if (offset === REG.RDT || offset === REG.RCTL) this.end.drain();
  }

  #get(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  #set(offset: number, value: number): void {
    this.#view.setUint32(offset, value >>> 0, true);
  }

  #raise(causes: number): void {
    this.#set(REG.ICR, this.#get(REG.ICR) | causes);
    this.#updateInterrupt();
  }

  #updateInterrupt(): void {
    this.pci.setInterrupt((this.#get(REG.ICR) & this.#get(REG.IMS)) !== 0);
  }

  #resetRegisters(): void {
    this.#registers.fill(0);
    this.#eeprom.reset();
    this.#phy.reset();
    this.#phy.linkUp = this.#port.linkUp;
    this.#transmitter.reset();
    // Loaded from the EEPROM (13.5.2); the address of the adapter is the first one it listens to.
    this.#registers.set(this.#mac, REG.RAL);
    this.#set(REG.RAH, this.#get(REG.RAH) | RAH_AV);
    this.#updateInterrupt();
  }

  // Rings

  /** Base and number of descriptors; undefined for a ring outside memory or of no length. */
  #ring(base: number, lengthRegister: number): { address: number; count: number } | undefined {
    const address = this.#get(base) + this.#get(base + 4) * 2 ** 32;
    const length = this.#get(lengthRegister) & 0xfff80;
    if (length === 0 || address % DESCRIPTOR_BYTES !== 0 || address + length > this.#memory.sizeBytes) return undefined;
    return { address, count: length / DESCRIPTOR_BYTES };
  }

  #transmit(): void {
    const ring = this.#ring(REG.TDBAL, REG.TDLEN);
    if (!ring || !(this.#get(REG.TCTL) & TCTL_EN) || !this.pci.busMaster) return;
    const tail = this.#get(REG.TDT);
    let head = this.#get(REG.TDH);
    if (tail >= ring.count || head >= ring.count || head === tail) return;
    let causes = 0;
    let sent = false;
    while (head !== tail) {
      const { frame, reported } = this.#transmitter.take(ring.address + head * DESCRIPTOR_BYTES);
      if (reported) causes |= ICR_BITS.TXDW;
      head = (head + 1) % ring.count;
      if (frame && this.#port.send(frame)) sent = true;
    }
    this.#set(REG.TDH, head);
    this.#raise(causes | ICR_BITS.TXQE);
    if (sent) this.#port.flush();
  }

  #place(frame: Frame): boolean {
    if (!this.#port.linkUp || !(this.#get(REG.RCTL) & RCTL.EN) || !this.pci.busMaster) return true;
    if (!this.#accepts(frame.bytes)) return true;
    const ring = this.#ring(REG.RDBAL, REG.RDLEN);
    if (!ring) return true;
    const parts = cut(frame);
    const head = this.#get(REG.RDH);
    const tail = this.#get(REG.RDT);
    if (head >= ring.count || tail >= ring.count) return true;
    const free = (tail - head + ring.count) % ring.count;
    // All packets of a segment or none, unless the ring could never hold them.
    if (free < parts.length && parts.length < ring.count) return false;
    let at = head;
    for (const part of parts.slice(0, free)) {
      if (this.#writeFrame(ring.address + at * DESCRIPTOR_BYTES, part.bytes)) at = (at + 1) % ring.count;
    }
    this.#set(REG.RDH, at);
    this.#raise(ICR_BITS.RXT0 | (at === tail ? ICR_BITS.RXDMT0 : 0));
    return true;
  }

  /** False when the frame does not fit a buffer: this part would spread it, drivers never let it come to that. */
  #writeFrame(descriptor: number, source: Uint8Array): boolean {
    const control = this.#get(REG.RCTL);
    const crc = control & RCTL.SECRC ? 0 : CRC_BYTES;
    const length = Math.max(MIN_FRAME_BYTES, source.length) + crc;
    if (length > this.#bufferBytes(control) || (source.length > MAX_FRAME_BYTES && !(control & RCTL.LPE))) return false;
    const address = this.#memory.readU32(descriptor) + this.#memory.readU32(descriptor + 4) * 2 ** 32;
    const packet = new Uint8Array(length);
    packet.set(source);
    this.#memory.write(address, packet);
    this.#memory.writeU32(descriptor + 8, length);
    this.#memory.writeU32(descriptor + 12, RXD_STATUS);
    return true;
  }

  /** RCTL.BSIZE and BSEX (13.4.22). */
  #bufferBytes(control: number): number {
    const size = (control >>> RCTL.BSIZE_SHIFT) & 3;
    return (control & RCTL.BSEX) !== 0 && size > 0 ? 32_768 >>> size : 2048 >>> size;
  }

  #accepts(frame: Uint8Array): boolean {
    const control = this.#get(REG.RCTL);
    if (!isGroupAddress(frame)) return (control & RCTL.UPE) !== 0 || this.#isListed(frame);
    if (control & RCTL.MPE) return true;
    if (frame.subarray(0, 6).every((byte) => byte === 0xff)) return (control & RCTL.BAM) !== 0;
    if (this.#isListed(frame)) return true;
    // 13.5.1: twelve bits of the address choose a bit of the table.
    const shift = [4, 3, 2, 0][(control >>> RCTL.MO_SHIFT) & 3] ?? 4;
    const bits = ((((frame[5] as number) << 8) | (frame[4] as number)) >>> shift) & 0xfff;
    return ((this.#get(REG.MTA + (bits >>> 5) * 4) >>> (bits & 31)) & 1) !== 0;
  }

  #isListed(frame: Uint8Array): boolean {
    for (let index = 0; index < RECEIVE_ADDRESSES; index++) {
      const valid = (this.#get(REG.RAH + 8 * index) & RAH_AV) !== 0;
      if (valid && sameBytes(frame, 0, this.#registers, REG.RAL + 8 * index, 6)) return true;
    }
    return false;
  }

  // Device

  reset(): void {
    this.pci.reset();
    this.end.clear();
    this.#ioAddress = 0;
    this.#resetRegisters();
  }

  save(): E1000State {
    return {
      pci: this.pci.save(),
      registers: this.#registers.slice(),
      ioAddress: this.#ioAddress,
      linkUp: this.#port.linkUp,
      eeprom: this.#eeprom.save(),
      phy: this.#phy.save(),
      transmit: this.#transmitter.save(),
    };
  }

  restore(state: E1000State): void {
    this.pci.restore(state.pci);
    this.end.clear();
    this.#registers.set(state.registers);
    this.#ioAddress = state.ioAddress & (REGISTER_BYTES - 1);
    this.#eeprom.restore(state.eeprom);
    this.#phy.restore(state.phy);
    this.#phy.linkUp = this.#port.linkUp;
    this.#transmitter.restore(state.transmit);
    this.#updateInterrupt();
    // The network is a new one: the driver looks at the link again.
    this.#port.announce();
  }

  dispose(): void {
    this.pci.dispose();
  }
}
