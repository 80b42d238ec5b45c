// Deterministic random values, biased to where instructions go wrong: ends of ranges, sign changes, powers of two, special floats.
export class Random {
  #state: number;

  /** The same text yields the same sequence, so that adding a row leaves the vectors of the others alone. */
  constructor(seed: string) {
    let hash = 0x811c9dc5;
    for (const character of seed) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
    this.#state = hash | 0;
  }

  /** 32 random bits (mulberry32). */
  bits32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  bits64(): bigint {
    return (BigInt(this.bits32()) << 32n) | BigInt(this.bits32());
  }

  /** 0 .. limit - 1. */
  below(limit: number): number {
    return this.bits32() % limit;
  }

  /** True in `percent` of calls. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error("nothing to pick from");
    return value;
  }

  /** An integer of `bits` bits, edges most of the time. */
  integer(bits: number): bigint {
    const wrap = (value: bigint): bigint => BigInt.asUintN(bits, value);
    switch (this.below(8)) {
      case 0:
        return wrap(this.pick([0n, 1n, -1n, 2n, -2n]));
      case 1: {
        const edge = 1n << BigInt(this.pick([7, 8, 15, 16, 31, 32, 63, bits - 1, bits - 1]));
        return wrap(edge + this.pick([-1n, 0n, 1n]));
      }
      case 2:
        return wrap(1n << BigInt(this.below(bits)));
      case 3:
        return wrap(-(1n << BigInt(this.below(bits))));
      case 4:
        return wrap(BigInt(this.below(256)) - 128n);
      default:
        return wrap(this.bits64());
    }
  }

  /** Bits of an f32 or f64: specials, neighbours of specials, integers, and plain numbers near one. */
  float(bits: 32 | 64): bigint {
    const fractionBits = bits === 32 ? 23n : 52n;
    const maxExponent = bits === 32 ? 0xffn : 0x7ffn;
    const bias = maxExponent >> 1n;
    const sign = BigInt(this.below(2)) << BigInt(bits - 1);
    const compose = (exponent: bigint, fraction: bigint): bigint =>
      sign | (exponent << fractionBits) | BigInt.asUintN(Number(fractionBits), fraction);
    const fraction = this.pick([0n, 1n, -1n, 1n << (fractionBits - 1n), this.bits64(), this.bits64()]);
    switch (this.below(12)) {
      case 0:
        return compose(0n, 0n);
      case 1:
        return compose(0n, fraction); // zero or denormal
      case 2:
        return compose(1n, fraction); // around the smallest normal
      case 3:
        return compose(maxExponent - 1n, fraction); // around the largest
      case 4:
        return compose(maxExponent, this.pick([0n, 0n, 1n, 1n << (fractionBits - 1n), this.bits64()])); // infinity, NaN
      case 5:
        return this.#floatOf(bits, this.below(2000) - 1000);
      case 6:
        return this.#floatOf(bits, (this.below(4000) - 2000) / 4);
      case 7:
        return this.#floatOf(
          bits,
          this.pick([2 ** 31, -(2 ** 31), 2 ** 31 - 1, 2 ** 63, -(2 ** 63), 2 ** 32, -(2 ** 31) - 1]),
        );
      case 8:
        return compose(BigInt.asUintN(bits === 32 ? 8 : 11, this.bits64()), this.bits64());
      default:
        return compose(bias + BigInt(this.below(40) - 20), this.chance(30) ? fraction : this.bits64());
    }
  }

  /** Bits of an 80-bit float, unnormal encodings included. */
  extended(): bigint {
    const sign = BigInt(this.below(2)) << 79n;
    const exponent = this.pick([
      0x3fff,
      0x3fff + this.below(80) - 20,
      this.below(0x8000),
      0,
      1,
      0x7fff,
      0x7ffe,
      0x4000,
    ]);
    const integerBit = exponent === 0 ? this.chance(10) : !this.chance(3);
    const fraction = BigInt.asUintN(
      63,
      this.pick([0n, 0n, 1n, 1n << 62n, -1n, this.bits64(), this.bits64(), this.bits64()]),
    );
    return sign | (BigInt(exponent) << 64n) | (integerBit ? 1n << 63n : 0n) | fraction;
  }

  /** 16 bytes of lanes of one kind. */
  vector(kind: "integer" | "f32" | "f64"): bigint {
    const laneBits = kind === "f32" ? 32 : kind === "f64" ? 64 : this.pick([8, 16, 32, 64]);
    let value = 0n;
    for (let shift = 0; shift < 128; shift += laneBits) {
      const lane = kind === "integer" ? this.integer(laneBits) : this.float(laneBits === 32 ? 32 : 64);
      value |= lane << BigInt(shift);
    }
    return value;
  }

  #floatOf(bits: 32 | 64, value: number): bigint {
    const view = new DataView(new ArrayBuffer(8));
    if (bits === 32) {
      view.setFloat32(0, value);
      return BigInt(view.getUint32(0));
    }
    view.setFloat64(0, value);
    return view.getBigUint64(0);
  }
}
