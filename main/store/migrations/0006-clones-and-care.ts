// Where a machine comes from, whether it is a template, how its guest knows itself; why a snapshot is there and whether it is pinned.
import { type Kysely, sql } from "kysely";

export async function up(database: Kysely<unknown>): Promise<void> {
  const columns = [
    sql`ALTER TABLE machine ADD COLUMN template INTEGER NOT NULL DEFAULT 0 CHECK (template IN (0, 1))`,
    sql`ALTER TABLE machine ADD COLUMN origin TEXT CHECK (origin IS NULL OR json_valid(origin))`,
    sql`ALTER TABLE machine ADD COLUMN generation_id TEXT`,
    sql`ALTER TABLE snapshot ADD COLUMN kind TEXT NOT NULL DEFAULT 'user' CHECK (kind IN ('user', 'schedule', 'safety'))`,
    sql`ALTER TABLE snapshot ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1))`,
  ];
  for (const column of columns) await column.execute(database);
}
