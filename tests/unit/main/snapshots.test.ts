import { readdirSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { embeddedEngine } from "../../../main/engines/embedded.ts";
import type { App } from "../../../main/services/app.ts";
import { configure } from "../../../main/services/machines/configuration.ts";
import { createCustom, createStarter } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { sendText, waitForOutput } from "../../../main/services/machines/serial.ts";
import { deleteSnapshot, updateSnapshot } from "../../../main/services/snapshots/delete.ts";
import { restoreSnapshot } from "../../../main/services/snapshots/restore.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { snapshotTree, thumbnail } from "../../../main/services/snapshots/tree.ts";
import type { SnapshotRecord } from "../../../main/store/machine-record.ts";
import { withChanges } from "../../support/crash-pictures.ts";
import { readText, writeText } from "../../support/disk-bytes.ts";
import { endTestApp, openTestApp, startTestApp } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

let folder: string;
let app: App;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
});

afterEach(() => endTestApp(app, folder));

function topOf(machine: Machine): string {
  return path.resolve(machine.paths.folder, machine.record.config.disks[0]?.file ?? "");
}

function take(machine: Machine, name: string): Promise<SnapshotRecord> {
  return takeSnapshot(app.context, machine, { name, description: "" });
}

function restore(
  machine: Machine,
  snapshot: SnapshotRecord,
  options: { keepCurrent?: boolean; start?: boolean } = {},
): Promise<string | null> {
  return restoreSnapshot(app.context, app.lifecycle, machine, snapshot, { keepCurrent: false, ...options });
}

async function cleanedUp(machine: Machine): Promise<void> {
  await waitUntil("the clean-up has ended", () => machine.cleanup === null);
}

describe("a snapshot of a machine that is off", () => {
  it("keeps the disk of its moment whatever is written afterwards", async () => {
    const machine = await createStarter(app.context, {});
    await writeText(topOf(machine), 10, "before");
    const snapshot = await take(machine, "before");
    await writeText(topOf(machine), 10, "after");
    await restore(machine, snapshot);
    expect(await readText(topOf(machine), 10)).toBe("before");
    expect(machine.state).toBe("powered-off");
  });

  it("can be restored any number of times, each time from the same state", async () => {
    const machine = await createStarter(app.context, {});
    const snapshot = await take(machine, "base");
    for (const text of ["first", "second"]) {
      await writeText(topOf(machine), 3, text);
      await restore(machine, snapshot);
      expect(await readText(topOf(machine), 3)).toBe("");
    }
    await cleanedUp(machine);
    expect(readdirSync(machine.paths.disks)).toHaveLength(2);
  });

  it("branches into a tree", async () => {
    const machine = await createStarter(app.context, {});
    const root = await take(machine, "root");
    const left = await take(machine, "left");
    await restore(machine, root);
    const right = await take(machine, "right");
    const tree = await snapshotTree(machine);
    expect(tree.snapshots.map((each) => [each.name, each.parentId])).toEqual([
      ["root", null],
      ["left", root.id],
      ["right", root.id],
    ]);
    expect(tree.currentId).toBe(right.id);
    expect(left.id).not.toBe(right.id);
  });

  it("keeps the present when asked to, as a snapshot of its own", async () => {
    const machine = await createStarter(app.context, {});
    const base = await take(machine, "base");
    await writeText(topOf(machine), 3, "precious");
    await restore(machine, base, { keepCurrent: true });
    const kept = machine.record.snapshots.find((each) => each.name === "Before restoring base");
    expect(kept).toBeDefined();
    await restore(machine, kept as SnapshotRecord);
    expect(await readText(topOf(machine), 3)).toBe("precious");
  });

  it("brings its settings back, but not the name", async () => {
    const machine = await createStarter(app.context, { name: "old", memoryMiB: 128 });
    const snapshot = await take(machine, "small");
    await configure(app.context, machine, { ...machine.record.config, name: "new", memoryMiB: 512 });
    await restore(machine, snapshot);
    expect(machine.record.config).toMatchObject({ name: "new", memoryMiB: 128 });
  });

  it("takes the place of a saved state, whose memory is freed", async () => {
    const machine = await createStarter(app.context, {});
    const base = await take(machine, "base");
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "save");
    await restore(machine, base);
    expect(machine.state).toBe("powered-off");
    await cleanedUp(machine);
    expect(readdirSync(machine.paths.savedState)).toEqual([]);
  });

  it("survives the app", async () => {
    const machine = await createStarter(app.context, {});
    await writeText(topOf(machine), 1, "kept");
    const snapshot = await take(machine, "kept");
    await updateSnapshot(machine, snapshot, { name: "renamed", description: "notes" });
    await app.close();
    app = await openTestApp(folder);
    const again = app.context.registry.get(machine.id);
    expect(again.record.snapshots).toMatchObject([{ id: snapshot.id, name: "renamed", description: "notes" }]);
    expect(await readText(topOf(again), 1)).toBe("kept");
  });
});

describe("a live snapshot", () => {
  it("has memory, a thumbnail and the state of the disk, and leaves the machine running", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await sendText(machine, 0, "one\n");
    const snapshot = await take(machine, "live");
    expect(machine.state).toBe("running");
    expect(await snapshotTree(machine)).toMatchObject({
      snapshots: [{ withMemory: true, hasThumbnail: true, pauseMs: 1.5 }],
      currentChanged: true,
    });
    expect((await thumbnail(machine, snapshot))?.pngBase64).toMatch(/^iVBOR/);
  });

  it("goes on where it was taken, in a machine that was running", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await sendText(machine, 0, "one\n");
    const snapshot = await take(machine, "live");
    await sendText(machine, 0, "two\nthree\n");
    await restore(machine, snapshot);
    expect(machine.state).toBe("running");
    await waitForOutput(machine, { port: 0, pattern: "typed lines: 1$", timeoutMs: 5000, fromOffset: 0 });
  });

  it("for which there is no room leaves a running machine running", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    const snapshot = await take(machine, "live");
    const before = readdirSync(machine.paths.disks);
    const full = (call: string) =>
      /^open .*disk0-[0-9a-f]+\.qcow2$/.test(call)
        ? Object.assign(new Error("injected"), { code: "ENOSPC" })
        : undefined;
    await withChanges(full, async () => {
      await expect(restore(machine, snapshot)).rejects.toMatchObject({ code: "NO_SPACE" });
    });
    expect([machine.state, readdirSync(machine.paths.disks)]).toEqual(["running", before]);
    await restore(machine, snapshot);
    expect(machine.state).toBe("running");
  });

  it("leaves a machine that is off in the saved state", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    const snapshot = await take(machine, "live");
    await app.lifecycle.stop(machine, "power-off");
    await restore(machine, snapshot);
    expect(machine.state).toBe("saved");
    await app.lifecycle.discardSavedState(machine);
    await cleanedUp(machine);
    await restore(machine, snapshot, { start: true });
    expect(machine.state).toBe("running");
  });

  it("that the engine refuses leaves nothing behind", async () => {
    const machine = await createStarter(app.context, {});
    const { config } = machine.record;
    await configure(app.context, machine, {
      ...config,
      snapshots: { ...config.snapshots, safety: false },
      boot: { ...config.boot, commandLine: "fail-on=takeSnapshot" },
    });
    await app.lifecycle.start(machine);
    await expect(take(machine, "live")).rejects.toMatchObject({ code: "NO_SPACE" });
    expect(machine.state).toBe("running");
    expect(machine.record).toMatchObject({ pending: null, snapshots: [], config: { disks: config.disks } });
    expect(readdirSync(machine.paths.snapshots)).toEqual([]);
  });

  it("during which the engine crashes leaves a machine that starts again", async () => {
    const machine = await createStarter(app.context, {});
    const { config } = machine.record;
    await configure(app.context, machine, {
      ...config,
      snapshots: { ...config.snapshots, safety: false },
      boot: { ...config.boot, commandLine: "crash-on=takeSnapshot" },
    });
    await app.lifecycle.start(machine);
    await expect(take(machine, "live")).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    expect(machine.state).toBe("aborted");
    expect(machine.record).toMatchObject({ pending: null, snapshots: [] });
    await app.lifecycle.start(machine);
    expect(machine.state).toBe("running");
  });

  it("of a machine whose saved state was discarded keeps its own memory", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await sendText(machine, 0, "one\n");
    await app.lifecycle.stop(machine, "save");
    const snapshot = await take(machine, "saved");
    await app.lifecycle.discardSavedState(machine);
    await cleanedUp(machine);
    await restore(machine, snapshot, { start: true });
    await waitForOutput(machine, { port: 0, pattern: "typed lines: 1$", timeoutMs: 5000, fromOffset: 0 });
  });
});

describe("a snapshot whose files are gone", () => {
  it.each([
    [
      "its memory",
      async (machine: Machine, snapshot: SnapshotRecord) => path.join(machine.paths.folder, snapshot.memory ?? ""),
    ],
    [
      "a disk layer",
      async (machine: Machine, snapshot: SnapshotRecord) =>
        path.join(machine.paths.folder, snapshot.layers[0]?.file ?? ""),
    ],
  ])("(%s) is refused before the running machine is given up", async (_, lost) => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    const snapshot = await take(machine, "lost");
    const top = topOf(machine);
    const file = await lost(machine, snapshot);
    await rm(file, { recursive: true });
    await expect(restore(machine, snapshot)).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: {
        file: expect.stringContaining(file),
        consequence: expect.stringContaining("as it was"),
        remedy: expect.any(String),
      },
    });
    expect(machine.state).toBe("running");
    expect(topOf(machine)).toBe(top);
  });

  it("is found by the engine without starting it", async () => {
    const state = path.join(folder, "state");
    await expect(embeddedEngine().checkState?.(state)).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { file: path.join(state, "state.json") },
    });
  });
});

describe("deleting a snapshot", () => {
  it("merges its layer into the only one above and gives the space back", async () => {
    const machine = await createStarter(app.context, {});
    await writeText(topOf(machine), 1, "base");
    const first = await take(machine, "first");
    await writeText(topOf(machine), 2, "middle");
    const second = await take(machine, "second");
    await writeText(topOf(machine), 3, "top");
    await deleteSnapshot(app.context, machine, first);
    await cleanedUp(machine);
    await deleteSnapshot(app.context, machine, second);
    await cleanedUp(machine);
    expect(readdirSync(machine.paths.disks)).toHaveLength(1);
    for (const [sector, text] of [
      [1, "base"],
      [2, "middle"],
      [3, "top"],
    ] as const) {
      expect(await readText(topOf(machine), sector)).toBe(text);
    }
  });

  it("keeps its children and moves them up", async () => {
    const machine = await createStarter(app.context, {});
    const root = await take(machine, "root");
    await writeText(topOf(machine), 1, "middle");
    const middle = await take(machine, "middle");
    await writeText(topOf(machine), 1, "leaf");
    const leaf = await take(machine, "leaf");
    await deleteSnapshot(app.context, machine, middle);
    await cleanedUp(machine);
    expect(machine.record.snapshots.map((each) => [each.name, each.parentId])).toEqual([
      ["root", null],
      ["leaf", root.id],
    ]);
    await restore(machine, leaf);
    expect(await readText(topOf(machine), 1)).toBe("leaf");
    await restore(machine, root);
    expect(await readText(topOf(machine), 1)).toBe("");
  });

  it("keeps a layer that two others stand on until one of them is gone", async () => {
    const machine = await createStarter(app.context, {});
    await writeText(topOf(machine), 1, "shared");
    const root = await take(machine, "root");
    const left = await take(machine, "left");
    await restore(machine, root);
    await deleteSnapshot(app.context, machine, root);
    await cleanedUp(machine);
    expect(await readText(topOf(machine), 1)).toBe("shared");
    await deleteSnapshot(app.context, machine, left);
    await cleanedUp(machine);
    expect(await readText(topOf(machine), 1)).toBe("shared");
  });

  it("merges its layers also while the machine runs", async () => {
    const machine = await createStarter(app.context, {});
    await writeText(topOf(machine), 1, "one");
    const snapshot = await take(machine, "base");
    await app.lifecycle.start(machine);
    await deleteSnapshot(app.context, machine, snapshot);
    await cleanedUp(machine);
    expect(readdirSync(machine.paths.disks).filter((name) => name.endsWith(".qcow2"))).toHaveLength(1);
    expect(await readText(topOf(machine), 1)).toBe("one");
  });

  it("merges layers below the top of a running machine, which opens them anew", async () => {
    const machine = await createStarter(app.context, {});
    const first = await take(machine, "first");
    await writeText(topOf(machine), 1, "one");
    await take(machine, "second");
    await app.lifecycle.start(machine);
    await deleteSnapshot(app.context, machine, first);
    await cleanedUp(machine);
    expect(readdirSync(machine.paths.disks).filter((name) => name.endsWith(".qcow2"))).toHaveLength(2);
    expect(await readText(topOf(machine), 1)).toBe("one");
  });

  it("whose memory a saved machine stands on keeps that memory", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await sendText(machine, 0, "one\n");
    const snapshot = await take(machine, "live");
    await restore(machine, snapshot, { start: false });
    await deleteSnapshot(app.context, machine, snapshot);
    await cleanedUp(machine);
    await app.lifecycle.start(machine);
    await waitForOutput(machine, { port: 0, pattern: "typed lines: 1$", timeoutMs: 5000, fromOffset: 0 });
  });

  it("of the current state marks the machine as changed against the parent", async () => {
    const machine = await createStarter(app.context, {});
    const root = await take(machine, "root");
    const child = await take(machine, "child");
    expect((await snapshotTree(machine)).currentChanged).toBe(false);
    await deleteSnapshot(app.context, machine, child);
    expect(await snapshotTree(machine)).toMatchObject({ currentId: root.id, currentChanged: true });
  });
});

describe("an image that is used where it is", () => {
  async function machineOn(image: string): Promise<Machine> {
    const kernel = path.join(folder, "starter", "vmlinuz");
    const options = { name: "vm", description: "", memoryMiB: 256, kernel, initrd: null, commandLine: "" };
    return createCustom(app.context, { ...options, disks: [{ file: image }] });
  }

  it("is never written once a snapshot stands on it, nor merged when that is deleted", async () => {
    const image = path.join(folder, "mine.raw");
    await writeFile(image, Buffer.alloc(1 << 20, "original"));
    const machine = await machineOn(image);
    const snapshot = await take(machine, "base");
    await writeText(topOf(machine), 4, "changed");
    await deleteSnapshot(app.context, machine, snapshot);
    await cleanedUp(machine);
    expect(await readText(topOf(machine), 4)).toBe("changed");
    expect((await readFile(image)).equals(Buffer.alloc(1 << 20, "original"))).toBe(true);
    expect(readdirSync(machine.paths.disks)).toHaveLength(1);
  });

  it("belongs to the machine's past: restoring goes back to it", async () => {
    const image = path.join(folder, "mine.raw");
    await writeFile(image, Buffer.alloc(1 << 20));
    const machine = await machineOn(image);
    const snapshot = await take(machine, "base");
    await writeText(topOf(machine), 4, "changed");
    await restore(machine, snapshot);
    expect(await readText(topOf(machine), 4)).toBe("");
  });

  it("and is read-only needs no layers", async () => {
    const image = path.join(folder, "mine.raw");
    await writeFile(image, Buffer.alloc(1 << 20));
    const machine = await machineOn(image);
    const disks = machine.record.config.disks.map((disk) => ({ ...disk, readOnly: true }));
    await configure(app.context, machine, { ...machine.record.config, disks });
    const snapshot = await take(machine, "base");
    await restore(machine, snapshot);
    expect(topOf(machine)).toBe(image);
    expect(readdirSync(machine.paths.disks)).toEqual([]);
  });
});
