// The processors that a machine may have, by what CPUID shows. A model says what a guest may rely on; as under any hypervisor,
// instructions beyond it run nevertheless (documentation: docs/guide/processor.md).
import { ROWS } from "../../x86/rows.ts";
import type { CpuModel } from "../context.ts";
import { type FeatureName, isInstructionFeature } from "./features.ts";
import { cpuidLeaves } from "./leaves.ts";

/** x86-64 with SSE2. */
const FIRST = [
  ...(["x87", "cx8", "cx16", "cmov", "clflush", "mmx", "fxsr", "sse", "sse2", "lahf64", "syscall", "rdtscp"] as const),
  ...(["de", "pse", "tsc", "msr", "pae", "apic", "mtrr", "pge", "pat", "pse36"] as const),
  ...(["nx", "longMode", "hypervisor"] as const),
] satisfies readonly FeatureName[];

/** All that the first machines were told. Their guests count time-stamps, which stand still while the machine does. */
const BASELINE = [...FIRST, "invariantTsc"] satisfies readonly FeatureName[];

/** A clock that goes on meanwhile; guests take it only where the counter is not said to be one. */
const CLOCK = ["kvmClock", "kvmStableClock", "kvmNoDelays"] satisfies readonly FeatureName[];

/** x86-64-v2 and what processors of that level have had beside it: AES, carry-less products, hashes, random numbers, fast strings. */
const V2 = [
  ...FIRST,
  ...CLOCK,
  ...(["sse3", "ssse3", "sse4.1", "sse4.2", "popcnt"] as const),
  "sep",
  ...(["aes", "pclmulqdq", "sha", "rdrand", "rdseed", "erms"] as const),
  ...(["vme", "mce", "mca", "x2apic", "tscDeadline", "tscAdjust", "smep", "umip", "fsgsbase"] as const),
  "automaticIbrs",
] satisfies readonly FeatureName[];

const V3 = [
  ...V2,
  ...(["lzcnt", "movbe", "bmi1", "bmi2", "avx", "avx2", "fma", "f16c"] as const),
  ...(["xsave", "xsaveopt", "xsavec", "xgetbv1"] as const),
  ...(["pcid", "invpcid"] as const),
] satisfies readonly FeatureName[];

/** Everything there is. */
const MAX = [
  ...V3,
  ...(["xsaves", "monitor"] as const),
  ...(["adx", "clflushopt", "clwb", "rdpid", "smap", "vaes", "vpclmulqdq"] as const),
] satisfies readonly FeatureName[];

const LISTS = { baseline: BASELINE, "x86-64-v2": V2, "x86-64-v3": V3, max: MAX } as const;

export type CpuModelName = keyof typeof LISTS;

export const CPU_MODEL_NAMES = Object.keys(LISTS) as readonly CpuModelName[];
export const DEFAULT_CPU_MODEL: CpuModelName = "x86-64-v2";

const withRows = new Set(ROWS.map(({ feature }) => feature));

/** What a model shows: of its list, what has rows. */
export function featuresOf(name: CpuModelName): readonly FeatureName[] {
  return LISTS[name].filter((feature) => !isInstructionFeature(feature) || withRows.has(feature));
}

const models = new Map<CpuModelName, CpuModel>();

export function cpuModel(name: CpuModelName): CpuModel {
  let model = models.get(name);
  if (!model) {
    const leaves = cpuidLeaves(featuresOf(name));
    model = { cpuid: leaves };
    models.set(name, model);
  }
  return model;
}
