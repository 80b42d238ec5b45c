// The disks of a running machine: a snapshot's new layer goes on top without the controller noticing, and nothing is lost on the way.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { DiskSet, discardLayers } from "../../../native-core/host/disk-set.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const temporary = temporaryFolder("disk-set");
afterAll(() => temporary.remove());

const SIZE = 4 << 20;
let folder = "";
let serial = 0;
const at = (name: string) => join(folder, name);

beforeEach(async () => {
  folder = temporary.file(`m${++serial}`);
  mkdirSync(folder);
  const file = await NodeImageFile.open(at("a.qcow2"), { readOnly: false, create: true });
  await createQcow2(file, SIZE);
  await file.close();
  writeFileSync(at("b.img"), Buffer.alloc(SIZE, 0xbb));
});

const open = (second: { independent?: boolean } = {}) =>
  DiskSet.open(
    [
      { id: "a", file: at("a.qcow2"), format: "qcow2", readOnly: false },
      { id: "b", file: at("b.img"), format: "raw", readOnly: false, ...second },
      { id: "iso", file: at("b.img").replace("b.img", "iso.img"), format: "raw", readOnly: true },
    ],
    folder,
  );

async function openAll(): Promise<DiskSet> {
  writeFileSync(at("iso.img"), Buffer.alloc(4096, 0xcd));
  return open();
}

async function byteAt(set: DiskSet, disk: number, offset: number): Promise<number | undefined> {
  const sector = new Uint8Array(512);
  await set.disks[disk]?.read(offset, sector);
  return sector[0];
}

const write = (set: DiskSet, disk: number, offset: number, value: number) =>
  set.disks[disk]?.write(offset, new Uint8Array(4096).fill(value));

const overlays = () => [
  { diskId: "a", file: at("a2.qcow2") },
  { diskId: "b", file: at("b2.qcow2") },
];

describe("the disks of a machine", () => {
  it("get a new layer each: later writes leave the frozen files alone, reads see both", async () => {
    const set = await openAll();
    await write(set, 0, 0, 1);
    await write(set, 1, 0, 2);
    const layers = await set.prepareLayers(overlays());
    await write(set, 0, 65536, 3);
    await set.useLayers(layers);
    await Promise.all(set.disks.map((disk) => disk.frozen));
    const frozen = [readFileSync(at("a.qcow2")), readFileSync(at("b.img"))];
    await write(set, 0, 0, 4);
    await write(set, 1, 4096, 5);
    await set.flush();
    const now = [readFileSync(at("a.qcow2")), readFileSync(at("b.img"))];
    expect(now.map((bytes, index) => Buffer.compare(bytes, frozen[index] as Buffer))).toEqual([0, 0]);
    expect(await byteAt(set, 0, 0)).toBe(4);
    expect(await byteAt(set, 0, 65536)).toBe(3);
    expect(await byteAt(set, 1, 0)).toBe(2);
    expect(await byteAt(set, 1, 4096)).toBe(5);
    expect(await byteAt(set, 1, 8192)).toBe(0xbb);
    await set.close();
    const again = await DiskSet.open([{ id: "a", file: at("a2.qcow2"), format: "qcow2", readOnly: true }], folder);
    expect(await byteAt(again, 0, 65536)).toBe(3);
    await again.close();
  });

  it("hold frozen layers for reading only, and let go of everything when closed", async () => {
    const set = await openAll();
    await set.useLayers(await set.prepareLayers(overlays()));
    await Promise.all(set.disks.map((disk) => disk.frozen));
    const locks = () => readdirSync(folder).filter((name) => name.includes(".lock-"));
    expect(locks().filter((name) => name.startsWith("a.qcow2.lock-r-"))).toHaveLength(1);
    expect(locks().filter((name) => name.startsWith("a2.qcow2.lock-w-"))).toHaveLength(1);
    await set.close();
    expect(locks()).toEqual([]);
  });

  it("need a layer for each writable disk and for no other", async () => {
    const set = await openAll();
    const [first] = overlays();
    await expect(set.prepareLayers(first ? [first] : [])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const wrong = [...overlays().slice(0, 1), { diskId: "iso", file: at("iso2.qcow2") }];
    await expect(set.prepareLayers(wrong)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await set.close();
    expect(readdirSync(folder).sort()).toEqual(["a.qcow2", "b.img", "iso.img"]);
  });

  it("may be left out of a snapshot where they are independent, and go on in the file they have", async () => {
    writeFileSync(at("iso.img"), Buffer.alloc(4096, 0xcd));
    const set = await open({ independent: true });
    await set.useLayers(await set.prepareLayers(overlays().slice(0, 1)));
    await write(set, 0, 0, 1);
    await write(set, 1, 0, 2);
    await set.close();
    expect(readdirSync(folder).filter((name) => name.startsWith("b"))).toEqual(["b.img"]);
    expect(readFileSync(at("b.img"))[0]).toBe(2);
  });

  it("get a layer all the same where a snapshot wants independent ones, too", async () => {
    writeFileSync(at("iso.img"), Buffer.alloc(4096, 0xcd));
    const set = await open({ independent: true });
    await set.useLayers(await set.prepareLayers(overlays()));
    await write(set, 1, 0, 2);
    await set.close();
    expect(readFileSync(at("b.img"))[0]).toBe(0xbb);
  });

  it("are as before when a layer can't be made or is not wanted after all", async () => {
    const set = await openAll();
    writeFileSync(at("b2.qcow2"), "in the way");
    await expect(set.prepareLayers(overlays())).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect(existsSync(at("a2.qcow2"))).toBe(false);
    const layers = await set.prepareLayers(overlays().map((each) => ({ ...each, file: `${each.file}.new` })));
    await discardLayers(layers);
    await write(set, 0, 0, 9);
    expect(await byteAt(set, 0, 0)).toBe(9);
    await set.close();
    expect(readdirSync(folder).sort()).toEqual(["a.qcow2", "b.img", "b2.qcow2", "iso.img"]);
  });

  it("open all or none", async () => {
    await expect(open()).rejects.toMatchObject({ code: "NOT_FOUND", details: { file: at("iso.img") } });
    expect(readdirSync(folder).filter((name) => name.includes(".lock-"))).toEqual([]);
  });
});
