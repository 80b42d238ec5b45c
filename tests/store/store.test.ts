import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import Sqlite from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mediaImages } from "../../main/services/disks/media-images.ts";
import { type DataFolder, machinePaths, openDataFolder } from "../../main/store/data-folder.ts";
import type { MachineRecord, SnapshotRecord } from "../../main/store/machine-record.ts";
import { writeRecordFile } from "../../main/store/record-file.ts";
import { decodeRecord } from "../../main/store/record-text.ts";
import { Store } from "../../main/store/store.ts";
import { testRecord, testSnapshot } from "../support/records.ts";
import { temporaryFolder } from "../support/test-app.ts";

const A = "aaaaaaaaaaaa";
const B = "bbbbbbbbbbbb";

let folder: string;
let data: DataFolder;

beforeEach(async () => {
  folder = await temporaryFolder();
  data = await openDataFolder(path.join(folder, "home"));
});

afterEach(() => rm(folder, { recursive: true }));

/** A machine as creation leaves it: folder with record and one disk. */
async function place(record: MachineRecord): Promise<MachineRecord> {
  const paths = machinePaths(data, record.id);
  for (const each of [paths.disks, paths.snapshots, paths.savedState]) await mkdir(each, { recursive: true });
  await writeRecordFile(paths.record, record);
  return record;
}

async function placeWithDisk(id: string, change: Partial<MachineRecord> = {}): Promise<MachineRecord> {
  const record = testRecord(id, change);
  const disks = [{ id: "disk0", file: "disks/disk0.qcow2", format: "qcow2" as const, readOnly: false }];
  const placed = await place({ ...record, config: { ...record.config, disks } });
  await mediaImages(data.machines).create(path.join(machinePaths(data, id).disks, "disk0.qcow2"), 1 << 20);
  return placed;
}

async function reopened() {
  const opened = await Store.open(data);
  await opened.store.close();
  return opened;
}

describe("a change of a machine", () => {
  it("is in machine.json and in the database", async () => {
    await place(testRecord(A));
    const { store } = await Store.open(data);
    const next = testRecord(A, {
      revision: 2,
      snapshots: [testSnapshot("111111111111")],
      currentSnapshotId: "111111111111",
    });
    await store.commit(next);
    await store.close();
    expect(decodeRecord(readFileSync(machinePaths(data, A).record, "utf8"))).toEqual(next);
    await rm(machinePaths(data, A).record);
    expect((await reopened()).records).toEqual([next]);
  });

  it("that the disk refuses leaves the old record in place and no temporary file", async () => {
    const old = await place(testRecord(A));
    const { store } = await Store.open(data);
    const paths = machinePaths(data, A);
    await rm(paths.folder, { recursive: true });
    writeFileSync(paths.folder, "not a folder");
    await expect(store.commit({ ...old, revision: 2 })).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { file: paths.record, consequence: expect.stringContaining("not made") },
    });
    await store.close();
    expect(readdirSync(data.machines)).toEqual([A]);
  });
});

describe("a machine with many snapshots", () => {
  const ids = Array.from({ length: 2000 }, (_, index) => index.toString(16).padStart(12, "0"));
  const chain = ids.map((id, index) => testSnapshot(id, { parentId: ids[index - 1] ?? null, takenAtMs: index }));

  it("is written by what changed, and read as a whole", async () => {
    await place(testRecord(A));
    const { store } = await Store.open(data);
    await store.commit(testRecord(A, { revision: 2, snapshots: chain }));
    const rowOf = rowIds(data.database);
    const renamed = chain.with(7, { ...(chain[7] as SnapshotRecord), name: "renamed" });
    await store.commit(testRecord(A, { revision: 3, snapshots: renamed }));
    // The one in the middle goes; its child moves up.
    const [gone, child] = [ids[1000], ids[1001]];
    const shorter = renamed
      .filter((snapshot) => snapshot.id !== gone)
      .map((snapshot) => (snapshot.id === child ? { ...snapshot, parentId: ids[999] ?? null } : snapshot));
    await Promise.all([
      store.adopt(testRecord(A, { revision: 4, snapshots: shorter })),
      store.adopt(testRecord(A, { revision: 5, snapshots: shorter, state: "aborted" })),
    ]);
    await store.close();
    const rows = rowIds(data.database);
    const moved = ids.filter((id) => rows.get(id) !== rowOf.get(id));
    expect(moved).toEqual([ids[7], gone, child]);
    await rm(machinePaths(data, A).record);
    expect((await reopened()).records).toEqual([testRecord(A, { revision: 5, snapshots: shorter, state: "aborted" })]);
  });
});

/** Where each snapshot is in the database: a row that is written anew gets another place. */
function rowIds(file: string): Map<string, number> {
  const database = new Sqlite(file, { readonly: true });
  const rows = database.prepare("SELECT id, rowid AS place FROM snapshot").all() as { id: string; place: number }[];
  database.close();
  return new Map(rows.map((row) => [row.id, row.place]));
}

describe("a data folder", () => {
  it.skipIf(process.getuid?.() === 0)("that can't be written is refused by name", async () => {
    chmodSync(data.run, 0o500);
    await expect(openDataFolder(data.root)).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      details: { file: data.root, field: "home", remedy: expect.any(String) },
    });
    chmodSync(data.run, 0o700);
  });

  it("that is a file is refused by name", async () => {
    const root = path.join(folder, "file");
    writeFileSync(root, "");
    await expect(openDataFolder(root)).rejects.toMatchObject({ details: { file: root, field: "home" } });
  });

  it("without room for a start is refused before anything is changed", async () => {
    // A probe that can't be made stands for the full disk, which a test can't fill.
    await mkdir(path.join(data.run, `room-${process.pid}`));
    await expect(openDataFolder(data.root)).rejects.toMatchObject({ details: { file: data.root, field: "home" } });
    expect(existsSync(data.database)).toBe(false);
  });
});

describe("the start", () => {
  it("goes on without a machine whose record can't be read, and leaves its folder alone", async () => {
    await place(testRecord(A));
    await place(testRecord(B));
    await reopened();
    const { record } = machinePaths(data, A);
    await rm(record);
    await mkdir(record);
    const { records, notices } = await reopened();
    expect(records.map((each) => each.id)).toEqual([B]);
    expect(notices.join()).toContain(record);
    await rm(record, { recursive: true });
    expect((await reopened()).records.map((each) => each.id)).toEqual([A, B]);
  });

  it("takes the newer of machine.json and database", async () => {
    const record = await place(testRecord(A));
    const { store } = await Store.open(data);
    await store.commit({ ...record, revision: 5 });
    await store.close();
    await writeRecordFile(machinePaths(data, A).record, {
      ...record,
      revision: 6,
      config: { ...record.config, description: "newer" },
    });
    expect((await reopened()).records[0]?.config.description).toBe("newer");
    await writeRecordFile(machinePaths(data, A).record, {
      ...record,
      revision: 2,
      config: { ...record.config, description: "old" },
    });
    expect((await reopened()).records[0]?.config.description).toBe("newer");
  });

  it("rebuilds the list from the folders when the database is gone", async () => {
    const records = [
      await place(testRecord(A)),
      await place(testRecord(B, { snapshots: [testSnapshot("111111111111")] })),
    ];
    await reopened();
    for (const suffix of ["", "-wal", "-shm"]) await rm(data.database + suffix, { force: true });
    expect((await reopened()).records).toEqual(records);
  });

  it.each([
    ["garbage", () => Buffer.from("this is not a database".repeat(100))],
    [
      "a damaged page",
      (content: Buffer) => {
        const damaged = Buffer.from(content);
        damaged.fill(0x5a, 4096, damaged.length);
        return damaged;
      },
    ],
  ])("moves a database of %s aside, says so and rebuilds the list", async (_, damage) => {
    const record = await place(testRecord(A));
    await reopened();
    writeFileSync(data.database, damage(readFileSync(data.database)));
    for (const suffix of ["-wal", "-shm"]) await rm(data.database + suffix, { force: true });
    const { records, notices } = await reopened();
    expect(records).toEqual([record]);
    expect(notices[0]).toContain("The database was damaged");
    expect(readdirSync(data.root).some((name) => name.startsWith("terrarium.db.damaged-"))).toBe(true);
  });

  it.skipIf(process.getuid?.() === 0)("refuses a database that it may not read", async () => {
    await reopened();
    chmodSync(data.database, 0);
    await expect(Store.open(data)).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      details: { file: data.database },
    });
  });

  it("restores a damaged machine.json from the database", async () => {
    const record = await place(testRecord(A));
    await reopened();
    writeFileSync(machinePaths(data, A).record, '{"recordVersion": 1, "id"');
    const { records, notices } = await reopened();
    expect(records).toEqual([record]);
    expect(notices[0]).toContain("It was restored from the database");
    expect(decodeRecord(readFileSync(machinePaths(data, A).record, "utf8"))).toEqual(record);
  });

  it("leaves a folder alone whose machine.json is damaged and that the database doesn't know", async () => {
    const record = await place(testRecord(A));
    const file = machinePaths(data, A).record;
    writeFileSync(file, JSON.stringify({ ...record, config: { ...record.config, memoryMiB: 1 } }));
    const { records, notices } = await reopened();
    expect(records).toEqual([]);
    expect(notices[0]).toContain("config.memoryMiB: at least 64 MiB");
    expect(existsSync(file)).toBe(true);
  });

  it("refuses records that point out of their folder", async () => {
    const record = await place(testRecord(A));
    writeFileSync(machinePaths(data, A).record, JSON.stringify({ ...record, savedState: "../../../etc" }));
    const { records, notices } = await reopened();
    expect(records).toEqual([]);
    expect(notices[0]).toContain("savedState");
  });

  it("says which machine is lost with its folder", async () => {
    await place(testRecord(A));
    await reopened();
    await rm(machinePaths(data, A).folder, { recursive: true });
    const { records, notices } = await reopened();
    expect(records).toEqual([]);
    expect(notices).toEqual([expect.stringContaining(`machine ${A}`)]);
    expect((await reopened()).notices).toEqual([]);
  });

  it("removes half-made folders", async () => {
    await mkdir(path.join(data.machines, `${A}.123-1.tmp`, "disks"), { recursive: true });
    await reopened();
    expect(readdirSync(data.machines)).toEqual([]);
  });

  it("moves folders without a record to the trash", async () => {
    await mkdir(path.join(data.machines, A, "disks"), { recursive: true });
    const { notices } = await reopened();
    expect(readdirSync(data.trash)).toEqual([expect.stringMatching(`^orphan-${A}-`)]);
    expect(notices[0]).toContain("trash");
  });

  it("gives a copied machine with the same name another one", async () => {
    await place(testRecord(A));
    await cp(machinePaths(data, A).folder, machinePaths(data, B).folder, { recursive: true });
    const copy = JSON.parse(readFileSync(machinePaths(data, B).record, "utf8"));
    writeFileSync(machinePaths(data, B).record, JSON.stringify({ ...copy, id: B }));
    const { records } = await reopened();
    expect(records.map((record) => record.config.name)).toEqual([`machine ${A}`, `machine ${A} (2)`]);
  });

  it("marks a machine that was running as aborted, with cause and remedy", async () => {
    await place(testRecord(A, { state: "running" }));
    const { records, notices } = await reopened();
    expect(records[0]).toMatchObject({
      state: "aborted",
      lastFailure: { code: "ENGINE_FAILED", consequence: expect.any(String), remedy: expect.any(String) },
    });
    expect(notices[0]).toContain("was running when Terrarium ended");
    expect((await reopened()).notices).toEqual([]);
  });

  it("completes a save that the engine had finished", async () => {
    await place(testRecord(A, { state: "running", pending: { kind: "save", folder: "saved-state/one" } }));
    await mkdir(path.join(machinePaths(data, A).savedState, "one"));
    expect((await reopened()).records[0]).toMatchObject({
      state: "saved",
      savedState: "saved-state/one",
      pending: null,
    });
  });

  it("gives up a save that the engine had not finished", async () => {
    await place(testRecord(A, { state: "running", pending: { kind: "save", folder: "saved-state/one" } }));
    expect((await reopened()).records[0]).toMatchObject({ state: "aborted", savedState: null, pending: null });
  });

  it("says that a saved state is gone", async () => {
    await place(testRecord(A, { state: "saved", savedState: "saved-state/lost" }));
    const { records, notices } = await reopened();
    expect(records[0]).toMatchObject({ state: "powered-off", savedState: null });
    expect(notices[0]).toContain("saved state");
  });
});

describe("left-overs in a machine's folder", () => {
  it("go to the trash, what is referred to stays", async () => {
    const record = await placeWithDisk(A);
    const paths = machinePaths(data, A);
    const images = mediaImages(data.machines);
    await images.createOverlay(path.join(paths.disks, "top.qcow2"), {
      file: path.join(paths.disks, "disk0.qcow2"),
      format: "qcow2",
    });
    await images.create(path.join(paths.disks, "stray.qcow2"), 1 << 20);
    await mkdir(path.join(paths.savedState, "stray"));
    await mkdir(path.join(paths.snapshots, "111111111111"));
    await writeFile(path.join(paths.disks, "half.qcow2.1-1.tmp"), "");
    const disks = [{ id: "disk0", file: "disks/top.qcow2", format: "qcow2" as const, readOnly: false }];
    await writeRecordFile(paths.record, { ...record, config: { ...record.config, disks } });
    await reopened();
    expect(readdirSync(paths.disks).sort()).toEqual(["disk0.qcow2", "top.qcow2"]);
    expect(
      readdirSync(data.trash)
        .map((name) => name.replace(/-\d+$/, ""))
        .sort(),
    ).toEqual([`orphan-${A}-111111111111`, `orphan-${A}-stray`, `orphan-${A}-stray.qcow2`]);
  });

  it("are all kept when a layer can't be read, because then nobody knows what it stands on", async () => {
    await placeWithDisk(A);
    const paths = machinePaths(data, A);
    await mediaImages(data.machines).create(path.join(paths.disks, "base.qcow2"), 1 << 20);
    writeFileSync(path.join(paths.disks, "disk0.qcow2"), "damaged");
    await reopened();
    expect(readdirSync(paths.disks).sort()).toEqual(["base.qcow2", "disk0.qcow2"]);
  });
});

describe("an interrupted live snapshot", () => {
  const overlay = { diskId: "disk0", file: "disks/disk0-new.qcow2", format: "qcow2" as const };
  const snapshot = testSnapshot("111111111111", { memory: "snapshots/111111111111/memory" });
  const pending = { kind: "snapshot" as const, snapshot, overlays: [overlay] };

  async function makeOverlay(): Promise<void> {
    const { disks } = machinePaths(data, A);
    const base = { file: path.join(disks, "disk0.qcow2"), format: "qcow2" as const };
    await mediaImages(data.machines).createOverlay(path.join(disks, "disk0-new.qcow2"), base);
  }

  it("whose overlay is not there is forgotten", async () => {
    await placeWithDisk(A, { state: "running", pending });
    const { records } = await reopened();
    expect(records[0]).toMatchObject({ state: "aborted", pending: null, snapshots: [] });
    expect(records[0]?.config.disks[0]?.file).toBe("disks/disk0.qcow2");
  });

  it("whose overlay is there keeps it as the top layer: the guest may have written to it", async () => {
    await placeWithDisk(A, { state: "running", pending });
    await makeOverlay();
    const { records } = await reopened();
    expect(records[0]).toMatchObject({ pending: null, snapshots: [] });
    expect(records[0]?.config.disks[0]?.file).toBe("disks/disk0-new.qcow2");
    expect(readdirSync(machinePaths(data, A).disks).sort()).toEqual(["disk0-new.qcow2", "disk0.qcow2"]);
  });

  it("of which everything is there counts as taken", async () => {
    await placeWithDisk(A, { state: "running", pending });
    await makeOverlay();
    await mkdir(path.join(machinePaths(data, A).folder, snapshot.memory ?? ""), { recursive: true });
    expect((await reopened()).records[0]).toMatchObject({ snapshots: [snapshot], currentSnapshotId: snapshot.id });
  });
});
