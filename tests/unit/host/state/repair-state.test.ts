// Repair of memory states: whatever rots in a pack comes back as long as its contents are anywhere, and nothing else changes.
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { StateSeal } from "../../../../native-core/host/crypt/sealed.ts";
import { compactPacks } from "../../../../native-core/host/state/compact-packs.ts";
import {
  type ChunkSource,
  chunksOfFolders,
  digestOf,
  pagesOfState,
} from "../../../../native-core/host/state/repair-sources.ts";
import { repairState } from "../../../../native-core/host/state/repair-state.ts";
import { readPageMap } from "../../../../native-core/host/state/state-folder.ts";
import { verifyState } from "../../../../native-core/host/state/verify-state.ts";
import { picturesOf } from "../../../support/crash-pictures.ts";
import { FakeGuest } from "../../../support/media/fake-guest.ts";
import { temporaryFolder } from "../../../support/media/qemu-tools.ts";
import {
  clearGroups,
  fillGroups,
  memoryOfState,
  packFile,
  STATE_PAGES,
  saveState,
  type TestState,
} from "../../../support/media/states.ts";

const temporary = temporaryFolder("repair");
afterAll(() => temporary.remove());
let serial = 0;

const WHOLE = { damagedChunks: 0, lostPages: 0 };

function store() {
  const root = temporary.file(`store-${++serial}`);
  const chunks = join(root, "chunks");
  const guest = new FakeGuest(STATE_PAGES);
  fillGroups(guest, [0, 1, 2, 3, 4, 5], 1);
  const state = saveState(guest, { folder: join(root, "state"), chunkFolder: chunks });
  return { root, chunks, guest, state };
}

/** Spoils one byte of a pack, in all its names. */
function spoil({ folder, map }: TestState, at: number): void {
  const [pack = ""] = map.packs;
  const file = packFile(folder, pack);
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 0x55;
  writeFileSync(file, bytes);
}

const middleOf = ({ map }: TestState, index: number) =>
  (map.chunks[index]?.offset ?? 0) + Math.floor((map.chunks[index]?.storedBytes ?? 0) / 2);

describe("the repair of a state", () => {
  it("takes a chunk from another pack that has it, at any damaged byte", async () => {
    const { root, guest, state } = store();
    const [pack = ""] = state.map.packs;
    const pristine = readFileSync(packFile(state.folder, pack));
    const elsewhere = join(root, "elsewhere");
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, `${pack}.pack`), pristine);
    const last = state.map.chunks.at(-1);
    const end = (last?.offset ?? 0) + (last?.storedBytes ?? 0);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 16, max: end - 1 }), { minLength: 1, maxLength: 4 }),
        async (places) => {
          const at = join(root, String(++serial));
          cpSync(state.folder, join(at, "state"), { recursive: true });
          mkdirSync(join(at, "chunks"));
          const damaged = { ...state, folder: join(at, "state") };
          for (const place of new Set(places)) spoil(damaged, place);
          copyFileSync(packFile(damaged.folder, pack), join(at, "chunks", `${pack}.pack`));
          await expect(verifyState(damaged.folder)).rejects.toMatchObject({ code: "INVALID_FILE" });
          const { damagedChunks, lostPages } = await repairState(damaged.folder, join(at, "chunks"), [
            chunksOfFolders([elsewhere]),
          ]);
          expect(damagedChunks).toBeGreaterThan(0);
          expect(lostPages).toBe(0);
          await verifyState(damaged.folder);
          expect(Buffer.compare(await memoryOfState(damaged.folder), guest.memory)).toBe(0);
          expect(await repairState(damaged.folder, join(at, "chunks"), [])).toEqual(WHOLE);
          rmSync(at, { recursive: true });
        },
      ),
      { numRuns: 15 },
    );
  });

  it("uses what another state's repair has brought back already", async () => {
    const { root, chunks, guest, state } = store();
    const second = saveState(guest, { folder: join(root, "second"), chunkFolder: chunks }, state);
    const [pack = ""] = state.map.packs;
    mkdirSync(join(root, "elsewhere"));
    copyFileSync(packFile(state.folder, pack), join(root, "elsewhere", `${pack}.pack`));
    spoil(state, middleOf(state, 2));
    expect(await repairState(state.folder, chunks, [chunksOfFolders([join(root, "elsewhere")])])).toEqual({
      damagedChunks: 1,
      lostPages: 0,
    });
    expect(readdirSync(chunks).length).toBe(2);
    expect(await repairState(second.folder, chunks, [])).toEqual({ damagedChunks: 1, lostPages: 0 });
    expect(readdirSync(chunks).length).toBe(2);
    await verifyState(second.folder);
  });

  it("brings back a link to a pack that its folder has lost", async () => {
    const { chunks, guest, state } = store();
    rmSync(packFile(state.folder, state.map.packs[0] ?? ""));
    expect(await repairState(state.folder, chunks, [])).toEqual({ damagedChunks: 6, lostPages: 0 });
    expect(Buffer.compare(await memoryOfState(state.folder), guest.memory)).toBe(0);
  });

  it("puts a chunk together of the pages of another state, in chunks of another cut", async () => {
    const { root, chunks, guest, state } = store();
    const other = new FakeGuest(STATE_PAGES);
    other.memory.set(guest.memory);
    // Scattered among others: not one chunk is the same.
    for (let page = 0; page < STATE_PAGES; page++)
      if (page % 16 < 5 || page < 32) other.write(page, 0, other.memory[page * 4096] ?? 0);
    const first = saveState(other, { folder: join(root, "first"), chunkFolder: join(root, "others") });
    spoil(state, middleOf(state, 1));
    expect(await repairState(state.folder, chunks, [pagesOfState(first.folder)])).toEqual({
      damagedChunks: 1,
      lostPages: 0,
    });
    expect(Buffer.compare(await memoryOfState(state.folder), guest.memory)).toBe(0);
  });

  it("counts what stays lost, and repairs the rest", async () => {
    const { root, chunks, guest, state } = store();
    clearGroups(guest, [3]);
    const without = saveState(guest, { folder: join(root, "without"), chunkFolder: join(root, "others") });
    for (const index of [0, 3]) spoil(state, middleOf(state, index));
    expect(await repairState(state.folder, chunks, [pagesOfState(without.folder)])).toEqual({
      damagedChunks: 2,
      lostPages: 16,
    });
    await expect(verifyState(state.folder)).rejects.toMatchObject({ code: "INVALID_FILE" });
  });

  it("believes no source that has something else, and leaves no pack behind for it", async () => {
    const { chunks, state } = store();
    spoil(state, middleOf(state, 4));
    const liar: ChunkSource = async ({ chunk }) => new Uint8Array(chunk.pages * 4096);
    const failing: ChunkSource = () => Promise.reject(new Error("gone"));
    expect(await repairState(state.folder, chunks, [failing, liar])).toEqual({ damagedChunks: 1, lostPages: 16 });
    expect(readdirSync(chunks).length).toBe(1);
  });

  it("repairs and compacts what is sealed, too, and believes no other key", async () => {
    const root = temporary.file(`store-${++serial}`);
    const chunks = join(root, "chunks");
    const machineKey = new Uint8Array(32).fill(7);
    const seal = new StateSeal(machineKey);
    const guest = new FakeGuest(STATE_PAGES);
    fillGroups(guest, [0, 1, 2, 3, 4, 5], 1);
    const first = saveState(guest, { folder: join(root, "first"), chunkFolder: chunks, machineKey });
    clearGroups(guest, [2, 3, 4, 5]);
    const state = saveState(guest, { folder: join(root, "state"), chunkFolder: chunks, machineKey }, first);
    rmSync(first.folder, { recursive: true });
    const other = { folder: join(root, "other"), chunkFolder: join(root, "others"), machineKey };
    saveState(Object.assign(new FakeGuest(STATE_PAGES), { memory: guest.memory }), other);
    const inUse = { folder: state.folder, seal, exclusively: <T>(work: () => Promise<T>) => work() };
    expect(await compactPacks(chunks, [inUse])).toBeGreaterThan(0);
    const moved = { folder: state.folder, map: await readPageMap(state.folder, seal) };
    spoil(moved, middleOf(moved, 1));
    const stranger = new StateSeal(new Uint8Array(32));
    const lost = { damagedChunks: 1, lostPages: 16 };
    expect(await repairState(state.folder, chunks, [pagesOfState(other.folder, stranger)], seal)).toEqual(lost);
    const repaired = await repairState(state.folder, chunks, [pagesOfState(other.folder, seal)], seal);
    expect(repaired).toEqual({ damagedChunks: 1, lostPages: 0 });
    await verifyState(state.folder, seal);
  });

  it("repairs a pack that was cut off", async () => {
    const { root, chunks, guest, state } = store();
    const [pack = ""] = state.map.packs;
    mkdirSync(join(root, "elsewhere"));
    copyFileSync(packFile(state.folder, pack), join(root, "elsewhere", `${pack}.pack`));
    truncateSync(packFile(state.folder, pack), 70_000);
    expect(await repairState(state.folder, chunks, [chunksOfFolders([join(root, "elsewhere")])])).toMatchObject({
      lostPages: 0,
    });
    expect(Buffer.compare(await memoryOfState(state.folder), guest.memory)).toBe(0);
  });

  it("is never worse than before, wherever it is killed", async () => {
    const { root, chunks, state } = store();
    const [pack = ""] = state.map.packs;
    const elsewhere = temporary.file(`elsewhere-${++serial}`);
    mkdirSync(elsewhere);
    copyFileSync(packFile(state.folder, pack), join(elsewhere, `${pack}.pack`));
    spoil(state, middleOf(state, 2));
    const digest = digestOf(await readPageMap(state.folder));
    const pictures = await picturesOf(root, temporary.file(`pictures-${serial}`), async () => {
      await repairState(state.folder, chunks, [chunksOfFolders([elsewhere])]);
    });
    expect(pictures.length).toBeGreaterThan(10);
    for (const { folder } of pictures) {
      const left = join(folder, "state");
      expect(digestOf(await readPageMap(left))).toBe(digest);
      const { lostPages } = await repairState(left, join(folder, "chunks"), [chunksOfFolders([elsewhere])]);
      expect(lostPages).toBe(0);
      await verifyState(left);
    }
  });
});
