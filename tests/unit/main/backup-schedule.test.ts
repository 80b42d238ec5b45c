import { existsSync, readdirSync, utimesSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { backUp, listBackups, restoreBackup, verifyBackups } from "../../../main/services/backup/backup.ts";
import { deleteBackups } from "../../../main/services/backup/prune.ts";
import { configure } from "../../../main/services/machines/configuration.ts";
import { createStarter } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import type { BackupSettings } from "../../../native-core/config/backup-settings.ts";
import { readText, writeText } from "../../support/disk-bytes.ts";
import { endTestApp, makeStarter, openTestApp, temporaryFolder } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

const HOUR_MS = 3_600_000;

let folder: string;
let store: string;
let app: App;
let machine: Machine;

beforeEach(async () => {
  folder = await temporaryFolder();
  store = path.join(folder, "disk", "backups");
  await mkdir(path.dirname(store));
  await makeStarter(folder);
  app = await openTestApp(folder);
  machine = await createStarter(app.context, { name: "vm" });
});

afterEach(() => endTestApp(app, folder));

const settings = (change: Partial<BackupSettings>) =>
  configure(app.context, machine, { ...machine.record.config, backup: { ...machine.record.config.backup, ...change } });
/** A machine that is busy, with the clean-up after the last backup for instance, is asked again later. */
async function lookAt(nowMs: number): Promise<void> {
  await waitUntil("the clean-up has ended", () => machine.cleanup === null && !machine.operations.busy);
  await app.backups.look(nowMs);
}
const made = async () => (existsSync(store) ? listBackups(store) : []);
const topOf = (of: Machine) => path.resolve(of.paths.folder, of.record.config.disks[0]?.file ?? "");
const pieces = () =>
  readdirSync(path.join(store, "objects"), { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [path.join(entry.parentPath, entry.name)] : [],
  );
const failures = async () =>
  (await machine.log.read(50)).filter(({ message }) => message.includes("scheduled backup failed")).length;

describe("the schedule of backups", () => {
  it("makes one at once and then one every so many hours while the machine runs", async () => {
    await settings({ folder: store, everyHours: 24 });
    await app.lifecycle.start(machine);
    await lookAt(Date.now());
    expect(await made()).toMatchObject([{ machineId: machine.id, kind: "schedule", withMemory: false }]);
    expect(machine.record.snapshots).toEqual([]);
    await lookAt(Date.now() + 23 * HOUR_MS);
    expect(await made()).toHaveLength(1);
    await lookAt(Date.now() + 25 * HOUR_MS);
    expect(await made()).toHaveLength(2);
  });

  it("makes one more after the machine ran, and none while it is off", async () => {
    await settings({ folder: store, everyHours: 1 });
    await lookAt(Date.now());
    expect(await made()).toEqual([]);
    await app.lifecycle.start(machine);
    await lookAt(Date.now());
    await app.lifecycle.stop(machine, "power-off");
    await lookAt(Date.now() + 2 * HOUR_MS);
    expect(await made()).toHaveLength(2);
    await lookAt(Date.now() + 9 * HOUR_MS);
    expect(await made()).toHaveLength(2);
  });

  it("asks the folder when the last one was, after a restart of Terrarium", async () => {
    await settings({ folder: store, everyHours: 24, memory: true });
    await app.lifecycle.start(machine);
    await lookAt(Date.now());
    await app.close("power-off");
    app = await openTestApp(folder);
    machine = app.context.registry.get(machine.id);
    await app.lifecycle.start(machine);
    await lookAt(Date.now() + HOUR_MS);
    expect(await made()).toMatchObject([{ withMemory: true }]);
  });

  it("keeps the last of its own and what the user made", async () => {
    const byUser = await backUp(app.context, machine, { folder: store, memory: false });
    await settings({ folder: store, everyHours: 1, keepLast: 2 });
    await app.lifecycle.start(machine);
    for (let hour = 1; hour <= 4; hour++) await lookAt(Date.now() + hour * 2 * HOUR_MS);
    const kinds = (await made()).map((each) => each.kind);
    expect(kinds.filter((kind) => kind === "schedule")).toHaveLength(2);
    expect(await made()).toContainEqual(expect.objectContaining({ id: byUser.id, kind: "user" }));
    expect((await verifyBackups(app.context, store)).problems).toEqual([]);
  });

  it("does not write beside a disk that is not there, and goes on when it is back", async () => {
    await settings({ folder: store, everyHours: 24 });
    await rename(path.dirname(store), path.join(folder, "away"));
    await app.lifecycle.start(machine);
    const now = Date.now();
    await lookAt(now);
    await lookAt(now + 60_000);
    expect([existsSync(path.dirname(store)), await failures()]).toEqual([false, 1]);
    await rename(path.join(folder, "away"), path.dirname(store));
    await lookAt(now + 2 * HOUR_MS);
    expect(await made()).toHaveLength(1);
  });
});

describe("a deleted backup", () => {
  const backup = () => backUp(app.context, machine, { folder: store, memory: false });
  const age = () => {
    for (const file of pieces()) utimesSync(file, new Date(0), new Date(0));
  };

  it("gives back the pieces that no other one has, and leaves those whole", async () => {
    await writeText(topOf(machine), 5, "old");
    const old = await backup();
    age();
    await writeText(topOf(machine), 5, "new");
    const kept = await backup();
    const before = pieces().length;
    age();
    expect(await deleteBackups(store, [old.id])).toBeGreaterThan(0);
    expect(pieces().length).toBeLessThan(before);
    expect((await verifyBackups(app.context, store)).problems).toEqual([]);
    const back = await restoreBackup(app.context, store, kept.id, "back");
    expect(await readText(topOf(back), 5)).toBe("new");
  });

  it("leaves young pieces, which a backup of another host may count on", async () => {
    await writeText(topOf(machine), 5, "text");
    const only = await backup();
    age();
    // Found there, and from now on wanted again.
    const again = await backup();
    expect(await deleteBackups(store, [only.id, again.id])).toBe(0);
    expect(pieces().length).toBeGreaterThan(0);
  });

  it("that is not there is refused, and nothing is deleted", async () => {
    const only = await backup();
    await expect(deleteBackups(store, [only.id, "0123456789ab"])).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await made()).toHaveLength(1);
  });
});

describe("a snapshot for a backup that Terrarium's end cut off", () => {
  it("is forgotten at the next start, and its children stay", async () => {
    await takeSnapshot(app.context, machine, { name: "first", description: "" });
    await takeSnapshot(app.context, machine, { name: "Backup of vm", description: "", transient: true });
    await takeSnapshot(app.context, machine, { name: "last", description: "" });
    await app.close("power-off");
    app = await openTestApp(folder);
    machine = app.context.registry.get(machine.id);
    const [first, last] = machine.record.snapshots;
    expect([first?.name, last?.name, last?.parentId]).toEqual(["first", "last", first?.id]);
    expect(readdirSync(machine.paths.snapshots)).toHaveLength(2);
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
    expect(readdirSync(app.context.store.data.trash)).toEqual([]);
  });
});
