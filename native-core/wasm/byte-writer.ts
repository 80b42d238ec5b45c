// A growing byte buffer with the encodings of the WebAssembly binary format: LEB128, names, vectors.

export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
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

  /** Signed LEB128. */
  signed(value: bigint): this {
    if (value === BigInt.asIntN(32, value)) return this.signed32(Number(value));
    let rest = value;
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      const done = (rest === 0n && !(low & 0x40)) || (rest === -1n && low & 0x40);
      this.byte(done ? low : low | 0x80);
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
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
