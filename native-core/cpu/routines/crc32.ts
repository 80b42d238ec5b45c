// CRC-32C by table: T[k][b] is the CRC of byte b followed by k zero bytes, so that eight bytes take eight look-ups at once.
import {
  and32,
  brIf,
  type Code,
  eq32,
  extendU,
  get,
  i32,
  load,
  loop,
  op,
  ret,
  set,
  shrU32,
  sub32,
  when,
  wrap,
} from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { Local } from "../../wasm/types.ts";
import { CRC_TABLE_BYTES, tableAddress } from "./tables.ts";

/** T[zeros][low byte of `index`]. */
function lookUp(index: Code, zeros: number): Code {
  const at = op("i32.shl", and32(index, i32(0xff)), i32(2));
  return load("i32.load", at, tableAddress("crc") + zeros * CRC_TABLE_BYTES);
}

/** (register: i64, data: i64, bytes: i32) -> i64 */
export function crc32c(f: FunctionWriter): void {
  const [register, data, bytes] = f.params as [Local, Local, Local];
  const crc = f.local("i32");
  const low = f.local("i32");
  const high = f.local("i32");
  const xor = (a: Code, b: Code): Code => op("i32.xor", a, b);
  const four = (word: Local, zeros: number): Code =>
    [0, 1, 2, 3].map((n) => lookUp(shrU32(get(word), 8 * n), zeros - n)).reduce(xor);
  set(crc, wrap(get(register)))(f);
  set(low, xor(get(crc), wrap(get(data))))(f);
  when(eq32(get(bytes), i32(8)), [
    set(high, wrap(op("i64.shr_u", get(data), (w) => w.i64(32n)))),
    ret(extendU(xor(four(low, 7), four(high, 3)))),
  ])(f);
  when(eq32(get(bytes), i32(4)), [ret(extendU(four(low, 3)))])(f);
  // One or two bytes.
  loop((again) => [
    set(crc, xor(shrU32(get(crc), 8), lookUp(get(low), 0))),
    set(low, xor(get(crc), shrU32(wrap(get(data)), 8))),
    set(bytes, sub32(get(bytes), i32(1))),
    brIf(again, get(bytes)),
  ])(f);
  extendU(get(crc))(f);
}
