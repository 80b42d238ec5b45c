// 256 bits, one per interrupt vector: the IRR, ISR and TMR of a local APIC.

export class VectorSet {
  readonly words = new Uint32Array(8);

  has(vector: number): boolean {
    return ((this.words[vector >>> 5] as number) & (1 << (vector & 31))) !== 0;
  }

  add(vector: number): void {
    this.words[vector >>> 5] = (this.words[vector >>> 5] as number) | (1 << (vector & 31));
  }

  remove(vector: number): void {
    this.words[vector >>> 5] = (this.words[vector >>> 5] as number) & ~(1 << (vector & 31));
  }

  /** The highest vector in the set, -1 when it is empty. */
  highest(): number {
    for (let word = 7; word >= 0; word--) {
      const bits = this.words[word] as number;
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
    }
    return -1;
  }

  clear(): void {
    this.words.fill(0);
  }
}
