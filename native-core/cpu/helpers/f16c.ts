// Half precision conversions that are not plain (x86/semantics/f16c.ts). Neither direction depends on FTZ, and a denormal half is an
// ordinary operand: DAZ leaves it alone and it signals nothing.
import type { Helper } from "../context.ts";
import { decode, encode, HALF, type Rounding, round, SINGLE } from "./soft-float.ts";
import { convert, type Lane, packed } from "./sse-float.ts";

const widen: Lane = (environment, _, bits) => {
  const value = decode(HALF, bits);
  if (!value.denormal) return convert(HALF, SINGLE)(environment, bits, 0n);
  return encode(SINGLE, round(SINGLE, environment, value.negative, value.significand, value.exponent));
};

const BY_MXCSR = 4n;

const narrow =
  (imm8: bigint): Lane =>
  (environment, _, bits) => {
    environment.flushToZero = false;
    if (!(imm8 & BY_MXCSR)) environment.rounding = Number(imm8 & 3n) as Rounding;
    return convert(SINGLE, HALF)(environment, bits, 0n);
  };

export const F16C_HELPERS: Record<string, Helper> = {
  f16c_widen: packed({ fromBits: 16, toBits: 32, count: 4 }, () => widen),
  f16c_narrow: packed({ fromBits: 32, toBits: 16, count: 4 }, narrow),
};
