// The page walker (SDM 3A 4.3-4.8): linear to physical address in the current paging mode, with rights, accessed and dirty bits.
//
//   paging off            physical = linear
//   32-bit                CR3 -> PD -> PT            4 KiB, 4 MiB (CR4.PSE, with the PSE-36 bits)
//   PAE                   CR3 -> PDPT -> PD -> PT    4 KiB, 2 MiB
//   4-level (long mode)   CR3 -> PML4 -> ... -> PT   4 KiB, 2 MiB, 1 GiB
import {
  add64,
  and32,
  and64,
  block,
  br,
  brIf,
  type Code,
  call,
  eq32,
  get,
  i32,
  i64,
  loop,
  ne64,
  not32,
  op,
  or32,
  or64,
  ret,
  select,
  seq,
  set,
  shl64,
  shrU64,
  test32,
  test64,
  unlikely,
  when,
  wrap,
} from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import { STATE } from "../../x86/state-layout.ts";
import { NON_CANONICAL } from "../context.ts";
import { raise, readSlot, readSlot32, writeCell, writeCell64, writeSlot } from "./cells.ts";
import { ACCESS, CELLS, PAGE_ATTRIBUTES, PHYSICAL_ADDRESS_BITS } from "./memory-layout.ts";
import type { PhysicalFunctions } from "./physical.ts";

const CR0_WP = 1 << 16;
const CR0_PG = 0x8000_0000 | 0;
const CR4_PSE = 1 << 4;
const CR4_PAE = 1 << 5;
const CR4_PGE = 1 << 7;
const CR4_SMEP = 1 << 20;
const CR4_SMAP = 1 << 21;
const RFLAGS_AC = 1 << 18;
const EFER_LMA = 1 << 10;
const EFER_NXE = 1 << 11;

const PTE_P = 1;
const PTE_RW = 2;
const PTE_US = 4;
const PTE_A = 0x20;
const PTE_D = 0x40;
const PTE_PS = 0x80;
const PTE_G = 0x100;

const PF_P = 1;
const PF_RSVD = 8;

/** Bits that hold an address in a 64-bit entry. */
const ADDRESS_MASK = ((1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 1n) & ~0xfffn;
/** Bits from the physical address width up to 51: reserved in every 64-bit entry. */
const RESERVED_HIGH = ((1n << 52n) - 1n) & ~((1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 1n);
const NX = 1n << 63n;

const fault = (linear: Local, errorCode: Code): Code =>
  seq(writeSlot(STATE.cr2, get(linear)), ...raise(14, errorCode), ret(i64(-1)));

/** The I bit is reported only where fetches have rights of their own: with NX (EFER.NXE) or SMEP. */
const reportedAccess = (access: Local): Code =>
  select(
    or32(test32(readSlot32(STATE.efer), EFER_NXE), test32(readSlot32(STATE.cr4), CR4_SMEP)),
    and32(get(access), i32(~ACCESS.probe)),
    and32(get(access), i32(~(ACCESS.fetch | ACCESS.probe))),
  );

/** What the supervisor may not do with a page of the user's (SDM 3A 4.6.1). CR4 is checked first: most guests have neither bit. */
function checkSupervisor(access: Local, rights: Local, deny: Code): Code {
  const isFetch = test32(get(access), ACCESS.fetch);
  // EFLAGS.AC opens the user's pages to explicit accesses only, which there are none of at CPL 3.
  const open = and32(
    select(test32(readSlot32(STATE.systemFlags), RFLAGS_AC), i32(1), i32(0)),
    op("i32.ne", readSlot32(STATE.cpl), i32(3)),
  );
  return when(test32(readSlot32(STATE.cr4), CR4_SMEP | CR4_SMAP), [
    when(test32(get(rights), PTE_US), [
      when(
        isFetch,
        [when(test32(readSlot32(STATE.cr4), CR4_SMEP), [deny])],
        [
          when(test32(readSlot32(STATE.cr4), CR4_SMAP), [
            when(not32(open), [deny]),
            // Not for the TLB, which would let it through when AC is clear again.
            writeCell(CELLS.uncached, i32(1)),
          ]),
        ],
      ),
    ]),
  ]);
}

/** (linear: i64, access: i32) -> i64 physical address, or -1 with an exception pending. Sets CELLS.walkAttributes. */
export function definePageWalk(module: ModuleWriter, physical: PhysicalFunctions): FunctionReference {
  const walk32 = define32BitWalk(module, physical);
  const walk64 = define64BitWalk(module, physical);
  const reference = module.declare("pageWalk", ["i64", "i32"], ["i64"]);
  const f = module.define(reference);
  const [linear, access] = f.params as [Local, Local];
  writeCell(CELLS.walkAttributes, i32(0))(f);
  writeCell(CELLS.uncached, i32(0))(f);
  when(not32(test32(readSlot32(STATE.cr0), CR0_PG)), [ret(and64(get(linear), i64(0xffff_ffff)))])(f);
  when(test32(readSlot32(STATE.efer), EFER_LMA), [
    unlikely(ne64(op("i64.shr_s", shl64(get(linear), 16), i64(16)), get(linear)), [
      writeCell64(CELLS.physicalAddress, get(linear)),
      ...raise(NON_CANONICAL, i32(0)),
      ret(i64(-1)),
    ]),
    ret(call(walk64, get(linear), get(access), i64(39), and64(readSlot(STATE.cr3), i64(ADDRESS_MASK)))),
  ])(f);
  when(test32(readSlot32(STATE.cr4), CR4_PAE), [
    ret(call(walk64, get(linear), get(access), i64(30), and64(readSlot(STATE.cr3), i64(0xffff_ffe0)))),
  ])(f);
  call(walk32, get(linear), get(access))(f);
  return reference;
}

/** Rights of the whole path (`rights` = AND of all entries): no right or the dirty bit not settable means a fault. */
function checkRights(linear: Local, access: Local, rights: Local, noExecute: Code): readonly Code[] {
  const deny = fault(linear, or32(reportedAccess(access), i32(PF_P)));
  return [
    when(
      test32(get(access), ACCESS.user),
      [unlikely(not32(test32(get(rights), PTE_US)), [deny])],
      [checkSupervisor(access, rights, deny)],
    ),
    when(test32(get(access), ACCESS.write), [
      when(not32(test32(get(rights), PTE_RW)), [
        // A supervisor may write to read-only pages unless CR0.WP is set.
        when(or32(test32(get(access), ACCESS.user), test32(readSlot32(STATE.cr0), CR0_WP)), [deny]),
      ]),
    ]),
    when(test32(get(access), ACCESS.fetch), [when(noExecute, [deny])]),
  ];
}

/** Sets A, and D for a write, in the leaf where they are missing; remembers G and the page size. */
function finishLeaf(
  physical: PhysicalFunctions,
  access: Local,
  entryAddress: Local,
  entry: Local,
  large: Code,
): readonly Code[] {
  const writes = eq32(and32(get(access), i32(ACCESS.write | ACCESS.probe)), i32(ACCESS.write));
  const wanted = select(writes, i32(PTE_A | PTE_D), i32(PTE_A));
  return [
    when(and32(op("i32.xor", and32(wrap(get(entry)), i32(PTE_A | PTE_D)), i32(PTE_A | PTE_D)), wanted), [
      call(physical.setEntryBits, get(entryAddress), wanted),
    ]),
    writeCell(
      CELLS.walkAttributes,
      or32(
        select(
          and32(test32(readSlot32(STATE.cr4), CR4_PGE), op("i32.shr_u", test32(wrap(get(entry)), PTE_G), i32(1))),
          i32(PAGE_ATTRIBUTES.global),
          i32(0),
        ),
        large,
      ),
    ),
  ];
}

/** Entries of 8 bytes: PAE from shift 30 (its PDPT), 4-level paging from shift 39. */
function define64BitWalk(module: ModuleWriter, physical: PhysicalFunctions): FunctionReference {
  const reference = module.declare("pageWalk64", ["i64", "i32", "i64", "i64"], ["i64"]);
  const f = module.define(reference);
  const [linear, access, shift, table] = f.params as [Local, Local, Local, Local];
  const entryAddress = f.local("i64");
  const entry = f.local("i64");
  const rights = f.local("i32");
  const noExecute = f.local("i64");
  const reserved = f.local("i64");
  const pageMask = f.local("i64");
  const topOfPae = f.local("i32");

  set(rights, i32(-1))(f);
  // The four PDPT entries of PAE paging have no rights; only bits P, PWT, PCD and the address are defined.
  set(topOfPae, op("i64.eq", get(shift), i64(30)))(f);
  set(topOfPae, and32(get(topOfPae), not32(test32(readSlot32(STATE.efer), EFER_LMA))))(f);
  set(reserved, or64(i64(RESERVED_HIGH), select(test32(readSlot32(STATE.efer), EFER_NXE), i64(0), i64(NX))))(f);
  loop((next) => [
    set(entryAddress, add64(get(table), shl64(and64(op("i64.shr_u", get(linear), get(shift)), i64(511)), 3))),
    set(entry, call(physical.readEntry64, get(entryAddress))),
    unlikely(not32(test32(wrap(get(entry)), PTE_P)), [fault(linear, reportedAccess(access))]),
    block((notTop) => [
      brIf(notTop, not32(get(topOfPae))),
      set(topOfPae, i32(0)),
      unlikely(test64(get(entry), RESERVED_HIGH | NX | 0x1e6n), [
        fault(linear, or32(reportedAccess(access), i32(PF_P | PF_RSVD))),
      ]),
      set(table, and64(get(entry), i64(ADDRESS_MASK))),
      set(shift, i64(21)),
      br(next),
    ]),
    set(noExecute, or64(get(noExecute), get(entry))),
    set(rights, and32(get(rights), wrap(get(entry)))),
    block((leaf) => [
      block((table4k) => [
        // Leaf: shift 12, or PS at 21 and 30. PS at 39 is reserved.
        brIf(table4k, op("i64.eq", get(shift), i64(12))),
        set(pageMask, op("i64.sub", op("i64.shl", i64(1), get(shift)), i64(1))),
        when(test32(wrap(get(entry)), PTE_PS), [
          // Between bit 13 (12 is PAT) and the page size all bits are reserved.
          unlikely(
            or32(
              op("i64.eq", get(shift), i64(39)),
              op("i64.ne", and64(get(entry), or64(get(reserved), and64(get(pageMask), i64(~0x1fffn)))), i64(0)),
            ),
            [fault(linear, or32(reportedAccess(access), i32(PF_P | PF_RSVD)))],
          ),
          br(leaf),
        ]),
        unlikely(op("i64.ne", and64(get(entry), get(reserved)), i64(0)), [
          fault(linear, or32(reportedAccess(access), i32(PF_P | PF_RSVD))),
        ]),
        when(not32(test32(wrap(get(entry)), PTE_A)), [call(physical.setEntryBits, get(entryAddress), i32(PTE_A))]),
        set(table, and64(get(entry), i64(ADDRESS_MASK))),
        set(shift, op("i64.sub", get(shift), i64(9))),
        br(next),
      ]),
      set(pageMask, i64(0xfff)),
      unlikely(op("i64.ne", and64(get(entry), get(reserved)), i64(0)), [
        fault(linear, or32(reportedAccess(access), i32(PF_P | PF_RSVD))),
      ]),
    ]),
  ])(f);
  for (const code of checkRights(linear, access, rights, op("i64.lt_s", get(noExecute), i64(0)))) code(f);
  const large = select(op("i64.eq", get(pageMask), i64(0xfff)), i32(0), i32(PAGE_ATTRIBUTES.large));
  for (const code of finishLeaf(physical, access, entryAddress, entry, large)) code(f);
  when(op("i64.gt_u", get(pageMask), i64(0x3f_ffff)), [writeCell(CELLS.hugeSeen, i32(1))])(f);
  or64(
    and64(and64(get(entry), i64(ADDRESS_MASK)), op("i64.xor", get(pageMask), i64(-1))),
    and64(get(linear), get(pageMask)),
  )(f);
  return reference;
}

/** Entries of 4 bytes, two levels. */
function define32BitWalk(module: ModuleWriter, physical: PhysicalFunctions): FunctionReference {
  const reference = module.declare("pageWalk32", ["i64", "i32"], ["i64"]);
  const f = module.define(reference);
  const [linear, access] = f.params as [Local, Local];
  const entryAddress = f.local("i64");
  const entry = f.local("i64");
  const rights = f.local("i32");
  const noExecute = i32(0);

  set(entryAddress, or64(and64(readSlot(STATE.cr3), i64(0xffff_f000)), and64(shrU64(get(linear), 20), i64(0xffc))))(f);
  set(entry, call(physical.readEntry32, get(entryAddress)))(f);
  unlikely(not32(test32(wrap(get(entry)), PTE_P)), [fault(linear, reportedAccess(access))])(f);
  set(rights, wrap(get(entry)))(f);
  when(and32(test32(wrap(get(entry)), PTE_PS), shl(test32(readSlot32(STATE.cr4), CR4_PSE))), [
    unlikely(test64(get(entry), 1n << 21n), [fault(linear, or32(reportedAccess(access), i32(PF_P | PF_RSVD)))]),
    ...checkRights(linear, access, rights, noExecute),
    ...finishLeaf(physical, access, entryAddress, entry, i32(PAGE_ATTRIBUTES.large)),
    ret(
      or64(
        or64(and64(get(entry), i64(0xffc0_0000)), shl64(and64(shrU64(get(entry), 13), i64(0xff)), 32)),
        and64(get(linear), i64(0x3f_ffff)),
      ),
    ),
  ])(f);
  when(not32(test32(get(rights), PTE_A)), [call(physical.setEntryBits, get(entryAddress), i32(PTE_A))])(f);
  set(entryAddress, or64(and64(get(entry), i64(0xffff_f000)), and64(shrU64(get(linear), 10), i64(0xffc))))(f);
  set(entry, call(physical.readEntry32, get(entryAddress)))(f);
  unlikely(not32(test32(wrap(get(entry)), PTE_P)), [fault(linear, reportedAccess(access))])(f);
  set(rights, and32(get(rights), wrap(get(entry))))(f);
  for (const code of checkRights(linear, access, rights, noExecute)) code(f);
  for (const code of finishLeaf(physical, access, entryAddress, entry, i32(0))) code(f);
  or64(and64(get(entry), i64(0xffff_f000)), and64(get(linear), i64(0xfff)))(f);
  return reference;
}

/** Any bit to the position of PTE_PS, so that it can be combined with it. */
const shl = (bits: Code): Code => select(bits, i32(-1), i32(0));
