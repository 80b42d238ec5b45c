// Image files in memory for tests: a plain one, and one that records writes and flushes so that crashes can be replayed.
import type { ImageFile } from "../../../native-core/media/image-file.ts";

export class MemoryImageFile implements ImageFile {
  readonly name: string;
  readonly readOnly: boolean;
  bytes: Uint8Array;
  #size: number;

  constructor(bytes: Uint8Array = new Uint8Array(0), readOnly = false, name = "test.img") {
    this.bytes = bytes;
    this.#size = bytes.length;
    this.readOnly = readOnly;
    this.name = name;
  }

  get contents(): Uint8Array {
    return this.bytes.subarray(0, this.#size);
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    await Promise.resolve();
    const part = this.bytes.subarray(Math.min(offset, this.#size), Math.min(offset + target.length, this.#size));
    target.set(part);
    return part.length;
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    await Promise.resolve();
    this.#grow(offset + source.length);
    this.bytes.set(source, offset);
  }

  async flush(): Promise<void> {}

  async size(): Promise<number> {
    return this.#size;
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#grow(sizeBytes);
    this.bytes.fill(0, sizeBytes);
    this.#size = sizeBytes;
  }

  async punchHole(offset: number, length: number): Promise<void> {
    this.bytes.fill(0, offset, Math.min(offset + length, this.#size));
  }

  async close(): Promise<void> {}

  #grow(end: number): void {
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.bytes.length * 2));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.#size = Math.max(this.#size, end);
  }
}

export type FileEvent =
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly sizeBytes: number }
  | { readonly kind: "flush" }
  | { readonly kind: "mark"; readonly label: number };

/** Records what reaches the file, in the order it would reach the page cache. */
export class RecordingImageFile extends MemoryImageFile {
  readonly events: FileEvent[] = [];

  override async write(offset: number, source: Uint8Array): Promise<void> {
    const bytes = source.slice();
    await super.write(offset, source);
    this.events.push({ kind: "write", offset, bytes });
  }

  override async truncate(sizeBytes: number): Promise<void> {
    await super.truncate(sizeBytes);
    this.events.push({ kind: "truncate", sizeBytes });
  }

  override async flush(): Promise<void> {
    await Promise.resolve();
    this.events.push({ kind: "flush" });
  }

  /** Notes a moment in the record, such as an acknowledged flush. */
  mark(label: number): void {
    this.events.push({ kind: "mark", label });
  }
}

/**
 * The file after a crash: everything before the last flush of the first `length` events, and of what followed it only the writes that
 * `survives` picks (a disk may reorder and lose writes between flushes).
 */
export function replay(
  initial: Uint8Array,
  events: readonly FileEvent[],
  length: number,
  survives: (n: number) => boolean,
) {
  const prefix = events.slice(0, length);
  const barrier = prefix.findLastIndex((event) => event.kind === "flush");
  const file = new MemoryImageFile(initial.slice());
  for (const [n, event] of prefix.entries()) {
    if (n > barrier && !survives(n)) continue;
    if (event.kind === "write") void file.write(event.offset, event.bytes);
    if (event.kind === "truncate") void file.truncate(event.sizeBytes);
  }
  return file;
}
