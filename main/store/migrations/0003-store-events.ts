// A short history of the store itself: what was repaired or rebuilt, and when.
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TABLE store_event (
      id INTEGER PRIMARY KEY,
      at_ms INTEGER NOT NULL,
      message TEXT NOT NULL
    ) STRICT
  `.execute(database);
}
