// Gives chunks of a state other places: in a pack that was compacted, or where what had rotted is whole again. The pages stay what they are.
//
//   relocating.json durable -> links to the new packs -> `pages` replaced by a rename -> links to packs of no use removed -> relocating.json gone
//
// A kill leaves the old map or the new one, each with all its packs. relocating.json says which packs belong to either, so that whoever
// finds it (`settleRelocation`) knows which links to remove, without the key of an encrypted machine.
import { hash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { StateSeal } from "../crypt/sealed.ts";
import { syncFolder } from "../sync-folder.ts";
import { PACKS_FOLDER, PAGES_FILE, packName } from "./format.ts";
import type { ChunkLocation } from "./page-map.ts";
import { readPageMap } from "./state-folder.ts";
import { linkOrCopy, writeDurably } from "./state-writer.ts";

const JOURNAL = "relocating.json";
const TEMPORARY = `${PAGES_FILE}.tmp`;

const packId = z.string().regex(/^[0-9a-f]{32}$/);
const journalSchema = z.strictObject({
  /** SHA-256 of the new `pages`. */
  pages: z.string(),
  before: z.array(packId),
  after: z.array(packId),
});

/**
 * The chunks that `place` knows another place for get that; packs are linked from `chunkFolder`. Nobody else may change the state or begin
 * to restore it meanwhile; who restores it already has its packs open. Yields how many chunks moved.
 *
 * @throws AppError when the map can't be read, and the system's errors: the state is as before or as it should be then
 */
export async function relocateState(
  folder: string,
  chunkFolder: string,
  place: (chunk: ChunkLocation, index: number) => ChunkLocation | undefined,
  seal?: StateSeal,
): Promise<number> {
  settleRelocation(folder);
  const map = await readPageMap(folder, seal);
  let moved = 0;
  const next = map.relocated((chunk, index) => {
    const other = place(chunk, index);
    if (other) moved++;
    return other;
  });
  if (moved === 0) return 0;
  const pages = seal?.sealFile(PAGES_FILE, next.encode()) ?? next.encode();
  const journal = { pages: hash("sha256", pages), before: map.packs, after: next.packs };
  try {
    writeDurably(join(folder, JOURNAL), Buffer.from(JSON.stringify(journal)));
    syncFolder(folder);
    for (const pack of next.packs) {
      const link = join(folder, PACKS_FOLDER, packName(pack));
      if (!existsSync(link)) linkOrCopy(join(chunkFolder, packName(pack)), link);
    }
    syncFolder(join(folder, PACKS_FOLDER));
    writeDurably(join(folder, TEMPORARY), pages);
    renameSync(join(folder, TEMPORARY), join(folder, PAGES_FILE));
    syncFolder(folder);
  } finally {
    settleRelocation(folder);
  }
  return moved;
}

/** Ends a relocation that was cut off, or any other: packs that the map does not use go. Does nothing where none was begun. */
export function settleRelocation(folder: string): void {
  const file = join(folder, JOURNAL);
  if (!existsSync(file)) return;
  const journal = journalSchema.safeParse(parsed(readFileSync(file, "utf8"))).data;
  // Without a whole journal nothing was done yet.
  if (journal) {
    const isDone = hash("sha256", readFileSync(join(folder, PAGES_FILE))) === journal.pages;
    const used = new Set((isDone ? journal.after : journal.before).map(packName));
    if (isDone) syncFolder(folder);
    for (const name of readdirSync(join(folder, PACKS_FOLDER))) {
      if (!used.has(name)) rmSync(join(folder, PACKS_FOLDER, name), { force: true });
    }
  }
  rmSync(join(folder, TEMPORARY), { force: true });
  rmSync(file, { force: true });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
