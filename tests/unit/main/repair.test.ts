// Repair of a machine: what is damaged comes back from wherever it still is; what doesn't is named with the snapshots that lose it, and
// nothing is ever worse than before.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { backUp } from "../../../main/services/backup/backup.ts";
import { cloneMachine } from "../../../main/services/clones/clone.ts";
import { dropMemory } from "../../../main/services/integrity/drop-memory.ts";
import { verifyMachine } from "../../../main/services/integrity/verify.ts";
import { createStarter } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { reclaimSpace, spaceOf } from "../../../main/services/space/space.ts";
import type { SnapshotRecord } from "../../../main/store/machine-record.ts";
import { readText, writeText } from "../../support/disk-bytes.ts";
import { FakeGuest } from "../../support/media/fake-guest.ts";
import { hasQemuTools, qemuCheck } from "../../support/media/qemu-tools.ts";
import {
  clearGroups,
  fillGroups,
  giveMemory,
  memoryOfState,
  packFile,
  STATE_PAGES,
  saveState,
  type TestState,
} from "../../support/media/states.ts";
import { endTestApp, openTestApp, startTestApp } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

let folder: string;
let store: string;
let app: App;
let machine: Machine;
let one: SnapshotRecord;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  store = path.join(folder, "backups");
  machine = await createStarter(app.context, { name: "vm" });
  await writeText(topOf(machine), 5, "original");
  one = await takeSnapshot(app.context, machine, { name: "one", description: "" });
});

afterEach(() => endTestApp(app, folder));

const topOf = (of: Machine) => path.resolve(of.paths.folder, of.record.config.disks[0]?.file ?? "");
const frozen = () => path.join(machine.paths.folder, one.layers[0]?.file ?? "");
const verify = (repair = false, backupFolder?: string) => verifyMachine(app.context, machine, { repair, backupFolder });

function spoil(file: string, at: number, bytes: readonly number[] = [0x5a, 0xa5, 0x5a, 0xa5]): void {
  const contents = readFileSync(file);
  for (const [index, byte] of bytes.entries()) contents[at + index] = byte;
  writeFileSync(file, contents);
}

async function withMemory(): Promise<{ state: TestState; guest: FakeGuest }> {
  const guest = new FakeGuest(STATE_PAGES);
  fillGroups(guest, [0, 1, 2, 3], 1);
  return { state: await giveMemory(app, machine, one.id, guest), guest };
}

function spoilChunk({ folder: state, map }: TestState, index: number): void {
  const chunk = map.chunks[index];
  spoil(packFile(state, chunk?.pack ?? ""), (chunk?.offset ?? 0) + 500);
}

describe("damaged memory", () => {
  it("is named with the snapshots that lose it, and stays as it is where nothing else has it", async () => {
    const { state } = await withMemory();
    expect((await verify()).problems).toEqual([]);
    spoilChunk(state, 2);
    const named = { part: "memory", snapshots: [{ id: one.id, name: "one" }], present: false, repaired: false };
    expect((await verify()).problems).toMatchObject([named]);
    const before = readdirSync(state.folder, { recursive: true }).map(String).sort();
    const { problems } = await verify(true);
    expect(problems).toMatchObject([named]);
    expect(problems[0]?.remark).toBe("16 pages of its memory are nowhere else.");
    expect(readdirSync(state.folder, { recursive: true }).map(String).sort()).toEqual(before);
  });

  it("comes back from another snapshot whose pages are the same", async () => {
    const { state, guest } = await withMemory();
    const two = await takeSnapshot(app.context, machine, { name: "two", description: "" });
    const other = new FakeGuest(STATE_PAGES);
    fillGroups(other, [0, 1, 2, 3], 1);
    // With packs of its own, as on another file system.
    saveState(other, { folder: path.join(folder, "elsewhere"), chunkFolder: path.join(folder, "other-chunks") });
    await machine.update(({ snapshots }) => ({
      snapshots: snapshots.map((each) =>
        each.id === two.id ? { ...each, memory: `snapshots/${two.id}/memory` } : each,
      ),
    }));
    cpSync(path.join(folder, "elsewhere"), path.join(machine.paths.snapshots, two.id, "memory"), { recursive: true });
    spoilChunk(state, 1);
    expect((await verify(true)).problems).toMatchObject([
      { part: "memory", repaired: true, snapshots: [{ name: "one" }] },
    ]);
    expect((await verify()).problems).toEqual([]);
    expect(Buffer.compare(await memoryOfState(state.folder), guest.memory)).toBe(0);
  });

  it("comes back from a backup: chunks, the page map, the state of the devices", async () => {
    const { state, guest } = await withMemory();
    await machine.update(() => ({ state: "saved", savedState: `snapshots/${one.id}/memory` }));
    await app.close("power-off");
    app = await openTestApp(folder);
    machine = app.context.registry.list()[0] as Machine;
    await backUp(app.context, machine, { folder: store, memory: true });
    for (const damage of [
      () => [0, 3].forEach((index) => spoilChunk(state, index)),
      () => truncateSync(packFile(state.folder, state.map.packs[0] ?? ""), 5000),
      () => spoil(path.join(state.folder, "pages"), 40),
      () => spoil(path.join(state.folder, "state.json"), 3),
      () => rmSync(path.join(state.folder, "pages")),
    ]) {
      damage();
      const { problems } = await verify();
      expect(problems).toMatchObject([{ part: "memory", repaired: false, present: true }]);
      expect((await verify(true)).problems).toMatchObject([{ repaired: false }]);
      expect((await verify(true, store)).problems).toMatchObject([{ repaired: true }]);
      expect((await verify()).problems).toEqual([]);
      expect(Buffer.compare(await memoryOfState(state.folder), guest.memory)).toBe(0);
    }
  });

  it("may be given up: the snapshot keeps its disks and restores cold", async () => {
    const { state } = await withMemory();
    spoilChunk(state, 0);
    expect(await dropMemory(app.context, machine, one)).toMatchObject({ memory: null, layers: one.layers });
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
    expect(existsSync(state.folder)).toBe(false);
    expect((await verify()).problems).toEqual([]);
    expect(await readText(frozen(), 5)).toBe("original");
    await expect(dropMemory(app.context, machine, one)).rejects.toMatchObject({ code: "INVALID_STATE" });
  });
});

describe("damaged disks", () => {
  it("get their counts anew where these are wrong, also of a layer that a snapshot holds", async () => {
    // Cluster 2 has the counts.
    spoil(frozen(), 2 * 65536, [0, 0, 0, 0, 0, 0, 0, 0]);
    spoil(topOf(machine), 79, [1]);
    const { problems } = await verify();
    expect(problems).toMatchObject([
      { file: topOf(machine), part: "disk", present: true, snapshots: [], repaired: false },
      { file: frozen(), part: "disk", present: true, snapshots: [{ name: "one" }], repaired: false },
    ]);
    expect((await verify(true)).problems).toMatchObject([{ repaired: true }, { repaired: true }]);
    expect((await verify()).problems).toEqual([]);
    await writeText(topOf(machine), 9, "more");
    expect([await readText(topOf(machine), 5), await readText(topOf(machine), 9)]).toEqual(["original", "more"]);
    if (hasQemuTools) expect(await qemuCheck(frozen())).toMatchObject({ corruptions: 0, errors: 0 });
  });

  it("are left alone while the machine runs, and it is said so", async () => {
    spoil(frozen(), 2 * 65536, [0, 0, 0, 0, 0, 0, 0, 0]);
    await app.lifecycle.start(machine);
    const { problems, skipped } = await verify(true);
    expect(problems).toMatchObject([{ file: frozen(), repaired: false }]);
    expect(problems[0]?.remark).toContain("while the machine is off or saved");
    expect(skipped.length).toBeLessThanOrEqual(1);
  });

  it("come back from a backup of the same moment, whatever part of a table is lost", async () => {
    await writeText(topOf(machine), 300, "in both");
    await takeSnapshot(app.context, machine, { name: "two", description: "" });
    await backUp(app.context, machine, { folder: store, memory: false });
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
    const layer = path.join(machine.paths.folder, machine.record.snapshots[1]?.layers[0]?.file ?? "");
    for (const at of [3 * 65536, 3 * 65536 + 5]) {
      spoil(layer, at, [0x33, 0x44]);
      expect((await verify()).problems).toMatchObject([{ file: layer, repaired: false, snapshots: [{ name: "two" }] }]);
      expect((await verify(true)).problems).toMatchObject([{ repaired: false }]);
      expect((await verify(true, store)).problems).toMatchObject([{ file: layer, repaired: true }]);
      expect((await verify()).problems).toEqual([]);
      expect([await readText(layer, 5), await readText(layer, 300)]).toEqual(["original", "in both"]);
      if (hasQemuTools) expect(await qemuCheck(layer)).toEqual({ corruptions: 0, leaks: 0, errors: 0 });
    }
    expect(readdirSync(machine.paths.disks).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("are not made of a backup of another moment", async () => {
    await backUp(app.context, machine, { folder: store, memory: false });
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
    await writeText(topOf(machine), 9, "later");
    const two = await takeSnapshot(app.context, machine, { name: "two", description: "" });
    const layer = path.join(machine.paths.folder, two.layers[0]?.file ?? "");
    // A second cluster, which can be read and differs.
    await writeText(topOf(machine), 900, "even later");
    const three = await takeSnapshot(app.context, machine, { name: "three", description: "" });
    const damaged = path.join(machine.paths.folder, three.layers[0]?.file ?? "");
    spoil(damaged, 3 * 65536, [0x33, 0x44]);
    const before = readFileSync(damaged);
    const { problems } = await verify(true, store);
    expect(problems).toMatchObject([{ file: damaged, repaired: false, snapshots: [{ name: "three" }] }]);
    expect(readFileSync(damaged).equals(before)).toBe(true);
    expect(existsSync(layer)).toBe(true);
  });

  it("come back from a copy that another machine has of the layer", async () => {
    await writeText(topOf(machine), 8, "shared");
    const two = await takeSnapshot(app.context, machine, { name: "two", description: "" });
    const [clone] = await cloneMachine(app.context, machine, { name: "clone", kind: "linked", snapshot: two });
    const layer = path.join(machine.paths.folder, two.layers[0]?.file ?? "");
    const twin = path.join(clone?.paths.disks ?? "", path.basename(layer));
    // As on a file system without hard links.
    const bytes = readFileSync(twin);
    rmSync(twin);
    writeFileSync(twin, bytes);
    spoil(layer, 0, [0, 0]);
    expect((await verify()).problems).toMatchObject([{ file: layer, repaired: false }]);
    expect((await verify(true)).problems).toMatchObject([{ file: layer, repaired: true }]);
    expect(await readText(layer, 8)).toBe("shared");
  });
});

describe("the space of a machine", () => {
  it("counts memory once that several of its snapshots have, and as its own", async () => {
    const two = await takeSnapshot(app.context, machine, { name: "two", description: "" });
    const before = await spaceOf(app.context, machine, false);
    const { state, guest } = await withMemory();
    const withOne = await spaceOf(app.context, machine, false);
    await giveMemory(app, machine, two.id, guest, state);
    const withBoth = await spaceOf(app.context, machine, false);
    expect(withOne.snapshotBytes - before.snapshotBytes).toBeGreaterThan(4 * 65536);
    expect(withBoth.snapshotBytes - withOne.snapshotBytes).toBeLessThan(65536);
    expect(withBoth).toMatchObject({ sharedBytes: 0, unusedMemoryBytes: null });
  });
});

describe("reclaiming space", () => {
  it("gives back memory that is not used any more, and counts it", async () => {
    const guest = new FakeGuest(STATE_PAGES);
    fillGroups(
      guest,
      Array.from({ length: 30 }, (_, group) => group),
      1,
    );
    const chunkFolder = app.context.store.data.chunks;
    const gone = saveState(guest, { folder: path.join(machine.paths.snapshots, "gone"), chunkFolder });
    clearGroups(
      guest,
      Array.from({ length: 25 }, (_, group) => group + 5),
    );
    const kept = await giveMemory(app, machine, one.id, guest, gone);
    rmSync(gone.folder, { recursive: true });
    const before = await spaceOf(app.context, machine, true);
    expect(before.unusedMemoryBytes).toBeGreaterThan(24 * 65536);
    const { freedBytes } = await reclaimSpace(app.context, machine);
    const after = await spaceOf(app.context, machine, true);
    expect(after.unusedMemoryBytes).toBe(0);
    expect(before.snapshotBytes - after.snapshotBytes).toBeGreaterThan(24 * 65536);
    expect(freedBytes).toBeGreaterThan(24 * 65536);
    expect(Buffer.compare(await memoryOfState(kept.folder), guest.memory)).toBe(0);
    expect((await verify()).problems).toEqual([]);
  });
});
