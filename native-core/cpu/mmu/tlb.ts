// The soft TLB (memory-layout.ts draws an entry): look-up, fill, flush.
//
// A hit is one compare: `offset = linear + negatedTag` is below 4096 only in the tagged page, and an access of n bytes fits if
// `offset <=u 4096 - n`. An empty entry holds the tag of a page that belongs to another index, so nothing can hit it.
//
// Filling a write entry is the only place where a page becomes dirty (besides writes that cannot use an entry, which go through
// `prepareWrite` one by one), and the only place where the content of a missing page is fetched.
import {
  add32,
  add64,
  and32,
  and64,
  block,
  br,
  brIf,
  type Code,
  call,
  eq32,
  eq64,
  extendU,
  fill,
  get,
  i32,
  i64,
  load,
  loop,
  not32,
  op,
  or32,
  ret,
  select,
  seq,
  set,
  shl32,
  shrU64,
  store,
  sub64,
  tee,
  test32,
  unlikely,
  when,
  wrap,
} from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import { STATE } from "../../x86/state-layout.ts";
import { ARMED } from "../debug-registers.ts";
import {
  addToCell64,
  exceptionPending,
  ifAlignmentChecked,
  isMisaligned,
  raiseAlignmentCheck,
  readCell,
  readCell64,
  readSlot32,
  writeCell,
  writeCell64,
} from "./cells.ts";
import type { HostFunctions } from "./imports.ts";
import {
  ACCESS,
  AREA,
  CELLS,
  COUNTERS,
  FILTER_BYTES,
  FILTERS,
  PAGE_ATTRIBUTES,
  PAGE_FLAG,
  PAGE_SIZE,
  TLB_BYTES,
  TLB_ENTRY,
  TLB_LOG,
  TLB_MASK,
} from "./memory-layout.ts";
import { type PhysicalFunctions, readPageFlags, writePageFlags } from "./physical.ts";

export interface TlbFunctions {
  /**
   * (linear: i64, access: i32, size: i32) -> i32: host address of bytes within one page, ready to be read or written.
   * -1: an exception is pending, or there is no RAM, or none that may be written (CELLS.physicalAddress then tells where; exceptionPending is 0).
   */
  readonly translate: FunctionReference;
  /** (keepGlobal: i32) */
  readonly flush: FunctionReference;
  /** Empties all tables; the mapping is the same, so links stay. */
  readonly dropTranslations: FunctionReference;
  /** (linear: i64) */
  readonly invalidatePage: FunctionReference;
  /** (hostPage: i32, an address, user: i32): drops write entries of a page that holds code now, those of user code or the supervisor's. */
  readonly dropWriteEntries: FunctionReference;
  /** Voids all links and RIP hash entries. */
  readonly bumpGenerations: FunctionReference;
}

const TABLES = [AREA.read, AREA.write, AREA.execute] as const;

/** An empty entry for index 0 must not look like page 0, so it carries page 1; all other indices carry page 0. */
const EMPTY_TAG_OF_0 = -BigInt(PAGE_SIZE);

/** Address of something that each vCPU has of its own, from that of the first one. */
export const ownAddress = (address: Code): Code => add32(address, readCell(CELLS.vcpuOffset));

export const entryOffset = (linear: Code): Code => and32(op("i32.shr_u", wrap(linear), i32(8)), i32(TLB_MASK));

export function declareTlb(
  module: ModuleWriter,
  physical: PhysicalFunctions,
  pageWalk: FunctionReference,
  host: HostFunctions,
): TlbFunctions {
  const functions: TlbFunctions = {
    translate: module.declare("translate", ["i64", "i32", "i32"], ["i32"]),
    flush: module.declare("flush", ["i32"]),
    dropTranslations: module.declare("dropTranslations", []),
    invalidatePage: module.declare("invalidatePage", ["i64"]),
    dropWriteEntries: module.declare("dropWriteEntries", ["i32", "i32"]),
    bumpGenerations: module.declare("bumpGenerations", []),
  };
  defineTranslate(module, functions.translate, physical, pageWalk, host.watchAccess);
  defineDropTranslations(module, functions.dropTranslations);
  defineFlush(module, functions);
  defineInvalidatePage(module, functions);
  defineDropWriteEntries(module, functions.dropWriteEntries);
  const f = module.define(functions.bumpGenerations);
  for (const cell of [CELLS.localGeneration, CELLS.globalGeneration]) startGeneration(cell)(f);
  for (const filter of [FILTERS.executedPages, FILTERS.executedGlobalPages]) emptyFilter(filter)(f);
  return functions;
}

function defineTranslate(
  module: ModuleWriter,
  reference: FunctionReference,
  physical: PhysicalFunctions,
  pageWalk: FunctionReference,
  watchAccess: FunctionReference,
): void {
  const f = module.define(reference);
  const [linear, access, size] = f.params as [Local, Local, Local];
  const entry = f.local("i32");
  const offset = f.local("i64");
  const address = f.local("i64");
  const host = f.local("i32");
  const page = f.local("i32");

  set(
    entry,
    add32(
      add32(
        entryOffset(get(linear)),
        ownAddress(select(test32(get(access), ACCESS.user), i32(AREA.user), i32(AREA.supervisor))),
      ),
      select(
        test32(get(access), ACCESS.fetch),
        i32(AREA.execute),
        select(test32(get(access), ACCESS.write), i32(AREA.write), i32(AREA.read)),
      ),
    ),
  )(f);
  set(offset, add64(get(linear), load("i64.load", get(entry), TLB_ENTRY.negatedTag)))(f);
  when(op("i64.lt_u", get(offset), i64(PAGE_SIZE)), [
    ret(add32(wrap(get(offset)), load("i32.load", get(entry), TLB_ENTRY.hostPage))),
  ])(f);

  addToCell64(COUNTERS.tlbMisses, i64(1))(f);
  set(address, and64(call(pageWalk, get(linear), get(access)), readCell64(CELLS.a20Mask)))(f);
  unlikely(exceptionPending, [ret(i32(-1))])(f);
  ifAlignmentChecked(
    get(access),
    writeCell(CELLS.uncached, i32(1)),
    when(isMisaligned(get(linear), get(size)), [...raiseAlignmentCheck(), ret(i32(-1))]),
  )(f);
  unlikely(test32(readSlot32(STATE.debugArmed), ARMED.data), [
    when(call(watchAccess, get(linear), get(size), get(access)), [
      writeCell(CELLS.uncached, i32(1)),
      when(exceptionPending, [ret(i32(-1))]),
    ]),
  ])(f);
  unlikely(eq32(tee(host, call(physical.hostAddress, get(address))), i32(-1)), [
    writeCell64(CELLS.physicalAddress, get(address)),
    // ROM is memory to those who read or run it, and a device to those who write.
    when(test32(get(access), ACCESS.write), [ret(i32(-1))]),
    when(
      op("i64.ge_u", tee(offset, sub64(get(address), readCell64(CELLS.romBase))), extendU(readCell(CELLS.romBytes))),
      [ret(i32(-1))],
    ),
    set(host, add32(wrap(get(offset)), readCell(CELLS.romHost))),
  ])(f);
  call(physical.touch, get(host))(f);
  block((filled) => [
    when(test32(get(access), ACCESS.write), [
      set(page, op("i32.shr_u", get(host), i32(12))),
      unlikely(test32(readPageFlags(get(page)), PAGE_FLAG.readOnly), [
        writeCell64(CELLS.physicalAddress, get(address)),
        ret(i32(-1)),
      ]),
      call(physical.prepareWrite, get(host), get(size)),
      // A page with translated code gets no write entry: every store must come this way.
      brIf(filled, test32(readPageFlags(get(page)), PAGE_FLAG.code)),
      writePageFlags(get(page), or32(readPageFlags(get(page)), writeCachedFlag(access))),
    ]),
    brIf(filled, readCell(CELLS.uncached)),
    fillEntry(entry, linear, host),
  ])(f);
  get(host)(f);
}

/** What INVLPG of a large page drops: the largest of them that is not huge has 4 MiB, in 32-bit paging. */
const LARGE_REGION = { shift: 22, bytes: 0x40_0000 } as const;
const largeRegion = (linear: Code): Code => shrU64(linear, LARGE_REGION.shift);

const writeCachedFlag = (access: Local): Code =>
  select(test32(get(access), ACCESS.user), i32(PAGE_FLAG.writeCachedUser), i32(PAGE_FLAG.writeCachedSupervisor));

function fillEntry(entry: Local, linear: Local, host: Local): Code {
  const logged = readCell(CELLS.tlbLogLength);
  return seq(
    store("i64.store", get(entry), sub64(i64(0), and64(get(linear), i64(-PAGE_SIZE))), TLB_ENTRY.negatedTag),
    store("i32.store", get(entry), and32(get(host), i32(-PAGE_SIZE)), TLB_ENTRY.hostPage),
    store("i32.store", get(entry), readCell(CELLS.walkAttributes), TLB_ENTRY.attributes),
    when(test32(readCell(CELLS.walkAttributes), PAGE_ATTRIBUTES.large), [
      setFilterBit(FILTERS.largePages, largeRegion(get(linear))),
    ]),
    when(not32(test32(readCell(CELLS.walkAttributes), PAGE_ATTRIBUTES.global)), [
      // Over capacity the length keeps its last value + 1: a flush then empties the tables.
      when(
        op("i32.lt_u", logged, i32(TLB_LOG.capacity)),
        [
          store("i32.store", ownAddress(shl32(logged, 2)), get(entry), TLB_LOG.address),
          writeCell(CELLS.tlbLogLength, add32(logged, i32(1))),
        ],
        [writeCell(CELLS.tlbLogLength, i32(TLB_LOG.capacity + 1))],
      ),
    ]),
  );
}

/** Byte address within a filter, and the mask of its bit, for a number of which the low 12 bits count. */
const filterByte = (number: Code): Code =>
  ownAddress(and32(op("i32.shr_u", wrap(number), i32(3)), i32(FILTER_BYTES - 1)));
const filterMask = (number: Code): Code => op("i32.shl", i32(1), and32(wrap(number), i32(7)));

/**
 * A page's number in the filters of executed pages: bits 12..22 of its address, and bit 63, so that the pages of a kernel in the upper
 * half never look like those of a program.
 */
export const executedPage = (linear: Code): Code =>
  op("i64.or", and64(shrU64(linear, 12), i64(0x7ff)), and64(shrU64(linear, 52), i64(0x800)));

export const setFilterBit = (filter: number, number: Code): Code =>
  store("i32.store8", filterByte(number), or32(filterBits(filter, number), filterMask(number)), filter);

const filterBits = (filter: number, number: Code): Code => load("i32.load8_u", filterByte(number), filter);
const filterBit = (filter: number, number: Code): Code => and32(filterBits(filter, number), filterMask(number));
const emptyFilter = (filter: number): Code => fill(0, ownAddress(i32(filter)), i32(0), i32(FILTER_BYTES));

/** Empties the entry at an address: whichever index it has, it gets the right empty tag. */
const emptyEntry = (entry: Code): Code =>
  store(
    "i64.store",
    entry,
    select(and32(sub(entry), i32(TLB_BYTES - 1)), i64(0), i64(EMPTY_TAG_OF_0)),
    TLB_ENTRY.negatedTag,
  );

/** Offset of an entry within its table, modulo the size of a table (areas and tables are aligned to AREA.supervisor). */
const sub = (entry: Code): Code => op("i32.sub", entry, i32(AREA.supervisor));

/** Generations are numbered across vCPUs: what one of them cached is never valid for another. */
function startGeneration(cell: number): Code {
  return seq(
    writeCell(CELLS.lastGeneration, add32(readCell(CELLS.lastGeneration), i32(1))),
    writeCell(cell, readCell(CELLS.lastGeneration)),
  );
}

/** Voids links and RIP hash entries that lead to pages which are not global. */
const bumpLocalGeneration: Code = seq(startGeneration(CELLS.localGeneration), emptyFilter(FILTERS.executedPages));

function defineDropTranslations(module: ModuleWriter, reference: FunctionReference): void {
  const f = module.define(reference);
  for (const area of [AREA.supervisor, AREA.user]) {
    fill(0, ownAddress(i32(area)), i32(0), i32(TLB_BYTES * TABLES.length))(f);
    for (const table of TABLES)
      store("i64.store", ownAddress(i32(area + table)), i64(EMPTY_TAG_OF_0), TLB_ENTRY.negatedTag)(f);
  }
  writeCell(CELLS.tlbLogLength, i32(0))(f);
  // Compiled code knows pages besides.
  writeCell(CELLS.codeVoided, i32(1))(f);
}

function defineFlush(module: ModuleWriter, functions: TlbFunctions): void {
  const f = module.define(functions.flush);
  const [keepGlobal] = f.params as [Local];
  const position = f.local("i32");
  const end = f.local("i32");
  when(
    and32(get(keepGlobal), op("i32.le_u", readCell(CELLS.tlbLogLength), i32(TLB_LOG.capacity))),
    [
      set(end, shl32(readCell(CELLS.tlbLogLength), 2)),
      block((done) => [
        loop((next) => [
          brIf(done, op("i32.ge_u", get(position), get(end))),
          emptyEntry(load("i32.load", ownAddress(get(position)), TLB_LOG.address)),
          set(position, add32(get(position), i32(4))),
          br(next),
        ]),
      ]),
      bumpLocalGeneration,
    ],
    [
      call(functions.dropTranslations),
      emptyFilter(FILTERS.largePages),
      writeCell(CELLS.hugeSeen, i32(0)),
      call(functions.bumpGenerations),
    ],
  )(f);
  writeCell(CELLS.tlbLogLength, i32(0))(f);
}

function defineDropWriteEntries(module: ModuleWriter, reference: FunctionReference): void {
  const f = module.define(reference);
  const [host, user] = f.params as [Local, Local];
  const position = f.local("i32");
  const end = f.local("i32");
  const area = select(get(user), i32(AREA.user), i32(AREA.supervisor));
  set(position, ownAddress(add32(area, i32(AREA.write))))(f);
  set(end, add32(get(position), i32(TLB_BYTES)))(f);
  loop((next) => [
    when(eq32(load("i32.load", get(position), TLB_ENTRY.hostPage), get(host)), [emptyEntry(get(position))]),
    set(position, add32(get(position), i32(TLB_ENTRY.size))),
    brIf(next, op("i32.lt_u", get(position), get(end))),
  ])(f);
}

function defineInvalidatePage(module: ModuleWriter, functions: TlbFunctions): void {
  const f = module.define(functions.invalidatePage);
  const [linear] = f.params as [Local];
  const entry = f.local("i32");
  const position = f.local("i32");
  const negated = f.local("i64");
  const tables = [AREA.supervisor, AREA.user].flatMap((area) => TABLES.map((table) => area + table));

  when(readCell(CELLS.hugeSeen), [call(functions.flush, i32(0)), ret()])(f);
  when(
    filterBit(FILTERS.largePages, largeRegion(get(linear))),
    [
      // All entries of the region: consecutive ones in each table.
      set(negated, sub64(i64(0), and64(get(linear), i64(-LARGE_REGION.bytes)))),
      ...tables.map((table) =>
        seq(
          set(position, ownAddress(entryOffset(and64(get(linear), i64(-LARGE_REGION.bytes))))),
          loop((next) => [
            when(
              op(
                "i64.lt_u",
                sub64(get(negated), load("i64.load", get(position), table + TLB_ENTRY.negatedTag)),
                i64(LARGE_REGION.bytes),
              ),
              [emptyEntry(add32(get(position), i32(table)))],
            ),
            set(position, add32(get(position), i32(TLB_ENTRY.size))),
            // Areas and tables are aligned to their size.
            brIf(next, and32(get(position), i32((LARGE_REGION.bytes / PAGE_SIZE - 1) * TLB_ENTRY.size))),
          ]),
        ),
      ),
      call(functions.bumpGenerations),
    ],
    [
      set(negated, sub64(i64(0), and64(get(linear), i64(-PAGE_SIZE)))),
      ...tables.map((table) =>
        seq(
          set(entry, ownAddress(add32(entryOffset(get(linear)), i32(table)))),
          when(eq64(load("i64.load", get(entry), TLB_ENTRY.negatedTag), get(negated)), [emptyEntry(get(entry))]),
        ),
      ),
      when(
        filterBit(FILTERS.executedGlobalPages, executedPage(get(linear))),
        [call(functions.bumpGenerations)],
        [when(filterBit(FILTERS.executedPages, executedPage(get(linear))), [bumpLocalGeneration])],
      ),
    ],
  )(f);
}
