// Full copies: disks without layers, so that nothing is shared with the source but memory that never changes.
import path from "node:path";
import type { DiskConfig } from "../../../native-core/config/machine-config.ts";
import { crashPoint } from "../../store/crash-points.ts";
import type { MachinePaths } from "../../store/data-folder.ts";
import type { ServiceContext } from "../context.ts";
import { cancelled, explained } from "../failures.ts";
import type { NewMachineParts } from "../machines/creation.ts";
import type { Machine } from "../machines/machine.ts";
import type { TaskHandle } from "../tasks.ts";
import type { CloneSource } from "./clone-source.ts";
import { copyState } from "./share.ts";

/** Fills the folder of a new machine with copies of what `from` says. */
export async function copyParts(
  context: ServiceContext,
  source: Machine,
  from: CloneSource,
  target: MachinePaths,
  task: TaskHandle,
): Promise<NewMachineParts> {
  const copies: DiskConfig[] = [];
  for (const [index, disk] of from.disks.entries()) {
    if (task.signal.aborted) throw cancelled("Cloning");
    const file = `disks/${disk.id}.qcow2`;
    const emptyBytes = from.empty?.get(disk.id);
    if (emptyBytes !== undefined) {
      await context.images.create(path.join(target.folder, file), emptyBytes);
      copies.push({ ...disk, file, format: "qcow2" });
      continue;
    }
    const layer = { file: path.resolve(source.paths.folder, disk.file), format: disk.format };
    const options = {
      signal: task.signal,
      progress: (share: number) => task.progress((index + share) / from.disks.length),
    };
    await context.images.flatten(layer, path.join(target.folder, file), options).catch((error: unknown) => {
      throw explained(error, {
        field: `disks.${index}`,
        consequence: "The copy was not made.",
        remedy: "Bring the file back to its place, or copy another snapshot.",
      });
    });
    copies.push({ ...disk, file, format: "qcow2" });
  }
  crashPoint("clone:files-copied");
  return { disks: copies, ...(await copyState(source, from.memory, target)) };
}
