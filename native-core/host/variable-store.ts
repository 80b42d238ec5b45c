// UEFI's variables between the flash chip and the image that keeps them. The image is a disk of the machine like any other, so that
// snapshots, clones and restores take the variables along.
import type { BlockBackend } from "../devices/block-backend.ts";
import type { FlashContent } from "../devices/flash/flash.ts";

const PAGE_BYTES = 4096;

export class VariableStore implements FlashContent {
  readonly bytes: Uint8Array;
  readonly #disk: BlockBackend;
  readonly #onError: (error: unknown) => void;
  readonly #dirty = new Set<number>();
  #writing = false;

  static async open(disk: BlockBackend, onError: (error: unknown) => void): Promise<VariableStore> {
    const bytes = new Uint8Array(disk.sizeBytes);
    await disk.read(0, bytes);
    return new VariableStore(disk, bytes, onError);
  }

  private constructor(disk: BlockBackend, bytes: Uint8Array, onError: (error: unknown) => void) {
    this.#disk = disk;
    this.bytes = bytes;
    this.#onError = onError;
  }

  changed(offset: number, length: number): void {
    for (let page = Math.floor(offset / PAGE_BYTES); page * PAGE_BYTES < offset + length; page++) this.#dirty.add(page);
    this.#write();
  }

  /** One page after another; what changes meanwhile is written again. A write is under way until nothing is dirty, so that a snapshot, which waits for writes, gets all. */
  #write(): void {
    const [page] = this.#dirty;
    if (this.#writing || page === undefined) return;
    this.#writing = true;
    this.#dirty.delete(page);
    const at = page * PAGE_BYTES;
    const next = (): void => {
      this.#writing = false;
      this.#write();
    };
    this.#disk
      .write(at, this.bytes.slice(at, Math.min(at + PAGE_BYTES, this.bytes.length)))
      .then(next, (error: unknown) => {
        this.#onError(error);
        next();
      });
  }
}
