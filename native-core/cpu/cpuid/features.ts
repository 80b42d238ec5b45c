// Every feature that CPUID can show a guest, and where (SDM 2A CPUID; AMD APM 3 appendix E). A line here says that the feature works as
// a whole; of instructions it is also checked that their rows exist (models.ts), and tests execute them (tests/unit/cpu/cpuid).
import type { CpuidFeature } from "../../x86/row.ts";

export type CpuidRegister = "eax" | "ebx" | "ecx" | "edx";

/** One bit of CPUID. */
export interface FeatureBit {
  readonly leaf: 1 | 7 | 0xd | 0x4000_0101 | 0x8000_0001 | 0x8000_0007 | 0x8000_0021;
  readonly subleaf?: 1;
  readonly register: CpuidRegister;
  readonly bit: number;
  /** AMD repeats some bits of leaf 1 EDX at the same place of leaf 8000_0001. */
  readonly repeated?: true;
}

const ecx = (bit: number): FeatureBit => ({ leaf: 1, register: "ecx", bit });
const edx = (bit: number): FeatureBit => ({ leaf: 1, register: "edx", bit });
const common = (bit: number): FeatureBit => ({ ...edx(bit), repeated: true });
const leaf7 = (register: CpuidRegister, bit: number): FeatureBit => ({ leaf: 7, register, bit });
const extendedState = (bit: number): FeatureBit => ({ leaf: 0xd, subleaf: 1, register: "eax", bit });
const kvm = (bit: number): FeatureBit => ({ leaf: 0x4000_0101, register: "eax", bit });
const extended = (register: CpuidRegister, bit: number): FeatureBit => ({ leaf: 0x8000_0001, register, bit });

/** Instructions: rows carry the name as their `feature`. */
const INSTRUCTIONS = {
  x87: common(0),
  cx8: common(8),
  sep: edx(11),
  cmov: common(15),
  clflush: edx(19),
  mmx: common(23),
  fxsr: common(24),
  sse: edx(25),
  sse2: edx(26),
  sse3: ecx(0),
  pclmulqdq: ecx(1),
  monitor: ecx(3),
  ssse3: ecx(9),
  fma: ecx(12),
  cx16: ecx(13),
  "sse4.1": ecx(19),
  "sse4.2": ecx(20),
  movbe: ecx(22),
  popcnt: ecx(23),
  aes: ecx(25),
  xsave: ecx(26),
  avx: ecx(28),
  f16c: ecx(29),
  rdrand: ecx(30),
  bmi1: leaf7("ebx", 3),
  avx2: leaf7("ebx", 5),
  bmi2: leaf7("ebx", 8),
  fsgsbase: leaf7("ebx", 0),
  invpcid: leaf7("ebx", 10),
  rdseed: leaf7("ebx", 18),
  adx: leaf7("ebx", 19),
  smap: leaf7("ebx", 20),
  clflushopt: leaf7("ebx", 23),
  clwb: leaf7("ebx", 24),
  sha: leaf7("ebx", 29),
  rdpid: leaf7("ecx", 22),
  vaes: leaf7("ecx", 9),
  vpclmulqdq: leaf7("ecx", 10),
  xsaveopt: extendedState(0),
  xsavec: extendedState(1),
  xsaves: extendedState(3),
  lahf64: extended("ecx", 0),
  lzcnt: extended("ecx", 5),
  syscall: extended("edx", 11),
  rdtscp: extended("edx", 27),
} satisfies Partial<Record<CpuidFeature, FeatureBit>>;

/** What is not a matter of instructions: paging, system registers, time, speed. */
const SYSTEM = {
  vme: common(1),
  de: common(2),
  pse: common(3),
  tsc: common(4),
  msr: common(5),
  pae: common(6),
  mce: common(7),
  apic: common(9),
  mtrr: common(12),
  pge: common(13),
  mca: common(14),
  pat: common(16),
  pse36: common(17),
  pcid: ecx(17),
  x2apic: ecx(21),
  tscDeadline: ecx(24),
  hypervisor: ecx(31),
  tscAdjust: leaf7("ebx", 1),
  smep: leaf7("ebx", 7),
  umip: leaf7("ecx", 2),
  /** REP MOVSB and REP STOSB are block copies and fills (semantics/string.ts): guests do best to use them. */
  erms: leaf7("ebx", 9),
  xgetbv1: extendedState(2),
  /** Delays between accesses to ports are for old hardware. */
  kvmNoDelays: kvm(1),
  kvmClock: kvm(3),
  /** All vCPUs' clocks go alike. */
  kvmStableClock: kvm(24),
  nx: extended("edx", 20),
  longMode: extended("edx", 29),
  /** EFER.AIBRSE: no branch is predicted from what less privileged code has trained, so kernels need no retpolines (ADR 37). */
  automaticIbrs: { leaf: 0x8000_0021, register: "eax", bit: 8 },
  invariantTsc: { leaf: 0x8000_0007, register: "edx", bit: 8 },
} satisfies Record<string, FeatureBit>;

export type InstructionFeature = keyof typeof INSTRUCTIONS;
export type FeatureName = InstructionFeature | keyof typeof SYSTEM;

export const FEATURES: Readonly<Record<FeatureName, FeatureBit>> = { ...INSTRUCTIONS, ...SYSTEM };

export function isInstructionFeature(name: string): name is InstructionFeature {
  return Object.hasOwn(INSTRUCTIONS, name);
}
