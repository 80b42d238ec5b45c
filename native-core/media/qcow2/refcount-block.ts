// Reference counts of one refcount block: 1 to 64 bits each, as the header's refcount order says.

export class RefcountBlock {
  /** Where the block is in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  dirty = false;
  /** Writes of this block that have not ended: until then the file is older than memory and the block must stay. */
  writing = 0;
  readonly #order: number;
  readonly #view: DataView;

  constructor(offset: number, bytes: Uint8Array<ArrayBuffer>, order: number) {
    this.offset = offset;
    this.bytes = bytes;
    this.#order = order;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get(index: number): number {
    switch (this.#order) {
      case 3:
        return this.#view.getUint8(index);
      case 4:
        return this.#view.getUint16(index * 2);
      case 5:
        return this.#view.getUint32(index * 4);
      case 6:
        return Number(this.#view.getBigUint64(index * 8));
      default: {
        const { byte, shift, mask } = this.#bits(index);
        return (this.#view.getUint8(byte) >> shift) & mask;
      }
    }
  }

  set(index: number, count: number): void {
    this.dirty = true;
    switch (this.#order) {
      case 3:
        this.#view.setUint8(index, count);
        break;
      case 4:
        this.#view.setUint16(index * 2, count);
        break;
      case 5:
        this.#view.setUint32(index * 4, count);
        break;
      case 6:
        this.#view.setBigUint64(index * 8, BigInt(count));
        break;
      default: {
        const { byte, shift, mask } = this.#bits(index);
        this.#view.setUint8(byte, (this.#view.getUint8(byte) & ~(mask << shift)) | (count << shift));
      }
    }
  }

  /** Counts of less than a byte: the lowest bits of a byte belong to the lowest index. */
  #bits(index: number): { byte: number; shift: number; mask: number } {
    const width = 1 << this.#order;
    const bit = index * width;
    return { byte: bit >> 3, shift: bit & 7, mask: (1 << width) - 1 };
  }
}
