// The leaves of CPUID made of a list of features: identification, feature bits, caches, address widths.
// What depends on the state of a vCPU (APIC enabled, OSXSAVE) is put in by the helper that executes CPUID.
import type { CpuModel } from "../context.ts";
import { FEATURES, type FeatureName } from "./features.ts";

type Registers = readonly [eax: number, ebx: number, ecx: number, edx: number];

const ZERO: Registers = [0, 0, 0, 0];

/** Four characters, the first in the lowest byte. */
function text(value: string, at: number): number {
  let result = 0;
  for (let n = 3; n >= 0; n--) result = result * 256 + (value.charCodeAt(at + n) || 0);
  return result;
}

function text16(value: string, at: number): Registers {
  return [text(value, at), text(value, at + 4), text(value, at + 8), text(value, at + 12)];
}

const VENDOR = "AuthenticAMD";
const HYPERVISOR = "TerrariumVM";
/** What guests look for to find KVM's paravirtual devices. Second to the hypervisor's own name: interfaces are 100h leaves apart. */
const KVM = "KVMKVMKVM";
const BRAND = "Terrarium Virtual CPU";

/**
 * Family 15, model 2Fh, stepping 2. A family that needs no page table isolation (Meltdown is Intel's), knows LAHF in 64-bit mode and has
 * none of the errata that Linux looks for by model (E400 starts at model 41h).
 */
const SIGNATURE = 0x0002_0ff2;

const vendor = (maximum: number): Registers => [maximum, text(VENDOR, 0), text(VENDOR, 8), text(VENDOR, 4)];
/** CLFLUSH line of 8 quadwords, one logical processor. */
const BRAND_AND_COUNT = 0x0001_0800;
const PHYSICAL_BITS = 40;
const LINEAR_BITS = 48;

/** 64 KiB of L1 code and data, 2-way, 64-byte lines; 1 MiB of L2, 16-way (AMD encoding). */
const L1_TLBS = 0xff08_ff08;
const L1_CACHE = 0x4002_0140;
const L2_TLBS = 0x4200_4200;
const L2_CACHE = 0x0400_8140;

export const MONITOR_LINE_BYTES = 64;

/** Bytes of the XSAVE area: x87, SSE and header; with AVX state. Both formats have the same size. */
export const XSAVE_AREA = { legacy: 576, withAvx: 832 } as const;

/** Subleaves that are told apart; the last one stands for all behind it, too, and has nothing. */
const SUBLEAVES = 64;

/** A number: guests ask some thirty times per program that they start. */
const key = (leaf: number, subleaf: number): number => leaf * SUBLEAVES + Math.min(subleaf, SUBLEAVES - 1);

export function cpuidLeaves(features: readonly FeatureName[]): CpuModel["cpuid"] {
  const leaves = new Map<number, [number, number, number, number]>();
  const leaf = (number: number, registers: Registers): void => {
    leaves.set(key(number, 0), [...registers]);
  };
  leaf(1, [SIGNATURE, BRAND_AND_COUNT, 0, 0]);
  leaf(0x4000_0000, [0x4000_0000, text(HYPERVISOR, 0), text(HYPERVISOR, 4), text(HYPERVISOR, 8)]);
  if (features.includes("kvmClock")) {
    leaf(0x4000_0100, [0x4000_0101, text(KVM, 0), text(KVM, 4), text(KVM, 8)]);
  }
  leaf(0x8000_0000, vendor(features.includes("automaticIbrs") ? 0x8000_0021 : 0x8000_0008));
  leaf(0x8000_0001, [SIGNATURE, 0, 0, 0]);
  leaf(0x8000_0002, text16(BRAND, 0));
  leaf(0x8000_0003, text16(BRAND, 16));
  leaf(0x8000_0004, text16(BRAND, 32));
  leaf(0x8000_0005, [L1_TLBS, L1_TLBS, L1_CACHE, L1_CACHE]);
  leaf(0x8000_0006, [0, L2_TLBS, L2_CACHE, 0]);
  leaf(0x8000_0008, [PHYSICAL_BITS | (LINEAR_BITS << 8), 0, 0, 0]);

  // Lines that MONITOR watches are as long as those of the caches.
  if (features.includes("monitor")) leaf(5, [MONITOR_LINE_BYTES, MONITOR_LINE_BYTES, 0, 0]);
  if (features.includes("xsave")) {
    const hasAvx = features.includes("avx");
    // EBX, the size for the components that are enabled, follows XCR0.
    leaf(0xd, [hasAvx ? 7 : 3, 0, hasAvx ? XSAVE_AREA.withAvx : XSAVE_AREA.legacy, 0]);
    if (hasAvx) leaves.set(key(0xd, 2), [XSAVE_AREA.withAvx - XSAVE_AREA.legacy, XSAVE_AREA.legacy, 0, 0]);
  }

  const setBit = (number: number, subleaf: number, register: number, bit: number): void => {
    const registers = leaves.get(key(number, subleaf)) ?? [0, 0, 0, 0];
    registers[register] = ((registers[register] as number) | (1 << bit)) >>> 0;
    leaves.set(key(number, subleaf), registers);
  };
  for (const name of features) {
    const { leaf: number, subleaf = 0, register, bit, repeated } = FEATURES[name];
    const index = ["eax", "ebx", "ecx", "edx"].indexOf(register);
    setBit(number, subleaf, index, bit);
    if (repeated) setBit(0x8000_0001, 0, index, bit);
  }
  const basic = [1, 7, 0xd].filter((number) => leaves.has(key(number, 0)));
  leaf(0, vendor(Math.max(...basic)));
  return (number, subleaf) => leaves.get(key(number >>> 0, hasSubleaves(number) ? subleaf >>> 0 : 0)) ?? ZERO;
}

const hasSubleaves = (leaf: number): boolean => leaf === 7 || leaf === 0xd;
