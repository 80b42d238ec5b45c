// Arithmetic over GF(2): carry-less multiplication (PCLMULQDQ) and CRC-32C (CRC32), by definition and slow.

/** Product of two 64-bit polynomials over GF(2). */
export function carrylessMultiply(a: bigint, b: bigint): bigint {
  let product = 0n;
  for (let n = 0n; n < 64n; n++) if ((b >> n) & 1n) product ^= BigInt.asUintN(64, a) << n;
  return product;
}

/** The Castagnoli polynomial, bits reversed. */
const CRC32C_POLYNOMIAL = 0x82f6_3b78;

/** CRC-32C of one byte, followed by `zeros` bytes of zero, from a register of zero. */
export function crc32cOfByte(byte: number, zeros = 0): number {
  let crc = byte;
  for (let n = 0; n < 8 * (zeros + 1); n++) crc = (crc >>> 1) ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
  return crc >>> 0;
}

/** The register `crc` after `bytes` bytes of `data`, lowest first. No inversion before or after. */
export function crc32c(crc: bigint, data: bigint, bytes: number): bigint {
  let register = Number(BigInt.asUintN(32, crc));
  for (let n = 0; n < bytes; n++) {
    const byte = Number((BigInt.asUintN(64, data) >> BigInt(8 * n)) & 0xffn);
    register = (register >>> 8) ^ crc32cOfByte((register ^ byte) & 0xff);
  }
  return BigInt(register >>> 0);
}
