// Machines: one row each, the configuration as the JSON document that machine.json holds too.
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TABLE machine (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('powered-off', 'saved', 'aborted', 'running')),
      revision INTEGER NOT NULL CHECK (revision >= 0),
      created_at_ms INTEGER NOT NULL,
      config TEXT NOT NULL CHECK (json_valid(config)),
      saved_state TEXT,
      current_snapshot_id TEXT,
      changed_since_snapshot INTEGER NOT NULL CHECK (changed_since_snapshot IN (0, 1)),
      last_failure TEXT CHECK (last_failure IS NULL OR json_valid(last_failure)),
      pending TEXT CHECK (pending IS NULL OR json_valid(pending))
    ) STRICT
  `.execute(database);
}
