// The table of a switch: each target of a computed jump has a place of its own.
import { describe, expect, it } from "vitest";
import { perfectHash } from "../../../../native-core/cpu/jit/target-switch.ts";
import { Random } from "../../../support/cpu/random.ts";

const place = (number: number, { multiplier, bits }: ReturnType<typeof perfectHash>): number =>
  Math.imul(number, multiplier) >>> (32 - bits);

describe("a perfect hash", () => {
  for (const [what, numbers] of [
    ["numbers in a row", Array.from({ length: 16 }, (_, n) => n)],
    ["cases at even distances", Array.from({ length: 12 }, (_, n) => 0x400 + n * 16)],
    ["distances in both directions", [-0x1000, -1, 0, 1, 0x7fff_ffff, -0x4000_0000]],
  ] as const) {
    it(`tells ${what} apart`, () => {
      const hash = perfectHash(numbers);
      expect(new Set(numbers.map((number) => place(number, hash))).size).toBe(numbers.length);
    });
  }

  it("of 16 random distances needs a small table", () => {
    const random = new Random(52);
    for (let round = 0; round < 200; round++) {
      const numbers = [...new Set(Array.from({ length: 16 }, () => random.below(1 << 20)))];
      const hash = perfectHash(numbers);
      expect(new Set(numbers.map((number) => place(number, hash))).size).toBe(numbers.length);
      expect(hash.bits).toBeLessThanOrEqual(6);
    }
  });
});
