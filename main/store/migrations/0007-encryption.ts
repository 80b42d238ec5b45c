// Keys of encrypted machines, themselves encrypted.
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  const column = sql`ALTER TABLE machine ADD COLUMN encryption TEXT CHECK (encryption IS NULL OR json_valid(encryption))`;
  await column.execute(database);
}
