// Operations on the layers of a disk: merging a layer away, full copy. (A new layer is a `createQcow2` with a backing file.) Used for snapshots and clones.
//
// Deleting a snapshot removes one layer S of a chain  base <- S <- child:
//   mergeUp    copies what S holds and the child lacks into the child, then names S's own backing file in the child. The child may
//              be open read-only elsewhere meanwhile: what it reads as never changes.
//   mergeDown  writes what the child holds into S, which then replaces the child. For a child much smaller than S; S must have no
//              other child.
// Both can be killed at any point and run again: until the last step the chain reads the same with and without the work done.
import { AppError } from "../common/errors.ts";
import { isAllZero } from "../common/zero.ts";
import type { DiskImage } from "./disk-image.ts";
import type { ReadableDisk } from "./foreign/foreign-image.ts";
import type { BackingReference } from "./qcow2/header-writer.ts";
import { Qcow2Image } from "./qcow2/image.ts";

const STEP_BYTES = 2 << 20;
/** Zeroes are looked for in pieces of one cluster. */
const SPARSE_GRAIN = 64 << 10;

/** Cancelling and progress of a long operation. An AbortSignal fits `cancellation`. */
export interface WorkOptions {
  readonly cancellation?: { readonly aborted: boolean } | undefined;
  /** Share done, 0..1. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

/**
 * Pulls the layer right below `child` up into it. `below` is what lies under that layer: named in the child's header and open as
 * an image; undefined when that layer stands alone. On return the child no longer refers to the merged layer.
 */
export async function mergeUp(
  child: Qcow2Image,
  below: (BackingReference & { image: DiskImage }) | undefined,
  options: WorkOptions = {},
): Promise<void> {
  if (!child.backing) throw new AppError("INVALID_STATE", "the image has no layer below it to merge");
  await eachStep(child.sizeBytes, options, (offset, length) => pullUp(child, offset, length));
  await child.setBacking(below);
}

/**
 * One piece of a merge: pulls what the layer right below `child` holds at `offset` up into it, and yields how far that went (at most
 * `length`). The child may be written meanwhile: it is only completed where it has nothing. What was pulled is right whatever becomes of
 * the merge.
 */
export async function pullUp(child: Qcow2Image, offset: number, length: number): Promise<number> {
  const layer = child.backing;
  if (!layer) throw new AppError("INVALID_STATE", "the image has no layer below it to merge");
  const own = await child.extentAt(offset, Math.min(length, STEP_BYTES, child.sizeBytes - offset));
  if (own.kind !== "absent") return own.length;
  // Behind its end a shorter layer reads as zeroes, and what lies below it may be longer.
  if (offset >= layer.sizeBytes) {
    await child.fillZeroes(offset, own.length);
    return own.length;
  }
  const extent = await layer.extentAt(offset, Math.min(own.length, layer.sizeBytes - offset));
  if (extent.kind === "zero") await child.fillZeroes(offset, extent.length);
  if (extent.kind === "data") {
    const data = new Uint8Array(extent.length);
    await layer.read(offset, data);
    await child.fill(offset, data);
  }
  return extent.length;
}

/** What merging the layer right below `child` away would do, by the mappings alone. */
export async function mergeCost(child: Qcow2Image): Promise<{ copiedBytes: number; freedBytes: number }> {
  const layer = child.backing;
  const cost = { copiedBytes: 0, freedBytes: 0 };
  if (!layer) return cost;
  for (let offset = 0; offset < Math.min(child.sizeBytes, layer.sizeBytes); ) {
    const below = await layer.extentAt(offset, Math.min(child.sizeBytes, layer.sizeBytes) - offset);
    const own = await child.extentAt(offset, below.length);
    if (below.kind === "data") cost[own.kind === "absent" ? "copiedBytes" : "freedBytes"] += own.length;
    offset += own.length;
  }
  return cost;
}

/** Writes everything `child` holds into `target`, the layer right below it, which reads like the child afterwards. */
export async function mergeDown(child: DiskImage, target: DiskImage, options: WorkOptions = {}): Promise<void> {
  if (target.sizeBytes < child.sizeBytes) {
    throw new AppError("UNSUPPORTED", "the layer below is smaller than the one to merge into it");
  }
  await eachStep(child.sizeBytes, options, async (offset, length) => {
    const extent = await child.extentAt(offset, length);
    if (extent.kind === "zero") await target.writeZeroes(offset, extent.length, true);
    if (extent.kind === "data") {
      const data = new Uint8Array(extent.length);
      await child.read(offset, data);
      await target.write(offset, data);
    }
    return extent.length;
  });
  await target.flush();
}

/** Writes what `source` reads as, through all its layers, into the new and empty `target`; ranges of zeroes take no space. */
export async function copyDisk(source: ReadableDisk, target: DiskImage, options: WorkOptions = {}): Promise<void> {
  await eachStep(source.sizeBytes, options, async (offset, length) => {
    const kind = await visibleExtent(source, offset, length);
    if (kind.kind === "data") {
      const data = new Uint8Array(kind.length);
      await source.read(offset, data);
      await writeSparse(target, offset, data);
    }
    return kind.length;
  });
  await target.flush();
}

/** Writes what `source` itself holds, not what shows through it, into the new and empty layer `target`. */
export async function copyOwn(source: DiskImage, target: Qcow2Image, options: WorkOptions = {}): Promise<void> {
  await eachStep(source.sizeBytes, options, (offset, length) => copyExtent(source, target, offset, length));
  await target.flush();
}

/** Lets go of whole grains of zeroes that this layer holds as data: they become unmapped. Yields how many bytes those are. */
export async function dropZeroes(image: DiskImage, options: WorkOptions = {}): Promise<number> {
  let dropped = 0;
  await eachStep(image.sizeBytes, options, async (offset, length) => {
    const extent = await image.extentAt(offset, length);
    if (extent.kind !== "data") return extent.length;
    const data = new Uint8Array(extent.length);
    await image.read(offset, data);
    for (let at = 0; at + SPARSE_GRAIN <= data.length; at += SPARSE_GRAIN) {
      if (!isAllZero(data.subarray(at, at + SPARSE_GRAIN))) continue;
      await image.writeZeroes(offset + at, SPARSE_GRAIN, true);
      dropped += SPARSE_GRAIN;
    }
    return extent.length;
  });
  return dropped;
}

/** Reads all of a layer's mapping and data. @throws AppError for what can't be read */
export async function readThrough(disk: DiskImage, options: WorkOptions = {}): Promise<void> {
  await eachStep(disk.sizeBytes, options, async (offset, length) => {
    const extent = await disk.extentAt(offset, length);
    if (extent.kind === "data") await disk.read(offset, new Uint8Array(extent.length));
    return extent.length;
  });
}

/** A range of the disk. */
export interface DiskRange {
  readonly offset: number;
  readonly length: number;
}

/** The grains of a layer of which something can't be read, beyond the ranges that are `known` to be damaged; sorted, apart from each other. */
export async function findDamage(
  source: DiskImage,
  known: readonly DiskRange[],
  options: WorkOptions = {},
): Promise<DiskRange[]> {
  const bad = new Set<number>();
  const add = ({ offset, length }: DiskRange) => {
    for (let at = Math.floor(offset / SPARSE_GRAIN); at * SPARSE_GRAIN < offset + length; at++) bad.add(at);
  };
  known.forEach(add);
  const reads = async (offset: number, length: number): Promise<boolean> => {
    try {
      const extent = await source.extentAt(offset, length);
      if (extent.kind === "data") await source.read(offset, new Uint8Array(extent.length));
      return extent.length === length || (await reads(offset + extent.length, length - extent.length));
    } catch (error) {
      if (error instanceof AppError && ["INVALID_FILE", "IO_ERROR"].includes(error.code)) return false;
      throw error;
    }
  };
  await eachStep(source.sizeBytes, options, async (offset, length) => {
    if (await reads(offset, length)) return length;
    for (let at = offset; at < offset + length; at += SPARSE_GRAIN) {
      const part = { offset: at, length: Math.min(SPARSE_GRAIN, offset + length - at) };
      if (!(await reads(part.offset, part.length))) add(part);
    }
    return length;
  });
  const ranges: { offset: number; length: number }[] = [];
  for (const grain of [...bad].sort((a, b) => a - b)) {
    const offset = grain * SPARSE_GRAIN;
    const last = ranges.at(-1);
    const length = Math.min(SPARSE_GRAIN, source.sizeBytes - offset);
    if (last && last.offset + last.length === offset) last.length += length;
    else if (length > 0) ranges.push({ offset, length });
  }
  return ranges;
}

/**
 * Writes what `source` itself holds (nothing of null) into the new and empty layer `target`, and what `rescue` yields for the damaged ranges, a grain at a time;
 * a grain of which that says nothing, or what is below anyway, is left out.
 */
export async function copyReadable(
  source: DiskImage | null,
  target: Qcow2Image,
  damage: readonly DiskRange[],
  rescue: (offset: number, length: number) => Promise<Uint8Array | undefined>,
  options: WorkOptions = {},
): Promise<void> {
  for (const { offset, length } of damage) {
    for (let at = offset; at < offset + length; at += SPARSE_GRAIN) {
      const size = Math.min(SPARSE_GRAIN, offset + length - at);
      const bytes = await rescue(at, size);
      const below = new Uint8Array(size);
      await target.read(at, below);
      if (!bytes || isSame(bytes, below)) continue;
      if (isAllZero(bytes)) await target.fillZeroes(at, size);
      else await target.fill(at, bytes);
    }
  }
  await eachStep(source?.sizeBytes ?? 0, options, async (offset, length) => {
    if (!source) return length;
    const inside = damage.find((range) => range.offset <= offset && offset < range.offset + range.length);
    if (inside) return Math.min(length, inside.offset + inside.length - offset);
    const next = damage.find((range) => range.offset > offset);
    return copyExtent(source, target, offset, Math.min(length, (next?.offset ?? Number.POSITIVE_INFINITY) - offset));
  });
  await target.flush();
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

async function copyExtent(source: DiskImage, target: Qcow2Image, offset: number, length: number): Promise<number> {
  const extent = await source.extentAt(offset, length);
  if (extent.kind === "zero") await target.fillZeroes(offset, extent.length);
  if (extent.kind === "data") {
    const data = new Uint8Array(extent.length);
    await source.read(offset, data);
    await target.fill(offset, data);
  }
  return extent.length;
}

/** Writes `data` but for whole grains of zeroes. */
async function writeSparse(target: DiskImage, offset: number, data: Uint8Array): Promise<void> {
  for (let start = 0; start < data.length; ) {
    let end = start;
    while (end < data.length && !isAllZero(data.subarray(end, end + SPARSE_GRAIN))) end += SPARSE_GRAIN;
    if (end > start) await target.write(offset + start, data.subarray(start, end));
    start = end > start ? end : start + SPARSE_GRAIN;
  }
}

/** The extent at `offset` looking through layers that say nothing. */
export async function visibleExtent(disk: ReadableDisk, offset: number, length: number) {
  const extent = await disk.extentAt(offset, length);
  if (extent.kind !== "absent") return extent;
  const below = disk instanceof Qcow2Image ? disk.backing : undefined;
  if (!below || offset >= below.sizeBytes) return { kind: "zero" as const, length: extent.length };
  return visibleExtent(below, offset, Math.min(extent.length, below.sizeBytes - offset));
}

async function eachStep(
  size: number,
  options: WorkOptions,
  step: (offset: number, length: number) => Promise<number>,
): Promise<void> {
  for (let offset = 0; offset < size; ) {
    if (options.cancellation?.aborted) {
      throw new AppError("CANCELLED", "the operation was cancelled", { consequence: "The disk is as it was." });
    }
    offset += await step(offset, Math.min(STEP_BYTES, size - offset));
    options.onProgress?.(offset / size);
  }
}
