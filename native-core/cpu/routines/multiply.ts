// The upper half of a 64 x 64-bit product.
import { add64, and64, type Code, get, i64, op, set, shrU64 } from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { Local } from "../../wasm/types.ts";
import type { Routines } from "./routines.ts";

/** Schoolbook multiplication on 32-bit halves; the signed product corrects for negative operands. */
export function multiplyHigh(f: FunctionWriter, routines: Routines, isSigned = false): void {
  const [a, b] = f.params as [Local, Local];
  if (isSigned) {
    const sign = (x: Code): Code => op("i64.shr_s", x, i64(63));
    get(a)(f);
    get(b)(f);
    f.call(routines["i64.mul_high_u"]);
    op("i64.sub", and64(sign(get(a)), get(b)))(f);
    op("i64.sub", and64(sign(get(b)), get(a)))(f);
    return;
  }
  const low = (x: Code): Code => and64(x, i64(0xffff_ffff));
  const high = (x: Code): Code => shrU64(x, 32);
  const mul = (x: Code, y: Code): Code => op("i64.mul", x, y);
  const middle = f.local("i64");
  const middle2 = f.local("i64");
  set(middle, add64(mul(high(get(a)), low(get(b))), high(mul(low(get(a)), low(get(b))))))(f);
  set(middle2, add64(mul(low(get(a)), high(get(b))), low(get(middle))))(f);
  add64(mul(high(get(a)), high(get(b))), add64(high(get(middle)), high(get(middle2))))(f);
}
