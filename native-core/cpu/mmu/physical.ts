// Guest physical memory as the page walker sees it: where an address is on the host, and page table entries read and written there.
import {
  add32,
  and32,
  and64,
  block,
  brIf,
  type Code,
  call,
  eq32,
  extendU,
  get,
  i32,
  i64,
  load,
  op,
  or32,
  ret,
  set,
  shl64,
  shrU32,
  store,
  sub32,
  sub64,
  tee,
  test32,
  unlikely,
  when,
  wrap,
} from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import { readCell, readCell64 } from "./cells.ts";
import type { HostFunctions } from "./imports.ts";
import { CELLS, CODE_MAP, GUEST_MEMORY, MMIO_HOLE, PAGE_FLAG, PAGE_FLAGS, PAGE_SHIFT } from "./memory-layout.ts";

export interface PhysicalFunctions {
  /** (physical: i64) -> i32: host address, or -1 where there is no RAM. */
  readonly hostAddress: FunctionReference;
  /** (host: i32): brings the page that holds the byte, if its content is missing. */
  readonly touch: FunctionReference;
  /** (host: i32, size: i32): prepares a write of bytes within one page: content there, old content kept, dirty, code voided. */
  readonly prepareWrite: FunctionReference;
  /** (physical: i64) -> i64: an aligned entry of 8 or 4 bytes; 0 where there is no RAM. */
  readonly readEntry64: FunctionReference;
  readonly readEntry32: FunctionReference;
  /** (physical: i64, bits: i32): sets bits in the low byte of an entry. */
  readonly setEntryBits: FunctionReference;
}

const WRITE_CACHED = PAGE_FLAG.writeCachedSupervisor | PAGE_FLAG.writeCachedUser;

const flagsAddress = (hostPage: Code): Code => hostPage;

export const readPageFlags = (hostPage: Code): Code => load("i32.load8_u", flagsAddress(hostPage), PAGE_FLAGS.address);
export const writePageFlags = (hostPage: Code, flags: Code): Code =>
  store("i32.store8", flagsAddress(hostPage), flags, PAGE_FLAGS.address);

export function declarePhysical(module: ModuleWriter, host: HostFunctions): PhysicalFunctions {
  const functions: PhysicalFunctions = {
    hostAddress: module.declare("hostAddress", ["i64"], ["i32"]),
    touch: module.declare("touch", ["i32"]),
    prepareWrite: module.declare("prepareWrite", ["i32", "i32"]),
    readEntry64: module.declare("readEntry64", ["i64"], ["i64"]),
    readEntry32: module.declare("readEntry32", ["i64"], ["i64"]),
    setEntryBits: module.declare("setEntryBits", ["i64", "i32"]),
  };
  defineHostAddress(module, functions.hostAddress);
  defineTouch(module, functions.touch, host);
  definePrepareWrite(module, functions.prepareWrite, host);
  defineEntries(module, functions);
  return functions;
}

function defineHostAddress(module: ModuleWriter, reference: FunctionReference): void {
  const f = module.define(reference);
  const [physical] = f.params as [Local];
  const offset = f.local("i64");
  when(op("i64.lt_u", get(physical), extendU(readCell(CELLS.ramBytes))), [
    unlikely(op("i64.lt_u", sub64(get(physical), i64(MMIO_HOLE.start)), i64(MMIO_HOLE.end - MMIO_HOLE.start)), [
      ret(i32(-1)),
    ]),
    ret(wrap(get(physical))),
  ])(f);
  when(
    op("i64.lt_u", tee(offset, sub64(get(physical), readCell64(CELLS.vramBase))), extendU(readCell(CELLS.vramBytes))),
    [ret(add32(wrap(get(offset)), readCell(CELLS.ramBytes)))],
  )(f);
  i32(-1)(f);
}

function defineTouch(module: ModuleWriter, reference: FunctionReference, host: HostFunctions): void {
  const f = module.define(reference);
  const [address] = f.params as [Local];
  const page = shrU32(get(address), PAGE_SHIFT);
  unlikely(test32(readPageFlags(page), PAGE_FLAG.missing), [call(host.fetchMissingPage, page)])(f);
}

function definePrepareWrite(module: ModuleWriter, reference: FunctionReference, host: HostFunctions): void {
  const f = module.define(reference);
  const [address, size] = f.params as [Local, Local];
  const page = f.local("i32");
  const flags = f.local("i32");
  set(page, shrU32(get(address), PAGE_SHIFT))(f);
  block((done) => [
    // The common case: an ordinary page that is dirty already.
    brIf(done, eq32(and32(tee(flags, readPageFlags(get(page))), i32(~WRITE_CACHED)), i32(PAGE_FLAG.dirty)), true),
    when(test32(get(flags), PAGE_FLAG.missing), [call(host.fetchMissingPage, get(page))]),
    when(test32(get(flags), PAGE_FLAG.protected), [call(host.releaseProtectedPage, get(page))]),
    when(test32(get(flags), PAGE_FLAG.code), [
      when(op("i64.ne", and64(codeMap(get(page)), granules(get(address), get(size))), i64(0)), [
        call(host.invalidateCodePage, get(page)),
      ]),
    ]),
    writePageFlags(get(page), or32(readPageFlags(get(page)), i32(PAGE_FLAG.dirty))),
  ])(f);
}

const codeMap = (hostPage: Code): Code =>
  load("i64.load", op("i32.mul", hostPage, i32(CODE_MAP.entrySize)), CODE_MAP.address);

/** Bits of the code map for `size` bytes at `address`, which lie in one page. */
function granules(address: Code, size: Code): Code {
  const granule = (byte: Code) => and32(shrU32(byte, CODE_MAP.granuleShift), i32(63));
  const first = extendU(granule(address));
  const last = extendU(granule(sub32(add32(address, size), i32(1))));
  // (2 << last) - (1 << first); for last = 63 the first term wraps to 0, which is right.
  return sub64(shl64(op("i64.shl", i64(1), last), 1), op("i64.shl", i64(1), first));
}

/** Page tables are reached through the same address lines as everything else. */
const masked = (physical: Local): Code => and64(get(physical), readCell64(CELLS.a20Mask));

function defineEntries(module: ModuleWriter, functions: PhysicalFunctions): void {
  for (const [reference, instruction] of [
    [functions.readEntry64, "i64.load"],
    [functions.readEntry32, "i64.load32_u"],
  ] as const) {
    const f = module.define(reference);
    const [physical] = f.params as [Local];
    const address = f.local("i32");
    unlikely(eq32(tee(address, call(functions.hostAddress, masked(physical))), i32(-1)), [ret(i64(0))])(f);
    call(functions.touch, get(address))(f);
    load(instruction, get(address), GUEST_MEMORY.address)(f);
  }
  const f = module.define(functions.setEntryBits);
  const [physical, bits] = f.params as [Local, Local];
  const address = f.local("i32");
  set(address, call(functions.hostAddress, masked(physical)))(f);
  unlikely(eq32(get(address), i32(-1)), [ret()])(f);
  unlikely(test32(readPageFlags(shrU32(get(address), PAGE_SHIFT)), PAGE_FLAG.readOnly), [ret()])(f);
  call(functions.prepareWrite, get(address), i32(1))(f);
  store(
    "i32.store8",
    get(address),
    or32(load("i32.load8_u", get(address), GUEST_MEMORY.address), get(bits)),
    GUEST_MEMORY.address,
  )(f);
}
