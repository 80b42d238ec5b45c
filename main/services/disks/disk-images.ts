// What the services ask of disk images. The formats themselves are native-core/media's; tests may bring others.

export interface ImageFacts {
  readonly format: "qcow2" | "raw";
  /** What the guest sees. */
  readonly sizeBytes: number;
  /** What it takes on the host. */
  readonly usedBytes: number;
}

/** An image with everything it stands on, for reading. */
export interface OpenedImage {
  readonly sizeBytes: number;
  read(offset: number, target: Uint8Array): Promise<void>;
  /** What there is at an offset through all layers: data, or zeroes that need not be read. */
  extentAt(offset: number, length: number): Promise<{ readonly kind: string; readonly length: number }>;
  close(): Promise<void>;
}

export interface LayerCheck {
  /** Ranges of the disk; of a damaged table all that it maps. */
  readonly damage: readonly { readonly offset: number; readonly length: number }[];
  /** Counts are too low, or the image is marked as damaged or not closed: nobody should write to it. */
  readonly hasWrongCounts: boolean;
  /** Space that is counted as used by nobody: no damage, but lost. */
  readonly leakedBytes: number;
}

export interface CopyProgress {
  readonly signal?: AbortSignal;
  progress?(share: number): void;
}

/** All paths are absolute. Files that are made are complete and on disk (fsync) when the promise settles, or not there at all. */
export interface DiskImages {
  /** Opens the image with everything it stands on. @throws AppError INVALID_FILE, UNSUPPORTED, NOT_FOUND naming the file. */
  inspect(file: string, format?: "qcow2" | "raw"): Promise<ImageFacts>;
  /** @throws AppError as `inspect`, and IN_USE while somebody writes to it */
  open(file: string, format: "qcow2" | "raw"): Promise<OpenedImage>;
  create(file: string, sizeBytes: number): Promise<void>;
  /** An empty layer on `backingFile`, which is named relative to the overlay when both are in one folder. */
  createOverlay(file: string, backing: { readonly file: string; readonly format: "qcow2" | "raw" }): Promise<void>;
  /** Takes over what `file` lacks from the layer below and then stands on that layer's own base. The layer below stays as it is. */
  pullFromBacking(file: string, options: CopyProgress): Promise<void>;
  /** What merging the layer right below `file` away would copy and give back. */
  mergeCost(file: string): Promise<{ readonly copiedBytes: number; readonly freedBytes: number }>;
  /** Makes the disk larger; its new end reads as zeroes. @throws AppError INVALID_ARGUMENT, UNSUPPORTED */
  grow(image: { readonly file: string; readonly format: "qcow2" | "raw" }, sizeBytes: number): Promise<void>;
  /** Makes the disk smaller, with its second partition table at the new end; what was behind that is gone. @throws AppError UNSUPPORTED */
  shrink(image: { readonly file: string; readonly format: "qcow2" | "raw" }, sizeBytes: number): Promise<void>;
  /** Gives the host back what the image does not need: zeroes held as data and free clusters. Never takes more than before. */
  compact(file: string, options: CopyProgress): Promise<void>;
  /**
   * A new qcow2 layer on `backing` that holds what this one layer of `source` does, zeroes included; encrypted with the key of the machine
   * that `target` belongs to, or in the clear.
   */
  copyLayer(
    source: { readonly file: string; readonly format: "qcow2" | "raw" },
    target: { readonly file: string; readonly backing: { readonly file: string; readonly format: string } | null },
    options: CopyProgress & { readonly encrypted: boolean },
  ): Promise<void>;
  /** Which other product's format an image has; null for qcow2, raw and everything unknown. */
  foreignFormat(file: string): Promise<string | null>;
  /** A new qcow2 image that reads like a disk of another product. */
  convert(source: string, target: string, options: CopyProgress): Promise<void>;
  /** Writes into an image that nobody uses; durable when it settles. */
  fill(
    file: string,
    work: (write: (offset: number, bytes: Uint8Array) => Promise<void>) => Promise<void>,
  ): Promise<void>;
  /** Reads all that this layer holds, and the headers of those below. @throws AppError for what can't be read */
  verify(file: string, format: "qcow2" | "raw"): Promise<void>;
  /** What is wrong with the tables of this layer, and what of it can't be read; null for what has none that this program knows. */
  check(file: string, format: "qcow2" | "raw"): Promise<LayerCheck | null>;
  /** Makes the counts of an image anew that nobody else uses. @throws AppError INVALID_FILE where more than counts is damaged */
  repairCounts(file: string): Promise<void>;
  /** A new layer like `file`, on the same base, with what `rescue` yields in the damaged ranges. */
  salvage(
    file: string,
    target: string,
    damage: LayerCheck["damage"],
    rescue: (offset: number, length: number) => Promise<Uint8Array | undefined>,
  ): Promise<void>;
  /** One image without layers that reads like `source` now. */
  flatten(
    source: { readonly file: string; readonly format: "qcow2" | "raw" },
    target: string,
    options: CopyProgress,
  ): Promise<void>;
}
