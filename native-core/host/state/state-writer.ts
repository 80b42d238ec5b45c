// Writes one state folder: chunks as they come, then everything else, then the name. Synchronous; runs in a worker.
//
// Order: folder.tmp with links to the packs that are relied on -> pack durable -> page map and state.json durable -> rename -> parent folder
// durable. A kill leaves a folder.tmp or a pack without links, both of which the next clean-up removes. The links come first because
// packs without a second link may be collected at any time (collect-garbage.ts).
import {
  closeSync,
  copyFileSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { StateSeal } from "../crypt/sealed.ts";
import { syncFolder } from "../sync-folder.ts";
import { CHUNK_PAGES, PACKS_FOLDER, PAGES_FILE, packName, STATE_FILE } from "./format.ts";
import { PackWriter } from "./pack-file.ts";
import { type ChunkLocation, PageMap } from "./page-map.ts";

export interface StateTarget {
  readonly folder: string;
  readonly chunkFolder: string;
  /** Folder of the state whose pages are the base, in case the chunk folder has lost a pack of it. */
  readonly baseFolder: string | null;
  /** Packs of the base, to be kept from the first moment on. */
  readonly basePacks?: readonly string[];
  /** Key of an encrypted machine. */
  readonly machineKey?: Uint8Array | undefined;
}

export interface StateSummary {
  readonly map: PageMap;
  readonly writtenBytes: number;
}

export class StateWriter {
  readonly #target: StateTarget;
  readonly #packs: PackWriter;
  readonly #chunks: ReturnType<PackWriter["add"]>[] = [];
  readonly #changes = new Map<number, number>();
  readonly #temporary: string;
  readonly #pinned = new Set<string>();
  readonly #seal: StateSeal | undefined;

  constructor(target: StateTarget) {
    this.#target = target;
    this.#seal = target.machineKey && new StateSeal(target.machineKey);
    this.#temporary = `${target.folder}.tmp`;
    mkdirSync(target.chunkFolder, { recursive: true, mode: 0o700 });
    rmSync(this.#temporary, { recursive: true, force: true });
    mkdirSync(join(this.#temporary, PACKS_FOLDER), { recursive: true, mode: 0o700 });
    for (const pack of target.basePacks ?? []) this.#pin(pack);
    this.#packs = new PackWriter(target.chunkFolder, (pack) => this.#pin(pack), this.#seal);
  }

  /** Links a pack into the folder under construction; false when it is gone. */
  #pin(pack: string): boolean {
    if (this.#pinned.has(pack)) return true;
    const { chunkFolder, baseFolder } = this.#target;
    const places = [join(chunkFolder, packName(pack))];
    if (baseFolder !== null) places.push(join(baseFolder, PACKS_FOLDER, packName(pack)));
    for (const place of places) {
      try {
        linkOrCopy(place, join(this.#temporary, PACKS_FOLDER, packName(pack)));
        this.#pinned.add(pack);
        return true;
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
      }
    }
    return false;
  }

  /** Takes the contents of these pages, one after the other in `bytes`. */
  addChunk(pages: readonly number[], bytes: Uint8Array): void {
    const chunk = this.#chunks.length;
    this.#chunks.push(this.#packs.add(bytes));
    for (const [position, page] of pages.entries()) this.#changes.set(page, 1 + chunk * CHUNK_PAGES + position);
  }

  addZeroPages(pages: readonly number[]): void {
    for (const page of pages) this.#changes.set(page, 0);
  }

  /** Completes the state: `base` holds all pages that were not added. */
  finish(base: PageMap, stateJson: string): StateSummary {
    let written = this.#packs.finish();
    const added = this.#chunks.map((chunk) => ({ ...chunk, pack: chunk.pack ?? "" }) satisfies ChunkLocation);
    const map = this.#present(base).changed(added, this.#changes);
    const { folder, chunkFolder } = this.#target;
    const temporary = this.#temporary;
    const needed = new Set(map.packs);
    for (const pack of needed) if (!this.#pin(pack)) throw missingPack(join(chunkFolder, packName(pack)));
    for (const pack of this.#pinned) if (!needed.has(pack)) rmSync(join(temporary, PACKS_FOLDER, packName(pack)));
    const pages = this.#sealed(PAGES_FILE, map.encode());
    const state = this.#sealed(STATE_FILE, Buffer.from(stateJson));
    writeDurably(join(temporary, PAGES_FILE), pages);
    writeDurably(join(temporary, STATE_FILE), state);
    syncFolder(join(temporary, PACKS_FOLDER));
    syncFolder(temporary);
    syncFolder(chunkFolder);
    renameSync(temporary, folder);
    syncFolder(dirname(folder));
    written += pages.length + state.length;
    return { map, writtenBytes: written };
  }

  /** The base as it is by now: a pack may have been compacted since its map was read, so that its chunks are in another one. */
  #present(base: PageMap): PageMap {
    const gone = new Set(base.packs.filter((pack) => !this.#pin(pack)));
    if (gone.size === 0) return base;
    return base.relocated((chunk) => (gone.has(chunk.pack) ? this.#packs.relocated(chunk) : undefined));
  }

  #sealed(name: string, plain: Uint8Array): Uint8Array {
    return this.#seal?.sealFile(name, plain) ?? plain;
  }

  /** Removes whatever was made. */
  abort(): void {
    this.#packs.abort();
    rmSync(this.#temporary, { recursive: true, force: true });
  }
}

/** As the system would say it, so that it is explained the same way. */
function missingPack(file: string): Error {
  return Object.assign(new Error(`ENOENT: no such file or directory, link '${file}'`), { code: "ENOENT", path: file });
}

/** A file system without hard links costs space, not correctness. */
export function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "EXDEV", "EMLINK", "ENOSYS"].includes(code)) throw error;
    copyFileSync(from, to);
    const fd = openSync(to, "r+");
    fsyncSync(fd);
    closeSync(fd);
  }
}

export function writeDurably(file: string, bytes: Uint8Array): void {
  const fd = openSync(file, "wx", 0o600);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
