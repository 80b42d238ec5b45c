// Machine records as database rows, both ways. One transaction per record, so that a reader never sees half of a change.
import type { Kysely, Transaction } from "kysely";
import { type MachineRecord, machineRecordSchema, RECORD_VERSION } from "./machine-record.ts";
import type { MachineTable, SnapshotLayerTable, SnapshotTable, StoreTables } from "./schema.ts";

/** Replaces everything the database knows of the machine. */
export async function writeRecord(database: Kysely<StoreTables>, record: MachineRecord): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const row = machineRow(record);
    await transaction
      .insertInto("machine")
      .values(row)
      .onConflict((conflict) => conflict.column("id").doUpdateSet(row))
      .execute();
    await transaction.deleteFrom("snapshot").where("machine_id", "=", record.id).execute();
    await writeSnapshots(transaction, record);
  });
}

async function writeSnapshots(transaction: Transaction<StoreTables>, record: MachineRecord): Promise<void> {
  for (const snapshot of record.snapshots) {
    await transaction
      .insertInto("snapshot")
      .values({
        id: snapshot.id,
        machine_id: record.id,
        parent_id: snapshot.parentId,
        name: snapshot.name,
        description: snapshot.description,
        taken_at_ms: snapshot.takenAtMs,
        config: JSON.stringify(snapshot.config),
        memory: snapshot.memory,
        pause_ms: snapshot.pauseMs,
        written_bytes: snapshot.writtenBytes,
        has_thumbnail: snapshot.hasThumbnail ? 1 : 0,
        kind: snapshot.kind,
        pinned: snapshot.pinned ? 1 : 0,
      })
      .execute();
    for (const layer of snapshot.layers) {
      await transaction
        .insertInto("snapshot_layer")
        .values({ snapshot_id: snapshot.id, disk_id: layer.diskId, file: layer.file, format: layer.format })
        .execute();
    }
  }
}

export async function deleteRecord(database: Kysely<StoreTables>, id: string): Promise<void> {
  await database.deleteFrom("machine").where("id", "=", id).execute();
}

/** All records; those that are not valid any more are left out, the machine folders are asked instead. */
export async function readRecords(database: Kysely<StoreTables>): Promise<Map<string, MachineRecord | null>> {
  const machines = await database.selectFrom("machine").selectAll().execute();
  const snapshots = await database.selectFrom("snapshot").selectAll().orderBy("taken_at_ms").execute();
  const layers = await database.selectFrom("snapshot_layer").selectAll().execute();
  const records = new Map<string, MachineRecord | null>();
  for (const row of machines) {
    const own = snapshots.filter((snapshot) => snapshot.machine_id === row.id);
    records.set(row.id, recordOf(row, own, layers));
  }
  return records;
}

function machineRow(record: MachineRecord): MachineTable {
  return {
    id: record.id,
    name: record.config.name,
    state: record.state,
    revision: record.revision,
    created_at_ms: record.createdAtMs,
    config: JSON.stringify(record.config),
    saved_state: record.savedState,
    current_snapshot_id: record.currentSnapshotId,
    changed_since_snapshot: record.changedSinceSnapshot ? 1 : 0,
    last_failure: record.lastFailure === null ? null : JSON.stringify(record.lastFailure),
    pending: record.pending === null ? null : JSON.stringify(record.pending),
    template: record.template ? 1 : 0,
    origin: record.origin === null ? null : JSON.stringify(record.origin),
    generation_id: record.generationId,
  };
}

function recordOf(
  row: MachineTable,
  snapshots: readonly SnapshotTable[],
  layers: readonly SnapshotLayerTable[],
): MachineRecord | null {
  const parsed = machineRecordSchema.safeParse({
    recordVersion: RECORD_VERSION,
    id: row.id,
    revision: row.revision,
    createdAtMs: row.created_at_ms,
    config: JSON.parse(row.config),
    state: row.state,
    savedState: row.saved_state,
    currentSnapshotId: row.current_snapshot_id,
    changedSinceSnapshot: row.changed_since_snapshot === 1,
    lastFailure: row.last_failure === null ? null : JSON.parse(row.last_failure),
    pending: row.pending === null ? null : JSON.parse(row.pending),
    template: row.template === 1,
    origin: row.origin === null ? null : JSON.parse(row.origin),
    generationId: row.generation_id,
    snapshots: snapshots.map((snapshot) => ({
      id: snapshot.id,
      parentId: snapshot.parent_id,
      name: snapshot.name,
      description: snapshot.description,
      takenAtMs: snapshot.taken_at_ms,
      config: JSON.parse(snapshot.config),
      layers: layers
        .filter((layer) => layer.snapshot_id === snapshot.id)
        .map((layer) => ({ diskId: layer.disk_id, file: layer.file, format: layer.format })),
      memory: snapshot.memory,
      pauseMs: snapshot.pause_ms,
      writtenBytes: snapshot.written_bytes,
      hasThumbnail: snapshot.has_thumbnail === 1,
      kind: snapshot.kind,
      pinned: snapshot.pinned === 1,
    })),
  });
  return parsed.success ? parsed.data : null;
}
