// Keeps a guest that misbehaves in a loop from flooding the log.

const WINDOW_NS = 10_000_000_000n;

export class RateLimit {
  readonly #perWindow: number;
  #windowStartNs = -WINDOW_NS;
  #count = 0;

  /** `perWindow`: how many are let through in ten seconds. */
  constructor(perWindow: number) {
    this.#perWindow = perWindow;
  }

  allows(nowNs: bigint): boolean {
    if (nowNs - this.#windowStartNs >= WINDOW_NS) {
      this.#windowStartNs = nowNs;
      this.#count = 0;
    }
    return ++this.#count <= this.#perWindow;
  }
}
