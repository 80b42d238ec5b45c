// The Internet checksum (RFC 1071): one's complement sum of 16-bit words.

/** Adds the words of bytes[start, end) to `sum`; an odd last byte counts as the high half of a word. The result is not folded. */
export function sumWords(bytes: Uint8Array, start: number, end: number, sum = 0): number {
  let at = start;
  for (const last = end - 1; at < last; at += 2) sum += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  if (at < end) sum += (bytes[at] as number) << 8;
  return sum;
}

/** Folds carries into 16 bits. Good for sums of up to 2^37 words, far beyond any packet. */
export function fold(sum: number): number {
  let folded = (sum % 0x10000) + Math.floor(sum / 0x10000);
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}

/** The checksum to store for a sum of everything else. */
export function complement(sum: number): number {
  return ~fold(sum) & 0xffff;
}

/** Sum of the pseudo-header (RFC 793 3.1, RFC 8200 8.1). `addresses` holds source and destination next to each other. */
export function pseudoHeaderSum(
  bytes: Uint8Array,
  addresses: number,
  addressBytes: number,
  protocol: number,
  length: number,
) {
  return sumWords(bytes, addresses, addresses + 2 * addressBytes) + protocol + (length >>> 16) + (length & 0xffff);
}
