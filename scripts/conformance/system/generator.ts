// Makes cases of the system-mode fuzzer: a mode, privileged state around it, and a few instructions in it, most of them about privilege.
import { Random } from "../random.ts";
import type { SystemImage } from "./image.ts";
import { type Assembler, randomInstruction } from "./instructions.ts";
import { AT, KIND, PAGE, type SystemCase } from "./layout.ts";
import { descriptorTables, pageTables, SELECTOR } from "./tables.ts";

export const SYSTEM_MODES = [
  "real",
  "virtual-8086",
  "16-bit",
  "32-bit",
  "32-bit paged",
  "32-bit PAE",
  "compatibility",
  "64-bit",
] as const;
export type SystemMode = (typeof SYSTEM_MODES)[number];

const CR0 = { PE: 1, MP: 2, EM: 4, TS: 8, ET: 0x10, NE: 0x20, WP: 0x1_0000, PG: 0x8000_0000 } as const;
const CR4 = { TSD: 4, DE: 8, PSE: 0x10, PAE: 0x20, PGE: 0x80, FXSR: 0x200, XMM: 0x400, UMIP: 0x800 } as const;
const CR4_MORE = { FSGSBASE: 0x1_0000, SMEP: 0x10_0000, SMAP: 0x20_0000, XSAVE: 0x4_0000 } as const;
const EFER = { SCE: 1, LME: 0x100, NXE: 0x800 } as const;
const FLAGS = { TF: 0x100, IF: 0x200, DF: 0x400, IOPL: 0x3000, NT: 0x4000, VM: 0x2_0000, AC: 0x4_0000 } as const;
const ARITHMETIC = 0x8d5;
const MSR = { star: 0xc000_0081, lstar: 0xc000_0082, cstar: 0xc000_0083, fmask: 0xc000_0084 } as const;
const MSR_BASES = { fs: 0xc000_0100, gs: 0xc000_0101, kernelGs: 0xc000_0102 } as const;
const SYSENTER = { cs: 0x174, esp: 0x175, eip: 0x176 } as const;
const PAT = 0x277;
const PAT_RESET = 0x0007_0406_0007_0406n;

const INT3 = 0xcc;
const MAX_INSTRUCTIONS = 9;

/** The same seed makes the same case. */
export function makeSystemCase(seed: string, id: number, image: SystemImage, only?: SystemMode): SystemCase {
  const random = new Random(seed);
  const mode = only ?? random.pick(SYSTEM_MODES);
  const long = mode === "compatibility" || mode === "64-bit";
  const isReal = mode === "real";
  const user = mode === "virtual-8086" || (!isReal && random.chance(55));
  const paging = pagingOf(mode, random);
  const set = (percent: number, bits: number): number => (random.chance(percent) ? bits : 0);

  const cr0 =
    (isReal ? 0 : CR0.PE) |
    CR0.ET |
    CR0.NE |
    set(10, CR0.TS) |
    set(5, CR0.EM) |
    set(30, CR0.MP) |
    set(60, CR0.WP) |
    (paging ? CR0.PG : 0); // prettier-ignore
  const cr4 =
    set(20, CR4.TSD) |
    set(50, CR4.DE) |
    set(50, CR4.PSE) |
    set(60, CR4.PGE) |
    set(90, CR4.FXSR) |
    set(80, CR4.XMM) |
    set(15, CR4.UMIP) |
    set(40, CR4_MORE.FSGSBASE) |
    set(15, CR4_MORE.XSAVE) |
    (paging && !user ? set(15, CR4_MORE.SMEP) : 0) |
    (paging === "PAE" || paging === "4-level" ? CR4.PAE : 0); // prettier-ignore
  const efer = (long ? EFER.LME : 0) | set(60, EFER.SCE) | (paging === "32-bit" ? 0 : set(85, EFER.NXE));
  const cr3 = { "32-bit": AT.directory32, PAE: AT.pdpt, "4-level": AT.pml4 }[paging ?? "32-bit"];

  const assembler: Assembler = { random, mode, bits: bitsOf(mode, random), long, user, listing: [] };
  const bits = assembler.bits;
  const code: number[] = [];
  for (let n = 2 + random.below(MAX_INSTRUCTIONS); n > 0; n--) code.push(...randomInstruction(assembler));

  const flags =
    2 |
    (random.bits32() & ARITHMETIC) |
    set(30, FLAGS.IF) |
    set(25, FLAGS.IOPL) |
    set(8, FLAGS.DF) |
    set(4, FLAGS.TF) |
    set(10, FLAGS.AC) |
    (long || isReal ? 0 : set(6, FLAGS.NT)) |
    (mode === "virtual-8086" ? FLAGS.VM : 0); // prettier-ignore
  const starts = entryOf(mode, bits, user);
  return {
    id,
    mode: `${mode}${user ? ", user" : ""}${paging ? `, ${paging} paging` : ""}`,
    listing: assembler.listing,
    kind: isReal ? KIND.real : long ? KIND.long : KIND.legacy,
    cr0: cr0 >>> 0,
    cr3,
    cr4,
    efer,
    idt: isReal ? { base: 0, limit: 0x3ff } : { base: AT.idt, limit: long ? 0xfff : 0x7ff },
    ldtr: random.chance(70) ? SELECTOR.ldt : 0,
    tr: SELECTOR.tss,
    segments: starts.segments,
    frame: [starts.ip, starts.cs, flags, starts.sp, starts.ss, ...starts.segments8086],
    general: Array.from({ length: 16 }, (_, n) => initialRegister(n, assembler)),
    debug: [NOWHERE, NOWHERE, NOWHERE, NOWHERE, DR7_FIXED],
    msrs: modelSpecific(random, long, efer),
    patches: [
      { address: AT.code, bytes: codePages(code) },
      { address: AT.data, bytes: dataPages(random, bits, user) },
      ...descriptorTables({ long, bits, random, image, cr3 }),
      ...(paging ? pageTables(paging, random) : []),
    ],
  };
}

function pagingOf(mode: SystemMode, random: Random): "32-bit" | "PAE" | "4-level" | undefined {
  if (mode === "compatibility" || mode === "64-bit") return "4-level";
  if (mode === "32-bit paged") return "32-bit";
  if (mode === "32-bit PAE") return "PAE";
  return mode === "virtual-8086" && random.chance(50) ? "32-bit" : undefined;
}

function bitsOf(mode: SystemMode, random: Random): 16 | 32 | 64 {
  if (mode === "64-bit") return 64;
  if (mode === "compatibility") return random.chance(75) ? 32 : 16;
  return mode.startsWith("32") ? 32 : 16;
}

interface Entry {
  readonly cs: number;
  readonly ip: number;
  readonly ss: number;
  readonly sp: number;
  /** DS, ES, FS, GS as the monitor loads them. */
  readonly segments: readonly number[];
  /** ES, DS, FS, GS of virtual-8086 mode. */
  readonly segments8086: readonly number[];
}

function entryOf(mode: SystemMode, bits: 16 | 32 | 64, user: boolean): Entry {
  const code = AT.code >> 4;
  const data = AT.data >> 4;
  if (mode === "real") {
    const segments = [data, data, data, data];
    return { cs: code, ip: 0, ss: AT.data >> 4, sp: 0x2f00, segments, segments8086: [] };
  }
  if (mode === "virtual-8086")
    return { cs: code, ip: 0, ss: data, sp: 0x2f00, segments: [0, 0, 0, 0], segments8086: [data, data, data, data] };
  const rpl = user ? 3 : 0;
  if (bits === 16) {
    const ds = (user ? SELECTOR.userData16 : SELECTOR.data16) | rpl;
    const cs = (user ? SELECTOR.userCode16 : SELECTOR.code16) | rpl;
    // Stack segments are based at the data pages.
    const sp = user ? 0x1f00 : AT.stack - AT.data;
    return { cs, ip: 0, ss: ds, sp, segments: [ds, ds, ds, ds], segments8086: [] };
  }
  const ds = (user ? SELECTOR.userData : SELECTOR.data) | rpl;
  const cs =
    bits === 64 ? (user ? SELECTOR.userCode64 : SELECTOR.code64) : user ? SELECTOR.userCode32 : SELECTOR.testCode32;
  const sp = user ? AT.userStack : AT.stack;
  return { cs: cs | rpl, ip: AT.code, ss: ds, sp, segments: [ds, ds, bits === 64 ? 0 : ds, 0], segments8086: [] };
}

function initialRegister(n: number, { random, bits, mode, user }: Assembler): bigint {
  // BX and DI point to data, or where rights are random.
  if (n === 3 || n === 7) {
    if (bits === 16) return BigInt(random.below(0xf00));
    const paged = mode.includes("paged") || mode.includes("PAE") || bits === 64;
    const base = paged && random.chance(60) ? AT.aliases + random.below(17) * PAGE : AT.data;
    return BigInt(base + (random.chance(10) ? PAGE - 2 : random.below(0xf00)));
  }
  if (n === 1) return BigInt(random.below(6));
  if (n === 5) return BigInt((bits === 16 ? 0x1e00 : (user ? AT.userStack : AT.stack) - 0x100) + random.below(64));
  // Flags for SYSRET, without those that TCG lets through.
  if (n === 11) return BigInt(2 | (random.bits32() & 0x24_4cd5));
  if (n === 6) return BigInt(bits === 16 ? random.below(0xf00) : AT.data + random.below(0xf00));
  const value = random.integer(bits === 64 ? 64 : 32);
  return value;
}

/** No breakpoints: TCG crashes at those on execution and reports those on data for other bytes of the page as well. */
const DR7_FIXED = 0x400;
/** Of the breakpoints that are not enabled: TCG notes in DR6 those that a single step meets. */
const NOWHERE = 0xffff_fff0;

function modelSpecific(random: Random, long: boolean, efer: number): [number, bigint][] {
  const star =
    (BigInt(random.pick([0x13, 0x23, 0x60, 0x33])) << 48n) |
    (BigInt(random.pick([0x08, 0x28, 0x30])) << 32n) |
    BigInt(AT.code + 0x1000);
  const target = BigInt(AT.code + 0x1000 + random.below(0x200));
  const base = (): bigint => BigInt(AT.data + random.below(0x800));
  return [
    [SYSENTER.cs, BigInt(random.pick([0, 0x08, 0x28, 0x30]))],
    [SYSENTER.esp, BigInt(AT.stack)],
    [SYSENTER.eip, target],
    [PAT, PAT_RESET],
    [MSR.star, star],
    [MSR.lstar, target],
    [MSR.cstar, target],
    [MSR.fmask, BigInt(ARITHMETIC | FLAGS.DF | random.pick([0, 0x200, 0x4_7100, 0x300]))],
    [MSR_BASES.kernelGs, base()],
    ...(long && (efer & EFER.LME) !== 0
      ? ([
          [MSR_BASES.fs, base()],
          [MSR_BASES.gs, base()],
        ] as [number, bigint][])
      : []),
  ];
}

function codePages(code: readonly number[]): Uint8Array {
  const pages = new Uint8Array(2 * PAGE).fill(INT3);
  pages.set(code.slice(0, PAGE - 16));
  return pages;
}

/** Data, and stacks whose words can be popped as selectors, offsets or flags. */
function dataPages(random: Random, bits: 16 | 32 | 64, user: boolean): Uint8Array {
  const pages = Uint8Array.from({ length: 4 * PAGE }, () => random.below(256));
  const view = new DataView(pages.buffer);
  const word = bits / 8;
  const rpl = user ? 3 : 0;
  const code =
    bits === 64
      ? [SELECTOR.code64, SELECTOR.userCode64]
      : bits === 32
        ? [SELECTOR.testCode32, SELECTOR.userCode32]
        : [SELECTOR.code16, SELECTOR.userCode16];
  for (const top of [0x1f00, 0x2f00, 0x3f00]) {
    for (let n = -64; n < 0; n++) view.setUint8(top + n, random.below(256));
    for (let at = top; at + 8 <= top + 0x100; at += word) {
      const choice = random.below(5);
      const value =
        choice === 0
          ? (bits === 16 ? 0x800 : AT.code + 0x800) + random.below(0x800)
          : choice < 3
            ? random.pick(code) | (choice === 1 ? rpl : random.below(4))
            : choice === 3
              ? 2 | (random.bits32() & 0x4_4dd5) | random.pick([0, 0x3000])
              : random.pick([SELECTOR.userData | 3, SELECTOR.data, SELECTOR.data16]); // prettier-ignore
      if (word === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
      if (word === 8) view.setUint32(at + 4, 0, true);
    }
  }
  return pages;
}
