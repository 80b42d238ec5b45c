// Runs asynchronous work one piece at a time, in the order of arrival.

export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();
  #held = 0;

  /** Whether somebody holds or waits for it. */
  get busy(): boolean {
    return this.#held > 0;
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    this.#held += 1;
    const result = this.#tail.then(work).finally(() => {
      this.#held -= 1;
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }
}
