// Random instructions for the system-mode fuzzer: those of privilege, segments, gates and paging, and plain ones between them, with values
// that lead somewhere. Only what the architecture defines: no flags that are left undefined, no time, no identification.
import type { Random } from "../random.ts";
import type { SystemMode } from "./generator.ts";
import { AT, PAGE } from "./layout.ts";
import { SELECTOR } from "./tables.ts";

export interface Assembler {
  readonly random: Random;
  readonly mode: SystemMode;
  readonly bits: 16 | 32 | 64;
  readonly long: boolean;
  readonly user: boolean;
  readonly listing: string[];
}

type Bytes = readonly number[];
type Maker = (a: Assembler) => Bytes;

const le = (value: number | bigint, bytes: number): Bytes =>
  Array.from({ length: bytes }, (_, n) => Number((BigInt(value) >> BigInt(8 * n)) & 0xffn));

const SEGMENT = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5 } as const;
const PUSH_POP: Readonly<Record<string, Bytes>> = {
  es: [0x06, 0x07],
  ss: [0x16, 0x17],
  ds: [0x1e, 0x1f],
  fs: [0x0f, 0xa0, 0x0f, 0xa1],
  gs: [0x0f, 0xa8, 0x0f, 0xa9],
};

// --- operands ----------------------------------------------------------------------------------------------------------------------

/** In the width of an address of the mode: data, and with paging on also pages with random rights. */
function dataAddress({ random, bits, mode }: Assembler): number {
  if (bits === 16) return random.below(0xff0);
  const paged = mode !== "32-bit";
  const base = paged && random.chance(50) ? AT.aliases + random.below(17) * PAGE : AT.data;
  return base + (random.chance(8) ? PAGE - random.below(8) : random.below(0xff0));
}

/** ModRM and what follows it, for memory: absolute, or [BX], [EDI], [RDI]. */
function memory(a: Assembler, reg: number): Bytes {
  const field = (reg & 7) << 3;
  if (a.random.chance(35)) return [field | 7];
  const address = dataAddress(a);
  if (a.bits === 16) return [field | 6, ...le(address, 2)];
  if (a.bits === 32) return [field | 5, ...le(address, 4)];
  return [field | 4, 0x25, ...le(address, 4)];
}

const register = (a: Assembler, reg: number): Bytes => [0xc0 | ((reg & 7) << 3) | plain(a)];
const operand = (a: Assembler, reg: number): Bytes => (a.random.chance(50) ? memory(a, reg) : register(a, reg));
/** Any register but the stack pointer, mostly not those that point to data. */
const plain = ({ random }: Assembler): number => random.pick([0, 0, 1, 2, 2, 6]);
/** Operand size 16 or 32 by chance, 64 in 64-bit code. */
function size(a: Assembler): Bytes {
  if (a.bits === 64) return a.random.pick([[], [0x66], [0x48], [0x48]]);
  return a.random.chance(30) ? [0x66] : [];
}

function selector({ random, mode }: Assembler): number {
  if (mode === "real" || mode === "virtual-8086") return random.pick([AT.data >> 4, AT.code >> 4, AT.data >> 4, 0]);
  const known = Object.values(SELECTOR);
  const base = random.chance(70)
    ? random.pick(known)
    : random.pick([0, SELECTOR.random + random.below(24) * 8, random.below(16) * 8 + 4, 0x3f8, 0x400]);
  return base | random.pick([0, 0, 3, random.below(4)]);
}

/** Code whose offsets mean something else than those of the mode: it would lead to where nothing of the case is. */
const CODE_OF: Readonly<Record<16 | 32 | 64, readonly number[]>> = {
  16: [SELECTOR.code16, SELECTOR.userCode16],
  32: [SELECTOR.testCode32, SELECTOR.userCode32, SELECTOR.conforming, SELECTOR.code32, SELECTOR.executeOnly],
  64: [SELECTOR.code64, SELECTOR.userCode64, SELECTOR.testCode32, SELECTOR.userCode32],
};
const ALL_CODE: readonly number[] = [
  ...CODE_OF[16],
  ...CODE_OF[32],
  ...CODE_OF[64],
  SELECTOR.nearCode,
  SELECTOR.executeOnly,
];

function codeSelector(a: Assembler): number {
  const { random, mode, bits, user } = a;
  if (mode === "real" || mode === "virtual-8086") return AT.code >> 4;
  const own = CODE_OF[bits];
  if (random.chance(35)) {
    const any = selector(a);
    if (!ALL_CODE.includes(any & ~7) || own.includes(any & ~7)) return any;
  }
  const { callGate, callGateUser, otherTss, taskGate, tss } = SELECTOR;
  const chosen = random.chance(50)
    ? (own[user ? 1 : 0] as number)
    : random.pick([callGate, callGateUser, otherTss, taskGate, tss, ...own]);
  return chosen | (user ? 3 : random.pick([0, 0, 3]));
}

/** An offset in CS of bytes that are breakpoints; now and then in an absent page. TCG does not check limits everywhere. */
const target = ({ random, bits, mode }: Assembler): number => {
  const near = 0x800 + random.below(0x700);
  if (bits === 16) return near;
  return mode === "32-bit" || random.chance(95) ? AT.code + near : 0x100_0000;
};

/** MOV r, imm: 32 bits, or 16 in 16-bit code; sign-extended in 64-bit code. */
function load(a: Assembler, reg: number, value: number | bigint): Bytes {
  if (a.bits === 16) return [0x66, 0xb8 | reg, ...le(value, 4)];
  if (a.bits === 32 || (value >= 0 && value < 0x1_0000_0000)) return [0xb8 | reg, ...le(value, 4)];
  return [0x48, 0xb8 | reg, ...le(value, 8)];
}

/** MOV word or dword [memory], imm, where DS leads to data. */
function store(a: Assembler, address: number, bytes: 2 | 4, value: number): Bytes {
  const prefix = (bytes === 2) === (a.bits === 16) ? [] : [0x66];
  const place =
    a.bits === 16 ? [6, ...le(address, 2)] : a.bits === 32 ? [5, ...le(address, 4)] : [4, 0x25, ...le(address, 4)];
  return [...prefix, 0xc7, ...place, ...le(value, bytes)];
}

const absolute = (a: Assembler, reg: number, address: number): Bytes => {
  const field = (reg & 7) << 3;
  if (a.bits === 16) return [field | 6, ...le(address, 2)];
  return a.bits === 32 ? [field | 5, ...le(address, 4)] : [field | 4, 0x25, ...le(address, 4)];
};

const scratch = (a: Assembler): number => (a.bits === 16 ? 0 : AT.data) + 0x400 + a.random.below(64) * 8;

// --- instructions --------------------------------------------------------------------------------------------------------------------

/** Those whose flags are all defined. */
const arithmetic: Maker = (a) => {
  const { random } = a;
  const operation = random.pick([0, 2, 3, 5, 7]) << 3;
  const opcode = operation | random.pick([0, 1, 2, 3]);
  return [...size(a), opcode, ...operand(a, plain(a))];
};
const move: Maker = (a) => [
  ...size(a),
  a.random.pick([0x88, 0x89, 0x8a, 0x8b]),
  ...operand(a, a.random.pick([0, 1, 2])),
];
const incrementMemory: Maker = (a) => [
  ...(a.random.chance(30) ? [0xf0] : []),
  ...size(a),
  0xff,
  ...memory(a, a.random.below(2)),
];
const exchange: Maker = (a) => [...size(a), a.random.pick([0x86, 0x87]), ...operand(a, a.random.pick([0, 1, 2]))];
const string: Maker = (a) => {
  const repeat = a.random.pick([[], [0xf3], [0xf3]]);
  return [...repeat, ...size(a), a.random.pick([0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xa6, 0xa7, 0xae, 0xaf])];
};
const pushPop: Maker = (a) => [...(a.bits === 64 ? [] : size(a)), a.random.pick([0x50, 0x58]) | plain(a)];
const pushMemory: Maker = (a) => [...(a.bits === 64 ? [] : size(a)), 0xff, ...memory(a, 6)];
const popMemory: Maker = (a) => [...(a.bits === 64 ? [] : size(a)), 0x8f, ...memory(a, 0)];
const pushAll: Maker = (a) => [...size(a), a.random.pick([0x60, 0x61])];
const frameOps: Maker = (a) => a.random.pick([[0xc8, 8, 0, a.random.below(3)], [0xc9]]);

const segmentLoad: Maker = (a) => {
  const name = a.random.pick(["es", "ss", "ds", "fs", "gs", "ds", "es"] as const);
  const reg = a.random.chance(3) ? a.random.pick([1, 6, 7]) : SEGMENT[name];
  return [...load(a, 0, selector(a)), 0x8e, 0xc0 | (reg << 3)];
};
const segmentStore: Maker = (a) => [...size(a), 0x8c, ...operand(a, a.random.below(6))];
const segmentPush: Maker = (a) => {
  const [push = 0, pop = 0, push2 = 0, pop2 = 0] = PUSH_POP[a.random.pick(["es", "ss", "ds", "fs", "gs"])] ?? [];
  const wide = push === 0x0f;
  return [
    ...load(a, 0, selector(a)),
    0x50,
    ...(a.random.chance(20) ? (wide ? [push, pop] : [push]) : wide ? [push2, pop2] : [pop]),
  ];
};
const farPointer: Maker = (a) => {
  const place = scratch(a);
  const bytes = a.bits === 16 ? 2 : 4;
  const opcode = a.random.pick([[0xc5], [0xc4], [0x0f, 0xb2], [0x0f, 0xb4], [0x0f, 0xb5]]);
  return [...store(a, place + bytes, 2, selector(a)), ...opcode, ...absolute(a, a.random.pick([0, 2, 5]), place)];
};
/** LAR of 16 bits: more of its result is undefined. */
const query: Maker = (a) => {
  const lar = [...(a.bits === 16 ? [] : [0x66]), 0x0f, 0x02, 0xd0];
  const ways = [
    lar,
    [0x0f, 0x03, 0xd0],
    [0x0f, 0x00, 0xe0],
    [0x0f, 0x00, 0xe8],
    ...(a.bits === 64 ? [] : [[0x63, 0xc2]]),
  ];
  return [...load(a, 0, selector(a)), ...a.random.pick(ways)];
};

const farJump: Maker = (a) => {
  if (a.bits === 64) return farIndirect(a);
  const bytes = a.bits === 16 ? 2 : 4;
  return [a.random.pick([0xea, 0x9a]), ...le(target(a), bytes), ...le(codeSelector(a), 2)];
};
const farIndirect: Maker = (a) => {
  const place = scratch(a);
  const bytes = a.bits === 16 ? 2 : 4;
  return [
    ...store(a, place, bytes, target(a)),
    ...store(a, place + bytes, 2, codeSelector(a)),
    0xff,
    ...absolute(a, a.random.pick([3, 5]), place),
  ];
};
const push = (a: Assembler, value: number): Bytes =>
  a.bits === 16 ? [0x68, ...le(value, 2)] : a.bits === 32 ? [0x68, ...le(value, 4)] : [0x68, ...le(value, 4)];
const farReturn: Maker = (a) => {
  const { random } = a;
  const wide = a.bits === 64 ? [0x48] : [];
  const opcode = random.chance(80) ? [0xcb] : [0xca, ...le(random.pick([0, 4, 8]), 2)];
  const outer = random.chance(30) ? [...push(a, selector(a)), ...push(a, stackOf(a))] : [];
  return [...outer, ...push(a, codeSelector(a)), ...push(a, target(a)), ...wide, ...opcode];
};
const stackOf = (a: Assembler): number => (a.bits === 16 ? 0x1e00 : AT.userStack - 0x100);
const interruptReturn: Maker = (a) => {
  const { random } = a;
  const wide = a.bits === 64 ? [0x48] : [];
  const vm = !a.long && !a.user && a.bits === 32 && random.chance(10) ? 0x2_0000 : 0;
  const flags = 2 | (random.bits32() & 0x4_0cd5) | random.pick([0, 0, 0x3000, 0x200, 0x100, 0x4000]) | vm;
  const segments8086 = vm ? [0, 0, AT.data >> 4, AT.data >> 4].flatMap((value) => push(a, value)) : [];
  const stackSelector = vm
    ? AT.data >> 4
    : random.chance(75)
      ? (a.bits === 16 ? SELECTOR.userData16 : SELECTOR.userData) | 3
      : selector(a);
  const outer =
    a.bits === 64 || vm || random.chance(60)
      ? [...segments8086, ...push(a, stackSelector), ...push(a, vm ? 0x2e00 : stackOf(a))]
      : [];
  const code = vm ? AT.code >> 4 : codeSelector(a);
  const offset = vm ? 0x900 : target(a);
  return [
    ...outer,
    ...push(a, a.bits === 16 ? flags & 0x7fff : flags),
    ...push(a, code),
    ...push(a, offset),
    ...wide,
    0xcf,
  ];
};
const interrupt: Maker = (a) => {
  const vector = a.random.chance(85)
    ? 0x20 + a.random.below(0x20)
    : a.random.pick([0, 1, 2, 3, 4, 5, 6, 7, 16, 0x80, 0xff]);
  return a.random.pick([[0xcd, vector], [0xcd, vector], [0xcd, vector], a.bits === 64 ? [0xcd, vector] : [0xce]]);
};
/** Over a few NOPs, so that what follows is met at its beginning. */
const near: Maker = (a) => {
  const over = a.random.pick([1, 2, 3]);
  const branch = a.random.pick([[0xeb], [0x74], [0x72], [0x7d], [0xe3], [0xe8]]);
  const offset = branch[0] === 0xe8 ? le(over, a.bits === 16 ? 2 : 4) : [over];
  return a.random.chance(10)
    ? [...push(a, target(a)), 0xc3]
    : [...branch, ...offset, ...Array.from({ length: over }, () => 0x90)];
};

const flagOps: Maker = (a) => [a.random.pick([0xfa, 0xfb, 0xfc, 0xfd, 0xf8, 0xf9, 0xf5, 0x9c, 0x9c])];
const popFlags: Maker = (a) => {
  const flags = 2 | (a.random.bits32() & 0x24_4cd5) | a.random.pick([0, 0x3000, 0x200, 0x3200, 0x100, 0x1000]);
  return [
    ...push(a, a.bits === 16 ? flags & 0x7fff : flags),
    ...(a.bits === 16 && a.random.chance(20) ? [0x66] : []),
    0x9d,
  ];
};
const halt: Maker = (a) => (a.user ? [0xf4] : [0x90]);
const ports: Maker = (a) => {
  const port = a.random.pick([0x10, 0x18, 0x1c]);
  return a.random.pick([
    [0xe5, port],
    [0xe6, port],
    [0xe7, port],
    [...load(a, 2, a.random.pick([0x18, 0x100, 0x13c, 0x2f0])), ...size(a), a.random.pick([0xec, 0xed])],
  ]);
};

const CR0_VALUES = [0x11, 0x13, 0x19, 0x1b, 0x15, 0x1f, 0x3f, 0x31, 0x1_0011, 0x1_0033];
const controlWrite: Maker = (a) => {
  const { random } = a;
  const number = random.pick([0, 0, 2, 3, 4, 4]);
  if (number === 0) {
    // PE stays as it is: what follows a change of it are other tables, not another answer.
    const paging = a.long ? 0x8000_0000 : a.mode.includes(" ") ? random.pick([0x8000_0000, 0x8000_0000, 0]) : 0;
    const real = a.mode === "real";
    const value = ((random.pick(CR0_VALUES) & (real ? ~1 : ~0)) | paging) >>> 0;
    return [...load(a, 0, value), 0x0f, 0x22, 0xc0];
  }
  if (number === 2) return [...load(a, 0, random.bits32()), 0x0f, 0x22, 0xd0];
  if (number === 3) return [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8];
  const kept = a.long || a.mode === "32-bit PAE" ? 0x20 : 0;
  const bits = random.pick([0x08, 0x04, 0x10, 0x80, 0x200, 0x600, 0x800, 0x1_0000, 0x4_0000, 0x10_0000]);
  // TCG refuses neither reserved bits nor long mode without PAE.
  const value = kept | bits | 0x600;
  return [
    ...load(a, 0, a.mode === "32-bit" || a.mode.includes("PAE") || a.long ? value >>> 0 : (value & ~0x20) >>> 0),
    0x0f,
    0x22,
    0xe0,
  ];
};
/** Without CR1 and CR5 for user code: processors say #UD, as for the supervisor, TCG #GP. */
const controlRead: Maker = (a) => {
  const number = a.random.pick(a.user ? [0, 2, 3, 4] : [0, 2, 3, 4, 4, 1, 5]);
  return [0x0f, 0x20, 0xc0 | (number << 3) | a.random.pick([0, 2])];
};
const debugMove: Maker = (a) => {
  const number = a.random.pick([0, 1, 2, 3, 4, 5, 6, 7]);
  if (a.random.chance(50)) return [0x0f, 0x21, 0xc0 | (number << 3)];
  // As DR4 and DR5, with CR4.DE clear, so that nothing is detected or breaks.
  const value =
    number === 7 || number === 5
      ? a.random.pick([0x400, 0x600, 0])
      : number === 6 || number === 4
        ? 0
        : AT.data + 0x800;
  return [...load(a, 0, value), 0x0f, 0x23, 0xc0 | (number << 3)];
};
const taskSwitched: Maker = (a) =>
  a.random.pick([
    [0x0f, 0x06],
    [0x0f, 0x01, 0xe0],
    [0x0f, 0x01, 0xe2],
    [...load(a, 0, a.random.pick([1, 9, 0xb, 0xf])), 0x0f, 0x01, 0xf0],
  ]);
const floating: Maker = (a) =>
  a.random.pick([[0xd9, 0xd0], [0x9b], [0x0f, 0x28, 0xc1], [0x0f, 0x6f, 0xc1], [0x0f, 0x57, 0xc0]]);

const MSRS = [
  ...[
    0xc000_0080, 0xc000_0080, 0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084, 0xc000_0100, 0xc000_0101, 0xc000_0102,
  ],
  ...[0x174, 0x175, 0x176, 0x277, 0xc000_0103],
];
/** In FMASK always, DF with them: TCG's SYSCALL loses them anyway. */
const ARITHMETIC = 0xcd5;
const FMASK = 0xc000_0084;
const SYSENTER_CS = 0x174;
const EFER = 0xc000_0080;
const PAT = 0x277;
const TSC_AUX = 0xc000_0103;
const msrRead: Maker = (a) => [...load(a, 1, a.random.pick(MSRS)), 0x0f, 0x32];
/** Lower half of a value that TCG and processors agree on. */
function msrValue({ random, long }: Assembler, index: number): number {
  const address = AT.data + random.below(0x1000);
  if (index === EFER) return (long ? 0x500 : 0) | random.pick([1, 0x801, 0x800, 0]);
  if (index === PAT) return random.pick([0x0007_0406, 0x0007_0401, 0x0606_0606]);
  if (index === SYSENTER_CS) return address & 0xfff8;
  return index === FMASK ? address | ARITHMETIC : address;
}
const msrWrite: Maker = (a) => {
  const { random } = a;
  const index = random.pick(MSRS);
  // TCG takes any address, canonical or not.
  const other =
    random.chance(85) || [FMASK, EFER, SYSENTER_CS, TSC_AUX].includes(index) ? 0 : random.pick([0x7fff, 0xffff_8000]);
  const high = index === PAT ? 0x0007_0406 : other;
  return [...load(a, 1, index), ...load(a, 0, msrValue(a, index) >>> 0), ...load(a, 2, high), 0x0f, 0x30];
};
/** Where a processor takes them without PE is not agreed upon; TCG knows SYSENTER and SYSEXIT in compatibility mode whoever made it. */
const systemCall: Maker = (a) => {
  if (a.mode === "real" || a.mode === "virtual-8086") return [0x0f, 0x0b];
  // Both lead to flat segments.
  const flat = AT.code + 0x800 + a.random.below(0x700);
  const exit = [...load(a, 2, flat), ...load(a, 1, AT.userStack - 0x100), 0x0f, 0x35];
  return a.random.pick([
    [0x0f, 0x05],
    [0x0f, 0x05],
    [...load(a, 1, flat), ...(a.bits === 64 ? [0x48] : []), 0x0f, 0x07],
    ...(a.long && a.bits !== 64 ? [] : [[0x0f, 0x34], exit]),
  ]);
};
const swapGs: Maker = (a) =>
  a.bits === 64
    ? a.random.pick([
        [0x0f, 0x01, 0xf8],
        [0xf3, 0x48, 0x0f, 0xae, 0xc0 | (a.random.below(4) << 3)],
        [0x65, 0x48, 0x8b, 0x04, 0x25, ...le(a.random.below(64) * 8, 4)],
      ])
    : [0x64, 0x8a, ...memory(a, 0)];

const tableStore: Maker = (a) =>
  a.random.pick([
    [0x0f, 0x01, ...memory(a, a.random.below(2))],
    [0x0f, 0x00, ...operand(a, a.random.below(2))],
  ]);
const tableLoad: Maker = (a) => {
  const place = scratch(a);
  const isIdt = a.random.chance(50);
  if (a.mode === "real") return [0x0f, 0x00, 0xd0];
  const limit = isIdt ? (a.long ? 0xfff : 0x7ff) : a.random.pick([0x3ff, 0x3ff, 0x1ff]);
  const base = isIdt ? AT.idt : AT.gdt;
  const upper = a.bits === 64 ? store(a, place + 6, 4, 0) : [];
  const wide = a.bits === 16 ? [0x66] : [];
  return [
    ...store(a, place, 2, limit),
    ...store(a, place + 2, 4, base),
    ...upper,
    ...wide,
    0x0f,
    0x01,
    ...absolute(a, isIdt ? 3 : 2, place),
  ];
};
const taskLoad: Maker = (a) => {
  const isTask = a.random.chance(50);
  const chosen = a.random.chance(60) ? a.random.pick([SELECTOR.ldt, SELECTOR.tss, SELECTOR.otherTss]) : selector(a);
  // TCG loads a null selector into TR.
  return [...load(a, 0, isTask && chosen < 4 ? SELECTOR.otherTss : chosen), 0x0f, 0x00, isTask ? 0xd8 : 0xd0];
};
const invalidate: Maker = (a) =>
  a.random.pick([
    [0x0f, 0x01, ...memory(a, 7)],
    [0x0f, 0x08],
    [0x0f, 0x09],
  ]);
const undefinedCode: Maker = (a) =>
  a.random.pick([
    [0x0f, 0x0b],
    [0x0f, 0xff, 0xc0],
    [0xf0, 0x90],
    [0x8d, 0xc0],
    [0x0f, 0xc7, 0xc8],
  ]);
const accessCheck: Maker = () => [0x0f, 0x01, 0xca];

const MAKERS: readonly (readonly [name: string, weight: number, make: Maker])[] = [
  ["arithmetic", 8, arithmetic],
  ["move", 8, move],
  ["increment memory", 4, incrementMemory],
  ["exchange", 2, exchange],
  ["string", 4, string],
  ["push or pop", 4, pushPop],
  ["push memory", 2, pushMemory],
  ["pop memory", 2, popMemory],
  ["push or pop all", 2, pushAll],
  ["enter or leave", 1, frameOps],
  ["segment load", 8, segmentLoad],
  ["segment store", 2, segmentStore],
  ["segment pop", 3, segmentPush],
  ["far pointer", 3, farPointer],
  ["descriptor query", 5, query],
  ["far jump or call", 7, farJump],
  ["far jump or call through memory", 3, farIndirect],
  ["far return", 5, farReturn],
  ["interrupt return", 6, interruptReturn],
  ["interrupt", 6, interrupt],
  ["near branch", 3, near],
  ["flags", 4, flagOps],
  ["pop flags", 4, popFlags],
  ["halt", 1, halt],
  ["ports", 4, ports],
  ["control register write", 5, controlWrite],
  ["control register read", 2, controlRead],
  ["debug register", 2, debugMove],
  ["task switched and machine status", 2, taskSwitched],
  ["floating point", 3, floating],
  ["MSR read", 2, msrRead],
  ["MSR write", 3, msrWrite],
  ["system call", 4, systemCall],
  ["FS and GS", 3, swapGs],
  ["table store", 2, tableStore],
  ["table load", 2, tableLoad],
  ["task or LDT load", 2, taskLoad],
  ["invalidate", 2, invalidate],
  ["undefined", 1, undefinedCode],
  ["CLAC", 1, accessCheck],
];
const TOTAL_WEIGHT = MAKERS.reduce((sum, [, weight]) => sum + weight, 0);
const ONLY_OUTSIDE_64 = new Set(["push or pop all"]);

export function randomInstruction(a: Assembler): Bytes {
  for (;;) {
    let at = a.random.below(TOTAL_WEIGHT);
    const entry = MAKERS.find(([, weight]) => (at -= weight) < 0);
    if (entry === undefined) continue;
    const [name, , make] = entry;
    if (a.bits === 64 && ONLY_OUTSIDE_64.has(name)) continue;
    const bytes = make(a);
    a.listing.push(`${name}: ${Buffer.from(bytes).toString("hex")}`);
    return bytes;
  }
}
