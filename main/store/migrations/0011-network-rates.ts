// What network adapters carried. Older samples, and machines without an adapter, have none.
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const column of ["net_receive_rate", "net_send_rate"])
    await sql`ALTER TABLE metric_sample ADD COLUMN ${sql.ref(column)} REAL`.execute(database);
}
