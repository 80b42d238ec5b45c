// What deleting a snapshot will do, before it is done: by the mappings of its layers, without reading data.
import path from "node:path";
import type { DeletePreview } from "../../contract/schemas.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { freeableBytes, usageOf } from "../space/usage.ts";
import { soleChildren } from "./cleanup.ts";
import { backingLinks, namedLayers } from "./layers.ts";

export async function previewDelete(
  context: ServiceContext,
  machine: Machine,
  snapshot: SnapshotRecord,
): Promise<DeletePreview> {
  const { record, paths } = machine;
  const { memory } = snapshot;
  const isShared =
    record.savedState === memory || record.snapshots.some((each) => each !== snapshot && each.memory === memory);
  let freedBytes = memory === null || isShared ? 0 : await freeableBytes(path.join(paths.folder, memory));
  let copiedBytes = 0;
  const named = namedLayers(machine, snapshot);
  const own = new Set(snapshot.layers.map((layer) => path.resolve(paths.folder, layer.file)));
  const links = await backingLinks(machine);
  const below = new Set(links.values());
  // What nothing stands on goes without being merged.
  for (const layer of own) if (!below.has(layer) && !named.has(layer)) freedBytes += await freeableBytes(layer);
  for (const { layer, child } of soleChildren(machine, links)) {
    if (!own.has(layer) || named.has(layer)) continue;
    if ((await usageOf(layer)).links !== 1 || (await usageOf(child)).links !== 1) continue;
    const cost = await context.images.mergeCost(child);
    freedBytes += cost.freedBytes;
    copiedBytes += cost.copiedBytes;
  }
  return { freedBytes, copiedBytes };
}
