// Linked clones: a new layer of its own on layers that are shared with the source. Takes no time and no space, and outlives the source.
//
//     source   disk0.qcow2 <- disk0-1f.qcow2                 (its present, from now on)
//                   ||        two names of one file
//     clone    disk0.qcow2 <- disk0-7a.qcow2
import path from "node:path";
import type { DiskConfig } from "../../../native-core/config/machine-config.ts";
import { crashPoint } from "../../store/crash-points.ts";
import type { MachinePaths } from "../../store/data-folder.ts";
import type { Layer } from "../../store/machine-record.ts";
import { hasOwnData, readBacking } from "../../store/qcow2-header.ts";
import type { ServiceContext } from "../context.ts";
import { explained } from "../failures.ts";
import type { NewMachineParts } from "../machines/creation.ts";
import type { Machine } from "../machines/machine.ts";
import { isOwn, makeOverlays, overlaysFor, withTops } from "../snapshots/layers.ts";
import type { CloneSource } from "./clone-source.ts";
import { copyState, shareChain } from "./share.ts";

/**
 * The machine's present as layers that are not written any more. What the machine wrote since they were frozen is frozen now: it goes on
 * in a new layer. The caller holds the machine's operations, and the machine is at rest.
 */
export async function freezePresent(
  context: ServiceContext,
  machine: Machine,
  from: CloneSource,
): Promise<CloneSource> {
  const disks: DiskConfig[] = [];
  const toFreeze: Layer[] = [];
  for (const disk of from.disks) {
    const below = machine.record.template || disk.readOnly ? null : await layerBelow(machine, disk);
    if (below === null && !machine.record.template && !disk.readOnly) {
      toFreeze.push({ diskId: disk.id, file: disk.file, format: disk.format });
    }
    disks.push(below ?? disk);
  }
  if (toFreeze.length > 0) {
    const overlays = overlaysFor(toFreeze);
    await makeOverlays(context, machine, toFreeze, overlays);
    crashPoint("clone:layers-frozen");
    await machine.update((record) => ({
      config: { ...record.config, disks: withTops(record.config.disks, overlays) },
    }));
  }
  return { ...from, disks };
}

/** The layer that an untouched top layer of our own stands on: cloning again and again must not make chains longer and longer. */
async function layerBelow(machine: Machine, disk: DiskConfig): Promise<DiskConfig | null> {
  const top = path.resolve(machine.paths.folder, disk.file);
  if (!isOwn(machine, disk.file) || disk.format !== "qcow2" || (await hasOwnData(top))) return null;
  const backing = await readBacking(top, disk.format);
  if (!backing?.file?.startsWith(machine.paths.disks + path.sep)) return null;
  return {
    ...disk,
    file: path.relative(machine.paths.folder, backing.file).replaceAll(path.sep, "/"),
    format: "qcow2",
  };
}

/** Fills the folder of a new machine with shared layers and a new one on top of each. `from` names layers that are not written any more. */
export async function linkParts(
  context: ServiceContext,
  source: Machine,
  from: CloneSource,
  target: MachinePaths,
): Promise<NewMachineParts> {
  const overlays = overlaysFor(from.disks.map((disk) => ({ diskId: disk.id, file: disk.file, format: disk.format })));
  const disks = await Promise.all(
    from.disks.map(async (disk, index): Promise<DiskConfig> => {
      const overlay = overlays[index] as Layer;
      const emptyBytes = from.empty?.get(disk.id);
      try {
        if (emptyBytes !== undefined) {
          await context.images.create(path.join(target.folder, overlay.file), emptyBytes);
          return { ...disk, file: overlay.file, format: overlay.format };
        }
        const file = await shareChain(source, disk, target);
        await context.images.createOverlay(path.join(target.folder, overlay.file), { file, format: disk.format });
      } catch (error) {
        throw explained(error, {
          field: `disks.${index}`,
          consequence: "The copy was not made.",
          remedy: "Bring the file back to its place, or copy another snapshot.",
        });
      }
      return { ...disk, file: overlay.file, format: overlay.format };
    }),
  );
  crashPoint("clone:layers-shared");
  return { disks, ...(await copyState(source, from.memory, target)) };
}
