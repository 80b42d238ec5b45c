// Reading compressed clusters. The algorithms come from outside: this layer has no zlib.

/** Both yield exactly `length` bytes or throw; neither lets hostile input grow past that. */
export interface Decompressors {
  /** Raw deflate, window of 4 KiB or more, trailing bytes ignored. */
  inflateRaw(input: Uint8Array, length: number): Promise<Uint8Array>;
  /** One zstd frame and nothing behind it. */
  zstd(input: Uint8Array, length: number): Promise<Uint8Array>;
}
