// Is a stretch of memory all zeroes? The question of every sparse format, so it has to be cheap.

export function isAllZero(bytes: Uint8Array): boolean {
  const { byteOffset, length } = bytes;
  const head = Math.min(length, (4 - (byteOffset & 3)) & 3);
  for (let i = 0; i < head; i++) if (bytes[i] !== 0) return false;
  const words = (length - head) >> 2;
  const view = new Int32Array(bytes.buffer, byteOffset + head, words);
  for (let i = 0; i < words; i++) if (view[i] !== 0) return false;
  for (let i = head + words * 4; i < length; i++) if (bytes[i] !== 0) return false;
  return true;
}
