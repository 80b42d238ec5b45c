// Backups by the clock, and which of them stay.

import { existsSync } from "node:fs";
import { dirname, isAbsolute } from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import type { ClockWork } from "../schedule.ts";
import { backUp } from "./backup.ts";
import { deleteBackups } from "./prune.ts";
import { BackupRepository } from "./repository.ts";

const HOUR_MS = 3_600_000;
/** A folder on a disk that is not there may be there soon: tried again before the next backup would be due. */
const RETRY_MS = HOUR_MS;

export function scheduledBackups(context: ServiceContext): ClockWork {
  /** Machines that ran since their last backup; one at rest has nothing new. */
  const ran = new WeakSet<Machine>();
  /** When the last backup in the folder was made: asked of the folder once. */
  const lastAtMs = new WeakMap<Machine, { readonly folder: string; readonly atMs: number }>();

  const lastIn = async (machine: Machine, folder: string): Promise<number> => {
    const known = lastAtMs.get(machine);
    if (known?.folder === folder) return known.atMs;
    const atMs = await newestIn(folder, machine.id);
    lastAtMs.set(machine, { folder, atMs });
    return atMs;
  };

  return {
    name: "backup",
    async isDue(machine, nowMs, failedAtMs) {
      const { config } = machine.record;
      const [folder, everyHours] = [config.backup.folder, config.backup.everyHours];
      if (machine.vm !== null) ran.add(machine);
      if (folder === null || everyHours === 0 || !ran.has(machine) || machine.operations.busy) return false;
      if (nowMs - failedAtMs < Math.min(RETRY_MS, everyHours * HOUR_MS)) return false;
      return nowMs - (await lastIn(machine, folder)) >= everyHours * HOUR_MS;
    },
    async run(machine) {
      const { config } = machine.record;
      const folder = config.backup.folder;
      if (folder === null) return;
      requireParent(folder);
      if (machine.vm === null) ran.delete(machine);
      try {
        const { takenAtMs } = await backUp(context, machine, {
          folder,
          memory: config.backup.memory,
          kind: "schedule",
        });
        lastAtMs.set(machine, { folder, atMs: takenAtMs });
      } catch (error) {
        ran.add(machine);
        throw error;
      }
      const keepLast = config.backup.keepLast;
      if (keepLast > 0) await keepNewest(folder, machine.id, keepLast);
    },
  };
}

/** A folder that a schedule makes anew is right the first time; where even its parent is gone, a disk is missing and must not be stood in for. */
function requireParent(folder: string): void {
  if (isAbsolute(folder) && existsSync(dirname(folder))) return;
  throw new AppError("NOT_FOUND", `There is no folder ${dirname(folder)}`, {
    field: "backup.folder",
    consequence: "No backup was made.",
    remedy: "Connect the disk that it is on, or choose another folder in the settings of the machine.",
  });
}

/** 0 when there is none, or no folder yet. */
async function newestIn(folder: string, machineId: string): Promise<number> {
  if (!BackupRepository.isThere(folder)) return 0;
  const { manifests } = await (await BackupRepository.open(folder)).manifests();
  return manifests.findLast((manifest) => manifest.machineId === machineId)?.takenAtMs ?? 0;
}

async function keepNewest(folder: string, machineId: string, count: number): Promise<void> {
  const { manifests } = await (await BackupRepository.open(folder)).manifests();
  const own = manifests.filter((manifest) => manifest.machineId === machineId && manifest.kind === "schedule");
  const gone = own.slice(0, Math.max(0, own.length - count)).map(({ id }) => id);
  if (gone.length > 0) await deleteBackups(folder, gone);
}
