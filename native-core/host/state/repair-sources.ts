// Where the contents of a chunk may still be when the pack of a state has rotted (repair-state.ts).
import { hash } from "node:crypto";
import { closeSync, existsSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import type { StateSeal } from "../crypt/sealed.ts";
import { CHUNK_PAGES, PACKS_FOLDER, PAGE_BYTES, packName } from "./format.ts";
import { decodePackIndex, indexPlace, PACK_FOOTER_BYTES, packIds, readPackIndex } from "./pack-index.ts";
import type { ChunkLocation, PageMap } from "./page-map.ts";
import { readPageMap } from "./state-folder.ts";
import { readChunk } from "./verify-state.ts";

export interface WantedChunk {
  readonly chunk: ChunkLocation;
  readonly index: number;
  readonly map: PageMap;
}

/** What the chunk may hold; whether it does is checked by its name. */
export type ChunkSource = (wanted: WantedChunk) => Promise<Uint8Array | undefined>;

export function openedOrNull(file: string): number | null {
  try {
    return openSync(file, "r");
  } catch {
    return null;
  }
}

export function readWhole(file: string, chunk: ChunkLocation, seal: StateSeal | undefined): Uint8Array | undefined {
  const fd = openedOrNull(file);
  if (fd === null) return undefined;
  try {
    return readChunk(file, fd, chunk, seal);
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
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

/** A pack that is no file, such as one in a backup; never that of an encrypted machine. */
export interface PackReader {
  readonly id: string;
  readonly sizeBytes: number;
  /** Rejects where it is damaged itself. */
  read(offset: number, length: number): Promise<Buffer>;
}

export function chunksOfReaders(packs: readonly PackReader[]): ChunkSource {
  const indexes = new Map<PackReader, Promise<readonly ChunkLocation[]>>();
  return async ({ chunk: { hash: name } }) => {
    for (const pack of packs) {
      const index = indexes.get(pack) ?? indexOf(pack).catch(() => []);
      indexes.set(pack, index);
      const found = (await index).find((each) => each.hash === name);
      const stored = found && (await pack.read(found.offset, found.storedBytes).catch(() => undefined));
      if (stored) return zstdDecompressSync(stored, { maxOutputLength: found.pages * PAGE_BYTES });
    }
    return undefined;
  };
}

async function indexOf(pack: PackReader): Promise<readonly ChunkLocation[]> {
  const footer = await pack.read(pack.sizeBytes - PACK_FOOTER_BYTES, PACK_FOOTER_BYTES);
  const place = indexPlace(footer, pack.sizeBytes);
  return place ? decodePackIndex(await pack.read(place.offset, place.length), footer, pack.id, place.offset) : [];
}

/** What the pages of a state are, wherever their chunks lie: two maps with the same digest read the same. */
export function digestOf(map: PageMap): string {
  const names = map.chunks.map((chunk) => chunk.hash);
  const text = Array.from(map.pages, (entry) =>
    entry === 0 ? "" : `${names[Math.floor((entry - 1) / CHUNK_PAGES)]}${(entry - 1) % CHUNK_PAGES}`,
  );
  return hash("sha256", text.join("\n"));
}
