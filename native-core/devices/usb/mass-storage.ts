// A USB stick: SCSI commands over the bulk-only transport (USB Mass Storage Class, Bulk-Only 1.0).
//
//   command (31 bytes out) --> data in or out, if any --> status (13 bytes in)
//
// The medium takes its time: meanwhile both endpoints answer NAK. What was in flight when the state was saved starts over.
import { z } from "zod";
import type { BlockBackend } from "../block-backend.ts";
import { type DiskCommand, diskCommand } from "../scsi/disk-commands.ts";
import type { DiskIdentity } from "../scsi/disk-replies.ts";
import { SENSE, type Sense } from "../scsi/registers.ts";
import { bytesUpTo, u8, u32 } from "../state-schema.ts";
import {
  DESCRIPTOR,
  endpointDescriptor,
  type SetupPacket,
  StandardRequests,
  standardStateSchema,
  TRANSFER,
  USB_IN,
  type UsbDevice,
  type UsbPort,
} from "./usb-device.ts";

const REQUEST = { GET_MAX_LUN: 0xfe, RESET: 0xff } as const;
const BULK_IN = USB_IN | 1;
const BULK_OUT = 2;
const MAX_PACKET = 512;
const STORAGE_CLASS = 8;
const TRANSPARENT_SCSI = 6;
const BULK_ONLY = 0x50;

const CBW_SIGNATURE = 0x4342_5355;
const CBW_BYTES = 31;
const CSW_SIGNATURE = 0x5342_5355;
const CSW_BYTES = 13;
const CSW_STATUS = { PASSED: 0, FAILED: 1, PHASE_ERROR: 2 } as const;
const COMMAND_BYTES = 16;
/** Drivers ask for a fraction of it; a command for more is refused. */
const MAX_TRANSFER_BYTES = 4 << 20;

const PHASES = ["command", "in", "out", "working", "status"] as const;
type Phase = (typeof PHASES)[number];

const stateSchema = z.strictObject({
  standard: standardStateSchema,
  phase: z.enum(PHASES),
  tag: u32,
  /** Of the host's announcement, what has not been transferred. */
  residue: u32,
  status: u8,
  sense: z.tuple([u8, u8, u8]),
  /** What is being executed. */
  command: bytesUpTo(COMMAND_BYTES),
  data: bytesUpTo(MAX_TRANSFER_BYTES),
  /** In `data`: sent or received so far. */
  done: u32,
});
type MassStorageState = z.infer<typeof stateSchema>;

export interface MassStorageParts {
  readonly id: string;
  readonly disk: BlockBackend;
  readonly deliver: (apply: () => void) => void;
  readonly onError?: ((request: string, error: unknown) => void) | undefined;
}

export class MassStorage implements UsbDevice<MassStorageState> {
  readonly stateSchema = stateSchema;
  readonly #parts: MassStorageParts;
  readonly #standard: StandardRequests;
  readonly #identity: DiskIdentity;
  #port: UsbPort | undefined;
  #phase: Phase = "command";
  #tag = 0;
  #residue = 0;
  #status: number = CSW_STATUS.PASSED;
  #sense: Sense = SENSE.NONE;
  #command: Uint8Array = new Uint8Array(COMMAND_BYTES);
  #data: Uint8Array = new Uint8Array(0);
  #done = 0;
  /** Counts commands and resets, so that a completion that came too late does nothing. */
  #life = 0;

  constructor(parts: MassStorageParts) {
    this.#parts = parts;
    this.#identity = { product: "USB disk", serial: serialOf(parts.id), removable: true };
    this.#standard = new StandardRequests({
      ...{ productId: 3, manufacturer: "Terrarium", product: "USB disk", serial: serialOf(parts.id) },
      interfaces: [
        [
          ...[9, DESCRIPTOR.INTERFACE, 0, 0, 2, STORAGE_CLASS, TRANSPARENT_SCSI, BULK_ONLY, 0],
          ...endpointDescriptor(BULK_IN, TRANSFER.BULK, MAX_PACKET, 0),
          ...endpointDescriptor(BULK_OUT, TRANSFER.BULK, MAX_PACKET, 0),
        ],
      ],
    });
  }

  plug(port: UsbPort): void {
    this.#port = port;
  }

  reset(): void {
    this.#standard.reset();
    this.#restart();
    this.#sense = SENSE.NONE;
  }

  control(setup: SetupPacket): Uint8Array | "stall" {
    const standard = this.#standard.handle(setup);
    if (standard !== undefined) return standard;
    if (setup.request === REQUEST.GET_MAX_LUN) return Uint8Array.of(0);
    if (setup.request !== REQUEST.RESET) return "stall";
    this.#restart();
    return new Uint8Array(0);
  }

  receive(endpoint: number, data: Uint8Array): "ok" | "nak" | "stall" {
    if (endpoint !== BULK_OUT) return "stall";
    if (this.#phase === "working") return "nak";
    if (this.#phase === "command") return this.#begin(data);
    if (this.#phase !== "out") return "stall";
    const room = this.#data.length - this.#done;
    this.#data.set(data.subarray(0, room), this.#done);
    this.#done += Math.min(room, data.length);
    this.#residue -= Math.min(this.#residue, data.length);
    if (this.#done === this.#data.length) this.#execute();
    return "ok";
  }

  send(endpoint: number, maxBytes: number): Uint8Array | "nak" | "stall" {
    if (endpoint !== BULK_IN) return "stall";
    if (this.#phase === "in") {
      const piece = this.#data.slice(this.#done, this.#done + maxBytes);
      this.#done += piece.length;
      this.#residue -= Math.min(this.#residue, piece.length);
      // Less than was asked for ends the data; so does all of it.
      if (piece.length < maxBytes || this.#residue === 0) this.#phase = "status";
      return piece;
    }
    if (this.#phase !== "status") return "nak";
    if (maxBytes < CSW_BYTES) return "stall";
    this.#phase = "command";
    const status = new DataView(new ArrayBuffer(CSW_BYTES));
    status.setUint32(0, CSW_SIGNATURE, true);
    status.setUint32(4, this.#tag, true);
    status.setUint32(8, this.#residue, true);
    status.setUint8(12, this.#status);
    return new Uint8Array(status.buffer);
  }

  save(): MassStorageState {
    return {
      standard: this.#standard.save(),
      ...{ phase: this.#phase, tag: this.#tag, residue: this.#residue, status: this.#status },
      ...{ sense: [...this.#sense], command: this.#command.slice(), data: this.#data.slice(), done: this.#done },
    };
  }

  restore(state: MassStorageState): void {
    this.#life++;
    this.#standard.restore(state.standard);
    this.#phase = state.phase;
    this.#tag = state.tag;
    this.#residue = state.residue;
    this.#status = state.status;
    this.#sense = state.sense;
    this.#command = new Uint8Array(COMMAND_BYTES);
    this.#command.set(state.command);
    this.#data = state.data.slice();
    this.#done = Math.min(state.done, state.data.length);
  }

  resume(): void {
    if (this.#phase === "working") this.#execute();
  }

  #restart(): void {
    this.#life++;
    this.#phase = "command";
    this.#residue = 0;
    this.#data = new Uint8Array(0);
    this.#done = 0;
  }

  /** A command block wrapper (5.1). */
  #begin(wrapper: Uint8Array): "ok" | "stall" {
    const view = new DataView(wrapper.buffer, wrapper.byteOffset, wrapper.length);
    if (wrapper.length !== CBW_BYTES || view.getUint32(0, true) !== CBW_SIGNATURE) return "stall";
    this.#tag = view.getUint32(4, true);
    this.#residue = view.getUint32(8, true);
    this.#command = wrapper.slice(15, 31);
    this.#data = new Uint8Array(0);
    this.#done = 0;
    const isIn = (view.getUint8(12) & USB_IN) !== 0;
    if (this.#residue > MAX_TRANSFER_BYTES) this.#finish(CSW_STATUS.FAILED, SENSE.INVALID_FIELD);
    else if (this.#residue > 0 && !isIn) {
      this.#data = new Uint8Array(this.#residue);
      this.#phase = "out";
    } else this.#execute();
    return "ok";
  }

  #execute(): void {
    this.#carryOut(diskCommand(this.#command, this.#parts.disk, this.#identity, this.#sense));
  }

  #carryOut(command: DiskCommand): void {
    const { disk } = this.#parts;
    const wanted = this.#data.length + this.#residue;
    const succeed = (): void => this.#finish(CSW_STATUS.PASSED, SENSE.NONE);
    switch (command.kind) {
      case "error":
        this.#finish(CSW_STATUS.FAILED, command.sense);
        break;
      case "ok":
        succeed();
        break;
      case "data":
        this.#answer(command.data);
        break;
      case "parameters":
        if (command.length > this.#data.length) return this.#finish(CSW_STATUS.PHASE_ERROR, SENSE.INVALID_FIELD);
        this.#carryOut(command.parse(this.#data.subarray(0, command.length)));
        break;
      case "flush":
        this.#work("flush", disk.flush(), succeed);
        break;
      case "writeZeroes": {
        const zeroed = command.ranges.map(({ offset, length, unmap }) => disk.writeZeroes(offset, length, unmap));
        this.#work(
          "write",
          Promise.all(zeroed).then(() => undefined),
          succeed,
        );
        break;
      }
      case "read": {
        if (command.length > wanted) return this.#finish(CSW_STATUS.PHASE_ERROR, SENSE.INVALID_FIELD);
        const target = new Uint8Array(command.length);
        this.#work("read", disk.read(command.offset, target), () => this.#answer(target));
        break;
      }
      case "write": {
        if (command.length > this.#data.length) return this.#finish(CSW_STATUS.PHASE_ERROR, SENSE.INVALID_FIELD);
        const written = disk.write(command.offset, this.#data.subarray(0, command.length));
        this.#work("write", command.durable ? written.then(() => disk.flush()) : written, succeed);
        break;
      }
    }
  }

  #work(kind: "read" | "write" | "flush", work: Promise<void>, then: () => void): void {
    const life = ++this.#life;
    this.#phase = "working";
    const { deliver, onError } = this.#parts;
    const settled = (apply: () => void) =>
      deliver(() => {
        if (life === this.#life) apply();
      });
    work.then(
      () => settled(then),
      (error: unknown) => {
        onError?.(kind, error);
        settled(() => this.#finish(CSW_STATUS.FAILED, kind === "read" ? SENSE.UNRECOVERED_READ : SENSE.WRITE_FAULT));
      },
    );
  }

  #answer(data: Uint8Array): void {
    this.#sense = SENSE.NONE;
    this.#status = CSW_STATUS.PASSED;
    this.#data = data.slice(0, this.#residue);
    this.#done = 0;
    this.#phase = this.#residue > 0 ? "in" : "status";
    this.#ready();
  }

  /** Data that the host waits for and does not get is an empty packet; what is left is told as residue. */
  #finish(status: number, sense: Sense): void {
    const expectsData = this.#data.length === 0 && this.#residue > 0;
    this.#status = status;
    this.#sense = sense;
    this.#data = new Uint8Array(0);
    this.#done = 0;
    this.#phase = expectsData ? "in" : "status";
    this.#ready();
  }

  #ready(): void {
    this.#port?.ready(BULK_IN);
    this.#port?.ready(BULK_OUT);
  }
}

/** Twelve digits and capital letters at least (4.1.1). */
function serialOf(id: string): string {
  return id
    .toUpperCase()
    .replace(/[^0-9A-Z]/g, "")
    .padStart(12, "0");
}
