// One namespace: a disk, and the I/O commands on it (NVMe 1.4, 6).
import { joinPieces } from "../../common/pieces.ts";
import { type BlockBackend, SECTOR_SIZE_BYTES } from "../block-backend.ts";
import type { GuestMemory } from "../device.ts";
import { type DiskRange, DiskRequests } from "../disk-requests.ts";
import { DmaBuffer } from "../dma-buffer.ts";
import { prpSegments } from "./prp.ts";
import type { Command } from "./queues.ts";
import { IO, LBA_BYTES, STATUS, TRANSFER_MAX_BYTES } from "./registers.ts";

const FORCE_UNIT_ACCESS = 1 << 30;
const DEALLOCATE_ZEROES = 1 << 25;
const DEALLOCATE = 1 << 2;
const RANGE_BYTES = 16;
const MAX_BYTES_IN_FLIGHT = 16 * TRANSFER_MAX_BYTES;

export interface NvmeDiskParts {
  readonly id: string;
  readonly backend: BlockBackend;
  readonly onError?: ((request: string, error: unknown) => void) | undefined;
}

export class Namespace {
  readonly disk: BlockBackend;
  readonly requests: DiskRequests;
  readonly #memory: GuestMemory;

  constructor(
    { backend, onError }: NvmeDiskParts,
    memory: GuestMemory,
    deliver: (apply: () => void) => void,
    progressed: () => void,
  ) {
    this.disk = backend;
    this.#memory = memory;
    this.requests = new DiskRequests({ backend, deliver, onError, progressed, maxBytesInFlight: MAX_BYTES_IN_FLIGHT });
  }

  /** `done` gets the status, now or later; never after a reset. Without `writeCache`, writes are durable when they are done. */
  execute(command: Command, writeCache: boolean, done: (status: number) => void): void {
    const ended = (failure: number) => (succeeded: boolean) => done(succeeded ? STATUS.SUCCESS : failure);
    if (command.opcode !== IO.READ && command.opcode !== IO.FLUSH && this.disk.readOnly) {
      return done(STATUS.WRITE_TO_READ_ONLY);
    }
    switch (command.opcode) {
      case IO.FLUSH:
        return this.requests.submit({ kind: "flush" }, ended(STATUS.WRITE_FAULT));
      case IO.READ:
      case IO.WRITE: {
        const range = this.#range(command);
        if (!range) return done(STATUS.LBA_OUT_OF_RANGE);
        if (range.length > TRANSFER_MAX_BYTES) return done(STATUS.INVALID_FIELD);
        const toGuest = command.opcode === IO.READ;
        const memory = this.#buffer(command, range.length, toGuest);
        if (typeof memory === "number") return done(memory);
        if (toGuest)
          return this.requests.submit({ kind: "read", ...range, memory }, ended(STATUS.UNRECOVERED_READ_ERROR));
        const durable = !writeCache || (command.word(12) & FORCE_UNIT_ACCESS) !== 0;
        return this.requests.submit({ kind: "write", ...range, memory, durable }, ended(STATUS.WRITE_FAULT));
      }
      case IO.WRITE_ZEROES: {
        const range = this.#range(command);
        if (!range) return done(STATUS.LBA_OUT_OF_RANGE);
        const unmap = (command.word(12) & DEALLOCATE_ZEROES) !== 0;
        const durable = !writeCache || (command.word(12) & FORCE_UNIT_ACCESS) !== 0;
        return this.requests.submit(
          { kind: "writeZeroes", ranges: [{ ...range, unmap }], durable },
          ended(STATUS.WRITE_FAULT),
        );
      }
      case IO.DATASET_MANAGEMENT: {
        const ranges = this.#ranges(command);
        if (typeof ranges === "number") return done(ranges);
        // Hints about use are no reason to do anything.
        if (!(command.word(11) & DEALLOCATE)) return done(STATUS.SUCCESS);
        return this.requests.submit({ kind: "discard", ranges, durable: false }, ended(STATUS.WRITE_FAULT));
      }
      default:
        return done(STATUS.INVALID_OPCODE);
    }
  }

  /** Blocks from double words 10 to 12; undefined when they are not all on the disk. */
  #range(command: Command): { offset: number; length: number } | undefined {
    return this.#blocks(command.long(10), (command.word(12) & 0xffff) + 1);
  }

  #blocks(first: number, count: number): { offset: number; length: number } | undefined {
    const blocks = Math.floor(this.disk.sizeBytes / SECTOR_SIZE_BYTES);
    if (first + count > blocks) return undefined;
    return { offset: first * LBA_BYTES, length: count * LBA_BYTES };
  }

  #ranges(command: Command): readonly DiskRange[] | number {
    const count = (command.word(10) & 0xff) + 1;
    const memory = this.#buffer(command, count * RANGE_BYTES, false);
    if (typeof memory === "number") return memory;
    const data = joinPieces(memory.pieces);
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const ranges: DiskRange[] = [];
    for (let index = 0; index < count; index++) {
      const length = view.getUint32(index * RANGE_BYTES + 4, true);
      const first = Number(view.getBigUint64(index * RANGE_BYTES + 8, true));
      const range = this.#blocks(first, length);
      if (!range) return STATUS.LBA_OUT_OF_RANGE;
      if (length > 0) ranges.push({ ...range, unmap: true });
    }
    return ranges;
  }

  #buffer(command: Command, length: number, toGuest: boolean): DmaBuffer | number {
    // Bits 15..14 of double word 0 choose scatter-gather lists, which this controller does not offer.
    if ((command.word(0) >>> 14) & 3) return STATUS.INVALID_FIELD;
    const segments = prpSegments(this.#memory, command.long(6), command.long(8), length);
    return typeof segments === "number" ? segments : new DmaBuffer(this.#memory, segments, toGuest);
  }
}
