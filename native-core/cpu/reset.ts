// The state of a processor after power-up or RESET (SDM 3A table 10-1).
import { SEGMENTS, STATE, STATE_SIZE, VECTOR_OFFSET } from "../x86/state-layout.ts";
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

/** What a processor does (STATE.halted). */
export const ACTIVITY = { runs: 0, halted: 1, waitsForStartup: 2, monitors: 3 } as const;

const APIC_BASE = 0xfee0_0800n;
/** IA32_APIC_BASE.BSP. */
const BOOTSTRAP = 0x100n;

/** The bootstrap processor starts at the reset vector; the others wait for a start-up IPI (SDM 3A 8.4). */
export function resetCpu(state: CpuState, bootstrap = true): void {
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
  state.set(STATE.apicBase, APIC_BASE | (bootstrap ? BOOTSTRAP : 0n));
  state.setNumber(STATE.halted, bootstrap ? ACTIVITY.runs : ACTIVITY.waitsForStartup);
  state.set(STATE.miscEnable, 1n);
  state.set(STATE.mxcsr, 0x1f80n);
  state.set(STATE.xcr0, 1n);
  state.set(STATE.x87Control, 0x40n);
  state.set(STATE.x87Tag, 0x5555n);
  deriveMode(state);
}

/** What INIT leaves alone (SDM 3A table 10-1): cache control, time, MSRs but EFER, x87 and SSE registers. */
const KEPT_BY_INIT = [
  "instructionCount",
  "tscOffset",
  "tscAux",
  "apicBase",
  "miscEnable",
  "pat",
  "star",
  "lstar",
  "cstar",
  "fmask",
  "kernelGsBase",
  "sysenterCs",
  "sysenterEsp",
  "sysenterEip",
  "mxcsr",
  "x87Control",
  "x87Status",
  "x87Tag",
  "x87Opcode",
  "x87Ip",
  "x87Dp",
  "xcr0",
  "mcgStatus",
  "mcgControl",
  "startupPending",
  "startupPage",
] as const satisfies readonly (keyof typeof STATE)[];
/** State of registers that INIT leaves alone as well: MTRRs and machine check banks. */
const MTRRS = { start: STATE.mtrrDefaultType.offset, end: VECTOR_OFFSET } as const;
const CACHE_CONTROL = 0x6000_0000n;

/** The INIT signal. */
export function initCpu(state: CpuState): void {
  const kept = KEPT_BY_INIT.map((name) => [STATE[name], state.get(STATE[name])] as const);
  const cacheControl = state.get(STATE.cr0) & CACHE_CONTROL;
  const bootstrap = (state.get(STATE.apicBase) & BOOTSTRAP) !== 0n;
  const mtrrs = state.bytes.slice(MTRRS.start, MTRRS.end);
  const registers = state.bytes.slice(VECTOR_OFFSET, STATE_SIZE);
  resetCpu(state, bootstrap);
  state.bytes.set(mtrrs, MTRRS.start);
  state.bytes.set(registers, VECTOR_OFFSET);
  for (const [slot, value] of kept) state.set(slot, value);
  state.set(STATE.cr0, cacheControl | 0x10n);
}

/** A start-up IPI: real mode at the page it names (SDM 3A 10.6.1). */
export function startCpu(state: CpuState): void {
  const page = state.getNumber(STATE.startupPage);
  state.setNumber(STATE.startupPending, 0);
  state.setNumber(STATE.halted, ACTIVITY.runs);
  state.setSegment("cs", "selector", BigInt(page << 8));
  state.setSegment("cs", "base", BigInt(page << 12));
  state.set(STATE.rip, 0n);
  deriveMode(state);
}
