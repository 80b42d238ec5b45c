// A raw image: the file is the disk. A size that is not a whole number of sectors is rounded down, as controllers count sectors.
import { assert } from "../common/assert.ts";
import { type Pieces, piecesLength, zeroPieces } from "../common/pieces.ts";
import type { DiskImage, LayerExtent } from "./disk-image.ts";
import { type ImageFile, readPadded, readPieces, writePieces } from "./image-file.ts";
import { invalidImage } from "./media-error.ts";

const ZEROES = new Uint8Array(1 << 20);

export class RawImage implements DiskImage {
  readonly format = "raw";
  readonly sizeBytes: number;
  readonly #file: ImageFile;

  static async open(file: ImageFile): Promise<RawImage> {
    const size = await file.size();
    if (size < 512) throw invalidImage(file.name, "size", "is less than one sector");
    return new RawImage(file, size - (size % 512));
  }

  private constructor(file: ImageFile, sizeBytes: number) {
    this.#file = file;
    this.sizeBytes = sizeBytes;
  }

  get readOnly(): boolean {
    return this.#file.readOnly;
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    this.#checkRange(offset, target.length);
    return readPadded(this.#file, offset, target);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    assert(!this.readOnly, "the image is writable");
    this.#checkRange(offset, source.length);
    return this.#file.write(offset, source);
  }

  async readPieces(offset: number, target: Pieces): Promise<void> {
    this.#checkRange(offset, piecesLength(target));
    zeroPieces(target, await readPieces(this.#file, offset, target));
  }

  async writePieces(offset: number, source: Pieces): Promise<void> {
    assert(!this.readOnly, "the image is writable");
    this.#checkRange(offset, piecesLength(source));
    await writePieces(this.#file, offset, source);
  }

  readNow(offset: number, target: Pieces): boolean {
    this.#checkRange(offset, piecesLength(target));
    return this.#file.readNow?.(offset, target) ?? false;
  }

  flush(): Promise<void> {
    return this.readOnly ? Promise.resolve() : this.#file.flush();
  }

  discard(offset: number, length: number): Promise<void> {
    assert(!this.readOnly, "the image is writable");
    this.#checkRange(offset, length);
    return this.#file.punchHole(offset, length);
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    assert(!this.readOnly, "the image is writable");
    this.#checkRange(offset, length);
    for (let done = 0; done < length; done += ZEROES.length) {
      await this.#file.write(offset + done, ZEROES.subarray(0, Math.min(ZEROES.length, length - done)));
    }
  }

  async extentAt(offset: number, length: number): Promise<LayerExtent> {
    this.#checkRange(offset, length);
    return { kind: "data", length };
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#file.close();
    }
  }

  #checkRange(offset: number, length: number): void {
    assert(offset >= 0 && length >= 0 && offset + length <= this.sizeBytes, "the request lies inside the disk");
  }
}
