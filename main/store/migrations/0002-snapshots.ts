// Snapshots and the disk layers they froze. Parents are checked at commit, because a tree is written in any order.
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TABLE snapshot (
      id TEXT PRIMARY KEY,
      machine_id TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE,
      parent_id TEXT REFERENCES snapshot (id) DEFERRABLE INITIALLY DEFERRED,
      name TEXT NOT NULL,
      description TEXT NOT NULL,
      taken_at_ms INTEGER NOT NULL,
      config TEXT NOT NULL CHECK (json_valid(config)),
      memory TEXT,
      pause_ms REAL,
      written_bytes INTEGER NOT NULL,
      has_thumbnail INTEGER NOT NULL CHECK (has_thumbnail IN (0, 1))
    ) STRICT
  `.execute(database);
  await sql`CREATE INDEX snapshot_by_machine ON snapshot (machine_id)`.execute(database);
  await sql`
    CREATE TABLE snapshot_layer (
      snapshot_id TEXT NOT NULL REFERENCES snapshot (id) ON DELETE CASCADE,
      disk_id TEXT NOT NULL,
      file TEXT NOT NULL,
      format TEXT NOT NULL CHECK (format IN ('qcow2', 'raw')),
      PRIMARY KEY (snapshot_id, disk_id)
    ) STRICT
  `.execute(database);
}
