// Questions about the current mode that helpers share.
import { CR0, EFER, RFLAGS } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import type { CpuContext } from "../context.ts";

/** IA32_EFER.LMA: 64-bit or compatibility mode. */
export function isLongMode({ state }: CpuContext): boolean {
  return (state.getNumber(STATE.efer) & EFER.LMA) !== 0;
}

export function is64BitCode({ state }: CpuContext): boolean {
  return state.getNumber(STATE.codeMode) === 8;
}

export function isVirtual8086({ state }: CpuContext): boolean {
  return (state.getNumber(STATE.systemFlags) & RFLAGS.VM) !== 0;
}

/** Segments are shifted selectors: real mode or virtual-8086 mode. */
export function isRealAddressing(cpu: CpuContext): boolean {
  return (cpu.state.getNumber(STATE.cr0) & CR0.PE) === 0 || isVirtual8086(cpu);
}

export function privilegeLevel({ state }: CpuContext): number {
  return state.getNumber(STATE.cpl);
}

export function ioPrivilegeLevel({ state }: CpuContext): number {
  return (state.getNumber(STATE.systemFlags) >> 12) & 3;
}

/** Bits 63..47 equal. */
export function isCanonical(address: bigint): boolean {
  return BigInt.asIntN(48, address) === BigInt.asIntN(64, address);
}
