// Incoming bytes of a viewer, cut into messages. Holds at most one incomplete message, whose size the protocol bounds.

export class MessageReader {
  #buffer = new Uint8Array(256);
  #start = 0;
  #end = 0;
  #skip = 0;

  push(bytes: Uint8Array): void {
    const skipped = Math.min(this.#skip, bytes.length);
    this.#skip -= skipped;
    const added = bytes.subarray(skipped);
    if (this.#end + added.length > this.#buffer.length) {
      // Doubling keeps many small pieces cheap.
      const size = Math.max(2 * this.available, this.available + added.length, 256);
      const larger = new Uint8Array(size);
      larger.set(this.#buffer.subarray(this.#start, this.#end));
      this.#end -= this.#start;
      this.#start = 0;
      this.#buffer = larger;
    }
    this.#buffer.set(added, this.#end);
    this.#end += added.length;
  }

  get available(): number {
    return this.#end - this.#start;
  }

  /** What is there, from the first byte not taken. */
  get view(): DataView {
    return new DataView(this.#buffer.buffer, this.#start, this.available);
  }

  /** Valid until the next push. */
  take(length: number): Uint8Array {
    const taken = this.#buffer.subarray(this.#start, this.#start + length);
    this.#start += length;
    return taken;
  }

  /** Drops the next `length` bytes, whether they are here already or not. */
  skip(length: number): void {
    const here = Math.min(length, this.available);
    this.#start += here;
    this.#skip += length - here;
  }
}
