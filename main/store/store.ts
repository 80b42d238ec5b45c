// The store: machine records in machine.json files and in SQLite, kept in step.
//
// A change is committed by the rename of machine.json; the database follows in one transaction. Should the process end between the
// two, the higher revision of machine.json wins at the next start (reconcile.ts).
import type { Kysely } from "kysely";
import { crashPoint } from "./crash-points.ts";
import type { DataFolder, MachinePaths } from "./data-folder.ts";
import { machinePaths } from "./data-folder.ts";
import { openDatabase } from "./database.ts";
import { formerProcessesEnded } from "./former-processes.ts";
import type { MachineRecord, SnapshotRecord } from "./machine-record.ts";
import { deleteRecord, writeRecord } from "./machine-rows.ts";
import { MetricRows } from "./metric-rows.ts";
import { PreferenceRows } from "./preference-rows.ts";
import { reconcile } from "./reconcile.ts";
import { writeRecordFile } from "./record-file.ts";
import type { StoreTables } from "./schema.ts";

export class Store {
  readonly data: DataFolder;
  readonly metrics: MetricRows;
  readonly preferences: PreferenceRows;
  readonly #database: Kysely<StoreTables>;
  /** Machines whose row is behind because the database refused the write; tried again with the next change. */
  readonly #behind = new Map<string, MachineRecord>();
  #catchingUp: Promise<boolean> = Promise.resolve(true);
  /** The snapshots of each machine as the database has them. */
  readonly #written = new Map<string, readonly SnapshotRecord[]>();

  private constructor(data: DataFolder, database: Kysely<StoreTables>) {
    this.data = data;
    this.#database = database;
    this.metrics = new MetricRows(database);
    this.preferences = new PreferenceRows(database);
  }

  /** Opens and reconciles. `notices` say what was repaired, in words for the user. */
  static async open(data: DataFolder): Promise<{ store: Store; records: MachineRecord[]; notices: string[] }> {
    const { database, movedAside } = await openDatabase(data.database);
    const notices: string[] = [];
    if (movedAside !== null) {
      notices.push(
        `The database was damaged. It was moved to ${movedAside} and the list rebuilt from the machine folders.`,
      );
    }
    if (!(await formerProcessesEnded(data))) {
      notices.push("A machine of an earlier Terrarium is still ending. It can be started when that is done.");
    }
    const found = await reconcile(data, database);
    notices.push(...found.notices);
    const store = new Store(data, database);
    for (const notice of notices) await store.#recordEvent(notice);
    return { store, records: found.records, notices };
  }

  paths(id: string): MachinePaths {
    return machinePaths(this.data, id);
  }

  /**
   * Makes `record` the machine's durable state. When it rejects, the old state stands, in memory and on disk.
   * A database that refuses the write does not undo the commit: the record file is what counts.
   * False when the disk doesn't confirm that the new state would survive a power failure.
   */
  async commit(record: MachineRecord): Promise<boolean> {
    crashPoint("commit:before-record");
    const confirmed = await writeRecordFile(this.paths(record.id).record, record);
    crashPoint("commit:record-written");
    this.#behind.set(record.id, record);
    await this.catchUp();
    crashPoint("commit:done");
    return confirmed;
  }

  /** Takes in a machine whose folder and machine.json are in place already. */
  async adopt(record: MachineRecord): Promise<void> {
    this.#behind.set(record.id, record);
    await this.catchUp();
  }

  /** Brings rows that are behind up to date; true when none is left. */
  catchUp(): Promise<boolean> {
    // One at a time: what is written is the difference to what was written before.
    this.#catchingUp = this.#catchingUp.then(() => this.#catchUpNow());
    return this.#catchingUp;
  }

  async #catchUpNow(): Promise<boolean> {
    for (const [id, record] of this.#behind) {
      try {
        await writeRecord(this.#database, record, this.#written.get(id));
        this.#written.set(id, record.snapshots);
        if (this.#behind.get(id) === record) this.#behind.delete(id);
      } catch {
        return false;
      }
    }
    return true;
  }

  /** Forgets a machine whose folder has left machines/. */
  async forget(id: string): Promise<void> {
    this.#behind.delete(id);
    this.#written.delete(id);
    await deleteRecord(this.#database, id);
  }

  async close(): Promise<void> {
    await this.catchUp();
    await this.#database.destroy();
  }

  async #recordEvent(message: string): Promise<void> {
    await this.#database.insertInto("store_event").values({ at_ms: Date.now(), message }).execute();
  }
}
