// A 128-bit dividend by a 64-bit divisor, in digits of 32 bits (Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D).
import {
  add64,
  and64,
  block,
  br,
  brIf,
  type Code,
  get,
  i64,
  loop,
  op,
  ret,
  seq,
  set,
  shrU64,
  sub64,
  tee,
  unlikely,
} from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { Local } from "../../wasm/types.ts";

const DIGIT = 1n << 32n;

const mul = (a: Code, b: Code): Code => op("i64.mul", a, b);
const shl = (a: Code, b: Code): Code => op("i64.shl", a, b);
const shr = (a: Code, b: Code): Code => op("i64.shr_u", a, b);
const gt = (a: Code, b: Code): Code => op("i64.gt_u", a, b);
const ge = (a: Code, b: Code): Code => op("i64.ge_u", a, b);
const highDigit = (x: Code): Code => shrU64(x, 32);
const lowDigit = (x: Code): Code => and64(x, i64(0xffff_ffff));

export function divideWide(f: FunctionWriter): void {
  const [high, low, divisor] = f.params as [Local, Local, Local];
  const shift = f.local("i64");
  const top = f.local("i64");
  const rest = f.local("i64");
  const quotient = f.local("i64");

  /** Takes `next`, a digit, into `high`: leaves the digit of the quotient in `quotient`, the remainder in `high`. */
  const step = (next: Code): Code =>
    seq(
      set(quotient, op("i64.div_u", get(high), get(top))),
      set(rest, sub64(get(high), mul(get(quotient), get(top)))),
      // The estimate by the divisor's upper digit is too large by 2 at most.
      block((done) => [
        loop((again) => [
          block((tooLarge) => [
            brIf(tooLarge, ge(get(quotient), i64(DIGIT))),
            brIf(tooLarge, gt(mul(get(quotient), lowDigit(get(divisor))), add64(shl(get(rest), i64(32)), next))),
            br(done),
          ]),
          set(quotient, sub64(get(quotient), i64(1))),
          brIf(done, ge(tee(rest, add64(get(rest), get(top))), i64(DIGIT))),
          br(again),
        ]),
      ]),
      set(high, sub64(add64(shl(get(high), i64(32)), next), mul(get(quotient), get(divisor)))),
    );

  unlikely(ge(get(high), get(divisor)), [ret(i64(0))])(f);
  // Normalized: the divisor has its highest bit set. A shift by 64 would be one by 0.
  set(shift, op("i64.clz", get(divisor)))(f);
  set(divisor, shl(get(divisor), get(shift)))(f);
  set(top, highDigit(get(divisor)))(f);
  set(high, op("i64.or", shl(get(high), get(shift)), shr(shrU64(get(low), 1), sub64(i64(63), get(shift)))))(f);
  set(low, shl(get(low), get(shift)))(f);
  step(highDigit(get(low)))(f);
  // The first digit waits where the second step does not look.
  const first = f.local("i64");
  set(first, shl(get(quotient), i64(32)))(f);
  step(lowDigit(get(low)))(f);
  add64(get(first), get(quotient))(f);
}
