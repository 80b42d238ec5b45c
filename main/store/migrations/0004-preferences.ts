// What a user chose and arranged in the app: one JSON value per key. Worthless to the machines; a lost database only loses the taste.
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TABLE preference (
      key TEXT PRIMARY KEY,
      value TEXT NOT NULL CHECK (json_valid(value))
    ) STRICT, WITHOUT ROWID
  `.execute(database);
}
