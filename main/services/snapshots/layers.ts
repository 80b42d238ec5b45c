// Disk layers: which file stands on which. A snapshot freezes the top layer of every writable disk; a new overlay becomes the top.
//
//     disk0.qcow2 (frozen by A) <- disk0-1f..qcow2 (frozen by B) <- disk0-9c..qcow2 (top, the guest writes here)
//                               <- disk0-e2..qcow2 (frozen by C, after a restore of A)
import { rm } from "node:fs/promises";
import path from "node:path";
import type { DiskConfig } from "../../../native-core/config/machine-config.ts";
import { syncFolder } from "../../store/atomic-file.ts";
import { allImages, type Image, imagesOfSnapshot, presentImages } from "../../store/images.ts";
import type { Layer, SnapshotRecord } from "../../store/machine-record.ts";
import { readBacking } from "../../store/qcow2-header.ts";
import type { ServiceContext } from "../context.ts";
import { explained } from "../failures.ts";
import { newId } from "../ids.ts";
import type { Machine } from "../machines/machine.ts";
import { usageOf } from "../space/usage.ts";

/** What the guest writes to. Read-only disks never change and need no layers. */
export function topLayers(disks: readonly DiskConfig[]): Layer[] {
  return disks
    .filter((disk) => !disk.readOnly)
    .map((disk) => ({ diskId: disk.id, file: disk.file, format: disk.format }));
}

/** The layers that a snapshot taken now freezes: without those of independent disks, unless everything is wanted, for a copy of the machine. */
export function layersToFreeze(disks: readonly DiskConfig[], everything: boolean): Layer[] {
  return topLayers(everything ? disks : disks.filter(({ independent }) => !independent));
}

/** Whether that would freeze an image that is used where it is, which is for its user to decide. */
export function freezesElsewhere(machine: Machine, everything: boolean): boolean {
  return layersToFreeze(machine.record.config.disks, everything).some(({ file }) => !isOwn(machine, file));
}

/** A name for the next top layer of each of `layers`. */
export function overlaysFor(layers: readonly Layer[]): Layer[] {
  return layers.map((layer) => ({
    diskId: layer.diskId,
    file: `disks/${layer.diskId}-${newId()}.qcow2`,
    format: "qcow2",
  }));
}

/** Makes the overlay files on their layers; on failure none of them stays. */
export async function makeOverlays(
  context: ServiceContext,
  machine: Machine,
  layers: readonly Layer[],
  overlays: readonly Layer[],
): Promise<void> {
  const { folder } = machine.paths;
  try {
    for (const [index, overlay] of overlays.entries()) {
      const layer = layers[index];
      if (!layer) continue;
      const backing = { file: path.resolve(folder, layer.file), format: layer.format };
      await context.images.createOverlay(path.join(folder, overlay.file), backing);
    }
    await syncFolder(machine.paths.disks);
  } catch (error) {
    await removeFiles(machine, overlays);
    throw explained(error, {
      field: "disks",
      consequence: "The machine stays as it was.",
      remedy: "Bring the file back to its place.",
    });
  }
}

export function withTops(disks: readonly DiskConfig[], overlays: readonly Layer[]): DiskConfig[] {
  return disks.map((disk) => {
    const overlay = overlays.find((layer) => layer.diskId === disk.id);
    return overlay ? { ...disk, file: overlay.file, format: overlay.format } : disk;
  });
}

/**
 * Gives each disk whose top layer is somebody else's, too, a layer of its own: another machine's where a disk was read-only or a template's
 * or somebody copied a folder by hard links, a snapshot's where the disk was read-only then. The machine is at rest.
 */
export async function ownTops(context: ServiceContext, machine: Machine): Promise<void> {
  const { config, snapshots } = machine.record;
  const shared: Layer[] = [];
  for (const layer of topLayers(config.disks)) {
    if (!isOwn(machine, layer.file)) continue;
    const isHeld = snapshots.some((snapshot) => imagesOfSnapshot(snapshot).some(({ file }) => file === layer.file));
    if (isHeld || (await usageOf(path.join(machine.paths.folder, layer.file))).links > 1) shared.push(layer);
  }
  if (shared.length === 0) return;
  const overlays = overlaysFor(shared);
  await makeOverlays(context, machine, shared, overlays);
  await machine.update((record) => ({
    config: { ...record.config, disks: withTops(record.config.disks, overlays) },
  }));
}

/** Deletes layers that nothing refers to any more. Images outside the machine's folder are never touched. */
export async function removeFiles(machine: Machine, layers: readonly Layer[]): Promise<void> {
  for (const layer of layers) {
    if (isOwn(machine, layer.file)) await rm(path.join(machine.paths.folder, layer.file), { force: true });
  }
}

export function isOwn(machine: Machine, file: string): boolean {
  return !path.isAbsolute(file) && path.join(machine.paths.folder, file).startsWith(machine.paths.disks + path.sep);
}

/** Child layer to its backing layer, for all layers that the machine stands on; absolute paths. */
export async function backingLinks(machine: Machine): Promise<Map<string, string>> {
  return (await backingLinksOf(machine, allImages(machine.record))).links;
}

/** The same for the chains of `tops`, with all files that are in them. */
export async function backingLinksOf(
  machine: Machine,
  tops: readonly Image[],
): Promise<{ links: Map<string, string>; files: string[] }> {
  const links = new Map<string, string>();
  const seen = new Set<string>();
  for (const top of tops) {
    let file = path.resolve(machine.paths.folder, top.file);
    let format: string = top.format;
    while (!seen.has(file)) {
      seen.add(file);
      const backing = await readBacking(file, format);
      if (!backing?.file) break;
      links.set(file, backing.file);
      file = backing.file;
      format = "qcow2";
    }
  }
  return { links, files: [...seen] };
}

/** The disk whose top layer the file is. */
export function diskOnTop(machine: Machine, file: string): string | null {
  const found = machine.record.config.disks.find((disk) => path.resolve(machine.paths.folder, disk.file) === file);
  return found?.id ?? null;
}

/** The disks of the machine's present that stand on this layer. */
export async function disksAbove(machine: Machine, layer: string): Promise<string[]> {
  const links = await backingLinks(machine);
  const above: string[] = [];
  for (const disk of machine.record.config.disks) {
    let file: string | undefined = path.resolve(machine.paths.folder, disk.file);
    while (file !== undefined && file !== layer) file = links.get(file);
    if (file === layer) above.push(disk.id);
  }
  return above;
}

/** Absolute paths of layers that the machine's present or a snapshot names itself. */
export function namedLayers(machine: Machine, except?: SnapshotRecord): Set<string> {
  const { record, paths } = machine;
  const named = new Set(presentImages(record).map(({ file }) => path.resolve(paths.folder, file)));
  for (const snapshot of record.snapshots) {
    if (snapshot.id === except?.id) continue;
    for (const { file } of imagesOfSnapshot(snapshot)) named.add(path.resolve(paths.folder, file));
  }
  return named;
}
