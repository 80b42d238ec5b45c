import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { cloneMachine } from "../../../main/services/clones/clone.ts";
import { createStarter } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { resizeDisk } from "../../../main/services/machines/resize-disk.ts";
import { deleteSnapshot } from "../../../main/services/snapshots/delete.ts";
import { restoreSnapshot } from "../../../main/services/snapshots/restore.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { machineSpace, reclaimSpace } from "../../../main/services/space/space.ts";
import { canonical, nodeMediaHost } from "../../../native-core/host/media-host.ts";
import { openChain } from "../../../native-core/media/chain.ts";
import type { DiskImage } from "../../../native-core/media/disk-image.ts";
import { readText, writeText } from "../../support/disk-bytes.ts";
import { hasQemuTools, qemuCheck } from "../../support/media/qemu-tools.ts";
import { endTestApp, startTestApp } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

let folder: string;
let app: App;
let machine: Machine;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  machine = await createStarter(app.context, { name: "vm" });
});

afterEach(() => endTestApp(app, folder));

const MIB = 2 ** 20;
const topOf = () => path.resolve(machine.paths.folder, machine.record.config.disks[0]?.file ?? "");
const sizeOf = async () => (await app.context.images.inspect(topOf())).sizeBytes;

/** Works on the top layer as the guest would. */
async function withDisk(work: (disk: DiskImage) => Promise<void>): Promise<void> {
  const host = nodeMediaHost({ trustedFolders: [folder] });
  const image = await openChain(host, { path: await canonical(topOf()), format: "qcow2", readOnly: false });
  await work(image);
  await image.close();
}

describe("the space of a machine", () => {
  it("tells present, snapshots and what is shared apart", async () => {
    await withDisk((disk) => disk.write(0, new Uint8Array(2 * MIB).fill(1)));
    const before = await machineSpace(machine);
    expect(before.guestBytes).toBe(8 * MIB);
    expect(before.presentBytes).toBeGreaterThanOrEqual(2 * MIB);
    expect(before.sharedBytes).toBe(0);
    await takeSnapshot(app.context, machine, { name: "one", description: "" });
    const withSnapshot = await machineSpace(machine);
    expect(withSnapshot.snapshotBytes).toBe(before.presentBytes);
    expect(withSnapshot.hostBytes).toBeLessThan(before.hostBytes + MIB);
    await cloneMachine(app.context, machine, { name: "clone", kind: "linked" });
    const shared = await machineSpace(machine);
    expect([shared.snapshotBytes, shared.sharedBytes]).toEqual([0, before.presentBytes]);
  });
});

describe("reclaiming space", () => {
  it("gives back zeroes and free clusters without growing the file, and changes nothing that is read", async () => {
    await withDisk(async (disk) => {
      for (let at = 0; at < 6; at++) await disk.write(at * MIB, new Uint8Array(MIB).fill(at % 2 === 0 ? at + 1 : 0));
      await disk.discard(4 * MIB, MIB);
    });
    await writeText(topOf(), 1, "kept");
    const before = statSync(topOf());
    const { freedBytes } = await reclaimSpace(app.context, machine);
    expect(freedBytes).toBeGreaterThan(2.9 * MIB);
    expect(statSync(topOf()).size).toBeLessThanOrEqual(before.size);
    expect(await readText(topOf(), 1)).toBe("kept");
    if (hasQemuTools) expect(await qemuCheck(topOf())).toEqual({ corruptions: 0, leaks: 0, errors: 0 });
    const again = statSync(topOf());
    expect(await reclaimSpace(app.context, machine)).toEqual({ freedBytes: 0 });
    expect(statSync(topOf()).size).toBe(again.size);
  });

  it("leaves layers alone that another machine shares", async () => {
    await withDisk((disk) => disk.write(0, new Uint8Array(MIB)));
    await cloneMachine(app.context, machine, { name: "clone", kind: "linked" });
    const layers = () =>
      readdirSync(machine.paths.disks).map((name) => statSync(path.join(machine.paths.disks, name)).blocks);
    const before = layers();
    await reclaimSpace(app.context, machine);
    expect(layers()).toEqual(before);
  });

  it("of a running machine is left to the guest", async () => {
    await app.lifecycle.start(machine);
    expect(await reclaimSpace(app.context, machine)).toEqual({ freedBytes: 0 });
  });
});

describe("a larger disk", () => {
  it("has a new end of zeroes, and a snapshot to go back to the old size", async () => {
    await writeText(topOf(), 1, "kept");
    const undo = await resizeDisk(app.context, machine, "disk0", 16);
    expect(await sizeOf()).toBe(16 * MIB);
    expect([await readText(topOf(), 1), await readText(topOf(), 20_000)]).toEqual(["kept", ""]);
    await writeText(topOf(), 30_000, "new");
    expect(await readText(topOf(), 30_000)).toBe("new");
    if (hasQemuTools) expect(await qemuCheck(topOf())).toMatchObject({ corruptions: 0, errors: 0 });
    const snapshot = machine.record.snapshots.find((each) => each.id === undo);
    if (!snapshot) throw new Error("there is no snapshot");
    await restoreSnapshot(app.context, app.lifecycle, machine, snapshot, { keepCurrent: false });
    expect(await sizeOf()).toBe(8 * MIB);
  });

  it("may be far larger: its table grows where it is", async () => {
    await resizeDisk(app.context, machine, "disk0", 2 * 1024 * 1024);
    expect(await sizeOf()).toBe(2 * 2 ** 40);
    await writeText(topOf(), 2 ** 31, "far");
    expect(await readText(topOf(), 2 ** 31)).toBe("far");
    if (hasQemuTools) expect(await qemuCheck(topOf())).toMatchObject({ corruptions: 0, errors: 0 });
  });

  it("is refused when it has that size already, is too large or unknown, or the machine runs", async () => {
    const refused = (id: string, sizeMiB: number) => expect(resizeDisk(app.context, machine, id, sizeMiB)).rejects;
    await refused("disk0", 8).toMatchObject({ code: "INVALID_ARGUMENT", details: { field: "sizeMiB" } });
    await refused("disk0", 5 * 1024 * 1024).toMatchObject({ code: "UNSUPPORTED", details: { field: "sizeMiB" } });
    await refused("disk7", 16).toMatchObject({ code: "NOT_FOUND", details: { field: "diskId" } });
    await app.lifecycle.start(machine);
    await refused("disk0", 16).toMatchObject({ code: "INVALID_STATE" });
    expect(await sizeOf()).toBe(8 * MIB);
  });
});

describe("a smaller disk", () => {
  it("keeps what is before its end, and a snapshot to go back to the old size", async () => {
    await writeText(topOf(), 1, "kept");
    const undo = await resizeDisk(app.context, machine, "disk0", 4);
    expect([await sizeOf(), await readText(topOf(), 1)]).toEqual([4 * MIB, "kept"]);
    if (hasQemuTools) expect(await qemuCheck(topOf())).toMatchObject({ corruptions: 0, errors: 0 });
    const snapshot = machine.record.snapshots.find((each) => each.id === undo) ?? expect.fail("there is a snapshot");
    await restoreSnapshot(app.context, app.lifecycle, machine, snapshot, { keepCurrent: false });
    expect(await sizeOf()).toBe(8 * MIB);
  });

  it("that becomes larger again has zeroes there, and not what snapshots below have", async () => {
    await writeText(topOf(), 12_000, "old");
    const one = await takeSnapshot(app.context, machine, { name: "one", description: "" });
    await withDisk((disk) => disk.writeZeroes(12_000 * 512, 512, true));
    await resizeDisk(app.context, machine, "disk0", 4);
    await resizeDisk(app.context, machine, "disk0", 8);
    expect([await sizeOf(), await readText(topOf(), 12_000)]).toEqual([8 * MIB, ""]);
    // Merged into one layer on that of the snapshot, it still has.
    for (const each of machine.record.snapshots.filter(({ id }) => id !== one.id)) {
      await deleteSnapshot(app.context, machine, each);
    }
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
    expect(readdirSync(machine.paths.disks)).toHaveLength(2);
    expect(await readText(topOf(), 12_000)).toBe("");
    if (hasQemuTools) expect(await qemuCheck(topOf())).toMatchObject({ corruptions: 0, leaks: 0, errors: 0 });
  });

  it("is refused where something is at its end, says how small it can be, and costs no snapshot", async () => {
    await writeText(topOf(), 12_000, "in the way");
    await expect(resizeDisk(app.context, machine, "disk0", 4)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "Something on the disk ends only at 6 MiB",
      details: { field: "sizeMiB", remedy: expect.stringContaining("Overwrite the end of the disk") },
    });
    expect(machine.record.snapshots).toEqual([]);
    await resizeDisk(app.context, machine, "disk0", 6);
    expect(await readText(topOf(), 12_000)).toBe("in the way");
  });

  it("has its second partition table at the new end", async () => {
    const table = partitionTable(8 * MIB, 2048, 7000);
    await withDisk((disk) => disk.write(0, table));
    await expect(resizeDisk(app.context, machine, "disk0", 3)).rejects.toMatchObject({
      message: "Something on the disk ends only at 4 MiB",
      details: { remedy: expect.stringContaining("partition") },
    });
    await resizeDisk(app.context, machine, "disk0", 4);
    const smaller = Buffer.alloc(4 * MIB);
    await withDisk((disk) => disk.read(0, smaller));
    const last = (4 * MIB) / 512 - 1;
    for (const [own, other] of [
      [1, last],
      [last, 1],
    ] as const) {
      const header = smaller.subarray(own * 512, own * 512 + 92);
      expect([header.readBigUInt64LE(24), header.readBigUInt64LE(32)]).toEqual([BigInt(own), BigInt(other)]);
      expect(header.readBigUInt64LE(48)).toBe(BigInt(last - 33));
      const checksum = header.readUInt32LE(16);
      header.writeUInt32LE(0, 16);
      expect(crc32(header)).toBe(checksum);
      const entries = Number(header.readBigUInt64LE(72)) * 512;
      expect(crc32(smaller.subarray(entries, entries + 128 * 128))).toBe(header.readUInt32LE(88));
    }
  });
});

/** The first GPT of a disk with one partition (UEFI 2.10, 5.3). */
function partitionTable(diskBytes: number, first: number, last: number): Buffer {
  const table = Buffer.alloc(34 * 512);
  table.writeUInt8(0xee, 446 + 4);
  table.writeUInt16LE(0xaa55, 510);
  const entry = table.subarray(1024);
  entry.fill(7, 0, 32);
  entry.writeBigUInt64LE(BigInt(first), 32);
  entry.writeBigUInt64LE(BigInt(last), 40);
  const header = table.subarray(512, 1024);
  header.write("EFI PART", "latin1");
  header.writeUInt32LE(0x10000, 8);
  header.writeUInt32LE(92, 12);
  for (const [offset, sector] of [
    [24, 1],
    [32, diskBytes / 512 - 1],
    [40, 34],
    [48, diskBytes / 512 - 34],
    [72, 2],
  ] as const)
    header.writeBigUInt64LE(BigInt(sector), offset);
  header.writeUInt32LE(128, 80);
  header.writeUInt32LE(128, 84);
  header.writeUInt32LE(crc32(entry.subarray(0, 128 * 128)), 88);
  header.writeUInt32LE(crc32(header.subarray(0, 92)), 16);
  return table;
}
