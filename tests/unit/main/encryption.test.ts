import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { backUp } from "../../../main/services/backup/backup.ts";
import { cloneMachine } from "../../../main/services/clones/clone.ts";
import { createStarter } from "../../../main/services/machines/creation.ts";
import {
  changePassphrase,
  decryptMachine,
  diskSecretOf,
  encryptMachine,
  lockMachine,
  unlockMachine,
} from "../../../main/services/machines/encryption.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { restoreSnapshot } from "../../../main/services/snapshots/restore.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { textAt, writeText } from "../../support/disk-bytes.ts";
import { endTestApp, openTestApp, startTestApp } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

const SECRET = "a text that nobody may see";
const PASSPHRASE = "correct horse";

let folder: string;
let app: App;
let machine: Machine;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  machine = await createStarter(app.context, { name: "base" });
  await writeText(top(), 1, SECRET);
  await takeSnapshot(app.context, machine, { name: "one", description: "" });
  await writeText(top(), 2, `${SECRET} two`);
});

afterEach(() => endTestApp(app, folder));

function top(of: Machine = machine): string {
  return path.resolve(of.paths.folder, of.record.config.disks[0]?.file ?? "");
}

async function text(sector: number, of: Machine = machine): Promise<string> {
  const image = await app.context.images.open(top(of), "qcow2");
  const found = await textAt(image, sector);
  await image.close();
  return found;
}

/** Files of the machine that hold the text as it is. */
function revealing(of: Machine = machine): string[] {
  return readdirSync(of.paths.folder, { recursive: true, encoding: "utf8" }).filter((name) => {
    const file = path.join(of.paths.folder, name);
    return statSync(file).isFile() && readFileSync(file).includes(SECRET);
  });
}

async function reopen(): Promise<void> {
  await app.close("power-off");
  app = await openTestApp(folder);
  machine = app.context.registry.list().find(({ name }) => name === "base") ?? expect.fail("the machine is there");
}

const refused = { code: "PERMISSION_DENIED", details: { field: "passphrase" } };

describe("an encrypted machine", () => {
  it("has its disks and snapshots, and nothing of them in its files", async () => {
    expect(revealing()).toHaveLength(2);
    await encryptMachine(app.context, machine, PASSPHRASE);
    expect(revealing()).toEqual([]);
    expect(readdirSync(machine.paths.disks).filter((name) => name.endsWith(".qcow2"))).toHaveLength(2);
    expect([await text(1), await text(2)]).toEqual([SECRET, `${SECRET} two`]);
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "power-off");
    const [one] = machine.record.snapshots;
    await restoreSnapshot(app.context, app.lifecycle, machine, one ?? expect.fail(), { keepCurrent: false });
    expect([await text(1), await text(2)]).toEqual([SECRET, ""]);
  });

  it("is locked after a new start of the app, and refuses until it is unlocked", async () => {
    await encryptMachine(app.context, machine, PASSPHRASE);
    await reopen();
    expect(machine.summary().encryption).toBe("locked");
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject(refused);
    await expect(takeSnapshot(app.context, machine, { description: "" })).rejects.toMatchObject(refused);
    await expect(unlockMachine(app.context, machine, "wrong horse")).rejects.toMatchObject(refused);
    expect(machine.summary()).toMatchObject({ encryption: "locked", state: "powered-off" });
    await unlockMachine(app.context, machine, PASSPHRASE);
    expect(await text(1)).toBe(SECRET);
    await lockMachine(app.context, machine);
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject(refused);
  });

  it("gets another passphrase without a disk being written", async () => {
    await encryptMachine(app.context, machine, PASSPHRASE);
    const before = readFileSync(top());
    await expect(changePassphrase(machine, "wrong horse", "another horse")).rejects.toMatchObject(refused);
    await changePassphrase(machine, PASSPHRASE, "another horse");
    expect(readFileSync(top()).equals(before)).toBe(true);
    await lockMachine(app.context, machine);
    await expect(unlockMachine(app.context, machine, PASSPHRASE)).rejects.toMatchObject(refused);
    await unlockMachine(app.context, machine, "another horse");
    expect(await diskSecretOf(machine, "another horse")).toMatch(/^[0-9a-f]{64}$/);
  });

  it("shares layers with its linked clone, which is encrypted as well", async () => {
    await encryptMachine(app.context, machine, PASSPHRASE);
    const [clone] = await cloneMachine(app.context, machine, { name: "clone", kind: "linked" });
    const [full] = await cloneMachine(app.context, machine, { name: "full", kind: "full" });
    for (const copy of [clone, full]) {
      expect(copy?.summary().encryption).toBe("unlocked");
      expect(await text(2, copy)).toBe(`${SECRET} two`);
      expect(revealing(copy)).toEqual([]);
    }
  });

  it("is not backed up in the clear", async () => {
    await encryptMachine(app.context, machine, PASSPHRASE);
    const backup = backUp(app.context, machine, { folder: path.join(folder, "backup"), memory: false });
    await expect(backup).rejects.toMatchObject({ code: "UNSUPPORTED", details: { field: "encryption" } });
  });

  it("can be decrypted again", async () => {
    await encryptMachine(app.context, machine, PASSPHRASE);
    await expect(decryptMachine(app.context, machine, "wrong horse")).rejects.toMatchObject(refused);
    await decryptMachine(app.context, machine, PASSPHRASE);
    expect(machine.summary().encryption).toBe("none");
    await reopen();
    expect([await text(1), await text(2)]).toEqual([SECRET, `${SECRET} two`]);
    expect(app.notices).toEqual([]);
  });

  it("is as it was when encrypting is cancelled", async () => {
    const files = readdirSync(machine.paths.disks);
    const encryption = encryptMachine(app.context, machine, PASSPHRASE);
    const { tasks } = app.context;
    const running = () =>
      tasks.list().find(({ title, state }) => title.startsWith("Encrypting") && state === "running");
    await waitUntil("it is under way", () => running() !== undefined);
    tasks.cancel(running()?.id ?? "");
    await expect(encryption).rejects.toMatchObject({ code: "CANCELLED" });
    expect(readdirSync(machine.paths.disks)).toEqual(files);
    expect(machine.record).toMatchObject({ encryption: null, pending: null });
    expect(await text(1)).toBe(SECRET);
  });
});
