// Slow paths of loads and stores: TLB misses, accesses that cross a page, memory-mapped I/O, pages that hold translated code.
// A store checks all its pages before it changes any byte.
import {
  add32,
  add64,
  and32,
  and64,
  brIf,
  type Code,
  call,
  choose,
  eq32,
  extendU,
  get,
  i32,
  i64,
  load,
  loop,
  op,
  or32,
  or64,
  ret,
  select,
  seq,
  set,
  shl32,
  shrU64,
  store,
  sub32,
  test32,
  unlikely,
  when,
  wrap,
} from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import { STATE } from "../../x86/state-layout.ts";
import { ARMED } from "../debug-registers.ts";
import {
  exceptionPending,
  ifAlignmentChecked,
  raiseAlignmentCheck,
  readCell,
  readCell64,
  readSlot32,
  writeCell,
} from "./cells.ts";
import type { HostFunctions } from "./imports.ts";
import { ACCESS, AREA, CELLS, GUEST_MEMORY, PAGE_FLAG, PAGE_SIZE, TLB_ENTRY } from "./memory-layout.ts";
import { readPageFlags } from "./physical.ts";
import { entryOffset, ownAddress, type TlbFunctions } from "./tlb.ts";

/** All take the operation they run for, so that an exception finds its RIP; after a call, exceptionPending tells whether it faulted. */
export interface AccessFunctions {
  /** (linear: i64, size: i32, operation: i32) -> i64, zero-extended. */
  readonly load: FunctionReference;
  /** As load, for a destination that will be written: faults as a write does. */
  readonly loadForWrite: FunctionReference;
  /** (linear: i64, operation: i32) -> v128 */
  readonly load16: FunctionReference;
  /** (linear: i64, value: i64, size: i32, operation: i32) */
  readonly store: FunctionReference;
  /** (linear: i64, value: v128, operation: i32) */
  readonly store16: FunctionReference;
  /** As load, for compiled code, which may have expected the bytes in another page only: looks in the TLB first. (linear: i64, size: i32) -> i64. */
  readonly loadNear: FunctionReference;
  /** As store: (linear: i64, value: i64, size: i32). */
  readonly storeNear: FunctionReference;
  /** (linear: i64, write: i32, operation: i32) -> i32 host address, or -1 where bytes cannot be copied directly. */
  readonly translate: FunctionReference;
}

const pageOffset = (linear: Code): Code => and32(wrap(linear), i32(PAGE_SIZE - 1));
const crosses = (linear: Code, size: Code): Code => op("i32.gt_u", add32(pageOffset(linear), size), i32(PAGE_SIZE));

/** Start of the page that holds the last byte: the address a fault there reports. */
const lastPage = (linear: Code, size: Code): Code => and64(add64(linear, op("i64.sub", size, i64(1))), i64(-PAGE_SIZE));

/** ACCESS.user if the CPL is 3. */
export const userAccess: Code = select(eq32(readSlot32(STATE.cpl), i32(3)), i32(ACCESS.user), i32(0));

export function declareAccess(
  module: ModuleWriter,
  host: HostFunctions,
  tlb: TlbFunctions,
  pageWalk: FunctionReference,
): AccessFunctions {
  const device = declareDeviceAccess(module, host);
  const functions: AccessFunctions = {
    load: module.declare("loadSlow", ["i64", "i32", "i32"], ["i64"]),
    loadForWrite: module.declare("loadForWriteSlow", ["i64", "i32", "i32"], ["i64"]),
    load16: module.declare("load16Slow", ["i64", "i32"], ["v128"]),
    store: module.declare("storeSlow", ["i64", "i64", "i32", "i32"]),
    store16: module.declare("store16Slow", ["i64", "v128", "i32"]),
    loadNear: module.declare("loadNear", ["i64", "i32"], ["i64"]),
    storeNear: module.declare("storeNear", ["i64", "i64", "i32"]),
    translate: module.declare("translateForCopy", ["i64", "i32", "i32"], ["i32"]),
  };
  const probe = defineProbe(module, pageWalk);
  const loadBytes = defineLoadBytes(module, tlb, device, probe);
  const storeBytes = defineStoreBytes(module, tlb, device, probe);
  for (const [reference, write] of [
    [functions.load, 0],
    [functions.loadForWrite, ACCESS.write],
  ] as const) {
    const f = module.define(reference);
    const [linear, size, operation] = f.params as [Local, Local, Local];
    writeCell(CELLS.currentOperation, get(operation))(f);
    call(loadBytes, get(linear), get(size), or32(userAccess, i32(write)))(f);
  }
  defineLoad16(module, functions.load16, loadBytes);
  {
    const f = module.define(functions.store);
    const [linear, value, size, operation] = f.params as [Local, Local, Local, Local];
    writeCell(CELLS.currentOperation, get(operation))(f);
    call(storeBytes, get(linear), get(value), get(size), or32(userAccess, i32(ACCESS.write)))(f);
  }
  defineStore16(module, functions.store16, storeBytes, probe);
  defineNear(module, functions);
  defineTranslateForCopy(module, functions.translate, tlb);
  module.export("probe", probe);
  module.export("load", loadBytes);
  module.export("store", storeBytes);
  return functions;
}

/**
 * (linear: i64, size: i32, access: i32): whether both pages of an access may be written. Nothing is written if not, and neither page's
 * entry becomes dirty.
 */
function defineProbe(module: ModuleWriter, pageWalk: FunctionReference): FunctionReference {
  const reference = module.declare("probe", ["i64", "i32", "i32"]);
  const f = module.define(reference);
  const [linear, size, access] = f.params as [Local, Local, Local];
  const walk = (address: Code): Code => seq(call(pageWalk, address, or32(get(access), i32(ACCESS.probe))), op("drop"));
  walk(get(linear))(f);
  unlikely(exceptionPending, [ret()])(f);
  walk(lastPage(get(linear), extendU(get(size))))(f);
  return reference;
}

interface DeviceFunctions {
  /** (physical: i64, size: i32) -> i64 */
  readonly read: FunctionReference;
  /** (physical: i64, value: i64, size: i32) */
  readonly write: FunctionReference;
}

/** Devices see accesses of 1, 2 and 4 bytes: 8 bytes are two accesses. */
function declareDeviceAccess(module: ModuleWriter, host: HostFunctions): DeviceFunctions {
  const read = module.declare("deviceRead", ["i64", "i32"], ["i64"]);
  const write = module.declare("deviceWrite", ["i64", "i64", "i32"]);
  const number = (physical: Code): Code => op("f64.convert_i64_u", physical);
  {
    const f = module.define(read);
    const [physical, size] = f.params as [Local, Local];
    const low = f.local("i64");
    set(
      low,
      extendU(call(host.mmioRead, number(get(physical)), select(op("i32.gt_u", get(size), i32(4)), i32(4), get(size)))),
    )(f);
    choose(
      "i64",
      eq32(get(size), i32(8)),
      or64(
        get(low),
        op("i64.shl", extendU(call(host.mmioRead, number(add64(get(physical), i64(4))), i32(4))), i64(32)),
      ),
      // A device may answer with more bits than were asked for.
      and64(get(low), shrU64Dynamic(i64(-1), sub32(i32(64), shl32(get(size), 3)))),
    )(f);
  }
  {
    const f = module.define(write);
    const [physical, value, size] = f.params as [Local, Local, Local];
    when(
      eq32(get(size), i32(8)),
      [
        call(host.mmioWrite, number(get(physical)), i32(4), wrap(get(value))),
        call(host.mmioWrite, number(add64(get(physical), i64(4))), i32(4), wrap(shrU64(get(value), 32))),
      ],
      [call(host.mmioWrite, number(get(physical)), get(size), wrap(get(value)))],
    )(f);
  }
  return { read, write };
}

const shrU64Dynamic = (a: Code, count: Code): Code => op("i64.shr_u", a, extendU(count));

/** Runs `body(instruction)` for the size in a local. */
const bySize = (size: Local, body: (bytes: 1 | 2 | 4 | 8) => Code): Code =>
  when(
    eq32(get(size), i32(8)),
    [body(8)],
    [when(eq32(get(size), i32(4)), [body(4)], [when(eq32(get(size), i32(1)), [body(1)], [body(2)])])],
  );

export const LOADS = { 1: "i64.load8_u", 2: "i64.load16_u", 4: "i64.load32_u", 8: "i64.load" } as const;
export const STORES = { 1: "i64.store8", 2: "i64.store16", 4: "i64.store32", 8: "i64.store" } as const;

/** (linear: i64, size: i32, access: i32) -> i64 */
function defineLoadBytes(
  module: ModuleWriter,
  tlb: TlbFunctions,
  device: DeviceFunctions,
  probe: FunctionReference,
): FunctionReference {
  const reference = module.declare("loadBytes", ["i64", "i32", "i32"], ["i64"]);
  const f = module.define(reference);
  const [linear, size, access] = f.params as [Local, Local, Local];
  const host = f.local("i32");
  const result = f.local("i64");
  const position = f.local("i32");
  const byte = f.local("i64");
  unlikely(crosses(get(linear), get(size)), [
    ifAlignmentChecked(get(access), ...raiseAlignmentCheck(), ret(i64(0))),
    when(test32(get(access), ACCESS.write), [
      call(probe, get(linear), get(size), get(access)),
      unlikely(exceptionPending, [ret(i64(0))]),
    ]),
    // Byte by byte: the second page's bytes are translated with the second page's address.
    loop((next) => [
      set(byte, call(reference, add64(get(linear), extendU(get(position))), i32(1), get(access))),
      unlikely(exceptionPending, [ret(i64(0))]),
      set(result, or64(get(result), op("i64.shl", get(byte), extendU(shl32(get(position), 3))))),
      set(position, add32(get(position), i32(1))),
      brIf(next, op("i32.lt_u", get(position), get(size))),
    ]),
    ret(get(result)),
  ])(f);
  set(host, call(tlb.translate, get(linear), get(access), get(size)))(f);
  when(eq32(get(host), i32(-1)), [
    unlikely(exceptionPending, [ret(i64(0))]),
    ret(call(device.read, readCell64(CELLS.physicalAddress), get(size))),
  ])(f);
  bySize(size, (bytes) => ret(load(LOADS[bytes], get(host), GUEST_MEMORY.address)))(f);
  i64(0)(f);
  return reference;
}

/** (linear: i64, value: i64, size: i32, access: i32) */
function defineStoreBytes(
  module: ModuleWriter,
  tlb: TlbFunctions,
  device: DeviceFunctions,
  probe: FunctionReference,
): FunctionReference {
  const reference = module.declare("storeBytes", ["i64", "i64", "i32", "i32"]);
  const f = module.define(reference);
  const [linear, value, size, access] = f.params as [Local, Local, Local, Local];
  const host = f.local("i32");
  const position = f.local("i32");
  unlikely(crosses(get(linear), get(size)), [
    ifAlignmentChecked(get(access), ...raiseAlignmentCheck(), ret()),
    call(probe, get(linear), get(size), get(access)),
    unlikely(exceptionPending, [ret()]),
    loop((next) => [
      call(
        reference,
        add64(get(linear), extendU(get(position))),
        op("i64.shr_u", get(value), extendU(shl32(get(position), 3))),
        i32(1),
        get(access),
      ),
      set(position, add32(get(position), i32(1))),
      brIf(next, op("i32.lt_u", get(position), get(size))),
    ]),
    ret(),
  ])(f);
  set(host, call(tlb.translate, get(linear), get(access), get(size)))(f);
  when(eq32(get(host), i32(-1)), [
    unlikely(exceptionPending, [ret()]),
    call(device.write, readCell64(CELLS.physicalAddress), get(value), get(size)),
    ret(),
  ])(f);
  bySize(size, (bytes) => store(STORES[bytes], get(host), get(value), GUEST_MEMORY.address))(f);
  return reference;
}

function defineLoad16(module: ModuleWriter, reference: FunctionReference, loadBytes: FunctionReference): void {
  const f = module.define(reference);
  const [linear, operation] = f.params as [Local, Local];
  const low = f.local("i64");
  writeCell(CELLS.currentOperation, get(operation))(f);
  set(low, call(loadBytes, get(linear), i32(8), userAccess))(f);
  unlikely(exceptionPending, [op("i64x2.splat", i64(0)), op("return")])(f);
  op("i64x2.splat", get(low))(f);
  call(loadBytes, add64(get(linear), i64(8)), i32(8), userAccess)(f);
  f.lanes("i64x2.replace_lane", [1]);
}

function defineStore16(
  module: ModuleWriter,
  reference: FunctionReference,
  storeBytes: FunctionReference,
  probe: FunctionReference,
): void {
  const f = module.define(reference);
  const [linear, value, operation] = f.params as [Local, Local, Local];
  const access = or32(userAccess, i32(ACCESS.write));
  const half =
    (lane: number): Code =>
    (writer) => {
      writer.get(value);
      writer.lanes("i64x2.extract_lane", [lane]);
    };
  writeCell(CELLS.currentOperation, get(operation))(f);
  when(crosses(get(linear), i32(16)), [call(probe, get(linear), i32(16), access), unlikely(exceptionPending, [ret()])])(
    f,
  );
  call(storeBytes, get(linear), half(0), i32(8), access)(f);
  unlikely(exceptionPending, [ret()])(f);
  call(storeBytes, add64(get(linear), i64(8)), half(1), i32(8), access)(f);
}

function defineNear(module: ModuleWriter, { loadNear, storeNear, load: far, store: storeFar }: AccessFunctions): void {
  /** Runs `found` with the host address if the bytes are in a page of the table. */
  const look = (
    f: FunctionWriter,
    linear: Local,
    size: Local,
    table: number,
    found: (bytes: 1 | 2 | 4 | 8, host: Local) => Code,
  ): Code => {
    const offset = f.local("i64");
    const entry = f.local("i32");
    const area = select(userAccess, i32(AREA.user), i32(AREA.supervisor));
    return seq(
      set(entry, add32(entryOffset(get(linear)), ownAddress(area))),
      set(offset, add64(get(linear), load("i64.load", get(entry), table + TLB_ENTRY.negatedTag))),
      when(op("i64.le_u", get(offset), extendU(sub32(i32(PAGE_SIZE), get(size)))), [
        set(entry, add32(wrap(get(offset)), load("i32.load", get(entry), table + TLB_ENTRY.hostPage))),
        bySize(size, (bytes) => found(bytes, entry)),
      ]),
    );
  };
  {
    const f = module.define(loadNear);
    const [linear, size] = f.params as [Local, Local];
    look(f, linear, size, AREA.read, (bytes, host) => ret(load(LOADS[bytes], get(host), GUEST_MEMORY.address)))(f);
    call(far, get(linear), get(size), i32(0))(f);
  }
  {
    const f = module.define(storeNear);
    const [linear, value, size] = f.params as [Local, Local, Local];
    look(f, linear, size, AREA.write, (bytes, host) =>
      seq(store(STORES[bytes], get(host), get(value), GUEST_MEMORY.address), ret()),
    )(f);
    call(storeFar, get(linear), get(value), get(size), i32(0))(f);
  }
}

/** What string instructions copy with: a whole page from the address on may be written through the answer. */
function defineTranslateForCopy(module: ModuleWriter, reference: FunctionReference, tlb: TlbFunctions): void {
  const f = module.define(reference);
  const [linear, write, operation] = f.params as [Local, Local, Local];
  const host = f.local("i32");
  writeCell(CELLS.currentOperation, get(operation))(f);
  set(
    host,
    call(tlb.translate, get(linear), or32(userAccess, select(get(write), i32(ACCESS.write), i32(0))), i32(1)),
  )(f);
  when(get(write), [
    when(op("i32.ne", get(host), i32(-1)), [
      // Bytes after the first may be code: the caller stores them one by one then.
      when(holdsCode(get(host)), [ret(i32(-1))]),
    ]),
  ])(f);
  // A breakpoint may be anywhere in the page, and elements may be misaligned.
  when(readCell(CELLS.uncached), [
    when(test32(readSlot32(STATE.debugArmed), ARMED.data), [ret(i32(-1))]),
    ifAlignmentChecked(userAccess, ret(i32(-1))),
  ])(f);
  get(host)(f);
}

const holdsCode = (host: Code): Code => test32(readPageFlags(op("i32.shr_u", host, i32(12))), PAGE_FLAG.code);
