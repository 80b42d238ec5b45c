// The two 8237A DMA controllers of a PC (Intel 8237A data sheet; page registers as on the PC/AT): how ISA devices, here the floppy
// controller, reach memory below 16 MiB.
//
//   00h-0Fh  channels 0-3, 8 bits     C0h-DFh  channels 4-7, 16 bits, every second port     81h-8Fh  page registers
import { z } from "zod";
import { byteWide } from "../bus.ts";
import type { Device, GuestMemory, IoBus } from "../device.ts";
import type { DmaChannel } from "../dma-channel.ts";
import { arrayOf, flag, u8, u16 } from "../state-schema.ts";

/** By channel; channel 4 links the two chips. */
const PAGE_PORTS = [0x87, 0x83, 0x81, 0x82, undefined, 0x8b, 0x89, 0x8a] as const;
const REGISTER = {
  COMMAND: 8,
  REQUEST: 9,
  MASK: 10,
  MODE: 11,
  CLEAR_POINTER: 12,
  MASTER_CLEAR: 13,
  CLEAR_MASK: 14,
  ALL_MASKS: 15,
} as const;
const MODE = { WRITE: 1 << 2, READ: 2 << 2, TYPE: 3 << 2, AUTO: 1 << 4, DOWN: 1 << 5 } as const;

const channelSchema = z.strictObject({
  ...{ baseAddress: u16, baseCount: u16, address: u16, count: u16 },
  ...{ mode: u8, page: u8, masked: flag, terminal: flag },
});
type Channel = z.infer<typeof channelSchema>;
const stateSchema = z.strictObject({ channels: arrayOf(channelSchema, 8), highBytes: arrayOf(flag, 2) });
type DmaState = z.infer<typeof stateSchema>;

const idle = (): Channel => ({
  ...{ baseAddress: 0, baseCount: 0, address: 0, count: 0 },
  ...{ mode: 0, page: 0, masked: true, terminal: false },
});

export class DmaController implements Device<DmaState> {
  readonly name = "dma";
  readonly stateVersion = 1;
  readonly stateSchema = stateSchema;
  readonly #memory: GuestMemory;
  #channels = Array.from({ length: 8 }, idle);
  /** For each chip: the next access is to the upper byte of a 16-bit register. */
  #highBytes = [false, false];

  constructor(bus: IoBus, memory: GuestMemory) {
    this.#memory = memory;
    for (const [chip, { base, step }] of [
      { base: 0, step: 1 },
      { base: 0xc0, step: 2 },
    ].entries()) {
      bus.mapPorts(
        base,
        16 * step,
        byteWide(
          (offset) => this.#read(chip, Math.floor(offset / step)),
          (offset, value) => this.#write(chip, Math.floor(offset / step), value),
        ),
      );
    }
    for (const [channel, port] of PAGE_PORTS.entries()) {
      if (port === undefined) continue;
      bus.mapPorts(
        port,
        1,
        byteWide(
          () => this.#at(channel).page,
          (_, value) => {
            this.#at(channel).page = value;
          },
        ),
      );
    }
  }

  /** One of the 8-bit channels, 0 to 3. */
  channel(number: number): DmaChannel {
    return {
      room: () => this.#room(number),
      toMemory: (data) => this.#move(number, data, MODE.WRITE, (address, part) => this.#memory.write(address, part)),
      fromMemory: (data) => this.#move(number, data, MODE.READ, (address, part) => this.#memory.read(address, part)),
    };
  }

  reset(): void {
    this.#channels = Array.from({ length: 8 }, idle);
    this.#highBytes = [false, false];
  }

  save(): DmaState {
    return { channels: this.#channels.map((channel) => ({ ...channel })), highBytes: [...this.#highBytes] };
  }

  restore(state: DmaState): void {
    this.#channels = state.channels.map((channel) => ({ ...channel }));
    this.#highBytes = [...state.highBytes];
  }

  #room(channel: number): number {
    const { masked, count } = this.#at(channel);
    return masked ? 0 : count + 1;
  }

  #at(channel: number): Channel {
    return this.#channels[channel] as Channel;
  }

  /** Addresses stay within 64 KiB. A channel set up for the other direction, or to verify, counts but moves nothing. */
  #move(number: number, data: Uint8Array, type: number, move: (address: number, part: Uint8Array) => void): boolean {
    const channel = this.#at(number);
    const length = Math.min(data.length, this.#room(number));
    for (let done = 0; done < length; ) {
      const inPage = channel.mode & MODE.DOWN ? 1 : 0x10000 - channel.address;
      const part = data.subarray(done, Math.min(length, done + inPage));
      if ((channel.mode & MODE.TYPE) === type) move(channel.page * 0x10000 + channel.address, part);
      channel.address = (channel.address + (channel.mode & MODE.DOWN ? -1 : part.length)) & 0xffff;
      done += part.length;
    }
    const ended = length === channel.count + 1;
    channel.count = (channel.count - length) & 0xffff;
    if (!ended) return false;
    channel.terminal = true;
    if (channel.mode & MODE.AUTO) {
      channel.address = channel.baseAddress;
      channel.count = channel.baseCount;
    } else channel.masked = true;
    return true;
  }

  #read(chip: number, register: number): number {
    if (register < 8) {
      const channel = this.#at(chip * 4 + (register >> 1));
      return this.#half(chip, register & 1 ? channel.count : channel.address);
    }
    if (register !== REGISTER.COMMAND) return 0;
    let status = 0;
    for (let index = 0; index < 4; index++) {
      const channel = this.#at(chip * 4 + index);
      if (channel.terminal) status |= 1 << index;
      channel.terminal = false;
    }
    return status;
  }

  #half(chip: number, value: number): number {
    const high = this.#highBytes[chip] ?? false;
    this.#highBytes[chip] = !high;
    return high ? value >> 8 : value & 0xff;
  }

  #write(chip: number, register: number, value: number): void {
    const selected = this.#at(chip * 4 + (value & 3));
    switch (register) {
      case REGISTER.MASK:
        selected.masked = (value & 4) !== 0;
        return;
      case REGISTER.MODE:
        selected.mode = value & 0xfc;
        return;
      case REGISTER.CLEAR_POINTER:
        this.#highBytes[chip] = false;
        return;
      case REGISTER.MASTER_CLEAR:
        this.#highBytes[chip] = false;
        this.#maskAll(chip, 0xf);
        return;
      case REGISTER.CLEAR_MASK:
        this.#maskAll(chip, 0);
        return;
      case REGISTER.ALL_MASKS:
        this.#maskAll(chip, value);
        return;
    }
    if (register >= 8) return;
    const channel = this.#at(chip * 4 + (register >> 1));
    const high = this.#highBytes[chip] ?? false;
    this.#highBytes[chip] = !high;
    const join = (before: number): number => (high ? (before & 0xff) | (value << 8) : (before & 0xff00) | value);
    if (register & 1) channel.count = channel.baseCount = join(channel.baseCount);
    else channel.address = channel.baseAddress = join(channel.baseAddress);
  }

  #maskAll(chip: number, bits: number): void {
    for (let index = 0; index < 4; index++) this.#at(chip * 4 + index).masked = ((bits >> index) & 1) !== 0;
  }
}
