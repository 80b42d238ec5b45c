// A page walk written straight from SDM 3A 4.3-4.7, to check the one in Wasm against (mmu/page-walk.ts).
import { CR0, CR4, EFER, VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { CpuException, NonCanonicalAccess } from "../context.ts";
import type { CpuState } from "../cpu-state.ts";
import { ACCESS, PHYSICAL_ADDRESS_BITS } from "../mmu/memory-layout.ts";

/** Little-endian guest physical memory. */
export interface PhysicalMemory {
  readEntry(address: bigint, bytes: 4 | 8): bigint;
  /** Sets bits of the low byte. */
  setEntryBits(address: bigint, bits: number): void;
}

const P = 1n;
const RW = 2n;
const US = 4n;
const A = 0x20;
const D = 0x40;
const PS = 0x80n;
const ADDRESS = ((1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 1n) & ~0xfffn;
const HIGH_RESERVED = ((1n << 52n) - 1n) & ~((1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 1n);
const NX = 1n << 63n;

interface Level {
  readonly shift: bigint;
  readonly indexBits: bigint;
  /** Large page allowed here. */
  readonly large: boolean;
  /** The PDPT of PAE paging: no rights, own reserved bits. */
  readonly pointerOnly?: boolean;
}

const FOUR_LEVEL: readonly Level[] = [
  { shift: 39n, indexBits: 9n, large: false },
  { shift: 30n, indexBits: 9n, large: true },
  { shift: 21n, indexBits: 9n, large: true },
  { shift: 12n, indexBits: 9n, large: false },
];
const PAE: readonly Level[] = [{ shift: 30n, indexBits: 2n, large: false, pointerOnly: true }, ...FOUR_LEVEL.slice(2)];
const TWO_LEVEL = (pse: boolean): readonly Level[] => [
  { shift: 22n, indexBits: 10n, large: pse },
  { shift: 12n, indexBits: 10n, large: false },
];

/** Physical address of a linear one. `access`: bits of ACCESS. Throws #PF (with CR2 set) or #GP. */
export function referenceWalk(state: CpuState, memory: PhysicalMemory, linear: bigint, access: number): bigint {
  const cr0 = state.getNumber(STATE.cr0);
  const cr4 = state.getNumber(STATE.cr4);
  const efer = state.getNumber(STATE.efer);
  if (!(cr0 & CR0.PG)) return BigInt.asUintN(32, linear);
  const long = (efer & EFER.LMA) !== 0;
  const wide = long || (cr4 & CR4.PAE) !== 0;
  if (long && BigInt.asUintN(64, BigInt.asIntN(48, linear)) !== BigInt.asUintN(64, linear))
    throw new NonCanonicalAccess(linear);
  const nxe = wide && (efer & EFER.NXE) !== 0;
  const code = (nxe ? access : access & ~ACCESS.fetch) & (ACCESS.write | ACCESS.user | ACCESS.fetch);
  const fail = (extra: number): never => {
    state.set(STATE.cr2, linear);
    throw new CpuException(VECTOR.PF, code | extra);
  };

  const levels = long ? FOUR_LEVEL : wide ? PAE : TWO_LEVEL((cr4 & CR4.PSE) !== 0);
  const entryBytes = wide ? 8 : 4;
  let table = state.get(STATE.cr3) & (long ? ADDRESS : wide ? 0xffff_ffe0n : 0xffff_f000n);
  let rights = RW | US;
  let noExecute = false;
  for (const level of levels) {
    const index = (linear >> level.shift) & ((1n << level.indexBits) - 1n);
    const at = table + index * BigInt(entryBytes);
    const entry = memory.readEntry(at, entryBytes);
    if (!(entry & P)) fail(0);
    const isLeaf = level.shift === 12n || (level.large && (entry & PS) !== 0n);
    if (entry & reservedBits(level, wide, nxe, isLeaf)) fail(1 | 8);
    if (level.pointerOnly) {
      table = entry & ADDRESS;
      continue;
    }
    rights &= entry;
    noExecute ||= wide && (entry & NX) !== 0n;
    if (!isLeaf) {
      memory.setEntryBits(at, A);
      table = wide ? entry & ADDRESS : entry & 0xffff_f000n;
      continue;
    }
    const user = (access & ACCESS.user) !== 0;
    const write = (access & ACCESS.write) !== 0;
    if (user && !(rights & US)) fail(1);
    if (write && !(rights & RW) && (user || (cr0 & CR0.WP) !== 0)) fail(1);
    if (access & ACCESS.fetch && noExecute) fail(1);
    memory.setEntryBits(at, write ? A | D : A);
    const offset = (1n << level.shift) - 1n;
    const pse36 = !wide && level.shift === 22n ? ((entry >> 13n) & 0xffn) << 32n : 0n;
    const frame = (wide ? entry & ADDRESS : entry & 0xffff_f000n) & ~offset;
    return pse36 | frame | (linear & offset);
  }
  throw new Error("the last level is always a leaf");
}

function reservedBits(level: Level, wide: boolean, nxe: boolean, isLeaf: boolean): bigint {
  if (!wide) return isLeaf && level.shift === 22n ? 1n << 21n : 0n;
  if (level.pointerOnly) return HIGH_RESERVED | NX | 0x1e6n;
  let reserved = HIGH_RESERVED | (nxe ? 0n : NX);
  if (level.shift === 39n) reserved |= PS;
  if (isLeaf && level.shift > 12n) reserved |= ((1n << level.shift) - 1n) & ~0x1fffn;
  return reserved;
}
