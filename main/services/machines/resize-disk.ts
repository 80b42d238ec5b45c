// Making a disk larger, or smaller where its end is free. Its snapshots keep the size they had; the guest's own file systems are its affair.
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { DiskConfig } from "../../../native-core/config/machine-config.ts";
import type { ServiceContext } from "../context.ts";
import { diskEnd } from "../disks/disk-end.ts";
import { safetySnapshot } from "../snapshots/automatic.ts";
import { withImage } from "../snapshots/diff.ts";
import { ownTops } from "../snapshots/layers.ts";
import type { Machine } from "./machine.ts";
import { requireNoTemplate, requireState } from "./states.ts";

const MIB = 2 ** 20;

/** Yields the snapshot to go back to, if the machine wants one. @throws AppError INVALID_STATE, NOT_FOUND, INVALID_ARGUMENT, UNSUPPORTED */
export async function resizeDisk(
  context: ServiceContext,
  machine: Machine,
  diskId: string,
  sizeMiB: number,
): Promise<string | null> {
  return machine.operate(async () => {
    // A saved state fits disks of the size it was saved with only.
    requireState(machine.name, machine.state, ["powered-off", "aborted"], "given a disk of another size");
    requireNoTemplate(machine, "given a disk of another size");
    const disk = diskOf(machine, diskId);
    const present = await context.images.inspect(fileOf(machine, diskId), disk.format);
    const sizeBytes = sizeMiB * MIB;
    if (sizeBytes === present.sizeBytes) {
      throw new AppError("INVALID_ARGUMENT", `The disk has ${sizeMiB} MiB already`, {
        field: "sizeMiB",
        consequence: "Nothing was changed.",
        remedy: "Give another size.",
      });
    }
    if (sizeBytes < present.sizeBytes) await requireFreeEnd(context, machine, disk, sizeMiB);
    // A snapshot would hold nothing of an independent disk.
    const undo = disk.independent ? null : await safetySnapshot(context, machine, `resizing ${diskId}`);
    await ownTops(context, machine);
    const image = { file: fileOf(machine, diskId), format: diskOf(machine, diskId).format };
    if (sizeBytes > present.sizeBytes) await context.images.grow(image, sizeBytes);
    else await context.images.shrink(image, sizeBytes);
    await machine.update(() => ({ changedSinceSnapshot: true }));
    void machine.log.write("info", `The disk ${diskId} has ${sizeMiB} MiB now`);
    return undo;
  });
}

/** Asked before anything is done, so that a disk that is refused costs no snapshot. */
async function requireFreeEnd(
  context: ServiceContext,
  machine: Machine,
  disk: DiskConfig,
  sizeMiB: number,
): Promise<void> {
  const { bytes, what } = await withImage(context, machine, disk, diskEnd);
  if (bytes <= sizeMiB * MIB) return;
  throw new AppError("INVALID_ARGUMENT", `Something on the disk ends only at ${Math.ceil(bytes / MIB)} MiB`, {
    field: "sizeMiB",
    consequence: "Nothing was changed.",
    ...IN_THE_WAY[what],
  });
}

const IN_THE_WAY = {
  partition: { remedy: "Shrink or move the last partition in the guest first, or give a larger size." },
  "file system": { remedy: "Shrink the file system in the guest first, or give a larger size." },
  data: { remedy: "Overwrite the end of the disk with zeroes in the guest first, or give a larger size." },
} as const;

function diskOf(machine: Machine, diskId: string) {
  const disk = machine.record.config.disks.find((each) => each.id === diskId);
  if (disk?.readOnly === false) return disk;
  throw new AppError("NOT_FOUND", `"${machine.name}" has no writable disk ${diskId}`, {
    field: "diskId",
    consequence: "Nothing was changed.",
    remedy: "Look at the machine's disks.",
  });
}

const fileOf = (machine: Machine, diskId: string) => path.resolve(machine.paths.folder, diskOf(machine, diskId).file);
