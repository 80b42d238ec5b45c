// Copies guest pages as they were in one instant, while the guest runs on.
//
// `begin` only sets flags: every page to be saved becomes protected, so that the first write to it comes here first and its old
// contents are put aside. `next` then copies the pages out in small steps. The pause is the time of `begin`.
import { isAllZero } from "../../common/zero.ts";
import { PAGE_FLAG } from "../../cpu/mmu/memory-layout.ts";
import { CHUNK_PAGES, PAGE_BYTES } from "./format.ts";
import type { GuestPages } from "./guest-pages.ts";
import type { PageChunk } from "./state-writer-client.ts";

const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

/** Groups with at least this many pages to save become a chunk of their own, so that equal memory makes equal chunks. */
const DENSE_PAGES = 8;

export class PageCapture {
  readonly #guest: GuestPages;
  readonly #isMissing: (page: number) => boolean;
  readonly #aside = new Map<number, Uint8Array>();
  #pages: Uint32Array<ArrayBuffer> = new Uint32Array(0);
  #next = 0;
  #mixed: number[] = [];
  #mixedBytes: Uint8Array[] = [];

  constructor(guest: GuestPages) {
    this.#guest = guest;
    this.#isMissing = (page) => ((guest.flags[page] ?? 0) & PAGE_FLAG.missing) !== 0;
  }

  /**
   * Marks what is to be saved: pages written since the last state, or all that may hold something (`everything`). With the guest
   * paused. Yields how many.
   */
  begin(everything: boolean): number {
    const { flags, count } = this.#guest;
    const ramCount = this.#guest.sizeBytes / PAGE_BYTES;
    const chosen = new Uint32Array(count);
    let length = 0;
    for (let page = 0; page < ramCount; page++) {
      const flag = flags[page] ?? 0;
      // A missing page is what the state it comes from says, and that state is the base.
      if (!(flag & PAGE_FLAG.dirty) && !(everything && !(flag & PAGE_FLAG.missing))) continue;
      flags[page] = (flag & ~PAGE_FLAG.dirty) | PAGE_FLAG.protected;
      chosen[length++] = page;
    }
    const memory = this.#guest.bytes();
    for (let page = ramCount; page < count; page++) {
      // Most of video memory was never touched; comparing it natively keeps this out of the pause.
      const contents = memory.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      this.#aside.set(page, Buffer.compare(contents, ZERO_PAGE) === 0 ? ZERO_PAGE : contents.slice());
      chosen[length++] = page;
    }
    this.#pages = chosen.slice(0, length);
    this.#guest.onProtected = (page) => this.#putAside(page);
    this.#guest.flagsChanged();
    return length;
  }

  /** The next pages, about `limit` of them; undefined at the end. Call it in small steps between slices. */
  next(limit: number): { chunks: PageChunk[]; zeroPages: number[] } | undefined {
    if (this.#next >= this.#pages.length) return undefined;
    const chunks: PageChunk[] = [];
    const zeroPages: number[] = [];
    for (let taken = 0; taken < limit && this.#next < this.#pages.length; ) {
      const group = Math.floor((this.#pages[this.#next] ?? 0) / CHUNK_PAGES);
      const pages: number[] = [];
      const contents: Uint8Array[] = [];
      while (Math.floor((this.#pages[this.#next] ?? -1) / CHUNK_PAGES) === group) {
        const page = this.#pages[this.#next++] ?? 0;
        const bytes = this.#take(page);
        if (isAllZero(bytes)) zeroPages.push(page);
        else {
          pages.push(page);
          contents.push(bytes);
        }
        taken++;
      }
      if (pages.length >= DENSE_PAGES) chunks.push(join(pages, contents));
      else this.#mix(pages, contents, chunks);
    }
    if (this.#next >= this.#pages.length && this.#mixed.length > 0) chunks.push(this.#takeMixed());
    return { chunks, zeroPages };
  }

  /** Gives up: everything counts as written again, so that the next state saves it. Also after `next` came to its end. */
  cancel(): void {
    const { flags } = this.#guest;
    const ramCount = this.#guest.sizeBytes / PAGE_BYTES;
    for (const page of this.#pages) {
      if (page < ramCount) flags[page] = ((flags[page] ?? 0) & ~PAGE_FLAG.protected) | PAGE_FLAG.dirty;
    }
    this.#next = this.#pages.length;
    this.#aside.clear();
  }

  #putAside(page: number): void {
    const { flags } = this.#guest;
    this.#aside.set(page, this.#guest.bytes().slice(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
    flags[page] = (flags[page] ?? 0) & ~PAGE_FLAG.protected;
  }

  /** The page as it was at `begin`: a view that is valid until the guest runs again. */
  #take(page: number): Uint8Array {
    const aside = this.#aside.get(page);
    if (aside) {
      this.#aside.delete(page);
      return aside;
    }
    if (this.#isMissing(page)) this.#guest.onMissing(page);
    const { flags } = this.#guest;
    flags[page] = (flags[page] ?? 0) & ~PAGE_FLAG.protected;
    return this.#guest.bytes().subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
  }

  /** Scattered pages share chunks; they are few, so copying them apart costs little. */
  #mix(pages: readonly number[], contents: readonly Uint8Array[], chunks: PageChunk[]): void {
    for (const [index, page] of pages.entries()) {
      this.#mixed.push(page);
      this.#mixedBytes.push((contents[index] as Uint8Array).slice());
      if (this.#mixed.length === CHUNK_PAGES) chunks.push(this.#takeMixed());
    }
  }

  #takeMixed(): PageChunk {
    const chunk = join(this.#mixed, this.#mixedBytes);
    this.#mixed = [];
    this.#mixedBytes = [];
    return chunk;
  }
}

function join(pages: number[], contents: readonly Uint8Array[]): PageChunk {
  const bytes = new Uint8Array(pages.length * PAGE_BYTES);
  for (const [index, page] of contents.entries()) bytes.set(page, index * PAGE_BYTES);
  return { pages, bytes };
}
