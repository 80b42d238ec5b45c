// Figures of machines over the last day, at falling resolution (main/services/machines/metrics-history.ts). Rates are per second.
// There is no reference to the machine on purpose: a machine that comes back from the trash has its history again, and age ends every row.
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TABLE metric_sample (
      machine_id TEXT NOT NULL,
      step_s INTEGER NOT NULL CHECK (step_s > 0),
      at_s INTEGER NOT NULL,
      cpu_share REAL NOT NULL,
      mips REAL NOT NULL,
      resident_bytes REAL NOT NULL,
      guest_bytes REAL NOT NULL,
      disk_read_rate REAL NOT NULL,
      disk_write_rate REAL NOT NULL,
      PRIMARY KEY (machine_id, step_s, at_s)
    ) STRICT, WITHOUT ROWID
  `.execute(database);
  await sql`CREATE INDEX metric_sample_by_age ON metric_sample (step_s, at_s)`.execute(database);
}
