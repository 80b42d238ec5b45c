// Saved states: what was in memory at the moment of saving comes back, whatever the guest writes meanwhile, incrementally, and
// damaged states are refused by file and field.

import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { AppError } from "../../../../native-core/common/errors.ts";
import { PAGE_FLAG } from "../../../../native-core/cpu/mmu/memory-layout.ts";
import { collectGarbage } from "../../../../native-core/host/state/collect-garbage.ts";
import { PageCapture } from "../../../../native-core/host/state/page-capture.ts";
import { PageLoader } from "../../../../native-core/host/state/page-loader.ts";
import { PageMap } from "../../../../native-core/host/state/page-map.ts";
import { encodeState, readState } from "../../../../native-core/host/state/state-folder.ts";
import { type StateSummary, StateWriter } from "../../../../native-core/host/state/state-writer.ts";
import { decodeValue, encodeValue } from "../../../../native-core/host/state/value-codec.ts";
import { FakeGuest } from "../../../support/media/fake-guest.ts";
import { temporaryFolder } from "../../../support/media/qemu-tools.ts";

const temporary = temporaryFolder("state");
afterAll(() => temporary.remove());
let serial = 0;

const PAGES = 256 * 4;
const SHAPE = { memoryMiB: 3, videoMemoryMiB: 1, disks: [] };

interface Saving {
  readonly folder: string;
  readonly summary: StateSummary;
}

/** Saves with `between` running between the steps, as the guest does. */
function save(guest: FakeGuest, chunks: string, base: PageMap, between: () => void = () => undefined): Saving {
  const folder = temporary.file(`state-${++serial}`);
  const writer = new StateWriter({ folder, chunkFolder: chunks, baseFolder: null });
  const capture = new PageCapture(guest);
  capture.begin(false);
  between();
  for (let step = capture.next(40); step; step = capture.next(40)) {
    for (const { pages, bytes } of step.chunks) writer.addChunk(pages, bytes);
    writer.addZeroPages(step.zeroPages);
    between();
  }
  return { folder, summary: writer.finish(base, encodeState(SHAPE, { counter: 7n }, 1)) };
}

async function restore(folder: string): Promise<FakeGuest> {
  const state = await readState(folder);
  const guest = new FakeGuest(PAGES);
  new PageLoader(guest, state.map, folder);
  return guest;
}

const writes = fc.array(fc.tuple(fc.nat(PAGES - 1), fc.nat(4095), fc.nat(255)), { maxLength: 400 });

describe("a saved state", () => {
  it("holds memory as it was at one instant, over any chain of incremental saves", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(writes, writes), { minLength: 1, maxLength: 4 }), async (rounds) => {
        const chunks = temporary.file(`chunks-${++serial}`);
        const guest = new FakeGuest(PAGES);
        let base = PageMap.empty(PAGES);
        const saved: { folder: string; expected: Uint8Array }[] = [];
        for (const [before, during] of rounds) {
          for (const [page, offset, value] of before) guest.write(page, offset, value);
          const expected = guest.memory.slice();
          let at = 0;
          const { folder, summary } = save(guest, chunks, base, () => {
            for (const [page, offset, value] of during.slice(at, at + 50)) guest.write(page, offset, value);
            at += 50;
          });
          base = summary.map;
          saved.push({ folder, expected });
        }
        for (const { folder, expected } of saved) {
          expect(Buffer.compare((await restore(folder)).contents(), expected)).toBe(0);
        }
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  it("writes only pages changed since its base, and no pages of zeroes", () => {
    const chunks = temporary.file(`chunks-${++serial}`);
    const guest = new FakeGuest(PAGES);
    for (let page = 0; page < 512; page++) guest.write(page, page % 4096, 1 + (page % 255));
    guest.write(600, 5, 1);
    guest.write(600, 5, 0);
    const first = save(guest, chunks, PageMap.empty(PAGES));
    expect(first.summary.map.storedPages).toBe(512);
    guest.write(3, 100, 9);
    const second = save(guest, chunks, first.summary.map);
    expect(second.summary.map.storedPages).toBe(512);
    expect(second.summary.map.chunks.length).toBe(first.summary.map.chunks.length + 1);
    expect(second.summary.map.packs.length).toBe(2);
  });

  it("shares equal chunks with other machines' states", () => {
    const chunks = temporary.file(`chunks-${++serial}`);
    const fill = (guest: FakeGuest) => {
      for (let page = 0; page < 64; page++)
        for (let n = 0; n < 64; n++) guest.write(page, n * 64, (page * 7 + n) & 0xff);
      return guest;
    };
    const first = save(fill(new FakeGuest(PAGES)), chunks, PageMap.empty(PAGES));
    const second = save(fill(new FakeGuest(PAGES)), chunks, PageMap.empty(PAGES));
    expect(second.summary.map.packs).toEqual(first.summary.map.packs);
  });

  it("doesn't share a chunk that has rotted in its pack", async () => {
    const chunks = temporary.file(`chunks-${++serial}`);
    const fill = (guest: FakeGuest) => {
      for (let page = 0; page < 32; page++)
        for (let n = 0; n < 64; n++) guest.write(page, n * 64, (page * 7 + n) & 0xff);
      return guest;
    };
    save(fill(new FakeGuest(PAGES)), chunks, PageMap.empty(PAGES));
    const pack = join(chunks, readdirSync(chunks)[0] ?? "");
    const bytes = readFileSync(pack);
    bytes[40] = (bytes[40] ?? 0) ^ 0xff;
    writeFileSync(pack, bytes);
    const guest = fill(new FakeGuest(PAGES));
    const { folder } = save(guest, chunks, PageMap.empty(PAGES));
    expect(Buffer.compare((await restore(folder)).contents(), guest.memory)).toBe(0);
  });

  it("can be deleted in any order; what nobody needs is collected, the rest stays", async () => {
    const chunks = temporary.file(`chunks-${++serial}`);
    const guest = new FakeGuest(PAGES);
    for (let page = 0; page < 40; page++) guest.write(page, 0, page + 1);
    const first = save(guest, chunks, PageMap.empty(PAGES));
    guest.write(0, 0, 99);
    const second = save(guest, chunks, first.summary.map);
    const expected = guest.memory.slice();
    rmSync(first.folder, { recursive: true });
    expect(await collectGarbage(chunks, Date.now() + 3_600_000)).toBe(0);
    expect(Buffer.compare((await restore(second.folder)).contents(), expected)).toBe(0);
    rmSync(second.folder, { recursive: true });
    expect(await collectGarbage(chunks, Date.now())).toBe(0);
    expect(await collectGarbage(chunks, Date.now() + 3_600_000)).toBeGreaterThan(0);
    expect(readdirSync(chunks)).toEqual([]);
  });

  it("restores before it is loaded: pages come when they are touched, and writes before that are kept", async () => {
    const chunks = temporary.file(`chunks-${++serial}`);
    const guest = new FakeGuest(PAGES);
    for (let page = 0; page < 64; page++) guest.write(page, 0, page + 1);
    const { folder } = save(guest, chunks, PageMap.empty(PAGES));
    const restored = await restore(folder);
    expect((restored.flags[17] ?? 0) & PAGE_FLAG.missing).not.toBe(0);
    restored.write(17, 1, 50);
    expect([...restored.memory.subarray(17 * 4096, 17 * 4096 + 2)]).toEqual([18, 50]);
    expect((restored.flags[40] ?? 0) & PAGE_FLAG.missing).not.toBe(0);
    rmSync(folder, { recursive: true });
    expect(restored.contents()[40 * 4096]).toBe(41);
  });

  it("that failed leaves nothing behind and its pages are saved by the next one", () => {
    const chunks = temporary.file(`chunks-${++serial}`);
    const guest = new FakeGuest(PAGES);
    for (let page = 0; page < 20; page++) guest.write(page, 0, page + 1);
    const folder = temporary.file(`state-${++serial}`);
    const writer = new StateWriter({ folder, chunkFolder: chunks, baseFolder: null });
    const capture = new PageCapture(guest);
    capture.begin(false);
    const step = capture.next(10);
    for (const { pages, bytes } of step?.chunks ?? []) writer.addChunk(pages, bytes);
    capture.cancel();
    writer.abort();
    expect(existsSync(folder)).toBe(false);
    expect(existsSync(`${folder}.tmp`)).toBe(false);
    expect(readdirSync(chunks)).toEqual([]);
    expect(save(guest, chunks, PageMap.empty(PAGES)).summary.map.storedPages).toBe(20);
  });

  it("with any byte changed or cut off is refused by file and field, or reads the same", async () => {
    const chunks = temporary.file(`chunks-${++serial}`);
    const guest = new FakeGuest(PAGES);
    for (let page = 0; page < 60; page++) for (let n = 0; n < 99; n++) guest.write(page, n * 41, page ^ n);
    const { folder } = save(guest, chunks, PageMap.empty(PAGES));
    const expected = guest.memory.slice();
    const pack = readdirSync(join(folder, "packs"))[0] ?? "";
    const files = [join(folder, "pages"), join(folder, "state.json"), join(folder, "packs", pack)];
    const originals = files.map((file) => readFileSync(file));
    await fc.assert(
      fc.asyncProperty(fc.nat(2), fc.nat(), fc.nat(255), fc.boolean(), async (which, place, value, cut) => {
        const file = files[which] ?? "";
        const original = originals[which] ?? Buffer.alloc(0);
        const changed = cut ? original.subarray(0, place % original.length) : Buffer.from(original);
        if (!cut) changed[place % original.length] = value;
        writeFileSync(file, changed);
        try {
          const state = await readState(folder);
          const restored = new FakeGuest(PAGES);
          const loader = new PageLoader(restored, state.map, folder);
          try {
            loader.loadAll();
          } finally {
            loader.close();
          }
          expect(Buffer.compare(restored.memory, expected)).toBe(0);
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          expect(error.details.file).toBeDefined();
          expect(error.details.field).toBeDefined();
        } finally {
          writeFileSync(file, original);
        }
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  it("without its pack says which file is missing", async () => {
    const chunks = temporary.file(`chunks-${++serial}`);
    const guest = new FakeGuest(PAGES);
    guest.write(1, 1, 1);
    const { folder } = save(guest, chunks, PageMap.empty(PAGES));
    rmSync(join(folder, "packs"), { recursive: true });
    await expect(restore(folder)).rejects.toMatchObject({ code: "NOT_FOUND", details: { file: /\.pack$/ } });
  });
});

describe("the value codec", () => {
  it("gives plain data back as it was", () => {
    const value = { a: 1n << 70n, b: Uint8Array.of(1, 2, 3), c: [null, true, "x", { d: -5n }], e: new Uint8Array(0) };
    expect(decodeValue(encodeValue(value))).toEqual(value);
  });

  it("refuses what it can't have written", () => {
    expect(() => decodeValue('{"$eval":"1"}')).toThrow(SyntaxError);
    expect(() => decodeValue('{"$int":"1e9"}')).toThrow(SyntaxError);
    expect(() => decodeValue('{"a":{"__proto__":{"x":1}}}')).toThrow(SyntaxError);
  });

  it("keeps packs to the size of their contents", () => {
    const chunks = temporary.file(`chunks-${++serial}`);
    const guest = new FakeGuest(PAGES);
    for (let page = 0; page < PAGES; page++) guest.write(page, 0, 1);
    const { folder } = save(guest, chunks, PageMap.empty(PAGES));
    const pack = readdirSync(join(folder, "packs"))[0] ?? "";
    expect(statSync(join(folder, "packs", pack)).size).toBeLessThan(PAGES * 8);
  });
});
