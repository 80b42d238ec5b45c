// The state of a processor after power-up or RESET (SDM 3A table 10-1).
import { SEGMENTS, STATE, STATE_SIZE } from "../x86/state-layout.ts";
import type { CpuState } from "./cpu-state.ts";
import { deriveMode } from "./mode.ts";

/** Present data segment, accessed and writable; present code segment, accessed and readable; LDT; busy TSS. */
const DATA = 0x93n;
const CODE = 0x9bn;
const LDT = 0x82n;
const TSS = 0x8bn;

/** Index of `attributes` and `limit` within a descriptor cache. */
const LIMIT = 0x08;
const ATTRIBUTES = 0x0c;

export function resetCpu(state: CpuState): void {
  // Cached translations are compared with the generation: if it went back, old ones would be valid again.
  const generation = state.getNumber(STATE.mappingGeneration);
  state.bytes.subarray(0, STATE_SIZE).fill(0);
  state.setNumber(STATE.mappingGeneration, generation);
  for (const segment of SEGMENTS) {
    state.setSegment(segment, "limit", 0xffffn);
    state.setSegment(segment, "attributes", segment === "cs" ? CODE : DATA);
  }
  state.setSegment("cs", "selector", 0xf000n);
  state.setSegment("cs", "base", 0xffff_0000n);
  state.set(STATE.rip, 0xfff0n);
  state.flags = 2n;
  state.set(STATE.cr0, 0x6000_0010n);
  state.set(STATE.dr6, 0xffff_0ff0n);
  state.set(STATE.dr7, 0x400n);
  state.set(STATE.gdtLimit, 0xffffn);
  state.set(STATE.idtLimit, 0xffffn);
  for (const [table, attributes] of [
    [STATE.ldtr, LDT],
    [STATE.tr, TSS],
  ] as const) {
    state.set({ offset: table.offset + LIMIT, type: "u32" }, 0xffffn);
    state.set({ offset: table.offset + ATTRIBUTES, type: "u16" }, attributes);
  }
  state.set(STATE.pat, 0x0007_0406_0007_0406n);
  state.set(STATE.apicBase, 0xfee0_0900n);
  state.set(STATE.miscEnable, 1n);
  state.set(STATE.mxcsr, 0x1f80n);
  state.set(STATE.x87Control, 0x40n);
  state.set(STATE.x87Tag, 0x5555n);
  deriveMode(state);
}
