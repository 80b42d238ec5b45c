import { readdirSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { configure } from "../../../main/services/machines/configuration.ts";
import { createStarter } from "../../../main/services/machines/creation.ts";
import { addDisk } from "../../../main/services/machines/disks.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { startMachine } from "../../../main/services/snapshots/automatic.ts";
import { updateSnapshot } from "../../../main/services/snapshots/delete.ts";
import { previewDelete } from "../../../main/services/snapshots/preview.ts";
import { pruneSnapshots } from "../../../main/services/snapshots/prune.ts";
import { restoreSnapshot } from "../../../main/services/snapshots/restore.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import type { SnapshotSettings } from "../../../native-core/config/snapshot-settings.ts";
import { readText, writeText } from "../../support/disk-bytes.ts";
import { endTestApp, startTestApp } from "../../support/test-app.ts";

let folder: string;
let app: App;
let machine: Machine;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  machine = await createStarter(app.context, { name: "vm" });
});

afterEach(() => endTestApp(app, folder));

const topOf = () => path.resolve(machine.paths.folder, machine.record.config.disks[0]?.file ?? "");
const names = () => machine.record.snapshots.map((snapshot) => snapshot.name);
const settings = (change: Partial<SnapshotSettings>) =>
  configure(app.context, machine, {
    ...machine.record.config,
    snapshots: { ...machine.record.config.snapshots, ...change },
  });

describe("the schedule", () => {
  it("takes a snapshot when the time has come since the start or the last one, and keeps to the rules", async () => {
    await settings({ everyMinutes: 10, namePattern: "Auto {n}", keepLast: 1 });
    await app.lifecycle.start(machine);
    const begin = machine.vm?.startedAtMs ?? 0;
    await app.snapshots.look(begin + 9 * 60_000);
    expect(names()).toEqual([]);
    await app.snapshots.look(begin + 10 * 60_000);
    expect(machine.record.snapshots).toMatchObject([{ name: "Auto 1", kind: "schedule" }]);
    const [first] = machine.record.snapshots;
    await app.snapshots.look((first?.takenAtMs ?? 0) + 9 * 60_000);
    expect(names()).toEqual(["Auto 1"]);
    await app.snapshots.look((first?.takenAtMs ?? 0) + 10 * 60_000);
    expect(names()).toEqual(["Auto 2"]);
  });

  it("leaves machines alone that don't run", async () => {
    await settings({ everyMinutes: 1 });
    await app.snapshots.look(Date.now() + 3_600_000);
    expect(names()).toEqual([]);
  });

  it("goes on after a failure, which the log tells", async () => {
    await settings({ everyMinutes: 1 });
    await configure(app.context, machine, {
      ...machine.record.config,
      boot: { ...machine.record.config.boot, commandLine: "fail-on=takeSnapshot" },
    });
    await app.lifecycle.start(machine);
    const failures = async () =>
      (await machine.log.read(50)).filter((entry) => entry.message.includes("scheduled snapshot failed")).length;
    const later = Date.now() + 3_600_000;
    await app.snapshots.look(later);
    expect([machine.state, await failures()]).toEqual(["running", 1]);
    // Not again before its time has come again.
    await app.snapshots.look(later + 30_000);
    expect(await failures()).toBe(1);
    await app.snapshots.look(later + 60_000);
    expect(await failures()).toBe(2);
  });
});

describe("a snapshot before each start", () => {
  it("is taken when something changed", async () => {
    await settings({ beforeStart: true });
    await startMachine(app.context, app.lifecycle, machine);
    expect(machine.record.snapshots).toMatchObject([{ kind: "schedule", memory: null }]);
    await app.lifecycle.stop(machine, "power-off");
    await startMachine(app.context, app.lifecycle, machine);
    expect(machine.record.snapshots).toHaveLength(2);
  });
});

describe("a safety snapshot", () => {
  it("lets a change of the hardware be undone, with the disks of that moment", async () => {
    await writeText(topOf(), 1, "before");
    const undo = await configure(app.context, machine, { ...machine.record.config, memoryMiB: 512 });
    expect(machine.record.snapshots).toMatchObject([{ id: undo, name: "Before changing Memory", kind: "safety" }]);
    await writeText(topOf(), 1, "after");
    const [snapshot] = machine.record.snapshots;
    if (!snapshot) throw new Error("there is no snapshot");
    await restoreSnapshot(app.context, app.lifecycle, machine, snapshot, { keepCurrent: false });
    expect(machine.record.config.memoryMiB).toBe(256);
    expect(await readText(topOf(), 1)).toBe("before");
  });

  it("is the current one where nothing changed since", async () => {
    const { id } = await takeSnapshot(app.context, machine, { name: "now", description: "" });
    expect(await configure(app.context, machine, { ...machine.record.config, memoryMiB: 512 })).toBe(id);
    expect(names()).toEqual(["now"]);
  });

  it("keeps the disks right that were asked for in the same change", async () => {
    await addDisk(app.context, machine, { sizeMiB: 1 });
    const { config } = machine.record;
    await configure(app.context, machine, {
      ...config,
      disks: config.disks.toReversed().map((disk) => ({ ...disk, readOnly: disk.id === "disk1" })),
    });
    expect(machine.record.config.disks.map((disk) => [disk.id, disk.readOnly])).toEqual([
      ["disk1", true],
      ["disk0", false],
    ]);
    await writeText(topOf(), 1, "x");
    await app.lifecycle.start(machine);
  });

  it("keeps a disk that is taken out, which can be put back as well, and leaves nothing else behind", async () => {
    await writeText(topOf(), 1, "kept");
    const undo = await configure(app.context, machine, { ...machine.record.config, disks: [] });
    const snapshot = machine.record.snapshots.find((each) => each.id === undo);
    if (!snapshot) throw new Error("there is no snapshot");
    const [aside] = machine.record.detachedDisks.map(({ disk }) => path.basename(disk.file));
    expect(readdirSync(machine.paths.disks)).toEqual([aside, "disk0.qcow2"]);
    await restoreSnapshot(app.context, app.lifecycle, machine, snapshot, { keepCurrent: false });
    expect(await readText(topOf(), 1)).toBe("kept");
    expect(readdirSync(machine.paths.disks)).toEqual([path.basename(topOf()), "disk0.qcow2"]);
    expect(machine.record.detachedDisks).toEqual([]);
  });

  it("is not taken for a new name, nor where the machine wants none", async () => {
    expect(await configure(app.context, machine, { ...machine.record.config, name: "other" })).toBeNull();
    await settings({ safety: false });
    expect(await configure(app.context, machine, { ...machine.record.config, memoryMiB: 512 })).toBeNull();
    expect(names()).toEqual([]);
  });

  it("keeps what a restore gives up, and is named in its answer", async () => {
    const base = await takeSnapshot(app.context, machine, { name: "base", description: "" });
    const kept = await restoreSnapshot(app.context, app.lifecycle, machine, base, { keepCurrent: true });
    expect(machine.record.snapshots.find((snapshot) => snapshot.id === kept)?.kind).toBe("safety");
  });
});

describe("pruning", () => {
  it("lists first, and deletes what is neither pinned nor the user's", async () => {
    for (const kind of ["schedule", "schedule", "user", "schedule"] as const) {
      await takeSnapshot(app.context, machine, { description: "", kind });
    }
    const [first] = machine.record.snapshots;
    if (!first) throw new Error("there is no snapshot");
    await updateSnapshot(machine, first, { pinned: true });
    await settings({ keepLast: 1 });
    const listed = await pruneSnapshots(app.context, machine, true);
    expect(listed.map((snapshot) => snapshot.name)).toEqual(["Snapshot 2"]);
    expect(names()).toHaveLength(4);
    expect(await pruneSnapshots(app.context, machine, false)).toEqual(listed);
    expect(names()).toEqual(["Snapshot 1", "Snapshot 3", "Snapshot 4"]);
  });
});

describe("the preview of a deletion", () => {
  it("tells what is freed and what has to be copied for that", async () => {
    await writeText(topOf(), 0, "a");
    await writeText(topOf(), 1000, "b");
    const snapshot = await takeSnapshot(app.context, machine, { name: "base", description: "" });
    await writeText(topOf(), 0, "c");
    expect(await previewDelete(app.context, machine, snapshot)).toEqual({ freedBytes: 65536, copiedBytes: 65536 });
  });

  it("promises nothing where another snapshot or branch needs the layer", async () => {
    await writeText(topOf(), 0, "a");
    const base = await takeSnapshot(app.context, machine, { name: "base", description: "" });
    await takeSnapshot(app.context, machine, { name: "left", description: "" });
    await restoreSnapshot(app.context, app.lifecycle, machine, base, { keepCurrent: false });
    expect(await previewDelete(app.context, machine, base)).toEqual({ freedBytes: 0, copiedBytes: 0 });
  });
});
