// Where things are in a case of the system-mode fuzzer, and how a case goes into the guest and comes out (boot.s, monitor.s).
//
//   0x10000  monitor: stubs of all vectors, header of the case, dump      0x40000  test region, all of it the case's:
//   0x40000  code, 2 pages      0x42000  data, 2 pages     0x44000  user stack      0x45000  supervisor stack     0x46000  two IST stacks
//   0x48000  GDT    0x49000  LDT    0x4a000  IDT    0x4b000  TSSs    0x50000  page tables    4 MiB (linear)  aliases with random rights

export const REGION = { base: 0x4_0000, bytes: 0x2_0000 } as const;
export const AT = {
  monitor: 0x1_0000,
  code: 0x4_0000,
  data: 0x4_2000,
  userStack: 0x4_4f00,
  stack: 0x4_5f00,
  ist1: 0x4_6f00,
  ist2: 0x4_7f00,
  gdt: 0x4_8000,
  ldt: 0x4_9000,
  idt: 0x4_a000,
  tss: 0x4_b000,
  doubleFaultTss: 0x4_b400,
  otherTss: 0x4_b600,
  pml4: 0x5_0000,
  pdpt: 0x5_1000,
  directory: 0x5_2000,
  lowTable: 0x5_3000,
  aliasTable: 0x5_4000,
  directory32: 0x5_5000,
  lowTable32: 0x5_6000,
  aliasTable32: 0x5_7000,
  aliases: 0x40_0000,
} as const;
export const PAGE = 0x1000;
export const ALIAS_PAGES = 16;

export const KIND = { real: 0, legacy: 1, long: 2 } as const;

export interface Patch {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Numbers are 32 bits wide unless they are bigints. */
export interface SystemCase {
  readonly id: number;
  /** For people. */
  readonly mode: string;
  readonly listing: readonly string[];
  readonly kind: (typeof KIND)[keyof typeof KIND];
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
  readonly idt: { readonly base: number; readonly limit: number };
  readonly ldtr: number;
  readonly tr: number;
  /** DS, ES, FS, GS. */
  readonly segments: readonly number[];
  /** IP, CS, flags, SP, SS, and for virtual-8086 mode ES, DS, FS, GS. */
  readonly frame: readonly number[];
  readonly general: readonly bigint[];
  /** DR0 to DR3, DR7. */
  readonly debug: readonly number[];
  readonly msrs: readonly (readonly [index: number, value: bigint])[];
  readonly patches: readonly Patch[];
}

const HEADER_BYTES = 0x120;
const GDT_LIMIT = 0x3ff;
const OFFSET = { size: 0, id: 4, kind: 8, patches: 12, cr0: 16, cr4: 20, cr3: 24, efer: 28, gdt: 32, idt: 40 } as const;
const OFFSET_SELECTORS = 0x30;
const OFFSET_MSR_COUNT = 0x3c;
const OFFSET_FRAME = 0x40;
const OFFSET_GENERAL = 0x88;
const OFFSET_DEBUG = 0x108;
/** Makes the sum of all words of a record zero: cases can write anywhere, even into the records of later ones. */
const OFFSET_CHECKSUM = 0x11c;

function encodeCase(one: SystemCase): Uint8Array {
  const padded = (length: number): number => (length + 3) & ~3;
  const msrBytes = one.msrs.length * 12;
  const size = one.patches.reduce((sum, { bytes }) => sum + 8 + padded(bytes.length), HEADER_BYTES + msrBytes);
  const record = new Uint8Array(size);
  const view = new DataView(record.buffer);
  const u32 = (offset: number, value: number): void => view.setUint32(offset, value >>> 0, true);
  const words = { ...one, size, gdt: 0, idt: 0, patches: one.patches.length };
  for (const [name, offset] of Object.entries(OFFSET)) u32(offset, words[name as keyof typeof OFFSET]);
  view.setUint16(OFFSET.gdt, GDT_LIMIT, true);
  u32(OFFSET.gdt + 2, AT.gdt);
  view.setUint16(OFFSET.idt, one.idt.limit, true);
  u32(OFFSET.idt + 2, one.idt.base);
  [one.ldtr, one.tr, ...one.segments].forEach((selector, n) => {
    view.setUint16(OFFSET_SELECTORS + n * 2, selector, true);
  });
  u32(OFFSET_MSR_COUNT, one.msrs.length);
  one.frame.forEach((word, n) => u32(OFFSET_FRAME + n * 8, word));
  one.general.forEach((value, n) => {
    view.setBigUint64(OFFSET_GENERAL + n * 8, value, true);
  });
  one.debug.forEach((value, n) => u32(OFFSET_DEBUG + n * 4, value));
  let at = HEADER_BYTES;
  for (const [index, value] of one.msrs) {
    u32(at, index);
    view.setBigUint64(at + 4, value, true);
    at += 12;
  }
  for (const { address, bytes } of one.patches) {
    u32(at, address);
    u32(at + 4, bytes.length);
    record.set(bytes, at + 8);
    at += 8 + padded(bytes.length);
  }
  let sum = 0;
  for (let offset = 0; offset < size; offset += 4) sum = (sum + view.getUint32(offset, true)) | 0;
  u32(OFFSET_CHECKSUM, -sum);
  return record;
}

/** The Multiboot module. `full`: each dump is followed by the whole test region. */
export function encodeBatch(cases: readonly SystemCase[], full: boolean): Uint8Array {
  const head = new Uint8Array(8);
  const view = new DataView(head.buffer);
  view.setUint32(0, cases.length, true);
  view.setUint32(4, full ? 1 : 0, true);
  return Buffer.concat([head, ...cases.map(encodeCase)]);
}

export const DUMP_BYTES = 0x200;
const DUMP_PAGES = REGION.bytes / PAGE;

/** What the first exception or interrupt found, by name. */
export interface Dump {
  readonly id: number;
  readonly fields: ReadonlyMap<string, bigint>;
  readonly region?: Uint8Array;
}

const FRAME_NAMES = ["ip", "cs", "flags", "sp", "ss", "es.vm", "ds.vm", "fs.vm", "gs.vm"];
const GENERAL_NAMES = [
  ...["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"],
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
];
/** From 0xd8 on: name, bytes. */
const WORDS: readonly (readonly [string, number])[] = [
  ...(["ds", "es", "fs", "gs", "cr0"] as const).map((name) => [name, 4] as const),
  ["cr2", 8],
  ...(["cr3", "cr4", "efer"] as const).map((name) => [name, 4] as const),
  ["gdt", 8],
  ["idt", 8],
  ...(["ldtr", "tr", "dr6", "dr7"] as const).map((name) => [name, 4] as const),
  ...(["fs base", "gs base", "kernel gs base", "star", "lstar", "cstar", "fmask"] as const).map(
    (name) => [name, 8] as const,
  ),
  ...(["sysenter cs", "sysenter esp", "sysenter eip", "pat"] as const).map((name) => [name, 8] as const),
];

export function decodeDump(bytes: Uint8Array, region?: Uint8Array): Dump {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields = new Map<string, bigint>();
  fields.set("vector", BigInt(view.getUint32(4, true)));
  fields.set("error code", view.getBigUint64(8, true));
  FRAME_NAMES.forEach((name, n) => fields.set(name, view.getBigUint64(0x10 + n * 8, true)));
  GENERAL_NAMES.forEach((name, n) => fields.set(name, view.getBigUint64(0x58 + n * 8, true)));
  let at = 0xd8;
  for (const [name, size] of WORDS) {
    fields.set(name, size === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true)));
    at += size;
  }
  for (let n = 0; n < DUMP_PAGES; n++)
    fields.set(`page ${(REGION.base + n * PAGE).toString(16)}`, BigInt(view.getUint32(at + n * 4, true)));
  return { id: view.getUint32(0, true), fields, ...(region ? { region } : {}) };
}

/** All dumps of a batch's output; the last may be cut off. */
export function decodeDumps(output: Uint8Array, full: boolean): Dump[] {
  const stride = DUMP_BYTES + (full ? REGION.bytes : 0);
  return Array.from({ length: Math.floor(output.length / stride) }, (_, n) => {
    const record = output.subarray(n * stride, (n + 1) * stride);
    return decodeDump(record.subarray(0, DUMP_BYTES), full ? record.subarray(DUMP_BYTES) : undefined);
  });
}
