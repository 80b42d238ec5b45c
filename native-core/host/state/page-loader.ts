// Brings guest memory back from a state: each page when it is first touched, the rest in idle moments.
//
// A missing page is fetched with its whole chunk, since most of the cost is in decompressing. The packs stay open until everything
// is here, so the state may be deleted meanwhile.
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { AppError } from "../../common/errors.ts";
import { PAGE_FLAG } from "../../cpu/mmu/memory-layout.ts";
import { fileError } from "../file-error.ts";
import { CHUNK_BYTES, CHUNK_PAGES, PACKS_FOLDER, PAGE_BYTES, packName } from "./format.ts";
import type { GuestPages } from "./guest-pages.ts";
import type { PageMap } from "./page-map.ts";

export class PageLoader {
  readonly #guest: GuestPages;
  readonly #map: PageMap;
  readonly #folder: string;
  readonly #packs = new Map<string, number>();
  /** Pages of each chunk: chunk c owns #members[#starts[c]] up to #starts[c + 1]. */
  readonly #starts: Uint32Array;
  readonly #members: Uint32Array;
  readonly #loaded: Uint8Array;
  #next = 0;
  #remaining: number;

  /** Opens the packs of the state in `folder` and marks its pages missing; memory must be all zeroes. Throws AppError. */
  constructor(guest: GuestPages, map: PageMap, folder: string) {
    this.#guest = guest;
    this.#map = map;
    this.#folder = folder;
    const { chunks, pages } = map;
    this.#starts = new Uint32Array(chunks.length + 1);
    for (const entry of pages) if (entry !== 0) (this.#starts[chunkOf(entry) + 1] as number)++;
    for (let chunk = 0; chunk < chunks.length; chunk++) {
      this.#starts[chunk + 1] = (this.#starts[chunk + 1] ?? 0) + (this.#starts[chunk] ?? 0);
    }
    const fill = this.#starts.slice();
    this.#members = new Uint32Array(this.#starts[chunks.length] ?? 0);
    for (let page = 0; page < pages.length; page++) {
      const entry = pages[page] ?? 0;
      if (entry === 0) continue;
      const chunk = chunkOf(entry);
      this.#members[fill[chunk] ?? 0] = page;
      fill[chunk] = (fill[chunk] ?? 0) + 1;
      guest.flags[page] = (guest.flags[page] ?? 0) | PAGE_FLAG.missing;
    }
    this.#loaded = new Uint8Array(chunks.length);
    this.#remaining = chunks.length;
    try {
      for (const pack of map.packs) this.#packs.set(pack, openPack(folder, pack));
    } catch (error) {
      this.close();
      throw error;
    }
    guest.onMissing = (page) => this.fetch(page);
    // The display adapter reads video memory without asking, so that is here from the start, and drawn anew.
    for (let page = guest.sizeBytes / PAGE_BYTES; page < guest.count; page++) {
      this.fetch(page);
      guest.flags[page] = (guest.flags[page] ?? 0) | PAGE_FLAG.dirty;
    }
    guest.flagsChanged();
  }

  get isComplete(): boolean {
    return this.#remaining === 0;
  }

  /** Brings one page, and with it those that share its chunk. Throws AppError when the chunk is damaged. */
  fetch(page: number): void {
    const entry = this.#map.pages[page] ?? 0;
    if (entry !== 0) this.#load(chunkOf(entry));
  }

  /** Brings up to `count` further chunks; for idle moments. */
  loadSome(count: number): void {
    for (let done = 0; done < count && this.#next < this.#loaded.length; this.#next++) {
      if (this.#loaded[this.#next]) continue;
      this.#load(this.#next);
      done++;
    }
  }

  loadAll(): void {
    this.loadSome(this.#loaded.length);
  }

  close(): void {
    for (const fd of this.#packs.values()) closeSync(fd);
    this.#packs.clear();
  }

  #load(chunk: number): void {
    if (this.#loaded[chunk]) return;
    const contents = this.#read(chunk);
    const memory = this.#guest.bytes();
    const { flags } = this.#guest;
    const end = this.#starts[chunk + 1] ?? 0;
    for (let member = this.#starts[chunk] ?? 0; member < end; member++) {
      const page = this.#members[member] ?? 0;
      const position = ((this.#map.pages[page] ?? 1) - 1) % CHUNK_PAGES;
      memory.set(contents.subarray(position * PAGE_BYTES, (position + 1) * PAGE_BYTES), page * PAGE_BYTES);
      flags[page] = (flags[page] ?? 0) & ~PAGE_FLAG.missing;
    }
    this.#loaded[chunk] = 1;
    if (--this.#remaining === 0) this.close();
  }

  #read(chunk: number): Uint8Array {
    const location = this.#map.chunks[chunk];
    const fd = location && this.#packs.get(location.pack);
    if (!location || fd === undefined) throw new Error("assertion failed: the pack is open");
    const file = join(this.#folder, PACKS_FOLDER, packName(location.pack));
    const stored = new Uint8Array(location.storedBytes);
    const length = location.pages * PAGE_BYTES;
    try {
      if (readSync(fd, stored, 0, stored.length, location.offset) < stored.length) throw new Error("cut off");
      // The frame's checksum is verified here.
      const contents = zstdDecompressSync(stored, { maxOutputLength: length, chunkSize: CHUNK_BYTES });
      if (contents.length === length) return contents;
    } catch {
      // falls through: said below
    }
    throw new AppError("INVALID_FILE", `${file} is damaged: memory chunk at ${location.offset} can't be read`, {
      file,
      field: `chunk ${chunk}`,
      consequence: "The state can't be restored.",
      remedy: "Restore another snapshot, or start the machine afresh.",
    });
  }
}

function chunkOf(entry: number): number {
  return Math.floor((entry - 1) / CHUNK_PAGES);
}

function openPack(folder: string, pack: string): number {
  const file = join(folder, PACKS_FOLDER, packName(pack));
  try {
    return openSync(file, constants.O_RDONLY);
  } catch (error) {
    throw fileError(error, file, {
      consequence: "The state can't be restored; the machine was not changed.",
      remedy: "Restore another snapshot, or start the machine afresh.",
    });
  }
}
