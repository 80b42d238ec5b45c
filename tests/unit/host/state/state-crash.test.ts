// States and the collection of their chunks under kills and beside each other: a state is whole or absent, and never loses a chunk.
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { collectGarbage } from "../../../../native-core/host/state/collect-garbage.ts";
import { PageCapture } from "../../../../native-core/host/state/page-capture.ts";
import { PageLoader } from "../../../../native-core/host/state/page-loader.ts";
import { PageMap } from "../../../../native-core/host/state/page-map.ts";
import { encodeState, readState } from "../../../../native-core/host/state/state-folder.ts";
import { StateWriter } from "../../../../native-core/host/state/state-writer.ts";
import { picturesOf } from "../../../support/crash-pictures.ts";
import { FakeGuest } from "../../../support/media/fake-guest.ts";
import { temporaryFolder } from "../../../support/media/qemu-tools.ts";

const temporary = temporaryFolder("state-crash");
afterAll(() => temporary.remove());

const PAGES = 256 * 4;
const SHAPE = { memoryMiB: 3, videoMemoryMiB: 1, disks: [] };
/** A time at which everything is old enough to be collected. */
const later = () => Date.now() + 3_600_000;

interface Store {
  readonly root: string;
  readonly chunks: string;
}

function store(name: string): Store {
  const root = temporary.file(name);
  return { root, chunks: join(root, "chunks") };
}

/** Starts a save with everything handed over; `finish` makes it a state. */
function begin(
  { root, chunks }: Store,
  name: string,
  guest: FakeGuest,
  base: PageMap,
  baseFolder: string | null = null,
) {
  const folder = join(root, name);
  const writer = new StateWriter({ folder, chunkFolder: chunks, baseFolder, basePacks: base.packs });
  const capture = new PageCapture(guest);
  capture.begin(base.packs.length === 0);
  for (let step = capture.next(64); step; step = capture.next(64)) {
    for (const { pages, bytes } of step.chunks) writer.addChunk(pages, bytes);
    writer.addZeroPages(step.zeroPages);
  }
  return { folder, finish: () => writer.finish(base, encodeState(SHAPE, {}, 1)).map };
}

function guestWith(values: readonly number[]): FakeGuest {
  const guest = new FakeGuest(PAGES);
  for (const [index, value] of values.entries()) guest.write(index * 20, 7, value);
  return guest;
}

async function memoryOf(folder: string): Promise<Uint8Array> {
  const state = await readState(folder);
  const guest = new FakeGuest(PAGES);
  const loader = new PageLoader(guest, state.map, folder);
  loader.loadAll();
  loader.close();
  return guest.memory;
}

describe("a save beside the collection of chunks", () => {
  it("keeps chunks of another state that it found, though that state is deleted meanwhile", async () => {
    const at = store("found");
    const first = begin(at, "first", guestWith([1, 2, 3]), PageMap.empty(PAGES));
    first.finish();
    const guest = guestWith([1, 2, 3, 4]);
    const second = begin(at, "second", guest, PageMap.empty(PAGES));
    rmSync(first.folder, { recursive: true });
    await collectGarbage(at.chunks, later());
    second.finish();
    expect(Buffer.compare(await memoryOf(second.folder), guest.memory)).toBe(0);
  });

  it("keeps the chunks of its base from its first moment on", async () => {
    const at = store("base");
    const guest = guestWith([1, 2, 3]);
    const first = begin(at, "first", guest, PageMap.empty(PAGES));
    const map = first.finish();
    guest.write(900, 0, 9);
    const second = begin(at, "second", guest, map, first.folder);
    rmSync(first.folder, { recursive: true });
    await collectGarbage(at.chunks, later());
    second.finish();
    expect(Buffer.compare(await memoryOf(second.folder), guest.memory)).toBe(0);
  });

  it("writes chunks anew whose pack was collected between finding and using them", async () => {
    const at = store("gone");
    const first = begin(at, "first", guestWith([1, 2, 3]), PageMap.empty(PAGES));
    first.finish();
    const guest = guestWith([1, 2, 3]);
    const writer = new StateWriter({ folder: join(at.root, "second"), chunkFolder: at.chunks, baseFolder: null });
    rmSync(first.folder, { recursive: true });
    await collectGarbage(at.chunks, later());
    const capture = new PageCapture(guest);
    capture.begin(true);
    for (let step = capture.next(64); step; step = capture.next(64)) {
      for (const { pages, bytes } of step.chunks) writer.addChunk(pages, bytes);
      writer.addZeroPages(step.zeroPages);
    }
    writer.finish(PageMap.empty(PAGES), encodeState(SHAPE, {}, 1));
    expect(Buffer.compare(await memoryOf(join(at.root, "second")), guest.memory)).toBe(0);
  });

  it("leaves no pack behind once all states are gone", async () => {
    const at = store("all");
    for (const name of ["a", "b"]) begin(at, name, guestWith([1, 2]), PageMap.empty(PAGES)).finish();
    for (const name of ["a", "b"]) rmSync(join(at.root, name), { recursive: true });
    expect(await collectGarbage(at.chunks, later())).toBeGreaterThan(0);
    expect(readdirSync(at.chunks)).toEqual([]);
  });
});

describe("kill -9 anywhere in a save and a collection", () => {
  it("leaves the new state whole or absent, the older one whole, and nothing that is not collected", async () => {
    const at = store("work");
    const older = guestWith([1, 2, 3]);
    const map = begin(at, "older", older, PageMap.empty(PAGES)).finish();
    const newer = guestWith([1, 2, 3]);
    const pictures = await picturesOf(at.root, temporary.file("pictures"), async () => {
      newer.write(500, 0, 5);
      begin(at, "newer", newer, map, join(at.root, "older")).finish();
      await collectGarbage(at.chunks, later());
    });
    expect(pictures.length).toBeGreaterThan(12);
    let finished = 0;
    for (const { folder } of pictures) {
      const chunks = join(folder, "chunks");
      // Its writer is dead.
      for (const name of readdirSync(chunks)) {
        if (name.endsWith(".tmp")) renameSync(join(chunks, name), join(chunks, name.replace(/-\d+-/, "-999999999-")));
      }
      await collectGarbage(chunks, later());
      expect(Buffer.compare(await memoryOf(join(folder, "older")), older.memory)).toBe(0);
      const made = join(folder, "newer");
      if (existsSync(made)) {
        expect(Buffer.compare(await memoryOf(made), newer.memory)).toBe(0);
        finished++;
      }
      for (const name of ["older", "newer", "newer.tmp"]) rmSync(join(folder, name), { recursive: true, force: true });
      await collectGarbage(chunks, later());
      expect(readdirSync(chunks)).toEqual([]);
    }
    expect(finished).toBeGreaterThan(0);
  }, 60_000);
});
