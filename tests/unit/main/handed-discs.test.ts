// Discs made of files for a guest: with their machine for as long as something has them, and gone then.
import { existsSync, readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { cloneMachine } from "../../../main/services/clones/clone.ts";
import { configure } from "../../../main/services/machines/configuration.ts";
import { createStarter } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { removeMachine } from "../../../main/services/machines/removal.ts";
import { changeDisc, discEjected } from "../../../main/services/media/discs.ts";
import { handStaged, stageFile } from "../../../main/services/media/handed.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { trashSnapshot } from "../../../main/services/snapshots/trash.ts";
import { endTestApp, openTestApp, startTestApp } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

let folder: string;
let app: App;
let machine: Machine;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  machine = await createStarter(app.context, {});
  await configure(app.context, machine, { ...machine.record.config, opticalDrives: [{ id: "cd0", file: null }] });
});

afterEach(() => endTestApp(app, folder));

/** Yields the disc. */
async function give(text: string): Promise<string> {
  stageFile(machine, text, "notes.txt", Buffer.from(text));
  return (await handStaged(app.context, machine, text)).file;
}

const take = () => takeSnapshot(app.context, machine, { name: "with a disc", description: "" });
const eject = () => changeDisc(app.context, machine, { file: null, force: true });
const discs = () => readdirSync(path.join(machine.paths.folder, "handed"));
const cleanedUp = () => waitUntil("clean-up has ended", () => machine.cleanup === null);

describe("a disc of files for a guest", () => {
  it("is deleted when it was taken out, by the user, the guest or in the settings", async () => {
    await give("one");
    await cleanedUp();
    expect(discs()).toHaveLength(1);
    await eject();
    await cleanedUp();
    expect(discs()).toEqual([]);

    await app.lifecycle.start(machine);
    await give("two");
    await discEjected(app.context, machine, "cd0");
    await cleanedUp();
    expect(discs()).toEqual([]);

    await app.lifecycle.stop(machine, "power-off");
    await give("three");
    const { config } = machine.record;
    const snapshots = { ...config.snapshots, safety: false };
    await configure(app.context, machine, { ...config, snapshots, opticalDrives: [] });
    await cleanedUp();
    expect(discs()).toEqual([]);
  });

  it("makes room for the next one", async () => {
    const [first, second] = [await give("one"), await give("two")];
    await cleanedUp();
    expect([existsSync(first), discs()]).toEqual([false, [path.basename(second)]]);
  });

  it("is deleted when no drive took it", async () => {
    await give("one");
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "save");
    await expect(give("two")).rejects.toMatchObject({ code: "INVALID_STATE" });
    await cleanedUp();
    expect(discs()).toEqual([path.basename(machine.record.config.opticalDrives[0]?.file ?? "")]);
  });

  it("stays for as long as a snapshot has it in a drive", async () => {
    const disc = await give("one");
    const snapshot = await take();
    await eject();
    await cleanedUp();
    expect(existsSync(disc)).toBe(true);
    await trashSnapshot(app.context, machine, snapshot, false);
    await cleanedUp();
    // That can be undone.
    expect(existsSync(disc)).toBe(true);
    const again = await take();
    await trashSnapshot(app.context, machine, snapshot, true);
    await trashSnapshot(app.context, machine, again, true);
    await cleanedUp();
    expect(existsSync(disc)).toBe(false);
  });

  it("is a copy's own", async () => {
    await give("one");
    for (const kind of ["linked", "full"] as const) {
      const [copy] = await cloneMachine(app.context, machine, { name: kind, kind });
      const file = copy?.record.config.opticalDrives[0]?.file ?? "";
      expect(path.dirname(file)).toBe(path.join(copy?.paths.folder ?? "", "handed"));
      expect((await readFile(file)).includes("one")).toBe(true);
    }
    await removeMachine(app.context, machine, true);
    for (const copy of app.context.registry.list()) {
      expect(existsSync(copy.record.config.opticalDrives[0]?.file ?? "")).toBe(true);
    }
  });

  it("of which only the file is left after a crash is deleted at the next start", async () => {
    const disc = await give("one");
    await cleanedUp();
    await writeFile(path.join(path.dirname(disc), "left-over.iso"), "a disc");
    await app.close("power-off");
    app = await openTestApp(folder);
    machine = app.context.registry.get(machine.id);
    await cleanedUp();
    expect(discs()).toEqual([path.basename(disc)]);
  });
});
