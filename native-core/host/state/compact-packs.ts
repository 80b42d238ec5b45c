// Rewrites packs of which states use little any more: what is used goes into a new pack, every state that uses it is told, the old packs go.
//
// May run beside machines that save and restore. A restore has the old pack open and reads on from it; a save links what it relies on, and
// a pack with a link that is not accounted for here is left alone. Everything that is read is checked: a pack with damage stays as it is.
// What a kill leaves is a pack that nobody uses, which the collection takes (collect-garbage.ts), and a journal (relocate-state.ts).
import { closeSync, openSync, readSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { StateSeal } from "../crypt/sealed.ts";
import { syncFolder } from "../sync-folder.ts";
import { packName } from "./format.ts";
import { PackBuilder, type PlaceInPack } from "./pack-builder.ts";
import type { ChunkLocation } from "./page-map.ts";
import { relocateState } from "./relocate-state.ts";
import { readPageMap } from "./state-folder.ts";
import { readChunk } from "./verify-state.ts";

/** Packs are rewritten when at least this share of them is of no use. */
const DEAD_SHARE = 0.25;
/** Used bytes that are rewritten before what they were in is given back; one pack whose used part is larger is taken by itself. */
const SCRATCH_BYTES = 64 << 20;
/** Chunks that are copied in one turn of the event loop: a few milliseconds. */
const TURN_CHUNKS = 16;

export interface StateInUse {
  readonly folder: string;
  readonly seal: StateSeal | undefined;
  /** Runs `work` while nobody begins to restore, copy or delete the state. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
}

export interface CompactionOptions {
  /** Considers packs of these states only; default: all. */
  readonly of?: ReadonlySet<string>;
  readonly signal?: AbortSignal;
  readonly progress?: (share: number) => void;
}

interface PackInUse {
  readonly chunks: Map<number, ChunkLocation>;
  readonly users: StateInUse[];
  isWanted: boolean;
}

interface Victim {
  readonly pack: string;
  readonly chunks: ReadonlyMap<number, ChunkLocation>;
  readonly users: readonly StateInUse[];
  readonly usedBytes: number;
  readonly sizeBytes: number;
}

/** Yields the bytes that became free. Stops between two groups of packs when `signal` is aborted. @throws the system's errors */
export async function compactPacks(
  chunkFolder: string,
  states: readonly StateInUse[],
  { of, signal, progress = () => undefined }: CompactionOptions = {},
): Promise<number> {
  const victims = await findVictims(chunkFolder, states, of);
  const total = victims.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
  let freed = 0;
  let done = 0;
  for (const group of groupsOf(victims)) {
    if (signal?.aborted) break;
    freed += await compactGroup(chunkFolder, group, signal, (bytes) => progress((done += bytes) / Math.max(1, total)));
  }
  return freed;
}

/** What a compaction of the packs of the states `of` would give back, in bytes. */
export async function unusedInPacks(
  chunkFolder: string,
  states: readonly StateInUse[],
  of: ReadonlySet<string>,
): Promise<number> {
  const victims = await findVictims(chunkFolder, states, of);
  return victims.reduce((sum, { sizeBytes, usedBytes }) => sum + sizeBytes - usedBytes, 0);
}

async function findVictims(
  chunkFolder: string,
  states: readonly StateInUse[],
  of: ReadonlySet<string> | undefined,
): Promise<Victim[]> {
  const packs = new Map<string, PackInUse>();
  for (const state of states) {
    // Those that can't be read keep their links, which shows below.
    const map = await readPageMap(state.folder, state.seal).catch(() => null);
    for (const pack of map?.packs ?? []) {
      const found: PackInUse = packs.get(pack) ?? { chunks: new Map(), users: [], isWanted: false };
      found.users.push(state);
      found.isWanted ||= of === undefined || of.has(state.folder);
      packs.set(pack, found);
    }
    for (const chunk of map?.chunks ?? []) packs.get(chunk.pack)?.chunks.set(chunk.offset, chunk);
  }
  const victims: Victim[] = [];
  for (const [pack, { chunks, users, isWanted }] of packs) {
    const found = isWanted ? statSync(join(chunkFolder, packName(pack)), { throwIfNoEntry: false }) : undefined;
    if (!found || found.nlink !== users.length + 1) continue;
    const usedBytes = [...chunks.values()].reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    if (usedBytes > found.size * (1 - DEAD_SHARE)) continue;
    victims.push({ pack, chunks, users, usedBytes, sizeBytes: found.size });
  }
  return victims.sort((a, b) => a.usedBytes / a.sizeBytes - b.usedBytes / b.sizeBytes);
}

function groupsOf(victims: readonly Victim[]): Victim[][] {
  const groups: Victim[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const victim of victims) {
    if (bytes + victim.usedBytes > SCRATCH_BYTES) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(victim);
    bytes += victim.usedBytes;
  }
  return groups;
}

/** All states that use the group's packs change over, or those that can: what is left is as good, and the next compaction goes on. */
async function compactGroup(
  chunkFolder: string,
  group: readonly Victim[],
  signal: AbortSignal | undefined,
  onCopied: (bytes: number) => void,
): Promise<number> {
  const made = await copyUsed(chunkFolder, group, signal, onCopied);
  if (!made) return 0;
  try {
    for (const state of new Set(made.moved.flatMap(({ users }) => users))) {
      await state.exclusively(async () => {
        // Deleted meanwhile, or another one by now.
        if (!(await readPageMap(state.folder, state.seal).catch(() => null))) return;
        const place = ({ pack, offset }: ChunkLocation) => made.places.get(pack)?.get(offset);
        await relocateState(state.folder, chunkFolder, place, state.seal);
      });
    }
  } finally {
    dropIfAlone(chunkFolder, made.id);
  }
  const freed = made.moved.reduce((sum, { pack }) => sum + dropIfAlone(chunkFolder, pack), 0);
  return Math.max(0, freed - made.sizeBytes);
}

interface NewPack {
  readonly id: string;
  readonly sizeBytes: number;
  readonly moved: readonly Victim[];
  /** By old pack and offset. */
  readonly places: ReadonlyMap<string, ReadonlyMap<number, ChunkLocation>>;
}

async function copyUsed(
  chunkFolder: string,
  group: readonly Victim[],
  signal: AbortSignal | undefined,
  onCopied: (bytes: number) => void,
): Promise<NewPack | undefined> {
  const builder = new PackBuilder(chunkFolder);
  const places = new Map<string, Map<number, PlaceInPack>>();
  /** Two packs may have the same chunk, where two machines saved at the same time. */
  const byName = new Map<string, PlaceInPack>();
  const moved: Victim[] = [];
  try {
    for (const victim of group) {
      const copied = await copyPack(chunkFolder, victim, builder, byName, signal);
      if (copied === "cancelled") {
        builder.abort();
        return undefined;
      }
      onCopied(victim.usedBytes);
      if (copied === "damaged") continue;
      places.set(victim.pack, copied);
      moved.push(victim);
    }
    if (builder.isEmpty) {
      builder.abort();
      return undefined;
    }
    const { id, sizeBytes } = builder.finish();
    syncFolder(chunkFolder);
    const named = [...places].map(
      ([pack, chunks]) =>
        [pack, new Map([...chunks].map(([offset, place]) => [offset, { ...place, pack: id }]))] as const,
    );
    return { id, sizeBytes, moved, places: new Map(named) };
  } catch (error) {
    builder.abort();
    throw error;
  }
}

async function copyPack(
  chunkFolder: string,
  { pack, chunks, users }: Victim,
  builder: PackBuilder,
  byName: Map<string, PlaceInPack>,
  signal: AbortSignal | undefined,
): Promise<Map<number, PlaceInPack> | "damaged" | "cancelled"> {
  const file = join(chunkFolder, packName(pack));
  const places = new Map<number, PlaceInPack>();
  const fd = openSync(file, "r");
  try {
    let count = 0;
    for (const chunk of [...chunks.values()].sort((a, b) => a.offset - b.offset)) {
      if (++count % TURN_CHUNKS === 0) await new Promise(setImmediate);
      if (signal?.aborted) return "cancelled";
      try {
        readChunk(file, fd, chunk, users[0]?.seal);
      } catch {
        return "damaged";
      }
      const known = byName.get(chunk.hash);
      const stored = Buffer.alloc(known ? 0 : chunk.storedBytes);
      if (!known) readSync(fd, stored, 0, stored.length, chunk.offset);
      const place = known ?? builder.append(chunk.hash, stored, chunk.pages);
      byName.set(chunk.hash, place);
      places.set(chunk.offset, place);
    }
    return places;
  } finally {
    closeSync(fd);
  }
}

/** Removes a pack that no state uses (any more); yields the bytes. A save that just found it writes its chunks anew. */
function dropIfAlone(chunkFolder: string, pack: string): number {
  const file = join(chunkFolder, packName(pack));
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.nlink !== 1) return 0;
  unlinkSync(file);
  return found.size;
}
