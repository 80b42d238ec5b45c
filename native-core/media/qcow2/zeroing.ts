// Discard and write-zeroes: whole clusters by their entries, partial ones by data.
import type { ClusterMap } from "./cluster-map.ts";
import type { ClusterWriter } from "./cluster-writer.ts";
import { extentAt } from "./extents.ts";
import type { Geometry } from "./geometry.ts";
import { settleAll } from "./write-set.ts";

const STEP_BYTES = 1 << 20;

/** Frees whole clusters of the range. They read as zeroes afterwards, save in images of version 2 with something below. */
export function discardClusters(
  writer: ClusterWriter,
  geometry: Geometry,
  hasBacking: boolean,
  offset: number,
  length: number,
): Promise<void> {
  const { first, end } = geometry.wholeClusters(offset, length);
  // Without a zero flag (version 2) what lies below would show through: keep the data instead.
  if (hasBacking && geometry.version < 3) return Promise.resolve();
  return writer.changeEntries(first, end, true, (table, index) => {
    if (table.entries.kind(index, geometry.fileName, geometry.clusterSize) === "absent") return;
    writer.abandonEntry(table, index);
    if (hasBacking) table.entries.setZero(index);
    else table.entries.setAbsent(index);
    table.dirty = true;
  });
}

export async function zeroClusters(
  writer: ClusterWriter,
  map: ClusterMap,
  geometry: Geometry,
  hasBacking: boolean,
  range: { offset: number; length: number; mayUnmap: boolean },
): Promise<void> {
  const { offset, length, mayUnmap } = range;
  const { clusterSize, sizeBytes } = geometry;
  const { first, end } = geometry.wholeClusters(offset, length);
  const asData = (from: number, count: number) => zeroData(writer, map, geometry, hasBacking, from, count);
  if (first >= end || geometry.version < 3) return asData(offset, length);
  const entries = writer.changeEntries(first, end, !hasBacking, (table, index) => {
    const kind = table.entries.kind(index, geometry.fileName, clusterSize);
    if (kind === "zero" || (kind === "absent" && !hasBacking)) return;
    if (kind === "data" && table.entries.isCopied(index) && !mayUnmap) {
      table.entries.setCluster(index, table.entries.offset(index), true);
    } else {
      writer.abandonEntry(table, index);
      table.entries.setZero(index);
    }
    table.dirty = true;
  });
  const tailStart = Math.min(end * clusterSize, sizeBytes);
  const head = asData(offset, Math.max(0, first * clusterSize - offset));
  const tail = asData(tailStart, Math.max(0, offset + length - tailStart));
  return settleAll([head, entries, tail]);
}

/** Like `zeroClusters`, but leaves clusters alone that this layer already has. */
export async function fillZeroClusters(
  writer: ClusterWriter,
  geometry: Geometry,
  offset: number,
  length: number,
): Promise<void> {
  const { clusterSize, sizeBytes } = geometry;
  const { first, end } = geometry.wholeClusters(offset, length);
  const asData = async (from: number, to: number) => {
    for (let at = from; at < to; at += STEP_BYTES) {
      await writer.write(at, [new Uint8Array(Math.min(STEP_BYTES, to - at))], true);
    }
  };
  if (first >= end || geometry.version < 3) return asData(offset, offset + length);
  await asData(offset, first * clusterSize);
  await writer.changeEntries(first, end, false, (table, index) => {
    if (table.entries.kind(index, geometry.fileName, clusterSize) !== "absent") return;
    table.entries.setZero(index);
    table.dirty = true;
  });
  await asData(Math.min(end * clusterSize, sizeBytes), offset + length);
}

/** Zeroes as data, leaving out what reads as zero already. */
async function zeroData(
  writer: ClusterWriter,
  map: ClusterMap,
  geometry: Geometry,
  hasBacking: boolean,
  offset: number,
  length: number,
): Promise<void> {
  for (let done = 0; done < length; ) {
    const extent = await extentAt(map, geometry, offset + done, Math.min(length - done, STEP_BYTES));
    const isZeroAlready = extent.kind === "zero" || (extent.kind === "absent" && !hasBacking);
    if (!isZeroAlready) await writer.write(offset + done, [new Uint8Array(extent.length)]);
    done += extent.length;
  }
}
