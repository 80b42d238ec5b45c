// What goes into a region: blocks that lead to each other by direct branches, over page ends too, or by computed jumps as their profiles
// say, and, in place of calls, the small functions that are called there.
//
// A _site_ is a block in a frame: the body of an inlined function is there once for each call of it. The linear distance of two sites is
// fixed, whatever page they are in; that the bytes there are still the block's is checked on every edge into another page, by the same
// link slot that the interpreter would go through (ADR 17).
import { NEXT_SLOT, TAKEN_SLOT } from "../interpreter/block-layout.ts";
import { PAGE_SHIFT } from "../mmu/memory-layout.ts";
import type { CompiledBlock, TargetKind } from "./block-source.ts";

/** How a site leads to another: by an exit of its block, or `back`: an inlined function returns. */
export type EdgeKind = TargetKind | "back";

/** A call that is inlined, seen from the function's blocks. */
export interface Frame {
  readonly parent: Frame | undefined;
  readonly depth: number;
  /** Address of the function's first block. */
  readonly callee: number;
  /** Where its returns lead: in the parent frame. */
  readonly returns: Site;
}

export interface Site {
  readonly block: CompiledBlock;
  readonly frame: Frame | undefined;
  /** Behind one of several targets of a jump: has the room that is left, and does not use it for functions. */
  readonly isRare: boolean;
  readonly edges: Map<EdgeKind, Site>;
}

export interface RegionLimits {
  readonly maxBlocks: number;
  readonly maxOperations: number;
  /** Operations of a function that is worth inlining, without what it calls in turn. */
  readonly maxInlined: number;
  readonly maxDepth: number;
}

export interface BlockFinder {
  /** A block of the page that `from` is in, by its offset in the region; undefined where there is none worth including that ends in the page. */
  inPage(from: CompiledBlock, offset: number): CompiledBlock | undefined;
  /** The block that a link slot leads to now, which is at `offset`. */
  linked(slot: number, offset: number): CompiledBlock | undefined;
  /** The block at `address`, which a computed jump led to, if it may be that at `offset`. */
  recorded(address: number, offset: number): CompiledBlock | undefined;
}

/** Address of the link slot of a direct exit. */
export function slotOf({ lastOperation }: CompiledBlock, kind: EdgeKind): number {
  return lastOperation + (kind === "next" ? NEXT_SLOT : TAKEN_SLOT);
}

export const isSamePage = (a: number, b: number): boolean => a >> PAGE_SHIFT === b >> PAGE_SHIFT;

/** Where one block is, the other need not be: the way there is looked at each time it is taken. */
export const needsGuard = (from: CompiledBlock, to: CompiledBlock): boolean =>
  !isSamePage(from.pageOffset, to.pageOffset) || from.spansPages || to.spansPages;

/** Whether a function begins there, that returns behind the block. */
const isCallOf = ({ computed }: CompiledBlock, kind: TargetKind): boolean =>
  kind === "call" || (computed?.isCall === true && kind !== "return");

/** Share of a computed jump below which what is there is rare: one case of a switch, which has more than there is room for. */
const RARE_SHARE = 1 / 2;

/** How often a block goes that way, if that is known. */
const shareOf = ({ computed }: CompiledBlock, kind: TargetKind): number =>
  computed?.expected.find((_, n) => kind === `way ${n}`)?.share ?? 1;

/** The entry's site; all others can be reached from it. */
export function discoverSites(entry: CompiledBlock, find: BlockFinder, limits: RegionLimits): Site {
  return new Discovery(find, limits).run(entry);
}

class Discovery {
  readonly #find: BlockFinder;
  readonly #limits: RegionLimits;
  /** By frame, then by offset. */
  readonly #sites = new Map<Frame | undefined, Map<number, Site>>();
  readonly #pending: Site[] = [];
  readonly #rare: Site[] = [];
  #blocks = 0;
  #operations = 0;

  constructor(find: BlockFinder, limits: RegionLimits) {
    this.#find = find;
    this.#limits = limits;
  }

  run(entry: CompiledBlock): Site {
    const first = this.#add(entry, undefined, false);
    for (let site = this.#next(); site; site = this.#next()) this.#expand(site);
    return first;
  }

  #next(): Site | undefined {
    return this.#pending.shift() ?? this.#rare.shift();
  }

  #add(block: CompiledBlock, frame: Frame | undefined, isRare: boolean): Site {
    const site: Site = { block, frame, isRare, edges: new Map() };
    let sites = this.#sites.get(frame);
    if (!sites) {
      sites = new Map();
      this.#sites.set(frame, sites);
    }
    sites.set(block.pageOffset, site);
    this.#blocks++;
    this.#operations += block.operations.length;
    (isRare ? this.#rare : this.#pending).push(site);
    return site;
  }

  #expand(site: Site): void {
    const { block, frame } = site;
    if (block.isReturn) {
      if (frame) site.edges.set("back", frame.returns);
      return;
    }
    for (const kind of block.targets.keys()) {
      if (isCallOf(block, kind)) continue;
      const to = this.#follow(site, kind);
      if (to) site.edges.set(kind, to);
    }
    const returns = site.edges.get("return");
    if (!returns || site.isRare) return;
    for (const kind of block.targets.keys()) if (isCallOf(block, kind)) this.#inline(site, kind, returns);
  }

  #follow({ block, frame, isRare }: Site, kind: TargetKind): Site | undefined {
    const offset = block.targets.get(kind) as number;
    const known = this.#sites.get(frame)?.get(offset);
    if (known) return known;
    const target = this.#target(block, kind);
    const rare = isRare || shareOf(block, kind) < RARE_SHARE;
    return target && this.#fits(target.operations.length) ? this.#add(target, frame, rare) : undefined;
  }

  #fits(operations: number): boolean {
    return this.#blocks < this.#limits.maxBlocks && this.#operations + operations <= this.#limits.maxOperations;
  }

  #target(block: CompiledBlock, kind: TargetKind): CompiledBlock | undefined {
    const offset = block.targets.get(kind);
    if (offset === undefined) return undefined;
    const near = isSamePage(offset, block.pageOffset) && !block.spansPages;
    const found = near ? this.#find.inPage(block, offset) : undefined;
    if (found || kind === "return") return found;
    const recorded = block.computed?.expected.find((target) => target.offset === offset);
    if (recorded) return near ? undefined : this.#find.recorded(recorded.block, offset);
    const linked = this.#find.linked(slotOf(block, kind), offset);
    return near && !linked?.spansPages ? undefined : linked;
  }

  // --- inlining -------------------------------------------------------------------------------------------------------------

  #inline(site: Site, kind: TargetKind, returns: Site): void {
    const parent = site.frame;
    const depth = (parent?.depth ?? 0) + 1;
    const callee = this.#target(site.block, kind);
    if (!callee || depth > this.#limits.maxDepth || isRunning(callee.address, parent)) return;
    const size = this.#sizeOf(callee);
    if (size === undefined || !this.#fits(size)) return;
    site.edges.set(kind, this.#add(callee, { parent, depth, callee: callee.address, returns }, false));
  }

  /** Operations of a function; undefined if it is too large, or if none of its returns was found. */
  #sizeOf(first: CompiledBlock): number | undefined {
    const seen = new Set([first.pageOffset]);
    const pending = [first];
    let operations = 0;
    let returns = false;
    for (let block = pending.pop(); block; block = pending.pop()) {
      operations += block.operations.length;
      if (operations > this.#limits.maxInlined) return undefined;
      returns ||= block.isReturn;
      for (const [kind, offset] of block.targets) {
        if (isCallOf(block, kind) || seen.has(offset)) continue;
        seen.add(offset);
        const target = this.#target(block, kind);
        if (target) pending.push(target);
      }
    }
    return returns ? operations : undefined;
  }
}

function isRunning(callee: number, frame: Frame | undefined): boolean {
  for (let f = frame; f; f = f.parent) if (f.callee === callee) return true;
  return false;
}
