// Machine records as database rows, both ways. One transaction per record, so that a reader never sees half of a change.
import type { Kysely, Transaction } from "kysely";
import { type MachineRecord, machineRecordSchema, RECORD_VERSION, type SnapshotRecord } from "./machine-record.ts";
import type { MachineTable, SnapshotLayerTable, SnapshotTable, StoreTables } from "./schema.ts";

/**
 * Makes the database know the machine as `record` says. `written` are its snapshots as they were written last, by the same objects where
 * nothing changed: a machine may have thousands, and most changes concern none of them.
 */
export async function writeRecord(
  database: Kysely<StoreTables>,
  record: MachineRecord,
  written?: readonly SnapshotRecord[],
): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const row = machineRow(record);
    await transaction
      .insertInto("machine")
      .values(row)
      .onConflict((conflict) => conflict.column("id").doUpdateSet(row))
      .execute();
    if (written === undefined) {
      await transaction.deleteFrom("snapshot").where("machine_id", "=", record.id).execute();
      return writeSnapshots(transaction, record.id, record.snapshots);
    }
    const before = new Set(written);
    const now = new Set(record.snapshots);
    for (const { id } of written.filter((snapshot) => !now.has(snapshot))) {
      await transaction.deleteFrom("snapshot").where("id", "=", id).execute();
    }
    await writeSnapshots(
      transaction,
      record.id,
      record.snapshots.filter((snapshot) => !before.has(snapshot)),
    );
  });
}

async function writeSnapshots(
  transaction: Transaction<StoreTables>,
  machineId: string,
  snapshots: readonly SnapshotRecord[],
): Promise<void> {
  for (const snapshot of snapshots) {
    await transaction
      .insertInto("snapshot")
      .values({
        id: snapshot.id,
        machine_id: machineId,
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
        transient: snapshot.transient ? 1 : 0,
        deleted_at_ms: snapshot.deletedAtMs,
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
  const snapshotsOf = Map.groupBy(snapshots, (snapshot) => snapshot.machine_id);
  const layersOf = Map.groupBy(layers, (layer) => layer.snapshot_id);
  return new Map(machines.map((row) => [row.id, recordOf(row, snapshotsOf.get(row.id) ?? [], layersOf)]));
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
    encryption: record.encryption === null ? null : JSON.stringify(record.encryption),
    detached_disks: JSON.stringify(record.detachedDisks),
  };
}

function recordOf(
  row: MachineTable,
  snapshots: readonly SnapshotTable[],
  layersOf: ReadonlyMap<string, readonly SnapshotLayerTable[]>,
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
    encryption: row.encryption === null ? null : JSON.parse(row.encryption),
    detachedDisks: JSON.parse(row.detached_disks),
    snapshots: snapshots.map((snapshot) => ({
      id: snapshot.id,
      parentId: snapshot.parent_id,
      name: snapshot.name,
      description: snapshot.description,
      takenAtMs: snapshot.taken_at_ms,
      config: JSON.parse(snapshot.config),
      layers: (layersOf.get(snapshot.id) ?? []).map((layer) => ({
        diskId: layer.disk_id,
        file: layer.file,
        format: layer.format,
      })),
      memory: snapshot.memory,
      pauseMs: snapshot.pause_ms,
      writtenBytes: snapshot.written_bytes,
      hasThumbnail: snapshot.has_thumbnail === 1,
      kind: snapshot.kind,
      pinned: snapshot.pinned === 1,
      transient: snapshot.transient === 1,
      deletedAtMs: snapshot.deleted_at_ms,
    })),
  });
  return parsed.success ? parsed.data : null;
}
