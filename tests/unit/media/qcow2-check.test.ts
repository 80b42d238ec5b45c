// The check of a qcow2 image and the repair of its counts: what QEMU says of the same file is the judge.
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { AppError } from "../../../native-core/common/errors.ts";
import { nodeDecompressors } from "../../../native-core/host/media-host.ts";
import { checkQcow2, isSound, repairCounts } from "../../../native-core/media/qcow2/check.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { Qcow2Image, readHeader } from "../../../native-core/media/qcow2/image.ts";
import { MemoryImageFile, RecordingImageFile, replay } from "../../support/media/memory-image-file.ts";
import { hasQemuTools, qemuCheck, temporaryFolder } from "../../support/media/qemu-tools.ts";

const CLUSTER = 65536;
const SIZE = 64 * CLUSTER;
const folder = temporaryFolder("qcow2-check");
afterAll(() => folder.remove());

const open = async (file: MemoryImageFile) =>
  Qcow2Image.open(file, await readHeader(file), { decompressors: nodeDecompressors });

async function madeImage(): Promise<MemoryImageFile> {
  const file = new MemoryImageFile();
  await createQcow2(file, SIZE);
  const image = await open(file);
  for (const [index, cluster] of [0, 1, 5, 6, 7, 20, 40, 63].entries()) {
    await image.write(cluster * CLUSTER + 512, new Uint8Array(3000).fill(index + 1));
  }
  await image.writeZeroes(10 * CLUSTER, 2 * CLUSTER, false);
  await image.close();
  return file;
}

async function contentsOf(file: MemoryImageFile): Promise<Uint8Array> {
  const image = await open(new MemoryImageFile(file.contents.slice(), true));
  const contents = new Uint8Array(SIZE);
  await image.read(0, contents);
  await image.close();
  return contents;
}

const check = async (file: MemoryImageFile) =>
  checkQcow2(file, await readHeader(new MemoryImageFile(file.contents, true)));

async function repair(file: MemoryImageFile): Promise<void> {
  await repairCounts(file, await readHeader(new MemoryImageFile(file.contents, true)), await check(file));
}

async function expectQemuAgrees(file: MemoryImageFile): Promise<void> {
  if (!hasQemuTools) return;
  const path = folder.file("image.qcow2");
  writeFileSync(path, file.contents);
  expect(await qemuCheck(path)).toEqual({ corruptions: 0, leaks: 0, errors: 0 });
}

/** Cluster 1 has the table of counts, 2 the counts. */
const ofCounts = fc.integer({ min: CLUSTER, max: CLUSTER + 7 });
const counts = fc.integer({ min: 2 * CLUSTER, max: 2 * CLUSTER + 40 });
const spoiled = (places: readonly (readonly [number, number])[], file: MemoryImageFile) => {
  for (const [at, value] of places) file.bytes[at] = value;
};

describe("the check of a qcow2 image", () => {
  it("finds nothing in a sound one", async () => {
    const file = await madeImage();
    expect(isSound(await check(file))).toBe(true);
    await expectQemuAgrees(file);
  });

  it("finds what is wrong with the counts, and repairs it so that the disk reads the same", async () => {
    const pristine = await madeImage();
    const contents = await contentsOf(pristine);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.oneof(ofCounts, counts), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (places) => {
          const file = new MemoryImageFile(pristine.contents.slice());
          spoiled(places, file);
          const isSame = Buffer.compare(file.contents, pristine.contents) === 0;
          // Bits of a table's entry that mean nothing are no damage.
          if (isSame) expect(isSound(await check(file))).toBe(true);
          await repair(file);
          expect(isSound(await check(file))).toBe(true);
          expect(Buffer.compare(await contentsOf(file), contents)).toBe(0);
          const image = await open(file);
          await image.write(30 * CLUSTER, new Uint8Array(CLUSTER).fill(9));
          await image.close();
          const after = await contentsOf(file);
          expect(Buffer.compare(after.subarray(0, 30 * CLUSTER), contents.subarray(0, 30 * CLUSTER))).toBe(0);
          expect(Buffer.compare(after.subarray(31 * CLUSTER), contents.subarray(31 * CLUSTER))).toBe(0);
          expect(isSound(await check(file))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("repairs to QEMU's satisfaction: leaks, counts that are too low, a lost block of counts, a dirty image", async () => {
    const pristine = await madeImage();
    const cases: [string, (bytes: Uint8Array) => void, object][] = [
      ["leaked", (bytes) => bytes.set([0, 3], 2 * CLUSTER + 2 * 9), { leakedClusters: 1 }],
      ["low", (bytes) => bytes.fill(0, 2 * CLUSTER + 2 * 4, 2 * CLUSTER + 2 * 8), { lowClusters: 4 }],
      ["lost", (bytes) => bytes.fill(0xff, CLUSTER, CLUSTER + 8), { badBlocks: 1 }],
      ["dirty", (bytes) => bytes.set([1], 79), { isMarked: true }],
    ];
    for (const [name, spoil, found] of cases) {
      const file = new MemoryImageFile(pristine.contents.slice());
      spoil(file.bytes);
      expect([name, await check(file)]).toMatchObject([name, found]);
      await repair(file);
      await expectQemuAgrees(file);
    }
  });

  it("leaves the old counts or the new ones, wherever the repair is cut off", async () => {
    const pristine = await madeImage();
    pristine.bytes.fill(0, 2 * CLUSTER, 2 * CLUSTER + 2 * 8);
    const contents = await contentsOf(pristine);
    const file = new RecordingImageFile(pristine.contents.slice());
    await repair(file);
    for (let length = 0; length <= file.events.length; length++) {
      for (const survives of [() => true, () => false, (index: number) => index % 2 === 0]) {
        const left = replay(pristine.contents, file.events, length, survives);
        await left.size();
        expect(Buffer.compare(await contentsOf(left), contents)).toBe(0);
        await repair(left);
        expect(isSound(await check(left))).toBe(true);
      }
    }
  });

  it("names the ranges of the disk that damaged tables lose, and frees nothing then", async () => {
    const pristine = await madeImage();
    const tables = [
      3 * CLUSTER,
      Number(new DataView(pristine.bytes.buffer).getBigUint64(3 * CLUSTER) & 0xfffffffffffe00n),
    ];
    const places = fc.tuple(fc.constantFrom(...tables), fc.nat(63 * 8), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(places, { minLength: 1, maxLength: 3 }), async (changes) => {
        const file = new MemoryImageFile(pristine.contents.slice());
        for (const [table, at, value] of changes) file.bytes[table + at] = value;
        const found = await check(file);
        const before = file.contents.slice();
        const refused = await repair(file).then(
          () => false,
          (error: unknown) => error instanceof AppError && error.code === "INVALID_FILE",
        );
        expect(refused).toBe(found.damage.length > 0);
        if (refused) expect(Buffer.compare(file.contents, before)).toBe(0);
        for (const { offset, length } of found.damage) expect(offset + length).toBeLessThanOrEqual(SIZE);
      }),
      { numRuns: 60 },
    );
  });

  it("leaves images with users it does not know alone", async () => {
    const file = await madeImage();
    file.bytes[63] = 1;
    await expect(check(file)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});
