// virtio-input (virtio 1.2 5.8), what all its kinds have in common: the configuration space through which a driver asks what there is,
// events to the driver in whole packets, and what the driver sends back. A kind says what it is and when it reports.
import type { z } from "zod";
import type { AccessSize } from "../../device.ts";
import { DEVICE_ID } from "../constants.ts";
import { readConfigBytes, type VirtioModel, type VirtioTransportServices } from "../model.ts";
import { bitmap, EV, INPUT_CONFIG } from "./input-codes.ts";

const CONFIG_LENGTH = 136;
const CONFIG_SIZE = 2;
const CONFIG_PAYLOAD = 8;

const EVENT_BYTES = 8;
const EVENT_QUEUE = 0;
const STATUS_QUEUE = 1;
const EVENT_QUEUE_SIZE = 64;
const STATUS_QUEUE_SIZE = 8;

/** Bus type virtual (linux/input.h), vendor and version of our own. */
const BUS_VIRTUAL = 0x06;
const VENDOR = 0x5452;
const VERSION = 1;

type DeviceEvent = readonly [type: number, code: number, value: number];

export interface InputDescription {
  readonly name: string;
  readonly productId: number;
  /** What it may send and take: codes by event type. */
  readonly codes: ReadonlyMap<number, readonly number[]>;
  /** Its absolute axes: all go from 0 to the largest value. */
  readonly axisMax?: number;
}

export abstract class VirtioInput<S> implements VirtioModel<S> {
  readonly deviceId = DEVICE_ID.INPUT;
  readonly pciClass = 0x0980;
  readonly features = 0n;
  readonly queueSizes = [EVENT_QUEUE_SIZE, STATUS_QUEUE_SIZE];
  readonly configLength = CONFIG_LENGTH;
  abstract readonly stateSchema: z.ZodType<S>;
  readonly #description: InputDescription;
  readonly #config = new Uint8Array(CONFIG_LENGTH);
  #services!: VirtioTransportServices;

  protected constructor(description: InputDescription) {
    this.#description = description;
  }

  /** A driver listens: otherwise what the user does has to go elsewhere. */
  get active(): boolean {
    return this.#services.running;
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
    if (queueIndex === EVENT_QUEUE) return this.hasRoom();
    const queue = this.#services.queues[STATUS_QUEUE];
    if (!queue) return;
    const bytes = new Uint8Array(EVENT_BYTES);
    const view = new DataView(bytes.buffer);
    for (let chain = queue.pop(); chain; chain = queue.pop()) {
      if (chain.readableBytes >= EVENT_BYTES) {
        chain.read(0, bytes);
        this.told(view.getUint16(0, true), view.getUint16(2, true), view.getInt32(4, true));
      }
      queue.push(chain, 0);
    }
    this.#services.signal(queue);
  }

  reset(): void {
    this.#config.fill(0);
    this.forget();
  }

  abstract save(): S;
  abstract restore(state: S): void;

  /** The driver made room for events. */
  protected abstract hasRoom(): void;
  /** The driver sent an event: lights to be lit, and what else it likes. */
  protected told(_type: number, _code: number, _value: number): void {}
  /** Back to power-on. */
  protected abstract forget(): void;

  protected get selection(): { select: number; subselect: number } {
    return { select: this.#config[0] ?? 0, subselect: this.#config[1] ?? 0 };
  }

  protected restoreSelection({ select, subselect }: { select: number; subselect: number }): void {
    this.#config[0] = select;
    this.#config[1] = subselect;
    this.#fillConfig();
  }

  /** A packet and the mark that ends it, if the driver has room for all of it; else nothing is sent and false returned. */
  protected send(packet: readonly DeviceEvent[]): boolean {
    const queue = this.#services.queues[EVENT_QUEUE];
    if (!queue || !this.active || queue.available < packet.length + 1) return false;
    const bytes = new Uint8Array(EVENT_BYTES);
    const view = new DataView(bytes.buffer);
    for (const [type, code, value] of [...packet, [EV.SYN, 0, 0] as const]) {
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
    const { select, subselect } = this.selection;
    const payload = this.#describe(select, subselect);
    this.#config.fill(0, CONFIG_SIZE);
    this.#config[CONFIG_SIZE] = payload.length;
    this.#config.set(payload, CONFIG_PAYLOAD);
  }

  /** What the structure shows for a selection; empty where there is nothing. */
  #describe(select: number, subselect: number): Uint8Array {
    const { name, productId, codes, axisMax = 0 } = this.#description;
    const known = codes.get(subselect);
    switch (select) {
      case INPUT_CONFIG.ID_NAME:
        return new TextEncoder().encode(name);
      case INPUT_CONFIG.ID_DEVIDS:
        return new Uint8Array(Uint16Array.of(BUS_VIRTUAL, VENDOR, productId, VERSION).buffer);
      case INPUT_CONFIG.EV_BITS:
        return known ? bitmap(known) : new Uint8Array(0);
      case INPUT_CONFIG.ABS_INFO:
        // Minimum, maximum, fuzz, flat, resolution.
        return codes.get(EV.ABS)?.includes(subselect)
          ? new Uint8Array(Uint32Array.of(0, axisMax, 0, 0, 0).buffer)
          : new Uint8Array(0);
      default:
        return new Uint8Array(0);
    }
  }
}
