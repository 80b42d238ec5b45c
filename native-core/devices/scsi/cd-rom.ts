// A CD/DVD drive as its SCSI commands show it, without a transport: IDE and SATA carry the same commands in packets.
// The disc may change at any time; the guest learns of it by unit attention and events, as from a real drive (MMC-5 4.1.6).
import { z } from "zod";
import type { BlockBackend } from "../block-backend.ts";
import { flag, u8 } from "../state-schema.ts";
import { driveConfiguration, inquiryData, modePages, tableOfContents } from "./cd-replies.ts";
import { CD_BLOCK_BYTES, SCSI, SENSE, type Sense, senseData } from "./registers.ts";

export type ScsiReply =
  /** Already cut to what the host allows. */
  | { readonly kind: "data"; readonly data: Uint8Array }
  /** Bytes of the medium. */
  | { readonly kind: "read"; readonly offset: number; readonly length: number }
  | { readonly kind: "ok" }
  /** `sense` tells why. */
  | { readonly kind: "error" };

const EVENT = { NONE: 0, EJECT_REQUEST: 1, NEW_MEDIUM: 2, REMOVED: 3 } as const;
const MEDIA_EVENT_CLASS = 4;
const OPERATIONAL_CHANGE_AND_MEDIA = (1 << 1) | (1 << MEDIA_EVENT_CLASS);

export const cdRomStateSchema = z.strictObject({
  sense: z.tuple([u8, u8, u8]),
  powerOnAttention: flag,
  changeAttention: flag,
  locked: flag,
  trayOpen: flag,
  event: z.int().min(0).max(3),
});
export type CdRomState = z.infer<typeof cdRomStateSchema>;

const ok: ScsiReply = { kind: "ok" };

export class ScsiCdRom {
  #medium: BlockBackend | undefined;
  #sense: Sense = SENSE.NONE;
  #powerOnAttention = true;
  #changeAttention = false;
  #locked = false;
  #trayOpen = false;
  #event: number = EVENT.NONE;
  /** The guest opened the tray: whoever holds the disc takes it out. */
  onEjected: (() => void) | undefined;

  constructor(medium: BlockBackend | undefined) {
    this.#medium = medium;
  }

  /** The disc, where the guest can read it. */
  get medium(): BlockBackend | undefined {
    return this.#trayOpen ? undefined : this.#medium;
  }

  get sense(): Sense {
    return this.#sense;
  }

  /** The guest does not want to lose the disc. */
  get locked(): boolean {
    return this.#locked;
  }

  /** Puts a disc in, or takes it out, whatever the guest wants. */
  insert(medium: BlockBackend | undefined): void {
    this.#medium = medium;
    this.#trayOpen = false;
    this.#locked = false;
    this.#changeAttention = medium !== undefined;
    this.#event = medium ? EVENT.NEW_MEDIUM : EVENT.REMOVED;
  }

  /** The button on the drive: asks the guest for the disc. */
  requestEject(): void {
    this.#event = EVENT.EJECT_REQUEST;
  }

  reset(): void {
    this.#sense = SENSE.NONE;
    this.#powerOnAttention = true;
    this.#locked = false;
  }

  /** A read that `execute` promised has failed. */
  readFailed(): void {
    this.#sense = SENSE.UNRECOVERED_READ;
  }

  save(): CdRomState {
    return {
      sense: [...this.#sense],
      powerOnAttention: this.#powerOnAttention,
      changeAttention: this.#changeAttention,
      locked: this.#locked,
      trayOpen: this.#trayOpen,
      event: this.#event,
    };
  }

  restore(state: CdRomState): void {
    this.#sense = state.sense;
    this.#powerOnAttention = state.powerOnAttention;
    this.#changeAttention = state.changeAttention;
    this.#locked = state.locked;
    this.#trayOpen = state.trayOpen;
    this.#event = state.event;
  }

  /** `command`: at least 12 bytes. */
  execute(command: Uint8Array): ScsiReply {
    const operation = command[0] ?? 0;
    const view = new DataView(command.buffer, command.byteOffset, command.length);
    if (operation === SCSI.REQUEST_SENSE) return this.#requestSense(view.getUint8(4));
    if (operation === SCSI.INQUIRY) return this.#inquiry(view);
    if (operation === SCSI.GET_EVENT_STATUS) return this.#eventStatus(view);
    if (operation === SCSI.GET_CONFIGURATION) {
      return data(driveConfiguration(this.#sizeBytes, view.getUint8(1) & 3, view.getUint16(2)), view.getUint16(7));
    }
    if (this.#powerOnAttention || this.#changeAttention) {
      const sense = this.#powerOnAttention ? SENSE.POWER_ON : SENSE.MEDIUM_CHANGED;
      if (this.#powerOnAttention) this.#powerOnAttention = false;
      else this.#changeAttention = false;
      return this.#fail(sense);
    }
    this.#sense = SENSE.NONE;
    switch (operation) {
      case SCSI.MODE_SENSE_6:
        return this.#modeSense(view, 6);
      case SCSI.MODE_SENSE_10:
        return this.#modeSense(view, 10);
      case SCSI.START_STOP_UNIT:
        return this.#startStop(view.getUint8(4));
      case SCSI.PREVENT_ALLOW_REMOVAL:
        this.#locked = (view.getUint8(4) & 1) !== 0;
        return ok;
      case SCSI.SET_CD_SPEED:
      case SCSI.SYNCHRONIZE_CACHE:
        return ok;
      case SCSI.MECHANISM_STATUS:
        return data(Uint8Array.of(0, this.#trayOpen ? 0x10 : 0, 0, 0, 0, 1, 0, 0), view.getUint16(8));
    }
    if (!this.medium) return this.#fail(this.#trayOpen ? SENSE.NO_MEDIUM_TRAY_OPEN : SENSE.NO_MEDIUM_TRAY_CLOSED);
    switch (operation) {
      case SCSI.TEST_UNIT_READY:
        return ok;
      case SCSI.READ_10:
        return this.#read(view.getUint32(2), view.getUint16(7));
      case SCSI.READ_12:
        return this.#read(view.getUint32(2), view.getUint32(6));
      case SCSI.READ_CD:
        return this.#readCd(view);
      case SCSI.SEEK_10:
        return view.getUint32(2) < this.#blocks ? ok : this.#fail(SENSE.BLOCK_OUT_OF_RANGE);
      case SCSI.READ_CAPACITY: {
        const reply = new DataView(new ArrayBuffer(8));
        reply.setUint32(0, Math.max(0, this.#blocks - 1));
        reply.setUint32(4, CD_BLOCK_BYTES);
        return { kind: "data", data: new Uint8Array(reply.buffer) };
      }
      case SCSI.READ_TOC: {
        const format = view.getUint8(2) & 0x0f || view.getUint8(9) >> 6;
        const toc = tableOfContents(format, (view.getUint8(1) & 2) !== 0, view.getUint8(6), this.#blocks);
        return toc ? data(toc, view.getUint16(7)) : this.#fail(SENSE.INVALID_FIELD);
      }
      case SCSI.READ_SUB_CHANNEL:
        return data(Uint8Array.of(0, 0x15, 0, 0), view.getUint16(7));
      case SCSI.READ_DISC_INFORMATION: {
        const reply = new Uint8Array(34);
        // Finished, one session, one track, a CD-ROM.
        reply.set([0, 32, 0x0e, 1, 1, 1, 1, 0x20]);
        return data(reply, view.getUint16(7));
      }
      default:
        return this.#fail(SENSE.INVALID_COMMAND);
    }
  }

  get #sizeBytes(): number {
    return this.medium?.sizeBytes ?? 0;
  }

  get #blocks(): number {
    return Math.floor(this.#sizeBytes / CD_BLOCK_BYTES);
  }

  #fail(sense: Sense): ScsiReply {
    this.#sense = sense;
    return { kind: "error" };
  }

  #read(block: number, count: number): ScsiReply {
    if (block + count > this.#blocks) return this.#fail(SENSE.BLOCK_OUT_OF_RANGE);
    return count === 0 ? ok : { kind: "read", offset: block * CD_BLOCK_BYTES, length: count * CD_BLOCK_BYTES };
  }

  /** Only the user data of data blocks: byte 9 says which parts of a block are wanted. */
  #readCd(view: DataView): ScsiReply {
    const wanted = view.getUint8(9) & 0xf8;
    if (wanted === 0) return ok;
    const count = view.getUint32(5) & 0xffffff;
    return wanted === 0x10 ? this.#read(view.getUint32(2), count) : this.#fail(SENSE.INVALID_FIELD);
  }

  #requestSense(allowed: number): ScsiReply {
    const attention = this.#sense[0] === 0 && this.#powerOnAttention;
    const [key, code, qualifier] = attention ? SENSE.POWER_ON : this.#sense;
    if (attention) this.#powerOnAttention = false;
    this.#sense = SENSE.NONE;
    return data(senseData([key, code, qualifier]), allowed);
  }

  #inquiry(view: DataView): ScsiReply {
    const reply = inquiryData((view.getUint8(1) & 1) !== 0, view.getUint8(2));
    return reply ? data(reply, view.getUint16(3)) : this.#fail(SENSE.INVALID_FIELD);
  }

  #eventStatus(view: DataView): ScsiReply {
    const polled = (view.getUint8(1) & 1) !== 0;
    if (!polled) return this.#fail(SENSE.INVALID_FIELD);
    if ((view.getUint8(4) & (1 << MEDIA_EVENT_CLASS)) === 0) {
      return data(Uint8Array.of(0, 2, 0x80, OPERATIONAL_CHANGE_AND_MEDIA), view.getUint16(7));
    }
    const event = this.#event;
    this.#event = EVENT.NONE;
    const status = (this.#trayOpen ? 1 : 0) | (this.medium ? 2 : 0);
    return data(Uint8Array.of(0, 6, MEDIA_EVENT_CLASS, 1 << MEDIA_EVENT_CLASS, event, status, 0, 0), view.getUint16(7));
  }

  #modeSense(view: DataView, length: 6 | 10): ScsiReply {
    const page = view.getUint8(2);
    const pages = modePages(page & 0x3f, this.#locked);
    if (!pages || page >> 6 === 3) return this.#fail(SENSE.INVALID_FIELD);
    const header = new Uint8Array(length === 6 ? 4 : 8);
    const total = header.length + pages.length;
    if (length === 6) header[0] = total - 1;
    else new DataView(header.buffer).setUint16(0, total - 2);
    const reply = new Uint8Array(total);
    reply.set(header);
    reply.set(pages, header.length);
    return data(reply, length === 6 ? view.getUint8(4) : view.getUint16(7));
  }

  #startStop(bits: number): ScsiReply {
    const loadEject = (bits & 2) !== 0;
    const start = (bits & 1) !== 0;
    if (!loadEject) return ok;
    if (start) {
      this.#trayOpen = false;
      return ok;
    }
    if (this.#locked) return this.#fail(SENSE.REMOVAL_PREVENTED);
    this.#trayOpen = true;
    this.#event = EVENT.REMOVED;
    this.onEjected?.();
    return ok;
  }
}

function data(bytes: Uint8Array, allowed: number): ScsiReply {
  return allowed === 0 ? ok : { kind: "data", data: bytes.subarray(0, allowed) };
}
