// PCI bus 0 behind the host bridge: configuration mechanism 1 at ports 0xCF8/0xCFC (PCI 3.0, 3.2.2.3.2), slots, and the four
// interrupt wires PIRQA..PIRQD that the pins of all slots share (chipset/models.ts).

import { z } from "zod";
import { assert } from "../../common/assert.ts";
import { allOnes, type SystemBus } from "../bus.ts";
import type { Device, InterruptLine, MessageInterrupts } from "../device.ts";
import { u32 } from "../state-schema.ts";
import type { PciFunction, PciSlot } from "./pci-function.ts";
import { PCI_CONFIG_ADDRESS_PORT } from "./registers.ts";

const CONFIG_ENABLE = 0x80000000;
const DATA_OFFSET = 4;
const SLOTS = 32;

export interface PciBusParts {
  bus: SystemBus;
  messages: MessageInterrupts;
  /** Which of the wires a slot's interrupt pin (1 = INTA) is soldered to. */
  wireOf(slot: number, pin: number): number;
  /** PIRQA..PIRQD: level = any function on the wire asserts it. */
  wires: readonly InterruptLine[];
  /** RAM ends here; memory BARs must not lie below. */
  ramEnd: number;
  /** Byte accesses to 0xCF9, which the chipset's reset control register shares with CONFIG_ADDRESS. */
  resetControl: { read(): number; write(value: number): void };
}

const stateSchema = z.strictObject({ address: u32 });
export type PciBusState = z.infer<typeof stateSchema>;

export class PciBus implements Device<PciBusState> {
  readonly name = "pci";
  readonly stateVersion = 1;
  readonly stateSchema = stateSchema;
  readonly #parts: PciBusParts;
  readonly #functions = new Map<number, PciFunction>();
  readonly #asserted: Set<number>[] = [new Set(), new Set(), new Set(), new Set()];
  #address = 0;

  constructor(parts: PciBusParts) {
    this.#parts = parts;
    parts.bus.mapPorts(PCI_CONFIG_ADDRESS_PORT, 8, {
      read: (offset, size) => this.#readPort(offset, size as 1 | 2 | 4),
      write: (offset, size, value) => this.#writePort(offset, size as 1 | 2 | 4, value),
    });
  }

  /** Plugs a function in. */
  attach(slot: number, functionNumber: number, pciFunction: PciFunction): void {
    const key = slot * 8 + functionNumber;
    assert(
      slot < SLOTS && functionNumber < 8 && !this.#functions.has(key),
      `PCI slot ${slot}.${functionNumber} is free`,
    );
    this.#functions.set(key, pciFunction);
    const { interruptPin } = pciFunction;
    const wire = interruptPin === 0 ? undefined : this.#parts.wireOf(slot, interruptPin);
    pciFunction.connect({
      messages: this.#parts.messages,
      map: (kind, base, length, handler) => this.#map(kind, base, length, handler),
      setInterrupt: (level) => {
        if (wire !== undefined) this.#setWire(wire, key, level);
      },
      decodingChanged: () => {
        for (const other of this.#functions.values()) if (other !== pciFunction) other.retryMappings();
      },
    });
  }

  /** Takes out what is in a slot's function 0: its registers answer no more, and its wire is low. */
  detach(slot: number): void {
    const key = slot * 8;
    const { interruptPin = 0 } = this.#functions.get(key) ?? {};
    this.#functions.delete(key);
    if (interruptPin !== 0) this.#setWire(this.#parts.wireOf(slot, interruptPin), key, false);
  }

  /** The function at slot * 8 + number. */
  functionAt(place: number): PciFunction | undefined {
    return this.#functions.get(place);
  }

  /** Every function with its place, for the firmware that assigns resources. */
  get functions(): Iterable<readonly [slot: number, functionNumber: number, pciFunction: PciFunction]> {
    return [...this.#functions].map(([key, pciFunction]) => [key >> 3, key & 7, pciFunction] as const);
  }

  reset(): void {
    this.#address = 0;
  }

  save(): PciBusState {
    return { address: this.#address };
  }

  restore(state: PciBusState): void {
    this.#address = state.address;
  }

  #map: PciSlot["map"] = (kind, base, length, handler) => {
    const { bus, ramEnd } = this.#parts;
    if (kind === "io") return bus.portsFree(base, length) ? bus.mapPorts(base, length, handler) : undefined;
    return base >= ramEnd && bus.mmioFree(base, length) ? bus.mapMmio(base, length, handler) : undefined;
  };

  #setWire(wire: number, key: number, level: boolean): void {
    const asserted = this.#asserted[wire] as Set<number>;
    if (level) asserted.add(key);
    else asserted.delete(key);
    this.#parts.wires[wire]?.set(asserted.size > 0);
  }

  #readPort(offset: number, size: 1 | 2 | 4): number {
    if (offset >= DATA_OFFSET) return this.#selected()?.readConfig(this.#register(offset), size) ?? allOnes(size);
    if (offset === 0 && size === 4) return this.#address;
    if (offset === 1 && size === 1) return this.#parts.resetControl.read();
    return allOnes(size);
  }

  #writePort(offset: number, size: 1 | 2 | 4, value: number): void {
    if (offset >= DATA_OFFSET) this.#selected()?.writeConfig(this.#register(offset), size, value);
    else if (offset === 0 && size === 4) this.#address = (value & 0x80fffffc) >>> 0;
    else if (offset === 1 && size === 1) this.#parts.resetControl.write(value);
  }

  #selected(): PciFunction | undefined {
    const bus = (this.#address >>> 16) & 0xff;
    if ((this.#address & CONFIG_ENABLE) === 0 || bus !== 0) return undefined;
    return this.#functions.get((this.#address >>> 8) & 0xff);
  }

  #register(offset: number): number {
    return (this.#address & 0xfc) + (offset - DATA_OFFSET);
  }
}
