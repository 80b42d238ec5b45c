// Guest clusters that are getting a new place or losing theirs: whoever wants to write there waits.

export class ClusterLocks {
  readonly #held = new Map<number, Promise<void>>();

  has(cluster: number): boolean {
    return this.#held.has(cluster);
  }

  /** Settles when the cluster is free for a try; undefined when it is free now. */
  holder(cluster: number): Promise<void> | undefined {
    return this.#held.get(cluster);
  }

  /** Locks free clusters `first` to `last`; the result unlocks them. Nobody who holds a lock waits for another. */
  take(first: number, last: number): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    for (let cluster = first; cluster <= last; cluster++) this.#held.set(cluster, promise);
    return () => {
      for (let cluster = first; cluster <= last; cluster++) this.#held.delete(cluster);
      resolve();
    };
  }
}
