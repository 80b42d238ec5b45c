// Whether something of the host's file system is worth being asked for at once, on the vCPU's own thread. What the host has in its cache
// is here in a microsecond, while a turn through Node's thread pool takes twenty or, on a busy host, many times that. Whether the cache
// has it can't be asked; how long the last calls took tells. Where nothing is in the cache, less than 2 % of the time are lost by trying.

/** A call that took longer than this was not served from the host's cache, or the host was busy with something else. */
const SLOW_MS = 0.1;
/** After a slow one, none is tried for 2^n times as long; n grows with every slow one and falls with every fast one. */
const MAX_PATIENCE = 6;

export class Patience {
  #untilMs = 0;
  #patience = 0;

  /** What `call` yields, or undefined where it is better not tried now, or has failed: the caller asks the other way then. */
  try<R>(call: () => R): R | undefined {
    const startMs = performance.now();
    if (startMs < this.#untilMs) return undefined;
    try {
      return call();
    } catch {
      return undefined;
    } finally {
      const tookMs = performance.now() - startMs;
      if (tookMs > SLOW_MS) {
        this.#patience = Math.min(MAX_PATIENCE, this.#patience + 1);
        this.#untilMs = startMs + tookMs * 2 ** this.#patience;
      } else if (this.#patience > 0) this.#patience--;
    }
  }
}
