// Descriptor tables, gates, task states and page tables of a case, with random parts.
import type { Random } from "../random.ts";
import type { SystemImage } from "./image.ts";
import { ALIAS_PAGES, AT, PAGE, type Patch, REGION } from "./layout.ts";

/** Indexes in the GDT, times eight. The first six are the monitor's. */
export const SELECTOR = {
  code32: 0x08,
  data: 0x10,
  code64: 0x28,
  testCode32: 0x30,
  userCode32: 0x38,
  userData: 0x40,
  code16: 0x48,
  userCode16: 0x50,
  data16: 0x58,
  userData16: 0x60,
  conforming: 0x68,
  userCode64: 0x70,
  expandDown: 0x78,
  readOnly: 0x80,
  executeOnly: 0x88,
  absentData: 0x90,
  absentCode: 0x98,
  ldt: 0xa0,
  tss: 0xb0,
  doubleFaultTss: 0xc0,
  otherTss: 0xc8,
  callGate: 0xd0,
  callGateUser: 0xe0,
  taskGate: 0xf0,
  /** 32-bit code at the monitor, for gates with 16-bit offsets. */
  nearCode: 0x100,
  random: 0x108,
} as const;
const RANDOM_DESCRIPTORS = 24;
const LDT_DESCRIPTORS = 16;
const IDT_RANDOM = { first: 0x20, end: 0x40 } as const;
export const LDT_LIMIT = LDT_DESCRIPTORS * 8 - 1;
const TSS_LIMIT = 0x13f;
const IO_MAP = 0x100;

const quadwords = (values: readonly bigint[]): Uint8Array => new Uint8Array(BigUint64Array.from(values).buffer);

/** `attributes`: bits 40..55. */
export function descriptor(attributes: number, base = 0, limit = 0xf_ffff): bigint {
  const low = BigInt(limit & 0xffff) | (BigInt(base & 0xff_ffff) << 16n);
  const flags = (attributes & 0xf0ff) | ((limit >> 8) & 0x0f00);
  return low | (BigInt(flags) << 40n) | (BigInt(base >>> 24) << 56n);
}

/** Bits 0..63 of a gate; `parameters` also holds the IST number. */
function gate(attributes: number, selector: number, offset: number, parameters = 0): bigint {
  const low = BigInt(offset & 0xffff) | (BigInt(selector) << 16n);
  return low | (BigInt((attributes << 8) | parameters) << 32n) | (BigInt(offset >>> 16) << 48n);
}

/** Code has the base that offsets of the mode are meant for. */
function randomDescriptor({ random, bits }: TableOptions): bigint {
  const dataBase = random.pick([0, 0, AT.code, AT.data, AT.data]);
  const dataLimit = random.pick([0xf_ffff, 0xffff, 0xfff, 0x7ff, 0]);
  const present = random.chance(92) ? 0x80 : 0;
  const any = random.chance(80) ? 0x10 | random.below(16) : random.below(16);
  // TCG sets the accessed flag of data segments only.
  const isCode = (any & 0x18) === 0x18;
  const type = isCode ? any | 1 : any;
  const base = isCode ? (bits === 16 ? AT.code : 0) : dataBase;
  const limit = isCode ? (bits === 16 ? 0x1fff : 0xf_ffff) : dataLimit;
  const dpl = random.pick([0, 0, 1, 2, 3, 3]) << 5;
  const flags = (isCode ? { 16: 0, 32: 0xc0, 64: 0xa0 }[bits] : random.pick([0xc0, 0xc0, 0x40, 0, 0x80, 0x20])) << 8;
  return descriptor(flags | present | dpl | type, base, limit);
}

export interface TableOptions {
  readonly long: boolean;
  readonly bits: 16 | 32 | 64;
  readonly random: Random;
  readonly image: SystemImage;
  readonly cr3: number;
}

export function descriptorTables(options: TableOptions): Patch[] {
  return [globalTable(options), localTable(options), interruptTable(options), ...taskStates(options)];
}

function globalTable(options: TableOptions): Patch {
  const { long, random } = options;
  const table: bigint[] = Array.from({ length: 64 }, () => 0n);
  const set = (selector: number, low: bigint, high?: bigint): void => {
    table[selector / 8] = low;
    if (long && high !== undefined) table[selector / 8 + 1] = high;
  };
  const user = 0x60;
  set(SELECTOR.code32, descriptor(0xc09b));
  set(SELECTOR.data, descriptor(0xc093));
  set(0x18, descriptor(0x009b, AT.monitor, 0xffff));
  set(0x20, descriptor(0x0093, AT.monitor, 0xffff));
  set(SELECTOR.code64, descriptor(0xa09b));
  set(SELECTOR.testCode32, descriptor(0xc09b));
  set(SELECTOR.userCode32, descriptor(0xc09b | user));
  set(SELECTOR.userData, descriptor(0xc093 | user));
  set(SELECTOR.code16, descriptor(0x009b, AT.code, 0x1fff));
  set(SELECTOR.userCode16, descriptor(0x009b | user, AT.code, 0x1fff));
  set(SELECTOR.data16, descriptor(0x0093, AT.data, 0x3fff));
  set(SELECTOR.userData16, descriptor(0x0093 | user, AT.data, random.pick([0x2fff, 0x2fff, 0x1fff])));
  set(SELECTOR.conforming, descriptor(0xc09f));
  set(SELECTOR.userCode64, descriptor(0xa09b | user));
  set(SELECTOR.expandDown, descriptor(0xc097 | random.pick([0, user]), 0, AT.data >> 12));
  set(SELECTOR.readOnly, descriptor(0xc091 | user));
  set(SELECTOR.executeOnly, descriptor(0xc099 | random.pick([0, user])));
  set(SELECTOR.absentData, descriptor(0xc013 | user));
  set(SELECTOR.absentCode, descriptor(0xc01b | random.pick([0, user])));
  set(SELECTOR.ldt, descriptor(0x0082, AT.ldt, LDT_LIMIT));
  set(SELECTOR.tss, descriptor(0x0089, AT.tss, TSS_LIMIT));
  if (!long) {
    set(SELECTOR.doubleFaultTss, descriptor(0x0089, AT.doubleFaultTss, 0x67));
    set(
      SELECTOR.otherTss,
      descriptor(random.pick([0x0089, 0x0089, 0x00e9, 0x008b, 0x0009]), AT.otherTss, random.chance(95) ? 0x67 : 0x66),
    );
    set(SELECTOR.taskGate, gate(random.pick([0x85, 0xe5]), SELECTOR.otherTss, 0));
  }
  const callGate = (dpl: number): bigint => {
    const code = long
      ? random.pick([SELECTOR.code64, SELECTOR.userCode64])
      : random.pick([SELECTOR.testCode32, SELECTOR.userCode32]);
    const selector = random.chance(85)
      ? code
      : random.pick([0, SELECTOR.data, SELECTOR.absentCode, 0x3f8, SELECTOR.code32]);
    return gate(0x8c | dpl, selector, AT.code + 0x1000 + random.below(0x100), long ? 0 : random.below(4));
  };
  set(SELECTOR.callGate, callGate(random.pick([0, user])));
  set(SELECTOR.callGateUser, callGate(user), random.chance(95) ? 0n : 0x1f00_0000_0000n);
  set(SELECTOR.nearCode, descriptor(0x409b, AT.monitor, 0xffff));
  for (let n = 0; n < RANDOM_DESCRIPTORS; n++) set(SELECTOR.random + n * 8, randomDescriptor(options));
  return { address: AT.gdt, bytes: quadwords(table) };
}

function localTable(options: TableOptions): Patch {
  return {
    address: AT.ldt,
    bytes: quadwords(Array.from({ length: LDT_DESCRIPTORS }, () => randomDescriptor(options))),
  };
}

/** Exceptions lead to the monitor; vectors 20h to 3Fh go through gates of all kinds. */
function interruptTable({ long, random, image }: TableOptions): Patch {
  const table: bigint[] = [];
  for (let vector = 0; vector < 256; vector++) {
    const user = vector === 3 || vector === 4 || random.chance(30) ? 0x60 : 0;
    const offset = image.stub(vector, long ? 64 : 32);
    const isRandom = vector >= IDT_RANDOM.first && vector < IDT_RANDOM.end;
    if (long) {
      const ist = vector === 8 ? 2 : isRandom ? random.pick([0, 0, 1]) : 1;
      const selector =
        isRandom && random.chance(15)
          ? random.pick([0, SELECTOR.data, SELECTOR.code32, SELECTOR.userCode64, 0x3f8])
          : SELECTOR.code64;
      const type = isRandom ? random.pick([0x8e, 0x8e, 0x8f, 0x8f, 0x0e, 0x8c, 0x86, 0x85]) : 0x8e;
      table.push(gate(type | user, selector, offset, ist), isRandom && random.chance(3) ? 0x8000n : 0n);
    } else if (vector === 8) table.push(gate(0x85, SELECTOR.doubleFaultTss, 0));
    else if (!isRandom) table.push(gate(0x8e | user, SELECTOR.code32, offset));
    else {
      const selector = random.chance(80)
        ? SELECTOR.code32
        : random.pick([0, SELECTOR.data, SELECTOR.conforming, SELECTOR.absentCode, 0x3f8, SELECTOR.code32 | 3]);
      const kind = random.below(8);
      if (kind === 0) table.push(gate(random.pick([0x86, 0x87]) | user, SELECTOR.nearCode, offset - AT.monitor));
      else if (kind === 1) table.push(gate(0x85 | user, SELECTOR.otherTss, 0));
      else if (kind === 2) table.push(gate(random.pick([0x0e, 0x0f, 0x05, 0x8c, 0x82]) | user, selector, offset));
      else table.push(gate(random.pick([0x8e, 0x8f]) | user, selector, offset));
    }
  }
  return { address: AT.idt, bytes: quadwords(table) };
}

function taskStates({ long, random, image, cr3 }: TableOptions): Patch[] {
  const tss = new Uint8Array(TSS_LIMIT + 1);
  const view = new DataView(tss.buffer);
  view.setUint16(0x66, random.chance(90) ? IO_MAP : 0xffff, true);
  tss.fill(0xff, IO_MAP);
  for (let n = 0; n < 32; n++) tss[IO_MAP + n] = random.pick([0, 0xff, random.below(256)]);
  if (long) {
    view.setUint32(4, AT.stack, true);
    view.setUint32(0x24, AT.ist1, true);
    view.setUint32(0x2c, AT.ist2, true);
    return [{ address: AT.tss, bytes: tss }];
  }
  view.setUint32(4, AT.stack, true);
  view.setUint32(
    8,
    random.chance(96) ? SELECTOR.data : random.pick([0, SELECTOR.userData, SELECTOR.readOnly, SELECTOR.data | 1]),
    true,
  );
  view.setUint32(0x0c, AT.ist1, true);
  view.setUint32(0x10, SELECTOR.data | 1, true);
  const task = (fields: Readonly<Record<number, number>>): Uint8Array => {
    const bytes = new Uint8Array(0x68);
    const words = new DataView(bytes.buffer);
    for (const [offset, value] of Object.entries(fields)) words.setUint32(Number(offset), value, true);
    return bytes;
  };
  const [cs, ss] = random.chance(70)
    ? [SELECTOR.testCode32, SELECTOR.data]
    : [SELECTOR.userCode32 | 3, SELECTOR.userData | 3];
  const segment = (): number =>
    random.chance(80) ? ss : random.pick([0, SELECTOR.readOnly | 3, SELECTOR.absentData, SELECTOR.testCode32, 0x3fb]);
  const common = { 0x1c: cr3, 4: AT.stack, 8: SELECTOR.data };
  const other = {
    ...common,
    0x20: AT.code + 0x1000 + random.below(0x400),
    0x24: 2 | (random.bits32() & 0x8d5) | random.pick([0, 0x3000, 0x200]),
    ...Object.fromEntries(Array.from({ length: 8 }, (_, n) => [0x28 + n * 4, random.bits32()])),
    0x38: (cs & 3) === 0 ? AT.stack - 0x200 : AT.userStack,
    0x48: segment(),
    // What a processor does without a stack or an LDT is not agreed upon: those are good.
    0x4c: cs,
    0x50: ss,
    0x54: segment(),
    0x58: segment(),
    0x5c: segment(),
    0x60: random.pick([0, SELECTOR.ldt]),
  };
  const doubleFault = {
    ...common,
    0x20: image.doubleFault,
    0x24: 2,
    0x38: AT.ist2,
    0x4c: SELECTOR.code32,
    ...Object.fromEntries([0x48, 0x50, 0x54, 0x58, 0x5c].map((offset) => [offset, SELECTOR.data])),
  };
  return [
    { address: AT.tss, bytes: tss },
    { address: AT.doubleFaultTss, bytes: task(doubleFault) },
    { address: AT.otherTss, bytes: task(other) },
  ];
}

const P = { present: 1n, writable: 2n, user: 4n, accessed: 0x20n, dirty: 0x40n, large: 0x80n, global: 0x100n } as const;
const TABLE = P.present | P.writable | P.user | P.accessed;
const NX = 1n << 63n;
const RESERVED = 1n << 51n;

/** Identity for 2 MiB, where the monitor and tables are the supervisor's; behind it aliases of the first pages with random rights. */
export function pageTables(paging: "32-bit" | "PAE" | "4-level", random: Random): Patch[] {
  const wide = paging !== "32-bit";
  const entries = wide ? 512 : 1024;
  const low = Array.from({ length: entries }, (_, page) => {
    const address = page * PAGE;
    const isTest = address >= REGION.base && address < AT.userStack;
    return BigInt(address) | P.present | P.writable | P.accessed | P.dirty | (isTest ? P.user : 0n);
  });
  // TCG sets accessed flags even if the access then faults: they are set before. Dirty flags are not.
  const aliases = Array.from({ length: entries }, (_, page) => {
    if (page >= ALIAS_PAGES) return 0n;
    // Not of the page that runs: when changed code is fetched anew is not agreed upon.
    const address = BigInt(REGION.base + (1 + (page % 3)) * PAGE);
    const bit = (percent: number, value: bigint): bigint => (random.chance(percent) ? value : 0n);
    const rights = bit(88, P.present) | bit(75, P.writable) | bit(80, P.user) | bit(40, P.dirty) | P.accessed;
    return address | rights | bit(20, P.global) | (wide ? bit(15, NX) | bit(4, RESERVED) : 0n);
  });
  const upper = (random.chance(85) ? P.user : 0n) | (random.chance(85) ? P.writable : 0n) | P.present | P.accessed;
  if (!wide) {
    return [
      { address: AT.directory32, bytes: dwords([BigInt(AT.lowTable32) | TABLE, BigInt(AT.aliasTable32) | upper]) },
      { address: AT.lowTable32, bytes: dwords(low) },
      { address: AT.aliasTable32, bytes: dwords(aliases) },
    ];
  }
  const nx = random.chance(5) ? NX : 0n;
  return [
    { address: AT.pml4, bytes: quadwords([BigInt(AT.pdpt) | TABLE]) },
    { address: AT.pdpt, bytes: quadwords([BigInt(AT.directory) | (paging === "PAE" ? P.present : TABLE)]) },
    { address: AT.directory, bytes: quadwords([BigInt(AT.lowTable) | TABLE, 0n, BigInt(AT.aliasTable) | upper | nx]) },
    { address: AT.lowTable, bytes: quadwords(low) },
    { address: AT.aliasTable, bytes: quadwords(aliases) },
  ];
}

const dwords = (values: readonly bigint[]): Uint8Array => new Uint8Array(Uint32Array.from(values, Number).buffer);
