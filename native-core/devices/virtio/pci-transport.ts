// A virtio device as a PCI function (virtio 1.2 4.1): modern transport only, vendor 1AF4h, device 1040h + type.
//
//   BAR 1  MSI-X table and pending bits
//   BAR 4  0x0000 common configuration   0x1000 ISR status   0x2000 device configuration   0x3000 notifications, 4 bytes a queue
//
// Saved state: PCI function, transport and model. In-flight requests are saved by their ring heads, so saving needs no quiescing;
// `restore` submits them again through `deliver`, that is, when the machine runs and its RAM is back.
import { z } from "zod";
import type { AccessSize, Device, GuestMemory, IoHandler } from "../device.ts";
import { PciFunction, type PciFunctionState } from "../pci/pci-function.ts";
import { COMMON_CONFIG } from "./constants.ts";
import type { VirtioModel } from "./model.ts";
import { type TransportState, transportStateSchema, VirtioTransport } from "./transport.ts";

export const VIRTIO_VENDOR_ID = 0x1af4;
export const VIRTIO_DEVICE_ID_BASE = 0x1040;
const PCI_CAPABILITY_VENDOR = 0x09;

/** virtio 1.2 4.1.4: cfg_type of the vendor capabilities. */
const VIRTIO_PCI_CAP = { COMMON: 1, NOTIFY: 2, ISR: 3, DEVICE: 4, PCI: 5 } as const;

const MSIX_BAR = 1;
const REGISTER_BAR = 4;
const REGISTER_BAR_BYTES = 0x4000;
const ISR_OFFSET = 0x1000;
const DEVICE_OFFSET = 0x2000;
const NOTIFY_OFFSET = 0x3000;
const NOTIFY_MULTIPLIER = 4;

export interface VirtioPciDeviceOptions {
  readonly name: string;
  readonly model: VirtioModel;
  readonly memory: GuestMemory;
  readonly deliver: (apply: () => void) => void;
  /** Driver errors; the machine's log limits the rate. */
  readonly warn?: (message: string) => void;
  /** The function that it is part of; BARs 1 and 4 are free. Without it the device is a function of its own. */
  readonly pci?: PciFunction;
}

export interface VirtioPciState {
  pci: PciFunctionState;
  transport: TransportState;
  model: unknown;
}

export class VirtioPciDevice implements Device<VirtioPciState>, IoHandler {
  readonly name: string;
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<VirtioPciState>;
  readonly pci: PciFunction;
  readonly transport: VirtioTransport;
  readonly #model: VirtioModel;
  readonly #deliver: (apply: () => void) => void;
  readonly #pciAccess: number;
  /** Counts resets and restores, so that a resume that came too late does nothing. */
  #life = 0;

  constructor(options: VirtioPciDeviceOptions) {
    const { model, name, warn } = options;
    this.name = name;
    this.#model = model;
    this.#deliver = options.deliver;
    this.pci =
      options.pci ??
      new PciFunction({
        vendorId: VIRTIO_VENDOR_ID,
        deviceId: VIRTIO_DEVICE_ID_BASE + model.deviceId,
        classCode: model.pciClass << 8,
        revision: 1,
        subsystemVendorId: VIRTIO_VENDOR_ID,
        subsystemId: VIRTIO_DEVICE_ID_BASE + model.deviceId,
        interruptPin: 1,
      });
    this.pci.addBar({
      index: REGISTER_BAR,
      kind: "memory",
      width: 64,
      prefetchable: true,
      sizeBytes: REGISTER_BAR_BYTES,
      handler: this,
    });
    // One vector per queue and one for configuration changes.
    const msix = this.pci.addMsix(MSIX_BAR, model.queueSizes.length + 1);
    this.#addCapability(VIRTIO_PCI_CAP.COMMON, 0, COMMON_CONFIG.LENGTH);
    this.#addCapability(VIRTIO_PCI_CAP.ISR, ISR_OFFSET, 1);
    if (model.configLength > 0) this.#addCapability(VIRTIO_PCI_CAP.DEVICE, DEVICE_OFFSET, model.configLength);
    const notifyBytes = model.queueSizes.length * NOTIFY_MULTIPLIER;
    this.#addCapability(VIRTIO_PCI_CAP.NOTIFY, NOTIFY_OFFSET, notifyBytes, NOTIFY_MULTIPLIER);
    this.#pciAccess = this.#addPciAccess();
    this.transport = new VirtioTransport({
      model,
      memory: options.memory,
      interrupts: {
        get messagesEnabled() {
          return msix.enabled;
        },
        vectors: msix.vectors,
        sendMessage: (vector) => msix.notify(vector),
        setLine: (level) => this.pci.setInterrupt(level),
      },
      warn: warn && ((message) => warn(`${name}: ${message}`)),
    });
    this.stateSchema = z.object({
      pci: this.pci.stateSchema,
      transport: transportStateSchema,
      model: model.stateSchema,
    });
  }

  // Registers in BAR 4

  read(offset: number, size: AccessSize): number {
    if (offset >= NOTIFY_OFFSET) return 0;
    if (offset >= DEVICE_OFFSET) return this.#model.readConfig(offset - DEVICE_OFFSET, size);
    if (offset >= ISR_OFFSET) return offset === ISR_OFFSET ? this.transport.readIsr() : 0;
    return this.transport.read(offset);
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (offset >= NOTIFY_OFFSET) {
      // The queue's place decides, not the value: that is what queue_notify_off promised.
      if (this.pci.busMaster) this.transport.notify((offset - NOTIFY_OFFSET) / NOTIFY_MULTIPLIER);
    } else if (offset >= DEVICE_OFFSET) {
      this.#model.writeConfig(offset - DEVICE_OFFSET, size, value);
    } else if (offset < ISR_OFFSET) {
      this.transport.write(offset, value);
    }
  }

  // Device

  get draining(): boolean {
    return this.#model.draining ?? false;
  }

  reset(): void {
    this.#life++;
    this.pci.reset();
    this.transport.reset();
  }

  save(): VirtioPciState {
    return { pci: this.pci.save(), transport: this.transport.save(), model: this.#model.save() };
  }

  restore(state: VirtioPciState): void {
    const life = ++this.#life;
    this.pci.restore(state.pci);
    this.transport.restore(state.transport);
    this.#model.restore(state.model);
    this.#deliver(() => {
      if (life === this.#life && this.transport.running) this.#model.resume?.();
    });
  }

  dispose(): void {
    this.pci.dispose();
    this.#model.dispose?.();
  }

  // Capabilities

  #addCapability(type: number, offset: number, length: number, multiplier?: number): void {
    this.pci.addCapability(PCI_CAPABILITY_VENDOR, capabilityBody(type, REGISTER_BAR, offset, length, multiplier));
  }

  /** virtio 1.2 4.1.4.9: a window in configuration space through which firmware reaches the registers before BARs are set. */
  #addPciAccess(): number {
    const body = capabilityBody(VIRTIO_PCI_CAP.PCI, 0, 0, 0, 0);
    const writable = new Uint8Array(body.length);
    writable[2] = 0xff;
    writable.fill(0xff, 6);
    const at = this.pci.addCapability(PCI_CAPABILITY_VENDOR, body, writable);
    this.pci.onConfigRead = (offset, size) => this.#pciAccessed(offset, size, false);
    this.pci.onConfigWrite = (offset, size) => this.#pciAccessed(offset, size, true);
    return at;
  }

  #pciAccessed(offset: number, size: number, write: boolean): void {
    const data = this.#pciAccess + 16;
    if (offset >= data + 4 || offset + size <= data) return;
    const config = this.pci.configBytes;
    const view = new DataView(config.buffer, config.byteOffset);
    const length = view.getUint32(this.#pciAccess + 12, true);
    const target = view.getUint32(this.#pciAccess + 8, true);
    if (config[this.#pciAccess + 4] !== REGISTER_BAR || (length !== 1 && length !== 2 && length !== 4)) return;
    if (target + length > REGISTER_BAR_BYTES || target % length !== 0) return;
    if (!write) {
      view.setUint32(data, this.read(target, length), true);
      return;
    }
    const mask = length === 4 ? 0xffff_ffff : (1 << (8 * length)) - 1;
    this.write(target, length, (view.getUint32(data, true) & mask) >>> 0);
  }
}

/** struct virtio_pci_cap after its id and next bytes; the notify capability carries a multiplier behind it. */
function capabilityBody(type: number, bar: number, offset: number, length: number, extra?: number): Uint8Array {
  const body = new Uint8Array(extra === undefined ? 14 : 18);
  const view = new DataView(body.buffer);
  body[0] = body.length + 2;
  body[1] = type;
  body[2] = bar;
  view.setUint32(6, offset, true);
  view.setUint32(10, length, true);
  if (extra !== undefined) view.setUint32(14, extra, true);
  return body;
}
