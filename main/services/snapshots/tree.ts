// The snapshot tree as clients see it, with the bytes that each snapshot alone holds.
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Snapshot, SnapshotTree } from "../../contract/schemas.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import type { Machine } from "../machines/machine.ts";
import { freeableBytes } from "../space/usage.ts";
import { memoryFits, planRestore } from "./independent.ts";
import { isOwn } from "./layers.ts";
import { thumbnailFile } from "./take.ts";
import { isChanged, visibleFrom, visibleSnapshots } from "./visible.ts";

export async function snapshotTree(machine: Machine): Promise<SnapshotTree> {
  const { record } = machine;
  const uses = layerUses(machine);
  const visible = visibleFrom(record);
  const views = visibleSnapshots(record).map((snapshot) => snapshotView(machine, snapshot, uses));
  const currentId = visible(record.currentSnapshotId);
  return {
    snapshots: (await Promise.all(views)).map((view) => ({ ...view, parentId: visible(view.parentId) })),
    currentId,
    currentChanged: currentId !== null && isChanged(record),
  };
}

/** How many snapshots froze each layer. Counted once for a whole tree: looking through all others for each would take their square. */
type LayerUses = ReadonlyMap<string, number>;

function layerUses(machine: Machine): LayerUses {
  const uses = new Map<string, number>();
  for (const { layers } of machine.record.snapshots)
    for (const { file } of layers) uses.set(file, (uses.get(file) ?? 0) + 1);
  return uses;
}

export async function snapshotView(
  machine: Machine,
  snapshot: SnapshotRecord,
  uses: LayerUses = layerUses(machine),
): Promise<Snapshot> {
  return {
    id: snapshot.id,
    machineId: machine.id,
    parentId: snapshot.parentId,
    name: snapshot.name,
    description: snapshot.description,
    takenAtMs: snapshot.takenAtMs,
    withMemory: snapshot.memory !== null,
    ownBytes: await ownBytes(machine, snapshot, uses),
    hasThumbnail: snapshot.hasThumbnail,
    pauseMs: snapshot.pauseMs,
    kind: snapshot.kind,
    pinned: snapshot.pinned,
    keptDisks: [...planRestore(machine.record, snapshot).kept],
    memoryFits: snapshot.memory === null || memoryFits(machine.record, snapshot),
  };
}

/** What its memory took when it was written, and its disk layers unless another snapshot froze the same ones. */
async function ownBytes(machine: Machine, snapshot: SnapshotRecord, uses: LayerUses): Promise<number> {
  let bytes = snapshot.writtenBytes;
  for (const layer of snapshot.layers) {
    if (isOwn(machine, layer.file) && uses.get(layer.file) === 1)
      bytes += await freeableBytes(path.join(machine.paths.folder, layer.file));
  }
  return bytes;
}

export async function thumbnail(machine: Machine, snapshot: SnapshotRecord): Promise<{ pngBase64: string } | null> {
  if (!snapshot.hasThumbnail) return null;
  return readFile(thumbnailFile(machine, snapshot.id)).then(
    (png) => ({ pngBase64: png.toString("base64") }),
    () => null,
  );
}
