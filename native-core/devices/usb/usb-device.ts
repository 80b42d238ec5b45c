// A USB device as its host controller sees it, and the requests that all devices answer alike (USB 2.0, chapter 9).
import { z } from "zod";
import { flag, u8 } from "../state-schema.ts";

export interface SetupPacket {
  readonly requestType: number;
  readonly request: number;
  readonly value: number;
  readonly index: number;
  readonly length: number;
}

/** `nak`: nothing now, ask again when the device calls `ready`. `stall`: the request makes no sense, the endpoint halts. */
type Refusal = "nak" | "stall";

/** What a device may ask of the port that it is plugged into. */
export interface UsbPort {
  /** An endpoint that answered `nak` has something to say, or room: its address, with bit 7 for towards the host. */
  ready(endpoint: number): void;
}

/** High speed. `S` is the saved state. */
export interface UsbDevice<S = unknown> {
  readonly stateSchema: z.ZodType<S>;
  plug(port: UsbPort): void;
  reset(): void;
  /** A control transfer: what goes to the host, cut to `setup.length` by the caller. */
  control(setup: SetupPacket, data: Uint8Array): Uint8Array | "stall";
  /** Takes all of `data` or nothing. */
  receive(endpoint: number, data: Uint8Array): "ok" | Refusal;
  /** At most `maxBytes`; fewer end the transfer. */
  send(endpoint: number, maxBytes: number): Uint8Array | Refusal;
  save(): S;
  restore(state: S): void;
  /** The machine runs again after `restore`: what was in flight is done once more. */
  resume?(): void;
}

export const USB_IN = 0x80;
const REQUEST = {
  GET_STATUS: 0,
  CLEAR_FEATURE: 1,
  SET_FEATURE: 3,
  SET_ADDRESS: 5,
  GET_DESCRIPTOR: 6,
  GET_CONFIGURATION: 8,
  SET_CONFIGURATION: 9,
  GET_INTERFACE: 10,
  SET_INTERFACE: 11,
} as const;
export const DESCRIPTOR = {
  DEVICE: 1,
  CONFIGURATION: 2,
  STRING: 3,
  INTERFACE: 4,
  ENDPOINT: 5,
  HID: 0x21,
  REPORT: 0x22,
} as const;
const RECIPIENT = { DEVICE: 0, INTERFACE: 1, ENDPOINT: 2 } as const;
const FEATURE_REMOTE_WAKEUP = 1;
const SELF_POWERED = 1;
const REMOTE_WAKEUP = 2;

export interface DeviceDescription {
  readonly productId: number;
  readonly manufacturer: string;
  readonly product: string;
  readonly serial: string;
  /** Interface and endpoint descriptors. */
  readonly interfaces: readonly (readonly number[])[];
  /** Further descriptors by type, such as a HID report descriptor. */
  readonly further?: ReadonlyMap<number, readonly number[]>;
}

/** Nobody's vendor number, as the codec's (devices/hda). */
const VENDOR_ID = 0x5452;
/** English (United States). */
const LANGUAGE = [0x09, 0x04];

export const standardStateSchema = z.strictObject({ configuration: u8, remoteWakeup: flag });
type StandardState = z.infer<typeof standardStateSchema>;

/** Chapter 9 for a device with one configuration. */
export class StandardRequests {
  readonly #description: DeviceDescription;
  readonly #strings: readonly string[];
  #configuration = 0;
  #remoteWakeup = false;

  constructor(description: DeviceDescription) {
    this.#description = description;
    this.#strings = [description.manufacturer, description.product, description.serial];
  }

  /** A driver has chosen the configuration: the device is in use. */
  get configured(): boolean {
    return this.#configuration !== 0;
  }

  reset(): void {
    this.#configuration = 0;
    this.#remoteWakeup = false;
  }

  save(): StandardState {
    return { configuration: this.#configuration, remoteWakeup: this.#remoteWakeup };
  }

  restore(state: StandardState): void {
    this.#configuration = state.configuration;
    this.#remoteWakeup = state.remoteWakeup;
  }

  /** Undefined: no standard request. */
  handle({ requestType, request, value, index }: SetupPacket): Uint8Array | "stall" | undefined {
    if ((requestType & 0x60) !== 0) return undefined;
    const recipient = requestType & 0x1f;
    const done = new Uint8Array(0);
    switch (request) {
      case REQUEST.GET_DESCRIPTOR:
        return this.#descriptor(value >> 8, value & 0xff);
      case REQUEST.GET_STATUS:
        return Uint8Array.of(
          recipient === RECIPIENT.DEVICE ? SELF_POWERED | (this.#remoteWakeup ? REMOTE_WAKEUP : 0) : 0,
          0,
        );
      case REQUEST.CLEAR_FEATURE:
      case REQUEST.SET_FEATURE:
        if (recipient === RECIPIENT.DEVICE && value === FEATURE_REMOTE_WAKEUP) {
          this.#remoteWakeup = request === REQUEST.SET_FEATURE;
        }
        return done;
      case REQUEST.SET_ADDRESS:
        // The host controller keeps track of addresses.
        return done;
      case REQUEST.GET_CONFIGURATION:
        return Uint8Array.of(this.#configuration);
      case REQUEST.SET_CONFIGURATION:
        if (value > 1) return "stall";
        this.#configuration = value;
        return done;
      case REQUEST.GET_INTERFACE:
        return Uint8Array.of(0);
      case REQUEST.SET_INTERFACE:
        return value === 0 && index < this.#description.interfaces.length ? done : "stall";
      default:
        return "stall";
    }
  }

  #descriptor(type: number, index: number): Uint8Array | "stall" {
    const { productId, interfaces, further } = this.#description;
    switch (type) {
      case DESCRIPTOR.DEVICE:
        return Uint8Array.from([
          ...[18, DESCRIPTOR.DEVICE, 0x00, 0x02, 0, 0, 0, 64],
          ...[...word(VENDOR_ID), ...word(productId), 0x00, 0x01, 1, 2, 3, 1],
        ]);
      case DESCRIPTOR.CONFIGURATION: {
        const body = interfaces.flat();
        // Self-powered, with remote wake-up, 2 mA.
        return Uint8Array.from([
          ...[9, DESCRIPTOR.CONFIGURATION, ...word(9 + body.length), interfaces.length, 1, 0, 0xe0, 1],
          ...body,
        ]);
      }
      case DESCRIPTOR.STRING: {
        if (index === 0) return Uint8Array.from([4, DESCRIPTOR.STRING, ...LANGUAGE]);
        const text = this.#strings[index - 1];
        if (text === undefined) return "stall";
        const characters = Array.from(text, (character) => word(character.charCodeAt(0))).flat();
        return Uint8Array.from([characters.length + 2, DESCRIPTOR.STRING, ...characters]);
      }
      default: {
        const descriptor = further?.get(type);
        return descriptor ? Uint8Array.from(descriptor) : "stall";
      }
    }
  }
}

export function word(value: number): [number, number] {
  return [value & 0xff, value >> 8];
}

/** Transfer types of endpoint descriptors. */
export const TRANSFER = { BULK: 2, INTERRUPT: 3 } as const;

export function endpointDescriptor(address: number, type: number, maxPacket: number, interval: number): number[] {
  return [7, DESCRIPTOR.ENDPOINT, address, type, ...word(maxPacket), interval];
}
