// An append-only log that never holds anybody up and never fills the disk: writes queue in memory up to a bound, the file is turned
// over at its limit, and a failure ends the log, not the machine. Beside it, `path.times` tells when its lines came: `MILLISECONDS OFFSET`,
// once a second at most, for who looks for what was printed when (main/services/search).
import { appendFile, type FileHandle, mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

const FILE_LIMIT_BYTES = 16 << 20;
const QUEUE_LIMIT_BYTES = 8 << 20;
const MARK_EVERY_MS = 1000;

export class LogFile {
  readonly #path: string;
  readonly #onFailure: (error: unknown) => void;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #work: Promise<void> | undefined;
  #handle: FileHandle | undefined;
  #size = 0;
  #markedAtMs = 0;
  #failed = false;

  /** At 16 MiB the file becomes `path.1`, replacing an older one. `onFailure` is called once. */
  constructor(path: string, onFailure: (error: unknown) => void) {
    this.#path = path;
    this.#onFailure = onFailure;
  }

  /** Takes the bytes over. */
  append(bytes: Uint8Array): void {
    if (this.#failed || this.#queued + bytes.length > QUEUE_LIMIT_BYTES) return;
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#work ??= this.#write().finally(() => {
      this.#work = undefined;
    });
  }

  /** Settles when everything so far is in the file. */
  async close(): Promise<void> {
    await this.#work;
    this.#failed = true;
    await this.#handle?.close();
  }

  async #write(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const bytes = Buffer.concat(this.#queue);
        this.#queue = [];
        this.#queued = 0;
        const handle = await this.#open();
        await this.#mark();
        await handle.appendFile(bytes);
        this.#size += bytes.length;
      }
    } catch (error) {
      this.#failed = true;
      this.#onFailure(error);
    }
  }

  async #mark(): Promise<void> {
    const now = Date.now();
    if (now - this.#markedAtMs < MARK_EVERY_MS) return;
    this.#markedAtMs = now;
    await appendFile(`${this.#path}.times`, `${now} ${this.#size}\n`, { mode: 0o600 });
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle && this.#size >= FILE_LIMIT_BYTES) {
      await this.#handle.close();
      this.#handle = undefined;
      await rename(this.#path, `${this.#path}.1`);
      await rename(`${this.#path}.times`, `${this.#path}.1.times`);
      this.#markedAtMs = 0;
    }
    if (!this.#handle) {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      this.#handle = await open(this.#path, "a", 0o600);
      this.#size = (await this.#handle.stat()).size;
    }
    return this.#handle;
  }
}
