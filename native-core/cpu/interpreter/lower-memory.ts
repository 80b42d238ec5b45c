// Guest loads and stores with the TLB look-up in line (mmu/tlb.ts explains the check); a miss calls a shared slow path.
import type { Size } from "../../ir/nodes.ts";
import {
  add32,
  add64,
  and32,
  type Code,
  call,
  choose,
  get,
  i32,
  i64,
  load,
  ne32,
  op,
  seq,
  set,
  store,
  tee,
  unlikely,
  when,
  wrap,
} from "../../wasm/code.ts";
import type { Local } from "../../wasm/types.ts";
import { LOADS, STORES } from "../mmu/access.ts";
import { exceptionPending } from "../mmu/cells.ts";
import { AREA, GUEST_MEMORY, PAGE_SIZE, TLB_ENTRY, TLB_MASK } from "../mmu/memory-layout.ts";
import type { LoweringTarget } from "./target.ts";

/** Looks up `linear` (in a local) in one table: leaves the entry and the offset in locals; the code's value says whether it hit. */
function lookUp(target: LoweringTarget, table: number, size: number, linear: Local, entry: Local, offset: Local): Code {
  const index = and32(op("i32.shr_u", wrap(get(linear)), i32(8)), i32(TLB_MASK));
  return seq(
    set(entry, add32(index, target.area)),
    op(
      "i64.le_u",
      tee(offset, add64(get(linear), load("i64.load", get(entry), table + TLB_ENTRY.negatedTag))),
      i64(PAGE_SIZE - size),
    ),
  );
}

const hostAddress = (table: number, entry: Local, offset: Local): Code =>
  add32(wrap(get(offset)), load("i32.load", get(entry), table + TLB_ENTRY.hostPage));

/** Leaves the value: i64 zero-extended, or v128. `hostLocal` gets the host address, or -1, for a store to the same bytes. */
export function lowerLoad(
  target: LoweringTarget,
  size: Size | 16,
  address: Code,
  forWrite: boolean,
  hostLocal: Local | undefined,
): Code {
  const { f, runtime, operation } = target;
  const linear = f.borrow("i64");
  const offset = f.borrow("i64");
  const entry = f.borrow("i32");
  const table = forWrite ? AREA.write : AREA.read;
  const checked = unlikely(exceptionPending, [target.exits.fault()]);
  const slow =
    size === 16
      ? call(runtime.access.load16, get(linear), get(operation))
      : call(forWrite ? runtime.access.loadForWrite : runtime.access.load, get(linear), i32(size), get(operation));
  const address32 = hostAddress(table, entry, offset);
  const host = hostLocal ? tee(hostLocal, address32) : address32;
  const code = seq(
    set(linear, address),
    choose(
      size === 16 ? "v128" : "i64",
      lookUp(target, table, size, linear, entry, offset),
      load(size === 16 ? "v128.load" : LOADS[size], host, GUEST_MEMORY.address),
      seq(...(hostLocal ? [set(hostLocal, i32(-1))] : []), slow, checked),
      true,
    ),
  );
  return (writer) => {
    code(writer);
    f.release(linear);
    f.release(offset);
    f.release(entry);
  };
}

/** Stores the value of a local. */
export function lowerStore(target: LoweringTarget, size: Size | 16, address: Code, value: Local): Code {
  const { f } = target;
  return (writer) => {
    const linear = f.borrow("i64");
    const offset = f.borrow("i64");
    const entry = f.borrow("i32");
    seq(
      set(linear, address),
      when(
        lookUp(target, AREA.write, size, linear, entry, offset),
        [
          store(
            size === 16 ? "v128.store" : STORES[size],
            hostAddress(AREA.write, entry, offset),
            get(value),
            GUEST_MEMORY.address,
          ),
        ],
        slowStore(target, size, get(linear), get(value)),
        true,
      ),
    )(writer);
    for (const local of [linear, offset, entry]) f.release(local);
  };
}

/** A store to bytes whose host address a load for writing has left in a local. */
export function lowerStoreBack(target: LoweringTarget, size: Size, host: Local, address: Code, value: Local): Code {
  return when(
    ne32(get(host), i32(-1)),
    [store(STORES[size], get(host), get(value), GUEST_MEMORY.address)],
    slowStore(target, size, address, get(value)),
    true,
  );
}

function slowStore(target: LoweringTarget, size: Size | 16, address: Code, value: Code): readonly Code[] {
  const { runtime, operation } = target;
  const slow =
    size === 16
      ? call(runtime.access.store16, address, value, get(operation))
      : call(runtime.access.store, address, value, i32(size), get(operation));
  return [slow, unlikely(exceptionPending, [target.exits.fault()])];
}
