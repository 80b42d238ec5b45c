// What is known, while a region's code is made, about the addresses in it: which registers differ by a constant only, and for which of
// them a page has been looked up. Most accesses follow another one to the same object or stack frame; they need no second look-up, only a
// compare that they are still in the page found then.
//
// A _root_ stands for a value that was once in a register. `root + delta` is an address. A known page keeps, in two locals, the offset in
// the page and the host address of one such address. Host addresses never move, so the knowledge lasts until other code of the guest or a
// helper runs. Slow paths of accesses leave it alone: they add to the TLB and take nothing away. A device may, if it is written to, have
// translations dropped (mmu/tlb.ts), and then the region is left behind the store (slow-paths.ts).
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { Local } from "../../wasm/types.ts";

export interface Address {
  readonly root: number;
  readonly delta: number;
}

export interface KnownPage {
  readonly slot: number;
  readonly root: number;
  /** Of the address that the locals are about. */
  readonly delta: number;
  /** Found for writing, so it serves both. */
  readonly write: boolean;
}

/** Locals cost registers of the host: more pages than this would be spilled. */
const SLOTS = 4;
/** Further apart, two addresses are rarely in one page. */
const MAX_DISTANCE = 2048;

export interface PageLocals {
  readonly offset: Local;
  readonly host: Local;
}

/** Immutable apart from `KnownPages`, which replaces it. */
interface Knowledge {
  /** By number of general register; absent ones have not been looked at. */
  readonly registers: readonly (Address | undefined)[];
  /** Most recently used first. */
  readonly pages: readonly KnownPage[];
}

const NOTHING: Knowledge = { registers: [], pages: [] };

export class KnownPages {
  readonly #f: FunctionWriter;
  readonly #locals: PageLocals[] = [];
  #roots = 0;
  #now: Knowledge = NOTHING;

  constructor(f: FunctionWriter) {
    this.#f = f;
  }

  /** All that is known at the place being written; given back by `restore` where code for another place is written. */
  get knowledge(): Knowledge {
    return this.#now;
  }

  restore(knowledge: Knowledge): void {
    this.#now = knowledge;
  }

  forgetAll(): void {
    this.#now = NOTHING;
  }

  // --- addresses --------------------------------------------------------------------------------------------------------------

  /** What a register holds. */
  valueOf(register: number): Address {
    return this.#now.registers[register] ?? this.setRegister(register, undefined);
  }

  /** A register has been written: with an address derived from a known one, or with anything. */
  setRegister(register: number, value: Address | undefined): Address {
    const address = value ?? { root: this.#roots++, delta: 0 };
    const registers = this.#now.registers.slice();
    registers[register] = address;
    this.#now = { registers, pages: this.#now.pages };
    return address;
  }

  // --- pages --------------------------------------------------------------------------------------------------------------------

  find({ root, delta }: Address, write: boolean): KnownPage | undefined {
    const page = this.#now.pages.find((candidate) => candidate.root === root);
    if (!page || Math.abs(delta - page.delta) > MAX_DISTANCE || (write && !page.write)) return undefined;
    this.#use(page);
    return page;
  }

  /** Room for what a look-up of the address finds; the caller writes the locals. */
  add({ root, delta }: Address, write: boolean): KnownPage {
    const { pages } = this.#now;
    const old = pages.find((page) => page.root === root) ?? (pages.length === SLOTS ? pages.at(-1) : undefined);
    const page: KnownPage = { slot: old?.slot ?? this.#freeSlot(), root, delta, write };
    this.#now = { ...this.#now, pages: pages.filter((other) => other !== old) };
    this.#use(page);
    return page;
  }

  localsOf({ slot }: KnownPage): PageLocals {
    while (this.#locals.length <= slot) this.#locals.push({ offset: this.#f.local("i64"), host: this.#f.local("i32") });
    return this.#locals[slot] as PageLocals;
  }

  #use(page: KnownPage): void {
    if (this.#now.pages[0] === page) return;
    this.#now = { ...this.#now, pages: [page, ...this.#now.pages.filter((other) => other !== page)] };
  }

  #freeSlot(): number {
    const taken = new Set(this.#now.pages.map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    return slot;
  }
}
