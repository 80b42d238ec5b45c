// The commands for what machines keep, on both transports: disks, discs, backups, shared folders, encryption.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RpcClient } from "../../main/rpc/client.ts";
import type { App } from "../../main/services/app.ts";
import { findInIso } from "../../native-core/media/iso-files.ts";
import { isoImage } from "../support/iso-image.ts";
import { MemoryImageFile } from "../support/media/memory-image-file.ts";
import { type CommandName, openRecorded, type RecordedApp, STORAGE_COMMANDS } from "./recorded-app.ts";
import { failureOf, TRANSPORTS } from "./transports.ts";

describe.each(TRANSPORTS)("the contract over %s, for storage", (_, connect) => {
  let opened: RecordedApp;
  let folder: string;
  let app: App;
  let client: RpcClient;
  const called = new Set<CommandName>();

  beforeEach(async () => {
    opened = await openRecorded(connect, called);
    ({ folder, app, client } = opened);
  });

  afterEach(() => opened.close());

  it("lists the disk images of all machines with what they take", async () => {
    const { id } = await client.machines.createStarter({});
    await client.snapshots.take({ id });
    const [disk] = await client.disks.list();
    expect(disk).toMatchObject({ machineId: id, diskId: "disk0", missing: false, sizeBytes: 8 << 20, inUse: false });
    expect(disk?.layerBytes).toBeGreaterThan(100_000);
    await rm(disk?.file ?? "");
    expect(await client.disks.list()).toMatchObject([{ missing: true, usedBytes: 0 }]);
    const iso = path.join(folder, "tools.iso");
    await writeFile(iso, Buffer.alloc(64 * 2048));
    const { config } = await client.machines.get({ id });
    await client.machines.configure({ id, config: { ...config, opticalDrives: [{ id: "cd0", file: iso }] } });
    expect((await client.disks.list())[1]).toMatchObject({
      file: iso,
      format: "iso",
      diskId: "cd0",
      sizeBytes: 64 * 2048,
    });
  });

  it("backs machines up, verifies, exports and imports them", async () => {
    const { id } = await client.machines.createStarter({ name: "vm" });
    const store = path.join(folder, "backups");
    const made = await client.backups.create({ id, folder: store });
    expect(made).toMatchObject({ machineId: id, machineName: "vm", withMemory: false });
    expect(await client.backups.list({ folder: store })).toMatchObject([{ id: made.id }]);
    expect(await client.backups.verify({ folder: store })).toMatchObject({ backups: 1, problems: [] });
    expect(await client.backups.restore({ folder: store, backupId: made.id })).toMatchObject({ name: "vm 2" });
    const gone = { folder: store, backupId: made.id };
    expect(await client.backups.delete(gone)).toEqual({ freedBytes: 0 });
    expect(await failureOf(client.backups.delete(gone))).toMatchObject({ code: "NOT_FOUND" });
    expect(await failureOf(client.backups.create({ id, folder: "relative" }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      field: "folder",
    });
    expect(await failureOf(client.backups.list({ folder: path.join(folder, "nowhere") }))).toMatchObject({
      code: "NOT_FOUND",
      field: "folder",
    });
    expect(await client.machines.verify({ id })).toMatchObject({ problems: [] });
    const repair = { id, repair: true, backupFolder: store };
    expect(await client.machines.verify(repair)).toMatchObject({ problems: [], skipped: [] });
    const { id: snapshotId } = await client.snapshots.take({ id });
    expect(await failureOf(client.snapshots.dropMemory({ snapshotId }))).toMatchObject({ code: "INVALID_STATE" });
    const file = path.join(folder, "vm.terrarium");
    expect((await client.machines.export({ id, file })).sizeBytes).toBeGreaterThan(0);
    expect(await failureOf(client.machines.export({ id, file }))).toMatchObject({
      code: "ALREADY_EXISTS",
      field: "file",
    });
    expect(await client.machines.import({ file, name: "imported" })).toMatchObject({ name: "imported" });
    expect(await failureOf(client.machines.import({ file: store }))).toMatchObject({ field: "file" });
  });

  it("describes discs, and puts them into drives", async () => {
    const iso = path.join(folder, "alpine.iso");
    await writeFile(iso, isoImage({ label: "alpine 3.20", files: new Map([["A", new Uint8Array(4096)]]) }));
    expect(await client.media.describe({ file: iso })).toMatchObject({ name: "Alpine Linux 3.20", bootsBios: false });
    const { id } = await client.machines.create({ name: "From disc", iso });
    expect(await client.media.changeDisc({ id, file: null })).toEqual({ changed: true });
    expect((await client.machines.get({ id })).config.opticalDrives).toEqual([{ id: "cd0", file: null }]);
    const target = path.join(folder, "copy.qcow2");
    expect(await client.media.convert({ source: iso, target })).toEqual({ file: target });
    expect(await failureOf(client.media.convert({ source: iso, target }))).toMatchObject({
      code: "ALREADY_EXISTS",
      field: "target",
    });
    expect(await failureOf(client.media.changeDisc({ id, file: "/nowhere.iso" }))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("gives a guest files on a disc, in the first empty drive, and no more than fit", async () => {
    const { id } = await client.machines.createStarter({});
    const { config } = await client.machines.get({ id });
    const upload = "a-new-upload";
    const base64 = Buffer.from("hello").toString("base64");
    expect(await failureOf(client.media.stageFile({ id, upload, name: "a", base64 }))).toMatchObject({
      code: "NOT_FOUND",
      field: "opticalDrives",
    });
    const opticalDrives = ["cd0", "cd1"].map((drive) => ({ id: drive, file: null }));
    await client.machines.configure({ id, config: { ...config, opticalDrives } });
    expect(await failureOf(client.media.handFiles({ id, upload }))).toMatchObject({
      code: "NOT_FOUND",
      field: "upload",
    });

    expect(await client.media.stageFile({ id, upload, name: "notes.txt", base64 })).toEqual({ bytes: 5 });
    await client.media.stageFile({ id, upload, name: "notes.txt", base64 });
    await client.media.stageFile({ id, upload, name: "NOTES.TXT", base64: "" });
    await client.media.stageFile({ id, upload, name: "../\u00fcber.md", base64 });
    const first = await client.media.handFiles({ id, upload });
    expect(first).toMatchObject({ changed: true, driveId: "cd0" });
    const disc = await readFile(first.file);
    const textOf = async (name: string) => {
      const place = await findInIso(new MemoryImageFile(disc), name);
      return place && disc.toString("utf8", place.offset, place.offset + place.size);
    };
    expect(await textOf("notes.txt")).toBe("hellohello");
    expect(await textOf("2-notes.txt")).toBe("");
    expect(await textOf("_ber.md")).toBe("hello");

    for (let number = 0; number < 12; number++) {
      await client.media.stageFile({ id, upload, name: `${"long ".repeat(20)}${number}`, base64 });
    }
    expect(await client.media.handFiles({ id, upload })).toMatchObject({ changed: true, driveId: "cd1" });
    const full = (await client.machines.get({ id })).config.opticalDrives.map(({ file }) => file);
    expect(new Set(full).size).toBe(2);

    const many = Array.from({ length: 13 }, (_, number) => `file-${number}`);
    const stage = (name: string) => client.media.stageFile({ id, upload, name, base64 });
    for (const name of many.slice(1)) await stage(name);
    expect(await failureOf(stage("file-0"))).toMatchObject({ code: "UNSUPPORTED", field: "files" });
    expect(await failureOf(client.media.handFiles({ id, upload }))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("shares folders with machines in every state, shows what is in them, and never gives them away", async () => {
    const { id, config } = await client.machines.createStarter({ name: "Sharing" });
    const papers = path.join(folder, "papers");
    await mkdir(path.join(papers, "letters"), { recursive: true });
    await writeFile(path.join(papers, "note.txt"), "hello");
    const share = async (sharedFolders: (typeof config)["sharedFolders"]) => {
      // Snapshots give it other disks.
      const { config: now } = await client.machines.get({ id });
      return client.machines.configure({ id, config: { ...now, sharedFolders } });
    };
    const change = (name: string, where: string) => share([{ name, path: where, readOnly: true }]);
    const field = "sharedFolders.0.path";
    expect(await failureOf(change("none", path.join(folder, "nowhere")))).toMatchObject({ code: "NOT_FOUND", field });
    expect(await failureOf(change("file", path.join(papers, "note.txt")))).toMatchObject({
      code: "INVALID_CONFIG",
      field,
    });
    // A guest that could write there would be master of all machines.
    for (const own of [app.context.store.data.machines, app.context.store.data.root, path.parse(folder).root]) {
      expect(await failureOf(change("own", own))).toMatchObject({ code: "INVALID_CONFIG", field });
    }
    await client.machines.start({ id });
    expect(await failureOf(change("refused", papers))).toMatchObject({ code: "UNSUPPORTED" });
    await change("papers", papers);
    expect((await client.machines.get({ id })).config.sharedFolders).toEqual([
      { name: "papers", path: papers, readOnly: true },
    ]);
    const place = { id, name: "papers" };
    expect((await client.sharedFolders.listFolder({ ...place, path: "/" })).entries).toMatchObject([
      { name: "letters", path: "/letters", kind: "folder" },
      { name: "note.txt", path: "/note.txt", kind: "file", sizeBytes: 5 },
    ]);
    expect(await client.sharedFolders.readFile({ ...place, path: "/note.txt", offset: 1 })).toEqual({
      base64: Buffer.from("ello").toString("base64"),
      nextOffset: null,
    });
    expect(await failureOf(client.sharedFolders.readFile({ ...place, path: "/nothing" }))).toMatchObject({
      code: "NOT_FOUND",
    });
    expect(await failureOf(client.sharedFolders.listFolder({ id, name: "other", path: "/" }))).toMatchObject({
      code: "NOT_FOUND",
      field: "name",
    });
    const snapshot = await client.snapshots.take({ id });
    await share([]);
    await client.snapshots.restore({ snapshotId: snapshot.id, start: false });
    // What of this host a guest may see is decided today, not when the snapshot was taken.
    expect((await client.machines.get({ id })).config.sharedFolders).toEqual([]);
    await change("papers", papers);
    const [copy] = await client.machines.clone({ id, name: "Sharing too", snapshotId: snapshot.id });
    expect(copy?.config.sharedFolders).toMatchObject([{ name: "papers" }]);
    const file = path.join(folder, "sharing.terrarium");
    await client.machines.export({ id, file });
    expect((await client.machines.import({ file, name: "Elsewhere" })).config.sharedFolders).toEqual([]);
  });

  it("encrypts, locks, unlocks and decrypts machines, and refuses a wrong passphrase", async () => {
    const { id } = await client.machines.createStarter({ name: "Private" });
    const passphrase = "correct horse";
    const state = async () => (await client.machines.get({ id })).encryption;
    const refused = { code: "PERMISSION_DENIED", field: "passphrase" };
    await client.machines.encrypt({ id, passphrase });
    expect(await state()).toBe("unlocked");
    await client.machines.lock({ id });
    expect(await state()).toBe("locked");
    expect(await failureOf(client.machines.start({ id }))).toMatchObject(refused);
    expect(await failureOf(client.machines.unlock({ id, passphrase: "wrong horse" }))).toMatchObject(refused);
    await client.machines.unlock({ id, passphrase });
    const newPassphrase = "another horse";
    expect(
      await failureOf(client.machines.changePassphrase({ id, passphrase: newPassphrase, newPassphrase })),
    ).toMatchObject(refused);
    await client.machines.changePassphrase({ id, passphrase, newPassphrase });
    expect(await failureOf(client.machines.diskSecret({ id, passphrase }))).toMatchObject(refused);
    expect(await client.machines.diskSecret({ id, passphrase: newPassphrase })).toEqual({
      secret: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await failureOf(client.machines.decrypt({ id, passphrase }))).toMatchObject(refused);
    await client.machines.decrypt({ id, passphrase: newPassphrase });
    expect(await state()).toBe("none");
  });

  it("has been called with the commands that are tested here only", () => {
    expect(STORAGE_COMMANDS.filter((name) => !called.has(name))).toEqual([]);
  });
});
