// Deleting snapshots and disk images, and bringing them back.
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { listDisks } from "../../../main/services/disks/disk-list.ts";
import { deleteTrashed, emptyTrash, listTrash, restoreTrashed } from "../../../main/services/host/trash.ts";
import { configure } from "../../../main/services/machines/configuration.ts";
import { createStarter } from "../../../main/services/machines/creation.ts";
import { addDisk, attachDisk, removeDisk } from "../../../main/services/machines/disks.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { safetySnapshot } from "../../../main/services/snapshots/automatic.ts";
import { previewDelete } from "../../../main/services/snapshots/preview.ts";
import { restoreSnapshot } from "../../../main/services/snapshots/restore.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { scheduledPurges, trashDisk, trashSnapshot } from "../../../main/services/snapshots/trash.ts";
import { snapshotTree } from "../../../main/services/snapshots/tree.ts";
import { machineSpace, reclaimSpace } from "../../../main/services/space/space.ts";
import type { SnapshotRecord } from "../../../main/store/machine-record.ts";
import { readText, writeText } from "../../support/disk-bytes.ts";
import { endTestApp, openTestApp, startTestApp } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

const HOUR_MS = 3_600_000;
const GIB = 2 ** 30;

let folder: string;
let app: App;
let machine: Machine;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  machine = await createStarter(app.context, { name: "box" });
});

afterEach(() => endTestApp(app, folder));

const fileOf = (id: string) => {
  const disk = machine.record.config.disks.find((each) => each.id === id);
  return path.resolve(machine.paths.folder, disk?.file ?? "");
};
const write = (sector: number, text: string) => writeText(fileOf("disk0"), sector, text);
const take = (name: string) => takeSnapshot(app.context, machine, { name, description: "" });
const restore = (snapshot: SnapshotRecord) =>
  restoreSnapshot(app.context, app.lifecycle, machine, snapshot, { keepCurrent: false });
const remove = (snapshot: SnapshotRecord) => trashSnapshot(app.context, machine, snapshot, false);
const tree = async () =>
  (await snapshotTree(machine)).snapshots.map(({ name, parentId }) => [
    name,
    machine.record.snapshots.find(({ id }) => id === parentId)?.name ?? null,
  ]);
const cleanedUp = () => waitUntil("the clean-up has ended", () => machine.cleanup === null);
const layers = () => readdirSync(machine.paths.disks).filter((name) => name.endsWith(".qcow2"));

async function reopen(): Promise<void> {
  await app.close("power-off");
  app = await openTestApp(folder);
  machine = app.context.registry.get(machine.id);
}

describe("a deleted snapshot", () => {
  it("is not seen any more, and its children have moved up", async () => {
    const root = await take("root");
    const middle = await take("middle");
    const leaf = await take("leaf");
    await remove(middle);
    await remove(leaf);
    expect(await tree()).toEqual([["root", null]]);
    expect(await snapshotTree(machine)).toMatchObject({ currentId: root.id, currentChanged: true });
    expect(machine.summary().currentSnapshotName).toBe("root");
    for (const { id } of [middle, leaf]) {
      expect(() => app.context.registry.ofSnapshot(id)).toThrow(expect.objectContaining({ code: "NOT_FOUND" }));
    }
  });

  it("comes back to its place with its disk and its memory, also after a restart", async () => {
    await take("root");
    await write(1, "middle");
    await app.lifecycle.start(machine);
    const middle = await take("middle");
    await app.lifecycle.stop(machine, "power-off");
    await write(1, "leaf");
    await take("leaf");
    const undo = await remove(middle);
    await reopen();
    await cleanedUp();
    await restoreTrashed(app.context, undo?.name ?? "");
    expect(await tree()).toEqual([
      ["root", null],
      ["middle", "root"],
      ["leaf", "middle"],
    ]);
    await restore(machine.record.snapshots.find(({ id }) => id === middle.id) as SnapshotRecord);
    expect([machine.state, await readText(fileOf("disk0"), 1)]).toEqual(["saved", "middle"]);
  });

  it("has what was taken meanwhile below it again, whatever the order", async () => {
    const root = await take("root");
    const middle = await take("middle");
    const [undoMiddle, undoRoot] = [await remove(middle), await remove(root)];
    await take("new");
    expect(await tree()).toEqual([["new", null]]);
    await restoreTrashed(app.context, undoMiddle?.name ?? "");
    await restoreTrashed(app.context, undoRoot?.name ?? "");
    expect(await tree()).toEqual([
      ["root", null],
      ["middle", "root"],
      ["new", "middle"],
    ]);
  });

  it("is never what a risky act counts on to be undone", async () => {
    await remove(await take("only"));
    const safety = await safetySnapshot(app.context, machine, "something risky");
    expect((await snapshotTree(machine)).snapshots.map(({ id }) => id)).toEqual([safety]);
  });

  it("frees its space when the time to undo has passed", async () => {
    await write(1, "one");
    await remove(await take("one"));
    await cleanedUp();
    expect(layers()).toHaveLength(2);
    await app.purges.look(Date.now() + 23 * HOUR_MS);
    expect(await listTrash(app.context)).toMatchObject([{ kind: "snapshot", label: "one", machineName: "box" }]);
    await app.purges.look(Date.now() + 25 * HOUR_MS);
    await cleanedUp();
    expect([layers().length, machine.record.snapshots, await listTrash(app.context)]).toEqual([1, [], []]);
    expect(await readText(fileOf("disk0"), 1)).toBe("one");
  });

  it("frees it at once when the disk of the computer has less than 1 GiB left, and keeps it while it has more", async () => {
    await remove(await take("one"));
    const withFree = (bytes: number) => scheduledPurges(app.context, async () => bytes);
    expect(await withFree(GIB).isDue(machine, Date.now(), 0)).toBe(false);
    expect(await withFree(GIB - 1).isDue(machine, Date.now(), 0)).toBe(true);
    await withFree(GIB - 1).run(machine, Date.now());
    await cleanedUp();
    expect([layers().length, machine.record.snapshots]).toEqual([1, []]);
  });

  it("is one of 64 at most: what was deleted longest goes", async () => {
    const one = await take("one");
    const now = Date.now();
    const deleted = Array.from({ length: 66 }, (_, index) => ({
      ...{ ...one, id: index.toString(16).padStart(12, "0"), name: String(index), layers: [] },
      deletedAtMs: now - 1000 + index,
    }));
    await machine.update(() => ({ snapshots: [one, ...deleted] }));
    await app.purges.look(now);
    expect(machine.record.snapshots.map(({ name }) => name)).toEqual([
      "one",
      ...deleted.slice(2).map(({ name }) => name),
    ]);
  });

  it("frees it by reclaiming, too, which the space of the machine tells", async () => {
    await write(1, "one");
    const snapshot = await take("one");
    const { snapshotBytes } = await machineSpace(machine);
    await remove(snapshot);
    expect(await machineSpace(machine)).toMatchObject({ snapshotBytes: 0, trashBytes: snapshotBytes });
    await reclaimSpace(app.context, machine);
    await cleanedUp();
    expect(await machineSpace(machine)).toMatchObject({ snapshotBytes: 0, trashBytes: 0 });
    expect(layers()).toHaveLength(1);
  });

  it("frees it with the trash, alone or with everything in there", async () => {
    const [one, two] = [await take("one"), await take("two")];
    const undo = await remove(one);
    await remove(two);
    await deleteTrashed(app.context, undo?.name ?? "");
    expect((await listTrash(app.context)).map(({ label }) => label)).toEqual(["two"]);
    await emptyTrash(app.context);
    await expect(restoreTrashed(app.context, undo?.name ?? "")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await cleanedUp();
    expect([layers().length, machine.record.snapshots.length]).toEqual([1, 0]);
  });

  it("is gone at once where that is asked for or set", async () => {
    expect(await trashSnapshot(app.context, machine, await take("one"), true)).toBeNull();
    const { config } = machine.record;
    await configure(app.context, machine, { ...config, snapshots: { ...config.snapshots, undoHours: 0 } });
    expect(await remove(await take("two"))).toBeNull();
    expect(machine.record.snapshots).toEqual([]);
  });

  it("of a branch leaves no layers behind, and the preview tells what they free", async () => {
    const root = await take("root");
    await write(1, "branch");
    const branch = await take("branch");
    await restore(root);
    expect((await previewDelete(app.context, machine, branch)).freedBytes).toBeGreaterThan(0);
    await trashSnapshot(app.context, machine, branch, true);
    await cleanedUp();
    expect(layers()).toHaveLength(2);
  });
});

describe("a disk that was taken out", () => {
  let image: string;

  beforeEach(async () => {
    await addDisk(app.context, machine, { sizeMiB: 8 });
    await writeText(fileOf("disk1"), 1, "data");
    image = (await removeDisk(machine, "disk1", false)) ?? "";
  });

  it("is put back as it was, also after a restart", async () => {
    await reopen();
    expect((await listDisks(app.context)).filter(({ detached }) => detached)).toMatchObject([
      { file: image, diskId: "disk1", missing: false },
    ]);
    await attachDisk(app.context, machine, image);
    expect(await readText(fileOf("disk1"), 1)).toBe("data");
    expect(machine.record.detachedDisks).toEqual([]);
    await expect(attachDisk(app.context, machine, image)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("is put back into a running machine, under another id where its own is taken", async () => {
    await app.lifecycle.start(machine);
    await attachDisk(app.context, machine, image);
    expect(machine.record.config.disks.map(({ id }) => id)).toEqual(["disk0", "disk1"]);
    await removeDisk(machine, "disk1", true);
    await addDisk(app.context, machine, { sizeMiB: 8 });
    expect(machine.record.config.disks.map(({ id }) => id)).toEqual(["disk0", "disk2"]);
  });

  it("can be deleted, which can be undone until it is purged", async () => {
    const undo = await trashDisk(app.context, machine, image, false);
    expect((await listDisks(app.context)).filter(({ detached }) => detached)).toEqual([]);
    expect(await listTrash(app.context)).toMatchObject([{ kind: "disk", label: "disk1.qcow2" }]);
    expect((await machineSpace(machine)).trashBytes).toBeGreaterThan(0);
    await reopen();
    await restoreTrashed(app.context, undo?.name ?? "");
    await attachDisk(app.context, machine, image);
    expect(await readText(fileOf("disk1"), 1)).toBe("data");
    await removeDisk(machine, "disk1", false);
    await trashDisk(app.context, machine, image, true);
    await cleanedUp();
    expect([existsSync(image), machine.record.detachedDisks]).toEqual([false, []]);
  });

  it("keeps the layers that a snapshot froze until that is gone, too", async () => {
    await attachDisk(app.context, machine, image);
    const snapshot = await take("with it");
    const top = fileOf("disk1");
    await removeDisk(machine, "disk1", false);
    await trashDisk(app.context, machine, top, true);
    await cleanedUp();
    expect([existsSync(top), existsSync(image)]).toEqual([false, true]);
    await restore(snapshot);
    expect(await readText(fileOf("disk1"), 1)).toBe("data");
  });
});
