// Questions about a qcow2 image's mapping: what is at an offset, what can be overwritten where it is, what needs a new place.
import { corruptImage } from "../media-error.ts";
import type { ClusterMap, L2Table } from "./cluster-map.ts";
import type { Geometry } from "./geometry.ts";

export type HostExtent =
  | { readonly kind: "absent"; readonly length: number }
  | { readonly kind: "zero"; readonly length: number }
  | { readonly kind: "data"; readonly length: number; readonly hostOffset: number }
  | { readonly kind: "compressed"; readonly length: number; readonly table: L2Table; readonly index: number };

/** The longest uniform extent from `offset`. Synchronous while its L2 table is in memory. */
export function extentAt(
  map: ClusterMap,
  geometry: Geometry,
  offset: number,
  length: number,
): HostExtent | Promise<HostExtent> {
  const { clusterSize, tableEntries } = geometry;
  const l1Index = geometry.l1Index(geometry.cluster(offset));
  const inTable = (l1Index + 1) * tableEntries * clusterSize - offset;
  if (map.isEmpty(l1Index)) return { kind: "absent", length: Math.min(length, inTable) };
  const table = map.cached(l1Index);
  if (table) return extentIn(table, geometry, offset, Math.min(length, inTable));
  return map.load(l1Index).then(() => extentAt(map, geometry, offset, length));
}

function extentIn(table: L2Table, geometry: Geometry, offset: number, length: number): HostExtent {
  const { clusterSize, fileName } = geometry;
  const { entries } = table;
  const start = geometry.l2Index(geometry.cluster(offset));
  const inCluster = offset % clusterSize;
  const kind = entries.kind(start, fileName, clusterSize);
  if (kind === "compressed") return { kind, length: Math.min(length, clusterSize - inCluster), table, index: start };
  const hostStart = entries.offset(start);
  let index = start + 1;
  let covered = clusterSize - inCluster;
  while (covered < length && entries.kind(index, fileName, clusterSize) === kind) {
    if (kind === "data" && entries.offset(index) !== hostStart + (index - start) * clusterSize) break;
    covered += clusterSize;
    index++;
  }
  const found = Math.min(length, covered);
  if (kind === "data") return { kind, length: found, hostOffset: hostStart + inCluster };
  return { kind, length: found };
}

/**
 * Bytes from `offset` that can be overwritten where they are, in one piece. Throws when that would be one of the image's own
 * tables, which `isReserved` knows.
 */
export function readyLength(
  table: L2Table,
  geometry: Geometry,
  offset: number,
  length: number,
  isReserved: (hostOffset: number, length: number) => boolean,
): number {
  const { clusterSize, tableEntries, fileName } = geometry;
  const { entries } = table;
  const start = geometry.l2Index(geometry.cluster(offset));
  let covered = -(offset % clusterSize);
  let index = start;
  for (; covered < length && index < tableEntries; index++, covered += clusterSize) {
    if (!entries.isCopied(index) || entries.kind(index, fileName, clusterSize) !== "data") break;
    if (entries.offset(index) !== entries.offset(start) + (index - start) * clusterSize) break;
  }
  const found = Math.max(0, Math.min(length, covered));
  if (found > 0 && isReserved(entries.offset(start), (index - start) * clusterSize)) {
    throw corruptImage(fileName, "L2 entry", "points at the image's own tables");
  }
  return found;
}

/** Bytes from `offset` up to the next cluster that is in place, locked, or under another table; with `absentOnly`, or present. */
export function unreadyLength(
  table: L2Table | undefined,
  geometry: Geometry,
  offset: number,
  length: number,
  absentOnly: boolean,
  isLocked: (cluster: number) => boolean,
): number {
  const { clusterSize, tableEntries, fileName } = geometry;
  const first = geometry.cluster(offset);
  let cluster = first;
  let covered = -(offset % clusterSize);
  for (; covered < length; cluster++, covered += clusterSize) {
    if (cluster > first && (cluster % tableEntries === 0 || isLocked(cluster))) break;
    const index = geometry.l2Index(cluster);
    const kind = table ? table.entries.kind(index, fileName, clusterSize) : "absent";
    if (absentOnly && kind !== "absent") break;
    if (kind === "data" && table?.entries.isCopied(index)) break;
  }
  return Math.max(0, Math.min(length, covered));
}
