// CPUID models: what each shows, that instructions behind a bit are there, and that the oldest model stays what guests were told.
import { describe, expect, it } from "vitest";
import { FEATURES, isInstructionFeature } from "../../../../native-core/cpu/cpuid/features.ts";
import { CPU_MODEL_NAMES, cpuModel, featuresOf } from "../../../../native-core/cpu/cpuid/models.ts";
import { ROWS } from "../../../../native-core/x86/rows.ts";

const hex = (registers: readonly number[]): string =>
  registers.map((value) => (value >>> 0).toString(16).padStart(8, "0")).join(" ");

describe("the baseline model", () => {
  const { cpuid } = cpuModel("baseline");

  it.each([
    [0, "00000001 68747541 444d4163 69746e65"],
    [1, "00020ff2 00010800 80002000 078bb37d"],
    [7, "00000000 00000000 00000000 00000000"],
    [0x8000_0001, "00020ff2 00000000 00000001 2993bb7d"],
    [0x8000_0008, "00003028 00000000 00000000 00000000"],
  ])("answers leaf %i as it did from the start: guests know it", (leaf, expected) => {
    expect(hex(cpuid(leaf, 0))).toBe(expected);
  });
});

describe("automatic IBRS", () => {
  it("is shown with the leaf it is in, from x86-64-v2 on", () => {
    expect(hex(cpuModel("baseline").cpuid(0x8000_0000, 0)).slice(0, 8)).toBe("80000008");
    expect(hex(cpuModel("x86-64-v2").cpuid(0x8000_0000, 0)).slice(0, 8)).toBe("80000021");
    expect(cpuModel("x86-64-v2").cpuid(0x8000_0021, 0)).toEqual([0x100, 0, 0, 0]);
  });
});

describe("a model", () => {
  it.each(CPU_MODEL_NAMES)("%s shows each feature at its place, and no other", (name) => {
    const features = new Set<string>(featuresOf(name));
    for (const [feature, { leaf, subleaf = 0, register, bit }] of Object.entries(FEATURES)) {
      const value = cpuModel(name).cpuid(leaf, subleaf)[["eax", "ebx", "ecx", "edx"].indexOf(register)] ?? 0;
      expect([feature, (value >>> bit) & 1]).toEqual([feature, features.has(feature) ? 1 : 0]);
    }
  });

  it.each(CPU_MODEL_NAMES)("%s shows instructions only that have rows", (name) => {
    const rows = new Set(ROWS.map(({ feature }) => feature as string | undefined));
    expect(featuresOf(name).filter((feature) => isInstructionFeature(feature) && !rows.has(feature))).toEqual([]);
  });

  it("has all that smaller models have", () => {
    for (const [n, name] of CPU_MODEL_NAMES.entries()) {
      const smaller = CPU_MODEL_NAMES[n - 1];
      // Newer models have a clock that goes on while the machine stands still instead.
      if (smaller)
        expect([...featuresOf(name), "invariantTsc"]).toEqual(expect.arrayContaining([...featuresOf(smaller)]));
    }
  });

  it("of level 3 shows what the level asks for", () => {
    const level = ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"];
    expect(featuresOf("x86-64-v3")).toEqual(expect.arrayContaining(level));
    expect(hex(cpuModel("x86-64-v3").cpuid(0xd, 2))).toBe("00000100 00000240 00000000 00000000");
  });

  it("of level 2 shows what the level asks for (x86-64 psABI 3.1.1)", () => {
    expect(featuresOf("x86-64-v2")).toEqual(
      expect.arrayContaining(["cx16", "lahf64", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"]),
    );
  });
});
