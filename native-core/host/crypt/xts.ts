// AES-256-XTS over sectors of 512 bytes, numbered as dm-crypt does ("plain64"; IEEE 1619-2018).
//
//   T(0) = E(K2, sector number)      T(j + 1) = T(j) * x in GF(2^128)      C(j) = E(K1, P(j) ^ T(j)) ^ T(j)
//
// OpenSSL's own XTS takes one call per sector, which costs more than the sector does. Here one call of ECB takes all blocks of a request,
// with the tweaks put on before and after.
import { type Cipheriv, createCipheriv, createDecipheriv, type Decipheriv } from "node:crypto";
import { assert } from "../../common/assert.ts";

export const SECTOR_BYTES = 512;
export const XTS_KEY_BYTES = 64;
const BLOCK_BYTES = 16;
const BLOCK_WORDS = BLOCK_BYTES / 4;
const SECTOR_BLOCKS = SECTOR_BYTES / BLOCK_BYTES;
/** x^128 = x^7 + x^2 + x + 1 */
const REDUCTION = 0x87;

export class XtsCipher {
  readonly #encryption: Cipheriv;
  readonly #decryption: Decipheriv;
  readonly #tweaks: Cipheriv;

  /** Two AES-256 keys, the one for data first. */
  constructor(key: Uint8Array) {
    assert(key.length === XTS_KEY_BYTES, "two keys of 256 bits");
    const [data, tweak] = [key.subarray(0, 32), key.subarray(32)];
    this.#encryption = createCipheriv("aes-256-ecb", data, null).setAutoPadding(false);
    this.#decryption = createDecipheriv("aes-256-ecb", data, null).setAutoPadding(false);
    this.#tweaks = createCipheriv("aes-256-ecb", tweak, null).setAutoPadding(false);
  }

  /** Whole sectors from number `sector` on; yields new memory. */
  encrypt(sector: number, bytes: Uint8Array): Uint8Array {
    return this.#transform(this.#encryption, sector, bytes);
  }

  decrypt(sector: number, bytes: Uint8Array): Uint8Array {
    return this.#transform(this.#decryption, sector, bytes);
  }

  #transform(cipher: Cipheriv | Decipheriv, sector: number, bytes: Uint8Array): Uint8Array {
    assert(bytes.length % SECTOR_BYTES === 0, "whole sectors");
    const tweaks = this.#tweaksOf(sector, bytes.length / SECTOR_BYTES);
    const work = new Uint32Array(bytes.length / 4);
    new Uint8Array(work.buffer).set(bytes);
    mix(work, tweaks);
    const result = cipher.update(new Uint8Array(work.buffer));
    new Uint8Array(work.buffer).set(result);
    mix(work, tweaks);
    return new Uint8Array(work.buffer);
  }

  /** The tweak of every block, as little-endian words. */
  #tweaksOf(sector: number, count: number): Uint32Array {
    const numbers = new Uint8Array(count * BLOCK_BYTES);
    const view = new DataView(numbers.buffer);
    for (let index = 0; index < count; index++) view.setBigUint64(index * BLOCK_BYTES, BigInt(sector + index), true);
    const encrypted = this.#tweaks.update(numbers);
    const first = new DataView(encrypted.buffer, encrypted.byteOffset, encrypted.byteLength);
    const tweaks = new Uint32Array(count * SECTOR_BLOCKS * BLOCK_WORDS);
    for (let index = 0, at = 0; index < count; index++) {
      let w0 = first.getUint32(index * BLOCK_BYTES, true);
      let w1 = first.getUint32(index * BLOCK_BYTES + 4, true);
      let w2 = first.getUint32(index * BLOCK_BYTES + 8, true);
      let w3 = first.getUint32(index * BLOCK_BYTES + 12, true);
      for (let block = 0; block < SECTOR_BLOCKS; block++, at += BLOCK_WORDS) {
        tweaks[at] = w0;
        tweaks[at + 1] = w1;
        tweaks[at + 2] = w2;
        tweaks[at + 3] = w3;
        const carry = w3 >>> 31;
        w3 = (w3 << 1) | (w2 >>> 31);
        w2 = (w2 << 1) | (w1 >>> 31);
        w1 = (w1 << 1) | (w0 >>> 31);
        w0 = (w0 << 1) ^ (carry * REDUCTION);
      }
    }
    return tweaks;
  }
}

function mix(words: Uint32Array, tweaks: Uint32Array): void {
  for (let index = 0; index < words.length; index++)
    words[index] = (words[index] as number) ^ (tweaks[index] as number);
}
