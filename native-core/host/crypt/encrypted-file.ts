// The data clusters of an encrypted image: what is read is decrypted, what is written encrypted, numbered by its place in the file. Tables and
// header of the image go past this, unencrypted (qcow2 specification, "Data encryption").
import { assert } from "../../common/assert.ts";
import type { ImageFile } from "../../media/image-file.ts";
import { SECTOR_BYTES, type XtsCipher } from "./xts.ts";

export class EncryptedFile implements ImageFile {
  readonly name: string;
  readonly readOnly: boolean;
  readonly #file: ImageFile;
  readonly #cipher: XtsCipher;

  constructor(file: ImageFile, cipher: XtsCipher) {
    this.name = file.name;
    this.readOnly = file.readOnly;
    this.#file = file;
    this.#cipher = cipher;
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const first = Math.floor(offset / SECTOR_BYTES);
    const end = Math.ceil((offset + target.length) / SECTOR_BYTES);
    const stored = new Uint8Array((end - first) * SECTOR_BYTES);
    const count = await this.#file.read(first * SECTOR_BYTES, stored);
    const whole = count - (count % SECTOR_BYTES);
    const skipped = offset - first * SECTOR_BYTES;
    const plain = this.#cipher.decrypt(first, stored.subarray(0, whole));
    const found = plain.subarray(skipped, skipped + target.length);
    target.set(found);
    return found.length;
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    assert(offset % SECTOR_BYTES === 0 && source.length % SECTOR_BYTES === 0, "disks are written by sectors");
    await this.#file.write(offset, this.#cipher.encrypt(offset / SECTOR_BYTES, source));
  }

  flush(): Promise<void> {
    return this.#file.flush();
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#file.truncate(sizeBytes);
  }

  punchHole(offset: number, length: number): Promise<void> {
    return this.#file.punchHole(offset, length);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
