import { readdirSync, truncateSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { configure } from "../../../main/services/machines/configuration.ts";
import { type CustomMachine, createCustom, createStarter } from "../../../main/services/machines/creation.ts";
import { addDisk, diskDetached, removeDisk } from "../../../main/services/machines/disks.ts";
import { removeMachine, undoRemove } from "../../../main/services/machines/removal.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { endTestApp, kernelBytes, startTestApp } from "../../support/test-app.ts";

let folder: string;
let app: App;
let kernel: string;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  kernel = await file("vmlinuz", kernelBytes());
});

afterEach(() => endTestApp(app, folder));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const target = path.join(folder, name);
  await writeFile(target, content);
  return target;
}

function custom(change: Partial<CustomMachine> = {}) {
  const options = {
    name: "vm",
    description: "",
    memoryMiB: 256,
    kernel,
    initrd: null,
    commandLine: "",
    disks: [],
    ...change,
  };
  return createCustom(app.context, options);
}

function changedKernel(change: (bytes: Buffer) => void): Buffer {
  const bytes = kernelBytes();
  change(bytes);
  return bytes;
}

function expectNothingMade(): void {
  expect(readdirSync(app.context.store.data.machines)).toEqual([]);
  expect(app.context.registry.list()).toEqual([]);
}

describe("a machine that boots from the network", () => {
  it("asks it after its disks, and its NAT offers the file with its folder, if there is one", async () => {
    const script = await file("boot.ipxe", "#!ipxe");
    const offering = await custom({ kernel: null, initrd: null, networkBoot: script });
    expect(offering.record.config).toMatchObject({
      boot: { kernel: null, order: ["disk", "cdrom", "network"] },
      adapters: [{ network: "nat", bootFolder: folder, bootFile: "boot.ipxe" }],
    });
    const asking = await custom({ name: "other", kernel: null, initrd: null, networkBoot: "" });
    expect(asking.record.config).toMatchObject({
      boot: { order: ["disk", "cdrom", "network"] },
      adapters: [{ bootFolder: "", bootFile: "" }],
    });
  });
});

describe("a machine that can't be made", () => {
  afterEach(() => expectNothingMade());

  it.each([
    ["that is missing", null, "NOT_FOUND"],
    ["that is text", Buffer.from("#!/bin/sh\n".repeat(200)), "INVALID_FILE"],
    ["that is empty", Buffer.alloc(0), "INVALID_FILE"],
    ["that is cut off", kernelBytes(4096).subarray(0, 3000), "INVALID_FILE"],
    ["for 32 bits", changedKernel((bytes) => bytes.writeUInt16LE(0, 0x236)), "INVALID_FILE"],
    ["of before 2012", changedKernel((bytes) => bytes.writeUInt16LE(0x020b, 0x206)), "INVALID_FILE"],
    ["that is not a bzImage", changedKernel((bytes) => bytes.write("Sdrh", 0x202)), "INVALID_FILE"],
  ])("for a kernel %s names file and field", async (_, content, code) => {
    const wrong = content === null ? path.join(folder, "nowhere") : await file("wrong", content);
    await expect(custom({ kernel: wrong })).rejects.toMatchObject({
      code,
      details: { file: wrong, field: "boot.kernel", remedy: expect.any(String) },
    });
  });

  it("for a kernel that is a folder says so", async () => {
    await expect(custom({ kernel: folder })).rejects.toMatchObject({
      code: "INVALID_FILE",
      details: { field: "boot.kernel" },
    });
  });

  it("for a relative path asks for the whole one", async () => {
    await expect(custom({ kernel: "vmlinuz" })).rejects.toMatchObject({
      details: { field: "boot.kernel", remedy: expect.stringContaining("whole") },
    });
  });

  it("for a file to boot from the network that is not there names it", async () => {
    await expect(custom({ kernel: null, networkBoot: path.join(folder, "nowhere") })).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { file: path.join(folder, "nowhere"), field: "networkBoot" },
    });
  });

  it("for an empty initial RAM disk names it", async () => {
    const initrd = await file("initrd", "");
    await expect(custom({ initrd })).rejects.toMatchObject({
      code: "INVALID_FILE",
      details: { file: initrd, field: "boot.initrd" },
    });
  });

  it.each([
    [
      "a VDI image",
      "<<< any program's text >>>".padEnd(64, "\0").concat("\x7f\x10\xda\xbe").padEnd(4096, "\0"),
      "UNSUPPORTED",
    ],
    ["a truncated qcow2 image", "QFI\xfb", "INVALID_FILE"],
    ["less than a sector", "x", "INVALID_FILE"],
  ])("for a disk that is %s names file and field", async (_, content, code) => {
    const image = await file("disk.img", Buffer.from(content, "latin1"));
    await expect(custom({ disks: [{ sizeMiB: 1 }, { file: image }] })).rejects.toMatchObject({
      code,
      details: { file: image, field: expect.stringContaining("disks.1") },
    });
  });

  it("for a disk image whose end is missing names it", async () => {
    const image = path.join(folder, "cut.qcow2");
    await app.context.images.create(image, 1 << 30);
    truncateSync(image, 70_000);
    await expect(custom({ disks: [{ file: image }] })).rejects.toMatchObject({
      code: "INVALID_FILE",
      details: {
        file: image,
        field: expect.stringContaining("disks.0"),
        consequence: expect.any(String),
        remedy: expect.any(String),
      },
    });
  });

  it.each([
    [{ name: "" }, "name"],
    [{ name: "a/b" }, "name"],
    [{ name: "x".repeat(129) }, "name"],
    [{ memoryMiB: 63 }, "memoryMiB"],
    [{ memoryMiB: 3073 }, "memoryMiB"],
    [{ commandLine: "x".repeat(2048) }, "boot.commandLine"],
  ])("for %j names the field", async (change, field) => {
    await expect(custom(change)).rejects.toMatchObject({ code: "INVALID_CONFIG", details: { field } });
  });

  it("for lack of space names the folder that it would have had, not the one under construction", async () => {
    const noSpace = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    app.context.images.create = (target) => Promise.reject(Object.assign(noSpace, { path: target }));
    await expect(custom({ disks: [{ sizeMiB: 1 }] })).rejects.toMatchObject({
      code: "NO_SPACE",
      details: { file: expect.stringMatching(/machines\/[0-9a-f]{12}$/), consequence: "The machine was not created." },
    });
  });

  it("for lack of Starter Linux says how to get it", async () => {
    await rm(path.join(folder, "starter", "disk-template.qcow2"));
    await expect(createStarter(app.context, {})).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { remedy: expect.stringContaining("npm start") },
    });
  });

  it.skipIf(process.getuid?.() === 0)("for a kernel without permission says so", async () => {
    await chmod(kernel, 0);
    await expect(custom()).rejects.toMatchObject({ code: "PERMISSION_DENIED", details: { file: kernel } });
  });

  it("because the copy of a disk fails leaves nothing", async () => {
    await rm(path.join(folder, "starter", "disk-template.qcow2"));
    await mkdir(path.join(folder, "starter", "disk-template.qcow2"));
    await expect(createStarter(app.context, {})).rejects.toThrow("disk-template.qcow2");
  });
});

describe("a name", () => {
  it("is unique, whatever its case and the blanks around it", async () => {
    await custom({ name: "Build server" });
    for (const name of ["Build server", "build SERVER", " Build server "]) {
      await expect(custom({ name })).rejects.toMatchObject({ code: "ALREADY_EXISTS", details: { field: "name" } });
    }
  });

  it("is given to one of two that ask at once", async () => {
    const results = await Promise.allSettled([custom({ name: "twin" }), custom({ name: "twin" })]);
    expect(results.map((result) => result.status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("is found for Starter Linux when none is given", async () => {
    const names = [];
    for (const _ of [1, 2, 3]) names.push((await createStarter(app.context, {})).name);
    expect(names).toEqual(["Starter Linux", "Starter Linux 2", "Starter Linux 3"]);
  });

  it("may be kept, but not taken over, when a machine is configured", async () => {
    const [one, two] = [await custom({ name: "one" }), await custom({ name: "two" })];
    await configure(app.context, one, { ...one.record.config, description: "same name" });
    await expect(configure(app.context, two, { ...two.record.config, name: "ONE" })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    expect(two.name).toBe("two");
  });
});

describe("a change of the configuration", () => {
  it("of what may only change while off is refused in every other state, by name", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    const larger = { ...machine.record.config, memoryMiB: 512 };
    await expect(configure(app.context, machine, larger)).rejects.toMatchObject({
      code: "INVALID_STATE",
      message: expect.stringContaining('"Memory"'),
      details: { field: "memoryMiB" },
    });
    await app.lifecycle.stop(machine, "save");
    await expect(configure(app.context, machine, larger)).rejects.toMatchObject({ code: "INVALID_STATE" });
    await app.lifecycle.discardSavedState(machine);
    await configure(app.context, machine, larger);
    expect(machine.record.config.memoryMiB).toBe(512);
  });

  it("of the kernel checks the new one first", async () => {
    const machine = await custom();
    const { config } = machine.record;
    await expect(
      configure(app.context, machine, { ...config, boot: { ...config.boot, kernel: "/etc/hostname" } }),
    ).rejects.toMatchObject({
      details: { field: "boot.kernel" },
    });
    expect(machine.record.config).toEqual(config);
  });

  it("that names a disk twice is refused", async () => {
    const machine = await custom({ disks: [{ sizeMiB: 1 }] });
    const { config } = machine.record;
    const disks = [...config.disks, ...config.disks];
    await expect(configure(app.context, machine, { ...config, disks })).rejects.toMatchObject({
      details: { field: "disks.1.id" },
    });
  });
});

describe("a configuration that is out of date", () => {
  it("changes only what was meant to change: a snapshot in between keeps its new layers", async () => {
    const machine = await createStarter(app.context, {});
    const stale = machine.record.config;
    await takeSnapshot(app.context, machine, { description: "" });
    const layered = machine.record.config.disks;
    const both = [
      configure(app.context, machine, { ...machine.record.config, description: "new" }),
      takeSnapshot(app.context, machine, { description: "" }),
    ];
    await Promise.all(both);
    expect(machine.record.config.description).toBe("new");
    expect(machine.record.config.disks).not.toEqual(layered);
    await expect(configure(app.context, machine, { ...stale, memoryMiB: 512 })).rejects.toMatchObject({
      code: "INVALID_FILE",
      details: { field: "disks.0" },
    });
  });

  it("can't make a layer of the store a disk", async () => {
    const [owner, thief] = [await createStarter(app.context, {}), await custom()];
    const layer = path.join(owner.paths.disks, "disk0.qcow2");
    const disk = { id: "disk0", file: layer, format: "qcow2" as const, readOnly: false };
    await expect(configure(app.context, thief, { ...thief.record.config, disks: [disk] })).rejects.toMatchObject({
      code: "INVALID_FILE",
      message: expect.stringContaining("belongs to a machine"),
    });
  });

  it("can't call a qcow2 image raw, or the other way round", async () => {
    const machine = await custom({ disks: [{ sizeMiB: 1 }] });
    const disks = machine.record.config.disks.map((disk) => ({ ...disk, format: "raw" as const }));
    await expect(configure(app.context, machine, { ...machine.record.config, disks })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      details: { field: "disks.0.format" },
    });
  });
});

describe("a disk that is added", () => {
  it("does not take over the file of one that was taken out", async () => {
    const machine = await custom({ disks: [{ sizeMiB: 1 }] });
    const { config } = machine.record;
    await configure(app.context, machine, { ...config, snapshots: { ...config.snapshots, safety: false } });
    await configure(app.context, machine, { ...machine.record.config, disks: [] });
    await addDisk(app.context, machine, { sizeMiB: 2 });
    expect(machine.record.config.disks).toMatchObject([{ id: "disk1", file: "disks/disk1.qcow2" }]);
    expect(readdirSync(machine.paths.disks)).toHaveLength(2);
  });

  it("gets an id that neither the machine nor a snapshot uses", async () => {
    const machine = await custom({ disks: [{ sizeMiB: 1 }] });
    await addDisk(app.context, machine, { sizeMiB: 2 });
    expect(machine.record.config.disks.map((disk) => disk.id)).toEqual(["disk0", "disk1"]);
  });

  it("may be an image that stays where it is", async () => {
    const machine = await custom();
    const image = path.join(folder, "mine.qcow2");
    await app.context.images.create(image, 1 << 20);
    await addDisk(app.context, machine, { file: image });
    expect(machine.record.config.disks[0]).toMatchObject({ file: image, format: "qcow2" });
  });

  it("is refused while the machine is saved", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "save");
    await expect(addDisk(app.context, machine, { sizeMiB: 1 })).rejects.toMatchObject({ code: "INVALID_STATE" });
  });

  it("is plugged into a running machine, whose other disks keep their slots when one is taken out", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await addDisk(app.context, machine, { sizeMiB: 1 });
    await addDisk(app.context, machine, { sizeMiB: 1 });
    const slots = () => machine.record.config.disks.map(({ id, slot }) => [id, slot]);
    expect(slots()).toEqual([
      ["disk0", 8],
      ["disk1", 9],
      ["disk2", 10],
    ]);
    const snapshot = await takeSnapshot(app.context, machine, { name: "with three", description: "" });
    expect(snapshot.layers.map(({ diskId }) => diskId)).toEqual(["disk0", "disk1", "disk2"]);
    expect(await removeDisk(machine, "disk1", false)).toBeNull();
    expect(slots()).toHaveLength(3);
    expect(await removeDisk(machine, "disk1", true)).toMatch(/disk1.*\.qcow2$/);
    await diskDetached(machine, "disk0");
    expect(slots()).toEqual([["disk2", 10]]);
    await expect(removeDisk(machine, "disk7", false)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe.each(["usb", "scsi"] as const)("a %s disk", (bus) => {
  it("comes to a running machine and leaves it, and hangs there from then on", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await addDisk(app.context, machine, { sizeMiB: 1 }, bus);
    await addDisk(app.context, machine, { sizeMiB: 1 }, bus);
    const added = () => machine.record.config.disks.slice(1).map(({ id, bus: where, slot }) => [id, where, slot]);
    // SCSI disks have places of their own, beside those of virtio disks.
    const [first, second] = bus === "scsi" ? [8, 9] : [undefined, undefined];
    expect(added()).toEqual([
      ["disk1", bus, first],
      ["disk2", bus, second],
    ]);
    expect(await removeDisk(machine, "disk1", true)).toMatch(/disk1.*\.qcow2$/);
    expect(added()).toEqual([["disk2", bus, second]]);
    await app.lifecycle.stop(machine, "power-off");
    await addDisk(app.context, machine, { sizeMiB: 1 }, bus);
    expect(added()).toHaveLength(2);
  });
});

describe("a machine that is removed", () => {
  it("is in the trash and comes back with everything, under a free name", async () => {
    const machine = await custom({ name: "one", description: "notes", disks: [{ sizeMiB: 1 }] });
    await removeMachine(app.context, machine, false);
    await custom({ name: "one" });
    const back = await undoRemove(app.context, machine.id);
    expect(back.record.config).toMatchObject({ name: "one 2", description: "notes", disks: [{ id: "disk0" }] });
    expect(readdirSync(back.paths.disks)).toEqual(["disk0.qcow2"]);
  });

  it("for good leaves nothing", async () => {
    const machine = await custom();
    await removeMachine(app.context, machine, true);
    expect(readdirSync(app.context.store.data.trash)).toEqual([]);
    await expect(undoRemove(app.context, machine.id)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("must not be running", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await expect(removeMachine(app.context, machine, false)).rejects.toMatchObject({ code: "INVALID_STATE" });
    expect(machine.state).toBe("running");
  });
});
