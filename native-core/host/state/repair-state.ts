// Repairs the memory of a state: a chunk that can't be read is taken from wherever its contents still are, known by their name. What is found
// goes into a new pack, is read back, and only then is the state told (relocate-state.ts); what was there before stays if anything fails.
import { hash, randomInt } from "node:crypto";
import { closeSync, existsSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import type { StateSeal } from "../crypt/sealed.ts";
import { syncFolder } from "../sync-folder.ts";
import { CHUNK_PAGES, PACKS_FOLDER, PAGE_BYTES, packName } from "./format.ts";
import { PackBuilder, type PlaceInPack } from "./pack-builder.ts";
import { storedChunk } from "./pack-file.ts";
import { packIds, readPackIndex } from "./pack-index.ts";
import type { ChunkLocation, PageMap } from "./page-map.ts";
import { relocateState } from "./relocate-state.ts";
import { readPageMap } from "./state-folder.ts";
import { readChunk } from "./verify-state.ts";

const TURN_CHUNKS = 64;
/** Room before the first chunk of a repaired pack: it must not have the name of the pack that rotted. */
const GAP_MAX_BYTES = 4096;

export interface WantedChunk {
  readonly chunk: ChunkLocation;
  readonly index: number;
  readonly map: PageMap;
}

/** What the chunk may hold; whether it does is checked by its name. */
export type ChunkSource = (wanted: WantedChunk) => Promise<Uint8Array | undefined>;

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
      const fd = packs.has(chunk.pack) ? packs.get(chunk.pack) : opened(file);
      packs.set(chunk.pack, fd ?? null);
      if (typeof fd !== "number" || !canRead(file, fd, chunk, seal)) damaged.push(index);
      if (index % TURN_CHUNKS === 0) await new Promise(setImmediate);
    }
  } finally {
    for (const fd of packs.values()) if (fd !== null) closeSync(fd);
  }
  return damaged;
}

function opened(file: string): number | null {
  try {
    return openSync(file, "r");
  } catch {
    return null;
  }
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

function readWhole(file: string, chunk: ChunkLocation, seal: StateSeal | undefined): Uint8Array | undefined {
  const fd = opened(file);
  if (fd === null) return undefined;
  try {
    return readChunk(file, fd, chunk, seal);
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
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

/** Packs that are files of their own: in states of a file system without hard links, in the trash, in another chunk folder. */
export function chunksOfFolders(folders: readonly string[], seal?: StateSeal): ChunkSource {
  let index: Map<string, { file: string; chunk: ChunkLocation }[]> | undefined;
  const read = () => {
    const seen = new Set<string>();
    const places = folders.flatMap((folder) => {
      const packs = existsSync(folder) ? packIds(folder) : [];
      return packs.flatMap((pack) => {
        const file = join(folder, packName(pack));
        const { dev, ino } = statSync(file);
        if (seen.has(`${dev} ${ino}`)) return [];
        seen.add(`${dev} ${ino}`);
        return readPackIndex(file, pack).map((chunk) => ({ file, chunk }));
      });
    });
    return Map.groupBy(places, ({ chunk }) => chunk.hash);
  };
  return async ({ chunk: { hash: name } }) => {
    index ??= read();
    for (const { file, chunk } of index.get(name) ?? []) {
      const contents = readWhole(file, chunk, seal);
      if (contents) return contents;
    }
    return undefined;
  };
}

/** The same pages as another state has them: what a parent, a child or a copy holds in chunks of another cut. */
export function pagesOfState(folder: string, seal?: StateSeal): ChunkSource {
  let other: Promise<PageMap | null> | undefined;
  const members = new WeakMap<PageMap, Map<number, number[]>>();
  return async ({ map, index, chunk }) => {
    other ??= readPageMap(folder, seal).catch(() => null);
    const from = await other;
    if (!from) return undefined;
    const pagesOf =
      members.get(map) ??
      Map.groupBy(map.pages.keys(), (page) => Math.floor(((map.pages[page] ?? 0) - 1) / CHUNK_PAGES));
    members.set(map, pagesOf);
    const contents = new Uint8Array(chunk.pages * PAGE_BYTES);
    let known = 0;
    for (const page of pagesOf.get(index) ?? []) {
      const position = ((map.pages[page] ?? 1) - 1) % CHUNK_PAGES;
      if (known & (1 << position)) continue;
      const bytes = readPage(folder, from, page, seal);
      if (!bytes) continue;
      contents.set(bytes, position * PAGE_BYTES);
      known |= 1 << position;
    }
    return known === 2 ** chunk.pages - 1 ? contents : undefined;
  };
}

function readPage(folder: string, map: PageMap, page: number, seal: StateSeal | undefined): Uint8Array | undefined {
  const entry = map.pages[page] ?? 0;
  if (entry === 0) return new Uint8Array(PAGE_BYTES);
  const chunk = map.chunks[Math.floor((entry - 1) / CHUNK_PAGES)];
  const contents = chunk && readWhole(join(folder, PACKS_FOLDER, packName(chunk.pack)), chunk, seal);
  const at = ((entry - 1) % CHUNK_PAGES) * PAGE_BYTES;
  return contents?.subarray(at, at + PAGE_BYTES);
}

/** What the pages of a state are, wherever their chunks lie: two maps with the same digest read the same. */
export function digestOf(map: PageMap): string {
  const names = map.chunks.map((chunk) => chunk.hash);
  const text = Array.from(map.pages, (entry) =>
    entry === 0 ? "" : `${names[Math.floor((entry - 1) / CHUNK_PAGES)]}${(entry - 1) % CHUNK_PAGES}`,
  );
  return hash("sha256", text.join("\n"));
}
