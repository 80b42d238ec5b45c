// What the core's Wasm module asks of its host: the memories and the few functions written in TypeScript.
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference } from "../../wasm/types.ts";
import { GUEST_MEMORY, WASM_PAGE } from "./memory-layout.ts";

/** Implemented by cpu/vcpu. Host pages are page numbers in guest memory; physical addresses are exact as numbers. */
export interface CoreHost {
  /** An access outside RAM, of 1, 2 or 4 bytes. */
  mmioRead(physical: number, size: number): number;
  mmioWrite(physical: number, size: number, value: number): void;
  /** First touch of a page with the flag `missing`: bring its content and clear the flag. */
  fetchMissingPage(hostPage: number): void;
  /** First write to a page with the flag `protected`: keep the old content and clear the flag. */
  releaseProtectedPage(hostPage: number): void;
  /**
   * While data breakpoints are set: an access, at a linear address. 0 for a page without any; else its translation must not be cached,
   * and an exception (STEP_FIRST) may be pending.
   */
  watchAccess(linear: bigint, size: number, access: number): number;
  /** Bytes of translated code are about to change: void the page's blocks. */
  invalidateCodePage(hostPage: number): void;
  /** Makes the block wanted by CELLS.wanted*; its address in the operation cache, or 0 with an exception pending. */
  translateBlock(): number;
  /** The counter of a block has run out (cpu/interpreter/block-layout.ts). */
  hotBlock(block: number): void;
  /** Compiled code has been led elsewhere than it expects for a while (cpu/interpreter/target-profile.ts). */
  targetsMissed(profile: number): void;
}

export type HostFunctions = Readonly<Record<keyof CoreHost, FunctionReference>>;

/** Memory 0. */
export function importMemories(module: ModuleWriter): void {
  module.importMemory("core", "memory", { minimum: GUEST_MEMORY.address / WASM_PAGE + 1, maximum: 65536 });
}

export function importHost(module: ModuleWriter): HostFunctions {
  return {
    mmioRead: module.importFunction("host", "mmioRead", ["f64", "i32"], ["i32"]),
    mmioWrite: module.importFunction("host", "mmioWrite", ["f64", "i32", "i32"]),
    fetchMissingPage: module.importFunction("host", "fetchMissingPage", ["i32"]),
    releaseProtectedPage: module.importFunction("host", "releaseProtectedPage", ["i32"]),
    watchAccess: module.importFunction("host", "watchAccess", ["i64", "i32", "i32"], ["i32"]),
    invalidateCodePage: module.importFunction("host", "invalidateCodePage", ["i32"]),
    translateBlock: module.importFunction("host", "translateBlock", [], ["i32"]),
    hotBlock: module.importFunction("host", "hotBlock", ["i32"]),
    targetsMissed: module.importFunction("host", "targetsMissed", ["i32"]),
  };
}
