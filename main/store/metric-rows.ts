// Figures of machines as rows: written in batches, read by machine and resolution, ended by age.
import type { Kysely } from "kysely";
import type { MetricSampleTable, StoreTables } from "./schema.ts";

/** SQLite takes 32,766 values in one statement at most; a row has a dozen. */
const ROWS_PER_STATEMENT = 1000;

export class MetricRows {
  readonly #database: Kysely<StoreTables>;

  constructor(database: Kysely<StoreTables>) {
    this.#database = database;
  }

  /** Adds `rows` and forgets what is older than its resolution is kept; one transaction. */
  async write(rows: readonly MetricSampleTable[], keptFromS: ReadonlyMap<number, number>): Promise<void> {
    await this.#database.transaction().execute(async (transaction) => {
      for (let first = 0; first < rows.length; first += ROWS_PER_STATEMENT) {
        await transaction
          .insertInto("metric_sample")
          .values(rows.slice(first, first + ROWS_PER_STATEMENT))
          .onConflict((conflict) => conflict.columns(["machine_id", "step_s", "at_s"]).doNothing())
          .execute();
      }
      for (const [stepS, fromS] of keptFromS) {
        await transaction.deleteFrom("metric_sample").where("step_s", "=", stepS).where("at_s", "<", fromS).execute();
      }
    });
  }

  /** Oldest first. */
  async read(machineId: string, stepS: number, fromS: number): Promise<MetricSampleTable[]> {
    return this.#database
      .selectFrom("metric_sample")
      .selectAll()
      .where("machine_id", "=", machineId)
      .where("step_s", "=", stepS)
      .where("at_s", ">=", fromS)
      .orderBy("at_s")
      .execute();
  }
}
