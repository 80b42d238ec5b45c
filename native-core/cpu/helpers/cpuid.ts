// The CPUID instruction: a model's leaves (cpu/cpuid) with the bits that follow the state of the vCPU.
import { CR4 } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import type { CpuModel, Helper } from "../context.ts";
import type { CpuState } from "../cpu-state.ts";
import { XSAVE_AREA } from "../cpuid/leaves.ts";

type Registers = ReturnType<CpuModel["cpuid"]>;

const APIC_BIT = 1 << 9;
const APIC_ENABLE = 0x800;
const APIC_BASE_LOW = { offset: STATE.apicBase.offset, type: "u32" } as const;

/** CPUID shows no APIC while IA32_APIC_BASE has it disabled (SDM 3A 10.4.3). */
function isApicEnabled(state: CpuState): boolean {
  return (state.getNumber(APIC_BASE_LOW) & APIC_ENABLE) !== 0;
}

const OSXSAVE_BIT = 1 << 27;
const XCR0_AVX = 4;

/** What leaves 1 and 0Dh say of the current CR4 and XCR0. */
function withExtendedState(state: CpuState, leaf: number, subleaf: number, registers: Registers): Registers {
  const [eax, ebx, ecx, edx] = registers;
  if (leaf === 1 && state.getNumber(STATE.cr4) & CR4.OSXSAVE) return [eax, ebx, ecx | OSXSAVE_BIT, edx];
  if (leaf !== 0xd || subleaf > 1 || eax === 0) return registers;
  const size = state.getNumber(STATE.xcr0) & XCR0_AVX ? XSAVE_AREA.withAvx : XSAVE_AREA.legacy;
  return [eax, size, ecx, edx];
}

function hasApicBit(leaf: number): boolean {
  return leaf === 1 || leaf === 0x8000_0001;
}

export const CPUID_HELPERS: Record<string, Helper> = {
  /** Leaf in EAX, subleaf in ECX; all four registers are written, zero-extended. */
  cpuid: ({ state, model }) => {
    const leaf = Number(state.general(0) & 0xffff_ffffn);
    const subleaf = Number(state.general(1) & 0xffff_ffffn);
    const [eax, ebx, ecx, features] = withExtendedState(state, leaf, subleaf, model.cpuid(leaf, subleaf));
    const edx = hasApicBit(leaf) && !isApicEnabled(state) ? features & ~APIC_BIT : features;
    state.setGeneral(0, BigInt(eax >>> 0));
    state.setGeneral(3, BigInt(ebx >>> 0));
    state.setGeneral(1, BigInt(ecx >>> 0));
    state.setGeneral(2, BigInt(edx >>> 0));
    return 0n;
  },
};
