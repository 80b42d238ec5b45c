// The JIT tier: takes blocks that the interpreter found hot, compiles the region around each, a batch to a module, and makes the
// interpreter enter them: the first operation of a compiled block gets the handler that calls the region's function.
//
// Little has to be undone when code is voided: the block cache rewrites the handlers of void blocks, this one with them, and ways into
// void blocks of another page fail their guards for ever; regions that have such a way are taken out, to be made anew.
import { compileModule } from "../../wasm/compile.ts";
import { ModuleWriter } from "../../wasm/module-writer.ts";
import type { CoreInstance, HelperImports } from "../core-instance.ts";
import { type BlockCache, CODE_MODE_64 } from "../interpreter/block-cache.ts";
import { BLOCK_HEADER, BLOCK_HEADER_SIZE, LINK_SLOT } from "../interpreter/block-layout.ts";
import { enterHandler, type HandlerTable, readHandlerTable } from "../interpreter/handler-table.ts";
import { CONTEXT_USER, PAGE_SIZE } from "../mmu/memory-layout.ts";
import { BlockSource, type CompiledBlock } from "./block-source.ts";
import { type BlockFinder, isSamePage } from "./discover-region.ts";
import { ExpectedTargets } from "./expected-targets.ts";
import { importForRegions, MAX_REGIONS, REGION_TYPE } from "./linkage.ts";
import { lowerRegion } from "./lower-region.ts";
import { discoverRegion, type Region } from "./region.ts";

export interface JitOptions {
  /** Executions after which a block is hot. */
  readonly threshold: number;
  /** The same until there is user code. A boot executes much code a little, and the JIT's own code is cold. Default: `threshold`. */
  readonly bootThreshold?: number;
  /** Regions compiled into one module. */
  readonly batch: number;
  /** Bytes of WebAssembly that may be alive at once; the engine's code for them is some ten times as large. Default: MAX_BYTES. */
  readonly maxBytes?: number;
  /** Regions have names, for profilers. */
  readonly names?: boolean;
  /** Milliseconds of a clock: with it, `statistics.compileMs` is measured. */
  readonly now?: () => number;
}

/** About 2,500 regions. */
const MAX_BYTES = 16 * 1024 * 1024;

/** When there is too much, this share of it goes, the oldest first: what is still hot comes back after `threshold` executions. */
const EVICTED_SHARE = 1 / 4;

/** What machines have as `bootThreshold`. */
export const BOOT_THRESHOLD = 24_000;

export const DEFAULT_JIT_OPTIONS: JitOptions = { threshold: 8_000, batch: 24 };

const LIMITS = { maxBlocks: 128, maxOperations: 1000, maxInlined: 40, maxDepth: 3 };

/** Times the threshold after which a covered block gets a region of its own. */
const COVERED_FACTOR = 4;

/** The same for a block whose region was refused at its entry: programs whose segments are not flat seldom make them so. */
const REFUSED_FACTOR = 64;

/** Share of the threshold: executions of a block that waits for its batch to fill after which it waits no longer. */
const PATIENCE = 1 / 8;

/** Runs of the processor after which a batch is compiled though it is not full. */
const MAX_RUNS_WAITED = 20;

export interface JitStatistics {
  regions: number;
  modules: number;
  /** Bytes of Wasm, guest operations compiled. */
  wasmBytes: number;
  operations: number;
  /** Bytes of Wasm of the regions that are in use now, and regions that had to make room for others so far. */
  aliveBytes: number;
  evicted: number;
  /** Spent on making modules; the engine's own compilers work beside and later. */
  compileMs: number;
}

interface Compiled {
  /** In the table of regions. */
  readonly index: number;
  readonly bytes: number;
}

interface Candidate {
  readonly address: number;
  readonly user: boolean;
  readonly isFlat: boolean;
  readonly region: Region;
}

export class Jit {
  readonly statistics: JitStatistics = {
    regions: 0,
    modules: 0,
    wasmBytes: 0,
    operations: 0,
    aliveBytes: 0,
    evicted: 0,
    compileMs: 0,
  };
  readonly #core: CoreInstance;
  readonly #helpers: HelperImports;
  readonly #blocks: BlockCache;
  readonly #options: JitOptions;
  /** Several vCPUs run the same code, each with its own TLB. */
  readonly #shared: boolean;
  readonly #view: DataView;
  readonly #handlers: HandlerTable;
  readonly #source: BlockSource;
  readonly #targets: ExpectedTargets;
  readonly #maxBytes: number;
  #queue: number[] = [];
  #runsWaited = 0;
  /** By the address of the block it is entered at, the oldest first. */
  readonly #compiled = new Map<number, Compiled>();
  /** Blocks that are part of a region but not entered on their own. */
  readonly #covered = new Set<number>();
  /** Entries of regions by the blocks of other pages that are part of them. */
  readonly #guests = new Map<number, Set<number>>();
  /** Blocks that were covered when they had become hot: their counters have begun anew. */
  readonly #counted = new Set<number>();
  /** Blocks whose regions are to be made anew. */
  readonly #renewed = new Set<number>();
  #free: number[] = [];
  #next = 0;

  constructor(core: CoreInstance, helpers: HelperImports, blocks: BlockCache, options: JitOptions, shared = false) {
    this.#core = core;
    this.#helpers = helpers;
    this.#blocks = blocks;
    this.#options = options;
    this.#shared = shared;
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
    this.#view = new DataView(core.memory.buffer);
    this.#handlers = readHandlerTable(core.memory.buffer);
    this.#source = new BlockSource(core.memory.buffer, this.#handlers);
    this.#targets = new ExpectedTargets(core.memory.buffer, blocks, options.threshold);
    blocks.hotThreshold = options.bootThreshold ?? options.threshold;
    blocks.onVoid = (address) => this.#drop(address);
  }

  /**
   * A block has been executed often: called by the interpreter in front of the block. Or it is compiled, but not for what is to be done
   * now: segments are not as its region expects them, or the region has left in front of it (flat-segments.ts). Then it is interpreted.
   */
  hot(address: number): void {
    if (this.#compiled.has(address)) return this.#uninstall(address, this.#options.threshold * REFUSED_FACTOR);
    if (this.#queue.includes(address)) return this.#compileQueue();
    if (this.#isCovered(address)) return;
    this.#queue.push(address);
    if (this.#queue.length >= this.#options.batch) this.#compileQueue();
    else this.#setCounter(address, Math.ceil(this.#options.threshold * PATIENCE));
  }

  /** There is user code: the guest's system has been started. */
  userStarts(): void {
    const { threshold } = this.#options;
    if (this.#blocks.hotThreshold !== threshold) this.#blocks.hotThreshold = threshold;
  }

  /** A computed jump or call has led elsewhere than its regions expect for a while: called by compiled code that waits for the answer. */
  targetsMissed(profile: number): void {
    const entry = this.#targets.toRenew(profile);
    if (entry === undefined || !this.#compiled.has(entry)) return;
    this.#uninstall(entry, 1);
    // It is hot still, whatever covers it: the next execution has it compiled.
    this.#renewed.add(entry);
    this.#queue.push(entry);
  }

  /** A run of the processor begins: compiles what has been waiting for a batch to fill for a while. */
  runStarts(): void {
    if (this.#queue.length === 0) this.#runsWaited = 0;
    else if (++this.#runsWaited >= MAX_RUNS_WAITED) this.#compileQueue();
  }

  #compileQueue(): void {
    this.#runsWaited = 0;
    if (this.#queue.length === 0) return;
    const { now = () => 0 } = this.#options;
    const begin = now();
    this.#compileBatch();
    this.statistics.compileMs += now() - begin;
  }

  #compileBatch(): void {
    // Functions before the places in them that calls return to: one region then covers both.
    const queue = this.#queue.sort((a, b) => this.#hostOf(a) - this.#hostOf(b));
    this.#queue = [];
    // Nobody counts them any more, whatever becomes of them.
    for (const address of queue) if (!this.#compiled.has(address)) this.#setCounter(address, 0);
    const candidates = queue.flatMap((address) => this.#candidate(address) ?? []);
    if (candidates.length > 0) this.#compile(candidates);
  }

  // --- regions --------------------------------------------------------------------------------------------------------------

  #candidate(address: number): Candidate | undefined {
    const place = this.#blocks.placeOf(address);
    if (!place || this.#compiled.has(address)) return undefined;
    if (this.#isCovered(address)) return undefined;
    const entry = this.#source.read(address, place.host & (PAGE_SIZE - 1));
    if (!entry) return undefined;
    const region = discoverRegion(entry, this.#finder(), LIMITS);
    for (const { block, isInlined } of region.nodes)
      if (block !== entry && !isInlined) this.#covered.add(block.address);
    const { context } = place;
    return { address, user: (context & CONTEXT_USER) !== 0, isFlat: (context & CODE_MODE_64) === 0, region };
  }

  /** Part of a region already: most executions will be there, so it must be hot for longer to be entered on its own. */
  #isCovered(address: number): boolean {
    const isRenewed = this.#renewed.delete(address);
    if (!this.#covered.delete(address) || isRenewed) return false;
    this.#counted.add(address);
    this.#setCounter(address, this.#options.threshold * COVERED_FACTOR);
    return true;
  }

  #setCounter(address: number, executions: number): void {
    this.#view.setInt32(address - BLOCK_HEADER_SIZE + BLOCK_HEADER.counter, executions, true);
  }

  #hostOf(address: number): number {
    return this.#blocks.placeOf(address)?.host ?? 0;
  }

  #finder(): BlockFinder {
    const known = new Map<number, CompiledBlock | undefined>();
    const read = (address: number, offset: number): CompiledBlock | undefined => {
      if (address === 0) return undefined;
      if (!known.has(offset)) known.set(offset, this.#readWarm(address, offset));
      return known.get(offset);
    };
    return {
      inPage: (from, offset) => {
        const place = this.#blocks.placeOf(from.address);
        if (!place) return undefined;
        const host = (place.host & -PAGE_SIZE) + (offset & (PAGE_SIZE - 1));
        return read(this.#blocks.find(host, place.context), offset);
      },
      linked: (slot, offset) => {
        const word = (at: number): number => this.#view.getInt32(at, true);
        if (word(word(slot + LINK_SLOT.cell)) !== word(slot + LINK_SLOT.check)) return undefined;
        const address = word(slot + LINK_SLOT.block);
        return this.#blocks.placeOf(address) && read(address, offset);
      },
      recorded: (address, offset) => {
        const place = this.#blocks.placeOf(address);
        return place && ((place.host ^ offset) & (PAGE_SIZE - 1)) === 0 ? read(address, offset) : undefined;
      },
    };
  }

  /** A block that was executed more than by chance. Nobody counts blocks that span pages. */
  #readWarm(address: number, pageOffset: number): CompiledBlock | undefined {
    const left = this.#view.getInt32(address - BLOCK_HEADER_SIZE + BLOCK_HEADER.counter, true);
    const threshold = this.#blocks.hotThreshold;
    if (left > threshold - threshold / 16 && !this.#counted.has(address)) return undefined;
    return this.#source.read(address, pageOffset);
  }

  // --- modules --------------------------------------------------------------------------------------------------------------

  #compile(candidates: readonly Candidate[]): void {
    const { statistics } = this;
    const module = new ModuleWriter();
    const runtime = importForRegions(module, helpersOf(candidates));
    const installed: { address: number; index: number }[] = [];
    const linkTo = (profile: number, distance: number): number => this.#targets.linkTo(profile, distance);
    for (const { address, user, isFlat, region } of candidates) {
      const index = this.#free.pop() ?? this.#next++;
      if (index >= MAX_REGIONS) break;
      const reference = module.declare(
        `region ${index} ${address.toString(16)} ${region.nodes.length}`,
        REGION_TYPE.params,
        REGION_TYPE.results,
      );
      lowerRegion(module.define(reference), runtime, { user, isFlat, shared: this.#shared, linkTo }, region);
      module.elements(0, index, [reference]);
      installed.push({ address, index });
      statistics.regions++;
      for (const { block } of region.nodes) statistics.operations += block.operations.length;
    }
    const bytes = module.finish({ names: this.#options.names ?? false });
    statistics.modules++;
    statistics.wasmBytes += bytes.length;
    const { memory, exports } = this.#core;
    new WebAssembly.Instance(compileModule(bytes), {
      core: { memory },
      interpreter: exports as unknown as Record<string, unknown>,
      helpers: this.#helpers,
    });
    const share = Math.ceil(bytes.length / installed.length);
    for (const { address, index } of installed) this.#install(address, { index, bytes: share });
    for (const candidate of candidates) {
      this.#noteGuests(candidate);
      this.#targets.note(candidate.address, candidate.region);
    }
    if (statistics.aliveBytes > this.#maxBytes) this.#evict();
  }

  /** Regions of a module are as old as each other, so that whole modules go, which is what frees memory. */
  #evict(): void {
    const { statistics } = this;
    for (const address of this.#compiled.keys()) {
      if (statistics.aliveBytes <= this.#maxBytes * (1 - EVICTED_SHARE)) return;
      this.#uninstall(address);
      statistics.evicted++;
    }
  }

  #install(address: number, compiled: Compiled): void {
    const { index, bytes } = compiled;
    this.#compiled.set(address, compiled);
    this.statistics.aliveBytes += bytes;
    this.#source.originalHandlers.set(address, this.#view.getUint16(address, true));
    this.#setCounter(address, ~index);
    this.#view.setUint16(address, enterHandler(this.#handlers), true);
  }

  #noteGuests({ address, region }: Candidate): void {
    for (const { block } of region.nodes) {
      if (isSamePage(block.pageOffset, 0) && !block.spansPages) continue;
      const entries = this.#guests.get(block.address);
      if (entries) entries.add(address);
      else this.#guests.set(block.address, new Set([address]));
    }
  }

  /** Makes the interpreter run a block that it entered a region by, at least so often. */
  #uninstall(address: number, executions = this.#options.threshold): void {
    const compiled = this.#compiled.get(address);
    if (!compiled) return;
    this.#view.setUint16(address, this.#source.originalHandlers.get(address) ?? this.#handlers.resync, true);
    this.#setCounter(address, executions);
    this.#forget(address, compiled);
  }

  /** The block is void, or all are (undefined). */
  #drop(address: number | undefined): void {
    this.#targets.drop(address);
    if (address === undefined) {
      for (const compiled of this.#compiled.values()) this.#release(compiled);
      this.#compiled.clear();
      this.#covered.clear();
      this.#counted.clear();
      this.#renewed.clear();
      this.#guests.clear();
      this.#source.originalHandlers.clear();
      this.#queue = [];
      return;
    }
    this.#covered.delete(address);
    this.#counted.delete(address);
    this.#renewed.delete(address);
    for (const entry of this.#guests.get(address) ?? []) this.#uninstall(entry);
    this.#guests.delete(address);
    const compiled = this.#compiled.get(address);
    if (compiled) this.#forget(address, compiled);
  }

  #forget(address: number, compiled: Compiled): void {
    this.#release(compiled);
    this.#compiled.delete(address);
    this.#source.originalHandlers.delete(address);
  }

  #release({ index, bytes }: Compiled): void {
    this.statistics.aliveBytes -= bytes;
    this.#core.exports.regions.set(index, null);
    this.#free.push(index);
  }
}

function helpersOf(candidates: readonly Candidate[]): Map<string, number> {
  const helpers = new Map<string, number>();
  for (const { region } of candidates) {
    for (const { block } of region.nodes) {
      for (const { prepared } of block.operations)
        for (const [name, count] of prepared.helpers) helpers.set(name, count);
    }
  }
  return helpers;
}
