// Snapshots that are there only while a copy or a backup is made of them. Older ones count as kept.
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  await sql`ALTER TABLE snapshot ADD COLUMN transient INTEGER NOT NULL DEFAULT 0 CHECK (transient IN (0, 1))`.execute(
    database,
  );
}
