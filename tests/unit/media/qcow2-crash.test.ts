// Crash safety of qcow2 writing: after a crash at any point, with the writes since the last flush lost or kept in any combination,
// the image is sound and everything flushed before is there.

import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { nodeDecompressors } from "../../../native-core/host/media-host.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { Qcow2Image, readHeader } from "../../../native-core/media/qcow2/image.ts";
import { MemoryImageFile, RecordingImageFile, replay } from "../../support/media/memory-image-file.ts";
import { hasQemuTools, qemuCheck, temporaryFolder } from "../../support/media/qemu-tools.ts";

const CLUSTER = 65536;
const SIZE = 24 * CLUSTER;
const folder = temporaryFolder("qcow2-crash");
afterAll(() => folder.remove());

async function open(file: MemoryImageFile): Promise<Qcow2Image> {
  return Qcow2Image.open(file, await readHeader(file), { decompressors: nodeDecompressors });
}

// Each sector's contents name the round that wrote it, so that a reader can tell which rounds a sector may be from.
const rounds = fc.array(
  fc.record({
    kind: fc.constantFrom("write" as const, "write" as const, "write" as const, "discard" as const),
    sector: fc.nat(SIZE / 512 - 1),
    sectors: fc.integer({ min: 1, max: 300 }),
    flush: fc.boolean(),
  }),
  { minLength: 2, maxLength: 25 },
);

describe("qcow2 after a crash", () => {
  it.skipIf(!hasQemuTools)(
    "is sound and has everything that was flushed",
    async () => {
      await fc.assert(
        fc.asyncProperty(rounds, fc.nat(), fc.nat(), async (plan, cut, seed) => {
          const file = new RecordingImageFile();
          await createQcow2(file, SIZE);
          const initial = file.contents.slice();
          file.events.length = 0;
          const image = await open(file);
          const history: { at: number; possible: Set<number>[] }[] = [];
          const possible = Array.from({ length: SIZE / 512 }, () => new Set([0]));
          let value = 0;
          for (const { kind, sector, sectors, flush } of plan) {
            const count = Math.min(sectors, SIZE / 512 - sector);
            const written = kind === "write" ? ++value : 0;
            // From here on the new value may be there or not; after the flush only what was possible at its start.
            for (let n = sector; n < sector + count; n++) possible[n]?.add(written);
            history.push({ at: file.events.length, possible: possible.map((set) => new Set(set)) });
            if (kind === "write") await image.write(sector * 512, new Uint8Array(count * 512).fill(written));
            else await image.discard(sector * 512, count * 512);
            if (kind === "write") for (let n = sector; n < sector + count; n++) possible[n]?.add(written);
            if (!flush) continue;
            const now = new Uint8Array(SIZE);
            await image.read(0, now);
            await image.flush();
            for (let n = 0; n < possible.length; n++) possible[n] = new Set([now[n * 512] ?? 0]);
            history.push({ at: file.events.length, possible: possible.map((set) => new Set(set)) });
          }
          const length = cut % (file.events.length + 1);
          let state = seed || 1;
          const survives = () => {
            state = (Math.imul(state, 1103515245) + 12345) >>> 0;
            return (state >>> 16) % 3 !== 0;
          };
          const crashed = replay(initial, file.events, length, survives);
          const path = folder.file("crashed.qcow2");
          writeFileSync(path, crashed.contents);
          const { corruptions, errors } = await qemuCheck(path);
          expect({ corruptions, errors }).toEqual({ corruptions: 0, errors: 0 });

          const allowed = history.findLast((entry) => entry.at <= length) ?? {
            possible: Array.from({ length: SIZE / 512 }, () => new Set([0])),
          };
          // A request under way at the crash adds what it writes; that is in the entry made right before it began.
          const found = new Uint8Array(SIZE);
          await (await open(crashed)).read(0, found);
          for (const [n, values] of allowed.possible.entries()) {
            if (!values.has(found[n * 512] ?? -1))
              throw new Error(`sector ${n} has ${found[n * 512]}, not ${[...values]}`);
          }
        }),
        { numRuns: 60 },
      );
    },
    120_000,
  );

  it("keeps a flushed cluster's counts up until nothing on disk points at it", async () => {
    const file = new RecordingImageFile();
    await createQcow2(file, SIZE);
    const image = await open(file);
    await image.write(0, new Uint8Array(CLUSTER).fill(1));
    await image.flush();
    file.events.length = 0;
    await image.discard(0, CLUSTER);
    await image.write(CLUSTER, new Uint8Array(CLUSTER).fill(2));
    const first = file.events.find((event) => event.kind === "write");
    // The freed cluster is 5 (after header, table, block, L1 and the L2 table); the new data must not be there before a flush.
    expect(first).toMatchObject({ offset: 6 * CLUSTER });
    await image.flush();
    await image.close();
    const again = await open(new MemoryImageFile(file.contents));
    await again.write(2 * CLUSTER, new Uint8Array(CLUSTER).fill(3));
    expect(file.contents[5 * CLUSTER]).toBe(3);
  });

  it("loses no flushed data when writing fails for lack of space", async () => {
    let room = Number.POSITIVE_INFINITY;
    class SmallFile extends MemoryImageFile {
      override async write(offset: number, source: Uint8Array): Promise<void> {
        if (offset + source.length > room) throw new Error("full");
        return super.write(offset, source);
      }
    }
    const file = new SmallFile();
    await createQcow2(file, SIZE);
    const image = await open(file);
    await image.write(0, new Uint8Array(CLUSTER).fill(7));
    await image.flush();
    room = await file.size();
    await expect(image.write(4 * CLUSTER, new Uint8Array(2 * CLUSTER).fill(9))).rejects.toThrow("full");
    const target = new Uint8Array(1);
    await image.read(4 * CLUSTER, target);
    expect(target[0]).toBe(0);
    room = Number.POSITIVE_INFINITY;
    await image.write(4 * CLUSTER, new Uint8Array(CLUSTER).fill(9));
    await image.close();
    const again = await open(new MemoryImageFile(file.contents, true));
    await again.read(0, target);
    expect(target[0]).toBe(7);
    await again.read(4 * CLUSTER, target);
    expect(target[0]).toBe(9);
  });
});
