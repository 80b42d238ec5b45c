// Repairs the memory of a state: a chunk that can't be read is taken from wherever its contents still are, known by their name. What is found
// goes into a new pack, is read back, and only then is the state told (relocate-state.ts); what was there before stays if anything fails.
import { hash, randomInt } from "node:crypto";
import { closeSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { StateSeal } from "../crypt/sealed.ts";
import { syncFolder } from "../sync-folder.ts";
import { CHUNK_PAGES, PACKS_FOLDER, PAGE_BYTES, packName } from "./format.ts";
import { PackBuilder, type PlaceInPack } from "./pack-builder.ts";
import { storedChunk } from "./pack-file.ts";
import { packIds, readPackIndex } from "./pack-index.ts";
import type { ChunkLocation, PageMap } from "./page-map.ts";
import { relocateState } from "./relocate-state.ts";
import { type ChunkSource, openedOrNull, readWhole, type WantedChunk } from "./repair-sources.ts";
import { readPageMap } from "./state-folder.ts";
import { readChunk } from "./verify-state.ts";

const TURN_CHUNKS = 64;
/** Room before the first chunk of a repaired pack: it must not have the name of the pack that rotted. */
const GAP_MAX_BYTES = 4096;

export interface StateRepair {
  readonly damagedChunks: number;
  /** Pages of guest memory that stay lost. */
  readonly lostPages: number;
}

/** With nobody else changing the state. @throws AppError when its page map can't be read, and the system's errors */
export async function repairState(
  folder: string,
  chunkFolder: string,
  sources: readonly ChunkSource[],
  seal?: StateSeal,
): Promise<StateRepair> {
  const map = await readPageMap(folder, seal);
  const damaged = await damagedChunks(folder, map, seal);
  if (damaged.length === 0) return { damagedChunks: 0, lostPages: 0 };
  const places = new Map<number, ChunkLocation>();
  const found: { readonly index: number; readonly contents: Uint8Array }[] = [];
  const inPacks = chunksInFolder(chunkFolder);
  for (const index of damaged) {
    const chunk = map.chunks[index] as ChunkLocation;
    const place = inPacks(chunk).find((each) => isWhole(folder, chunkFolder, each, seal));
    if (place) {
      places.set(index, place);
      continue;
    }
    const contents = await fromSources(sources, { chunk, index, map }, seal);
    if (contents) found.push({ index, contents });
  }
  for (const [index, place] of writePack(chunkFolder, map, found, seal)) places.set(index, place);
  await relocateState(folder, chunkFolder, (_chunk, index) => places.get(index), seal);
  const lost = new Set(damaged.filter((index) => !places.has(index)));
  const lostPages = map.pages.filter((entry) => entry !== 0 && lost.has(Math.floor((entry - 1) / CHUNK_PAGES))).length;
  return { damagedChunks: damaged.length, lostPages };
}

async function damagedChunks(folder: string, map: PageMap, seal: StateSeal | undefined): Promise<number[]> {
  const damaged: number[] = [];
  const packs = new Map<string, number | null>();
  try {
    for (const [index, chunk] of map.chunks.entries()) {
      const file = join(folder, PACKS_FOLDER, packName(chunk.pack));
      const fd = packs.has(chunk.pack) ? packs.get(chunk.pack) : openedOrNull(file);
      packs.set(chunk.pack, fd ?? null);
      if (typeof fd !== "number" || !canRead(file, fd, chunk, seal)) damaged.push(index);
      if (index % TURN_CHUNKS === 0) await new Promise(setImmediate);
    }
  } finally {
    for (const fd of packs.values()) if (fd !== null) closeSync(fd);
  }
  return damaged;
}

function canRead(file: string, fd: number, chunk: ChunkLocation, seal: StateSeal | undefined): boolean {
  try {
    readChunk(file, fd, chunk, seal);
    return true;
  } catch {
    return false;
  }
}

/** The places of a chunk by the indexes of the packs of a folder, which are read when they are needed first. */
function chunksInFolder(chunkFolder: string): (chunk: ChunkLocation) => readonly ChunkLocation[] {
  let index: Map<string, ChunkLocation[]> | undefined;
  return ({ hash: name, pages }) => {
    index ??= Map.groupBy(
      packIds(chunkFolder).flatMap((pack) => readPackIndex(join(chunkFolder, packName(pack)), pack)),
      (chunk) => chunk.hash,
    );
    return (index.get(name) ?? []).filter((chunk) => chunk.pages === pages);
  };
}

/** As the state will find it: where it has a pack of this name already, that is the one. */
function isWhole(folder: string, chunkFolder: string, chunk: ChunkLocation, seal: StateSeal | undefined): boolean {
  const own = join(folder, PACKS_FOLDER, packName(chunk.pack));
  const file = existsSync(own) ? own : join(chunkFolder, packName(chunk.pack));
  return readWhole(file, chunk, seal) !== undefined;
}

async function fromSources(
  sources: readonly ChunkSource[],
  wanted: WantedChunk,
  seal: StateSeal | undefined,
): Promise<Uint8Array | undefined> {
  const { hash: name, pages } = wanted.chunk;
  for (const source of sources) {
    const contents = await source(wanted).catch(() => undefined);
    if (contents?.length !== pages * PAGE_BYTES) continue;
    if ((seal?.nameOf(contents) ?? hash("sha256", contents, "hex")) === name) return contents;
  }
  return undefined;
}

function writePack(
  chunkFolder: string,
  map: PageMap,
  found: readonly { readonly index: number; readonly contents: Uint8Array }[],
  seal: StateSeal | undefined,
): Map<number, ChunkLocation> {
  const places = new Map<number, ChunkLocation>();
  if (found.length === 0) return places;
  const builder = new PackBuilder(chunkFolder, randomInt(1, GAP_MAX_BYTES));
  try {
    const written: [number, PlaceInPack][] = found.map(({ index, contents }) => {
      const name = map.chunks[index]?.hash ?? "";
      return [index, builder.append(name, storedChunk(name, contents, seal), contents.length / PAGE_BYTES)];
    });
    const { id } = builder.finish();
    syncFolder(chunkFolder);
    for (const [index, place] of written) {
      const chunk = { ...place, pack: id };
      if (readWhole(join(chunkFolder, packName(id)), chunk, seal)) places.set(index, chunk);
    }
    return places;
  } catch (error) {
    builder.abort();
    throw error;
  }
}
