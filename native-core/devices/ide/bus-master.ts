// The bus master of one IDE channel: moves data between a drive and the guest's scatter/gather table (SFF-8038i).
//
// A transfer may come in pieces, as the medium delivers them; where the table was left is part of the state.
import { z } from "zod";
import type { GuestMemory } from "../device.ts";
import { flag, u8, u32 } from "../state-schema.ts";
import { BUS_MASTER, BUS_MASTER_COMMAND, BUS_MASTER_STATUS, PRD_BYTES, PRD_LAST } from "./registers.ts";

const REGION_MAX_BYTES = 0x10000;

export const busMasterStateSchema = z.strictObject({
  command: u8,
  status: u8,
  table: u32,
  next: u32,
  address: u32,
  left: u32,
  last: flag,
});
export type BusMasterState = z.infer<typeof busMasterStateSchema>;

export class BusMaster {
  readonly #memory: GuestMemory;
  readonly #started: () => void;
  #command = 0;
  #status: number = BUS_MASTER_STATUS.CAPABLE;
  #table = 0;
  /** Next descriptor, and what is left of the region of the current one. */
  #next = 0;
  #address = 0;
  #left = 0;
  #last = false;

  /** `started`: the host set the start bit. */
  constructor(memory: GuestMemory, started: () => void) {
    this.#memory = memory;
    this.#started = started;
  }

  get active(): boolean {
    return (this.#status & BUS_MASTER_STATUS.ACTIVE) !== 0;
  }

  /** The drive raised its interrupt. */
  interrupt(): void {
    this.#status |= BUS_MASTER_STATUS.INTERRUPT;
  }

  /** The drive has no more data. `failed`: the table had no room for all of it. */
  finish(failed: boolean): void {
    this.#status &= ~BUS_MASTER_STATUS.ACTIVE;
    if (failed) this.#status |= BUS_MASTER_STATUS.ERROR;
  }

  /** Copies the next piece to guest memory (`toMemory`) or from it. False if the table ends before all bytes have gone. */
  transfer(bytes: Uint8Array, toMemory: boolean): boolean {
    for (let done = 0; done < bytes.length; ) {
      if (this.#left === 0 && !this.#nextRegion()) return false;
      const length = Math.min(this.#left, bytes.length - done);
      const part = bytes.subarray(done, done + length);
      if (toMemory) this.#memory.write(this.#address, part);
      else this.#memory.read(this.#address, part);
      this.#address += length;
      this.#left -= length;
      done += length;
    }
    return true;
  }

  reset(): void {
    this.#command = 0;
    this.#status = BUS_MASTER_STATUS.CAPABLE;
    this.#table = 0;
    this.#rewind();
  }

  read(offset: number): number {
    switch (offset) {
      case BUS_MASTER.COMMAND:
        return this.#command;
      case BUS_MASTER.STATUS:
        return this.#status;
      default:
        return offset >= BUS_MASTER.TABLE ? (this.#table >>> (8 * (offset - BUS_MASTER.TABLE))) & 0xff : 0;
    }
  }

  write(offset: number, value: number): void {
    if (offset === BUS_MASTER.COMMAND) this.#writeCommand(value);
    else if (offset === BUS_MASTER.STATUS) {
      const cleared = value & (BUS_MASTER_STATUS.INTERRUPT | BUS_MASTER_STATUS.ERROR);
      this.#status = (this.#status & ~cleared & ~BUS_MASTER_STATUS.CAPABLE) | (value & BUS_MASTER_STATUS.CAPABLE);
    } else if (offset >= BUS_MASTER.TABLE) {
      const shift = 8 * (offset - BUS_MASTER.TABLE);
      this.#table = ((this.#table & ~(0xff << shift)) | (value << shift)) >>> 0;
    }
  }

  save(): BusMasterState {
    return {
      command: this.#command,
      status: this.#status,
      table: this.#table,
      next: this.#next,
      address: this.#address,
      left: this.#left,
      last: this.#last,
    };
  }

  restore(state: BusMasterState): void {
    this.#command = state.command & (BUS_MASTER_COMMAND.START | BUS_MASTER_COMMAND.TO_MEMORY);
    this.#status = state.status & 0x67;
    this.#table = state.table;
    this.#next = state.next;
    this.#address = state.address;
    this.#left = Math.min(state.left, REGION_MAX_BYTES);
    this.#last = state.last;
  }

  #writeCommand(value: number): void {
    const starting = (value & ~this.#command & BUS_MASTER_COMMAND.START) !== 0;
    this.#command = value & (BUS_MASTER_COMMAND.START | BUS_MASTER_COMMAND.TO_MEMORY);
    if (!(this.#command & BUS_MASTER_COMMAND.START)) this.#status &= ~BUS_MASTER_STATUS.ACTIVE;
    if (!starting) return;
    this.#status |= BUS_MASTER_STATUS.ACTIVE;
    this.#rewind();
    this.#started();
  }

  #rewind(): void {
    this.#next = (this.#table & ~3) >>> 0;
    this.#left = 0;
    this.#last = false;
  }

  /** A descriptor: {address:u32 count:u16 flags:u16}; a count of 0 means 64 KiB. */
  #nextRegion(): boolean {
    if (this.#last) return false;
    this.#address = (this.#memory.readU32(this.#next) & ~1) >>> 0;
    const control = this.#memory.readU32(this.#next + 4);
    this.#left = control & 0xfffe || REGION_MAX_BYTES;
    this.#last = (control & PRD_LAST) !== 0;
    this.#next = (this.#next + PRD_BYTES) >>> 0;
    return true;
  }
}
