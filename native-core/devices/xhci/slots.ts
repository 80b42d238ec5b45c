// Device slots (xHCI 1.2 4.5, 4.6): the commands by which a driver addresses devices and sets up their endpoints. Contexts lie in guest
// memory; they are read when a command says so and written when something changes.
import { z } from "zod";
import type { GuestMemory } from "../device.ts";
import { u8 } from "../state-schema.ts";
import type { UsbDevice } from "../usb/usb-device.ts";
import { Endpoint, endpointStateSchema } from "./endpoint.ts";
import type { EventRing } from "./event-ring.ts";
import { CC, CONTEXT_BYTES, ENDPOINTS, EP_STATE, EP_TYPE, SLOT_STATE, SLOTS, TRB, TRB_BITS } from "./registers.ts";
import { type Trb, typeOf } from "./trb.ts";

const CONTROL_ENDPOINT = 1;
const SLOT_STATE_SHIFT = 27;
const EP_STATE_MASK = 7;

export const slotsStateSchema = z
  .array(
    z.strictObject({
      slot: z.int().min(1).max(SLOTS),
      port: z.int().min(-1).max(255),
      state: u8,
      endpoints: z.array(endpointStateSchema.extend({ index: z.int().min(1).max(ENDPOINTS) })).max(ENDPOINTS),
    }),
  )
  .max(SLOTS);
type SlotsState = z.infer<typeof slotsStateSchema>;

interface Slot {
  /** Of the root hub, counted from 0; -1 before the device is addressed. */
  port: number;
  state: number;
  readonly endpoints: Map<number, Endpoint>;
}

export interface SlotsParts {
  readonly memory: GuestMemory;
  readonly events: EventRing;
  readonly contexts: () => bigint;
  readonly deviceAt: (port: number) => UsbDevice | undefined;
}

export class Slots {
  readonly #parts: SlotsParts;
  readonly #slots = new Map<number, Slot>();

  constructor(parts: SlotsParts) {
    this.#parts = parts;
  }

  reset(): void {
    this.#slots.clear();
  }

  /** Something may be waiting for an endpoint. */
  ring(number: number, index: number): void {
    const slot = this.#slots.get(number);
    const endpoint = slot?.endpoints.get(index);
    if (!endpoint || endpoint.state === EP_STATE.HALTED) return;
    const before = endpoint.state;
    endpoint.state = EP_STATE.RUNNING;
    endpoint.run();
    if (endpoint.state !== before) this.#writeEndpoint(number, index, endpoint);
  }

  /** A device at a port has something for an endpoint, by its address. */
  ready(port: number, address: number): void {
    const index = (address & 0xf) * 2 + (address >> 7);
    for (const [number, slot] of this.#slots) {
      if (slot.port === port && slot.endpoints.get(index)?.state === EP_STATE.RUNNING) this.ring(number, index);
    }
  }

  /** A command that concerns slots. Yields its completion code and slot. */
  execute(command: Trb, enabled: number): { code: number; slot: number } {
    if (typeOf(command) === TRB.ENABLE_SLOT) return this.#enable(enabled);
    const number = command.control >>> 24;
    const slot = this.#slots.get(number);
    return { code: slot ? this.#run(command, number, slot) : CC.SLOT_NOT_ENABLED, slot: number };
  }

  save(): SlotsState {
    return Array.from(this.#slots, ([number, slot]) => ({
      ...{ slot: number, port: slot.port, state: slot.state },
      endpoints: Array.from(slot.endpoints, ([index, endpoint]) => ({ index, ...endpoint.save() })),
    }));
  }

  restore(state: SlotsState): void {
    this.#slots.clear();
    for (const { slot: number, port, state: slotState, endpoints } of state) {
      const slot: Slot = { port, state: slotState, endpoints: new Map() };
      this.#slots.set(number, slot);
      for (const { index, type, dequeue, state: endpointState } of endpoints) {
        const endpoint = this.#endpoint(number, slot, index, type, dequeue);
        endpoint.state = endpointState & EP_STATE_MASK;
      }
    }
  }

  #enable(enabled: number): { code: number; slot: number } {
    for (let number = 1; number <= Math.min(enabled, SLOTS); number++) {
      if (this.#slots.has(number)) continue;
      this.#slots.set(number, { port: -1, state: 0, endpoints: new Map() });
      return { code: CC.SUCCESS, slot: number };
    }
    return { code: CC.NO_SLOTS, slot: 0 };
  }

  #run(command: Trb, number: number, slot: Slot): number {
    const input = Number(command.parameter & 0xffff_ffff_fff0n);
    const block = (command.control & TRB_BITS.BLOCK) !== 0;
    const index = (command.control >>> 16) & 0x1f;
    switch (typeOf(command)) {
      case TRB.DISABLE_SLOT:
        this.#slots.delete(number);
        return CC.SUCCESS;
      case TRB.ADDRESS_DEVICE:
        return this.#address(number, slot, input, block);
      case TRB.CONFIGURE_ENDPOINT:
        return this.#configure(number, slot, input, block);
      case TRB.EVALUATE_CONTEXT:
        return this.#evaluate(number, input);
      case TRB.RESET_DEVICE:
        return this.#resetDevice(number, slot);
      case TRB.RESET_ENDPOINT:
        return this.#change(number, slot, index, [EP_STATE.HALTED], (endpoint) => {
          endpoint.state = EP_STATE.STOPPED;
        });
      case TRB.STOP_ENDPOINT:
        return this.#change(number, slot, index, [EP_STATE.RUNNING, EP_STATE.STOPPED], (endpoint) => {
          endpoint.state = EP_STATE.STOPPED;
        });
      case TRB.SET_DEQUEUE:
        return this.#change(number, slot, index, [EP_STATE.STOPPED], (endpoint) => {
          endpoint.dequeue = command.parameter;
        });
      default:
        return CC.TRB_ERROR;
    }
  }

  /** 4.6.5. Without a device at the port, or behind a hub, there is nothing to address. */
  #address(number: number, slot: Slot, input: number, block: boolean): number {
    const { memory, deviceAt } = this.#parts;
    const slotContext = input + CONTEXT_BYTES;
    const controlContext = input + 2 * CONTEXT_BYTES;
    if ((memory.readU32(input + 4) & 3) !== 3) return CC.PARAMETER_ERROR;
    const port = ((memory.readU32(slotContext + 4) >>> 16) & 0xff) - 1;
    const isBehindHub = (memory.readU32(slotContext) & 0xf_ffff) !== 0;
    if (isBehindHub || !deviceAt(port)) return CC.PARAMETER_ERROR;
    slot.port = port;
    slot.state = block ? SLOT_STATE.DEFAULT : SLOT_STATE.ADDRESSED;
    this.#copy(slotContext, number, 0);
    this.#writeSlot(number, slot);
    this.#open(number, slot, CONTROL_ENDPOINT, controlContext);
    return CC.SUCCESS;
  }

  /** 4.6.6: bit n of the first word drops context n, of the second adds it. */
  #configure(number: number, slot: Slot, input: number, deconfigure: boolean): number {
    const { memory } = this.#parts;
    if (slot.state < SLOT_STATE.ADDRESSED) return CC.CONTEXT_STATE_ERROR;
    const drop = deconfigure ? 0xffff_ffff : memory.readU32(input);
    const add = deconfigure ? 0 : memory.readU32(input + 4);
    for (let index = CONTROL_ENDPOINT + 1; index <= ENDPOINTS; index++) {
      const bit = 2 ** index;
      if (Math.floor(drop / bit) % 2 === 1) this.#close(number, slot, index);
      if (Math.floor(add / bit) % 2 === 1) this.#open(number, slot, index, input + (index + 1) * CONTEXT_BYTES);
    }
    slot.state = slot.endpoints.size > 1 ? SLOT_STATE.CONFIGURED : SLOT_STATE.ADDRESSED;
    if (!deconfigure) {
      // How many contexts there are now.
      const output = this.#context(number, 0);
      const entries = memory.readU32(input + CONTEXT_BYTES) & 0xf800_0000;
      if (output !== undefined) memory.writeU32(output, (memory.readU32(output) & 0x07ff_ffff) + (entries >>> 0));
    }
    this.#writeSlot(number, slot);
    return CC.SUCCESS;
  }

  /** 4.6.7: the control endpoint's packet size, which the driver learns from the device. */
  #evaluate(number: number, input: number): number {
    const { memory } = this.#parts;
    const output = this.#context(number, CONTROL_ENDPOINT);
    if (output !== undefined && (memory.readU32(input + 4) & 2) !== 0) {
      const packet = memory.readU32(input + 2 * CONTEXT_BYTES + 4) & 0xffff_0000;
      memory.writeU32(output + 4, ((memory.readU32(output + 4) & 0xffff) | packet) >>> 0);
    }
    return CC.SUCCESS;
  }

  #resetDevice(number: number, slot: Slot): number {
    for (let index = CONTROL_ENDPOINT + 1; index <= ENDPOINTS; index++) this.#close(number, slot, index);
    slot.state = SLOT_STATE.DEFAULT;
    this.#writeSlot(number, slot);
    return CC.SUCCESS;
  }

  #change(
    number: number,
    slot: Slot,
    index: number,
    allowed: readonly number[],
    change: (endpoint: Endpoint) => void,
  ): number {
    const endpoint = slot.endpoints.get(index);
    if (!endpoint || !allowed.includes(endpoint.state)) return CC.CONTEXT_STATE_ERROR;
    change(endpoint);
    this.#writeEndpoint(number, index, endpoint);
    return CC.SUCCESS;
  }

  #open(number: number, slot: Slot, index: number, input: number): void {
    const { memory } = this.#parts;
    const type = index === CONTROL_ENDPOINT ? EP_TYPE.CONTROL : (memory.readU32(input + 4) >>> 3) & 7;
    this.#copy(input, number, index);
    const endpoint = this.#endpoint(number, slot, index, type, memory.readU64(input + 8));
    this.#writeEndpoint(number, index, endpoint);
  }

  #close(number: number, slot: Slot, index: number): void {
    if (!slot.endpoints.delete(index)) return;
    const output = this.#context(number, index);
    const { memory } = this.#parts;
    if (output !== undefined) memory.writeU32(output, (memory.readU32(output) & ~EP_STATE_MASK) >>> 0);
  }

  #endpoint(number: number, slot: Slot, index: number, type: number, dequeue: bigint): Endpoint {
    const { memory, events, deviceAt } = this.#parts;
    const device = () => deviceAt(slot.port);
    const endpoint = new Endpoint({ memory, events, slot: number, index, device }, type, dequeue);
    slot.endpoints.set(index, endpoint);
    return endpoint;
  }

  #copy(input: number, number: number, index: number): void {
    const output = this.#context(number, index);
    if (output === undefined) return;
    const context = new Uint8Array(CONTEXT_BYTES);
    this.#parts.memory.read(input, context);
    this.#parts.memory.write(output, context);
  }

  #writeSlot(number: number, slot: Slot): void {
    const output = this.#context(number, 0);
    // The device's address is its slot's number.
    if (output !== undefined) {
      const address = slot.state >= SLOT_STATE.ADDRESSED ? number : 0;
      this.#parts.memory.writeU32(output + 12, ((slot.state << SLOT_STATE_SHIFT) | address) >>> 0);
    }
  }

  #writeEndpoint(number: number, index: number, endpoint: Endpoint): void {
    const { memory } = this.#parts;
    const output = this.#context(number, index);
    if (output === undefined) return;
    memory.writeU32(output, ((memory.readU32(output) & ~EP_STATE_MASK) | endpoint.state) >>> 0);
    memory.writeU64(output + 8, endpoint.dequeue);
  }

  /** Where the driver has a context of the device; undefined outside RAM. */
  #context(number: number, index: number): number | undefined {
    const { memory, contexts } = this.#parts;
    const entry = Number(contexts()) + number * 8;
    if (entry + 8 > memory.sizeBytes) return undefined;
    const context = Number(memory.readU64(entry) & 0xffff_ffff_ffc0n) + index * CONTEXT_BYTES;
    return context + CONTEXT_BYTES <= memory.sizeBytes ? context : undefined;
  }
}
