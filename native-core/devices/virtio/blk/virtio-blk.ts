// virtio-blk (virtio 1.2 5.2): a disk with one request queue over an asynchronous backend.
//
// Requests that were in flight when the state was saved are submitted again after restore: reads, writes, flushes and discards all may
// run twice.
import { z } from "zod";
import { assert } from "../../../common/assert.ts";
import { type BlockBackend, SECTOR_SIZE_BYTES } from "../../block-backend.ts";
import type { AccessSize } from "../../device.ts";
import { DiskRequests } from "../../disk-requests.ts";
import { flag } from "../../state-schema.ts";
import { DEVICE_ID } from "../constants.ts";
import type { DescriptorChain } from "../descriptor-chain.ts";
import { readConfigBytes, type VirtioModel, type VirtioTransportServices } from "../model.ts";
import {
  type BlockGeometry,
  blockConfig,
  blockFeatures,
  CONFIG_LENGTH,
  CONFIG_WRITEBACK,
  MAX_BYTES_IN_FLIGHT,
  QUEUE_SIZE,
  VIRTIO_BLK_F_CONFIG_WCE,
  VIRTIO_BLK_F_FLUSH,
} from "./config.ts";
import { HEADER_BYTES, parseRequest, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_OK } from "./request.ts";

export interface VirtioBlkOptions {
  readonly backend: BlockBackend;
  /** Serial number shown by the guest under /dev/disk/by-id; its first 20 ASCII characters are used. */
  readonly serial: string;
  /** Brings a completion into the machine at a moment the machine chooses (machine/inputs.ts). */
  readonly deliver: (apply: () => void) => void;
  /** Host work began that firmware polls for: the host gets its turn soon until the result is called. */
  readonly awaitHost?: (() => () => void) | undefined;
  /** Whether no vCPU has anything to do. */
  readonly isIdle?: (() => boolean) | undefined;
  readonly geometry?: Partial<BlockGeometry>;
  /** Told about every failed request, so that the user learns why the guest saw an I/O error. */
  readonly onError?: ((request: string, error: unknown) => void) | undefined;
}

const blkStateSchema = z.object({ writeback: flag });
type VirtioBlkState = z.infer<typeof blkStateSchema>;

export class VirtioBlk implements VirtioModel<VirtioBlkState> {
  readonly deviceId = DEVICE_ID.BLOCK;
  readonly pciClass = 0x0100;
  readonly features: bigint;
  readonly queueSizes = [QUEUE_SIZE];
  readonly configLength = CONFIG_LENGTH;
  readonly stateSchema = blkStateSchema;
  readonly #backend: BlockBackend;
  readonly #config: Uint8Array;
  readonly #serial: Uint8Array;
  readonly #requests: DiskRequests;
  #services!: VirtioTransportServices;

  constructor(options: VirtioBlkOptions) {
    const { backend, geometry } = options;
    const logicalBlockBytes = geometry?.logicalBlockBytes ?? SECTOR_SIZE_BYTES;
    const physicalBlockBytes = Math.max(geometry?.physicalBlockBytes ?? 4096, logicalBlockBytes);
    assert(backend.sizeBytes % logicalBlockBytes === 0, "a disk is a whole number of blocks");
    this.#backend = backend;
    this.#requests = new DiskRequests({
      ...{ backend, deliver: options.deliver, isIdle: options.isIdle, onError: options.onError },
      awaitHost: () => (this.#services.queues[0]?.isPolled ? options.awaitHost?.() : undefined),
      maxBytesInFlight: MAX_BYTES_IN_FLIGHT,
      progressed: () => this.#serve(),
    });
    this.features = blockFeatures(backend);
    this.#config = blockConfig(backend, { logicalBlockBytes, physicalBlockBytes });
    this.#serial = new TextEncoder().encode(options.serial).subarray(0, 20);
  }

  attach(services: VirtioTransportServices): void {
    this.#services = services;
  }

  readConfig(offset: number, size: AccessSize): number {
    return readConfigBytes(this.#config, offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    if (offset !== CONFIG_WRITEBACK || size !== 1) return;
    if (this.#services.features & VIRTIO_BLK_F_CONFIG_WCE) this.#config[CONFIG_WRITEBACK] = value & 1;
  }

  notified(): void {
    this.#requests.notified();
    this.#serve();
  }

  get draining(): boolean {
    return this.#requests.draining;
  }

  reset(): void {
    this.#config[CONFIG_WRITEBACK] = 1;
    this.queueReset();
  }

  queueReset(): void {
    this.#requests.reset();
  }

  save(): VirtioBlkState {
    return { writeback: this.#config[CONFIG_WRITEBACK] === 1 };
  }

  restore(state: VirtioBlkState): void {
    this.#config[CONFIG_WRITEBACK] = state.writeback ? 1 : 0;
  }

  resume(): void {
    for (const chain of this.#services.queues[0]?.takeInterrupted() ?? []) {
      if (!this.#services.running) return;
      this.#submit(chain);
    }
    this.notified();
  }

  /** Takes what the queue holds, as far as there is room, and tells the driver of what has ended. */
  #serve(): void {
    const queue = this.#services.queues[0];
    if (!queue) return;
    while (this.#services.running && this.#requests.hasRoom) {
      const chain = queue.pop();
      if (!chain) break;
      this.#submit(chain);
    }
    this.#services.signal(queue);
  }

  #submit(chain: DescriptorChain): void {
    const request = parseRequest(chain, this.#backend);
    if (!request) {
      this.#services.broken(`request ${chain.head} has no room for header and status`);
      return;
    }
    const done = (succeeded: boolean): void => {
      if (this.#services.running) this.#answer(chain, succeeded ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
    };
    const durable = !this.#writeback;
    switch (request.kind) {
      case "refused":
        return this.#answer(chain, request.status);
      case "id":
        chain.write(0, this.#identity(request.length));
        return this.#answer(chain, VIRTIO_BLK_S_OK);
      case "read":
        return this.#requests.submit({ ...request, memory: chain.target(0, request.length) }, done);
      case "write":
        return this.#requests.submit({ ...request, durable, memory: chain.source(HEADER_BYTES, request.length) }, done);
      case "flush":
        return this.#requests.submit(request, done);
      default:
        return this.#requests.submit({ ...request, durable }, done);
    }
  }

  #answer(chain: DescriptorChain, status: number): void {
    chain.write(chain.writableBytes - 1, Uint8Array.of(status));
    // The status is the last byte, so everything before it counts as written even where a read failed half-way.
    this.#services.queues[0]?.push(chain, chain.writableBytes);
  }

  #identity(length: number): Uint8Array {
    const data = new Uint8Array(length);
    data.set(this.#serial.subarray(0, length));
    return data;
  }

  /** virtio 1.2 5.2.5.2: a driver that knows nothing about flushes gets every write made durable. */
  get #writeback(): boolean {
    const { features } = this.#services;
    if (features & VIRTIO_BLK_F_CONFIG_WCE) return this.#config[CONFIG_WRITEBACK] === 1;
    return (features & VIRTIO_BLK_F_FLUSH) !== 0n;
  }
}
