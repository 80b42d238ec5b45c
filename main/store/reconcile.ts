// What happens to the store at each start: database and machine folders are compared, half-done work is finished or undone, orphans go
// to the trash. Nothing a user could miss is deleted here. Order of trust: disks, then machine.json, then the database.
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import type { Kysely } from "kysely";
import { isAppError } from "../../native-core/common/errors.ts";
import { machineIdSchema } from "../contract/schemas.ts";
import { TEMPORARY_SUFFIX } from "./atomic-file.ts";
import { type DataFolder, machinePaths } from "./data-folder.ts";
import type { MachineRecord } from "./machine-record.ts";
import { deleteRecord, readRecords, writeRecord } from "./machine-rows.ts";
import { trashOrphans } from "./orphans.ts";
import { readRecordFile, writeRecordFile } from "./record-file.ts";
import { recover } from "./recover.ts";
import type { StoreTables } from "./schema.ts";
import { moveToTrash } from "./trash.ts";

export interface Reconciled {
  readonly records: MachineRecord[];
  readonly notices: string[];
}

export async function reconcile(data: DataFolder, database: Kysely<StoreTables>): Promise<Reconciled> {
  const notices: string[] = [];
  const rows = await readRecords(database);
  const records: MachineRecord[] = [];
  for (const name of (await readdir(data.machines)).sort()) {
    const folder = path.join(data.machines, name);
    if (name.endsWith(TEMPORARY_SUFFIX)) {
      await rm(folder, { recursive: true, force: true });
      continue;
    }
    if (!machineIdSchema.safeParse(name).success) continue;
    const found = await recordOfFolder(data, name, rows.get(name) ?? null, notices);
    if (found === null) continue;
    const record = await recover(machinePaths(data, name), uniqueName(found, records), notices);
    await trashOrphans(data, record, notices);
    if (record !== found) await writeRecordFile(machinePaths(data, name).record, record);
    if (rows.get(name)?.revision !== record.revision || record !== found) await writeRecord(database, record);
    records.push(record);
  }
  await forgetLost(data, database, rows, records, notices);
  return { records, notices };
}

/** The newest readable record of the folder, from the file or else the database; a folder without any goes to the trash. */
async function recordOfFolder(
  data: DataFolder,
  id: string,
  row: MachineRecord | null,
  notices: string[],
): Promise<MachineRecord | null> {
  const { folder, record: file } = machinePaths(data, id);
  let fromFile: MachineRecord | null = null;
  try {
    fromFile = await readRecordFile(file);
    if (fromFile !== null && fromFile.id !== id) {
      notices.push(`${file} belongs to another machine (${fromFile.id}); the folder was left as it is.`);
      return null;
    }
  } catch (error) {
    if (!isAppError(error)) throw error;
    // A file that can't be read may be as good as ever: one machine less, but the others start.
    if (row === null || error.code !== "CORRUPT_STORE") {
      notices.push(`${error.message}. The machine is not in the list; its folder was left as it is.`);
      return null;
    }
    notices.push(`${error.message}. It was restored from the database.`);
  }
  if (fromFile !== null && (row === null || fromFile.revision >= row.revision)) return fromFile;
  if (row !== null) {
    await writeRecordFile(file, row);
    return row;
  }
  const trashed = await moveToTrash(data, folder, `orphan-${id}`);
  notices.push(`A machine folder without a record was moved to the trash: ${trashed}`);
  return null;
}

/** Copies of folders made by hand bring duplicate names; both machines stay usable. */
function uniqueName(record: MachineRecord, others: readonly MachineRecord[]): MachineRecord {
  const taken = new Set(others.map((other) => other.config.name));
  if (!taken.has(record.config.name)) return record;
  let number = 2;
  while (taken.has(`${record.config.name} (${number})`)) number += 1;
  const config = { ...record.config, name: `${record.config.name} (${number})` };
  return { ...record, config, revision: record.revision + 1 };
}

/** Rows whose folder is gone: the machine can't come back, so the user is told once and the row goes. */
async function forgetLost(
  data: DataFolder,
  database: Kysely<StoreTables>,
  rows: ReadonlyMap<string, MachineRecord | null>,
  records: readonly MachineRecord[],
  notices: string[],
): Promise<void> {
  const kept = new Set(records.map((record) => record.id));
  for (const [id, row] of rows) {
    if (kept.has(id)) continue;
    const { folder } = machinePaths(data, id);
    if (existsSync(folder)) continue;
    const trashed = (await readdir(data.trash)).some((name) => name.startsWith(`${id}-`));
    if (!trashed)
      notices.push(
        `The folder of "${row?.config.name ?? id}" is gone: ${folder}. The machine was removed from the list.`,
      );
    await deleteRecord(database, id);
  }
}
