// A growing byte buffer with the encodings of the WebAssembly binary format: LEB128, names, vectors.

/** A signed 64-bit value and its halves, the lower one first: all hosts of V8 are little-endian. */
const HALVES_OF = new BigInt64Array(1);
const HALVES = new Int32Array(HALVES_OF.buffer);

export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** `capacity`: bytes to begin with; there may be more. */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes.subarray(0, this.#length));
  }

  byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  bytes(values: Uint8Array): this {
    this.#reserve(values.length);
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
    return this;
  }

  /** Unsigned LEB128 of a value below 2^32. */
  unsigned(value: number): this {
    this.#reserve(5);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      // Values from 2^31 on are negative to >>, not to >>>.
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
    return this;
  }

  /** Signed LEB128 of a 32-bit integer. */
  signed32(value: number): this {
    this.#reserve(5);
    let rest = value;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
      this.#bytes[this.#length++] = done ? low : low | 0x80;
      if (done) return this;
    }
  }

  /** Signed LEB128. A number is an integer that is exact as one. */
  signed(value: bigint | number): this {
    if (typeof value === "number") {
      if (value === (value | 0)) return this.signed32(value);
      return this.#signed64(value >>> 0, Math.floor(value / 2 ** 32));
    }
    HALVES_OF[0] = value;
    const [low, high] = [HALVES[0] as number, HALVES[1] as number];
    return high === low >> 31 ? this.signed32(low) : this.#signed64(low, high);
  }

  /** Of two halves, for arithmetic with a bigint is slow. */
  #signed64(low: number, high: number): this {
    this.#reserve(10);
    let [l, h] = [low, high];
    for (;;) {
      const bits = l & 0x7f;
      l = (l >>> 7) | (h << 25);
      h >>= 7;
      const done = (h & l) === -1 ? (bits & 0x40) !== 0 : (h | l) === 0 && (bits & 0x40) === 0;
      this.#bytes[this.#length++] = done ? bits : bits | 0x80;
      if (done) return this;
    }
  }

  /** ASCII, as all names of ours are. */
  name(text: string): this {
    this.unsigned(text.length).#reserve(text.length);
    for (let index = 0; index < text.length; index++) this.#bytes[this.#length++] = text.charCodeAt(index);
    return this;
  }

  /** The content preceded by its length in bytes. */
  sized(content: ByteWriter): this {
    return this.unsigned(content.length).append(content);
  }

  append(content: ByteWriter): this {
    return this.bytes(content.#bytes.subarray(0, content.#length));
  }

  /** A section or sub-section: its id, its length, its content. */
  section(id: number, content: ByteWriter): this {
    return this.byte(id).sized(content);
  }

  #reserve(count: number): void {
    if (this.#length + count > this.#bytes.length) this.#grow(count);
  }

  #grow(count: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
