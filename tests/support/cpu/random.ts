// A small deterministic generator (xorshift64*), so that a failing case can be run again.

export class Random {
  #state: bigint;

  constructor(seed: number) {
    this.#state = BigInt(seed) * 0x9e37_79b9_7f4a_7c15n + 1n;
  }

  u64(): bigint {
    let x = BigInt.asUintN(64, this.#state);
    x ^= x >> 12n;
    x ^= BigInt.asUintN(64, x << 25n);
    x ^= x >> 27n;
    this.#state = x;
    return BigInt.asUintN(64, x * 0x2545_f491_4f6c_dd1dn);
  }

  /** 0 to bound - 1. */
  below(bound: number): number {
    return Number(this.u64() >> 11n) % bound;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** Values at the edges of operand sizes more often than others. */
  operand(): bigint {
    const width = this.pick([8n, 16n, 32n, 64n]);
    switch (this.below(6)) {
      case 0:
        return this.pick([0n, 1n, 2n, 0xffff_ffff_ffff_ffffn, 0x80n, 0x7fn]);
      case 1:
        return BigInt.asUintN(64, (1n << (width - 1n)) + BigInt(this.below(3)) - 1n);
      case 2:
        return BigInt.asUintN(64, (1n << width) - 1n - BigInt(this.below(3)));
      case 3:
        return this.u64() >> BigInt(this.below(64));
      default:
        return this.u64();
    }
  }
}
