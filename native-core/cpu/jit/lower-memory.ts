// Guest loads and stores of compiled code: as in the interpreter, with the privilege area known and the state spilled only if a slow
// path ends in a fault.
import type { Size } from "../../ir/nodes.ts";
import {
  add32,
  add64,
  and32,
  type Code,
  call,
  get,
  i32,
  i64,
  load,
  op,
  seq,
  set,
  shrU32,
  tee,
  unlikely,
  wrap,
} from "../../wasm/code.ts";
import type { Local } from "../../wasm/types.ts";
import { LOADS, STORES } from "../mmu/access.ts";
import { exceptionPending } from "../mmu/cells.ts";
import { AREA, PAGE_SIZE, TLB_ENTRY, TLB_MASK } from "../mmu/memory-layout.ts";
import type { RegionWriter } from "./region-writer.ts";

interface LookUp {
  readonly linear: Local;
  readonly offset: Local;
  readonly entry: Local;
}

/** i32: whether the bytes at `linear` are in the table; leaves the entry and the offset in the page. */
function lookUp(region: RegionWriter, table: number, size: number, { linear, offset, entry }: LookUp): Code {
  const { areaOffset } = region;
  const own = and32(shrU32(wrap(get(linear)), 8), i32(TLB_MASK));
  const index = areaOffset ? add32(own, get(areaOffset)) : own;
  return op(
    "i64.le_u",
    tee(offset, add64(get(linear), load("i64.load", tee(entry, index), table + TLB_ENTRY.negatedTag))),
    i64(PAGE_SIZE - size),
  );
}

const hostAddress = (table: number, { offset, entry }: LookUp): Code =>
  add32(wrap(get(offset)), load("i32.load", get(entry), table + TLB_ENTRY.hostPage));

/** Leaves the value of a load on the stack; `host` gets the host address, or -1. The linear address is on the stack. */
export function writeLoad(
  region: RegionWriter,
  size: Size | 16,
  forWrite: boolean,
  host: Local | undefined,
  fault: Code,
): void {
  const { f, runtime } = region;
  const at: LookUp = { linear: f.borrow("i64"), offset: f.borrow("i64"), entry: f.borrow("i32") };
  const table = region.area + (forWrite ? AREA.write : AREA.read);
  const type = size === 16 ? "v128" : "i64";
  f.set(at.linear);
  lookUp(region, table, size, at)(f);
  const label = f.open("if", type, true);
  hostAddress(table, at)(f);
  if (host) f.tee(host);
  f.access(size === 16 ? "v128.load" : LOADS[size], 1, 0);
  f.otherwise();
  if (host) set(host, i32(-1))(f);
  region.storeCount()(f);
  if (size === 16) call(runtime.access.load16, get(at.linear), i32(0))(f);
  else call(forWrite ? runtime.access.loadForWrite : runtime.access.load, get(at.linear), i32(size), i32(0))(f);
  unlikely(exceptionPending, [fault])(f);
  f.close(label);
  for (const local of [at.linear, at.offset, at.entry]) f.release(local);
}

/** What follows a store that took the slow path: on a fault, and if it may have voided the code being executed. */
export interface SlowEnds {
  readonly fault: Code;
  readonly voided: Code;
}

/** Stores `value`; the linear address is on the stack. */
export function writeStore(region: RegionWriter, size: Size | 16, value: Local, ends: SlowEnds): void {
  const { f } = region;
  const at: LookUp = { linear: f.borrow("i64"), offset: f.borrow("i64"), entry: f.borrow("i32") };
  const table = region.area + AREA.write;
  f.set(at.linear);
  lookUp(region, table, size, at)(f);
  const label = f.open("if", undefined, true);
  hostAddress(table, at)(f);
  f.get(value);
  f.access(size === 16 ? "v128.store" : STORES[size], 1, 0);
  f.otherwise();
  slowStore(region, size, get(at.linear), value, ends)(f);
  f.close(label);
  for (const local of [at.linear, at.offset, at.entry]) f.release(local);
}

/** Stores to the bytes that a load for writing has found; `address` is needed if it found none. */
export function writeStoreBack(
  region: RegionWriter,
  size: Size,
  host: Local,
  address: Code,
  value: Local,
  ends: SlowEnds,
): void {
  const { f } = region;
  op("i32.ne", get(host), i32(-1))(f);
  const label = f.open("if", undefined, true);
  f.get(host);
  f.get(value);
  f.access(STORES[size], 1, 0);
  f.otherwise();
  slowStore(region, size, address, value, ends)(f);
  f.close(label);
}

function slowStore(region: RegionWriter, size: Size | 16, address: Code, value: Local, ends: SlowEnds): Code {
  const { access } = region.runtime;
  return seq(
    region.storeCount(),
    size === 16
      ? call(access.store16, address, get(value), i32(0))
      : call(access.store, address, get(value), i32(size), i32(0)),
    unlikely(exceptionPending, [ends.fault]),
    ends.voided,
  );
}
