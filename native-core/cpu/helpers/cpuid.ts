// CPUID models: what a guest is told that the processor is. A model is data; the helper only looks it up.
import { STATE } from "../../x86/state-layout.ts";
import type { CpuModel, Helper } from "../context.ts";
import type { CpuState } from "../cpu-state.ts";

type Registers = readonly [eax: number, ebx: number, ecx: number, edx: number];

const ZERO: Registers = [0, 0, 0, 0];

/** Bits 31..0 from bit numbers. */
function bits(...numbers: readonly number[]): number {
  return numbers.reduce((sum, n) => sum + 2 ** n, 0);
}

/** Four characters, the first in the lowest byte. */
function text(value: string, at: number): number {
  let result = 0;
  for (let n = 3; n >= 0; n--) result = result * 256 + (value.charCodeAt(at + n) || 0);
  return result;
}

function text16(value: string, at: number): Registers {
  return [text(value, at), text(value, at + 4), text(value, at + 8), text(value, at + 12)];
}

/** EDX of leaves 1 and 80000001h in common (AMD repeats them). */
const FEATURE = {
  FPU: 0,
  DE: 2,
  PSE: 3,
  TSC: 4,
  MSR: 5,
  PAE: 6,
  CX8: 8,
  APIC: 9,
  MTRR: 12,
  PGE: 13,
  CMOV: 15,
  PAT: 16,
  PSE36: 17,
  CLFSH: 19,
  MMX: 23,
  FXSR: 24,
  SSE: 25,
  SSE2: 26,
} as const;

const COMMON = [
  FEATURE.FPU,
  FEATURE.DE,
  FEATURE.PSE,
  FEATURE.TSC,
  FEATURE.MSR,
  FEATURE.PAE,
  FEATURE.CX8,
  FEATURE.APIC,
  FEATURE.MTRR,
  FEATURE.PGE,
  FEATURE.CMOV,
  FEATURE.PAT,
  FEATURE.PSE36,
  FEATURE.MMX,
  FEATURE.FXSR,
] as const;

const ECX_CX16 = 13;
const ECX_HYPERVISOR = 31;
const EXTENDED_EDX = { SYSCALL: 11, NX: 20, RDTSCP: 27, LM: 29 } as const;
const EXTENDED_ECX_LAHF = 0;
const INVARIANT_TSC = 8;

const VENDOR = "AuthenticAMD";
const HYPERVISOR = "TerrariumVM";
const BRAND = "Terrarium Virtual CPU";

/**
 * Family 15, model 2Fh, stepping 2. A family that needs no page table isolation (Meltdown is Intel's), knows LAHF in 64-bit mode and has
 * none of the errata that Linux looks for by model (E400 starts at model 41h).
 */
const SIGNATURE = 0x0002_0ff2;

const vendor: Registers = [1, text(VENDOR, 0), text(VENDOR, 8), text(VENDOR, 4)];
/** CLFLUSH line of 8 quadwords, one logical processor. */
const BRAND_AND_COUNT = 0x0001_0800;
const PHYSICAL_BITS = 40;
const LINEAR_BITS = 48;

/** 64 KiB of L1 code and data, 2-way, 64-byte lines; 1 MiB of L2, 16-way (AMD encoding). */
const L1_TLBS = 0xff08_ff08;
const L1_CACHE = 0x4002_0140;
const L2_TLBS = 0x4200_4200;
const L2_CACHE = 0x0400_8140;

const LEAVES = new Map<number, Registers>([
  [0, vendor],
  [
    1,
    [
      SIGNATURE,
      BRAND_AND_COUNT,
      bits(ECX_CX16, ECX_HYPERVISOR),
      bits(...COMMON, FEATURE.CLFSH, FEATURE.SSE, FEATURE.SSE2),
    ],
  ],
  [0x4000_0000, [0x4000_0000, text(HYPERVISOR, 0), text(HYPERVISOR, 4), text(HYPERVISOR, 8)]],
  [0x8000_0000, [0x8000_0008, vendor[1], vendor[2], vendor[3]]],
  [
    0x8000_0001,
    [
      SIGNATURE,
      0,
      bits(EXTENDED_ECX_LAHF),
      bits(...COMMON, EXTENDED_EDX.SYSCALL, EXTENDED_EDX.NX, EXTENDED_EDX.RDTSCP, EXTENDED_EDX.LM),
    ],
  ],
  [0x8000_0002, text16(BRAND, 0)],
  [0x8000_0003, text16(BRAND, 16)],
  [0x8000_0004, text16(BRAND, 32)],
  [0x8000_0005, [L1_TLBS, L1_TLBS, L1_CACHE, L1_CACHE]],
  [0x8000_0006, [0, L2_TLBS, L2_CACHE, 0]],
  [0x8000_0007, [0, 0, 0, bits(INVARIANT_TSC)]],
  [0x8000_0008, [PHYSICAL_BITS | (LINEAR_BITS << 8), 0, 0, 0]],
]);

/** What the core implements today: x86-64 with SSE2. */
export const BASELINE_CPU: CpuModel = {
  cpuid: (leaf) => LEAVES.get(leaf >>> 0) ?? ZERO,
};

/** CPUID shows no APIC while IA32_APIC_BASE has it disabled (SDM 3A 10.4.3). */
function isApicEnabled(state: CpuState): boolean {
  return (state.getNumber(APIC_BASE_LOW) & APIC_ENABLE) !== 0;
}

const APIC_ENABLE = 0x800;
const APIC_BASE_LOW = { offset: STATE.apicBase.offset, type: "u32" } as const;

function hasApicBit(leaf: number): boolean {
  return leaf === 1 || leaf === 0x8000_0001;
}

export const CPUID_HELPERS: Record<string, Helper> = {
  /** Leaf in EAX, subleaf in ECX; all four registers are written, zero-extended. */
  cpuid: ({ state, model }) => {
    const leaf = Number(state.general(0) & 0xffff_ffffn);
    const subleaf = Number(state.general(1) & 0xffff_ffffn);
    const [eax, ebx, ecx, features] = model.cpuid(leaf, subleaf);
    const edx = hasApicBit(leaf) && !isApicEnabled(state) ? features & ~(1 << FEATURE.APIC) : features;
    state.setGeneral(0, BigInt(eax >>> 0));
    state.setGeneral(3, BigInt(ebx >>> 0));
    state.setGeneral(1, BigInt(ecx >>> 0));
    state.setGeneral(2, BigInt(edx >>> 0));
    return 0n;
  },
};
