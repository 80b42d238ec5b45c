// The fields of 9P messages: a reader that never leaves its message, and a writer that never leaves its room.
import { ShareError } from "./file-share.ts";
import { HEADER_BYTES } from "./protocol.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export const textBytes = (text: string): Uint8Array => encoder.encode(text);

/** Reads a request's fields in order. Throws ShareError EPROTO at its end, and EINVAL for text that is not UTF-8. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = HEADER_BYTES;

  constructor(message: Uint8Array) {
    this.#bytes = message;
    this.#view = new DataView(message.buffer, message.byteOffset, message.length);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** A place in a file or its size. Throws ShareError EINVAL beyond 2^53. */
  offset(): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ShareError("EINVAL");
    return Number(value);
  }

  text(): string {
    const length = this.u16();
    const at = this.#take(length);
    try {
      return decoder.decode(this.#bytes.subarray(at, at + length));
    } catch {
      throw new ShareError("EINVAL");
    }
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw new ShareError("EPROTO");
    this.#at = at + length;
    return at;
  }
}

/** Builds an answer's fields; the header comes with `finish`. */
export class FieldWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = HEADER_BYTES;

  constructor(roomBytes = 256) {
    this.#bytes = new Uint8Array(Math.max(roomBytes, HEADER_BYTES));
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value >>> 0, true);
    return this;
  }

  u64(value: bigint | number): this {
    const at = this.#room(8);
    this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    return this;
  }

  text(text: string | Uint8Array): this {
    const bytes = typeof text === "string" ? textBytes(text) : text;
    this.u16(bytes.length);
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Overwrites a field that was written before. */
  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value >>> 0, true);
  }

  /** The message. `dataBytes` follow it that are in the guest's memory already. */
  finish(type: number, tag: number, dataBytes = 0): Uint8Array {
    this.#view.setUint32(0, this.#length + dataBytes, true);
    this.#view.setUint8(4, type);
    this.#view.setUint16(5, tag, true);
    return this.#bytes.subarray(0, this.#length);
  }

  /** Where the next `length` bytes go. It may make room: bytes and view are others afterwards. */
  #room(length: number): number {
    const at = this.#length;
    if (at + length > this.#bytes.length) {
      const larger = new Uint8Array(2 * (at + length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = at + length;
    return at;
  }
}
