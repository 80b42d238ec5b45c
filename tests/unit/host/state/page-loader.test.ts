// Memory that comes back from a state: in advance, in runs, and never from what is damaged.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { PAGE_FLAG } from "../../../../native-core/cpu/mmu/memory-layout.ts";
import { encodeState, readState } from "../../../../native-core/host/state/state-folder.ts";
import { FakeGuest } from "../../../support/media/fake-guest.ts";
import { temporaryFolder } from "../../../support/media/qemu-tools.ts";
import { fillGroups, restoreState, STATE_PAGES, saveState } from "../../../support/media/states.ts";

const temporary = temporaryFolder("page-loader");
afterAll(() => temporary.remove());
let serial = 0;

const GROUP = 16;

/** Chunks of 16 pages, in order of their groups. */
function savedGroups(groups: readonly number[]): { folder: string; original: FakeGuest } {
  const original = new FakeGuest(STATE_PAGES);
  fillGroups(original, groups, ++serial);
  const folder = temporary.file(`state-${serial}`);
  saveState(original, { folder, chunkFolder: temporary.file(`chunks-${serial}`) });
  return { folder, original };
}

const missingGroups = (guest: FakeGuest): number[] => {
  const missing = new Set<number>();
  for (const [page, flags] of guest.flags.entries())
    if (flags & PAGE_FLAG.missing) missing.add(Math.floor(page / GROUP));
  return [...missing];
};

const pageOf = (guest: FakeGuest, page: number): Uint8Array => guest.memory.subarray(page * 4096, (page + 1) * 4096);

describe("the page loader", () => {
  it("brings pages in advance, whole chunks of them, and no others", async () => {
    const { folder, original } = savedGroups([0, 1, 2, 3, 8]);
    const { guest, loader } = await restoreState(folder);
    await loader.prefetch([GROUP, GROUP + 1, 3 * GROUP - 1, 8 * GROUP, STATE_PAGES + 5, 5 * GROUP]);
    expect(missingGroups(guest)).toEqual([0, 3]);
    expect(pageOf(guest, 2 * GROUP + 3)).toEqual(pageOf(original, 2 * GROUP + 3));
    expect(pageOf(guest, 8 * GROUP)).toEqual(pageOf(original, 8 * GROUP));
    loader.close();
  });

  it("leaves alone what the guest has touched meanwhile", async () => {
    const { folder } = savedGroups([0, 1]);
    const { guest, loader } = await restoreState(folder);
    const prefetched = loader.prefetch([0, GROUP]);
    guest.onMissing(0);
    guest.memory[0] = 99;
    await prefetched;
    expect(guest.memory[0]).toBe(99);
    expect(loader.isComplete).toBe(true);
  });

  it("leaves what is damaged to whoever touches it", async () => {
    const { folder } = savedGroups([0, 1]);
    const [pack = ""] = readdirSync(join(folder, "packs"));
    const file = join(folder, "packs", pack);
    const bytes = readFileSync(file);
    const { guest, loader } = await restoreState(folder);
    writeFileSync(file, bytes.fill(0x55, 0, bytes.length / 4));
    await loader.prefetch([0, GROUP]);
    expect(missingGroups(guest)).toContain(0);
    expect(() => guest.onMissing(0)).toThrow(/is damaged: memory chunk at/);
    loader.close();
  });

  it("brings the rest in runs", async () => {
    const groups = Array.from({ length: 20 }, (_, group) => group);
    const { folder } = savedGroups(groups);
    const { guest, loader } = await restoreState(folder);
    loader.loadSome();
    expect(missingGroups(guest)).toEqual([16, 17, 18, 19]);
    loader.loadAll();
    expect(loader.isComplete).toBe(true);
  });
});

describe("a state", () => {
  it("tells what the guest used of late, where it was saved with that", async () => {
    const { folder } = savedGroups([0]);
    expect((await readState(folder)).recentPages).toHaveLength(0);
    const shape = { memoryMiB: 3, videoMemoryMiB: 1, disks: [] };
    writeFileSync(join(folder, "state.json"), encodeState(shape, {}, 1, Uint32Array.of(7, 70_000)));
    expect([...(await readState(folder)).recentPages]).toEqual([7, 70_000]);
  });
});
