// A human interface device with one report in and perhaps one out (USB HID 1.11): reports wait in a short queue for the host to fetch them.
import { z } from "zod";
import { bytesUpTo, u8 } from "../state-schema.ts";
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
  word,
} from "./usb-device.ts";

const REQUEST = { GET_REPORT: 1, GET_IDLE: 2, GET_PROTOCOL: 3, SET_REPORT: 9, SET_IDLE: 10, SET_PROTOCOL: 11 } as const;
const INPUT = USB_IN | 1;
/** 2^(n-1) microframes: a millisecond. */
const INTERVAL = 4;
const HID_CLASS = 3;
/** Older reports give way: the newest state is what counts. */
const MAX_QUEUED = 32;
const MAX_REPORT_BYTES = 8;

export interface HidDescription {
  readonly productId: number;
  readonly product: string;
  /** Boot interface: 1 keyboard, 2 mouse, 0 none. */
  readonly bootProtocol: 0 | 1 | 2;
  readonly reportDescriptor: readonly number[];
  readonly reportBytes: number;
}

const stateSchema = z.strictObject({
  standard: standardStateSchema,
  protocol: u8,
  idle: u8,
  output: u8,
  queue: z.array(bytesUpTo(MAX_REPORT_BYTES)).max(MAX_QUEUED),
  last: bytesUpTo(MAX_REPORT_BYTES),
});
type HidState = z.infer<typeof stateSchema>;

export class HidDevice implements UsbDevice<HidState> {
  readonly stateSchema = stateSchema;
  readonly #standard: StandardRequests;
  #port: UsbPort | undefined;
  #protocol = 1;
  #idle = 0;
  /** The last output report: a keyboard's lights. */
  #output = 0;
  #queue: Uint8Array[] = [];
  #last: Uint8Array;

  constructor(description: HidDescription) {
    const { productId, product, bootProtocol, reportDescriptor, reportBytes } = description;
    const hid = [9, DESCRIPTOR.HID, 0x11, 0x01, 0, 1, DESCRIPTOR.REPORT, ...word(reportDescriptor.length)];
    this.#last = new Uint8Array(reportBytes);
    this.#standard = new StandardRequests({
      ...{ productId, product, manufacturer: "Terrarium", serial: "1" },
      interfaces: [
        [
          ...[9, DESCRIPTOR.INTERFACE, 0, 0, 1, HID_CLASS, bootProtocol === 0 ? 0 : 1, bootProtocol, 0],
          ...hid,
          ...endpointDescriptor(INPUT, TRANSFER.INTERRUPT, reportBytes, INTERVAL),
        ],
      ],
      further: new Map<number, readonly number[]>([
        [DESCRIPTOR.HID, hid],
        [DESCRIPTOR.REPORT, reportDescriptor],
      ]),
    });
  }

  /** A driver listens. */
  get active(): boolean {
    return this.#standard.configured;
  }

  get output(): number {
    return this.#output;
  }

  plug(port: UsbPort): void {
    this.#port = port;
  }

  /** Without a driver nothing is kept. */
  report(report: Uint8Array): void {
    this.#last = report;
    if (!this.active) return;
    if (this.#queue.length === MAX_QUEUED) this.#queue.shift();
    this.#queue.push(report);
    this.#port?.ready(INPUT);
  }

  reset(): void {
    this.#standard.reset();
    this.#protocol = 1;
    this.#idle = 0;
    this.#output = 0;
    this.#queue = [];
  }

  control(setup: SetupPacket, data: Uint8Array): Uint8Array | "stall" {
    const standard = this.#standard.handle(setup);
    if (standard !== undefined) return standard;
    const done = new Uint8Array(0);
    switch (setup.request) {
      case REQUEST.GET_REPORT:
        return this.#last;
      case REQUEST.SET_REPORT:
        this.#output = data[0] ?? 0;
        return done;
      case REQUEST.GET_IDLE:
        return Uint8Array.of(this.#idle);
      case REQUEST.SET_IDLE:
        this.#idle = setup.value >> 8;
        return done;
      case REQUEST.GET_PROTOCOL:
        return Uint8Array.of(this.#protocol);
      case REQUEST.SET_PROTOCOL:
        this.#protocol = setup.value & 1;
        return done;
      default:
        return "stall";
    }
  }

  receive(): "stall" {
    return "stall";
  }

  send(endpoint: number, maxBytes: number): Uint8Array | "nak" | "stall" {
    if (endpoint !== INPUT) return "stall";
    return this.#queue.shift()?.subarray(0, maxBytes) ?? "nak";
  }

  save(): HidState {
    return {
      standard: this.#standard.save(),
      ...{ protocol: this.#protocol, idle: this.#idle, output: this.#output },
      queue: this.#queue.map((report) => report.slice()),
      last: this.#last.slice(),
    };
  }

  restore(state: HidState): void {
    this.#standard.restore(state.standard);
    this.#protocol = state.protocol & 1;
    this.#idle = state.idle;
    this.#output = state.output;
    this.#queue = state.queue.map((report) => report.slice());
    this.#last = state.last.slice();
  }
}
