// Snapshots in the trash, and disks that were taken out of their machine: both can come back.
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  await sql`ALTER TABLE snapshot ADD COLUMN deleted_at_ms INTEGER`.execute(database);
  await sql`ALTER TABLE machine ADD COLUMN detached_disks TEXT NOT NULL DEFAULT '[]'`.execute(database);
}
