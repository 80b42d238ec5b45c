// A kernel's System.map: `address type name` per line, in order of addresses. It names the places of a profile.
import type { VmProfile } from "./engine.ts";

type Sample = VmProfile["samples"][number];

/** Where a guest was, and how often it was found there. */
export interface Place {
  readonly place: string;
  readonly user: boolean;
  readonly count: number;
}

const CODE = /^[0-9a-f]+ [tTwW] /;

export class SystemMap {
  readonly #symbols: readonly { readonly address: bigint; readonly name: string }[];

  constructor(text: string) {
    this.#symbols = text
      .split("\n")
      .filter((line) => CODE.test(line))
      .map((line) => {
        const [address, , name] = line.trim().split(" ") as [string, string, string];
        return { address: BigInt(`0x${address}`), name };
      });
  }

  /** The function that an address is in. */
  nameOf(address: bigint): string | undefined {
    let [low, high] = [0, this.#symbols.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#symbols[middle]?.address ?? 0n) <= address) low = middle + 1;
      else high = middle;
    }
    return this.#symbols[low - 1]?.name;
  }

  /** Samples by function, most frequent first; user code keeps its addresses. */
  merge(samples: readonly Sample[]): Place[] {
    const places = new Map<string, Place>();
    for (const { rip, user, count } of samples) {
      const place = user ? rip : (this.nameOf(BigInt(`0x${rip}`)) ?? rip);
      const key = `${place} ${user}`;
      places.set(key, { place, user, count: count + (places.get(key)?.count ?? 0) });
    }
    return [...places.values()].sort((a, b) => b.count - a.count);
  }
}
