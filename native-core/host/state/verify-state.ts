// Checks a saved state: its document, its page map and every chunk of its packs, by checksum and by name.
import { hash } from "node:crypto";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { AppError } from "../../common/errors.ts";
import type { StateSeal } from "../crypt/sealed.ts";
import { fileError } from "../file-error.ts";
import { PACKS_FOLDER, PAGE_BYTES, packName } from "./format.ts";
import type { ChunkLocation } from "./page-map.ts";
import { readState } from "./state-folder.ts";

/** Chunks that are checked in one turn of the event loop. */
const TURN_CHUNKS = 64;

/** @throws AppError INVALID_FILE, NOT_FOUND, VERSION_MISMATCH naming the file */
export async function verifyState(folder: string, seal?: StateSeal): Promise<void> {
  const { map } = await readState(folder, seal);
  const packs = new Map<string, number>();
  try {
    for (const [index, chunk] of map.chunks.entries()) {
      const file = join(folder, PACKS_FOLDER, packName(chunk.pack));
      let fd = packs.get(chunk.pack);
      if (fd === undefined) {
        fd = openPack(file);
        packs.set(chunk.pack, fd);
      }
      readChunk(file, fd, chunk, seal);
      if (index % TURN_CHUNKS === 0) await new Promise(setImmediate);
    }
  } finally {
    for (const fd of packs.values()) closeSync(fd);
  }
}

function openPack(file: string): number {
  try {
    return openSync(file, constants.O_RDONLY);
  } catch (error) {
    throw fileError(error, file, { consequence: "States that use it can't be restored." });
  }
}

/** What a chunk holds, checked by its name. @throws AppError INVALID_FILE */
export function readChunk(
  file: string,
  fd: number,
  { offset, storedBytes, pages, hash: name }: ChunkLocation,
  seal: StateSeal | undefined,
): Buffer {
  const stored = new Uint8Array(storedBytes);
  try {
    if (readSync(fd, stored, 0, storedBytes, offset) === storedBytes) {
      const frame = seal?.open(name, stored) ?? stored;
      const contents = zstdDecompressSync(frame, { maxOutputLength: pages * PAGE_BYTES });
      const actual = seal?.nameOf(contents) ?? hash("sha256", contents);
      if (contents.length === pages * PAGE_BYTES && actual === name) return contents;
    }
  } catch {
    // falls through: said below
  }
  throw new AppError("INVALID_FILE", `${file} is damaged: memory chunk at ${offset} can't be read`, {
    file,
    field: `offset ${offset}`,
    consequence: "States that use it can't be restored.",
    remedy: "Restore another snapshot, or a backup.",
  });
}
