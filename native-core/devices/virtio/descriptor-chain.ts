// One buffer a driver offered: the descriptors of a chain, read and checked once (virtio 1.2 2.7.5).
//
// The ring belongs to the guest, so nothing in it is trusted: loops, indices outside the table, buffers outside RAM, nested or
// empty indirect tables and writable-before-readable order are reported as a reason, and the device asks to be reset.
import type { GuestMemory } from "../device.ts";
import { DmaBuffer, type DmaSegment } from "../dma-buffer.ts";
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from "./constants.ts";

const DESCRIPTOR_BYTES = 16;

/** Longest chain accepted through an indirect table; drivers of small queues use tables longer than the queue. */
const MAX_INDIRECT = 1024;

/** The driver's request as two byte streams: what the device may read, and what it may write. */
export class DescriptorChain {
  readonly head: number;
  /** The queue's life in which the chain was taken; a completion of an earlier life is dropped. */
  readonly generation: number;
  readonly readableBytes: number;
  readonly writableBytes: number;
  readonly #memory: GuestMemory;
  readonly #readable: readonly DmaSegment[];
  readonly #writable: readonly DmaSegment[];

  constructor(memory: GuestMemory, head: number, generation: number, readable: DmaSegment[], writable: DmaSegment[]) {
    this.#memory = memory;
    this.head = head;
    this.generation = generation;
    this.#readable = readable;
    this.#writable = writable;
    this.readableBytes = totalLength(readable);
    this.writableBytes = totalLength(writable);
  }

  /** Copies `target.length` bytes from `offset` of the readable part; the caller stays inside `readableBytes`. */
  read(offset: number, target: Uint8Array): void {
    let done = 0;
    for (const { address, length } of slice(this.#readable, offset, target.length)) {
      this.#memory.read(address, target.subarray(done, done + length));
      done += length;
    }
  }

  /** Copies `source` to `offset` of the writable part; the caller stays inside `writableBytes`. */
  write(offset: number, source: Uint8Array): void {
    let done = 0;
    for (const { address, length } of slice(this.#writable, offset, source.length)) {
      this.#memory.write(address, source.subarray(done, done + length));
      done += length;
    }
  }

  /** `length` bytes from `offset` of the readable part, for a transfer from the guest. */
  source(offset: number, length: number): DmaBuffer {
    return new DmaBuffer(this.#memory, joined(slice(this.#readable, offset, length)), false);
  }

  /** `length` bytes from `offset` of the writable part, for a transfer to the guest. */
  target(offset: number, length: number): DmaBuffer {
    return new DmaBuffer(this.#memory, joined(slice(this.#writable, offset, length)), true);
  }
}

/** Drivers describe memory page by page; neighbours are one segment. */
function joined(segments: Iterable<DmaSegment>): DmaSegment[] {
  const result: DmaSegment[] = [];
  for (const segment of segments) {
    const last = result.at(-1);
    if (last && last.address + last.length === segment.address) {
      result[result.length - 1] = { address: last.address, length: last.length + segment.length };
    } else result.push(segment);
  }
  return result;
}

function totalLength(segments: readonly DmaSegment[]): number {
  let total = 0;
  for (const { length } of segments) total += length;
  return total;
}

function* slice(segments: readonly DmaSegment[], offset: number, length: number): Generator<DmaSegment> {
  let start = 0;
  for (const segment of segments) {
    if (length === 0) return;
    const skip = Math.max(0, offset - start);
    if (skip < segment.length) {
      const taken = Math.min(segment.length - skip, length);
      yield { address: segment.address + skip, length: taken };
      offset += taken;
      length -= taken;
    }
    start += segment.length;
  }
}

export interface DescriptorTable {
  readonly address: number;
  readonly entries: number;
  readonly allowIndirect: boolean;
}

const scratch = new Uint8Array(DESCRIPTOR_BYTES);
const scratchView = new DataView(scratch.buffer);

/** Follows the chain that starts at `head`. Returns the chain, or the reason why the driver's ring is broken. */
export function readChain(
  memory: GuestMemory,
  table: DescriptorTable,
  head: number,
  generation: number,
): DescriptorChain | string {
  const readable: DmaSegment[] = [];
  const writable: DmaSegment[] = [];
  let { address: base, entries } = table;
  let indirect = false;
  let index = head;
  for (let budget = entries; ; budget--) {
    if (budget === 0) return `descriptor chain ${head} loops`;
    if (index >= entries) return `descriptor index ${index} is outside the table of ${entries}`;
    memory.read(base + index * DESCRIPTOR_BYTES, scratch);
    const address = scratchView.getUint32(0, true) + scratchView.getUint32(4, true) * 2 ** 32;
    const length = scratchView.getUint32(8, true);
    const flags = scratchView.getUint16(12, true);
    if (address + length > memory.sizeBytes) return `descriptor ${index} of chain ${head} points outside RAM`;

    if (flags & VIRTQ_DESC_F_INDIRECT) {
      if (!table.allowIndirect || indirect || flags & VIRTQ_DESC_F_NEXT) {
        return `descriptor ${index} of chain ${head} may not be indirect`;
      }
      entries = length / DESCRIPTOR_BYTES;
      if (!Number.isInteger(entries) || entries === 0 || entries > MAX_INDIRECT) {
        return `indirect table of chain ${head} has ${length} bytes`;
      }
      indirect = true;
      base = address;
      index = 0;
      budget = entries + 1;
      continue;
    }

    if (length === 0) return `descriptor ${index} of chain ${head} is empty`;
    if (flags & VIRTQ_DESC_F_WRITE) writable.push({ address, length });
    else if (writable.length > 0) return `chain ${head} has a readable descriptor after a writable one`;
    else readable.push({ address, length });
    if (!(flags & VIRTQ_DESC_F_NEXT)) return new DescriptorChain(memory, head, generation, readable, writable);
    index = scratchView.getUint16(14, true);
  }
}
