// The operation cache seen from TypeScript: writes decoded blocks into memory 0, knows which pages they come from, voids them when the
// bytes change, and empties itself when it is full.
import type { DecodedBlock } from "../../x86/decoder/decode-block.ts";
import { MAX_INSTRUCTION_LENGTH } from "../../x86/decoder/instruction-decoder.ts";
import { OPERATION_SIZE, type Operation } from "../../x86/operation.ts";
import type { CoreInstance } from "../core-instance.ts";
import {
  AREA,
  BLOCK_HASH,
  CELLS,
  CODE_MAP,
  OPERATION_CACHE,
  PAGE_FLAG,
  PAGE_FLAGS,
  PAGE_SHIFT,
  RIP_HASH,
  TLB_BYTES,
  VCPU_AREA,
} from "../mmu/memory-layout.ts";
import {
  BLOCK_CONTEXT_SHIFT,
  BLOCK_HEADER,
  BLOCK_HEADER_SIZE,
  BLOCK_MARKER,
  BLOCK_SPANS_PAGES,
  LINK_SLOT,
  NO_HOST,
  TRAILER_SIZE,
} from "./block-layout.ts";
import { FORM_TRAIT, type HandlerTable, pairKey, readHandlerTable, VARIANT } from "./handler-table.ts";
import { Sequences } from "./sequences.ts";
import { PROFILE, PROFILED_TARGETS, profileSize } from "./target-profile.ts";

/** Where a block comes from, which is what it is found by. */
interface BlockPlace {
  /** Host address of the first byte of code. */
  readonly host: number;
  readonly context: number;
}

/**
 * Addresses of all blocks with bytes in a page. A guest has tens of thousands of blocks: what there is to know of one is in its
 * header. A page has a dozen, so they are looked through.
 */
type Page = number[];

/** In a context: 64-bit code, and 32-bit code. */
export const CODE_MODE_64 = 8;
const CODE_MODE_32 = 4;

/** General register ZERO as an index: the operand has none. */
const NO_INDEX = 0x80;

export interface BlockCacheParts {
  readonly core: CoreInstance;
  readonly vcpus: number;
  /** Room for operations, all of the operation cache unless a test wants it to fill up. */
  readonly bytes?: number | undefined;
  /** Starts a new generation on each vCPU: links and RIP hash entries to blocks that are void now are void. */
  readonly unlink: () => void;
  /** Which vCPU's areas are in use. */
  readonly running: () => number;
}

export class BlockCache {
  readonly #core: CoreInstance;
  readonly #vcpus: number;
  readonly #unlink: () => void;
  readonly #running: () => number;
  readonly #words: Int32Array;
  readonly #view: DataView;
  readonly #flags: Uint8Array;
  readonly #handlers: HandlerTable;
  readonly #sequences: Sequences;
  readonly #crossing = new Map<number, { readonly address: number; readonly secondHost: number }>();
  readonly #pages = new Map<number, Page>();
  readonly #end: number;
  #next: number = OPERATION_CACHE.address;
  #hotThreshold = 0;
  /** Told of each block that is void, or, without an address, that all are. */
  onVoid: (address?: number) => void = () => {};

  /** Counts pages that came to hold code: see `sweepWriteEntries`. */
  #codePages = 0;
  /** By vCPU: the count when its write entries were last known to spare all such pages. */
  readonly #swept: number[];

  constructor({ core, vcpus, bytes = OPERATION_CACHE.size, unlink, running }: BlockCacheParts) {
    this.#end = OPERATION_CACHE.address + bytes;
    this.#core = core;
    this.#vcpus = vcpus;
    this.#unlink = unlink;
    this.#running = running;
    this.#swept = new Array<number>(vcpus).fill(0);
    this.#words = new Int32Array(core.memory.buffer);
    this.#view = new DataView(core.memory.buffer);
    this.#flags = new Uint8Array(core.memory.buffer, PAGE_FLAGS.address);
    this.#handlers = readHandlerTable(core.memory.buffer);
    this.#sequences = new Sequences(this.#handlers.sequences);
    this.#voidFirstHashEntries();
  }

  /** Blocks that are alive. */
  get size(): number {
    let size = 0;
    for (const [number, page] of this.#pages)
      size += page.filter((address) => (this.placeOf(address)?.host ?? NO_HOST) >>> PAGE_SHIFT === number).length;
    return size;
  }

  /** A block translated before, or 0. `host` is the address of its first byte. */
  find(host: number, context: number): number {
    const page = this.#pages.get(host >>> PAGE_SHIFT);
    if (!page) return 0;
    const words = this.#words;
    const first = BLOCK_MARKER | (context << BLOCK_CONTEXT_SHIFT);
    for (let n = page.length - 1; n >= 0; n--) {
      const address = page[n] as number;
      if (words[headerWord(address, BLOCK_HEADER.host)] !== host) continue;
      if (words[headerWord(address, BLOCK_HEADER.marker)] === first) return address;
    }
    return 0;
  }

  /** Executions after which a block of 32- or 64-bit code is reported as hot; 0 for never. */
  get hotThreshold(): number {
    return this.#hotThreshold;
  }

  /** No block that is counted has longer to go than that. */
  set hotThreshold(executions: number) {
    this.#hotThreshold = executions;
    for (const page of this.#pages.values()) {
      for (const address of page) {
        const counter = headerWord(address, BLOCK_HEADER.counter);
        if ((this.#words[counter] ?? 0) > executions) this.#words[counter] = executions;
      }
    }
  }

  /** Where a block of RAM that is alive comes from. */
  placeOf(address: number): BlockPlace | undefined {
    // What is behind was there before the cache was emptied.
    if (address >= this.#next) return undefined;
    const first = this.#words[headerWord(address, BLOCK_HEADER.marker)] ?? 0;
    const host = this.#words[headerWord(address, BLOCK_HEADER.host)] ?? NO_HOST;
    if (host === NO_HOST || (first & 0xffff) !== BLOCK_MARKER) return undefined;
    return { host, context: first >>> BLOCK_CONTEXT_SHIFT };
  }

  /** A block translated before that spans two pages, and where its second page was; the caller checks that it is still there. */
  findCrossing(host: number, context: number): { readonly address: number; readonly secondHost: number } | undefined {
    // It is a single instruction, so it begins near the end of its page: most are not looked up at all.
    if ((host & 0xfff) < (1 << PAGE_SHIFT) - 2 * MAX_INSTRUCTION_LENGTH) return undefined;
    return this.#crossing.get(key(host, context));
  }

  /**
   * Writes a block; yields the address of its first operation. `secondHost`: host address of the second page of a block that spans two;
   * such a block is not found again by its address. Both addresses are undefined for code outside RAM.
   */
  add(block: DecodedBlock, host: number | undefined, context: number, secondHost: number | undefined): number {
    const size = BLOCK_HEADER_SIZE + block.operations.length * OPERATION_SIZE + TRAILER_SIZE;
    const profileBytes = this.#profileBytes(block, context);
    if (this.#next + size + profileBytes > this.#end) this.flush();
    const address = this.#next + BLOCK_HEADER_SIZE;
    this.#next += size + profileBytes;
    const findable = host !== undefined && !block.crossesPage;
    this.#write(block, address, (context << BLOCK_CONTEXT_SHIFT) | (findable ? 0 : BLOCK_SPANS_PAGES << 16));
    this.#words[headerWord(address, BLOCK_HEADER.host)] = host ?? NO_HOST;
    if (profileBytes > 0) this.#startProfile(address, profileBytes);
    if (host !== undefined) {
      const firstLength = Math.min(block.length, (1 << PAGE_SHIFT) - (host & 0xfff));
      this.#register(address, host, firstLength);
      if (secondHost !== undefined) {
        this.#register(address, secondHost, block.length - firstLength);
        this.#crossing.set(key(host, context), { address, secondHost });
      }
      if (findable && (context & (CODE_MODE_64 | CODE_MODE_32)) !== 0)
        this.#words[headerWord(address, BLOCK_HEADER.counter)] = this.#hotThreshold;
    }
    return address;
  }

  /** Makes a link slot that belongs to no block and lasts as long as the blocks that are alive now; 0 if there is no room. */
  addLinkSlot(): number {
    if (this.#next + OPERATION_SIZE > this.#end) return 0;
    const slot = this.#next;
    this.#next += OPERATION_SIZE;
    this.#voidSlot(slot >> 2);
    return slot;
  }

  /** Voids all blocks with bytes in a page; a block that runs now is left before its next operation. */
  invalidatePage(hostPage: number): void {
    const page = this.#pages.get(hostPage);
    this.#pages.delete(hostPage);
    this.#flags[hostPage] = (this.#flags[hostPage] ?? 0) & ~PAGE_FLAG.code;
    this.#clearCodeMap(hostPage);
    if (!page) return;
    for (const address of page) this.#void(address);
    this.#words[CELLS.codeVoided >> 2] = 1;
    this.#unlink();
  }

  /** As invalidatePage, if any of the bytes is code. */
  invalidateBytes(host: number, length: number): void {
    const page = host >>> PAGE_SHIFT;
    const first = granuleOf(host & 0xfff);
    const last = granuleOf((host & 0xfff) + length - 1);
    const map = codeMapOf(page);
    const low = (this.#words[map] ?? 0) & bits(first, last);
    const high = (this.#words[map + 1] ?? 0) & bits(first - 32, last - 32);
    if (low | high) this.invalidatePage(page);
  }

  /** Voids everything and starts over. */
  flush(): void {
    for (const page of this.#pages.keys()) {
      this.#flags[page] = (this.#flags[page] ?? 0) & ~PAGE_FLAG.code;
      this.#clearCodeMap(page);
    }
    this.#pages.clear();
    this.#crossing.clear();
    this.onVoid();
    this.#words[CELLS.codeVoided >> 2] = 1;
    const hash = BLOCK_HASH.address >> 2;
    this.#words.fill(0, hash, hash + ((BLOCK_HASH.entries * BLOCK_HASH.entrySize) >> 2));
    this.#unlink();
    const epoch = CELLS.cacheEpoch >> 2;
    this.#words[epoch] = ((this.#words[epoch] ?? 0) + 1) | 0;
    this.#next = OPERATION_CACHE.address;
  }

  // --- writing ----------------------------------------------------------------------------------------------------------------

  /** `flags`: upper half of the header's first word. The header's host address is the caller's. */
  #write({ operations, instructionCount }: DecodedBlock, address: number, flags: number): void {
    const words = this.#words;
    const count = operations.length;
    let at = (address - BLOCK_HEADER_SIZE) >> 2;
    words[at] = BLOCK_MARKER | flags;
    words[at + 2] = count * OPERATION_SIZE + TRAILER_SIZE;
    words[at + 3] = 0;
    at += 4;
    const { numbers, traits } = this.#handlers;
    // Backwards: flags are live at the end of a block, and before anything that reads them or may leave the block.
    let live = true;
    for (let n = count - 1; n >= 0; n--) {
      const operation = operations[n];
      if (!operation) continue;
      const { handler } = operation;
      const variant = (live ? 0 : VARIANT.quiet) | (operation.index === NO_INDEX ? VARIANT.simple : 0);
      const trait = traits[handler] ?? FORM_TRAIT.observesFlags;
      if (trait & FORM_TRAIT.observesFlags) live = true;
      else if (trait & FORM_TRAIT.replacesFlags) live = false;
      const word = at + n * 4;
      // Only a branch is fused with what is in front of it, and it is the last operation.
      const fused = n === count - 2 ? this.#fused(operation, operations[n + 1]) : undefined;
      const number = fused ?? numbers[handler * 4 + variant] ?? handler;
      words[word] = number | (operation.length << 16) | (operation.start << 24);
      words[word + 1] = operation.reg | (operation.rm << 8) | (operation.index << 16) | (operation.scale << 24);
      words[word + 2] = operation.disp;
      words[word + 3] = operation.imm;
    }
    this.#sequences.join(words, at, count);
    at += count * 4;
    this.#voidSlots(at);
    words[at + (2 * LINK_SLOT.size) / 4] = instructionCount;
  }

  /** Of the profile of where a block leads: only what may be compiled has one. */
  #profileBytes({ operations }: DecodedBlock, context: number): number {
    if (this.hotThreshold === 0 || (context & (CODE_MODE_64 | CODE_MODE_32)) === 0) return 0;
    const traits = this.#handlers.traits[operations.at(-1)?.handler ?? 0] ?? 0;
    if (traits & FORM_TRAIT.computedJump) return profileSize(PROFILED_TARGETS.jump);
    return traits & FORM_TRAIT.computedCall ? profileSize(PROFILED_TARGETS.call) : 0;
  }

  /** Behind the trailer of the block at `address`. */
  #startProfile(address: number, bytes: number): void {
    const profile = this.#next - bytes;
    this.#words.fill(0, profile >> 2, this.#next >> 2);
    this.#words[(profile + PROFILE.size) >> 2] = bytes - PROFILE.entries;
    const size = this.#words[(address - BLOCK_HEADER_SIZE + BLOCK_HEADER.size) >> 2] ?? 0;
    this.#words[(address + size - TRAILER_SIZE + LINK_SLOT.block) >> 2] = profile;
  }

  /** An entry of zeros would be valid for RIP 0, which only entry 0 is asked for, while address 0 of memory 0, which is RAX, is 0. */
  #voidFirstHashEntries(): void {
    for (let vcpu = 0; vcpu < this.#vcpus; vcpu++) {
      for (const area of areasOf(vcpu)) {
        const entry = (area + AREA.ripHash) >> 2;
        this.#words[entry + (RIP_HASH.cell >> 2)] = CELLS.zero;
        this.#words[entry + (RIP_HASH.check >> 2)] = 1;
      }
    }
  }

  /** The handler that also does the branch behind an operation, if there is one. */
  #fused(first: Operation, second: Operation | undefined): number | undefined {
    if (!second) return undefined;
    const pair = this.#handlers.pairs.get(pairKey(first.handler, second.handler));
    return pair && (!pair.simple || first.index === NO_INDEX) ? pair.handler : undefined;
  }

  /** Both slots compare the zero cell with 1, which never holds. `at`: index of the trailer's first word. */
  #voidSlots(at: number): void {
    this.#voidSlot(at);
    this.#voidSlot(at + LINK_SLOT.size / 4);
  }

  #voidSlot(at: number): void {
    this.#words[at] = 0;
    this.#words[at + LINK_SLOT.cell / 4] = CELLS.zero;
    this.#words[at + LINK_SLOT.check / 4] = 1;
  }

  #void(address: number): void {
    const place = this.placeOf(address);
    // It was in two pages.
    if (!place) return;
    const { host, context } = place;
    const size = this.#view.getInt32(address - BLOCK_HEADER_SIZE + 8, true);
    const trailer = address + size - TRAILER_SIZE;
    for (let at = address; at < trailer; at += OPERATION_SIZE) this.#view.setUint16(at, this.#handlers.resync, true);
    this.#voidSlots(trailer >> 2);
    this.#words[headerWord(address, BLOCK_HEADER.counter)] = 0;
    this.#words[headerWord(address, BLOCK_HEADER.host)] = NO_HOST;
    this.onVoid(address);
    const crossing = this.#crossing.get(key(host, context));
    if (crossing?.address === address) {
      this.#crossing.delete(key(host, context));
      // Else a guest that changes one of the pages for ever would have the list of the other grow for ever.
      this.#forget(address, host >>> PAGE_SHIFT);
      this.#forget(address, crossing.secondHost >>> PAGE_SHIFT);
    }
    const index = Math.imul(host, BLOCK_HASH.multiplier) >>> BLOCK_HASH.shift;
    const hash = (BLOCK_HASH.address + index * BLOCK_HASH.entrySize) >> 2;
    if (this.#words[hash + BLOCK_HASH.block / 4] === address) {
      this.#words[hash + BLOCK_HASH.block / 4] = 0;
      this.#words[hash + BLOCK_HASH.context / 4] = 0;
    }
  }

  // --- pages ------------------------------------------------------------------------------------------------------------------

  #register(address: number, host: number, length: number): void {
    const number = host >>> PAGE_SHIFT;
    let page = this.#pages.get(number);
    if (!page) {
      page = [];
      this.#pages.set(number, page);
      this.#flags[number] = (this.#flags[number] ?? 0) | PAGE_FLAG.code;
      this.#dropWriteEntries(number);
    }
    page.push(address);
    const first = granuleOf(host & 0xfff);
    const last = granuleOf((host & 0xfff) + length - 1);
    const map = codeMapOf(number);
    this.#words[map] = (this.#words[map] ?? 0) | bits(first, last);
    this.#words[map + 1] = (this.#words[map + 1] ?? 0) | bits(first - 32, last - 32);
  }

  #forget(address: number, hostPage: number): void {
    const page = this.#pages.get(hostPage);
    const at = page?.lastIndexOf(address) ?? -1;
    if (at >= 0) page?.splice(at, 1);
  }

  /** Write TLB entries of a page that now holds code: its stores must take the slow path. Other vCPUs follow before they run. */
  #dropWriteEntries(hostPage: number): void {
    const vcpu = this.#running();
    const upToDate = this.#swept[vcpu] === this.#codePages++;
    if (upToDate) this.#swept[vcpu] = this.#codePages;
    const flags = this.#flags[hostPage] ?? 0;
    const host = hostPage << PAGE_SHIFT;
    if (flags & PAGE_FLAG.writeCachedSupervisor) this.#core.exports.dropWriteEntries(host, 0);
    if (flags & PAGE_FLAG.writeCachedUser) this.#core.exports.dropWriteEntries(host, 1);
    // The others may still have entries of their own: then the flags stay.
    if (this.#vcpus === 1)
      this.#flags[hostPage] = flags & ~(PAGE_FLAG.writeCachedSupervisor | PAGE_FLAG.writeCachedUser);
  }

  /** To be called before a vCPU runs: pages that came to hold code while it did not must not be in its write TLB, which is emptied. */
  sweepWriteEntries(vcpu: number): void {
    if (this.#swept[vcpu] === this.#codePages) return;
    this.#swept[vcpu] = this.#codePages;
    for (const area of areasOf(vcpu)) {
      const first = (area + AREA.write) >> 2;
      this.#words.fill(0, first, first + (TLB_BYTES >> 2));
      // The empty tag of index 0 (mmu/tlb.ts).
      this.#words[first] = -4096;
      this.#words[first + 1] = -1;
    }
  }

  #clearCodeMap(page: number): void {
    this.#words[codeMapOf(page)] = 0;
    this.#words[codeMapOf(page) + 1] = 0;
  }
}

function areasOf(vcpu: number): readonly number[] {
  return [AREA.supervisor, AREA.user].map((area) => area + vcpu * VCPU_AREA.size);
}

/** Index of a word of a block's header. */
const headerWord = (address: number, field: number): number => (address - BLOCK_HEADER_SIZE + field) >> 2;

function key(host: number, context: number): number {
  return (host >>> 0) * 64 + context;
}

/** Index of a page's code map: 64 bits, one for each granule, the first word has the lower ones. */
const codeMapOf = (page: number): number => (CODE_MAP.address + page * CODE_MAP.entrySize) >> 2;

const granuleOf = (offset: number): number => offset >>> CODE_MAP.granuleShift;

/** The bits `first` to `last` of a word; neither need be in it. */
function bits(first: number, last: number): number {
  return below(last + 1) & ~below(first);
}

function below(bit: number): number {
  return bit >= 32 ? -1 : bit <= 0 ? 0 : (1 << bit) - 1;
}
