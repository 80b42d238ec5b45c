// Guest memory as the source or target of a host transfer: the pieces of a scatter-gather list, lent by RAM where it can (no copy),
// copied where a list points elsewhere, for instance at a device's registers.
import type { Pieces } from "../common/pieces.ts";
import type { GuestMemory } from "./device.ts";

/** Bytes of guest physical memory. */
export interface DmaSegment {
  readonly address: number;
  readonly length: number;
}

export class DmaBuffer {
  /** What the host reads from or writes to while the transfer is under way. */
  readonly pieces: Pieces;
  readonly #memory: GuestMemory;
  readonly #segments: readonly DmaSegment[];
  /** For each segment, whether its piece is a copy. */
  readonly #copied: readonly boolean[];

  /** With `toGuest` the transfer writes guest memory and ends with `finish`. */
  constructor(memory: GuestMemory, segments: readonly DmaSegment[], toGuest: boolean) {
    this.#memory = memory;
    this.#segments = segments;
    const copied: boolean[] = [];
    this.pieces = segments.map(({ address, length }) => {
      const lent = memory.lend(address, length, toGuest);
      copied.push(lent === undefined);
      if (lent) return lent;
      const copy = new Uint8Array(length);
      if (!toGuest) memory.read(address, copy);
      return copy;
    });
    this.#copied = copied;
  }

  /** The transfer to the guest is over. A cancelled one may have changed lent memory, but copies are dropped. */
  finish(cancelled = false): void {
    for (const [index, { address, length }] of this.#segments.entries()) {
      if (!this.#copied[index]) this.#memory.written(address, length);
      else if (!cancelled) this.#memory.write(address, this.pieces[index] as Uint8Array);
    }
  }
}
