// Bytes on their way to the guest: kept until acknowledged, readable at any offset, without joining what arrived.

const SMALL_BYTES = 2048;
const BLOCK_BYTES = 16 * 1024;

export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #first = 0;
  /** Bytes of the first chunk that are gone already. */
  #skipped = 0;
  #length = 0;
  /** Room behind the last chunk, when that is a block of ours. */
  #spare: Uint8Array | undefined;

  get length(): number {
    return this.#length;
  }

  /** Takes the bytes over; small ones are copied together, so that a sender of single bytes costs no chunk for each. */
  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#length += bytes.length;
    if (bytes.length > SMALL_BYTES) {
      this.#chunks.push(bytes);
      this.#spare = undefined;
      return;
    }
    const spare = this.#spare;
    const last = this.#chunks.at(-1);
    if (spare && last && spare.length >= bytes.length && this.#chunks.length > this.#first) {
      spare.set(bytes);
      this.#chunks[this.#chunks.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.length + bytes.length);
      this.#spare = spare.subarray(bytes.length);
      return;
    }
    const block = new Uint8Array(BLOCK_BYTES);
    block.set(bytes);
    this.#chunks.push(block.subarray(0, bytes.length));
    this.#spare = block.subarray(bytes.length);
  }

  /** Forgets the first `count` bytes. */
  release(count: number): void {
    this.#length -= count;
    let left = count + this.#skipped;
    for (;;) {
      const chunk = this.#chunks[this.#first];
      if (!chunk || left < chunk.length) break;
      left -= chunk.length;
      this.#chunks[this.#first++] = EMPTY;
    }
    this.#skipped = left;
    if (this.#first === this.#chunks.length) {
      this.#chunks = [];
      this.#first = 0;
      this.#skipped = 0;
      this.#spare = undefined;
    } else if (this.#first > 64) {
      this.#chunks = this.#chunks.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Fills `target` with the bytes from `offset`; they must be there. */
  copy(offset: number, target: Uint8Array): void {
    let skip = offset + this.#skipped;
    let done = 0;
    for (let index = this.#first; done < target.length; index++) {
      const chunk = this.#chunks[index];
      if (!chunk) return;
      if (skip >= chunk.length) {
        skip -= chunk.length;
        continue;
      }
      const part = chunk.subarray(skip, skip + target.length - done);
      target.set(part, done);
      done += part.length;
      skip = 0;
    }
  }
}

const EMPTY = new Uint8Array(0);
