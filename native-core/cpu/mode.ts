// What follows from the control registers and segment caches: code mode and stack width.
import { CR0, CR4, EFER, RFLAGS } from "../x86/registers.ts";
import { AVX_BLOCKED, STATE } from "../x86/state-layout.ts";
import type { CpuState } from "./cpu-state.ts";

/** Bits of a segment's attributes (descriptor bits 40..55). */
const L = 1 << 13;
const DB = 1 << 14;
/** XCR0.SSE and XCR0.AVX. */
const XCR0_AVX = 6;

/** Sets STATE.codeMode, STATE.stackMask, STATE.vectorBlocked and STATE.avxBlocked. */
export function deriveMode(state: CpuState): void {
  const protectedMode = (state.getNumber(STATE.cr0) & CR0.PE) !== 0;
  const virtual8086 = (state.getNumber(STATE.systemFlags) & RFLAGS.VM) !== 0;
  const code = state.segmentNumber("cs", "attributes");
  const long = (state.getNumber(STATE.efer) & EFER.LMA) !== 0;
  const mode = long && protectedMode && code & L ? 8 : !virtual8086 && code & DB ? 4 : 2;
  state.setNumber(STATE.codeMode, mode);
  const wide = !virtual8086 && (state.segmentNumber("ss", "attributes") & DB) !== 0;
  state.set(STATE.stackMask, mode === 8 ? -1n : wide ? 0xffff_ffffn : 0xffffn);
  const isEnabled =
    (state.getNumber(STATE.cr4) & CR4.OSXSAVE) !== 0 && (state.getNumber(STATE.xcr0) & XCR0_AVX) === XCR0_AVX;
  const avx = (isEnabled ? 0 : AVX_BLOCKED.DISABLED) | (protectedMode && !virtual8086 ? 0 : AVX_BLOCKED.NO_VEX);
  state.setNumber(STATE.avxBlocked, (state.getNumber(STATE.cr0) & CR0.TS) | avx);
  const missing = ~state.getNumber(STATE.cr4) & CR4.OSFXSR;
  state.setNumber(STATE.vectorBlocked, (state.getNumber(STATE.cr0) & (CR0.EM | CR0.TS)) | missing);
}
