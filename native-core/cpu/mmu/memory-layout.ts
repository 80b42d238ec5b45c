// What the memory of the core's module (memory 0) holds: the CPU state, the TLB, the block cache, what is known about each page of guest
// memory, and guest memory itself. A "host address" is an offset in the latter.
//
//   0x000_0000  CPU state of the vCPU that runs (x86/state-layout.ts), then its own cells: together its context
//   0x000_1010  cells that all vCPUs share: scalars of the MMU and the block cache
//   0x000_6000  what the interpreter says about its handlers
//   0x00D_0000  constant tables of routines (cpu/routines)
//   0x010_0000  page flags, one byte per host page
//   0x020_0000  code map, 64 bits per host page: which 64-byte granules hold translated code
//   0x0A0_0000  physical block hash
//   0x0C0_0000  operation cache
//   0x240_0000  per vCPU, VCPU_AREA.size apart:
//                 +0x00_0000  privilege area of the supervisor (TLBs, RIP hash), then that of user mode
//                 +0x20_0000  log of TLB entries that a flush of non-global pages must drop; filters; context while it does not run
//                 +0x30_0000  page aliases, 16 bytes per host page: the linear page a code page was last entered by
//   0xBC0_0000  guest memory: RAM from guest physical 0, then video memory, then the firmware's ROM
//
// What the vCPUs have of their own is what a TLB is, and whatever holds for one mapping only. Blocks, links between them and compiled
// regions are everybody's: a link names a generation, and no two vCPUs are ever in the same one.
// Pages of memory 0 that nothing touches cost no host memory.
export { MMIO_HOLE, PAGE_FLAG } from "../../memory/page-flags.ts";

import { STATE, STATE_SIZE } from "../../x86/state-layout.ts";

export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;

/** Physical address width told to the guest in CPUID 8000_0008; bits above are reserved in page tables. */
export const PHYSICAL_ADDRESS_BITS = 40;

/** State and cells that are exchanged when another vCPU runs. */
export const CONTEXT_SIZE = STATE_SIZE + 0x10;

/** Scalars, by address. u32 unless said otherwise. The first group belongs to the vCPU that runs. */
export const CELLS = {
  /** Generations of linear mappings (the first one is STATE.mappingGeneration): links and hash entries to non-global and to global pages hold the one they were made in. */
  localGeneration: STATE.mappingGeneration.offset,
  globalGeneration: STATE_SIZE,
  tlbLogLength: STATE_SIZE + 0x04,
  /** A translation came from a page of 1 GiB since the last flush. */
  hugeSeen: STATE_SIZE + 0x08,
  /** Distance of the vCPU's areas from those of the first one. */
  vcpuOffset: STATE_SIZE + 0x0c,

  /** Always zero: a block link that compares this cell with 0 is always valid. */
  zero: CONTEXT_SIZE,
  /** The newest generation of any vCPU. */
  lastGeneration: CONTEXT_SIZE + 0x04,
  /** Operation that is in a slow path now: an exception takes its RIP from it. */
  currentOperation: CONTEXT_SIZE + 0x08,
  /** Bumped when the operation cache is emptied: pointers into it are void. */
  cacheEpoch: CONTEXT_SIZE + 0x0c,
  /** Bytes of RAM; u64 base and bytes of the video memory window in guest physical space. */
  ramBytes: CONTEXT_SIZE + 0x10,
  vramBase: CONTEXT_SIZE + 0x18,
  vramBytes: CONTEXT_SIZE + 0x20,
  /** u64 base of the firmware's ROM in guest physical space, its bytes, and the host address of its copy: it is read and run there. */
  romBase: CONTEXT_SIZE + 0x108,
  romBytes: CONTEXT_SIZE + 0x110,
  romHost: CONTEXT_SIZE + 0x114,
  /** Attributes of the last page walk: PAGE_GLOBAL, PAGE_LARGE, PAGE_WRITABLE. */
  walkAttributes: CONTEXT_SIZE + 0x24,
  /** Set by a page walk whose result must not be kept in the TLB. */
  uncached: CONTEXT_SIZE + 0x4c,
  /** u64: what physical addresses are masked with: all ones, or without bit 20 (A20M#). */
  a20Mask: CONTEXT_SIZE + 0x100,
  /** u64: physical address of the last translation, where it is not RAM; the linear one, where that is not canonical. */
  physicalAddress: CONTEXT_SIZE + 0x28,
  /** u64: RIP that a block is wanted for; u32 its host address and its context (code mode, user). */
  wantedRip: CONTEXT_SIZE + 0x30,
  wantedHost: CONTEXT_SIZE + 0x38,
  wantedContext: CONTEXT_SIZE + 0x3c,
  /** Set by JavaScript when the block it made spans two pages: valid for one mapping generation only. */
  blockSpansPages: CONTEXT_SIZE + 0x40,
  /** Set when translated code was voided, or translations dropped: compiled code that may have caused it looks here. */
  codeVoided: CONTEXT_SIZE + 0x44,
  /** Flags that compiled code has left as what says all about them (cpu/jit/flag-forms.ts): form, or 0; u64 left, right, step, overrides. */
  flagForm: CONTEXT_SIZE + 0x48,
  flagLeft: CONTEXT_SIZE + 0x50,
  flagRight: CONTEXT_SIZE + 0x58,
  flagStep: CONTEXT_SIZE + 0x60,
  flagOverrides: CONTEXT_SIZE + 0x68,
} as const;

/** What is counted all the time, for profiles (cpu/profile.ts); u64 each. */
export const COUNTERS = {
  /** Page walks. */
  tlbMisses: CONTEXT_SIZE + 0x70,
  /** Instructions retired by compiled regions. */
  compiledInstructions: CONTEXT_SIZE + 0x78,
  /** Ways back from compiled regions into the dispatcher, by outcome (cpu/jit/outcome.ts). */
  exits: CONTEXT_SIZE + 0x80,
} as const;

/** A TLB entry: i64 negated linear page, i32 host address of the page, i32 attributes. Together they reach 64 MiB (ADR 30). */
export const TLB_ENTRIES = 16_384;
export const TLB_ENTRY = { size: 16, negatedTag: 0, hostPage: 8, attributes: 12 } as const;
export const TLB_BYTES = TLB_ENTRIES * TLB_ENTRY.size;
/** Selects an entry's offset out of a linear address shifted right by 8 (page number times 16). */
export const TLB_MASK = (TLB_ENTRIES - 1) * TLB_ENTRY.size;

export const PAGE_ATTRIBUTES = { global: 1, large: 2 } as const;

/** An entry of the RIP hash: i64 RIP, i32 block, i32 cell and i32 its value while the entry is valid. */
export const RIP_HASH = { entries: 8192, entrySize: 32, rip: 0, block: 8, cell: 12, check: 16 } as const;

/** Filled when the module is instantiated. */
export const ROUTINE_TABLES = { address: 0xd_0000 } as const;

export const PAGE_FLAGS = { address: 0x10_0000 } as const;

export const CODE_MAP = { address: 0x20_0000, entrySize: 8, granuleShift: 6 } as const;

/** Direct-mapped: i32 host address, i32 context, i32 block. The index is the top of the host address times a large odd number. */
export const BLOCK_HASH = {
  address: 0xa0_0000,
  entries: 131_072,
  entrySize: 16,
  host: 0,
  context: 4,
  block: 8,
  multiplier: 0x9e37_79b1,
  shift: 15,
} as const;

export const OPERATION_CACHE = { address: 0xc0_0000, size: 24 * 1024 * 1024 } as const;

/** What each vCPU has of its own. Addresses below are those of the first vCPU; CELLS.vcpuOffset is to be added. */
export const VCPU_AREA = { address: OPERATION_CACHE.address + OPERATION_CACHE.size, size: 0x130_0000 } as const;
export const VCPUS_MAX = 8;

/** A privilege area: everything whose meaning depends on whether the CPL is 3. Aligned to TLB_BYTES from the first one on. */
export const AREA = {
  supervisor: VCPU_AREA.address,
  user: VCPU_AREA.address + 0x10_0000,
  read: 0,
  write: TLB_BYTES,
  execute: TLB_BYTES * 2,
  ripHash: TLB_BYTES * 3,
} as const;

export const TLB_LOG = { address: VCPU_AREA.address + 0x20_0000, capacity: 8192 } as const;

/** 4096 bits each; mmu/tlb.ts says which bits of a linear address index them. */
export const FILTERS = {
  /** Regions of 4 MiB of which a large page was cached: INVLPG must drop the whole region. */
  largePages: VCPU_AREA.address + 0x20_8000,
  /** Pages that a block was looked up in, mapped as local and as global ones: INVLPG of another page leaves links alone. */
  executedPages: VCPU_AREA.address + 0x20_8200,
  executedGlobalPages: VCPU_AREA.address + 0x20_8400,
} as const;
export const FILTER_BYTES = 0x200;

/** CONTEXT_SIZE bytes of a vCPU that does not run now. */
export const PARKED = { address: VCPU_AREA.address + 0x20_a000 } as const;

/** i64 linear page, i32 cell, i32 check: void unless the cell still has the value of check. */
export const PAGE_ALIASES = {
  address: VCPU_AREA.address + 0x30_0000,
  entrySize: 16,
  page: 0,
  cell: 8,
  check: 12,
} as const;

export const WASM_PAGE = 65536;

/**
 * RAM from guest physical 0, then video memory, then ROM. A host address is an offset in it. It is a part of memory 0, for code reaches any other
 * memory through two loads more; accesses have its address in their constant offset.
 */
export const GUEST_MEMORY = { address: VCPU_AREA.address + VCPUS_MAX * VCPU_AREA.size } as const;

/** Access rights asked of a translation: the bits of a page-fault error code (SDM 3A 4.7). */
/** `probe` asks for rights alone: a write will follow, but the dirty flag is not set yet. */
export const ACCESS = { write: 2, user: 4, fetch: 16, probe: 32 } as const;

/** A block's context: code mode in bytes (2, 4, 8), and whether the CPL is 3. */
export const CONTEXT_USER = 16;
