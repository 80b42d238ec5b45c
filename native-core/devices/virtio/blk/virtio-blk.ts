// virtio-blk (virtio 1.2 5.2): a disk with one request queue over an asynchronous backend.
//
// The vCPU goes on while requests are in flight; results enter the machine through `deliver`. Requests that were in flight when
// the state was saved are submitted again after restore: reads, writes, flushes and discards all may run twice.
import { z } from "zod";
import { assert } from "../../../common/assert.ts";
import { type BlockBackend, SECTOR_SIZE_BYTES } from "../../block-backend.ts";
import type { AccessSize } from "../../device.ts";
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
import {
  type BlockRequest,
  parseRequest,
  VIRTIO_BLK_S_IOERR,
  VIRTIO_BLK_S_OK,
  VIRTIO_BLK_S_UNSUPP,
} from "./request.ts";

export interface VirtioBlkOptions {
  readonly backend: BlockBackend;
  /** Serial number shown by the guest under /dev/disk/by-id; its first 20 ASCII characters are used. */
  readonly serial: string;
  /** Brings a completion into the machine at a moment the machine chooses (machine/inputs.ts). */
  readonly deliver: (apply: () => void) => void;
  readonly geometry?: Partial<BlockGeometry>;
  /** Told about every failed request, so that the user learns why the guest saw an I/O error. */
  readonly onError?: ((request: string, error: unknown) => void) | undefined;
}

const blkStateSchema = z.object({ writeback: flag });
type VirtioBlkState = z.infer<typeof blkStateSchema>;

/** What a finished backend call means for the driver. */
interface Outcome {
  readonly status: number;
  readonly data?: Uint8Array;
}

export class VirtioBlk implements VirtioModel<VirtioBlkState> {
  readonly deviceId = DEVICE_ID.BLOCK;
  readonly pciClass = 0x0100;
  readonly features: bigint;
  readonly queueSizes = [QUEUE_SIZE];
  readonly configLength = CONFIG_LENGTH;
  readonly stateSchema = blkStateSchema;
  readonly #backend: BlockBackend;
  readonly #options: VirtioBlkOptions;
  readonly #config: Uint8Array;
  readonly #serial: Uint8Array;
  #services!: VirtioTransportServices;
  /** Counts resets: a completion of an earlier epoch is not the driver's business any more. */
  #epoch = 0;
  #bytesInFlight = 0;
  #requestsInFlight = 0;
  /** Requests of earlier epochs that the backend still works on; new ones wait, so that an old write can't land later. */
  #orphans = 0;
  #backendCalls = 0;
  #quietWaiters: (() => void)[] = [];

  constructor(options: VirtioBlkOptions) {
    const { backend, geometry } = options;
    const logicalBlockBytes = geometry?.logicalBlockBytes ?? SECTOR_SIZE_BYTES;
    const physicalBlockBytes = Math.max(geometry?.physicalBlockBytes ?? 4096, logicalBlockBytes);
    assert(backend.sizeBytes % logicalBlockBytes === 0, "a disk is a whole number of blocks");
    this.#options = options;
    this.#backend = backend;
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
    const queue = this.#services.queues[0];
    if (!queue) return;
    while (this.#services.running && this.#orphans === 0 && this.#bytesInFlight < MAX_BYTES_IN_FLIGHT) {
      const chain = queue.pop();
      if (!chain) break;
      this.#submit(chain);
    }
    this.#services.signal(queue);
  }

  /** Settles when the backend has nothing to do: call it with the machine paused, before the medium is frozen or closed. */
  whenQuiet(): Promise<void> {
    if (this.#backendCalls === 0) return Promise.resolve();
    return new Promise((resolve) => this.#quietWaiters.push(resolve));
  }

  reset(): void {
    this.#config[CONFIG_WRITEBACK] = 1;
    this.queueReset();
  }

  queueReset(): void {
    this.#epoch++;
    this.#orphans += this.#requestsInFlight;
    this.#requestsInFlight = 0;
    this.#bytesInFlight = 0;
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

  #submit(chain: DescriptorChain): void {
    const request = parseRequest(chain, this.#backend);
    if (!request) {
      this.#services.broken(`request ${chain.head} has no room for header and status`);
      return;
    }
    // What needs no disk is answered at once.
    if (request.kind === "refused") return this.#answer(chain, { status: request.status });
    if (request.kind === "id") return this.#answer(chain, this.#identify(request.length));

    const epoch = this.#epoch;
    const bytes = request.kind === "read" ? request.length : request.kind === "write" ? request.data.length : 0;
    this.#requestsInFlight++;
    this.#bytesInFlight += bytes;
    this.#backendCalls++;
    void this.#run(request)
      .catch((error: unknown): Outcome => {
        this.#options.onError?.(request.kind, error);
        return { status: VIRTIO_BLK_S_IOERR };
      })
      .then((outcome) => {
        this.#options.deliver(() => this.#complete(chain, epoch, bytes, outcome));
        if (--this.#backendCalls === 0) for (const resolve of this.#quietWaiters.splice(0)) resolve();
      });
  }

  async #run(request: BlockRequest): Promise<Outcome> {
    const backend = this.#backend;
    switch (request.kind) {
      case "read": {
        const data = new Uint8Array(request.length);
        await backend.read(request.offset, data);
        return { status: VIRTIO_BLK_S_OK, data };
      }
      case "write":
        await backend.write(request.offset, request.data);
        break;
      case "discard":
        await Promise.all(request.ranges.map(({ offset, length }) => backend.discard(offset, length)));
        break;
      case "writeZeroes":
        await Promise.all(
          request.ranges.map(({ offset, length, unmap }) => backend.writeZeroes(offset, length, unmap)),
        );
        break;
      case "flush":
        await backend.flush();
        return { status: VIRTIO_BLK_S_OK };
      default:
        return { status: VIRTIO_BLK_S_UNSUPP };
    }
    if (!this.#writeback) await backend.flush();
    return { status: VIRTIO_BLK_S_OK };
  }

  #complete(chain: DescriptorChain, epoch: number, bytes: number, outcome: Outcome): void {
    if (epoch !== this.#epoch) {
      this.#orphans--;
    } else {
      this.#requestsInFlight--;
      this.#bytesInFlight -= bytes;
      if (!this.#services.running) return;
      this.#answer(chain, outcome);
    }
    // Signals, and goes on with what had to wait.
    this.notified();
  }

  #answer(chain: DescriptorChain, { status, data }: Outcome): void {
    if (data) chain.write(0, data);
    chain.write(chain.writableBytes - 1, Uint8Array.of(status));
    // The status is the last byte, so everything before it counts as written even where a read failed half-way.
    this.#services.queues[0]?.push(chain, chain.writableBytes);
  }

  #identify(length: number): Outcome {
    const data = new Uint8Array(length);
    data.set(this.#serial.subarray(0, length));
    return { status: VIRTIO_BLK_S_OK, data };
  }

  /** virtio 1.2 5.2.5.2: a driver that knows nothing about flushes gets every write made durable. */
  get #writeback(): boolean {
    const { features } = this.#services;
    if (features & VIRTIO_BLK_F_CONFIG_WCE) return this.#config[CONFIG_WRITEBACK] === 1;
    return (features & VIRTIO_BLK_F_FLUSH) !== 0n;
  }
}
