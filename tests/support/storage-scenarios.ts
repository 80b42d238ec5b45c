// What the harnesses of the store do to a data folder with snapshots and a linked clone, and what has to be true of it afterwards, whatever
// became of it.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { App } from "../../main/services/app.ts";
import { backUp, listBackups, restoreBackup, verifyBackups } from "../../main/services/backup/backup.ts";
import { cloneMachine } from "../../main/services/clones/clone.ts";
import { emptyTrash, restoreTrashed } from "../../main/services/host/trash.ts";
import { dropMemory } from "../../main/services/integrity/drop-memory.ts";
import { verifyMachine } from "../../main/services/integrity/verify.ts";
import { configure } from "../../main/services/machines/configuration.ts";
import { createStarter } from "../../main/services/machines/creation.ts";
import { addDisk, attachDisk, removeDisk } from "../../main/services/machines/disks.ts";
import { encryptMachine } from "../../main/services/machines/encryption.ts";
import type { Machine } from "../../main/services/machines/machine.ts";
import { removeMachine, undoRemove } from "../../main/services/machines/removal.ts";
import { resizeDisk } from "../../main/services/machines/resize-disk.ts";
import { deleteSnapshot } from "../../main/services/snapshots/delete.ts";
import { restoreSnapshot } from "../../main/services/snapshots/restore.ts";
import { takeSnapshot } from "../../main/services/snapshots/take.ts";
import { trashDisk, trashSnapshot } from "../../main/services/snapshots/trash.ts";
import { reclaimSpace } from "../../main/services/space/space.ts";
import type { SnapshotRecord } from "../../main/store/machine-record.ts";
import { stateFolders } from "../../main/store/orphans.ts";
import { collectGarbage } from "../../native-core/host/state/collect-garbage.ts";
import { PACKS_FOLDER, packName } from "../../native-core/host/state/format.ts";
import { readPageMap } from "../../native-core/host/state/state-folder.ts";
import { verifyState } from "../../native-core/host/state/verify-state.ts";
import { textAt, writeText } from "./disk-bytes.ts";
import { FakeGuest } from "./media/fake-guest.ts";
import { hasQemuTools, qemuCheck } from "./media/qemu-tools.ts";
import { clearGroups, fillGroups, giveMemory, packFile, STATE_PAGES, saveState } from "./media/states.ts";
import { makeStarter, openTestApp } from "./test-app.ts";
import { waitUntil } from "./wait-until.ts";

/** Texts in these sectors of a disk; the last one is among many clusters that were written one by one. */
type Texts = readonly string[];
const SECTORS = [0, 1, 2, 3, 128 * 11];
const SCATTERED = Array.from({ length: 60 }, (_, index) => 128 * (2 * index + 1));

/** Snapshots of `base` that have memory, each with what is in these groups of pages. */
const MEMORY: Readonly<Record<string, number>> = { one: 5, three: 9 };

/**
 * base:   one <- two <- three <- present         clone: shares one..two
 *               \- branch
 */
const TEXTS: Readonly<Record<string, Texts>> = {
  one: ["a", "", "", "", ""],
  two: ["a", "b", "", "", ""],
  branch: ["a", "b", "", "d", ""],
  three: ["a", "b", "c", "", "m"],
};
const PRESENT: Texts = ["A", "b", "c", "", "m"];
const CLONE: Texts = ["a", "b", "x", "", ""];

export interface Scenario {
  run(app: App, base: Machine): Promise<unknown>;
  /** Texts that the present of `base` may have; by default those it had. */
  readonly present?: readonly Texts[];
  /** Snapshots of `base` that may be gone. */
  readonly mayGo?: readonly string[];
  /** Snapshots of `base` that may have no memory any more. */
  readonly mayForget?: readonly string[];
  /** Whether it repairs what `run` damages first: wherever it ends, another repair makes everything whole. */
  readonly repairs?: boolean;
  /** Machines that may be there afterwards, with their texts. */
  readonly made?: Readonly<Record<string, Texts>>;
  /** Whether `base` may be in the trash. */
  readonly mayBeTrashed?: boolean;
  /** Looks at every so many points only: most are writes of data into files that count for nothing yet. */
  readonly step?: number;
  /** The key of `base`, where the scenario encrypts it. */
  key?: Uint8Array | undefined;
}

/** A picture of everything is taken before each change. */
const WITH_PICTURES_MS = 120_000;

const snapshotOf = (machine: Machine, name: string): SnapshotRecord => {
  const found = machine.record.snapshots.find((each) => each.name === name);
  if (!found) throw new Error(`there is no snapshot ${name}`);
  return found;
};

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  take: { run: ({ context }, base) => takeSnapshot(context, base, { name: "new", description: "" }) },
  "delete with merge": {
    run: async ({ context }, base) => {
      await deleteSnapshot(context, base, snapshotOf(base, "three"));
      await waitUntil("the clean-up has ended", () => base.cleanup === null, WITH_PICTURES_MS);
    },
    mayGo: ["three"],
  },
  "delete in the middle": {
    run: async ({ context }, base) => {
      for (const name of ["branch", "two"]) await deleteSnapshot(context, base, snapshotOf(base, name));
      await waitUntil("the clean-up has ended", () => base.cleanup === null, WITH_PICTURES_MS);
    },
    mayGo: ["two", "branch"],
  },
  "deletions, one of them undone": {
    run: async ({ context }, base) => {
      const undo = await trashSnapshot(context, base, snapshotOf(base, "two"), false);
      await trashSnapshot(context, base, snapshotOf(base, "branch"), false);
      await restoreTrashed(context, undo?.name ?? "");
      await reclaimSpace(context, base);
      await waitUntil("the clean-up has ended", () => base.cleanup === null, WITH_PICTURES_MS);
    },
    mayGo: ["branch"],
  },
  "an independent disk that is taken out, deleted, put back, set aside and purged": {
    run: async ({ context, lifecycle }, base) => {
      await addDisk(context, base, { sizeMiB: 1 });
      const file = (await removeDisk(base, "disk1", false)) ?? "";
      const undo = await trashDisk(context, base, file, false);
      await restoreTrashed(context, undo?.name ?? "");
      await attachDisk(context, base, file);
      const { config } = base.record;
      const disks = config.disks.map((disk) => (disk.id === "disk1" ? { ...disk, independent: true } : disk));
      await configure(context, base, { ...config, disks });
      await restoreSnapshot(context, lifecycle, base, snapshotOf(base, "two"), { keepCurrent: false });
      const [aside] = base.record.detachedDisks;
      await trashDisk(context, base, path.join(base.paths.folder, aside?.disk.file ?? ""), true);
      await waitUntil("the clean-up has ended", () => base.cleanup === null, WITH_PICTURES_MS);
    },
    present: [PRESENT, TEXTS["two"] as Texts],
    step: 6,
  },
  restore: {
    run: ({ context, lifecycle }, base) =>
      restoreSnapshot(context, lifecycle, base, snapshotOf(base, "two"), { keepCurrent: false }),
    present: [PRESENT, TEXTS["two"] as Texts],
  },
  "restore, keeping the present": {
    run: ({ context, lifecycle }, base) =>
      restoreSnapshot(context, lifecycle, base, snapshotOf(base, "branch"), { keepCurrent: true }),
    present: [PRESENT, TEXTS["branch"] as Texts],
  },
  "a change of settings": {
    run: ({ context }, base) => configure(context, base, { ...base.record.config, memoryMiB: 512 }),
  },
  "a linked clone": {
    run: ({ context }, base) => cloneMachine(context, base, { name: "made", kind: "linked" }),
    made: { made: PRESENT },
  },
  "linked clones of a snapshot": {
    run: ({ context }, base) =>
      cloneMachine(context, base, { name: "made", kind: "linked", snapshot: snapshotOf(base, "two"), count: 2 }),
    made: { "made 1": TEXTS["two"] as Texts, "made 2": TEXTS["two"] as Texts },
  },
  "a full clone": {
    run: ({ context }, base) => cloneMachine(context, base, { name: "made", kind: "full" }),
    made: { made: PRESENT },
  },
  // One pack of memory is mostly unused (makeTemplate).
  "reclaiming space": {
    run: async ({ context }, base) => expect((await reclaimSpace(context, base)).freedBytes).toBeGreaterThan(0),
  },
  "repair of memory and of counts": {
    run: async ({ context }, base) => {
      await damage(context.store.data.trash, base);
      await verifyMachine(context, base, { repair: true });
    },
    repairs: true,
    step: 6,
  },
  "giving memory up": {
    run: async ({ context }, base) => {
      await dropMemory(context, base, snapshotOf(base, "three"));
      await waitUntil("the clean-up has ended", () => base.cleanup === null, WITH_PICTURES_MS);
    },
    mayForget: ["three"],
  },
  encryption: {
    run: ({ context }, base) => encryptMachine(context, base, "passphrase"),
    step: 6,
  },
  "a larger and a smaller disk": {
    run: async ({ context }, base) => {
      await resizeDisk(context, base, "disk0", 16);
      await resizeDisk(context, base, "disk0", 12);
    },
  },
  "a backup and its restore": {
    run: async ({ context }, base) => {
      const folder = path.join(context.store.data.root, "..", "backups");
      const { id } = await backUp(context, base, { folder, memory: false });
      await restoreBackup(context, folder, id, "made");
      await waitUntil("the clean-up has ended", () => base.cleanup === null, WITH_PICTURES_MS);
    },
    made: { made: PRESENT },
  },
  "removal and its undo": {
    run: async ({ context }, base) => {
      await removeMachine(context, base, false);
      await undoRemove(context, base.id);
    },
    mayBeTrashed: true,
  },
  "removal for good of a machine that another one shares layers with": {
    run: async ({ context }) => {
      const clone = context.registry.list().find((machine) => machine.name === "clone");
      if (clone) await removeMachine(context, clone, false);
      await emptyTrash(context);
    },
    made: {},
  },
};

/** Makes the data folder that each scenario begins with. */
export async function makeTemplate(template: string): Promise<void> {
  await makeStarter(template);
  const app = await openTestApp(template);
  const base = await createStarter(app.context, { name: "base" });
  const take = (name: string) => takeSnapshot(app.context, base, { name, description: "" });
  await write(base, 0, "a");
  await take("one");
  await write(base, 1, "b");
  const two = await take("two");
  await write(base, 3, "d");
  await take("branch");
  await restoreSnapshot(app.context, app.lifecycle, base, two, { keepCurrent: false });
  const [clone] = await cloneMachine(app.context, base, { name: "clone", kind: "linked", snapshot: two });
  if (clone) await write(clone, 2, "x");
  await write(base, 2, "c");
  for (const sector of SCATTERED) await write(base, sector, "m");
  await take("three");
  await write(base, 0, "A");
  await giveMemories(app, base);
  await app.close();
}

/** As live snapshots have it. The states share a pack of which most belonged to a third one that is deleted. */
async function giveMemories(app: App, base: Machine): Promise<void> {
  const chunkFolder = app.context.store.data.chunks;
  const guest = new FakeGuest(STATE_PAGES);
  fillGroups(guest, [0, 1, 2, 3], 1);
  const gone = saveState(guest, { folder: path.join(base.paths.snapshots, "gone"), chunkFolder });
  clearGroups(guest, [1, 2, 3]);
  let last = gone;
  for (const [name, group] of Object.entries(MEMORY)) {
    fillGroups(guest, [group], 2);
    last = await giveMemory(app, base, snapshotOf(base, name).id, guest, last);
  }
  rmSync(gone.folder, { recursive: true });
}

/** Spoils a chunk that another copy of the pack has, and the counts of a frozen layer. Not by calls that are counted. */
async function damage(trash: string, base: Machine): Promise<void> {
  const state = path.join(base.paths.folder, snapshotOf(base, "one").memory ?? "");
  const [chunk] = (await readPageMap(state)).chunks;
  const pack = packFile(state, chunk?.pack ?? "");
  cpSync(pack, packFile(path.join(trash, "removed", "saved-state", "kept"), chunk?.pack ?? ""), { recursive: true });
  const spoil = (file: string, at: number) =>
    spawnSync("dd", ["bs=1", "count=8", "conv=notrunc", "if=/dev/zero", `of=${file}`, `seek=${at}`]);
  spoil(pack, (chunk?.offset ?? 0) + 100);
  spoil(fileOf(base, snapshotOf(base, "two").layers[0]), 2 * 65536);
}

/** The states of the snapshots that have memory are whole, and chunks that no state has are not there for long. */
async function expectMemory({ context }: App, base: Machine, mayGo: readonly string[]): Promise<void> {
  const seal = context.keys.sealOf(base);
  let states = 0;
  for (const { memory } of base.record.snapshots) {
    if (memory === null) continue;
    states++;
    await verifyState(path.join(base.paths.folder, memory), seal);
  }
  expect(states).toBeGreaterThanOrEqual(Object.keys(MEMORY).filter((name) => !mayGo.includes(name)).length);
  const folder = seal ? base.paths.chunks : context.store.data.chunks;
  await collectGarbage(folder, Date.now() + 3_600_000);
  const used = stateFolders(base.paths, base.record);
  const maps = await Promise.all([...used].map((state) => readPageMap(state, seal)));
  const packs = new Set(maps.flatMap((map) => map.packs.map(packName)));
  // What a start found without an owner is in the trash, and keeps its packs there.
  const names = readdirSync(folder).filter((name) => !name.startsWith("writing-"));
  if (readdirSync(context.store.data.trash).length === 0) for (const name of names) expect(packs).toContain(name);
  for (const [index, state] of [...used].entries()) {
    const needed = maps[index]?.packs.map(packName).sort();
    expect(readdirSync(path.join(state, PACKS_FOLDER)).sort()).toEqual(needed);
  }
}

const fileOf = (machine: Machine, layer: { readonly file: string } | undefined) =>
  path.resolve(machine.paths.folder, layer?.file ?? "");
const write = (machine: Machine, sector: number, text: string) =>
  writeText(fileOf(machine, machine.record.config.disks[0]), sector, text);

async function textsOf(app: App, file: string): Promise<string[]> {
  const image = await app.context.images.open(file, "qcow2");
  const texts: string[] = [];
  for (const sector of SECTORS) texts.push(await textAt(image, sector));
  await image.close();
  return texts;
}

async function expectWhole(
  app: App,
  machine: Machine,
  present: readonly Texts[],
  snapshots: Readonly<Record<string, Texts>>,
) {
  expect(machine.record.pending).toBeNull();
  expect(machine.record.superseded).toEqual([]);
  expect(present).toContainEqual(await textsOf(app, fileOf(machine, machine.record.config.disks[0])));
  for (const { name, layers } of machine.record.snapshots) {
    expect([name, await textsOf(app, fileOf(machine, layers[0]))]).toEqual([name, snapshots[name] ?? present[0]]);
  }
}

/** An app on a copy of the template, at rest. */
export async function openCopy(template: string, work: string): Promise<{ app: App; base: Machine }> {
  cpSync(path.join(template, "starter"), path.join(work, "starter"), { recursive: true });
  spawnSync("cp", ["-a", path.join(template, "home"), path.join(work, "home")]);
  const app = await openTestApp(work);
  const base = app.context.registry.list().find((machine) => machine.name === "base");
  if (!base) throw new Error("the template has no machine");
  for (const machine of app.context.registry.list()) {
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
  }
  return { app, base };
}

/** Opens the data folder anew: everything that was acknowledged is there, and nothing that nobody refers to. `thoroughly`: QEMU looks, too. */
export async function verify(folder: string, scenario: Scenario, thoroughly: boolean): Promise<void> {
  const app = await openTestApp(folder);
  try {
    const { registry, store } = app.context;
    let base = registry.list().find((machine) => machine.name === "base");
    if (!base && scenario.mayBeTrashed) {
      const [trashed = ""] = readdirSync(store.data.trash);
      base = await undoRemove(app.context, trashed.slice(0, 12));
    }
    if (!base) throw new Error("the machine is lost");
    if (base.record.encryption !== null && scenario.key) app.context.keys.add(base.id, scenario.key);
    for (const machine of registry.list()) {
      await waitUntil("the clean-up has ended", () => machine.cleanup === null);
      if (scenario.repairs && machine === base) {
        const { problems } = await verifyMachine(app.context, machine, { repair: true });
        expect(problems.filter((problem) => !problem.repaired)).toEqual([]);
      }
      if (machine === base) {
        await expectWhole(app, machine, scenario.present ?? [PRESENT], TEXTS);
        const there = new Set(machine.record.snapshots.map((snapshot) => snapshot.name));
        for (const name of Object.keys(TEXTS)) expect(there.has(name) || scenario.mayGo?.includes(name)).toBe(true);
        await expectMemory(app, machine, [...(scenario.mayGo ?? []), ...(scenario.mayForget ?? [])]);
      } else if (machine.name === "clone") await expectWhole(app, machine, [CLONE], {});
      else await expectWhole(app, machine, [scenario.made?.[machine.name] ?? []], {});
      // Locks of the dead go when somebody wants the image.
      for (const name of readdirSync(machine.paths.disks).filter((each) => !/\.lock-[rmw]-/.test(each))) {
        expect(name).toMatch(/\.qcow2$/);
        if (!thoroughly || !hasQemuTools || machine.record.encryption !== null) continue;
        expect(await qemuCheck(path.join(machine.paths.disks, name))).toMatchObject({ corruptions: 0, errors: 0 });
      }
    }
    await expectSoundBackups(app, path.join(folder, "backups"));
    expect(readdirSync(store.data.machines).filter((name) => !/^[0-9a-f]{12}$/.test(name))).toEqual([]);
  } finally {
    await app.close("power-off");
  }
}

/** A backup that is listed can be restored. */
async function expectSoundBackups(app: App, folder: string): Promise<void> {
  if (!existsSync(path.join(folder, "terrarium-backup.json"))) return;
  expect((await listBackups(folder)).length).toBeLessThanOrEqual(1);
  expect((await verifyBackups(app.context, folder)).problems).toEqual([]);
}
