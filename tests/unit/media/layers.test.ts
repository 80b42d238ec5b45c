// Chains of layers: made by us or by QEMU, read through, merged up and down, copied, and refused where they are not to be trusted.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeMediaHost } from "../../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { openChain } from "../../../native-core/media/chain.ts";
import type { DiskImage } from "../../../native-core/media/disk-image.ts";
import { copyDisk, mergeDown, mergeUp } from "../../../native-core/media/layers.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { Qcow2Image } from "../../../native-core/media/qcow2/image.ts";
import { hasQemuTools, qemuCheck, qemuImg, qemuIo, temporaryFolder } from "../../support/media/qemu-tools.ts";

const folder = temporaryFolder("layers");
const { file } = folder;
afterAll(() => folder.remove());

const SIZE = 8 << 20;
const CLUSTER = 65536;
const host = nodeMediaHost({ trustedFolders: [] });

async function make(name: string, backing?: { name: string; format: "qcow2" | "raw" }): Promise<void> {
  const made = await NodeImageFile.open(file(name), { readOnly: false, create: true });
  await createQcow2(made, SIZE, backing);
  await made.close();
}

async function open(name: string, readOnly = false): Promise<Qcow2Image> {
  const image = await openChain(host, { path: file(name), format: "qcow2", readOnly });
  if (!(image instanceof Qcow2Image)) throw new Error("not a qcow2 image");
  return image;
}

async function contents(image: DiskImage): Promise<Buffer> {
  const bytes = Buffer.alloc(image.sizeBytes);
  await image.read(0, bytes);
  return bytes;
}

/** Writes `value` over clusters [first, end) and a bit more, so that partial clusters occur too. */
async function fill(image: DiskImage, first: number, end: number, value: number): Promise<void> {
  await image.write(first * CLUSTER + 512, new Uint8Array((end - first) * CLUSTER).fill(value));
}

async function readThrough(name: string): Promise<Buffer> {
  const image = await open(name, true);
  const bytes = await contents(image);
  await image.close();
  return bytes;
}

/** base <- middle <- child <- top, each with data of its own, zeroes and holes. */
async function makeChain(prefix: string): Promise<void> {
  await make(`${prefix}-base.qcow2`);
  const base = await open(`${prefix}-base.qcow2`);
  await fill(base, 0, 60, 1);
  await base.close();
  for (const [below, name, value] of [
    ["base", "middle", 2],
    ["middle", "child", 3],
    ["child", "top", 4],
  ] as const) {
    await make(`${prefix}-${name}.qcow2`, { name: `${prefix}-${below}.qcow2`, format: "qcow2" });
    const image = await open(`${prefix}-${name}.qcow2`);
    await fill(image, value * 10, value * 10 + 8, value);
    await image.writeZeroes((value * 10 + 4) * CLUSTER, CLUSTER * 2, true);
    await image.discard((value + 3) * CLUSTER, CLUSTER);
    await image.close();
  }
}

describe("merging a layer away", () => {
  it("upwards leaves what every layer above reads, and the merged layer is not needed any more", async () => {
    await makeChain("up");
    const before = await Promise.all(["base", "child", "top"].map((name) => readThrough(`up-${name}.qcow2`)));
    const child = await open("up-child.qcow2");
    const base = await openChain(host, { path: file("up-base.qcow2"), format: "qcow2", readOnly: true });
    const shares: number[] = [];
    await mergeUp(
      child,
      { name: "up-base.qcow2", format: "qcow2", image: base },
      { onProgress: (share) => shares.push(share) },
    );
    await child.close();
    writeFileSync(file("up-middle.qcow2"), "gone");
    const after = await Promise.all(["base", "child", "top"].map((name) => readThrough(`up-${name}.qcow2`)));
    for (const [index, bytes] of before.entries()) expect(Buffer.compare(after[index] as Buffer, bytes)).toBe(0);
    expect(shares.at(-1)).toBe(1);
    if (hasQemuTools) {
      expect(await qemuCheck(file("up-child.qcow2"))).toEqual({ corruptions: 0, leaks: 0, errors: 0 });
      await qemuImg(
        "compare",
        "-f",
        "qcow2",
        "-F",
        "raw",
        file("up-child.qcow2"),
        await raw("up", before[1] as Buffer),
      );
    }
  });

  it("upwards of the lowest layer leaves an image that stands alone", async () => {
    await makeChain("alone");
    const before = await readThrough("alone-middle.qcow2");
    const middle = await open("alone-middle.qcow2");
    await mergeUp(middle, undefined);
    await middle.close();
    writeFileSync(file("alone-base.qcow2"), "gone");
    expect(Buffer.compare(await readThrough("alone-middle.qcow2"), before)).toBe(0);
  });

  it("can be cancelled and taken up again", async () => {
    await makeChain("cancel");
    const before = await readThrough("cancel-child.qcow2");
    const base = () => openChain(host, { path: file("cancel-base.qcow2"), format: "qcow2", readOnly: true });
    const cancellation = { aborted: false };
    const child = await open("cancel-child.qcow2");
    const unused = await base();
    const work = mergeUp(
      child,
      { name: "cancel-base.qcow2", format: "qcow2", image: unused },
      {
        cancellation,
        onProgress: (share) => {
          if (share > 0.3) cancellation.aborted = true;
        },
      },
    );
    await expect(work).rejects.toMatchObject({ code: "CANCELLED" });
    await child.close();
    await unused.close();
    expect(Buffer.compare(await readThrough("cancel-child.qcow2"), before)).toBe(0);
    const again = await open("cancel-child.qcow2");
    await mergeUp(again, { name: "cancel-base.qcow2", format: "qcow2", image: await base() });
    await again.close();
    expect(Buffer.compare(await readThrough("cancel-child.qcow2"), before)).toBe(0);
  });

  it("downwards makes the layer below read like the child", async () => {
    await makeChain("down");
    const before = await readThrough("down-child.qcow2");
    const child = await open("down-child.qcow2", true);
    // The child holds its backing file open for reading; the merge writes to it under another name of the same file.
    copyFileSync(file("down-middle.qcow2"), file("down-target.qcow2"));
    const target = await open("down-target.qcow2");
    await mergeDown(child, target);
    await child.close();
    await target.close();
    expect(Buffer.compare(await readThrough("down-target.qcow2"), before)).toBe(0);
  });

  it("copies what a disk reads as into one image without layers", async () => {
    await makeChain("copy");
    const before = await readThrough("copy-top.qcow2");
    await make("copy-target.qcow2");
    const top = await open("copy-top.qcow2", true);
    const target = await open("copy-target.qcow2");
    await copyDisk(top, target);
    await top.close();
    await target.close();
    expect(Buffer.compare(await readThrough("copy-target.qcow2"), before)).toBe(0);
  });
});

async function raw(name: string, bytes: Uint8Array): Promise<string> {
  writeFileSync(file(`${name}.raw`), bytes);
  return file(`${name}.raw`);
}

describe.skipIf(!hasQemuTools)("images made by QEMU", () => {
  beforeAll(async () => {
    await qemuImg("create", "-q", "-f", "raw", file("q-base.raw"), String(SIZE));
    await qemuIo(file("q-base.raw"), "write -P 0x11 0 3M");
  });

  it("with a raw backing file, internal snapshots and zero clusters read and write as in QEMU", async () => {
    const image = file("q.qcow2");
    await qemuImg("create", "-q", "-f", "qcow2", "-b", "q-base.raw", "-F", "raw", image);
    await qemuIo(image, "write -P 0x22 1M 1M", "write -z 2M 128k", "discard 1M 64k");
    await qemuImg("snapshot", "-c", "kept", image);
    const ours = await open("q.qcow2");
    const expected = await contents(ours);
    expect(expected[0]).toBe(0x11);
    expect(expected[(1 << 20) + 70000]).toBe(0x22);
    expect(expected[2 << 20]).toBe(0);
    await ours.write((1 << 20) + 1000 * 512, new Uint8Array(200_192).fill(0x33));
    await ours.discard(0, 1 << 20);
    await ours.close();
    expect(await qemuCheck(image)).toEqual({ corruptions: 0, leaks: 0, errors: 0 });
    const now = await readThrough("q.qcow2");
    await qemuImg("compare", "-f", "qcow2", "-F", "raw", image, await raw("q-now", now));
    // What the internal snapshot froze is as it was.
    await qemuImg("snapshot", "-a", "kept", image);
    await qemuImg("compare", "-f", "qcow2", "-F", "raw", image, await raw("q-then", expected));
  });

  it.each(["zlib", "zstd"])("compressed with %s read, and are overwritten cluster by cluster", async (type) => {
    const source = file(`c-${type}.raw`);
    const bytes = Buffer.alloc(SIZE);
    for (let n = 0; n < SIZE; n++) bytes[n] = (n >> 12) ^ (n & 15);
    writeFileSync(source, bytes);
    const image = file(`c-${type}.qcow2`);
    await qemuImg("convert", "-q", "-c", "-O", "qcow2", "-o", `compression_type=${type}`, source, image);
    const ours = await open(`c-${type}.qcow2`);
    expect(Buffer.compare(await contents(ours), bytes)).toBe(0);
    await fill(ours, 3, 9, 0xee);
    bytes.fill(0xee, 3 * CLUSTER + 512, 9 * CLUSTER + 512);
    await ours.close();
    writeFileSync(source, bytes);
    expect(await qemuCheck(image)).toEqual({ corruptions: 0, leaks: 0, errors: 0 });
    await qemuImg("compare", "-f", "qcow2", "-F", "raw", image, source);
  });

  it("with small clusters grow their refcount table", async () => {
    const image = file("small.qcow2");
    await qemuImg("create", "-q", "-f", "qcow2", "-o", "cluster_size=512", image, "64M");
    const ours = await open("small.qcow2");
    const data = new Uint8Array(24 << 20).fill(7);
    await ours.write(1 << 20, data);
    await ours.close();
    expect(await qemuCheck(image)).toEqual({ corruptions: 0, leaks: 0, errors: 0 });
    expect(await qemuIo(image, "read -P 7 1M 24M")).not.toContain("failed");
  });
});

describe("backing files", () => {
  it("are refused outside of the image's folder, unless Terrarium made the image", async () => {
    mkdirSync(file("inside"));
    mkdirSync(file("outside"));
    writeFileSync(join(file("outside"), "secret.raw"), Buffer.alloc(SIZE));
    const made = await NodeImageFile.open(join(file("inside"), "image.qcow2"), { readOnly: false, create: true });
    await createQcow2(made, SIZE, { name: "../outside/secret.raw", format: "raw" });
    await made.close();
    const image = { path: join(file("inside"), "image.qcow2"), format: "qcow2" as const, readOnly: true };
    await expect(openChain(host, image)).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      details: { file: image.path, field: "backing file" },
    });
    const trusting = nodeMediaHost({ trustedFolders: [file("inside")] });
    await (await openChain(trusting, image)).close();
  });

  it("that lead back to the image, have no format or are missing are refused by name", async () => {
    await make("loop-a.qcow2", { name: "loop-b.qcow2", format: "qcow2" });
    await make("loop-b.qcow2", { name: "loop-a.qcow2", format: "qcow2" });
    await expect(open("loop-b.qcow2", true)).rejects.toMatchObject({ code: "INVALID_FILE" });
    await make("orphan.qcow2", { name: "nowhere.qcow2", format: "qcow2" });
    await expect(open("orphan.qcow2", true)).rejects.toMatchObject({ code: "NOT_FOUND" });
    if (!hasQemuTools) return;
    await make("unnamed.qcow2", { name: "orphan.qcow2", format: "qcow2" });
    const bytes = readFileSync(file("unnamed.qcow2"));
    bytes.writeUInt32BE(0x11223344, 104);
    writeFileSync(file("unnamed.qcow2"), bytes);
    await expect(open("unnamed.qcow2", true)).rejects.toMatchObject({ details: { field: "backing file format" } });
  });
});
