// A machine as one file: a backup folder with one backup, packed, which opens on any computer with Terrarium; or, by its name, in the
// exchange format of other products (appliance).
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import { inScratch } from "../../store/scratch.ts";
import { exportAppliance, isApplianceTarget } from "../appliance/export.ts";
import { applianceAt, importAppliance } from "../appliance/import.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { backUp, listBackups, restoreBackup } from "./backup.ts";
import { packFolder, unpackFile } from "./tar.ts";

/** Yields the size of the file. @throws AppError ALREADY_EXISTS, NO_SPACE, INVALID_ARGUMENT, ... */
export async function exportMachine(
  context: ServiceContext,
  machine: Machine,
  file: string,
  memory: boolean,
): Promise<number> {
  requireAbsolute(file);
  if (isApplianceTarget(file)) return exportAppliance(context, machine, file);
  return inScratch(path.dirname(file), async (scratch) => {
    await backUp(context, machine, { folder: scratch, memory });
    return packFolder(scratch, file);
  });
}

/** A new machine of an exported file. @throws AppError INVALID_FILE, NOT_FOUND, ... */
export async function importMachine(context: ServiceContext, file: string, name: string | undefined): Promise<Machine> {
  requireAbsolute(file);
  const appliance = await applianceAt(file);
  if (appliance !== null) return importAppliance(context, appliance, name);
  return inScratch(context.store.data.run, async (scratch) => {
    await unpackFile(file, scratch);
    const [backup] = await listBackups(scratch);
    if (backup) return restoreBackup(context, scratch, backup.id, name);
    throw new AppError("INVALID_FILE", `There is no machine in ${file}`, {
      file,
      field: "file",
      consequence: "Nothing was imported.",
    });
  });
}

function requireAbsolute(file: string): void {
  if (path.isAbsolute(file)) return;
  throw new AppError("INVALID_ARGUMENT", `The path has to be absolute: ${file}`, {
    field: "file",
    consequence: "Nothing was done.",
    remedy: "Give the whole path of the file.",
  });
}
