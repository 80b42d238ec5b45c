// Writes a memory state anew, sealed or in the clear, when a machine becomes encrypted or is no longer.
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { StateSeal } from "../crypt/sealed.ts";
import { CHUNK_PAGES, PACKS_FOLDER, PAGE_BYTES, packName } from "./format.ts";
import { PageMap } from "./page-map.ts";
import { encodeState, readState } from "./state-folder.ts";
import { type StateTarget, StateWriter } from "./state-writer.ts";
import { readChunk } from "./verify-state.ts";

/** Chunks that are written in one turn of the event loop: a few milliseconds. */
const TURN_CHUNKS = 16;

/** `onTurn` may throw to end it; nothing of the new state stays then. @throws AppError as for reading and writing states */
export async function recodeState(
  from: { readonly folder: string; readonly machineKey: Uint8Array | undefined },
  target: StateTarget,
  onTurn: (share: number) => void,
): Promise<void> {
  const seal = from.machineKey && new StateSeal(from.machineKey);
  const state = await readState(from.folder, seal);
  const pagesOf = Map.groupBy(state.map.pages.keys(), (page) => chunkOf(state.map.pages[page] ?? 0));
  const writer = new StateWriter(target);
  const packs = new Map<string, number>();
  try {
    for (const [index, chunk] of state.map.chunks.entries()) {
      const file = join(from.folder, PACKS_FOLDER, packName(chunk.pack));
      const fd = packs.get(chunk.pack) ?? openSync(file, "r");
      packs.set(chunk.pack, fd);
      const contents = readChunk(file, fd, chunk, seal);
      // Several pages may be the same one of a chunk, so there may be more of them than a chunk has.
      const pages = pagesOf.get(index) ?? [];
      for (let at = 0; at < pages.length; at += CHUNK_PAGES) {
        const group = pages.slice(at, at + CHUNK_PAGES);
        writer.addChunk(group, Buffer.concat(group.map((page) => pageIn(contents, state.map.pages[page] ?? 1))));
      }
      if (index % TURN_CHUNKS !== 0) continue;
      await new Promise(setImmediate);
      onTurn(index / state.map.chunks.length);
    }
    const { shape, machine, savedAtMs, recentPages } = state;
    writer.finish(PageMap.empty(state.map.pages.length), encodeState(shape, machine, savedAtMs, recentPages));
  } catch (error) {
    writer.abort();
    throw error;
  } finally {
    for (const fd of packs.values()) closeSync(fd);
  }
}

function chunkOf(entry: number): number {
  return entry === 0 ? -1 : Math.floor((entry - 1) / CHUNK_PAGES);
}

function pageIn(contents: Uint8Array, entry: number): Uint8Array {
  const at = ((entry - 1) % CHUNK_PAGES) * PAGE_BYTES;
  return contents.subarray(at, at + PAGE_BYTES);
}
