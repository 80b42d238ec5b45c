// A host's disk that is full: the guest's requests wait, everything else is refused, and nothing is lost.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DiskSet } from "../../../native-core/host/disk-set.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const original = fs.write;
let folder: ReturnType<typeof temporaryFolder>;
let set: DiskSet;
let failing: string | undefined;
let told: string[];

beforeEach(async () => {
  folder = temporaryFolder("full-disk");
  const path = folder.file("a.qcow2");
  const file = await NodeImageFile.open(path, { readOnly: false, create: true });
  await createQcow2(file, 4 << 20);
  await file.close();
  set = await DiskSet.open([{ id: "a", file: path, format: "qcow2", readOnly: false }], folder.path);
  told = [];
  set.full.onFull = ({ message }) => told.push(message);
  failing = undefined;
  fs.write = ((...args: unknown[]) => {
    if (failing === undefined) return (original as (...all: unknown[]) => void)(...args);
    const error = Object.assign(new Error(failing), { code: failing });
    process.nextTick(args.at(-1) as (error: Error) => void, error);
  }) as typeof fs.write;
  syncBuiltinESMExports();
});

afterEach(async () => {
  fs.write = original;
  syncBuiltinESMExports();
  set.full.giveUp();
  await set.close();
  folder.remove();
});

const disk = () => set.disks[0] ?? expect.fail("there is a disk");
const sector = (value: number) => new Uint8Array(512).fill(value);

async function byteAt(offset: number): Promise<number | undefined> {
  const bytes = new Uint8Array(512);
  await disk().read(offset, bytes);
  return bytes[0];
}

async function untilFull(): Promise<void> {
  while (!set.full.isFull) await new Promise(setImmediate);
}

describe("requests of the guest on a full disk", () => {
  it("wait, are told once, and go on when there is room", async () => {
    failing = "ENOSPC";
    const writes = [disk().write(0, sector(1)), disk().write(1 << 20, sector(2))];
    await untilFull();
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(told).toHaveLength(1);
    failing = undefined;
    set.full.retry();
    await Promise.all(writes);
    await disk().flush();
    expect([await byteAt(0), await byteAt(1 << 20)]).toEqual([1, 2]);
  });

  it("wait again when there is still none", async () => {
    failing = "ENOSPC";
    const write = disk().write(0, sector(1));
    await untilFull();
    set.full.retry();
    await untilFull();
    expect(told).toHaveLength(2);
    failing = undefined;
    set.full.retry();
    await write;
    expect(await byteAt(0)).toBe(1);
  });

  it("keep snapshots from waiting for them without end", async () => {
    failing = "ENOSPC";
    const write = disk().write(0, sector(1));
    const drained = set.drain();
    await expect(drained).rejects.toMatchObject({ code: "NO_SPACE", details: { field: "disks" } });
    await expect(set.drain()).rejects.toMatchObject({ code: "NO_SPACE" });
    failing = undefined;
    set.full.retry();
    await write;
    await set.drain();
  });

  it("fail when the machine is switched off", async () => {
    failing = "ENOSPC";
    const write = disk().write(0, sector(1));
    await untilFull();
    set.full.giveUp();
    await expect(write).rejects.toMatchObject({ code: "NO_SPACE" });
    failing = undefined;
  });

  it("fail at once for any other reason", async () => {
    failing = "EIO";
    await expect(disk().write(0, sector(1))).rejects.toMatchObject({ code: "IO_ERROR" });
    expect(told).toEqual([]);
    failing = undefined;
    await disk().write(0, sector(1));
    expect(await byteAt(0)).toBe(1);
  });
});
