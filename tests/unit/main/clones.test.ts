import { readdirSync, statSync } from "node:fs";
import { link } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { type CloneOptions, cloneMachine } from "../../../main/services/clones/clone.ts";
import { forkMachine } from "../../../main/services/clones/fork.ts";
import { setTemplate } from "../../../main/services/clones/template.ts";
import { emptyTrash, listTrash } from "../../../main/services/host/trash.ts";
import { createStarter } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { removeMachine } from "../../../main/services/machines/removal.ts";
import { sendText, waitForOutput } from "../../../main/services/machines/serial.ts";
import { scheduleCleanup } from "../../../main/services/snapshots/cleanup.ts";
import { deleteSnapshot } from "../../../main/services/snapshots/delete.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import type { SnapshotRecord } from "../../../main/store/machine-record.ts";
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

async function clone(source: Machine, options: Partial<CloneOptions> = {}): Promise<Machine> {
  const [copy] = await cloneMachine(app.context, source, { name: "Copy", kind: "full", ...options });
  if (!copy) throw new Error("there is no copy");
  return copy;
}

const linked = (source: Machine, options: Partial<CloneOptions> = {}) => clone(source, { kind: "linked", ...options });

async function cleanedUp(machine: Machine): Promise<void> {
  await waitUntil("the clean-up has ended", () => machine.cleanup === null);
}

describe("a full clone", () => {
  it("has the disk of its source, an identity of its own and no snapshots", async () => {
    const source = await createStarter(app.context, {});
    await writeText(topOf(source), 5, "original");
    await take(source, "old");
    await writeText(topOf(source), 6, "newer");
    const copy = await clone(source);
    await writeText(topOf(source), 5, "changed");
    expect(copy.id).not.toBe(source.id);
    expect(copy.record.snapshots).toEqual([]);
    expect(await readText(topOf(copy), 5)).toBe("original");
    expect(await readText(topOf(copy), 6)).toBe("newer");
    expect(readdirSync(copy.paths.disks)).toEqual(["disk0.qcow2"]);
  });

  it("of a snapshot has the disk of that moment", async () => {
    const source = await createStarter(app.context, {});
    const snapshot = await take(source, "empty");
    await writeText(topOf(source), 5, "later");
    const copy = await clone(source, { snapshot });
    expect(await readText(topOf(copy), 5)).toBe("");
  });

  it("of a saved machine is saved too and goes on by itself", async () => {
    const source = await createStarter(app.context, {});
    await app.lifecycle.start(source);
    await sendText(source, 0, "one\n");
    await app.lifecycle.stop(source, "save");
    const copy = await clone(source);
    expect(copy.state).toBe("saved");
    await app.lifecycle.start(copy);
    await app.lifecycle.start(source);
    await waitForOutput(copy, { port: 0, pattern: "typed lines: 1$", timeoutMs: 5000, fromOffset: 0 });
  });

  it("that is cancelled leaves nothing", async () => {
    const source = await createStarter(app.context, {});
    await writeText(topOf(source), 5, "data");
    const { images, tasks } = app.context;
    const cancelling: typeof images = {
      ...images,
      flatten(...args) {
        tasks.cancel(tasks.list()[0]?.id ?? "");
        return images.flatten(...args);
      },
    };
    const cloning = cloneMachine({ ...app.context, images: cancelling }, source, { name: "Copy", kind: "full" });
    await expect(cloning).rejects.toMatchObject({ code: "CANCELLED" });
    expect(readdirSync(app.context.store.data.machines)).toEqual([source.id]);
    expect(tasks.list()[0]?.state).toBe("cancelled");
  });
});

describe("a linked clone", () => {
  it("reads what its source had, and neither sees what the other writes later", async () => {
    const source = await createStarter(app.context, {});
    await writeText(topOf(source), 5, "common");
    const copy = await linked(source);
    await writeText(topOf(source), 6, "source");
    await writeText(topOf(copy), 7, "copy");
    expect([await readText(topOf(copy), 5), await readText(topOf(copy), 6)]).toEqual(["common", ""]);
    expect([await readText(topOf(source), 5), await readText(topOf(source), 7)]).toEqual(["common", ""]);
    expect(copy.record.origin).toEqual({ kind: "linked", machineId: source.id, machineName: source.name });
  });

  it("takes no space of its own but for an empty layer", async () => {
    const source = await createStarter(app.context, {});
    await writeText(topOf(source), 5, "common");
    const copy = await linked(source);
    const shared = readdirSync(copy.paths.disks).map((name) => statSync(path.join(copy.paths.disks, name)).nlink);
    expect(shared.sort((a, b) => a - b)).toEqual([1, 2]);
  });

  it("is whole when its source is gone for good, and then has the layers to itself", async () => {
    const source = await createStarter(app.context, {});
    await writeText(topOf(source), 5, "common");
    const copy = await linked(source);
    await removeMachine(app.context, source, false);
    expect((await listTrash(app.context))[0]?.sizeBytes).toBeLessThan(400_000);
    await emptyTrash(app.context);
    expect(await readText(topOf(copy), 5)).toBe("common");
    scheduleCleanup(app.context, copy);
    await cleanedUp(copy);
    expect(readdirSync(copy.paths.disks)).toHaveLength(1);
    expect(await readText(topOf(copy), 5)).toBe("common");
  });

  it("keeps what it reads when the source's snapshots are deleted and their layers merged", async () => {
    const source = await createStarter(app.context, {});
    await writeText(topOf(source), 1, "one");
    const first = await take(source, "first");
    await writeText(topOf(source), 2, "two");
    const second = await take(source, "second");
    await writeText(topOf(source), 3, "three");
    const copy = await linked(source, { snapshot: second });
    await deleteSnapshot(app.context, source, first);
    await deleteSnapshot(app.context, source, second);
    await cleanedUp(source);
    for (const machine of [source, copy]) {
      expect(await readText(topOf(machine), 1)).toBe("one");
      expect(await readText(topOf(machine), 2)).toBe("two");
    }
    expect(await readText(topOf(copy), 3)).toBe("");
  });

  it("of a clone, of a clone does not make the chain longer while nothing is written", async () => {
    const source = await createStarter(app.context, {});
    const copies = [source];
    for (const name of ["a", "b", "c"]) copies.push(await linked(copies.at(-1) ?? source, { name }));
    for (const machine of copies) expect(readdirSync(machine.paths.disks)).toHaveLength(2);
  });

  it("can be many at once, numbered, refused as a whole when a name is no name", async () => {
    const source = await createStarter(app.context, {});
    await linked(source, { name: "Copy 2" });
    const copies = await cloneMachine(app.context, source, { name: "Copy", kind: "linked", count: 3 });
    expect(copies.map((copy) => copy.name)).toEqual(["Copy 1", "Copy 3", "Copy 4"]);
    const before = readdirSync(source.paths.disks).length;
    await expect(cloneMachine(app.context, source, { name: "a/b", kind: "linked", count: 2 })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      details: { field: "name" },
    });
    expect(readdirSync(source.paths.disks)).toHaveLength(before);
  });

  it("is refused of the present of a running machine, but not of its snapshots", async () => {
    const source = await createStarter(app.context, {});
    await app.lifecycle.start(source);
    const snapshot = await take(source, "live");
    await expect(linked(source)).rejects.toMatchObject({ code: "INVALID_STATE" });
    const copy = await linked(source, { snapshot });
    expect(copy.state).toBe("saved");
    await app.lifecycle.start(copy);
  });

  it("survives a new start of Terrarium without orphans", async () => {
    const source = await createStarter(app.context, {});
    await writeText(topOf(source), 5, "common");
    const { id } = await linked(source);
    await app.close("power-off");
    app = await openTestApp(folder);
    expect(app.notices).toEqual([]);
    expect(await readText(topOf(app.context.registry.get(id)), 5)).toBe("common");
  });
});

describe("a machine whose top layer got a second owner", () => {
  it("goes on in a layer of its own", async () => {
    const machine = await createStarter(app.context, {});
    const copy = path.join(folder, "copied-by-hand.qcow2");
    await link(topOf(machine), copy);
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "power-off");
    await writeText(topOf(machine), 5, "mine");
    expect(await readText(copy, 5)).toBe("");
  });
});

describe("a template", () => {
  it("is not started or gone back with, but cloned without being touched", async () => {
    const source = await createStarter(app.context, {});
    const snapshot = await take(source, "base");
    await setTemplate(source, true);
    const before = readdirSync(source.paths.disks);
    await expect(app.lifecycle.start(source)).rejects.toMatchObject({ details: { field: "template" } });
    await linked(source);
    expect(readdirSync(source.paths.disks)).toEqual(before);
    expect(source.summary().template).toBe(true);
    await setTemplate(source, false);
    await app.lifecycle.start(source);
    expect(snapshot.pinned).toBe(false);
  });

  it("in the saved state gives copies that go on from there", async () => {
    const source = await createStarter(app.context, {});
    await app.lifecycle.start(source);
    await sendText(source, 0, "one\n");
    await app.lifecycle.stop(source, "save");
    await setTemplate(source, true);
    for (const copy of await cloneMachine(app.context, source, { name: "Worker", kind: "linked", count: 2 })) {
      await app.lifecycle.start(copy);
      await waitForOutput(copy, { port: 0, pattern: "typed lines: 1$", timeoutMs: 5000, fromOffset: 0 });
    }
  });

  it("is not made of a running machine", async () => {
    const source = await createStarter(app.context, {});
    await app.lifecycle.start(source);
    await expect(setTemplate(source, true)).rejects.toMatchObject({ code: "INVALID_STATE" });
  });
});

describe("a fork", () => {
  it("goes on from the memory of the running machine, which goes on, too", async () => {
    const source = await createStarter(app.context, {});
    await app.lifecycle.start(source);
    await sendText(source, 0, "one\n");
    const [fork] = await forkMachine(app.context, app.lifecycle, source, { count: 1, start: true });
    if (!fork) throw new Error("there is no fork");
    expect([fork.name, fork.state, source.state]).toEqual([`${source.name} fork`, "running", "running"]);
    await waitForOutput(fork, { port: 0, pattern: "typed lines: 1$", timeoutMs: 5000, fromOffset: 0 });
    expect(source.record.snapshots).toEqual([]);
    expect(fork.record.origin?.kind).toBe("fork");
  });

  it("can be many, waiting in the saved state", async () => {
    const source = await createStarter(app.context, {});
    await app.lifecycle.start(source);
    const forks = await forkMachine(app.context, app.lifecycle, source, { name: "Worker", count: 3, start: false });
    expect(forks.map((fork) => [fork.name, fork.state])).toEqual([
      ["Worker 1", "saved"],
      ["Worker 2", "saved"],
      ["Worker 3", "saved"],
    ]);
  });

  it("of a machine that is off is refused before anything happens", async () => {
    const source = await createStarter(app.context, {});
    const forking = forkMachine(app.context, app.lifecycle, source, { count: 1, start: true });
    await expect(forking).rejects.toMatchObject({ code: "INVALID_STATE" });
  });

  it("gets another generation than its source", async () => {
    const source = await createStarter(app.context, {});
    await app.lifecycle.start(source);
    const [fork] = await forkMachine(app.context, app.lifecycle, source, { count: 1, start: true });
    expect(source.record.generationId).toMatch(/^[0-9a-f]{32}$/);
    expect(fork?.record.generationId).toMatch(/^[0-9a-f]{32}$/);
    expect(fork?.record.generationId).not.toBe(source.record.generationId);
  });
});
