// Making a disk larger. Its snapshots keep the size they had; the guest enlarges its file system itself.
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { ServiceContext } from "../context.ts";
import { safetySnapshot } from "../snapshots/automatic.ts";
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
    requireState(machine.name, machine.state, ["powered-off", "aborted"], "given a larger disk");
    requireNoTemplate(machine, "given a larger disk");
    const present = await context.images.inspect(fileOf(machine, diskId));
    if (sizeMiB * MIB <= present.sizeBytes) {
      throw new AppError("INVALID_ARGUMENT", `The disk has ${present.sizeBytes / MIB} MiB; it can only become larger`, {
        field: "sizeMiB",
        consequence: "Nothing was changed.",
        remedy: "Give a larger size.",
      });
    }
    const undo = await safetySnapshot(context, machine, `resizing ${diskId}`);
    await ownTops(context, machine);
    await context.images.grow({ file: fileOf(machine, diskId), format: formatOf(machine, diskId) }, sizeMiB * MIB);
    await machine.update(() => ({ changedSinceSnapshot: true }));
    void machine.log.write("info", `The disk ${diskId} has ${sizeMiB} MiB now`);
    return undo;
  });
}

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
const formatOf = (machine: Machine, diskId: string) => diskOf(machine, diskId).format;
