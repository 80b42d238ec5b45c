// The trash as clients see it: removed machines, and left-overs that reconciliation found. Emptying it is what gives the space back.
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { TrashEntry } from "../../contract/schemas.ts";
import { machinePathsIn } from "../../store/data-folder.ts";
import { readRecordFile } from "../../store/record-file.ts";
import type { ServiceContext } from "../context.ts";
import { freeableBytes } from "../space/usage.ts";

export async function listTrash(context: ServiceContext): Promise<TrashEntry[]> {
  const { trash } = context.store.data;
  const entries = await Promise.all((await readdir(trash)).map((name) => describe(path.join(trash, name), name)));
  return entries.sort((a, b) => b.removedAtMs - a.removedAtMs);
}

/** Deletes one entry for good; yields the bytes freed. @throws AppError NOT_FOUND */
export async function deleteTrashed(context: ServiceContext, name: string): Promise<number> {
  const { trash } = context.store.data;
  // Compared with what is there, so that a name can't lead anywhere else.
  if (!(await readdir(trash)).includes(name)) {
    throw new AppError("NOT_FOUND", `There is no "${name}" in the trash`, {
      field: "name",
      consequence: "Nothing was deleted.",
      remedy: "Look at the list of what is there; it may have been brought back or deleted meanwhile.",
    });
  }
  const entry = path.join(trash, name);
  const freed = await freeableBytes(entry);
  await rm(entry, { recursive: true, force: true });
  return freed;
}

/** Deletes everything in the trash for good; yields the bytes freed. */
export async function emptyTrash(context: ServiceContext): Promise<number> {
  const { trash } = context.store.data;
  const options = { title: "Emptying the trash", machineId: null, cancellable: false };
  return context.tasks.run(options, async (task) => {
    const names = await readdir(trash);
    let freed = 0;
    for (const [index, name] of names.entries()) {
      const entry = path.join(trash, name);
      freed += await freeableBytes(entry);
      await rm(entry, { recursive: true, force: true });
      task.progress((index + 1) / names.length);
    }
    return freed;
  });
}

async function describe(entry: string, name: string): Promise<TrashEntry> {
  // <machine id>-<milliseconds>, or orphan-...-<milliseconds> (store/trash.ts).
  const [, machineId] = /^([0-9a-f]{12})-\d+$/.exec(name) ?? [];
  const record = machineId === undefined ? null : await readRecordFile(machinePathsIn(entry).record).catch(() => null);
  return {
    name,
    machineId: record?.id ?? null,
    machineName: record?.config.name ?? null,
    removedAtMs: Number(name.slice(name.lastIndexOf("-") + 1)) || 0,
    sizeBytes: await freeableBytes(entry),
  };
}
