// A virtio device type (block, console, entropy) as the transport sees it: features, configuration space and queues.
// A model never touches PCI and a transport never knows a device type.
import type { z } from "zod";
import type { AccessSize } from "../device.ts";
import type { Virtqueue } from "./virtqueue.ts";

/** What a model may ask of the transport that carries it. */
export interface VirtioTransportServices {
  readonly queues: readonly Virtqueue[];
  /** True from DRIVER_OK until reset or until the driver broke its rings: outside it no queue may be touched. */
  readonly running: boolean;
  /** Negotiated feature bits, transport features included. */
  readonly features: bigint;
  /** Interrupts the driver if it wants to hear about what was returned to `queue`. */
  signal(queue: Virtqueue): void;
  /** Tells the driver that the configuration space changed. */
  configChanged(): void;
  /** Gives up on the driver until it resets the device (virtio 1.2 2.1.1, DEVICE_NEEDS_RESET). */
  broken(reason: string): void;
}

/** `S` is the model's own saved state beside the transport's. */
export interface VirtioModel<S = unknown> {
  /** virtio 1.2 5: PCI device ID minus 1040h. */
  readonly deviceId: number;
  /** PCI base class and subclass, as `0x0100` for a SCSI-like disk. */
  readonly pciClass: number;
  /** Feature bits of the type that are offered. */
  readonly features: bigint;
  /** Largest size of each queue; powers of two. */
  readonly queueSizes: readonly number[];
  readonly configLength: number;
  readonly stateSchema: z.ZodType<S>;
  attach(services: VirtioTransportServices): void;
  readConfig(offset: number, size: AccessSize): number;
  writeConfig(offset: number, size: AccessSize, value: number): void;
  /** The driver put something into a queue, or finished set-up with something already in it. */
  notified(queueIndex: number): void;
  /** What a reset cut off still reads or writes guest memory: the driver is told that the reset goes on. */
  readonly draining?: boolean;
  /** Device reset, by the driver or at power-on. What is in flight must not reach the queues any more. */
  reset(): void;
  /** One queue was reset alone; its chains are void. */
  queueReset?(queueIndex: number): void;
  save(): S;
  restore(state: S): void;
  /** The machine runs again after `restore`: submit once more what was in flight. */
  resume?(): void;
  dispose?(): void;
}

/** Little-endian value of `size` bytes in a configuration structure; bytes beyond its end read as zero. */
export function readConfigBytes(config: Uint8Array, offset: number, size: AccessSize): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (config[offset + i] ?? 0);
  return value;
}
