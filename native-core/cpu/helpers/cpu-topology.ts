// What CPUID says about the place of a vCPU among the others: one package, a core for each vCPU, APIC ids from 0 on.
import type { CpuModel } from "../context.ts";

type Registers = [eax: number, ebx: number, ecx: number, edx: number];

const LEAF = {
  MAX: 0,
  FEATURES: 1,
  CACHES: 4,
  TOPOLOGY: 0xb,
  EXTENDED_FEATURES: 0x8000_0001,
  SIZES: 0x8000_0008,
} as const;
/** Level types of leaf Bh. */
const LEVEL = { THREAD: 1, CORE: 2 } as const;
/** Leaf 1 EDX: the count in EBX is valid. */
const HTT = 1 << 28;
/** Leaf 80000001h ECX: what is counted are cores. */
const CMP_LEGACY = 1 << 1;

export interface Topology {
  /** Number of the vCPU: its APIC id. */
  readonly index: number;
  readonly count: number;
}

export function withTopology(model: CpuModel, { index, count }: Topology): CpuModel {
  /** Bits of the APIC id that number cores. */
  const coreBits = Math.ceil(Math.log2(count));
  return {
    cpuid(leaf, subleaf) {
      const registers: Registers = [...model.cpuid(leaf, subleaf)];
      const [eax, ebx, ecx, edx] = registers;
      switch (leaf >>> 0) {
        case LEAF.MAX:
          return [Math.max(eax, LEAF.TOPOLOGY), ebx, ecx, edx];
        case LEAF.FEATURES:
          return [eax, (ebx & 0xffff) | (count << 16) | (index << 24), ecx, count > 1 ? edx | HTT : edx];
        case LEAF.CACHES:
          // Cores in the package; zero for the type says that there is no such cache.
          return (eax & 0x1f) === 0 ? registers : [(eax & 0x03ff_ffff) | ((count - 1) << 26), ebx, ecx, edx];
        case LEAF.TOPOLOGY:
          return topologyLevel(subleaf, { index, count }, coreBits);
        case LEAF.EXTENDED_FEATURES:
          return [eax, ebx, count > 1 ? ecx | CMP_LEGACY : ecx, edx];
        case LEAF.SIZES:
          return [eax, ebx, (count - 1) | (coreBits << 12), edx];
        default:
          return registers;
      }
    },
  };
}

/** SDM 2A, CPUID leaf 0Bh: shift to the next level's id, logical processors at this level, level number and type, x2APIC id. */
function topologyLevel(subleaf: number, { index, count }: Topology, coreBits: number): Registers {
  if (subleaf === 0) return [0, 1, LEVEL.THREAD << 8, index];
  if (subleaf === 1) return [coreBits, count, (LEVEL.CORE << 8) | 1, index];
  return [0, 0, subleaf & 0xff, index];
}
