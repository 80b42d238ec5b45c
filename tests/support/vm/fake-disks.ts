// The disks of a VM process that has no guest: their files change just as a real engine changes them, so that what the host does with
// layers is tested with layers.
import path from "node:path";
import { mediaImages } from "../../../main/services/disks/media-images.ts";
import type { EngineArgument } from "../../../native-core/protocol/engine.ts";

/** The argument of `start`, whose disks are kept up to date. */
type Start = EngineArgument<"start"> | null;

function diskOf(start: Start, diskId: string) {
  const disk = start?.disks.find(({ id }) => id === diskId);
  if (!start || !disk) throw new Error(`no disk ${diskId}`);
  return { disk, images: mediaImages(path.dirname(start.folder)) };
}

/** A snapshot freezes the present layers: what is written from now on goes to new ones. */
export async function layOverlays(start: Start, { overlays }: EngineArgument<"takeSnapshot">): Promise<void> {
  for (const { diskId, file } of overlays) {
    const { disk, images } = diskOf(start, diskId);
    await images.createOverlay(file, disk);
    disk.file = file;
    disk.format = "qcow2";
  }
}

/** All of the layer below comes up in a single step. */
export async function pullLayer(start: Start, { diskId, layer }: EngineArgument<"mergeStep">) {
  const { disk, images } = diskOf(start, diskId);
  if (path.dirname(disk.file) !== path.dirname(layer)) throw new Error(`${layer} is no layer of ${diskId}`);
  await images.pullFromBacking(disk.file, {});
  return { offset: 1, sizeBytes: 1, done: true };
}
