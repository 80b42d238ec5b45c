// Preferences as rows: a key and its JSON value.
import type { Kysely } from "kysely";
import type { StoreTables } from "./schema.ts";

export type PreferenceValues = Record<string, unknown>;

export class PreferenceRows {
  readonly #database: Kysely<StoreTables>;

  constructor(database: Kysely<StoreTables>) {
    this.#database = database;
  }

  async read(): Promise<PreferenceValues> {
    const rows = await this.#database.selectFrom("preference").selectAll().execute();
    return Object.fromEntries(rows.map(({ key, value }) => [key, JSON.parse(value)]));
  }

  /** All or nothing; null forgets a key. */
  async write(changes: PreferenceValues): Promise<void> {
    await this.#database.transaction().execute(async (transaction) => {
      for (const [key, value] of Object.entries(changes)) {
        if (value === null) {
          await transaction.deleteFrom("preference").where("key", "=", key).execute();
          continue;
        }
        const row = { key, value: JSON.stringify(value) };
        await transaction
          .insertInto("preference")
          .values(row)
          .onConflict((conflict) => conflict.column("key").doUpdateSet(row))
          .execute();
      }
    });
  }
}
