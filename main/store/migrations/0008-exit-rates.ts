// How often compiled code was left, beside a machine's other figures. Older samples count as none.
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  await sql`ALTER TABLE metric_sample ADD COLUMN exit_rate REAL NOT NULL DEFAULT 0`.execute(database);
}
