// A v128 as lanes: the helpers that the vector tables are written with.
import { bitsToFloat, floatToBits } from "./floating-point.ts";

/** Unsigned lanes of `bits` bits, lane 0 first. */
export function split(vector: bigint, bits: number): bigint[] {
  const lanes: bigint[] = [];
  for (let shift = 0; shift < 128; shift += bits) lanes.push(BigInt.asUintN(bits, vector >> BigInt(shift)));
  return lanes;
}

/** Joins lanes, each truncated to `bits` bits. */
export function join(lanes: readonly bigint[], bits: number): bigint {
  let vector = 0n;
  lanes.forEach((lane, i) => {
    vector |= BigInt.asUintN(bits, lane) << BigInt(i * bits);
  });
  return vector;
}

export function mapLanes(bits: number, f: (a: bigint) => bigint): (a: bigint) => bigint {
  return (a) => join(split(a, bits).map(f), bits);
}

export function zipLanes(bits: number, f: (a: bigint, b: bigint) => bigint): (a: bigint, b: bigint) => bigint {
  return (a, b) => {
    const right = split(b, bits);
    return join(
      split(a, bits).map((lane, i) => f(lane, right[i] as bigint)),
      bits,
    );
  };
}

/** Clamps to the signed or unsigned range of `bits` bits. */
export function saturate(value: bigint, bits: number, signed: boolean): bigint {
  const low = signed ? -(1n << BigInt(bits - 1)) : 0n;
  const high = signed ? (1n << BigInt(bits - 1)) - 1n : (1n << BigInt(bits)) - 1n;
  return value < low ? low : value > high ? high : value;
}

export const signed = (bits: number) => (value: bigint) => BigInt.asIntN(bits, value);

/** All ones or zero. */
export const laneMask = (bits: number, condition: boolean): bigint => (condition ? (1n << BigInt(bits)) - 1n : 0n);

export function splitFloats(vector: bigint, bits: 32 | 64): number[] {
  return split(vector, bits).map((lane) => bitsToFloat(lane, bits));
}

/** The processor's default NaN has its sign set; JavaScript's has not, so NaN is written by hand. */
export function joinFloats(lanes: readonly number[], bits: 32 | 64): bigint {
  return join(
    lanes.map((lane) => (Number.isNaN(lane) ? defaultNan(bits) : floatToBits(lane, bits))),
    bits,
  );
}

export function defaultNan(bits: 32 | 64): bigint {
  return bits === 32 ? 0xffc0_0000n : 0xfff8_0000_0000_0000n;
}

/** A NaN operand as an arithmetic result: quieted, payload kept (the first NaN operand wins, as on the processor). */
export function propagateNan(operands: readonly bigint[], bits: 32 | 64): bigint | undefined {
  const quiet = bits === 32 ? 0x0040_0000n : 0x0008_0000_0000_0000n;
  const nan = operands.find((operand) => Number.isNaN(bitsToFloat(operand, bits)));
  return nan === undefined ? undefined : nan | quiet;
}
