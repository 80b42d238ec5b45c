// Where a zstd frame ends (RFC 8878, 3.1.1). A compressed cluster is one frame, but its last sector may hold the beginning of the
// next cluster's, and decompressors take several frames for one stream.

const MAGIC = 0xfd2fb528;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

/** Length in bytes of the frame at the start of `bytes`; undefined when there is no whole one. */
export function zstdFrameLength(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 6 || view.getUint32(0, true) !== MAGIC) return undefined;
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor >> 5) & 1;
  const sizeCode = descriptor >> 6;
  const sizeBytes = sizeCode === 0 ? singleSegment : 1 << sizeCode;
  let at = 5 + (1 - singleSegment) + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0) + sizeBytes;
  for (let last = 0; last === 0; ) {
    if (at + 3 > bytes.length) return undefined;
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    last = header & 1;
    const type = (header >> 1) & 3;
    if (type === BLOCK_RESERVED) return undefined;
    at += 3 + (type === BLOCK_RLE ? 1 : header >> 3);
  }
  const hasChecksum = (descriptor >> 2) & 1;
  at += hasChecksum * 4;
  return at <= bytes.length ? at : undefined;
}
