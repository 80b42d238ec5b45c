// What happens when the host's disk is full: the guest stands still instead of seeing errors, which most systems answer by giving the disk
// up, and its requests are tried again when somebody has made room (as with QEMU's werror=enospc).
import { AppError, isAppError } from "../common/errors.ts";

export class FullDisk {
  /** Told once for all requests that wait. */
  onFull: (error: AppError) => void = () => undefined;
  #waiting: PromiseWithResolvers<void> | undefined;
  #ended = false;
  readonly #watchers = new Set<(error: AppError) => void>();

  get isFull(): boolean {
    return this.#waiting !== undefined;
  }

  /** Runs `work`, again each time that room may have been made. */
  async run(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (this.#ended || !isFull(error)) throw error;
        await this.#roomMade(error);
      }
    }
  }

  /** Waits for `work` unless a request waits for room, for then it may not end. @throws AppError NO_SPACE */
  async orFull(work: Promise<unknown>): Promise<void> {
    if (this.isFull) throw stalled();
    const { promise, reject } = Promise.withResolvers<never>();
    const watcher = () => reject(stalled());
    this.#watchers.add(watcher);
    try {
      await Promise.race([work, promise]);
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** Room may have been made. */
  retry(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve();
  }

  /** Nobody will make room any more: what waits fails. */
  giveUp(): void {
    this.#ended = true;
    this.retry();
  }

  #roomMade(error: AppError): Promise<void> {
    if (!this.#waiting) {
      this.#waiting = Promise.withResolvers();
      this.onFull(error);
      for (const watcher of [...this.#watchers]) watcher(error);
    }
    return this.#waiting.promise;
  }
}

function stalled(): AppError {
  return new AppError("NO_SPACE", "the guest waits until there is room on the host's disk", {
    field: "disks",
    consequence: "Nothing was saved; the guest still stands still.",
    remedy: "Free some space on the disk and resume the machine first.",
  });
}

/** A flush that failed is not tried again: the system may have forgotten by then what it could not write. */
function isFull(error: unknown): error is AppError {
  return isAppError(error) && error.code === "NO_SPACE" && error.details.field !== "flush";
}
