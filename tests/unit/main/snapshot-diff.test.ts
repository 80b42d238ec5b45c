import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { configure } from "../../../main/services/machines/configuration.ts";
import { createCustom } from "../../../main/services/machines/creation.ts";
import { addDisk } from "../../../main/services/machines/disks.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { diffSnapshots } from "../../../main/services/snapshots/diff.ts";
import { handToGuest, listSnapshotFolder, readSnapshotFile } from "../../../main/services/snapshots/files.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { visibleSnapshots } from "../../../main/services/snapshots/visible.ts";
import { canonical, nodeMediaHost } from "../../../native-core/host/media-host.ts";
import { openChain } from "../../../native-core/media/chain.ts";
import { endTestApp, kernelBytes, startTestApp } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

const MKFS = "/usr/sbin/mkfs.ext4";
const DEBUGFS = "/usr/sbin/debugfs";
const hasTools = existsSync(MKFS) && existsSync(DEBUGFS);

let folder: string;
let app: App;
let machine: Machine;

/** The guest writes: what differs between two images goes into the top layer. */
async function become(image: string, wanted: Buffer): Promise<void> {
  const host = nodeMediaHost({ trustedFolders: [folder] });
  const disk = await openChain(host, { path: await canonical(image), format: "qcow2", readOnly: false });
  const block = new Uint8Array(4096);
  for (let at = 0; at < wanted.length; at += block.length) {
    await disk.read(at, block);
    const next = wanted.subarray(at, at + block.length);
    if (Buffer.compare(block, next) !== 0) await disk.write(at, next);
  }
  await disk.close();
}

const topOf = () => path.resolve(machine.paths.folder, machine.record.config.disks[0]?.file ?? "");
const take = (name: string) => takeSnapshot(app.context, machine, { name, description: "" });

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  const kernel = path.join(folder, "kernel");
  await writeFile(kernel, kernelBytes());
  const options = { description: "", memoryMiB: 128, initrd: null, commandLine: "" };
  machine = await createCustom(app.context, { name: "vm", kernel, disks: [{ sizeMiB: 24 }], ...options });
});

afterEach(() => endTestApp(app, folder));

describe.skipIf(!hasTools)("the difference of snapshots", () => {
  async function prepared() {
    const tree = path.join(folder, "tree");
    mkdirSync(path.join(tree, "etc"), { recursive: true });
    await writeFile(path.join(tree, "etc", "old"), "old contents");
    await writeFile(path.join(tree, "big"), Buffer.alloc(2_500_000, "abc"));
    const image = path.join(folder, "disk.img");
    execFileSync(MKFS, ["-q", "-F", "-L", "root", "-d", tree, image, "24M"]);
    await become(topOf(), readFileSync(image));
    const first = await take("first");
    execFileSync(DEBUGFS, ["-w", "-R", "rm /etc/old", image], { stdio: "ignore" });
    execFileSync(DEBUGFS, ["-w", "-R", `write ${path.join(tree, "etc", "old")} /etc/new`, image], { stdio: "ignore" });
    await become(topOf(), readFileSync(image));
    return { first };
  }

  it("tells settings and files, between two and against now", async () => {
    const { first } = await prepared();
    const files = [
      { path: "/etc/new", change: "added", kind: "file", sizeBefore: null, sizeAfter: 12 },
      { path: "/etc/old", change: "removed", kind: "file", sizeBefore: 12, sizeAfter: null },
    ];
    const second = await take("second");
    expect(await diffSnapshots(app.context, machine, first, second)).toEqual({
      settings: [],
      disks: [
        {
          diskId: "disk0",
          change: "changed",
          partitions: [{ number: 0, fileSystem: "ext4", label: "root", changes: files, total: 2, problem: null }],
        },
      ],
    });
    await configure(app.context, machine, { ...machine.record.config, memoryMiB: 512 });
    const now = await diffSnapshots(app.context, machine, first, null);
    expect(now.settings).toEqual([{ path: "memoryMiB", label: "Memory", before: 128, after: 512 }]);
    expect(now.disks[0]?.partitions[0]?.total).toBe(2);
    await app.lifecycle.start(machine);
    const running = await diffSnapshots(app.context, machine, first, null);
    expect(running.settings).toEqual(now.settings);
    expect(running.disks[0]?.partitions[0]?.changes).toEqual(files);
    expect(await diffSnapshots(app.context, machine, second, second)).toEqual({
      settings: [],
      disks: [{ diskId: "disk0", change: "same", partitions: [] }],
    });
  });

  it("shows folders as they were, from the root on, and hands single files to the guest on a disc", async () => {
    const { first } = await prepared();
    const list = (folder: string) => listSnapshotFolder(app.context, machine, first, { path: folder });
    const root = await list("/");
    expect(root).toMatchObject({ diskId: "disk0", partition: 0, places: [{ fileSystem: "ext4", label: "root" }] });
    expect(root.entries.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      "folder etc",
      "folder lost+found",
      "file big",
    ]);
    expect((await list("/etc/")).entries.map(({ name }) => name)).toContain("old");
    await expect(list("/nowhere")).rejects.toMatchObject({ code: "NOT_FOUND", details: { field: "path" } });
    const hand = () => handToGuest(app.context, machine, first, { path: "/etc/old" });
    await expect(hand()).rejects.toMatchObject({ code: "NOT_FOUND", details: { field: "opticalDrives" } });
    await configure(app.context, machine, { ...machine.record.config, opticalDrives: [{ id: "cd0", file: null }] });
    const { changed, file } = await hand();
    expect(changed).toBe(true);
    expect(machine.record.config.opticalDrives[0]?.file).toBe(file);
    expect(readFileSync(file).includes("old contents")).toBe(true);
  });

  it("gives a file back as it was, in pieces", async () => {
    const { first } = await prepared();
    const read = (file: string, offset = 0) => readSnapshotFile(app.context, machine, first, { path: file }, offset);
    expect(Buffer.from((await read("/etc/old")).base64, "base64").toString()).toBe("old contents");
    const pieces: Buffer[] = [];
    for (let offset: number | null = 0; offset !== null; ) {
      const piece: { base64: string; nextOffset: number | null } = await read("/big", offset);
      pieces.push(Buffer.from(piece.base64, "base64"));
      offset = piece.nextOffset;
    }
    expect(pieces.length).toBe(3);
    expect(Buffer.compare(Buffer.concat(pieces), Buffer.alloc(2_500_000, "abc"))).toBe(0);
    await expect(read("/etc/new")).rejects.toMatchObject({ code: "NOT_FOUND", details: { field: "path" } });
  });
});

describe("a comparison", () => {
  it("with now reads the disks of a running machine as they are, keeps no memory and leaves nothing behind", async () => {
    const first = await take("first");
    await become(topOf(), Buffer.alloc(4096, 1));
    await app.lifecycle.start(machine);
    const [memories, visible] = [new Set<string | null>(), new Set<string>()];
    app.context.events.onChange(() => {
      for (const { transient, memory } of machine.record.snapshots) if (transient) memories.add(memory);
      for (const { name } of visibleSnapshots(machine.record)) visible.add(name);
    });
    const { disks } = await diffSnapshots(app.context, machine, first, null);
    expect(disks).toEqual([{ diskId: "disk0", change: "changed", partitions: [] }]);
    expect([[...memories], [...visible]]).toEqual([[null], ["first"]]);
    expect([machine.state, machine.record.snapshots]).toEqual(["running", [first]]);
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
    expect(readdirSync(machine.paths.disks).filter((name) => name.endsWith(".qcow2"))).toHaveLength(2);
  });

  it("with now is refused while the machine runs on an image that is used where it is, which it would freeze", async () => {
    const first = await take("first");
    const image = path.join(folder, "mine.raw");
    await writeFile(image, Buffer.alloc(1 << 20));
    await addDisk(app.context, machine, { file: image });
    await app.lifecycle.start(machine);
    await expect(diffSnapshots(app.context, machine, first, null)).rejects.toMatchObject({ code: "INVALID_STATE" });
    expect(machine.record.config.disks[1]?.file).toBe(image);
  });

  it("of disks without a file system says that they changed", async () => {
    const first = await take("first");
    await become(topOf(), Buffer.alloc(4096, 1));
    expect((await diffSnapshots(app.context, machine, first, null)).disks).toEqual([
      { diskId: "disk0", change: "changed", partitions: [] },
    ]);
  });

  it("names disks that came and went", async () => {
    const first = await take("first");
    await configure(app.context, machine, { ...machine.record.config, disks: [] });
    expect((await diffSnapshots(app.context, machine, first, null)).disks).toMatchObject([{ change: "removed" }]);
  });
});
