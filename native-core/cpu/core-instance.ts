// The core's Wasm module, instantiated: its memories and its exports, typed.
import type { CoreHost } from "./mmu/imports.ts";
import { GUEST_MEMORY, WASM_PAGE } from "./mmu/memory-layout.ts";

export interface CoreExports {
  /** Executes from STATE.rip; RUN_RESULT says why it came back. */
  run(): number;
  /** Host address of bytes in one page, or -1 (mmu/tlb.ts). */
  translate(linear: bigint, access: number, size: number): number;
  /** Leaves a page fault pending if a write of `size` bytes, which may cross a page, would meet one. */
  probe(linear: bigint, size: number, access: number): void;
  /** Any bytes up to 8, also across pages and from devices. */
  load(linear: bigint, size: number, access: number): bigint;
  store(linear: bigint, value: bigint, size: number, access: number): void;
  flush(keepGlobal: number): void;
  /** Empties the TLB although the mapping is the same: page flags changed. Links stay. */
  dropTranslations(): void;
  invalidatePage(linear: bigint): void;
  /** Drops write entries of the running vCPU for a page of guest memory that holds code now: those of user code, or the supervisor's. */
  dropWriteEntries(hostPage: number, user: 0 | 1): void;
  bumpGenerations(): void;
  /** Compiled regions (cpu/jit). */
  readonly regions: WebAssembly.Table;
}

export interface CoreInstance {
  readonly exports: CoreExports;
  /** Memory 0: state, TLBs, operation cache. */
  readonly memory: WebAssembly.Memory;
  /** Guest memory, the last part of it. */
  readonly guest: Uint8Array;
}

/** What helpers are to the module: i64 in (signed bigint), i64 out. */
export type HelperImports = Record<string, (...args: bigint[]) => bigint>;

/** `guestBytes`: RAM and video memory. The memory never grows, so views of it stay valid. */
export function instantiateCore(
  module: WebAssembly.Module,
  guestBytes: number,
  host: CoreHost,
  helpers: HelperImports,
): CoreInstance {
  const pages = Math.ceil((GUEST_MEMORY.address + guestBytes) / WASM_PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const imports = {
    core: { memory },
    host: { ...host } as unknown as Record<string, unknown>,
    helpers,
  };
  const instance = new WebAssembly.Instance(module, imports);
  const guest = new Uint8Array(memory.buffer, GUEST_MEMORY.address);
  return { exports: instance.exports as unknown as CoreExports, memory, guest };
}
