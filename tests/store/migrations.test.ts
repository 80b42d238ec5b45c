import { rm } from "node:fs/promises";
import path from "node:path";
import Sqlite from "better-sqlite3";
import { Kysely, SqliteDialect, sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrate, openDatabase } from "../../main/store/database.ts";
import { readRecords, writeRecord } from "../../main/store/machine-rows.ts";
import { MIGRATIONS } from "../../main/store/migrations/index.ts";
import type { MachineTable, StoreTables } from "../../main/store/schema.ts";
import { testRecord, testSnapshot } from "../support/records.ts";
import { temporaryFolder } from "../support/test-app.ts";

const NAMES = Object.keys(MIGRATIONS);
const NEWEST = NAMES.at(-1) ?? "";

let folder: string;
let file: string;
let database: Kysely<StoreTables>;

beforeEach(async () => {
  folder = await temporaryFolder();
  file = path.join(folder, "terrarium.db");
  const sqlite = new Sqlite(file);
  sqlite.pragma("foreign_keys = ON");
  database = new Kysely<StoreTables>({ dialect: new SqliteDialect({ database: sqlite }) });
});

afterEach(async () => {
  await database.destroy();
  await rm(folder, { recursive: true });
});

/** Applies all migrations up to and including `last`. */
async function migrateTo(last: string): Promise<void> {
  const upTo = NAMES.slice(0, NAMES.indexOf(last) + 1);
  await migrate(
    database,
    Object.fromEntries(upTo.map((name) => [name, MIGRATIONS[name] ?? { up: async () => undefined }])),
    file,
  );
}

async function tables(): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'kysely_%' ORDER BY name
  `.execute(database);
  return rows.map((row) => row.name);
}

const MACHINE_ROW = {
  id: "aaaaaaaaaaaa",
  name: "one",
  state: "powered-off",
  revision: 1,
  created_at_ms: 1,
  config: "{}",
  saved_state: null,
  current_snapshot_id: null,
  changed_since_snapshot: 0,
  last_failure: null,
  pending: null,
} as MachineTable;

describe("migration 0001-machines", () => {
  it("makes a strict table of machines", async () => {
    await migrateTo("0001-machines");
    expect(await tables()).toEqual(["machine"]);
    await database.insertInto("machine").values(MACHINE_ROW).execute();
    const wrong = { ...MACHINE_ROW, id: "b" };
    await expect(
      database
        .insertInto("machine")
        .values({ ...wrong, state: "flying" })
        .execute(),
    ).rejects.toThrow("CHECK");
    await expect(
      database
        .insertInto("machine")
        .values({ ...wrong, config: "no json" })
        .execute(),
    ).rejects.toThrow("CHECK");
    await expect(
      database
        .insertInto("machine")
        .values({ ...wrong, revision: "x" as never })
        .execute(),
    ).rejects.toThrow("TEXT value in INTEGER");
  });
});

describe("migration 0002-snapshots", () => {
  it("adds snapshots that go with their machine, and keeps the machines", async () => {
    await migrateTo("0001-machines");
    await database.insertInto("machine").values(MACHINE_ROW).execute();
    await migrateTo("0002-snapshots");
    expect(await tables()).toEqual(["machine", "snapshot", "snapshot_layer"]);
    await migrateTo(NEWEST);
    const layers = [{ diskId: "disk0", file: "disks/disk0.qcow2", format: "qcow2" as const }];
    const parent = testSnapshot("111111111111", { layers });
    const child = testSnapshot("222222222222", { parentId: parent.id });
    // The child first: parents are checked when the transaction ends.
    await writeRecord(database, testRecord(MACHINE_ROW.id, { snapshots: [child, parent] }));
    await database.deleteFrom("machine").execute();
    expect(await database.selectFrom("snapshot").selectAll().execute()).toEqual([]);
    expect(await database.selectFrom("snapshot_layer").selectAll().execute()).toEqual([]);
  });

  it("refuses a snapshot whose parent is not there", async () => {
    await migrateTo(NEWEST);
    const orphan = testSnapshot("222222222222", { parentId: "111111111111" });
    await expect(writeRecord(database, testRecord("aaaaaaaaaaaa", { snapshots: [orphan] }))).rejects.toThrow(
      "FOREIGN KEY",
    );
    expect(await readRecords(database)).toEqual(new Map());
  });
});

describe("migration 0003-store-events", () => {
  it("adds the history of the store and keeps everything else", async () => {
    await migrateTo("0002-snapshots");
    await database.insertInto("machine").values(MACHINE_ROW).execute();
    await migrateTo("0003-store-events");
    await database.insertInto("store_event").values({ at_ms: 1, message: "rebuilt" }).execute();
    expect(await database.selectFrom("store_event").selectAll().execute()).toEqual([
      { id: 1, at_ms: 1, message: "rebuilt" },
    ]);
    expect(await database.selectFrom("machine").selectAll().execute()).toEqual([MACHINE_ROW]);
  });
});

describe("migration 0004-preferences", () => {
  it("adds preferences, each a JSON value under its key", async () => {
    await migrateTo("0003-store-events");
    await database.insertInto("machine").values(MACHINE_ROW).execute();
    await migrateTo("0004-preferences");
    await database.insertInto("preference").values({ key: "theme", value: '"dark"' }).execute();
    const broken = database.insertInto("preference").values({ key: "layout", value: "{" }).execute();
    await expect(broken).rejects.toThrow(/CHECK/);
    expect(await database.selectFrom("machine").select("id").execute()).toEqual([{ id: MACHINE_ROW.id }]);
  });
});

describe("migration 0005-metric-samples", () => {
  const add = (stepS: number) =>
    sql`
      INSERT INTO metric_sample
        (machine_id, step_s, at_s, cpu_share, mips, resident_bytes, guest_bytes, disk_read_rate, disk_write_rate)
      VALUES ('not in the list', ${stepS}, 1800000000, 0.5, 1, 1, 1, 0, 0)
    `.execute(database);

  it("adds samples that outlive the row of their machine and are unique per step", async () => {
    await migrateTo("0005-metric-samples");
    await add(1);
    await expect(add(1)).rejects.toThrow(/UNIQUE/);
    await add(60);
  });

  it("is followed by exits, of which older samples had none", async () => {
    await migrateTo("0007-encryption");
    await add(1);
    await migrateTo("0008-exit-rates");
    const rows = await database.selectFrom("metric_sample").select("exit_rate").execute();
    expect(rows).toEqual([{ exit_rate: 0 }]);
  });

  it("is followed by what networks carried, which older samples do not tell", async () => {
    await migrateTo("0010-deleted-and-detached");
    await add(1);
    await migrateTo("0011-network-rates");
    const rows = await database.selectFrom("metric_sample").select(["net_receive_rate", "net_send_rate"]).execute();
    expect(rows).toEqual([{ net_receive_rate: null, net_send_rate: null }]);
  });
});

describe("migration 0006-clones-and-care", () => {
  it("keeps machines and snapshots, which are no templates, no clones, taken by the user and not pinned", async () => {
    await migrateTo("0005-metric-samples");
    const record = testRecord("aaaaaaaaaaaa");
    await database
      .insertInto("machine")
      .values({ ...MACHINE_ROW, config: JSON.stringify(record.config), revision: record.revision })
      .execute();
    const { id: snapshotId, ...snapshot } = testSnapshot("111111111111");
    await sql`
      INSERT INTO snapshot (id, machine_id, name, description, taken_at_ms, config, written_bytes, has_thumbnail)
      VALUES (${snapshotId}, ${record.id}, ${snapshot.name}, '', 1, ${JSON.stringify(snapshot.config)}, 0, 0)
    `.execute(database);
    await migrateTo(NEWEST);
    expect((await readRecords(database)).get(record.id)).toMatchObject({
      template: false,
      origin: null,
      generationId: null,
      snapshots: [{ kind: "user", pinned: false, transient: false }],
    });
  });

  it("keeps what is new", async () => {
    await migrateTo(NEWEST);
    const record = testRecord("aaaaaaaaaaaa", {
      template: true,
      origin: { kind: "linked", machineId: "bbbbbbbbbbbb", machineName: "Base" },
      generationId: "00112233445566778899aabbccddeeff",
      snapshots: [testSnapshot("111111111111", { kind: "safety", pinned: true, transient: true })],
    });
    await writeRecord(database, record);
    expect((await readRecords(database)).get(record.id)).toEqual(record);
  });
});

describe("migration 0010-deleted-and-detached", () => {
  it("keeps snapshots, none of which is in the trash, and machines that have all their disks", async () => {
    await migrateTo("0009-transient-snapshots");
    const record = testRecord("aaaaaaaaaaaa");
    await database
      .insertInto("machine")
      .values({ ...MACHINE_ROW, config: JSON.stringify(record.config), revision: record.revision })
      .execute();
    await sql`
      INSERT INTO snapshot (id, machine_id, name, description, taken_at_ms, config, written_bytes, has_thumbnail)
      VALUES ('111111111111', ${record.id}, 'one', '', 1, ${JSON.stringify(record.config)}, 0, 0)
    `.execute(database);
    await migrateTo(NEWEST);
    expect((await readRecords(database)).get(record.id)).toMatchObject({
      detachedDisks: [],
      snapshots: [{ name: "one", deletedAtMs: null }],
    });
  });

  it("keeps what is new", async () => {
    await migrateTo(NEWEST);
    const disk = { id: "disk1", file: "disks/disk1.qcow2", format: "qcow2", readOnly: false } as const;
    const record = testRecord("aaaaaaaaaaaa", {
      detachedDisks: [{ disk, detachedAtMs: 5, deletedAtMs: 6 }],
      snapshots: [testSnapshot("111111111111", { deletedAtMs: 7 })],
    });
    await writeRecord(database, record);
    expect((await readRecords(database)).get(record.id)).toEqual(record);
  });
});

describe("the list of migrations", () => {
  it("is in order, numbered without gaps and each has a test here", () => {
    expect(NAMES).toEqual([...NAMES].sort());
    expect(NAMES.map((name) => Number(name.slice(0, 4)))).toEqual(NAMES.map((_, index) => index + 1));
    expect(NAMES.at(-1)).toBe("0011-network-rates");
  });

  it("is applied by opening, once", async () => {
    await database.destroy();
    for (const _ of [1, 2]) {
      const opened = await openDatabase(file);
      database = opened.database;
      expect(opened.movedAside).toBeNull();
      expect(await tables()).toEqual([
        "machine",
        "metric_sample",
        "preference",
        "snapshot",
        "snapshot_layer",
        "store_event",
      ]);
      await database.destroy();
    }
  });

  it("of a newer version is recognized and the file left alone", async () => {
    await migrate(database, { ...MIGRATIONS, "0099-future": { up: async () => undefined } }, file);
    await database.destroy();
    await expect(openDatabase(file)).rejects.toMatchObject({
      code: "VERSION_MISMATCH",
      details: { file, remedy: expect.stringContaining("newer version") },
    });
  });
});
