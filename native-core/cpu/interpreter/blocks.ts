// Finding the next block: RIP hash, execute TLB, physical block hash, translation; and linking blocks to each other.
//
// A block is known by its physical address and context (code mode, user or supervisor); BLOCK_RIP says where it runs now. Links and
// RIP hash entries hold the generation of the mapping they were made in. For links within a page to be valid for ever, every page must
// be entered at one linear page only during a generation: page aliases (memory-layout.ts) see to that.
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
  choose,
  eq32,
  eq64,
  extendU,
  get,
  i32,
  i64,
  load,
  loop,
  ne32,
  ne64,
  op,
  or32,
  ret,
  select,
  seq,
  set,
  shl32,
  shrU32,
  shrU64,
  store,
  sub32,
  tee,
  test32,
  unlikely,
  when,
  wrap,
} from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import { OPERATION_FIELDS, OPERATION_SIZE } from "../../x86/operation.ts";
import { PSEUDO_REGISTERS, SEGMENT_FIELDS, STATE, segmentOffset } from "../../x86/state-layout.ts";
import { userAccess } from "../mmu/access.ts";
import { exceptionPending, readCell, readSlot, readSlot32, writeCell, writeCell64, writeSlot } from "../mmu/cells.ts";
import type { HostFunctions } from "../mmu/imports.ts";
import {
  ACCESS,
  AREA,
  BLOCK_HASH,
  CELLS,
  CONTEXT_USER,
  FILTERS,
  PAGE_ALIASES,
  PAGE_ATTRIBUTES,
  PAGE_SHIFT,
  PAGE_SIZE,
  RIP_HASH,
  TLB_ENTRY,
} from "../mmu/memory-layout.ts";
import { entryOffset, executedPage, ownAddress, setFilterBit, type TlbFunctions } from "../mmu/tlb.ts";
import { BLOCK_HEADER, BLOCK_HEADER_SIZE, BLOCK_MARKER, BLOCK_SPANS_PAGES, LINK_SLOT } from "./block-layout.ts";

export interface BlockFunctions {
  /** (rip: i64) -> i32: the block to run, or 0 with an exception pending and RIP in state. */
  readonly lookUp: FunctionReference;
  /** (slot: i32, rip: i64) -> i32: as lookUp, and fills the link slot. */
  readonly link: FunctionReference;
  /** (operation: i32): leaves the block before an operation: RIP and instruction count as if it had not started. */
  readonly leaveAt: FunctionReference;
}

const CODE_MODE_64 = 8;
const CS_BASE = segmentOffset("cs") + SEGMENT_FIELDS.base.offset;

export const BLOCK_RIP = PSEUDO_REGISTERS.BLOCK_RIP;
export const readBlockRip: Code = load("i64.load", i32(0), BLOCK_RIP);

/** Address of the area of the privilege that the vCPU runs with. */
export const privilegeArea: Code = ownAddress(select(userAccess, i32(AREA.user), i32(AREA.supervisor)));

/** Byte offset of the entry for a RIP in its area's hash. */
export const ripHashOffset = (rip: Code, ripAgain: Code): Code =>
  shl32(
    and32(op("i32.xor", wrap(rip), wrap(shrU64(ripAgain, 14))), i32(RIP_HASH.entries - 1)),
    Math.log2(RIP_HASH.entrySize),
  );

/** Linear address of an offset in CS. */
const linearOf = (rip: Code): Code =>
  choose(
    "i64",
    eq32(readSlot32(STATE.codeMode), i32(CODE_MODE_64)),
    rip,
    and64(add64(rip, load("i64.load", i32(0), CS_BASE)), i64(0xffff_ffff)),
  );

export function declareBlocks(module: ModuleWriter, host: HostFunctions, tlb: TlbFunctions): BlockFunctions {
  const functions: BlockFunctions = {
    lookUp: module.declare("lookUp", ["i64"], ["i32"]),
    link: module.declare("link", ["i32", "i64"], ["i32"]),
    leaveAt: module.declare("leaveAt", ["i32"]),
  };
  defineLookUp(module, functions.lookUp, host, tlb);
  defineLink(module, functions);
  defineLeaveAt(module, functions.leaveAt);
  return functions;
}

function defineLookUp(
  module: ModuleWriter,
  reference: FunctionReference,
  host: HostFunctions,
  tlb: TlbFunctions,
): void {
  const f = module.define(reference);
  const [rip] = f.params as [Local];
  const area = f.local("i32");
  const entry = f.local("i32");
  const linear = f.local("i64");
  const address = f.local("i32");
  const context = f.local("i32");
  const cell = f.local("i32");
  const found = f.local("i32");
  const hash = f.local("i32");

  set(area, privilegeArea)(f);
  set(entry, add32(get(area), ripHashOffset(get(rip), get(rip))))(f);
  const at = (offset: number): number => AREA.ripHash + offset;
  when(
    and32(
      eq64(load("i64.load", get(entry), at(RIP_HASH.rip)), get(rip)),
      eq32(
        load("i32.load", load("i32.load", get(entry), at(RIP_HASH.cell))),
        load("i32.load", get(entry), at(RIP_HASH.check)),
      ),
    ),
    [when(load("i32.load", get(entry), at(RIP_HASH.block)), [ret(load("i32.load", get(entry), at(RIP_HASH.block)))])],
  )(f);

  set(linear, linearOf(get(rip)))(f);
  set(context, or32(readSlot32(STATE.codeMode), select(userAccess, i32(CONTEXT_USER), i32(0))))(f);
  set(address, call(tlb.translate, get(linear), or32(userAccess, i32(ACCESS.fetch)), i32(1)))(f);
  unlikely(exceptionPending, [writeSlot(STATE.rip, get(rip)), ret(i32(0))])(f);
  // Generation cell by the attribute that the execute TLB holds for the page.
  set(
    cell,
    select(
      test32(
        load("i32.load", add32(get(area), entryOffset(get(linear))), AREA.execute + TLB_ENTRY.attributes),
        PAGE_ATTRIBUTES.global,
      ),
      i32(CELLS.globalGeneration),
      i32(CELLS.localGeneration),
    ),
  )(f);
  const page = executedPage(get(linear));
  when(
    eq32(get(cell), i32(CELLS.globalGeneration)),
    [setFilterBit(FILTERS.executedGlobalPages, page)],
    [setFilterBit(FILTERS.executedPages, page)],
  )(f);

  block((translate) => [
    brIf(translate, eq32(get(address), i32(-1))),
    checkAlias(tlb, linear, address, cell, f.local("i32")),
    set(
      hash,
      shl32(
        shrU32(op("i32.mul", get(address), i32(BLOCK_HASH.multiplier)), BLOCK_HASH.shift),
        Math.log2(BLOCK_HASH.entrySize),
      ),
    ),
    when(
      and32(
        eq32(load("i32.load", get(hash), BLOCK_HASH.address + BLOCK_HASH.host), get(address)),
        eq32(load("i32.load", get(hash), BLOCK_HASH.address + BLOCK_HASH.context), get(context)),
      ),
      [set(found, load("i32.load", get(hash), BLOCK_HASH.address + BLOCK_HASH.block))],
    ),
  ])(f);
  when(op("i32.eqz", get(found)), [
    writeCell64(CELLS.wantedRip, get(rip)),
    writeCell(CELLS.wantedHost, get(address)),
    writeCell(CELLS.wantedContext, get(context)),
    writeCell(CELLS.blockSpansPages, i32(0)),
    set(found, call(host.translateBlock)),
    unlikely(op("i32.eqz", get(found)), [writeSlot(STATE.rip, get(rip)), ret(i32(0))]),
    when(
      readCell(CELLS.blockSpansPages),
      // The second page may be mapped either way; the block lives for the first page's generation.
      [FILTERS.executedPages, FILTERS.executedGlobalPages].map((filter) =>
        setFilterBit(filter, executedPage(add64(get(linear), i64(PAGE_SIZE)))),
      ),
      [
        store("i32.store", get(hash), get(address), BLOCK_HASH.address + BLOCK_HASH.host),
        store("i32.store", get(hash), get(context), BLOCK_HASH.address + BLOCK_HASH.context),
        store("i32.store", get(hash), get(found), BLOCK_HASH.address + BLOCK_HASH.block),
      ],
    ),
  ])(f);
  store("i64.store", get(entry), get(rip), at(RIP_HASH.rip))(f);
  store("i32.store", get(entry), get(found), at(RIP_HASH.block))(f);
  store("i32.store", get(entry), get(cell), at(RIP_HASH.cell))(f);
  store("i32.store", get(entry), load("i32.load", get(cell)), at(RIP_HASH.check))(f);
  get(found)(f);
}

/** Entering a page at another linear page within one generation starts a new generation. */
function checkAlias(tlb: TlbFunctions, linear: Local, address: Local, cell: Local, record: Local): Code {
  const page = shrU64(get(linear), PAGE_SHIFT);
  const at = (offset: number): number => PAGE_ALIASES.address + offset;
  return seq(
    set(record, ownAddress(shl32(shrU32(get(address), PAGE_SHIFT), Math.log2(PAGE_ALIASES.entrySize)))),
    when(load("i32.load", get(record), at(PAGE_ALIASES.cell)), [
      when(
        and32(
          eq32(
            load("i32.load", load("i32.load", get(record), at(PAGE_ALIASES.cell))),
            load("i32.load", get(record), at(PAGE_ALIASES.check)),
          ),
          ne64(load("i64.load", get(record), at(PAGE_ALIASES.page)), page),
        ),
        [call(tlb.bumpGenerations)],
      ),
    ]),
    store("i64.store", get(record), page, at(PAGE_ALIASES.page)),
    store("i32.store", get(record), get(cell), at(PAGE_ALIASES.cell)),
    store("i32.store", get(record), load("i32.load", get(cell)), at(PAGE_ALIASES.check)),
  );
}

function defineLink(module: ModuleWriter, functions: BlockFunctions): void {
  const f = module.define(functions.link);
  const [slot, rip] = f.params as [Local, Local];
  const epoch = f.local("i32");
  const found = f.local("i32");
  const entry = f.local("i32");
  set(epoch, readCell(CELLS.cacheEpoch))(f);
  unlikely(op("i32.eqz", tee(found, call(functions.lookUp, get(rip)))), [ret(i32(0))])(f);
  // The slot is gone if the cache was emptied on the way.
  unlikely(ne32(get(epoch), readCell(CELLS.cacheEpoch)), [ret(get(found))])(f);
  const flags = load("i32.load16_u", sub32(get(found), i32(BLOCK_HEADER_SIZE)), BLOCK_HEADER.flags);
  const samePage = op("i64.eqz", shrU64(op("i64.xor", linearOf(get(rip)), linearOf(readBlockRip)), PAGE_SHIFT));
  store("i32.store", get(slot), get(found), LINK_SLOT.block)(f);
  when(
    and32(samePage, op("i32.eqz", test32(flags, BLOCK_SPANS_PAGES))),
    [
      store("i32.store", get(slot), i32(CELLS.zero), LINK_SLOT.cell),
      store("i32.store", get(slot), i32(0), LINK_SLOT.check),
    ],
    [
      // The hash entry that lookUp has just made or used holds the generation.
      set(entry, add32(privilegeArea, ripHashOffset(get(rip), get(rip)))),
      store("i32.store", get(slot), load("i32.load", get(entry), AREA.ripHash + RIP_HASH.cell), LINK_SLOT.cell),
      store("i32.store", get(slot), load("i32.load", get(entry), AREA.ripHash + RIP_HASH.check), LINK_SLOT.check),
    ],
  )(f);
  get(found)(f);
}

function defineLeaveAt(module: ModuleWriter, reference: FunctionReference): void {
  const f = module.define(reference);
  const [operation] = f.params as [Local];
  const start = f.local("i32");
  const retired = f.local("i32");
  const rip = f.local("i64");
  const startOf = load("i32.load8_u", get(operation), OPERATION_FIELDS.start.offset);
  set(start, startOf)(f);
  set(rip, add64(readBlockRip, extendU(get(start))))(f);
  when(ne32(readSlot32(STATE.codeMode), i32(CODE_MODE_64)), [set(rip, and64(get(rip), i64(0xffff_ffff)))])(f);
  writeSlot(STATE.rip, get(rip))(f);
  // Instructions before this one: changes of `start` on the way back to the header.
  block((done) => [
    loop((next) => [
      set(operation, sub32(get(operation), i32(OPERATION_SIZE))),
      brIf(done, eq32(load("i32.load16_u", get(operation), OPERATION_FIELDS.handler.offset), i32(BLOCK_MARKER))),
      when(ne32(startOf, get(start)), [set(start, startOf), set(retired, add32(get(retired), i32(1)))]),
      br(next),
    ]),
  ])(f);
  writeSlot(STATE.instructionCount, add64(readSlot(STATE.instructionCount), extendU(get(retired))))(f);
}
