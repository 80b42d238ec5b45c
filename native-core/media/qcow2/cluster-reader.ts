// Reading a qcow2 layer and what lies below it: contiguous clusters in one request, several requests at once.
import { type Pieces, piecesLength, scatter, slicePieces, zeroPieces } from "../../common/pieces.ts";
import type { DiskImage } from "../disk-image.ts";
import { type ImageFile, readPieces } from "../image-file.ts";
import { corruptImage } from "../media-error.ts";
import type { ClusterMap, L2Table } from "./cluster-map.ts";
import type { Decompressors } from "./decompress.ts";
import { compressedRange } from "./entries.ts";
import { extentAt } from "./extents.ts";
import type { Geometry } from "./geometry.ts";
import { settleAll } from "./write-set.ts";
import { zstdFrameLength } from "./zstd-frame.ts";

export interface ReaderParts {
  readonly file: ImageFile;
  readonly geometry: Geometry;
  readonly map: ClusterMap;
  readonly compression: "deflate" | "zstd";
  readonly decompressors: Decompressors;
  readonly backing: DiskImage | undefined;
}

export class ClusterReader {
  readonly #parts: ReaderParts;
  backing: DiskImage | undefined;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.backing = parts.backing;
  }

  async read(offset: number, target: Pieces): Promise<void> {
    const { map, geometry } = this.#parts;
    const length = piecesLength(target);
    const pending: Promise<void>[] = [];
    try {
      for (let done = 0; done < length; ) {
        const position = offset + done;
        const found = extentAt(map, geometry, position, length - done);
        const extent = found instanceof Promise ? await found : found;
        const part = slicePieces(target, done, done + extent.length);
        if (extent.kind === "data") pending.push(this.#readData(extent.hostOffset, part));
        else if (extent.kind === "absent") pending.push(this.#readBacking(position, part));
        else if (extent.kind === "zero") zeroPieces(part);
        else pending.push(this.#readCompressed(extent.table, extent.index, position % geometry.clusterSize, part));
        done += extent.length;
      }
    } finally {
      await settleAll(pending);
    }
  }

  /** Reads what needs no waiting: mapping in memory, data that the file has at hand. */
  readNow(offset: number, target: Pieces): boolean {
    const { map, geometry, file } = this.#parts;
    const length = piecesLength(target);
    for (let done = 0; done < length; ) {
      const position = offset + done;
      if (!map.isAtHand(geometry.l1Index(geometry.cluster(position)))) return false;
      const extent = extentAt(map, geometry, position, length - done);
      if (extent instanceof Promise || extent.kind === "compressed") return false;
      const part = slicePieces(target, done, done + extent.length);
      if (extent.kind === "data") {
        if (!file.readNow?.(extent.hostOffset, part)) return false;
      } else if (extent.kind === "zero" || !this.backing) zeroPieces(part);
      else if (position + extent.length > this.backing.sizeBytes || !this.backing.readNow(position, part)) return false;
      done += extent.length;
    }
    return true;
  }

  async #readData(hostOffset: number, target: Pieces): Promise<void> {
    const { file, geometry } = this.#parts;
    const length = piecesLength(target);
    const count = await readPieces(file, hostOffset, target);
    if (count === length) return;
    // The file may end inside the last cluster, whose rest was never written; it can't end before one that is in use.
    const lastByte = hostOffset + length - 1;
    if (lastByte - (lastByte % geometry.clusterSize) >= hostOffset + count) {
      throw corruptImage(file.name, "cluster", "lies behind the end of the file; it may be truncated");
    }
    zeroPieces(target, count);
  }

  async #readBacking(offset: number, target: Pieces): Promise<void> {
    const { backing } = this;
    const length = backing ? Math.max(0, Math.min(piecesLength(target), backing.sizeBytes - offset)) : 0;
    zeroPieces(target, length);
    if (length > 0) await backing?.readPieces(offset, slicePieces(target, 0, length));
  }

  /** Reads part of a compressed cluster. The place is taken from the entry before anything is awaited. */
  async #readCompressed(table: L2Table, index: number, from: number, target: Pieces): Promise<void> {
    const { file, geometry, compression, decompressors } = this.#parts;
    const { offset, length } = compressedRange(table.entries, index, geometry.clusterBits);
    const input = new Uint8Array(length);
    // The last sector of a compressed cluster may lie behind the end of the file.
    const count = await file.read(offset, input);
    try {
      const isZstd = compression === "zstd";
      const stored = input.subarray(0, isZstd ? zstdFrameLength(input.subarray(0, count)) : count);
      const inflate = isZstd ? decompressors.zstd : decompressors.inflateRaw;
      const data = await inflate(stored, geometry.clusterSize);
      scatter(data.subarray(from, from + piecesLength(target)), target);
    } catch (cause) {
      const problem = `can't be unpacked (${cause instanceof Error ? cause.message : String(cause)})`;
      throw corruptImage(file.name, "compressed cluster", problem);
    }
  }
}
