// Building blocks of the saved-state schemas of devices. Saved states are untrusted input: every field has a range.
import { z } from "zod";

export const u8 = z.int().min(0).max(0xff);
export const u16 = z.int().min(0).max(0xffff);
export const u32 = z.int().min(0).max(0xffffffff);
export const u64 = z.bigint().min(0n).max(0xffffffffffffffffn);
export const flag = z.boolean();
/** A point in virtual time. Bounded far beyond any machine's life (146 years), so that sums with it can't run away. */
export const timeNs = z
  .bigint()
  .min(-(1n << 62n))
  .max(1n << 62n);
export const optionalTimeNs = timeNs.nullable();

/** Exactly `length` bytes. */
export function bytes(length: number) {
  return z.instanceof(Uint8Array).refine((value) => value.length === length, `must be ${length} bytes`);
}

/** At most `length` bytes. */
export function bytesUpTo(length: number) {
  return z.instanceof(Uint8Array).refine((value) => value.length <= length, `must be at most ${length} bytes`);
}

/** Exactly `length` elements. */
export function arrayOf<T extends z.ZodType>(element: T, length: number) {
  return z.array(element).length(length);
}
