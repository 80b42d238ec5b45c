// Brings guest memory back from a state: what it used of late at once, on threads beside this one, each other page when it is first touched,
// the rest in idle moments.
//
// A missing page is fetched with its whole chunk. What is brought in beside the guest comes in runs of chunks: a call of the decompressor
// costs as much as a chunk. The packs stay open until everything is here, so the state may be deleted meanwhile.
import { closeSync, constants, openSync, read, readSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { zstdDecompress, zstdDecompressSync } from "node:zlib";
import { AppError } from "../../common/errors.ts";
import { PAGE_FLAG } from "../../cpu/mmu/memory-layout.ts";
import type { StateSeal } from "../crypt/sealed.ts";
import { fileError } from "../file-error.ts";
import { CHUNK_BYTES, CHUNK_PAGES, PACKS_FOLDER, PAGE_BYTES, packName } from "./format.ts";
import type { GuestPages } from "./guest-pages.ts";
import type { ChunkLocation, PageMap } from "./page-map.ts";

/** Chunks that one call brings in, where they lie one behind the other: at most 1 MiB, half a millisecond. */
const RUN_CHUNKS = 16;
/** Chunks that are brought in in advance at most: 32 MiB. */
const PREFETCHED_CHUNKS = 512;
/**
 * Runs of them under way at a time, and how long these are. Each step of one, a read or a chunk, waits for its turn of the event loop, which
 * comes once in a slice of the guest: so there are many at a time, of few steps.
 */
const PREFETCHING = 128;
const PREFETCHED_RUN_CHUNKS = 4;

const readAsync = promisify(read);
const decompressAsync = promisify(zstdDecompress);

export interface LoaderOptions {
  /** Of an encrypted machine's state. */
  readonly seal?: StateSeal | undefined;
}

export class PageLoader {
  readonly #guest: GuestPages;
  readonly #seal: StateSeal | undefined;
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
  constructor(guest: GuestPages, map: PageMap, folder: string, { seal }: LoaderOptions = {}) {
    this.#guest = guest;
    this.#seal = seal;
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
    if (entry !== 0) this.#load(chunkOf(entry), 1);
  }

  /** Brings further chunks, 1 MiB at most; for idle moments. */
  loadSome(): void {
    while (this.#loaded[this.#next]) this.#next++;
    if (this.#next < this.#loaded.length) this.#load(this.#next, RUN_CHUNKS);
  }

  /** Brings the chunks of these pages. Never rejects: what can't be read is left to whoever touches it. */
  async prefetch(pages: Iterable<number>): Promise<void> {
    const runs = this.#runs(pages).values();
    const work = async () => {
      for (const [first, end] of runs) await this.#prefetchRun(first, end).catch(() => undefined);
    };
    await Promise.all(Array.from({ length: PREFETCHING }, work));
  }

  loadAll(): void {
    while (!this.isComplete) this.loadSome();
  }

  close(): void {
    for (const fd of this.#packs.values()) closeSync(fd);
    this.#packs.clear();
  }

  /** Brings `chunk` and those of the `most - 1` after it that follow it in its pack and are not here. */
  #load(chunk: number, most: number): void {
    if (this.#loaded[chunk]) return;
    const end = this.#runEnd(chunk, most);
    const contents = this.#read(chunk, end);
    // One that can't be read shall not keep others back, and is to be named.
    if (!contents && end > chunk + 1) return this.#load(chunk, 1);
    if (!contents) throw this.#damaged(chunk);
    this.#placeRun(chunk, end, contents);
  }

  #runEnd(chunk: number, most: number): number {
    const { chunks } = this.#map;
    let end = chunk + 1;
    for (; end < chunk + most && !this.#loaded[end]; end++) {
      const [before, next] = [chunks[end - 1], chunks[end]];
      if (!before || next?.pack !== before.pack || next.offset !== before.offset + before.storedBytes) break;
      if (before.pages < CHUNK_PAGES) break;
    }
    return end;
  }

  /** First and end of runs of chunks that lie one behind the other, all with `pages` in them. */
  #runs(pages: Iterable<number>): [first: number, end: number][] {
    const chunks = new Set<number>();
    for (const page of pages) {
      const entry = this.#map.pages[page] ?? 0;
      if (entry !== 0) chunks.add(chunkOf(entry));
      if (chunks.size === PREFETCHED_CHUNKS) break;
    }
    const runs: [first: number, end: number][] = [];
    for (const chunk of [...chunks].sort((a, b) => a - b)) {
      const last = runs.at(-1);
      if (last && chunk === last[1] && this.#runEnd(last[0], PREFETCHED_RUN_CHUNKS) > chunk) last[1]++;
      else runs.push([chunk, chunk + 1]);
    }
    return runs;
  }

  async #prefetchRun(first: number, end: number): Promise<void> {
    const { run, fd, offset, storedBytes, length } = this.#extent(first, end);
    // Closed: everything is here, or the machine is gone.
    if (fd === undefined) return;
    const stored = new Uint8Array(storedBytes);
    if ((await readAsync(fd, stored, 0, storedBytes, offset)).bytesRead < storedBytes) return;
    const contents = await decompressAsync(this.#frames(run, stored), unpackInto(length));
    if (contents.length === length && this.#packs.size > 0) this.#placeRun(first, end, contents);
  }

  #placeRun(first: number, end: number, contents: Uint8Array): void {
    for (let chunk = first, at = 0; chunk < end; chunk++) {
      const bytes = (this.#map.chunks[chunk]?.pages ?? 0) * PAGE_BYTES;
      if (!this.#loaded[chunk]) this.#place(chunk, contents.subarray(at, at + bytes));
      at += bytes;
    }
    if (this.isComplete) this.close();
  }

  #place(chunk: number, contents: Uint8Array): void {
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
    this.#remaining--;
  }

  /** What the chunks from `first` to before `end` hold, which lie one behind the other; undefined when that can't be read. */
  #read(first: number, end: number): Uint8Array | undefined {
    const { run, fd, offset, storedBytes, length } = this.#extent(first, end);
    if (fd === undefined) throw new Error("assertion failed: the pack is open");
    const stored = new Uint8Array(storedBytes);
    try {
      if (readSync(fd, stored, 0, storedBytes, offset) < storedBytes) return undefined;
      const contents = zstdDecompressSync(this.#frames(run, stored), unpackInto(length));
      return contents.length === length ? contents : undefined;
    } catch {
      return undefined;
    }
  }

  /** Where those chunks lie, and their bytes unpacked. */
  #extent(first: number, end: number) {
    const { pack, offset } = this.#location(first);
    const run = this.#map.chunks.slice(first, end);
    return {
      ...{ run, offset },
      fd: this.#packs.get(pack),
      storedBytes: run.reduce((bytes, { storedBytes }) => bytes + storedBytes, 0),
      length: run.reduce((bytes, { pages }) => bytes + pages * PAGE_BYTES, 0),
    };
  }

  /** Frames one behind the other are one stream. Their checksums are verified where it is unpacked. */
  #frames(run: readonly ChunkLocation[], stored: Uint8Array): Uint8Array {
    return this.#seal ? unsealed(this.#seal, run, stored) : stored;
  }

  #location(chunk: number): ChunkLocation {
    const location = this.#map.chunks[chunk];
    if (!location) throw new Error("assertion failed: the chunk is in the map");
    return location;
  }

  #damaged(chunk: number): AppError {
    const { pack, offset } = this.#location(chunk);
    const file = join(this.#folder, PACKS_FOLDER, packName(pack));
    return new AppError("INVALID_FILE", `${file} is damaged: memory chunk at ${offset} can't be read`, {
      file,
      field: `chunk ${chunk}`,
      consequence: "The state can't be restored.",
      remedy: "Restore another snapshot, or start the machine afresh.",
    });
  }
}

/** Node goes on with the frame behind one only if that has filled the buffer to its end: so all but the last one are whole chunks. */
function unpackInto(length: number) {
  return { maxOutputLength: length, chunkSize: Math.min(length, CHUNK_BYTES) };
}

function unsealed(seal: StateSeal, run: readonly ChunkLocation[], stored: Uint8Array): Uint8Array {
  let at = 0;
  return Buffer.concat(run.map(({ hash, storedBytes }) => seal.open(hash, stored.subarray(at, (at += storedBytes)))));
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
