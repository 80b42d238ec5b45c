// A disk that takes a rename but fails the sync of the folder after it: the change is there for everybody to see, so it counts, in memory as
// on disk, and the log says that a power failure might take it back. Nothing is undone that machine.json names already.
import { existsSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../main/services/app.ts";
import { backUp, listBackups } from "../../main/services/backup/backup.ts";
import { createStarter } from "../../main/services/machines/creation.ts";
import { UNCONFIRMED } from "../../main/services/machines/machine.ts";
import { removeMachine, undoRemove } from "../../main/services/machines/removal.ts";
import { takeSnapshot } from "../../main/services/snapshots/take.ts";
import { readRecordFile } from "../../main/store/record-file.ts";
import { withChanges } from "../support/crash-pictures.ts";
import { endTestApp, startTestApp } from "../support/test-app.ts";

let folder: string;
let app: App;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
});

afterEach(() => endTestApp(app, folder));

/** The sync that follows a rename to `name` fails: that of the folder. */
async function failingAfter(name: RegExp, work: () => Promise<unknown>): Promise<number> {
  let failures = 0;
  let renamed = false;
  const intercept = (before: string) => {
    const fails = renamed && before.startsWith("sync ");
    renamed = before.startsWith("rename ") && name.test(before);
    if (!fails) return undefined;
    failures += 1;
    return Object.assign(new Error("EIO: injected"), { code: "EIO" });
  };
  await withChanges(intercept, async () => void (await work()));
  return failures;
}

const MACHINE_JSON = /machine\.json\./;

describe("a folder that can't be synced after the rename in it", () => {
  it("does not undo a snapshot that machine.json names", async () => {
    const machine = await createStarter(app.context, { name: "web" });
    const failures = await failingAfter(MACHINE_JSON, () =>
      takeSnapshot(app.context, machine, { name: "one", description: "" }),
    );
    expect(failures).toBe(1);
    const onDisk = await readRecordFile(machine.paths.record);
    expect(onDisk?.snapshots).toEqual(machine.record.snapshots);
    expect(machine.record.snapshots).toHaveLength(1);
    for (const { file } of machine.record.config.disks)
      expect(existsSync(path.join(machine.paths.folder, file))).toBe(true);
    expect((await machine.log.read(10)).map((entry) => entry.message)).toContain(UNCONFIRMED);
  });

  it("leaves a new machine in the list", async () => {
    expect(await failingAfter(/machines.[^/]*\.tmp$/, () => createStarter(app.context, { name: "web" }))).toBe(1);
    const [machine] = app.context.registry.list();
    expect(existsSync(machine?.paths.record ?? "")).toBe(true);
    expect((await machine?.log.read(10))?.map((entry) => entry.message)).toContain(UNCONFIRMED);
  });

  it("does not stop a removal half-way, nor its undo", async () => {
    const machine = await createStarter(app.context, { name: "web" });
    const inMachines = new RegExp(`machines.${machine.id}`);
    expect(await failingAfter(inMachines, () => removeMachine(app.context, machine, false))).toBe(1);
    expect(app.context.registry.list()).toEqual([]);
    const inTrash = new RegExp(`trash.${machine.id}-[0-9]+$`);
    expect(await failingAfter(inTrash, () => undoRemove(app.context, machine.id))).toBe(1);
    expect(app.context.registry.list().map(({ id }) => id)).toEqual([machine.id]);
  });

  it("makes a backup that was refused not count", async () => {
    const machine = await createStarter(app.context, { name: "web" });
    const backups = path.join(folder, "backups");
    await failingAfter(/backups.backups/, async () => {
      await expect(backUp(app.context, machine, { folder: backups, memory: false })).rejects.toMatchObject({
        code: "IO_ERROR",
        details: { consequence: "The backup was not made." },
      });
    });
    expect(await listBackups(backups)).toEqual([]);
  });
});
