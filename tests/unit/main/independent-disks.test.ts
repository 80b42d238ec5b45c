// Disks that snapshots leave out: none holds what is on them, and no restore changes that.
import { existsSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { backUp, restoreBackup } from "../../../main/services/backup/backup.ts";
import { cloneMachine } from "../../../main/services/clones/clone.ts";
import { forkMachine } from "../../../main/services/clones/fork.ts";
import { configure } from "../../../main/services/machines/configuration.ts";
import { createCustom } from "../../../main/services/machines/creation.ts";
import { encryptMachine } from "../../../main/services/machines/encryption.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { resizeDisk } from "../../../main/services/machines/resize-disk.ts";
import { diffSnapshots } from "../../../main/services/snapshots/diff.ts";
import { type RestoreOptions, restoreSnapshot } from "../../../main/services/snapshots/restore.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { snapshotTree } from "../../../main/services/snapshots/tree.ts";
import type { SnapshotRecord } from "../../../main/store/machine-record.ts";
import type { DiskConfig } from "../../../native-core/config/machine-config.ts";
import { readText, writeText } from "../../support/disk-bytes.ts";
import { endTestApp, openTestApp, startTestApp } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

let folder: string;
let app: App;
let machine: Machine;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  machine = await createCustom(app.context, {
    ...{ name: "box", description: "", memoryMiB: 128, kernel: path.join(folder, "starter/vmlinuz"), initrd: null },
    ...{ commandLine: "", disks: [{ sizeMiB: 8 }, { sizeMiB: 8 }] },
  });
  await change("disk1", { independent: true });
});

afterEach(() => endTestApp(app, folder));

const diskOf = (of: Machine, id: string) => of.record.config.disks.find((disk) => disk.id === id);
const fileOf = (id: string, of = machine) => path.resolve(of.paths.folder, diskOf(of, id)?.file ?? "");
const write = (id: string, text: string) => writeText(fileOf(id), 1, text);
const texts = async (of = machine) => [await readText(fileOf("disk0", of), 1), await readText(fileOf("disk1", of), 1)];
const take = (name: string) => takeSnapshot(app.context, machine, { name, description: "" });
const restore = (snapshot: SnapshotRecord, options: Partial<RestoreOptions> = {}) =>
  restoreSnapshot(app.context, app.lifecycle, machine, snapshot, { keepCurrent: false, ...options });

/** As the settings dialog does it; yields the snapshot to undo it with. */
async function change(id: string, patch: Partial<DiskConfig> | null): Promise<SnapshotRecord | undefined> {
  const { config } = machine.record;
  const disks = config.disks.flatMap((disk) => {
    if (disk.id !== id) return [disk];
    return patch === null ? [] : [{ ...disk, ...patch }];
  });
  const undo = await configure(app.context, machine, JSON.parse(JSON.stringify({ ...config, disks })));
  return machine.record.snapshots.find((snapshot) => snapshot.id === undo);
}

async function writeBoth(text: string): Promise<void> {
  for (const id of ["disk0", "disk1"]) await write(id, text);
}

describe("a snapshot", () => {
  it("freezes no layer of an independent disk, at rest or beside a running guest", async () => {
    const file = fileOf("disk1");
    await take("off");
    await app.lifecycle.start(machine);
    await take("live");
    expect(fileOf("disk1")).toBe(file);
    expect(machine.record.snapshots.slice(-2).map(({ layers }) => layers.map(({ diskId }) => diskId))).toEqual([
      ["disk0"],
      ["disk0"],
    ]);
  });

  it("is compared without it", async () => {
    const snapshot = await take("one");
    await write("disk1", "new");
    const { disks } = await diffSnapshots(app.context, machine, snapshot, null);
    expect(disks.map(({ diskId, change: kind }) => [diskId, kind])).toContainEqual(["disk1", "excluded"]);
  });
});

describe("a restore", () => {
  it("leaves an independent disk as it is", async () => {
    await writeBoth("old");
    const snapshot = await take("one");
    await writeBoth("new");
    await restore(snapshot);
    expect(await texts()).toEqual(["old", "new"]);
    expect((await snapshotTree(machine)).snapshots.at(-1)).toMatchObject({ keptDisks: ["disk1"], memoryFits: true });
  });

  it("leaves it as it is where it has become independent only since, and takes the setting back", async () => {
    await change("disk1", { independent: undefined });
    await writeBoth("old");
    const snapshot = await take("included");
    await change("disk1", { independent: true });
    await writeBoth("new");
    await restore(snapshot);
    expect(await texts()).toEqual(["old", "new"]);
    expect(diskOf(machine, "disk1")?.independent).toBeUndefined();
    expect(machine.record.changedSinceSnapshot).toBe(true);
    // Belonging to snapshots again, it goes back like any other.
    await restore(snapshot);
    expect(await texts()).toEqual(["old", "old"]);
  });

  it("leaves it as it is where it belongs to snapshots only since", async () => {
    await writeBoth("old");
    const snapshot = await take("without");
    await change("disk1", { independent: undefined });
    await writeBoth("new");
    await take("with");
    await write("disk1", "newest");
    await restore(snapshot);
    expect(await texts()).toEqual(["old", "newest"]);
    expect(diskOf(machine, "disk1")?.independent).toBe(true);
  });

  it("brings one back that was taken out, as it was then", async () => {
    await writeBoth("old");
    const before = await take("one");
    await write("disk1", "new");
    const undo = await change("disk1", null);
    expect(machine.record.config.disks).toHaveLength(1);
    await app.close();
    app = await openTestApp(folder);
    machine = app.context.registry.get(machine.id);
    await restore(undo as SnapshotRecord);
    expect(await texts()).toEqual(["old", "new"]);
    expect(machine.record.detachedDisks).toEqual([]);
    await restore(before);
    expect(await texts()).toEqual(["old", "new"]);
  });

  it("to before there was one puts it aside", async () => {
    const undo = await change("disk1", null);
    const snapshot = await take("one disk");
    const [aside] = machine.record.detachedDisks;
    await restore(undo as SnapshotRecord);
    await write("disk1", "precious");
    expect(diskOf(machine, "disk1")?.file).toBe(aside?.disk.file);
    await restore(snapshot);
    expect(machine.record.detachedDisks.map(({ disk }) => disk.id)).toEqual(["disk1"]);
    expect(existsSync(path.join(machine.paths.folder, aside?.disk.file ?? ""))).toBe(true);
  });

  it("of memory is refused while the disk may have changed, unless that was decided", async () => {
    await app.lifecycle.start(machine);
    const snapshot = await take("live");
    expect((await snapshotTree(machine)).snapshots.at(-1)).toMatchObject({ withMemory: true, memoryFits: false });
    await expect(restore(snapshot)).rejects.toMatchObject({ code: "INVALID_STATE", details: { field: "memory" } });
    expect(machine.state).toBe("running");
    await restore(snapshot, { memory: "if-safe" });
    expect(machine.state).toBe("powered-off");
    await restore(snapshot, { memory: "always" });
    expect(machine.state).toBe("saved");
    // Nothing has run since.
    await restore(snapshot);
    expect(machine.state).toBe("saved");
    await restore(snapshot, { memory: "never" });
    expect([machine.state, machine.record.savedState]).toEqual(["powered-off", null]);
  });
});

describe("everything that takes the machine as a whole", () => {
  it("takes the disk along: forks, clones and backups", async () => {
    await writeBoth("now");
    const [linked, full] = await Promise.all(
      (["linked", "full"] as const).map((kind) => cloneMachine(app.context, machine, { name: kind, kind })),
    );
    for (const copy of [...(linked ?? []), ...(full ?? [])]) {
      expect(await texts(copy)).toEqual(["now", "now"]);
      expect(diskOf(copy, "disk1")?.independent).toBe(true);
    }
    const backups = path.join(folder, "backups");
    const { id } = await backUp(app.context, machine, { folder: backups, memory: false });
    expect(await texts(await restoreBackup(app.context, backups, id, "restored"))).toEqual(["now", "now"]);
    await app.lifecycle.start(machine);
    const [fork] = await forkMachine(app.context, app.lifecycle, machine, { count: 1, start: false });
    expect(fork?.state).toBe("saved");
    expect(await texts(fork)).toEqual(["now", "now"]);
    await app.lifecycle.stop(machine, "power-off");
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
    expect(await texts()).toEqual(["now", "now"]);
  });

  it("has an empty one where it is made of a snapshot, and no memory that knows another", async () => {
    await writeBoth("old");
    await app.lifecycle.start(machine);
    const snapshot = await take("live");
    for (const kind of ["linked", "full"] as const) {
      const [copy] = await cloneMachine(app.context, machine, { name: kind, kind, snapshot });
      expect(copy?.state).toBe("powered-off");
      expect(await texts(copy)).toEqual(["old", ""]);
    }
  });

  it("encrypts it, and the snapshots still leave it alone", async () => {
    await writeBoth("old");
    const snapshot = await take("one");
    await encryptMachine(app.context, machine, "passphrase");
    await restore(machine.record.snapshots.find(({ id }) => id === snapshot.id) as SnapshotRecord);
    expect(diskOf(machine, "disk1")?.independent).toBe(true);
    expect(existsSync(fileOf("disk1"))).toBe(true);
  });
});

describe("its size", () => {
  it("changes without a snapshot to go back to, which would not hold it", async () => {
    const count = machine.record.snapshots.length;
    expect(await resizeDisk(app.context, machine, "disk1", 16)).toBeNull();
    expect(machine.record.snapshots).toHaveLength(count);
  });
});

describe("a disk that was read-only when a snapshot was taken", () => {
  it("is in the snapshot as it was, though it is written to and its layers are merged", async () => {
    await change("disk1", { independent: undefined });
    await write("disk1", "old");
    await change("disk1", { readOnly: true });
    const snapshot = await take("read-only");
    await change("disk1", { readOnly: false });
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "power-off");
    await write("disk1", "new");
    await restore(snapshot);
    expect(await texts()).toEqual(["", "old"]);
  });
});
