// PCMPESTRI and relatives (SDM 1 4.1): the 8 or 16 result bits of comparing two strings of bytes or words. By definition, slow.
import { split } from "./lanes.ts";

/** The immediate: bit 0 words, bit 1 signed, bits 3:2 aggregation, bit 4 negate, bit 5 only where the second string is valid. */
export const STRING_COMPARE = { words: 1, signed: 2, aggregation: 12, negate: 16, masked: 32 } as const;
export const AGGREGATION = { equalAny: 0, ranges: 4, equalEach: 8, equalOrdered: 12 } as const;

/** IntRes2. Lengths are at most the number of elements. */
export function compareStrings(
  first: bigint,
  second: bigint,
  firstLength: number,
  secondLength: number,
  control: number,
): number {
  const bits = control & STRING_COMPARE.words ? 16 : 8;
  const count = 128 / bits;
  const elements = (vector: bigint): bigint[] =>
    split(vector, bits).map((lane) => (control & STRING_COMPARE.signed ? BigInt.asIntN(bits, lane) : lane));
  const a = elements(first);
  const b = elements(second);
  const at = (list: readonly bigint[], n: number): bigint => list[n] as bigint;
  const matches = (i: number): boolean => {
    const isValid = i < secondLength;
    switch (control & STRING_COMPARE.aggregation) {
      case AGGREGATION.equalAny:
        return isValid && a.slice(0, firstLength).includes(at(b, i));
      case AGGREGATION.ranges:
        if (!isValid) return false;
        for (let j = 0; j + 1 < firstLength; j += 2) if (at(b, i) >= at(a, j) && at(b, i) <= at(a, j + 1)) return true;
        return false;
      case AGGREGATION.equalEach:
        return isValid && i < firstLength ? at(a, i) === at(b, i) : !isValid && i >= firstLength;
      default:
        for (let j = 0; j < firstLength && i + j < count; j++) {
          if (i + j >= secondLength || at(a, j) !== at(b, i + j)) return false;
        }
        return true;
    }
  };
  let result = 0;
  for (let i = 0; i < count; i++) {
    const negated = control & STRING_COMPARE.negate && (!(control & STRING_COMPARE.masked) || i < secondLength);
    if (matches(i) !== Boolean(negated)) result |= 1 << i;
  }
  return result;
}
