import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { backUp, listBackups, restoreBackup, verifyBackups } from "../../../main/services/backup/backup.ts";
import { exportMachine, importMachine } from "../../../main/services/backup/machine-file.ts";
import { verifyMachine } from "../../../main/services/integrity/verify.ts";
import { createStarter } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { sendText, waitForOutput } from "../../../main/services/machines/serial.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { isChanged } from "../../../main/services/snapshots/visible.ts";
import { readText, writeText } from "../../support/disk-bytes.ts";
import { endTestApp, makeStarter, openTestApp, startTestApp } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

let folder: string;
let store: string;
let app: App;
let machine: Machine;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  store = path.join(folder, "backups");
  machine = await createStarter(app.context, { name: "vm" });
  await writeText(topOf(machine), 5, "original");
});

afterEach(() => endTestApp(app, folder));

const topOf = (of: Machine) => path.resolve(of.paths.folder, of.record.config.disks[0]?.file ?? "");
const backup = (memory = false) => backUp(app.context, machine, { folder: store, memory });

function objects(): string[] {
  const found = readdirSync(path.join(store, "objects"), { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

describe("a backup", () => {
  it("comes back as a machine of its own, with disks and settings as they were", async () => {
    const made = await backup();
    await writeText(topOf(machine), 5, "changed");
    const back = await restoreBackup(app.context, store, made.id, undefined);
    expect([back.name, back.state, back.id === machine.id]).toEqual(["vm 2", "powered-off", false]);
    expect(await readText(topOf(back), 5)).toBe("original");
    await app.lifecycle.start(back);
  });

  it("writes only what is new, and nothing when nothing changed", async () => {
    expect((await backup()).writtenBytes).toBeGreaterThan(0);
    const before = objects().length;
    expect((await backup()).writtenBytes).toBe(0);
    await writeText(topOf(machine), 10_000, "more");
    await backup();
    expect(objects()).toHaveLength(before + 1);
    expect((await listBackups(store)).map((each) => each.machineName)).toEqual(["vm", "vm", "vm"]);
  });

  it("leaves a machine that is off as unchanged as it was", async () => {
    const snapshot = await takeSnapshot(app.context, machine, { name: "one", description: "" });
    await backup();
    expect([isChanged(machine.record), machine.record.snapshots]).toEqual([false, [snapshot]]);
    await writeText(topOf(machine), 5, "changed");
    await machine.update(() => ({ changedSinceSnapshot: true }));
    await backup();
    expect(isChanged(machine.record)).toBe(true);
  });

  it("of a running machine may keep its memory, and leaves no snapshot behind", async () => {
    await app.lifecycle.start(machine);
    await sendText(machine, 0, "one\n");
    const made = await backup(true);
    expect(made.withMemory).toBe(true);
    expect([machine.state, machine.record.snapshots]).toEqual(["running", []]);
    const back = await restoreBackup(app.context, store, made.id, "again");
    expect(back.state).toBe("saved");
    await app.lifecycle.start(back);
    await waitForOutput(back, { port: 0, pattern: "typed lines: 1$", timeoutMs: 5000, fromOffset: 0 });
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
    expect(readdirSync(machine.paths.disks).filter((name) => name.endsWith(".qcow2"))).toHaveLength(1);
  });

  it("that was cut off is finished by the next one with what is there", async () => {
    await backup();
    for (const name of readdirSync(path.join(store, "backups"))) rmSync(path.join(store, "backups", name));
    const made = await backup();
    expect(made.writtenBytes).toBe(0);
    expect(await verifyBackups(app.context, store)).toMatchObject({ backups: 1, problems: [] });
  });

  it("can be taken elsewhere and restored on another computer", async () => {
    const made = await backup();
    const elsewhere = path.join(folder, "other");
    await mkdir(elsewhere);
    await makeStarter(elsewhere);
    cpSync(store, path.join(elsewhere, "copied"), { recursive: true });
    const other = await openTestApp(elsewhere);
    const back = await restoreBackup(other.context, path.join(elsewhere, "copied"), made.id, undefined);
    expect(await readText(topOf(back), 5)).toBe("original");
    await other.close("power-off");
  });

  it("is refused inside the data folder, in a folder of something else, and by another id", async () => {
    const inside = path.join(app.context.store.data.root, "backups");
    await expect(backUp(app.context, machine, { folder: inside, memory: false })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { field: "folder" },
    });
    await mkdir(store);
    writeFileSync(path.join(store, "terrarium-backup.json"), '{"format":"other"}');
    await expect(backup()).rejects.toMatchObject({ code: "INVALID_FILE" });
    await expect(listBackups(path.join(folder, "nowhere"))).rejects.toMatchObject({ code: "NOT_FOUND" });
    rmSync(store, { recursive: true });
    await backup();
    await expect(restoreBackup(app.context, store, "000000000000", undefined)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("with a damaged or lost piece is found by verifying, and refused when restored", async () => {
    const made = await backup();
    const [first = ""] = objects();
    appendFileSync(first, "x");
    writeFileSync(first, readFileSync(first).subarray(3));
    const { problems } = await verifyBackups(app.context, store);
    expect(problems).toMatchObject([{ file: first, backupId: made.id }]);
    await expect(restoreBackup(app.context, store, made.id, "again")).rejects.toMatchObject({ code: "INVALID_FILE" });
    expect(app.context.registry.list()).toHaveLength(1);
    rmSync(first);
    expect((await verifyBackups(app.context, store)).problems).toHaveLength(1);
  });

  it("whose list was changed in any digit is found by verifying, and not restored", async () => {
    const made = await backup();
    const file = path.join(store, "backups", `${made.id}.json`);
    const text = readFileSync(file, "utf8");
    expect(text).toContain('"memoryMiB":256');
    writeFileSync(file, text.replace('"memoryMiB":256', '"memoryMiB":257'));
    expect((await verifyBackups(app.context, store)).problems).toMatchObject([{ file, backupId: null }]);
    await expect(restoreBackup(app.context, store, made.id, "again")).rejects.toMatchObject({ code: "NOT_FOUND" });
    writeFileSync(file, text);
    expect((await verifyBackups(app.context, store)).problems).toEqual([]);
  });
});

describe("a machine in one file", () => {
  it("goes out and comes in again", async () => {
    const file = path.join(folder, "vm.terrarium");
    const sizeBytes = await exportMachine(app.context, machine, file, false);
    expect(statSync(file).size).toBe(sizeBytes);
    const back = await importMachine(app.context, file, "imported");
    expect(await readText(topOf(back), 5)).toBe("original");
    expect(readdirSync(folder).filter((name) => name.startsWith(".terrarium-"))).toEqual([]);
    expect(readdirSync(app.context.store.data.run).filter((name) => name.startsWith(".terrarium-"))).toEqual([]);
  });

  it("is never written over another file", async () => {
    const file = path.join(folder, "precious");
    writeFileSync(file, "precious");
    await expect(exportMachine(app.context, machine, file, false)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect(readFileSync(file, "utf8")).toBe("precious");
  });

  it.each([
    ["is cut off", (file: string) => truncateSync(file, 3000)],
    ["has entries that lead elsewhere", (file: string) => writeFileSync(file, tarWith("../../evil", "x"))],
    ["has entries that belong nowhere", (file: string) => writeFileSync(file, tarWith("objects/aa/evil.sh", "x"))],
    ["is something else", (file: string) => writeFileSync(file, "no archive at all".repeat(100))],
    ["is empty", (file: string) => writeFileSync(file, "")],
  ])("that %s is refused, and leaves nothing", async (_, harm) => {
    const file = path.join(folder, "vm.terrarium");
    await exportMachine(app.context, machine, file, false);
    harm(file);
    await expect(importMachine(app.context, file, "imported")).rejects.toMatchObject({
      code: /INVALID_FILE|NOT_FOUND/,
    });
    expect(app.context.registry.list()).toHaveLength(1);
    expect(existsSync(path.join(folder, "evil"))).toBe(false);
  });
});

describe("verifying a machine", () => {
  it("reads everything, and names what is damaged", async () => {
    await takeSnapshot(app.context, machine, { name: "one", description: "" });
    expect(await verifyMachine(app.context, machine)).toMatchObject({ checkedFiles: 2, skipped: [], problems: [] });
    const layer = path.join(machine.paths.disks, "disk0.qcow2");
    truncateSync(layer, statSync(layer).size - 65536);
    const { problems } = await verifyMachine(app.context, machine);
    expect(problems[0]).toMatchObject({ file: layer });
  });
});

function tarWith(name: string, contents: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, "latin1");
  header.write(`${contents.length.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  header.write("0", 156, "latin1");
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return Buffer.concat([header, Buffer.alloc(512, contents), Buffer.alloc(1024)]);
}
