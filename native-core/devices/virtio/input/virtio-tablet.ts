// virtio-input (virtio 1.2 5.8) as a tablet: a pointer with absolute position, three buttons and a wheel. The guest's pointer is then
// exactly where the user's is, which a PS/2 mouse behind a viewer can't promise.
import { z } from "zod";
import type { AccessSize } from "../../device.ts";
import { u8 } from "../../state-schema.ts";
import { DEVICE_ID } from "../constants.ts";
import { readConfigBytes, type VirtioModel, type VirtioTransportServices } from "../model.ts";
import { ABS, BTN, bitmap, EV, INPUT_CONFIG, REL } from "./input-codes.ts";

/** Both axes go from 0 to this, whatever the picture's size. */
const AXIS_MAX = 0x7fff;

const CONFIG_LENGTH = 136;
const CONFIG_SIZE = 2;
const CONFIG_PAYLOAD = 8;

const EVENT_BYTES = 8;
const EVENT_QUEUE = 0;
const STATUS_QUEUE = 1;

const BUTTONS = [BTN.LEFT, BTN.RIGHT, BTN.MIDDLE] as const;

const tabletStateSchema = z.object({ select: u8, subselect: u8, buttons: u8 });
type VirtioTabletState = z.infer<typeof tabletStateSchema>;

export interface TabletState {
  /** Position as a fraction of the picture, 0 to 1. */
  readonly x: number;
  readonly y: number;
  /** Bit 0 left, 1 right, 2 middle. */
  readonly buttons: number;
  /** Detents turned since the last call, down positive. */
  readonly wheel: number;
}

export class VirtioTablet implements VirtioModel<VirtioTabletState> {
  readonly deviceId = DEVICE_ID.INPUT;
  readonly pciClass = 0x0980;
  readonly features = 0n;
  readonly queueSizes = [64, 8];
  readonly configLength = CONFIG_LENGTH;
  readonly stateSchema = tabletStateSchema;
  readonly #config = new Uint8Array(CONFIG_LENGTH);
  #buttons = 0;
  /** The latest state that the driver had no room for. */
  #unsent: TabletState | undefined;
  #services!: VirtioTransportServices;

  /** A driver listens: otherwise the user's motion has to go elsewhere. */
  get active(): boolean {
    return this.#services.running;
  }

  /** Tells the driver, or keeps the state until it has room: positions in between are not missed by anybody. */
  report(state: TabletState): void {
    const { x, y, buttons } = state;
    const wheel = state.wheel + (this.#unsent?.wheel ?? 0);
    const events: [type: number, code: number, value: number][] = [
      [EV.ABS, ABS.X, toAxis(x)],
      [EV.ABS, ABS.Y, toAxis(y)],
    ];
    BUTTONS.forEach((code, index) => {
      const bit = 1 << index;
      if ((buttons ^ this.#buttons) & bit) events.push([EV.KEY, code, buttons & bit ? 1 : 0]);
    });
    // Linux counts a wheel turned up as positive.
    if (wheel !== 0) events.push([EV.REL, REL.WHEEL, -wheel]);
    events.push([EV.SYN, 0, 0]);
    const sent = this.#send(events);
    if (sent) this.#buttons = buttons;
    this.#unsent = sent || !this.active ? undefined : { x, y, buttons, wheel };
  }

  attach(services: VirtioTransportServices): void {
    this.#services = services;
  }

  readConfig(offset: number, size: AccessSize): number {
    return readConfigBytes(this.#config, offset, size);
  }

  /** virtio 1.2 5.8.5: select and subselect choose what the rest of the structure shows. */
  writeConfig(offset: number, size: AccessSize, value: number): void {
    for (let at = 0; at < size; at++) {
      if (offset + at <= 1) this.#config[offset + at] = value >>> (8 * at);
    }
    this.#fillConfig();
  }

  notified(queueIndex: number): void {
    if (queueIndex === EVENT_QUEUE) {
      if (this.#unsent) this.report({ ...this.#unsent, wheel: 0 });
      return;
    }
    // Lights and force feedback, which a tablet has not: taken and forgotten.
    const queue = this.#services.queues[STATUS_QUEUE];
    if (!queue) return;
    for (let chain = queue.pop(); chain; chain = queue.pop()) queue.push(chain, 0);
    this.#services.signal(queue);
  }

  reset(): void {
    this.#config.fill(0);
    this.#buttons = 0;
    this.#unsent = undefined;
  }

  save(): VirtioTabletState {
    return { select: this.#config[0] ?? 0, subselect: this.#config[1] ?? 0, buttons: this.#buttons };
  }

  restore(state: VirtioTabletState): void {
    this.#config[0] = state.select;
    this.#config[1] = state.subselect;
    this.#fillConfig();
    this.#buttons = state.buttons;
    this.#unsent = undefined;
  }

  #send(events: readonly (readonly [type: number, code: number, value: number])[]): boolean {
    const queue = this.#services.queues[EVENT_QUEUE];
    if (!queue || !this.active || queue.available < events.length) return false;
    const bytes = new Uint8Array(EVENT_BYTES);
    const view = new DataView(bytes.buffer);
    for (const [type, code, value] of events) {
      const chain = queue.pop();
      if (!chain) return false;
      view.setUint16(0, type, true);
      view.setUint16(2, code, true);
      view.setInt32(4, value, true);
      const length = Math.min(EVENT_BYTES, chain.writableBytes);
      chain.write(0, bytes.subarray(0, length));
      queue.push(chain, length);
    }
    this.#services.signal(queue);
    return true;
  }

  #fillConfig(): void {
    const payload = describe(this.#config[0] ?? 0, this.#config[1] ?? 0);
    this.#config.fill(0, CONFIG_SIZE);
    this.#config[CONFIG_SIZE] = payload.length;
    this.#config.set(payload, CONFIG_PAYLOAD);
  }
}

function toAxis(fraction: number): number {
  return Math.round(Math.min(1, Math.max(0, fraction)) * AXIS_MAX);
}

/** What the structure shows for a selection; empty where there is nothing. */
function describe(select: number, subselect: number): Uint8Array {
  switch (select) {
    case INPUT_CONFIG.ID_NAME:
      return new TextEncoder().encode("Terrarium tablet");
    case INPUT_CONFIG.ID_DEVIDS:
      // Bus type virtual, vendor and product of our own, version 1.
      return new Uint8Array(Uint16Array.of(0x06, 0x5452, 1, 1).buffer);
    case INPUT_CONFIG.EV_BITS:
      if (subselect === EV.KEY) return bitmap(BUTTONS);
      if (subselect === EV.REL) return bitmap([REL.WHEEL]);
      if (subselect === EV.ABS) return bitmap([ABS.X, ABS.Y]);
      return new Uint8Array(0);
    case INPUT_CONFIG.ABS_INFO:
      // Minimum, maximum, fuzz, flat, resolution.
      if (subselect === ABS.X || subselect === ABS.Y) {
        return new Uint8Array(Uint32Array.of(0, AXIS_MAX, 0, 0, 0).buffer);
      }
      return new Uint8Array(0);
    default:
      return new Uint8Array(0);
  }
}
