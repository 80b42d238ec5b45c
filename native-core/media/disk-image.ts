// A disk as its users see it, whatever its format: the shape controllers want (devices/block-backend.ts) plus what layering needs.
import type { Pieces } from "../common/pieces.ts";

export type DiskFormat = "qcow2" | "raw";

/** What one layer says about a range of the disk: its own data, zeroes, or nothing (the layer below decides). */
export interface LayerExtent {
  readonly kind: "data" | "zero" | "absent";
  readonly length: number;
}

/**
 * Offsets and lengths are bytes inside `sizeBytes`. Several calls may be in flight; calls that touch the same bytes at the same
 * time have no order. Everything but `read` asserts a writable image.
 */
export interface DiskImage {
  readonly format: DiskFormat;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  read(offset: number, target: Uint8Array): Promise<void>;
  write(offset: number, source: Uint8Array): Promise<void>;
  readPieces(offset: number, target: Pieces): Promise<void>;
  writePieces(offset: number, source: Pieces): Promise<void>;
  /** Fills `target` at once where nothing has to be waited for; false: `target` holds anything, ask again with `readPieces`. */
  readNow(offset: number, target: Pieces): boolean;
  /** Settles when everything whose write had settled before the call survives a power failure. */
  flush(): Promise<void>;
  discard(offset: number, length: number): Promise<void>;
  writeZeroes(offset: number, length: number, mayUnmap: boolean): Promise<void>;
  /** The longest uniform extent of this layer alone that starts at `offset`, at most `length` bytes. */
  extentAt(offset: number, length: number): Promise<LayerExtent>;
  /** Flushes a writable image and releases the file, and the layers below it. */
  close(): Promise<void>;
}
