// virtio-blk (virtio 1.2 5.2): a disk with one request queue over an asynchronous backend.
//
// The vCPU goes on while requests are in flight, which move data between the medium and guest memory without a copy; results enter
// the machine through `deliver`. Small reads of what the host has at hand are answered on the spot instead. Requests that were in flight when
// the state was saved are submitted again after restore: reads, writes, flushes and discards all may run twice.
import { z } from "zod";
import { assert } from "../../../common/assert.ts";
import { type BlockBackend, readPieces, SECTOR_SIZE_BYTES, writePieces } from "../../block-backend.ts";
import type { AccessSize } from "../../device.ts";
import type { DmaBuffer } from "../../dma-buffer.ts";
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
  HEADER_BYTES,
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

/** Reads up to this size are tried at once; the time they take is the vCPU's. */
const READ_NOW_MAX_BYTES = 128 << 10;
/** And no more of them for one notification: the rest goes the other way, so that a full queue does not stop the guest. */
const READ_NOW_BUDGET_BYTES = 1 << 20;

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
  /** What those still move from or to guest memory. */
  #orphanBytes = 0;
  #readNowBudget = 0;
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
    this.#readNowBudget = READ_NOW_BUDGET_BYTES;
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

  get draining(): boolean {
    return this.#orphanBytes > 0;
  }

  reset(): void {
    this.#config[CONFIG_WRITEBACK] = 1;
    this.queueReset();
  }

  queueReset(): void {
    this.#epoch++;
    this.#orphans += this.#requestsInFlight;
    this.#orphanBytes += this.#bytesInFlight;
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
    if (request.kind === "refused") return this.#answer(chain, request.status);
    if (request.kind === "id") {
      chain.write(0, this.#identity(request.length));
      return this.#answer(chain, VIRTIO_BLK_S_OK);
    }
    const target = request.kind === "read" ? chain.target(0, request.length) : undefined;
    if (target && this.#readNow(request, target)) return this.#answer(chain, VIRTIO_BLK_S_OK);

    const epoch = this.#epoch;
    const bytes = request.kind === "read" || request.kind === "write" ? request.length : 0;
    this.#requestsInFlight++;
    this.#bytesInFlight += bytes;
    this.#backendCalls++;
    void this.#run(request, chain, target)
      .catch((error: unknown) => {
        this.#options.onError?.(request.kind, error);
        return VIRTIO_BLK_S_IOERR;
      })
      .then((status) => {
        this.#options.deliver(() => {
          target?.finish(epoch !== this.#epoch);
          this.#complete(chain, epoch, bytes, status);
        });
        if (--this.#backendCalls === 0) for (const resolve of this.#quietWaiters.splice(0)) resolve();
      });
  }

  #readNow(request: BlockRequest, target: DmaBuffer): boolean {
    if (request.kind !== "read" || request.length > Math.min(READ_NOW_MAX_BYTES, this.#readNowBudget)) return false;
    if (!this.#backend.readNow?.(request.offset, target.pieces)) return false;
    this.#readNowBudget -= request.length;
    target.finish();
    return true;
  }

  async #run(request: BlockRequest, chain: DescriptorChain, target: DmaBuffer | undefined): Promise<number> {
    const backend = this.#backend;
    switch (request.kind) {
      case "read":
        if (target) await readPieces(backend, request.offset, target.pieces);
        return VIRTIO_BLK_S_OK;
      case "write":
        await writePieces(backend, request.offset, chain.source(HEADER_BYTES, request.length).pieces);
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
        return VIRTIO_BLK_S_OK;
      default:
        return VIRTIO_BLK_S_UNSUPP;
    }
    if (!this.#writeback) await backend.flush();
    return VIRTIO_BLK_S_OK;
  }

  #complete(chain: DescriptorChain, epoch: number, bytes: number, status: number): void {
    if (epoch !== this.#epoch) {
      this.#orphans--;
      this.#orphanBytes -= bytes;
    } else {
      this.#requestsInFlight--;
      this.#bytesInFlight -= bytes;
      if (!this.#services.running) return;
      this.#answer(chain, status);
    }
    // Signals, and goes on with what had to wait.
    this.notified();
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
