// What a controller with queues (virtio-blk, NVMe, virtio-scsi) has in flight at a disk. The vCPU goes on meanwhile; data moves between
// the medium and guest memory without a copy, and results enter the machine through `deliver`. Small reads of what the host has at hand
// are answered on the spot instead, and large ones while the guest does nothing but wait for them.
//
// A reset cuts requests off, but what they move can't be stopped: until it has come to rest nothing new begins (an old write must not
// land later than a new one), and `draining` tells that guest memory is still being used.
import { type BlockBackend, readPieces, writePieces } from "./block-backend.ts";
import type { DmaBuffer } from "./dma-buffer.ts";

/** Reads up to this size are tried at once; the time they take is the vCPU's. */
const READ_NOW_MAX_BYTES = 128 << 10;
/** And no more of them for one notification: the rest goes the other way, so that a full queue does not stop the guest. */
const READ_NOW_BUDGET_BYTES = 1 << 20;
/**
 * After a large read for which the guest waited idly, so many others are tried at once: two switches of threads less for each, and the vCPU
 * loses time that it had no use for. Then one goes the other way again, to see whether it still is so.
 */
const LARGE_READS_NOW = 32;

export interface DiskRange {
  readonly offset: number;
  readonly length: number;
  /** For zeroes: their space may be given back. */
  readonly unmap: boolean;
}

/** A request that was checked to lie inside the disk. `durable`: done only when it survives a power failure. */
export type DiskRequest =
  | { readonly kind: "read"; readonly offset: number; readonly length: number; readonly memory: DmaBuffer }
  | {
      readonly kind: "write";
      readonly offset: number;
      readonly length: number;
      readonly memory: DmaBuffer;
      readonly durable: boolean;
    }
  | { readonly kind: "discard" | "writeZeroes"; readonly ranges: readonly DiskRange[]; readonly durable: boolean }
  | { readonly kind: "flush" };

export interface DiskRequestsParts {
  readonly backend: BlockBackend;
  /** Brings a completion into the machine at a moment the machine chooses (machine/inputs.ts). */
  readonly deliver: (apply: () => void) => void;
  /** Told about every failed request, so that the user learns why the guest saw an I/O error. */
  readonly onError?: ((request: string, error: unknown) => void) | undefined;
  /** Says that host work began, where the driver polls for its end instead of waiting for an interrupt; the result is called then. */
  readonly awaitHost?: (() => (() => void) | undefined) | undefined;
  /** Whether no vCPU has anything to do. */
  readonly isIdle?: (() => boolean) | undefined;
  /** Requests wait in the guest's queues while this much data is being moved. */
  readonly maxBytesInFlight: number;
  /** A request has ended: answers may have to be signalled, and what had to wait may go on. */
  readonly progressed: () => void;
}

export class DiskRequests {
  readonly #parts: DiskRequestsParts;
  /** Counts resets: a completion of an earlier epoch is not the driver's business any more. */
  #epoch = 0;
  #inFlight = 0;
  #bytesInFlight = 0;
  /** Requests of earlier epochs that the backend still works on. */
  #orphans = 0;
  /** What those still move from or to guest memory. */
  #orphanBytes = 0;
  #readNowBudget = 0;
  #largeReadsNow = 0;

  constructor(parts: DiskRequestsParts) {
    this.#parts = parts;
  }

  get draining(): boolean {
    return this.#orphanBytes > 0;
  }

  /** Whether a request may be taken out of the guest's queue now. */
  get hasRoom(): boolean {
    return this.#orphans === 0 && this.#bytesInFlight < this.#parts.maxBytesInFlight;
  }

  /** To be called when the driver has put something into a queue. */
  notified(): void {
    this.#readNowBudget = READ_NOW_BUDGET_BYTES;
  }

  /** `done` is called now or, through `deliver`, later; never after a reset. */
  submit(request: DiskRequest, done: (succeeded: boolean) => void): void {
    if (this.#readNow(request)) return done(true);
    const arrived = this.#parts.awaitHost?.();
    const epoch = this.#epoch;
    const bytes = request.kind === "read" || request.kind === "write" ? request.length : 0;
    this.#inFlight++;
    this.#bytesInFlight += bytes;
    void this.#run(request)
      .then(
        () => true,
        (error: unknown) => {
          this.#parts.onError?.(request.kind, error);
          return false;
        },
      )
      .then((succeeded) => {
        if (request.kind === "read" && bytes > READ_NOW_MAX_BYTES) {
          this.#largeReadsNow = this.#parts.isIdle?.() ? LARGE_READS_NOW : 0;
        }
        this.#parts.deliver(() => {
          arrived?.();
          const cutOff = epoch !== this.#epoch;
          if (request.kind === "read") request.memory.finish(cutOff);
          if (cutOff) {
            this.#orphans--;
            this.#orphanBytes -= bytes;
          } else {
            this.#inFlight--;
            this.#bytesInFlight -= bytes;
            done(succeeded);
          }
          this.#parts.progressed();
        });
      });
  }

  /** Nothing submitted so far ends for the driver any more. */
  reset(): void {
    this.#epoch++;
    this.#orphans += this.#inFlight;
    this.#orphanBytes += this.#bytesInFlight;
    this.#inFlight = 0;
    this.#bytesInFlight = 0;
  }

  #readNow(request: DiskRequest): boolean {
    if (request.kind !== "read" || request.length > this.#readNowBudget) return false;
    if (request.length > READ_NOW_MAX_BYTES) {
      if (this.#largeReadsNow === 0) return false;
      this.#largeReadsNow--;
    }
    if (!this.#parts.backend.readNow?.(request.offset, request.memory.pieces)) return false;
    this.#readNowBudget -= request.length;
    request.memory.finish();
    return true;
  }

  async #run(request: DiskRequest): Promise<void> {
    const { backend } = this.#parts;
    switch (request.kind) {
      case "read":
        return readPieces(backend, request.offset, request.memory.pieces);
      case "flush":
        return backend.flush();
      case "write":
        await writePieces(backend, request.offset, request.memory.pieces);
        break;
      case "discard":
        await Promise.all(request.ranges.map(({ offset, length }) => backend.discard(offset, length)));
        break;
      case "writeZeroes":
        await Promise.all(
          request.ranges.map(({ offset, length, unmap }) => backend.writeZeroes(offset, length, unmap)),
        );
        break;
    }
    if (request.durable) await backend.flush();
  }
}
