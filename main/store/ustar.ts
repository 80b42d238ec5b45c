// Headers of tar archives (POSIX.1-1988 ustar; sizes of 8 GiB and more as GNU tar writes them), for the archives that Terrarium exports
// and imports. Only plain files are known: links and folders have no place in them.
export const USTAR_BLOCK = 512;

const NAME_BYTES = 100;
const SIZE = { offset: 124, bytes: 12 } as const;
const SIZE_DIGITS = 11;
const TYPE_OFFSET = 156;

export interface UstarEntry {
  readonly name: string;
  readonly sizeBytes: number;
}

/** Bytes that a file's content takes in an archive. */
export const ustarContentBytes = (sizeBytes: number): number => Math.ceil(sizeBytes / USTAR_BLOCK) * USTAR_BLOCK;

/** Fields by offset: name 0, mode 100, size 124, time 136, checksum 148, type 156, magic 257. Numbers are octal text. */
export function ustarHeader({ name, sizeBytes }: UstarEntry): Uint8Array {
  const header = Buffer.alloc(USTAR_BLOCK);
  header.write(name, 0, NAME_BYTES, "utf8");
  header.write("0000600\0", 100, "latin1");
  header.write("0000000\0", 108, "latin1");
  header.write("0000000\0", 116, "latin1");
  const size = sizeBytes.toString(8).padStart(SIZE_DIGITS, "0");
  if (size.length <= SIZE_DIGITS) header.write(`${size}\0`, SIZE.offset, "latin1");
  else {
    header[SIZE.offset] = 0x80;
    header.writeBigUInt64BE(BigInt(sizeBytes), SIZE.offset + SIZE.bytes - 8);
  }
  header.write("00000000000\0", 136, "latin1");
  header.write("0", TYPE_OFFSET, "latin1");
  header.write("ustar\u000000", 257, "latin1");
  header.write(`${checksum(header).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

/** Undefined: this is not the header of a plain file. */
export function readUstarHeader(header: Buffer): UstarEntry | undefined {
  const text = (offset: number, length: number) =>
    header.toString("utf8", offset, offset + length).replace(/\0.*$/s, "");
  const isPlain = text(TYPE_OFFSET, 1) === "0" || text(TYPE_OFFSET, 1) === "";
  const sizeBytes =
    (header[SIZE.offset] ?? 0) & 0x80
      ? Number(header.readBigUInt64BE(SIZE.offset + SIZE.bytes - 8))
      : Number.parseInt(text(SIZE.offset, SIZE.bytes), 8);
  const isWhole = Number.parseInt(text(148, 8), 8) === checksum(header) && Number.isSafeInteger(sizeBytes);
  return isWhole && isPlain && sizeBytes >= 0 ? { name: text(0, NAME_BYTES), sizeBytes } : undefined;
}

/** With the checksum's own field as blanks. */
function checksum(header: Uint8Array): number {
  return header.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0);
}
