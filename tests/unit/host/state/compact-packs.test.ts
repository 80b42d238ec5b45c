// Compaction of packs: what states use stays readable at every moment, beside restores and saves, under kills and failing disks; what nobody
// uses is given back.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { collectGarbage } from "../../../../native-core/host/state/collect-garbage.ts";
import { compactPacks, type StateInUse } from "../../../../native-core/host/state/compact-packs.ts";
import { settleRelocation } from "../../../../native-core/host/state/relocate-state.ts";
import { readPageMap } from "../../../../native-core/host/state/state-folder.ts";
import { picturesOf, withChanges } from "../../../support/crash-pictures.ts";
import { FakeGuest } from "../../../support/media/fake-guest.ts";
import { temporaryFolder } from "../../../support/media/qemu-tools.ts";
import {
  clearGroups,
  fillGroups,
  memoryOfState,
  packFile,
  restoreState,
  STATE_PAGES,
  saveState,
  type TestState,
} from "../../../support/media/states.ts";

const temporary = temporaryFolder("compact");
afterAll(() => temporary.remove());

const later = () => Date.now() + 3_600_000;
const groups = (first: number, end: number) => Array.from({ length: end - first }, (_, index) => first + index);

interface Store {
  readonly root: string;
  readonly chunks: string;
  /** Uses a fifth of the first pack, and the second one. */
  readonly kept: TestState;
  readonly guest: FakeGuest;
}

/** A state of 30 chunks, a second one that has 6 of them and 2 of its own, and then the first one is deleted. */
function halfDead(name: string): Store {
  const root = temporary.file(name);
  const chunks = join(root, "chunks");
  const guest = new FakeGuest(STATE_PAGES);
  fillGroups(guest, groups(0, 30), 1);
  const first = saveState(guest, { folder: join(root, "first"), chunkFolder: chunks });
  fillGroups(guest, groups(6, 8), 2);
  clearGroups(guest, groups(8, 30));
  const kept = saveState(guest, { folder: join(root, "kept"), chunkFolder: chunks }, first);
  rmSync(first.folder, { recursive: true });
  return { root, chunks, kept, guest };
}

function inUse(...states: readonly { readonly folder: string }[]): StateInUse[] {
  return states.map(({ folder }) => ({ folder, seal: undefined, exclusively: (work) => work() }));
}

function sizeOf(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

describe("compaction", () => {
  it("gives back what no state uses, and all states read as before", async () => {
    const { chunks, kept, guest } = halfDead("plain");
    const before = sizeOf(chunks);
    const freed = await compactPacks(chunks, inUse(kept));
    expect(freed).toBeGreaterThan(before / 2);
    expect(sizeOf(chunks)).toBe(before - freed);
    expect(Buffer.compare(await memoryOfState(kept.folder), guest.memory)).toBe(0);
    expect(readdirSync(join(kept.folder, "packs")).length).toBe((await readPageMap(kept.folder)).packs.length);
    expect(await compactPacks(chunks, inUse(kept))).toBe(0);
  });

  it("leaves a pack alone that is mostly used, and one with a user it does not know", async () => {
    const { root, chunks, kept } = halfDead("known");
    const other = saveState(new FakeGuest(STATE_PAGES), { folder: join(root, "other"), chunkFolder: chunks }, kept);
    const names = readdirSync(chunks);
    expect(await compactPacks(chunks, inUse(kept))).toBe(0);
    expect(readdirSync(chunks)).toEqual(names);
    expect(await compactPacks(chunks, inUse(kept, other))).toBeGreaterThan(0);
  });

  it("serves several states that share a pack, and considers only those it is asked for", async () => {
    const { root, chunks, kept, guest } = halfDead("several");
    const memory = guest.memory.slice();
    fillGroups(guest, [40], 3);
    const second = saveState(guest, { folder: join(root, "second"), chunkFolder: chunks }, kept);
    expect(await compactPacks(chunks, inUse(kept, second), { of: new Set(["elsewhere"]) })).toBe(0);
    expect(await compactPacks(chunks, inUse(kept, second), { of: new Set([second.folder]) })).toBeGreaterThan(0);
    expect(Buffer.compare(await memoryOfState(kept.folder), memory)).toBe(0);
    expect(Buffer.compare(await memoryOfState(second.folder), guest.memory)).toBe(0);
  });

  it("doesn't disturb a restore that is under way, whose pages come when they are touched", async () => {
    const { chunks, kept, guest } = halfDead("restore");
    const restoring = await restoreState(kept.folder);
    expect(restoring.loader.isComplete).toBe(false);
    expect(await compactPacks(chunks, inUse(kept))).toBeGreaterThan(0);
    expect(Buffer.compare(restoring.guest.contents(), guest.memory)).toBe(0);
    restoring.loader.close();
  });

  it("doesn't disturb a machine that saves on from a map it read before", async () => {
    const { root, chunks, kept, guest } = halfDead("save");
    await compactPacks(chunks, inUse(kept));
    guest.write(50 * 16, 0, 1);
    const next = saveState(guest, { folder: join(root, "next"), chunkFolder: chunks }, kept);
    expect(Buffer.compare(await memoryOfState(next.folder), guest.memory)).toBe(0);
  });

  it("leaves a pack with damage as it is", async () => {
    const { chunks, kept } = halfDead("damage");
    const [pack = ""] = kept.map.packs;
    const bytes = readFileSync(packFile(kept.folder, pack));
    const chunk = kept.map.chunks.find((each) => each.pack === pack);
    bytes[(chunk?.offset ?? 0) + 9] = (bytes[(chunk?.offset ?? 0) + 9] ?? 0) ^ 0x40;
    writeFileSync(packFile(kept.folder, pack), bytes);
    expect(await compactPacks(chunks, inUse(kept))).toBe(0);
    expect(readFileSync(packFile(kept.folder, pack)).equals(bytes)).toBe(true);
    await collectGarbage(chunks, later());
    expect(readdirSync(chunks).length).toBe(kept.map.packs.length);
  });

  it("is cancelled with nothing changed", async () => {
    const { chunks, kept } = halfDead("cancel");
    const names = readdirSync(chunks);
    expect(await compactPacks(chunks, inUse(kept), { signal: AbortSignal.abort() })).toBe(0);
    expect(readdirSync(chunks)).toEqual(names);
  });
});

/** What the next start does: the state reads the same, has no other packs, and no pack is there without a state. */
async function expectSettled(folder: string, memory: Uint8Array): Promise<void> {
  const [chunks, kept] = [join(folder, "chunks"), join(folder, "kept")];
  for (const name of readdirSync(chunks)) {
    if (name.endsWith(".tmp")) renameSync(join(chunks, name), join(chunks, name.replace(/-\d+-/, "-999999999-")));
  }
  // Before anything is repaired, too: a restore needs no such thing.
  expect(Buffer.compare(await memoryOfState(kept), memory)).toBe(0);
  settleRelocation(kept);
  await collectGarbage(chunks, later());
  expect(Buffer.compare(await memoryOfState(kept), memory)).toBe(0);
  const packs = (await readPageMap(kept)).packs.map((pack) => `${pack}.pack`).sort();
  expect(readdirSync(join(kept, "packs")).sort()).toEqual(packs);
  expect(readdirSync(chunks).sort()).toEqual(packs);
  expect(readdirSync(kept).sort()).toEqual(["packs", "pages", "state.json"]);
}

describe("kill -9 anywhere in a compaction", () => {
  it("leaves every state whole, and nothing that is not collected", async () => {
    const { root, chunks, kept, guest } = halfDead("kill");
    const pictures = await picturesOf(root, temporary.file("pictures"), async () => {
      expect(await compactPacks(chunks, inUse(kept))).toBeGreaterThan(0);
    });
    expect(pictures.length).toBeGreaterThan(12);
    for (const { folder, before } of pictures) {
      await expectSettled(folder, guest.memory).catch((error: unknown) => {
        throw new Error(`killed before ${before}`, { cause: error });
      });
    }
  }, 30_000);

  it.each(["ENOSPC", "EIO"])(
    "and a call that fails with %s do the same",
    async (code) => {
      for (let failing = 0, failed = true; failed; failing++) {
        const { root, chunks, kept, guest } = halfDead(`${code}-${failing}`);
        let count = 0;
        failed = false;
        const intercept = (before: string) => {
          const isSpared = code === "ENOSPC" && /^(rm|unlink)/.test(before);
          const isHit = !isSpared && (count++ === failing || (failed && code === "ENOSPC"));
          failed ||= isHit;
          return isHit ? Object.assign(new Error(`${code}: injected`), { code }) : undefined;
        };
        await withChanges(intercept, () => compactPacks(chunks, inUse(kept)).then(() => undefined)).catch(
          (error: unknown) => expect(error).toMatchObject({ code }),
        );
        await expectSettled(root, guest.memory);
        expect(existsSync(kept.folder)).toBe(true);
        rmSync(root, { recursive: true });
      }
    },
    30_000,
  );
});
