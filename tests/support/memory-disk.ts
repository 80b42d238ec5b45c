// A disk in the test's memory.
import type { BlockBackend } from "../../native-core/devices/block-backend.ts";

export function memoryDisk(sizeBytes: number): BlockBackend & { readonly content: Uint8Array } {
  const content = new Uint8Array(sizeBytes);
  return {
    content,
    sizeBytes,
    readOnly: false,
    read: async (offset, target) => target.set(content.subarray(offset, offset + target.length)),
    write: async (offset, source) => content.set(source, offset),
    flush: async () => {},
    discard: async () => {},
    writeZeroes: async (offset, length) => void content.fill(0, offset, offset + length),
  };
}
