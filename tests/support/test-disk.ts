// A disk for tests of controllers: it tells what was asked of it, and does it when the test wants.
import { type Pieces, scatter } from "../../native-core/common/pieces.ts";
import type { BlockBackend } from "../../native-core/devices/block-backend.ts";

/** A disk in memory whose operations wait for `release` when `held`. */
export class TestDisk implements BlockBackend {
  readonly bytes: Uint8Array;
  readonly readOnly: boolean;
  readonly log: string[] = [];
  failing = false;
  held = false;
  atHand = false;
  #waiting: (() => void)[] = [];

  constructor(sizeBytes = 64 * 1024, readOnly = false) {
    this.bytes = new Uint8Array(sizeBytes);
    this.readOnly = readOnly;
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  release(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  async #operation(entry: string): Promise<void> {
    this.log.push(entry);
    if (this.held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.failing) throw new Error("medium error");
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    await this.#operation(`read ${offset}+${target.length}`);
    target.set(this.bytes.subarray(offset, offset + target.length));
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    await this.#operation(`write ${offset}+${source.length}`);
    this.bytes.set(source, offset);
  }

  readNow(offset: number, target: Pieces): boolean {
    if (!this.atHand) return false;
    this.log.push(`now ${offset} ${target.map(({ length }) => length).join("+")}`);
    scatter(this.bytes.subarray(offset), target);
    return true;
  }

  flush(): Promise<void> {
    return this.#operation("flush");
  }

  discard(offset: number, length: number): Promise<void> {
    return this.#operation(`discard ${offset}+${length}`);
  }

  async writeZeroes(offset: number, length: number, mayUnmap: boolean): Promise<void> {
    await this.#operation(`zero ${offset}+${length} ${mayUnmap}`);
    this.bytes.fill(0, offset, offset + length);
  }
}
