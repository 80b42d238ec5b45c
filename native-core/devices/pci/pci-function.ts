// One PCI function: its configuration space, BARs, capabilities and interrupts. A PCI device model owns one and says what is in it;
// the bus (pci-bus.ts) gives it a slot and moves its BARs when the guest does.
//
//   const pci = new PciFunction({ vendorId: 0x1af4, deviceId: 0x1042, classCode: 0x018000, interruptPin: 1 });
//   pci.addBar({ index: 4, kind: "memory", width: 64, sizeBytes: 0x4000, handler: registers });
//   const msix = pci.addMsix(1, 2);            // BAR 1, two vectors
//   pci.addCapability(0x09, body);             // vendor-specific
import { z } from "zod";
import { assert } from "../../common/assert.ts";
import type { IoHandler, IoMapping, MessageInterrupts } from "../device.ts";
import { bytes, flag } from "../state-schema.ts";
import { MSIX_BAR_BYTES, MSIX_PBA_OFFSET, MSIX_VECTORS_MAX, Msix, type MsixState } from "./msix.ts";
import {
  MSIX,
  PCI,
  PCI_CAPABILITY_MSIX,
  PCI_COMMAND,
  PCI_COMMAND_WRITABLE,
  PCI_HEADER_MULTIFUNCTION,
  PCI_STATUS,
} from "./registers.ts";

const CONFIG_BYTES = 0x100;
const FIRST_CAPABILITY = 0x40;
const ROM_MIN_BYTES = 2048;
/** Bit 0 of the ROM's base address register; bits 10..1 are reserved. */
const ROM_ENABLE = 1;
const ROM_FLAGS = 0x7ff;
/** Stands for the expansion ROM among the BARs. */
const ROM_INDEX = 6;

export interface PciIdentity {
  vendorId: number;
  deviceId: number;
  /** Base class, subclass, interface as one 24-bit number: 0x020000 is an Ethernet controller. */
  classCode: number;
  revision?: number;
  subsystemVendorId?: number;
  subsystemId?: number;
  /** 0 = no INTx, 1 = INTA# ... 4 = INTD#. */
  interruptPin?: 0 | 1 | 2 | 3 | 4;
  multifunction?: boolean;
}

export interface BarSpec {
  /** 0..5; a 64-bit BAR takes the next index too. */
  index: number;
  kind: "io" | "memory";
  width?: 32 | 64;
  prefetchable?: boolean;
  /** Power of two; at least 4 for ports, 16 for memory. */
  sizeBytes: number;
  handler: IoHandler;
}

/** What the bus provides to the functions on it. */
export interface PciSlot {
  /** Maps a range, or undefined when something else answers there already. */
  map(kind: "io" | "memory", base: number, length: number, handler: IoHandler): IoMapping | undefined;
  setInterrupt(level: boolean): void;
  /** Decoding changed: BARs of other functions that lost a conflict may fit now. */
  decodingChanged(): void;
  readonly messages: MessageInterrupts;
}

interface Bar extends BarSpec {
  mapping: IoMapping | undefined;
  /** Where the current mapping is, or would be if nothing stood in its way. */
  mappedAt: number | undefined;
}

export interface PciFunctionState {
  config: Uint8Array;
  interrupt: boolean;
  msix: MsixState | null;
}

export class PciFunction {
  readonly #config = new Uint8Array(CONFIG_BYTES);
  readonly #writable = new Uint8Array(CONFIG_BYTES);
  readonly #powerOn = new Uint8Array(CONFIG_BYTES);
  readonly #view = new DataView(this.#config.buffer);
  readonly #bars: Bar[] = [];
  readonly #interruptPin: number;
  #nextCapability = FIRST_CAPABILITY;
  #lastCapabilityLink: number = PCI.CAPABILITIES;
  #msix: { table: Msix; capability: number } | undefined;
  #slot: PciSlot | undefined;
  #interrupt = false;
  /** Called after configuration bytes in [offset, offset + size) were written, for registers with side effects. */
  onConfigWrite: ((offset: number, size: number) => void) | undefined;
  /** Called before a configuration read, for registers that are computed (virtio's PCI access window). */
  onConfigRead: ((offset: number, size: number) => void) | undefined;

  constructor(identity: PciIdentity) {
    const view = this.#view;
    view.setUint16(PCI.VENDOR_ID, identity.vendorId, true);
    view.setUint16(PCI.DEVICE_ID, identity.deviceId, true);
    this.#config[PCI.REVISION_ID] = identity.revision ?? 0;
    this.#config[PCI.CLASS_CODE] = identity.classCode & 0xff;
    view.setUint16(PCI.CLASS_CODE + 1, identity.classCode >>> 8, true);
    this.#config[PCI.HEADER_TYPE] = identity.multifunction ? PCI_HEADER_MULTIFUNCTION : 0;
    view.setUint16(PCI.SUBSYSTEM_VENDOR_ID, identity.subsystemVendorId ?? 0, true);
    view.setUint16(PCI.SUBSYSTEM_ID, identity.subsystemId ?? 0, true);
    this.#interruptPin = identity.interruptPin ?? 0;
    this.#config[PCI.INTERRUPT_PIN] = this.#interruptPin;
    this.#setWritable(PCI.COMMAND, PCI_COMMAND_WRITABLE, 2);
    this.#setWritable(PCI.INTERRUPT_LINE, 0xff, 1);
    this.#powerOn.set(this.#config);
  }

  // Declaration: called by the device's constructor only.

  addBar(spec: BarSpec): void {
    const { index, sizeBytes, kind } = spec;
    assert((sizeBytes & (sizeBytes - 1)) === 0 && sizeBytes >= (kind === "io" ? 4 : 16), "BAR size is a power of two");
    assert(!this.#bars.some((bar) => bar.index === index), `BAR ${index} is free`);
    const offset = PCI.BAR0 + index * 4;
    let typeBits = kind === "io" ? 1 : 0;
    if (spec.width === 64) typeBits |= 4;
    if (spec.prefetchable) typeBits |= 8;
    this.#view.setUint32(offset, typeBits, true);
    this.#setWritable(offset, -sizeBytes & ~(kind === "io" ? 3 : 15), 4);
    if (spec.width === 64) this.#setWritable(offset + 4, 0xffffffff, 4);
    this.#bars.push({ ...spec, mapping: undefined, mappedAt: undefined });
    this.#powerOn.set(this.#config);
  }

  /** An expansion ROM (PCI 3.0, 6.2.5.2), which firmware maps, copies and runs. */
  addRom(image: Uint8Array): void {
    const sizeBytes = Math.max(ROM_MIN_BYTES, 2 ** Math.ceil(Math.log2(image.length)));
    this.#setWritable(PCI.EXPANSION_ROM, -sizeBytes | ROM_ENABLE, 4);
    const read: IoHandler["read"] = (offset, size) => {
      let value = 0;
      for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + (image[offset + byte] ?? 0xff);
      return value;
    };
    const handler = { read, write: () => {} };
    this.#bars.push({ index: ROM_INDEX, kind: "memory", sizeBytes, handler, mapping: undefined, mappedAt: undefined });
  }

  /** Appends a capability; `body` is what follows id and next pointer. Returns its offset in configuration space. */
  addCapability(id: number, body: Uint8Array, writable?: Uint8Array): number {
    const offset = this.#nextCapability;
    assert(offset + 2 + body.length <= CONFIG_BYTES, "capabilities fit configuration space");
    this.#config[offset] = id;
    this.#config.set(body, offset + 2);
    if (writable) this.#writable.set(writable, offset + 2);
    this.#config[this.#lastCapabilityLink] = offset;
    this.#lastCapabilityLink = offset + 1;
    this.#nextCapability = (offset + 2 + body.length + 3) & ~3;
    this.#view.setUint16(PCI.STATUS, this.#view.getUint16(PCI.STATUS, true) | PCI_STATUS.CAPABILITIES, true);
    this.#powerOn.set(this.#config);
    return offset;
  }

  /** Adds MSI-X with its table and pending bits in memory BAR `barIndex`. */
  addMsix(barIndex: number, vectors: number): Msix {
    assert(vectors >= 1 && vectors <= MSIX_VECTORS_MAX, "vector count in range");
    const table = new Msix(vectors);
    const body = new Uint8Array(MSIX.CAPABILITY_BYTES - 2);
    const view = new DataView(body.buffer);
    view.setUint16(MSIX.CONTROL - 2, vectors - 1, true);
    view.setUint32(MSIX.TABLE - 2, barIndex, true);
    view.setUint32(MSIX.PBA - 2, MSIX_PBA_OFFSET | barIndex, true);
    const writable = new Uint8Array(body.length);
    new DataView(writable.buffer).setUint16(MSIX.CONTROL - 2, MSIX.CONTROL_ENABLE | MSIX.CONTROL_MASK_ALL, true);
    const capability = this.addCapability(PCI_CAPABILITY_MSIX, body, writable);
    this.addBar({ index: barIndex, kind: "memory", sizeBytes: MSIX_BAR_BYTES, handler: table });
    this.#msix = { table, capability };
    return table;
  }

  /** Declares plain registers outside the standard header: reset value and writable bits, little-endian. */
  addRegister(offset: number, size: 1 | 2 | 4, value: number, writable: number): void {
    for (let byte = 0; byte < size; byte++) this.#config[offset + byte] = (value >>> (byte * 8)) & 0xff;
    this.#setWritable(offset, writable, size);
    this.#powerOn.set(this.#config);
  }

  // What the device uses at run time.

  get busMaster(): boolean {
    return (this.#command & PCI_COMMAND.BUS_MASTER) !== 0;
  }

  get intxDisabled(): boolean {
    return (this.#command & PCI_COMMAND.INTX_DISABLE) !== 0;
  }

  /** Level of the function's INTx pin; masked by the guest's INTx-disable bit, visible in status either way. */
  setInterrupt(level: boolean): void {
    if (this.#interrupt === level) return;
    this.#interrupt = level;
    this.#updateInterrupt();
  }

  /** Direct access to configuration bytes, past the write mask, for registers the device keeps up to date. */
  get configBytes(): Uint8Array {
    return this.#config;
  }

  // What the bus calls.

  connect(slot: PciSlot): void {
    this.#slot = slot;
    this.#msix?.table.connect(slot.messages);
  }

  get interruptPin(): number {
    return this.#interruptPin;
  }

  readConfig(offset: number, size: 1 | 2 | 4): number {
    this.onConfigRead?.(offset, size);
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= (this.#config[offset + byte] ?? 0xff) << (byte * 8);
    return value >>> 0;
  }

  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void {
    for (let byte = 0; byte < size; byte++) {
      const at = offset + byte;
      const mask = this.#writable[at] ?? 0;
      this.#config[at] = ((this.#config[at] ?? 0) & ~mask) | ((value >>> (byte * 8)) & mask);
    }
    const end = offset + size;
    if (offset < PCI.STATUS && end > PCI.COMMAND) this.#updateInterrupt();
    const touches = (start: number, bytes: number) => offset < start + bytes && end > start;
    if (touches(PCI.COMMAND, 2) || touches(PCI.BAR0, 24) || touches(PCI.EXPANSION_ROM, 4)) {
      if (this.#updateMappings()) this.#slot?.decodingChanged();
    }
    if (this.#msix && offset < this.#msix.capability + 4 && end > this.#msix.capability + 2) {
      this.#msix.table.setControl(this.#msixControl);
      this.#updateInterrupt();
    }
    this.onConfigWrite?.(offset, size);
  }

  /** Tries again to map BARs that another device stood in the way of. */
  retryMappings(): void {
    for (const bar of this.#bars) {
      if (bar.mappedAt !== undefined && bar.mapping === undefined) {
        bar.mapping = this.#slot?.map(bar.kind, bar.mappedAt, bar.sizeBytes, bar.handler);
      }
    }
  }

  reset(): void {
    this.#config.set(this.#powerOn);
    this.#msix?.table.reset();
    this.#interrupt = false;
    this.#updateMappings();
    this.#updateInterrupt();
  }

  save(): PciFunctionState {
    return {
      config: this.#config.slice(),
      interrupt: this.#interrupt,
      msix: this.#msix?.table.save() ?? null,
    };
  }

  /** Only bits that a guest could have written are taken from `state`; the rest stays as this function declares it. */
  restore(state: PciFunctionState): void {
    for (let at = 0; at < CONFIG_BYTES; at++) {
      const mask = this.#writable[at] ?? 0;
      this.#config[at] = ((this.#powerOn[at] ?? 0) & ~mask) | ((state.config[at] ?? 0) & mask);
    }
    if (this.#msix && state.msix) this.#msix.table.restore(state.msix, this.#msixControl);
    this.#interrupt = state.interrupt;
    this.#updateMappings();
    this.#updateInterrupt();
  }

  get stateSchema(): z.ZodType<PciFunctionState> {
    return z.strictObject({
      config: bytes(CONFIG_BYTES),
      interrupt: flag,
      msix: this.#msix ? this.#msix.table.stateSchema : z.null(),
    });
  }

  dispose(): void {
    for (const bar of this.#bars) bar.mapping?.unmap();
  }

  get #command(): number {
    return this.#view.getUint16(PCI.COMMAND, true);
  }

  get #msixControl(): number {
    return this.#msix ? this.#view.getUint16(this.#msix.capability + MSIX.CONTROL, true) : 0;
  }

  #setWritable(offset: number, mask: number, size: number): void {
    for (let byte = 0; byte < size; byte++) this.#writable[offset + byte] = (mask >>> (byte * 8)) & 0xff;
  }

  #updateInterrupt(): void {
    const status = this.#view.getUint16(PCI.STATUS, true);
    const next = this.#interrupt ? status | PCI_STATUS.INTERRUPT : status & ~PCI_STATUS.INTERRUPT;
    this.#view.setUint16(PCI.STATUS, next, true);
    this.#slot?.setInterrupt(this.#interrupt && !this.intxDisabled && !this.#msix?.table.enabled);
  }

  /** Moves mappings to where BARs and command say. True if anything changed. */
  #updateMappings(): boolean {
    let changed = false;
    for (const bar of this.#bars) {
      const base = this.#barBase(bar);
      if (base === bar.mappedAt) continue;
      bar.mapping?.unmap();
      bar.mappedAt = base;
      bar.mapping = base === undefined ? undefined : this.#slot?.map(bar.kind, base, bar.sizeBytes, bar.handler);
      changed = true;
    }
    return changed;
  }

  /** Where a BAR decodes now; undefined while decoding is off or the base is 0 (unassigned) or out of reach. */
  #barBase(bar: Bar): number | undefined {
    const enable = bar.kind === "io" ? PCI_COMMAND.IO : PCI_COMMAND.MEMORY;
    if ((this.#command & enable) === 0) return undefined;
    if (bar.index === ROM_INDEX) {
      const rom = this.#view.getUint32(PCI.EXPANSION_ROM, true);
      const base = (rom & ~ROM_FLAGS) >>> 0;
      return (rom & ROM_ENABLE) === 0 || base === 0 ? undefined : base;
    }
    const offset = PCI.BAR0 + bar.index * 4;
    const low = (this.#view.getUint32(offset, true) & ~(bar.kind === "io" ? 3 : 15)) >>> 0;
    const high = bar.width === 64 ? this.#view.getUint32(offset + 4, true) : 0;
    const base = high * 0x1_0000_0000 + low;
    return base === 0 ? undefined : base;
  }
}
