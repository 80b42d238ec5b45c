// Carry-less multiplication with ordinary multiplications: every fourth bit of the factors is kept, so that sums of partial products,
// at most fifteen, stay within their four bits and the lowest of each is their exclusive or.
import { and64, type Code, get, i32, i64, op, or64, set, shrU64 } from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { Local } from "../../wasm/types.ts";
import { vectorOf } from "./tables.ts";

const EVERY_FOURTH = 0x1111_1111_1111_1111n;

/** (i64, i64) -> v128 */
export function carrylessMultiply(f: FunctionWriter): void {
  const [a, b] = f.params as [Local, Local];
  const low = f.local("i64");
  const high = f.local("i64");
  const pair = f.local("v128");
  set(low, lowProduct(f, a, b))(f);
  // The upper half is the lower half of the reversed factors' product, reversed, one bit further down.
  fromPair(a, b)(f);
  f.set(pair);
  reverse(f, pair);
  set(a, lane(pair, 0))(f);
  set(b, lane(pair, 1))(f);
  set(high, lowProduct(f, a, b))(f);
  set(pair, op("i64x2.splat", get(high)))(f);
  reverse(f, pair);
  set(high, shrU64(lane(pair, 0), 1))(f);
  fromPair(low, high)(f);
}

const fromPair =
  (low: Local, high: Local): Code =>
  (f) => {
    op("i64x2.splat", get(low))(f);
    get(high)(f);
    f.lanes("i64x2.replace_lane", [1]);
  };

const lane =
  (pair: Local, n: 0 | 1): Code =>
  (f) => {
    f.get(pair);
    f.lanes("i64x2.extract_lane", [n]);
  };

/** The lower 64 bits of the product. */
function lowProduct(f: FunctionWriter, a: Local, b: Local): Code {
  const part = (x: Local, n: number): Local => {
    const local = f.local("i64");
    set(local, and64(get(x), i64(BigInt.asIntN(64, EVERY_FOURTH << BigInt(n)))))(f);
    return local;
  };
  const parts = [0, 1, 2, 3].map((n): [Local, Local] => [part(a, n), part(b, n)]);
  const products = [0, 1, 2, 3].map((n) => {
    const terms = parts.map(([x], m) => op("i64.mul", get(x), get((parts[(n - m + 4) % 4] as [Local, Local])[1])));
    const sum = terms.reduce((x, y) => op("i64.xor", x, y));
    return and64(sum, i64(BigInt.asIntN(64, EVERY_FOURTH << BigInt(n))));
  });
  return products.reduce((x, y) => or64(x, y));
}

const REVERSED_BYTES = [7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8];

/** Reverses the bits of both halves of `pair`. */
function reverse(f: FunctionWriter, pair: Local): void {
  get(pair)(f);
  get(pair)(f);
  f.lanes("i8x16.shuffle", REVERSED_BYTES);
  f.set(pair);
  const table = vectorOf("reversedNibbles");
  const low = op("i8x16.swizzle", table, op("v128.and", get(pair), vectorOf("lowNibbles")));
  const high = op("i8x16.swizzle", table, op("i8x16.shr_u", get(pair), i32(4)));
  set(pair, op("v128.or", op("i8x16.shl", low, i32(4)), high))(f);
}
