// Saved states made without a machine: what guest memory holds is said page by page.
import { createCipheriv, createHash } from "node:crypto";
import { join } from "node:path";
import type { App } from "../../../main/services/app.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { chunkFolderOf } from "../../../main/services/space/memory-chunks.ts";
import { PageCapture } from "../../../native-core/host/state/page-capture.ts";
import { PageLoader } from "../../../native-core/host/state/page-loader.ts";
import { PageMap } from "../../../native-core/host/state/page-map.ts";
import { encodeState, readState } from "../../../native-core/host/state/state-folder.ts";
import { type StateTarget, StateWriter } from "../../../native-core/host/state/state-writer.ts";
import { FakeGuest } from "./fake-guest.ts";

/** 3 MiB of memory and 1 MiB of video memory. */
export const STATE_PAGES = 256 * 4;
const SHAPE = { memoryMiB: 3, videoMemoryMiB: 1, disks: [] };
const GROUP = 16;

export interface TestState {
  readonly folder: string;
  readonly map: PageMap;
}

/** Fills whole groups of pages with bytes that don't compress and that differ by `seed`: a chunk each. */
export function fillGroups(guest: FakeGuest, groups: readonly number[], seed: number): void {
  for (const group of groups) {
    for (let page = group * GROUP; page < (group + 1) * GROUP; page++) {
      guest.write(page, 0, 1);
      const key = createHash("sha256").update(`${seed}/${page}`).digest();
      const noise = createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(4096));
      guest.memory.set(noise, page * 4096);
    }
  }
}

/** Leaves zeroes in whole groups of pages. */
export function clearGroups(guest: FakeGuest, groups: readonly number[]): void {
  for (const group of groups) {
    for (let page = group * GROUP; page < (group + 1) * GROUP; page++) guest.write(page, 0, 0);
    guest.memory.fill(0, group * GROUP * 4096, (group + 1) * GROUP * 4096);
  }
}

/** Saves what changed since `base`, or everything. */
export function saveState(
  guest: FakeGuest,
  target: Pick<StateTarget, "folder" | "chunkFolder" | "machineKey">,
  base?: TestState,
): TestState {
  const before = base?.map ?? PageMap.empty(STATE_PAGES);
  const writer = new StateWriter({ ...target, baseFolder: base?.folder ?? null, basePacks: before.packs });
  const capture = new PageCapture(guest);
  capture.begin(base === undefined);
  for (let step = capture.next(64); step; step = capture.next(64)) {
    for (const { pages, bytes } of step.chunks) writer.addChunk(pages, bytes);
    writer.addZeroPages(step.zeroPages);
  }
  return { folder: target.folder, map: writer.finish(before, encodeState(SHAPE, { counter: 7n }, 1)).map };
}

/** Saves memory as that of a snapshot, as a live snapshot has it. */
export async function giveMemory(
  { context }: App,
  machine: Machine,
  snapshotId: string,
  guest: FakeGuest,
  base?: TestState,
): Promise<TestState> {
  const memory = `snapshots/${snapshotId}/memory`;
  const target = { folder: join(machine.paths.folder, memory), chunkFolder: chunkFolderOf(context, machine) };
  const state = saveState(guest, { ...target, machineKey: context.keys.keyOf(machine.id) }, base);
  await machine.update(({ snapshots }) => ({
    snapshots: snapshots.map((each) => (each.id === snapshotId ? { ...each, memory } : each)),
  }));
  return state;
}

/** A guest that begins to restore: its pages come when they are touched. */
export async function restoreState(folder: string): Promise<{ guest: FakeGuest; loader: PageLoader }> {
  const state = await readState(folder);
  const guest = new FakeGuest(STATE_PAGES);
  return { guest, loader: new PageLoader(guest, state.map, folder) };
}

export async function memoryOfState(folder: string): Promise<Uint8Array> {
  const { guest, loader } = await restoreState(folder);
  loader.loadAll();
  loader.close();
  return guest.memory;
}

/** The file of the pack in a state's folder. */
export function packFile(folder: string, pack: string): string {
  return join(folder, "packs", `${pack}.pack`);
}
