// qcow2 images against a model: any sequence of requests leaves the disk that a plain array would hold, also after reopening.

import { readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { nodeDecompressors } from "../../../native-core/host/media-host.ts";
import type { DiskImage } from "../../../native-core/media/disk-image.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { Qcow2Image, readHeader } from "../../../native-core/media/qcow2/image.ts";
import { RawImage } from "../../../native-core/media/raw-image.ts";
import { MemoryImageFile } from "../../support/media/memory-image-file.ts";
import { hasQemuTools, qemuCheck, qemuImg, temporaryFolder } from "../../support/media/qemu-tools.ts";

const SIZE = 3 * 65536 * 8 + 512 * 9;
const folder = temporaryFolder("qcow2-model");
afterAll(() => folder.remove());

type Request =
  | { kind: "write"; offset: number; length: number; value: number }
  | { kind: "read"; offset: number; length: number }
  | { kind: "discard"; offset: number; length: number }
  | { kind: "zero"; offset: number; length: number; mayUnmap: boolean }
  | { kind: "flush" };

const range = fc
  .tuple(fc.nat(SIZE / 512 - 1), fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 500 })))
  .map(([sector, sectors]) => ({
    offset: sector * 512,
    length: Math.min(sectors * 512, SIZE - sector * 512),
  }));
const request: fc.Arbitrary<Request> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(range, fc.integer({ min: 1, max: 255 }))
      .map(([r, value]) => ({ kind: "write" as const, ...r, value })),
  },
  { weight: 2, arbitrary: range.map((r) => ({ kind: "read" as const, ...r })) },
  { weight: 1, arbitrary: range.map((r) => ({ kind: "discard" as const, ...r })) },
  {
    weight: 1,
    arbitrary: fc.tuple(range, fc.boolean()).map(([r, mayUnmap]) => ({ kind: "zero" as const, ...r, mayUnmap })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "flush" as const }) },
);
/** Requests of one batch run at once. */
const batches = fc.array(fc.array(request, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 12 });

async function open(file: MemoryImageFile, backing?: DiskImage): Promise<Qcow2Image> {
  return Qcow2Image.open(file, await readHeader(file), { decompressors: nodeDecompressors, backing });
}

/** Runs the batches; requests of a batch that touch bytes another one of it changes are left out, since they have no order. */
async function apply(image: DiskImage, model: Uint8Array, plan: readonly (readonly Request[])[]): Promise<void> {
  for (const batch of plan) {
    const taken: { offset: number; length: number }[] = [];
    const work: Promise<void>[] = [];
    for (const item of batch) {
      if (item.kind === "flush") {
        work.push(image.flush());
        continue;
      }
      const clash = taken.some(
        (other) => item.offset < other.offset + other.length && other.offset < item.offset + item.length,
      );
      if (clash) continue;
      taken.push(item);
      const { offset, length } = item;
      if (item.kind === "write") {
        model.fill(item.value, offset, offset + length);
        work.push(image.write(offset, new Uint8Array(length).fill(item.value)));
      } else if (item.kind === "zero") {
        model.fill(0, offset, offset + length);
        work.push(image.writeZeroes(offset, length, item.mayUnmap));
      } else if (item.kind === "read") {
        const target = new Uint8Array(length);
        const expected = model.slice(offset, offset + length);
        work.push(image.read(offset, target).then(() => expect(equal(target, expected)).toBe(true)));
      } else {
        // A discard reads as before or as zeroes: whatever it is after the batch, it has to stay.
        work.push(image.discard(offset, length));
      }
    }
    await Promise.all(work);
    for (const item of batch) {
      if (item.kind !== "discard" || !taken.includes(item)) continue;
      const target = new Uint8Array(item.length);
      await image.read(item.offset, target);
      for (let n = 0; n < item.length; n++) {
        if (target[n] !== 0 && target[n] !== model[item.offset + n]) throw new Error("discard changed data");
      }
      model.set(target, item.offset);
    }
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

async function contents(image: DiskImage): Promise<Uint8Array> {
  const bytes = new Uint8Array(image.sizeBytes);
  await image.read(0, bytes);
  return bytes;
}

describe("qcow2 against a model", () => {
  it("holds what was written, reopened too, alone and over a backing file", async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.boolean(), async (plan, withBacking) => {
        const model = new Uint8Array(SIZE);
        let backing: RawImage | undefined;
        if (withBacking) {
          for (let n = 0; n < SIZE - 65536; n++) model[n] = (n >> 9) & 0xff;
          backing = await RawImage.open(new MemoryImageFile(model.slice(0, SIZE - 65536), true));
        }
        const file = new MemoryImageFile();
        await createQcow2(file, SIZE, withBacking ? { name: "base.img", format: "raw" } : undefined);
        const image = await open(file, backing);
        await apply(image, model, plan);
        expect(equal(await contents(image), model)).toBe(true);
        await image.close();
        const again = await open(new MemoryImageFile(file.contents, true), backing);
        expect(equal(await contents(again), model)).toBe(true);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it.skipIf(!hasQemuTools)(
    "is sound and equal in qemu-img's eyes, for images of either maker",
    async () => {
      const makers: [string, ...string[]][] = [
        ["ours"],
        ["v3-4k", "-o", "cluster_size=4096"],
        ["v3-512", "-o", "cluster_size=512,refcount_bits=1"],
        ["v2", "-o", "compat=0.10"],
        ["lazy-64bit", "-o", "lazy_refcounts=on,refcount_bits=64,cluster_size=2097152"],
        ["refcount-2bit", "-o", "refcount_bits=2,cluster_size=32768"],
      ];
      for (const [maker, ...options] of makers) {
        await fc.assert(
          fc.asyncProperty(batches, async (plan) => {
            const path = folder.file("image.qcow2");
            if (maker === "ours") {
              const fresh = new MemoryImageFile();
              await createQcow2(fresh, SIZE);
              writeFileSync(path, fresh.contents);
            } else await qemuImg("create", "-q", "-f", "qcow2", ...options, path, String(SIZE));
            const model = new Uint8Array(SIZE);
            const file = new MemoryImageFile(readFileSync(path));
            const image = await open(file);
            await apply(image, model, plan);
            await image.close();
            writeFileSync(path, file.contents);
            writeFileSync(folder.file("model.raw"), model);
            expect({ maker, ...(await qemuCheck(path)) }).toEqual({ maker, corruptions: 0, leaks: 0, errors: 0 });
            await qemuImg("compare", "-f", "qcow2", "-F", "raw", path, folder.file("model.raw"));
          }),
          { numRuns: 6 },
        );
      }
    },
    120_000,
  );
});
