// A file that a fid has open at the host. A guest may let go of it, or its folder may be taken away, while it is being read: the host's
// file is closed only when nothing is under way, because the host gives the numbers of closed files to others.
import { type FileAttributes, type OpenFile, ShareError } from "./file-share.ts";
import { OPEN_FILES_MAX } from "./protocol.ts";

/** How many there are, for all fids together. */
export class OpenFileCount {
  #open = 0;

  /** Throws ShareError EMFILE. */
  take(): void {
    if (this.#open >= OPEN_FILES_MAX) throw new ShareError("EMFILE");
    this.#open++;
  }

  release(): void {
    this.#open--;
  }
}

export class HeldFile {
  readonly #file: OpenFile;
  readonly #count: OpenFileCount;
  #uses = 0;
  /** From `close` on; called when nothing is under way. */
  #whenIdle: (() => void) | undefined;

  /** Takes over a place that was taken in `count`. */
  constructor(file: OpenFile, count: OpenFileCount) {
    this.#file = file;
    this.#count = count;
  }

  async use<R>(work: (file: OpenFile) => Promise<R>): Promise<R> {
    if (this.#whenIdle) throw new ShareError("EBADF");
    this.#uses++;
    try {
      return await work(this.#file);
    } finally {
      this.#uses--;
      this.#closeWhenIdle();
    }
  }

  /** Undefined where it would have to be waited for. */
  now<R>(work: (file: OpenFile) => R | undefined): R | undefined {
    return this.#whenIdle ? undefined : work(this.#file);
  }

  attributes(): Promise<FileAttributes> {
    return this.use((file) => file.attributes());
  }

  /** Settles when the host's file is closed; what closing it fails with is nobody's business any more. */
  async close(): Promise<void> {
    if (this.#whenIdle) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenIdle = resolve;
    this.#closeWhenIdle();
    await promise;
    await this.#file.close().catch(() => undefined);
    this.#count.release();
  }

  #closeWhenIdle(): void {
    if (this.#uses === 0) this.#whenIdle?.();
  }
}
