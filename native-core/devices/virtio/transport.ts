// The transport-independent half of a virtio device: status, feature negotiation, queues, and the register file of the common
// configuration (virtio 1.2 2.1-2.6, 4.1.4.3). pci-transport.ts puts it behind a PCI function.
import { z } from "zod";
import { assert } from "../../common/assert.ts";
import type { GuestMemory } from "../device.ts";
import { u8, u16, u32, u64 } from "../state-schema.ts";
import {
  COMMON_CONFIG,
  DEVICE_STATUS,
  ISR_CONFIG,
  ISR_QUEUE,
  TRANSPORT_FEATURES,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_VERSION_1,
  VIRTIO_MSI_NO_VECTOR,
} from "./constants.ts";
import type { VirtioModel, VirtioTransportServices } from "./model.ts";
import { Virtqueue, virtqueueStateSchema } from "./virtqueue.ts";

export const transportStateSchema = z.object({
  status: u8,
  deviceFeatureSelect: u32,
  driverFeatureSelect: u32,
  driverFeatures: u64,
  configGeneration: u8,
  configVector: u16,
  queueSelect: u16,
  isr: u8,
  queues: z.array(virtqueueStateSchema).max(64),
});
export type TransportState = z.infer<typeof transportStateSchema>;

/** How interrupts leave the device. */
export interface VirtioInterrupts {
  /** MSI-X is on: vectors are used, otherwise the ISR byte and the INTx line. */
  readonly messagesEnabled: boolean;
  readonly vectors: number;
  sendMessage(vector: number): void;
  setLine(level: boolean): void;
}

export interface VirtioTransportOptions {
  readonly model: VirtioModel;
  readonly memory: GuestMemory;
  readonly interrupts: VirtioInterrupts;
  /** Rate-limited by the machine's log. */
  readonly warn?: ((message: string) => void) | undefined;
}

export class VirtioTransport implements VirtioTransportServices {
  readonly queues: readonly Virtqueue[];
  readonly memory: GuestMemory;
  readonly #model: VirtioModel;
  readonly #interrupts: VirtioInterrupts;
  readonly #warn: ((message: string) => void) | undefined;
  readonly #offered: bigint;
  #status = 0;
  /** Shown while a reset waits for transfers to end. */
  #statusBefore = 0;
  #deviceFeatureSelect = 0;
  #driverFeatureSelect = 0;
  #driverFeatures = 0n;
  #configGeneration = 0;
  #configVector = VIRTIO_MSI_NO_VECTOR;
  #queueSelect = 0;
  #isr = 0;
  eventIndex = false;
  indirectDescriptors = false;
  running = false;

  constructor(options: VirtioTransportOptions) {
    this.#model = options.model;
    this.memory = options.memory;
    this.#interrupts = options.interrupts;
    this.#warn = options.warn;
    this.#offered = options.model.features | TRANSPORT_FEATURES;
    this.queues = options.model.queueSizes.map((size) => {
      assert((size & (size - 1)) === 0, "split virtqueues have a power of two entries");
      return new Virtqueue(this, size);
    });
    options.model.attach(this);
  }

  get features(): bigint {
    return this.#driverFeatures;
  }

  get status(): number {
    return this.#status;
  }

  // Interrupts

  signal(queue: Virtqueue): void {
    if (!this.running || !queue.takeSignal()) return;
    this.#raise(queue.setup.msixVector, ISR_QUEUE);
  }

  configChanged(): void {
    this.#configGeneration = (this.#configGeneration + 1) & 0xff;
    if (this.#status & DEVICE_STATUS.DRIVER_OK) this.#raise(this.#configVector, ISR_CONFIG);
  }

  broken(reason: string): void {
    if (this.#status & DEVICE_STATUS.DEVICE_NEEDS_RESET) return;
    this.#warn?.(`driver error, device needs a reset: ${reason}`);
    this.running = false;
    this.#status |= DEVICE_STATUS.DEVICE_NEEDS_RESET;
    // virtio 1.2 2.1.2: told through a configuration change, but only to a driver that is listening.
    if (this.#status & DEVICE_STATUS.DRIVER_OK) this.#raise(this.#configVector, ISR_CONFIG);
  }

  /** Reading acknowledges (virtio 1.2 4.1.4.5). */
  readIsr(): number {
    const isr = this.#isr;
    this.#isr = 0;
    this.#interrupts.setLine(false);
    return isr;
  }

  #raise(vector: number, isrBit: number): void {
    if (this.#interrupts.messagesEnabled) {
      if (vector !== VIRTIO_MSI_NO_VECTOR) this.#interrupts.sendMessage(vector);
      return;
    }
    this.#isr |= isrBit;
    this.#interrupts.setLine(true);
  }

  // Queues

  notify(queueIndex: number): void {
    if (this.running && this.queues[queueIndex]?.setup.enabled) this.#model.notified(queueIndex);
  }

  // Registers of the common configuration

  /** Fields are accessed at their own width; 64-bit ones as two halves (virtio 1.2 4.1.3.1). */
  read(offset: number): number {
    const queue = this.queues[this.#queueSelect];
    const setup = queue?.setup;
    switch (offset) {
      case COMMON_CONFIG.DEVICE_FEATURE_SELECT:
        return this.#deviceFeatureSelect;
      case COMMON_CONFIG.DEVICE_FEATURE:
        return word(this.#offered, this.#deviceFeatureSelect);
      case COMMON_CONFIG.DRIVER_FEATURE_SELECT:
        return this.#driverFeatureSelect;
      case COMMON_CONFIG.DRIVER_FEATURE:
        return word(this.#driverFeatures, this.#driverFeatureSelect);
      case COMMON_CONFIG.CONFIG_MSIX_VECTOR:
        return this.#configVector;
      case COMMON_CONFIG.NUM_QUEUES:
        return this.queues.length;
      case COMMON_CONFIG.DEVICE_STATUS:
        // virtio 1.2 4.1.4.3.1: 0 is shown once the reset is done.
        return this.#status === 0 && this.#model.draining ? this.#statusBefore : this.#status;
      case COMMON_CONFIG.CONFIG_GENERATION:
        return this.#configGeneration;
      case COMMON_CONFIG.QUEUE_SELECT:
        return this.#queueSelect;
      case COMMON_CONFIG.QUEUE_SIZE:
        return setup?.size ?? 0;
      case COMMON_CONFIG.QUEUE_MSIX_VECTOR:
        return setup?.msixVector ?? VIRTIO_MSI_NO_VECTOR;
      case COMMON_CONFIG.QUEUE_ENABLE:
        return setup?.enabled ? 1 : 0;
      case COMMON_CONFIG.QUEUE_NOTIFY_OFF:
      case COMMON_CONFIG.QUEUE_NOTIFY_DATA:
        return setup ? this.#queueSelect : 0;
      case COMMON_CONFIG.QUEUE_DESC:
      case COMMON_CONFIG.QUEUE_DESC + 4:
        return word(setup?.descriptorArea ?? 0n, (offset - COMMON_CONFIG.QUEUE_DESC) / 4);
      case COMMON_CONFIG.QUEUE_DRIVER:
      case COMMON_CONFIG.QUEUE_DRIVER + 4:
        return word(setup?.driverArea ?? 0n, (offset - COMMON_CONFIG.QUEUE_DRIVER) / 4);
      case COMMON_CONFIG.QUEUE_DEVICE:
      case COMMON_CONFIG.QUEUE_DEVICE + 4:
        return word(setup?.deviceArea ?? 0n, (offset - COMMON_CONFIG.QUEUE_DEVICE) / 4);
      case COMMON_CONFIG.QUEUE_RESET:
        return setup && !setup.enabled && this.#status !== 0 && this.#model.draining ? 1 : 0;
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    switch (offset) {
      case COMMON_CONFIG.DEVICE_FEATURE_SELECT:
        this.#deviceFeatureSelect = value;
        return;
      case COMMON_CONFIG.DRIVER_FEATURE_SELECT:
        this.#driverFeatureSelect = value;
        return;
      case COMMON_CONFIG.DRIVER_FEATURE:
        if (this.#status & DEVICE_STATUS.FEATURES_OK) return;
        this.#driverFeatures = withWord(this.#driverFeatures, this.#driverFeatureSelect, value);
        return;
      case COMMON_CONFIG.CONFIG_MSIX_VECTOR:
        this.#configVector = this.#acceptVector(value);
        return;
      case COMMON_CONFIG.DEVICE_STATUS:
        this.#writeStatus(value & 0xff);
        return;
      case COMMON_CONFIG.QUEUE_SELECT:
        this.#queueSelect = value & 0xffff;
        return;
      default:
        this.#writeQueue(offset, value);
    }
  }

  #writeQueue(offset: number, value: number): void {
    const queue = this.queues[this.#queueSelect];
    if (!queue) return;
    const { setup } = queue;
    if (offset === COMMON_CONFIG.QUEUE_MSIX_VECTOR) {
      setup.msixVector = this.#acceptVector(value);
      return;
    }
    if (offset === COMMON_CONFIG.QUEUE_RESET) {
      // virtio 1.2 2.6.1: only a negotiated reset of an enabled queue means anything.
      if (value !== 1 || !setup.enabled || !(this.#driverFeatures & VIRTIO_F_RING_RESET)) return;
      queue.reset();
      this.#model.queueReset?.(this.#queueSelect);
      return;
    }
    // Everything else is set-up, which an enabled queue no longer accepts.
    if (setup.enabled) return;
    switch (offset) {
      case COMMON_CONFIG.QUEUE_SIZE: {
        const size = value & 0xffff;
        if (size > 0 && size <= queue.maxSize && (size & (size - 1)) === 0) setup.size = size;
        return;
      }
      case COMMON_CONFIG.QUEUE_ENABLE:
        if (value === 1 && this.#status & DEVICE_STATUS.FEATURES_OK) queue.enable();
        return;
      case COMMON_CONFIG.QUEUE_DESC:
      case COMMON_CONFIG.QUEUE_DESC + 4:
        setup.descriptorArea = withWord(setup.descriptorArea, (offset - COMMON_CONFIG.QUEUE_DESC) / 4, value);
        return;
      case COMMON_CONFIG.QUEUE_DRIVER:
      case COMMON_CONFIG.QUEUE_DRIVER + 4:
        setup.driverArea = withWord(setup.driverArea, (offset - COMMON_CONFIG.QUEUE_DRIVER) / 4, value);
        return;
      case COMMON_CONFIG.QUEUE_DEVICE:
      case COMMON_CONFIG.QUEUE_DEVICE + 4:
        setup.deviceArea = withWord(setup.deviceArea, (offset - COMMON_CONFIG.QUEUE_DEVICE) / 4, value);
        return;
    }
  }

  /** virtio 1.2 4.1.5.1.2.1: a vector that does not exist reads back as "none", so that the driver sees the refusal. */
  #acceptVector(value: number): number {
    const vector = value & 0xffff;
    return vector < this.#interrupts.vectors ? vector : VIRTIO_MSI_NO_VECTOR;
  }

  #writeStatus(value: number): void {
    if (value === 0) {
      if (this.#status !== 0) this.#statusBefore = this.#status;
      this.reset();
      return;
    }
    const before = this.#status;
    // Drivers only add bits; DEVICE_NEEDS_RESET is the device's own.
    let status = before | (value & ~DEVICE_STATUS.DEVICE_NEEDS_RESET);
    if (!(before & DEVICE_STATUS.FEATURES_OK) && status & DEVICE_STATUS.FEATURES_OK && !this.#featuresAcceptable()) {
      status &= ~DEVICE_STATUS.FEATURES_OK;
    }
    if (!(status & DEVICE_STATUS.FEATURES_OK)) status &= ~DEVICE_STATUS.DRIVER_OK;
    this.#status = status;
    this.#negotiated();
    if (this.running && !(before & DEVICE_STATUS.DRIVER_OK)) {
      for (let index = 0; index < this.queues.length; index++) this.notify(index);
    }
  }

  #featuresAcceptable(): boolean {
    return (this.#driverFeatures & ~this.#offered) === 0n && (this.#driverFeatures & VIRTIO_F_VERSION_1) !== 0n;
  }

  #negotiated(): void {
    this.eventIndex = (this.#driverFeatures & VIRTIO_F_EVENT_IDX) !== 0n;
    this.indirectDescriptors = (this.#driverFeatures & VIRTIO_F_INDIRECT_DESC) !== 0n;
    const stopped = DEVICE_STATUS.FAILED | DEVICE_STATUS.DEVICE_NEEDS_RESET;
    this.running = (this.#status & DEVICE_STATUS.DRIVER_OK) !== 0 && (this.#status & stopped) === 0;
  }

  reset(): void {
    this.#status = 0;
    this.#deviceFeatureSelect = 0;
    this.#driverFeatureSelect = 0;
    this.#driverFeatures = 0n;
    this.#configVector = VIRTIO_MSI_NO_VECTOR;
    this.#queueSelect = 0;
    this.#isr = 0;
    this.#interrupts.setLine(false);
    for (const queue of this.queues) queue.reset();
    this.#negotiated();
    this.#model.reset();
  }

  save(): TransportState {
    return {
      status: this.#status,
      deviceFeatureSelect: this.#deviceFeatureSelect,
      driverFeatureSelect: this.#driverFeatureSelect,
      driverFeatures: this.#driverFeatures,
      configGeneration: this.#configGeneration,
      configVector: this.#configVector,
      queueSelect: this.#queueSelect,
      isr: this.#isr,
      queues: this.queues.map((queue) => queue.save()),
    };
  }

  restore(state: TransportState): void {
    this.reset();
    this.#status = state.status;
    this.#deviceFeatureSelect = state.deviceFeatureSelect;
    this.#driverFeatureSelect = state.driverFeatureSelect;
    this.#driverFeatures = state.driverFeatures;
    this.#configGeneration = state.configGeneration;
    this.#configVector = this.#acceptVector(state.configVector);
    this.#queueSelect = state.queueSelect;
    this.#negotiated();
    this.queues.forEach((queue, index) => {
      const saved = state.queues[index];
      if (!saved) return;
      queue.restore(saved);
      queue.setup.msixVector = this.#acceptVector(saved.msixVector);
    });
    // A queue that did not fit this machine's RAM has just marked the device broken.
    this.#negotiated();
    this.#isr = state.isr;
    this.#interrupts.setLine(!this.#interrupts.messagesEnabled && state.isr !== 0);
  }
}

function word(value: bigint, index: number): number {
  return index < 2 ? Number((value >> BigInt(32 * index)) & 0xffff_ffffn) : 0;
}

function withWord(value: bigint, index: number, bits: number): bigint {
  if (index >= 2) return value;
  const shift = BigInt(32 * index);
  return (value & ~(0xffff_ffffn << shift)) | (BigInt(bits >>> 0) << shift);
}
