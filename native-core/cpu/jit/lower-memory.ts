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
import { AREA, GUEST_MEMORY, PAGE_SIZE, TLB_ENTRY, TLB_MASK } from "../mmu/memory-layout.ts";
import type { Address } from "./known-pages.ts";
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

const NOTHING = seq();

/** No offset in a page, nor is any that is not too far from it (known-pages.ts). */
const UNKNOWN = i64(-PAGE_SIZE);

const hostAddress = (table: number, { offset, entry }: LookUp): Code =>
  add32(wrap(get(offset)), load("i32.load", get(entry), table + TLB_ENTRY.hostPage));

/** Where an access goes: the linear address, and what is known about it. */
export interface Place {
  readonly linear: Code;
  readonly address: Address | undefined;
}

/** An access on its usual way: `hit` (i32) says whether it can go there, `host + offset` is the host address. */
interface FastWay {
  readonly hit: Code;
  readonly host: Code;
  readonly offset: number;
  /** For the slow path: the linear address, and what it says of a page that would be known now. */
  readonly linear: Code;
  readonly unknown: Code;
  readonly release: () => void;
}

function fastWay(region: RegionWriter, place: Place, size: number, write: boolean): FastWay {
  const { pages } = region;
  const known = place.address && pages.find(place.address, write);
  if (known) {
    const { offset, host } = pages.localsOf(known);
    const distance = (place.address as Address).delta - known.delta;
    return {
      hit: op("i64.le_u", distance === 0 ? get(offset) : add64(get(offset), i64(distance)), i64(PAGE_SIZE - size)),
      host: get(host),
      offset: distance,
      linear: place.linear,
      unknown: NOTHING,
      release: () => {},
    };
  }
  const { f } = region;
  const at: LookUp = { linear: f.borrow("i64"), offset: f.borrow("i64"), entry: f.borrow("i32") };
  const table = region.area + (write ? AREA.write : AREA.read);
  const page = place.address && pages.localsOf(pages.add(place.address, write));
  const host = hostAddress(table, at);
  return {
    hit: seq(set(at.linear, place.linear), lookUp(region, table, size, at)),
    host: page ? seq(set(page.offset, get(at.offset)), tee(page.host, host)) : host,
    offset: 0,
    linear: get(at.linear),
    unknown: page ? set(page.offset, UNKNOWN) : NOTHING,
    release: () => {
      for (const local of [at.linear, at.offset, at.entry]) f.release(local);
    },
  };
}

/** Leaves the value of a load on the stack; `host` gets the host address, or -1. */
export function writeLoad(
  region: RegionWriter,
  size: Size | 16,
  place: Place,
  forWrite: boolean,
  host: Local | undefined,
  fault: Code,
): void {
  const { f, runtime } = region;
  const way = fastWay(region, place, size, forWrite);
  way.hit(f);
  const label = f.open("if", size === 16 ? "v128" : "i64", true);
  way.host(f);
  if (host) {
    if (way.offset) add32(() => {}, i32(way.offset))(f);
    f.tee(host);
  }
  f.access(size === 16 ? "v128.load" : LOADS[size], 0, GUEST_MEMORY.address + (host ? 0 : way.offset));
  f.otherwise();
  if (host) set(host, i32(-1))(f);
  way.unknown(f);
  // The value stays below the answer whether there is a fault.
  unlikely(call(runtime.slow.load(size, forWrite), way.linear, get(region.count)), [fault])(f);
  f.close(label);
  way.release();
}

/** What follows a store that took the slow path: on a fault, and if it has voided the code being executed, unless somebody looks later. */
export interface SlowEnds {
  readonly fault: Code;
  readonly voided: Code | undefined;
}

/** Stores `value`. */
export function writeStore(region: RegionWriter, size: Size | 16, place: Place, value: Local, ends: SlowEnds): void {
  const { f } = region;
  const way = fastWay(region, place, size, true);
  way.hit(f);
  const label = f.open("if", undefined, true);
  way.host(f);
  f.get(value);
  f.access(size === 16 ? "v128.store" : STORES[size], 0, GUEST_MEMORY.address + way.offset);
  f.otherwise();
  slowStore(region, size, way.linear, value, ends)(f);
  way.unknown(f);
  f.close(label);
  way.release();
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
  f.access(STORES[size], 0, GUEST_MEMORY.address);
  f.otherwise();
  slowStore(region, size, address, value, ends)(f);
  f.close(label);
}

function slowStore(region: RegionWriter, size: Size | 16, linear: Code, value: Local, ends: SlowEnds): Code {
  const { runtime, count } = region;
  return unlikely(call(runtime.slow.store(size), linear, get(value), get(count)), [
    unlikely(exceptionPending, [ends.fault]),
    ends.voided ?? seq(),
  ]);
}
