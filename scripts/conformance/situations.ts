// What particular instructions need around them to do something interesting: implicit registers, branch targets, counts, stacks.
import type { Size } from "../../native-core/ir/nodes.ts";
import type { InstructionRow } from "../../native-core/x86/row.ts";
import type { MemoryOperand } from "./encoder.ts";
import type { Random } from "./random.ts";
import { type Mode, STATE_IMAGE, slotOffset, type TestState, WINDOW_SIZE, windowOffsetOf } from "./vector-format.ts";

export interface Situation {
  readonly row: InstructionRow;
  readonly mode: Mode;
  readonly size: Size;
  readonly memory: boolean;
  readonly state: TestState;
  readonly random: Random;
  /** ModRM.reg, and ModRM.rm where it is a register. */
  readonly register: number;
  readonly target: number | object;
  /** Register in VEX.vvvv. */
  readonly second: number;
  readonly values: (bigint | undefined)[];
  /** Of the memory operand in the window. */
  readonly offset: number;
  readonly memoryBytes: number;
}

const [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI] = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/** Adjusts a case whose explicit operands are already random. */
export function prepare(s: Situation): void {
  const { row, random } = s;
  const { mnemonic } = row;
  if (/^(MUL|IMUL|CBW|CWD|LAHF|SAHF|DAA|DAS|AAA|AAS|AAM|AAD|SALC)$/.test(mnemonic)) randomize(s, RAX, RDX);
  if (/^I?DIV$/.test(mnemonic)) prepareDivision(s);
  if (/^CMPXCHG/.test(mnemonic)) prepareCompareExchange(s);
  if (/^BT[SRC]?$/.test(mnemonic) && s.memory && row.operands === "Ev,Gv") limitBitOffset(s);
  if (/^LOOP|^JCXZ/.test(mnemonic))
    setGeneral(s, RCX, random.pick([0n, 1n, 2n, 0x10000n, 0x1_0000_0000n, 0x1_0000_0001n, 0x10001n]));
  if (/^(MOVS|CMPS|STOS|LODS|SCAS|XLAT)$/.test(mnemonic)) prepareString(s);
  if (/^(PUSH|POP|PUSHA|POPA|PUSHF|POPF|CALL|RET|ENTER|LEAVE)$/.test(mnemonic)) prepareStack(s);
  if (/^(CALL|JMP)$/.test(mnemonic)) prepareIndirect(s);
  if (/^V?MASKMOV(Q|DQU)$/.test(mnemonic)) setGeneral(s, RDI, windowOffsetOf(s.mode) + BigInt(300 + random.below(100)));
  if (/^V?LDMXCSR$/.test(mnemonic))
    write(s, s.offset, 4, BigInt(random.bits32() & (random.chance(80) ? 0xffff : 0x1ffff)));
  if (/GATHER/.test(mnemonic)) prepareGather(s);
  if (mnemonic === "BOUND") prepareBound(s);
  if (/^(P?BLENDV|SHA256RNDS2)/.test(mnemonic)) s.state.vector[0] = random.vector("integer");
  if (/^PCMP[EI]STR/.test(mnemonic)) prepareStringCompare(s);
  if (mnemonic === "PTEST" && random.chance(50)) prepareTest(s);
  if (STATE_IMAGE.test(mnemonic)) prepareImage(s);
  // What XCR0 holds is the operating system's choice; the others are components in use (1), and none.
  if (mnemonic === "XGETBV") {
    prepareImage(s);
    setGeneral(s, RCX, random.pick([1n, 1n, 1n, 1n, 2n, 0x8000_0001n]));
  }
  prepareSelectors(s);
  if (row.feature === "x87") prepareX87(s);
  if (/(^|,)[PQN]/.test(row.operands) || mnemonic === "EMMS") prepareMmx(s);
}

function setGeneral({ state, mode }: Situation, register: number, value: bigint): void {
  // What 16-bit code has in the upper half must not matter.
  if (mode === "16" && value >= 0n && value < 0x10000n) value |= (state.general[register] ?? 0n) & 0xffff_0000n;
  state.general[register] = BigInt.asUintN(mode === "64" ? 64 : 32, value);
}

function randomize(s: Situation, ...registers: number[]): void {
  for (const register of registers) setGeneral(s, register, s.random.integer(s.mode === "64" ? 64 : 32));
}

function write({ state }: Situation, offset: number, bytes: number, value: bigint): void {
  for (let n = 0; n < bytes && offset + n < WINDOW_SIZE; n++) {
    state.window[offset + n] = Number((value >> BigInt(8 * n)) & 0xffn);
  }
}

/** Random dividends overflow nearly always, so most get a high half that fits. */
function prepareDivision(s: Situation): void {
  randomize(s, RAX, RDX);
  const { random, state, size } = s;
  const bits = BigInt(size * 8);
  const low = BigInt.asUintN(size * 8, state.general[RAX] ?? 0n);
  if (random.chance(25)) return;
  const negative = (low >> (bits - 1n)) & 1n;
  const high = random.pick([0n, negative ? -1n : 0n, 1n, BigInt(random.below(100))]);
  if (size === 1) setGeneral(s, RAX, ((state.general[RAX] ?? 0n) & ~0xff00n) | (BigInt.asUintN(8, high) << 8n));
  else setGeneral(s, RDX, high);
}

function prepareCompareExchange(s: Situation): void {
  const { random, state, row } = s;
  randomize(s, RAX, RDX);
  if (row.mnemonic === "CMPXCHG") {
    if (s.memory && random.chance(50)) write(s, s.offset, s.memoryBytes, state.general[RAX] ?? 0n);
    return;
  }
  randomize(s, RBX, RCX);
  if (random.chance(60)) {
    const half = s.memoryBytes / 2;
    write(s, s.offset, half, state.general[RAX] ?? 0n);
    write(s, s.offset + half, half, state.general[RDX] ?? 0n);
  }
}

/** The bit offset of a memory form reaches far: keep it inside the window. */
function limitBitOffset(s: Situation): void {
  const offset = BigInt(s.random.below(1600) - 800);
  if (s.register !== RSP) s.state.general[s.register] = BigInt.asUintN(s.mode === "64" ? 64 : 32, offset);
}

/** Indices that lead into the window, a few beyond it; registers that differ as a rule. `target` is a base and an index vector. */
function prepareGather(s: Situation): void {
  const { state, random, row } = s;
  const { base, index = 0, scale, displacement } = s.target as MemoryOperand;
  const dataBits = /[DS]$/.test(row.mnemonic) && !/(DQ|QQ|PD)$/.test(row.mnemonic) ? 32 : 64;
  const indexBits = /GATHERQ/.test(row.mnemonic) ? 64 : 32;
  const start = windowOffsetOf(s.mode) - BigInt(displacement) + 300n;
  if (base !== undefined) setGeneral(s, base, start);
  let indices = 0n;
  for (let n = 0; n < 256; n += indexBits) {
    const bytes = random.chance(4) ? 2000 : random.below(600) - 250;
    const offset = base === undefined ? start + BigInt(bytes) : BigInt(bytes);
    indices |= BigInt.asUintN(indexBits, offset >> BigInt(scale)) << BigInt(n);
  }
  let mask = random.vector("integer") | (random.vector("integer") << 128n);
  for (let n = 0; n < 256; n += dataBits) if (random.chance(60)) mask |= 1n << BigInt(n + dataBits - 1);
  const set = (register: number, value: bigint): void => {
    state.vector[register] = BigInt.asUintN(128, value);
    state.upper[register] = value >> 128n;
  };
  set(s.second, mask);
  set(index, indices);
}

function prepareString(s: Situation): void {
  const { random, state, row } = s;
  if (row.mnemonic === "XLAT") {
    setGeneral(s, RBX, windowOffsetOf(s.mode) + BigInt(random.below(700)));
    randomize(s, RAX);
    return;
  }
  if (random.chance(40)) state.flags |= 0x400n;
  randomize(s, RAX);
  const place = (): bigint =>
    windowOffsetOf(s.mode) + BigInt(random.chance(8) ? WINDOW_SIZE - random.below(24) : 300 + random.below(400));
  const source = place();
  setGeneral(s, RSI, source);
  setGeneral(s, RDI, random.chance(25) ? source + BigInt(random.below(16)) : place());
  setGeneral(s, RCX, BigInt(random.pick([0, 1, 2, 3, 5, 9, 17])));
  // Runs of equal bytes, so that REPE does not always stop at once.
  if (random.chance(60)) state.window.fill(Number((state.general[RAX] ?? 0n) & 0xffn), 300 + random.below(200), 600);
}

function prepareStack(s: Situation): void {
  const { random, row, mode } = s;
  if (row.mnemonic === "ENTER") {
    s.values[0] = BigInt(random.below(64));
    s.values[1] = BigInt(random.pick([0, 0, 1, 2, 3, 33]));
    setGeneral(s, RBP, windowOffsetOf(s.mode) + 600n);
  }
  if (row.mnemonic === "LEAVE")
    setGeneral(s, RBP, windowOffsetOf(s.mode) + BigInt(random.chance(10) ? WINDOW_SIZE - 3 : 400 + random.below(100)));
  if (row.mnemonic === "RET") {
    if (s.values.length > 0) s.values[0] = BigInt(random.below(100));
    write(s, stackOffset(s), mode === "64" ? 8 : 4, codeTarget(s));
  }
  if (row.mnemonic === "POPF") {
    const flags = (BigInt(random.bits32()) & 0x24_4cd5n) | 0x202n;
    write(s, stackOffset(s), 8, flags);
  }
}

/** Indirect branches: every candidate operand holds an address in the code page. */
function prepareIndirect(s: Situation): void {
  const { state, row, memory } = s;
  if (row.operands !== "Ev") return;
  if (memory) write(s, s.offset, 8, codeTarget(s));
  else
    state.general.forEach((_, n) => {
      if (n !== RSP) setGeneral(s, n, codeTarget(s));
    });
  if (memory && s.mode === "legacy") write(s, s.offset, 4, codeTarget(s));
}

function prepareBound(s: Situation): void {
  const { random, size } = s;
  write(s, s.offset, size, random.integer(size * 8));
  write(s, s.offset + size, size, random.integer(size * 8));
}

/** Components that the recorded processor has not: nothing answers to them. */
const ABSENT_COMPONENTS = [3, 4, 8, 10, 40] as const;
const INITIAL_X87 = { x87Control: 0x37f, x87Status: 0, x87Tag: 0 };

/** A processor state with components in and out of use, and at the start of the window an image that mostly can be loaded. */
function prepareImage(s: Situation): void {
  const { random, state, row } = s;
  state.x87Status = (random.below(8) << 11) | (random.bits32() & 0x4700);
  state.x87Tag = random.below(256);
  state.mxcsr = 0x1f80 | (random.chance(50) ? random.bits32() & 0xe07f : 0);
  for (let n = 0; n < 8; n++) state.x87[n] = random.extended();
  if (random.chance(20)) Object.assign(state, INITIAL_X87, { x87: state.x87.map(() => 0n) });
  if (random.chance(20)) state.vector.fill(0n);
  if (random.chance(30)) state.upper.fill(0n);
  const absent = (): bigint => 1n << BigInt(random.pick(ABSENT_COMPONENTS));
  setGeneral(s, RAX, BigInt(random.below(8)) | (random.chance(20) ? 8n : 0n));
  setGeneral(s, RDX, random.chance(20) ? absent() >> 32n : 0n);

  const words = [randomX87Control(random), random.bits32() & 0x7f7f, random.below(256), 0];
  words.forEach((word, n) => write(s, n * 2, 2, BigInt(word)));
  write(s, 8, 16, 0n);
  write(s, 24, 4, BigInt((random.bits32() & 0xffff) | (random.chance(8) ? random.pick([0x1_0000, 0x40_0000]) : 0)));
  for (let n = 0; n < 8; n++) write(s, 32 + n * 16, 16, random.extended());
  if (!row.mnemonic.startsWith("X")) return;
  // The header: components present, compaction, and zeros.
  const present = BigInt(random.below(8));
  const compacted = random.chance(30) ? (1n << 63n) | present | BigInt(random.below(8)) : 0n;
  write(s, 512, 8, present | (random.chance(6) ? absent() : 0n));
  write(s, 520, 8, compacted | (random.chance(6) ? absent() : 0n));
  write(s, 528, 48, random.chance(6) ? 1n << BigInt(random.below(48 * 8)) : 0n);
}

/** Few different elements, so that strings match in part; lengths around those of a vector. */
function prepareStringCompare(s: Situation): void {
  const { random, state, row, memory, mode } = s;
  const bits = (s.values[2] ?? 0n) & 1n ? 16 : 8;
  const string = (): bigint => {
    const letters = random.pick([2, 3, 8]);
    const end = random.chance(50) ? random.below(18) : 99;
    let value = 0n;
    for (let n = 0; n * bits < 128; n++) {
      const letter = n === end ? 0n : random.chance(5) ? random.integer(bits) : BigInt(1 + random.below(letters));
      value |= letter << BigInt(n * bits);
    }
    return value;
  };
  if (random.chance(15)) return;
  state.vector[s.register] = string();
  if (memory) write(s, s.offset, 16, string());
  else if (typeof s.target === "number") state.vector[s.target] = string();
  if (!row.mnemonic.startsWith("PCMPE")) return;
  for (const register of [RAX, RDX]) {
    if (memory && random.chance(20)) continue;
    const length = BigInt(random.below(40) - 20);
    const noise = mode === "64" && random.chance(20) ? random.bits64() & ~0xffff_ffffn : 0n;
    setGeneral(s, register, (length & 0xffff_ffffn) | noise);
    if (random.chance(50)) setGeneral(s, register, length);
  }
}

/** Nothing in common, or all covered. */
function prepareTest(s: Situation): void {
  const { random, state } = s;
  const a = random.vector("integer");
  const b = random.pick([~a, a, a & random.vector("integer"), 0n, -1n]);
  state.vector[s.register] = a;
  if (s.memory) write(s, s.offset, 16, b);
  else if (typeof s.target === "number") state.vector[s.target] = BigInt.asUintN(128, b);
}

/** A place in the code page to branch to. */
function codeTarget({ random, mode }: Situation): bigint {
  const target = slotOffset(mode) + BigInt(random.below(4000) - 2000);
  return target >= slotOffset(mode) - 1n && target < slotOffset(mode) + 16n ? target + 64n : target;
}

/** Where the stack pointer points in the window. */
function stackOffset({ state, mode }: Situation): number {
  const pointer = state.general[RSP] ?? 0n;
  return Number((mode === "16" ? pointer & 0xffffn : pointer) - windowOffsetOf(mode));
}

/** MMX registers are the stack's: with TOP 0 mostly, so that ST(n) is MMn, and now and then a pending exception. */
function prepareMmx({ state, random }: Situation): void {
  state.x87Tag = random.below(256);
  state.x87Status = random.chance(80) ? 0 : (random.below(8) << 11) | (random.bits32() & 0x4700);
  if (random.chance(5)) {
    state.x87Control = 0x37b;
    state.x87Status |= 0x04;
  }
}

/** A random register stack, mostly full and with default control; the memory operand holds what the instruction expects. */
function prepareX87(s: Situation): void {
  const { random, state, row } = s;
  state.x87[0] = random.extended();
  state.x87[1] = random.extended();
  state.x87Tag = random.pick([0xff, 0xff, 0x7f, random.below(256), random.below(256) | 0x07]);
  if (/^FI?LD|^FBLD/.test(row.mnemonic)) state.x87Tag &= random.bits32() & 0xff;
  state.x87Control = randomX87Control(random);
  const sticky = random.chance(30) ? random.below(64) & ~(~state.x87Control & 0x3f) : 0;
  const codes = random.bits32() & 0x4700;
  state.x87Status = codes | (random.below(8) << 11) | sticky;
  if (s.memory) writeX87Operand(s);
}

function randomX87Control(random: Random): number {
  const roll = random.below(100);
  if (roll < 50) return 0x37f;
  const mode = (random.below(4) << 10) | (random.pick([0, 2, 3]) << 8);
  if (roll < 85) return 0x7f | mode;
  return 0x40 | mode | (0x3f & ~(1 << random.below(6)));
}

function writeX87Operand(s: Situation): void {
  const { random, row } = s;
  if (/^FBLD/.test(row.mnemonic)) {
    for (let n = 0; n < 9; n++) write(s, s.offset + n, 1, BigInt(random.below(10) * 16 + random.below(10)));
    write(s, s.offset + 9, 1, random.pick([0n, 0x80n]));
  } else if (row.mnemonic === "FLDCW") write(s, s.offset, 2, BigInt(randomX87Control(random)));
  else if (/^(FLDENV|FRSTOR)$/.test(row.mnemonic)) writeX87Image(s);
  else if (/^FI/.test(row.mnemonic)) write(s, s.offset, s.memoryBytes, random.integer(s.memoryBytes * 8));
  else if (row.operands === "Md") write(s, s.offset, 4, random.float(32));
  else if (row.operands === "Mq") write(s, s.offset, 8, random.float(64));
  else if (row.operands === "Mt") write(s, s.offset, 10, random.extended());
}

/** An environment of 14 or 28 bytes with sensible words, then eight registers. */
function writeX87Image(s: Situation): void {
  const { random, size } = s;
  const field = size === 2 ? 2 : 4;
  const words = [randomX87Control(random), random.bits32() & 0x7f00, random.bits32() & 0xffff];
  for (let n = 0; n < 7; n++) write(s, s.offset + n * field, field, BigInt(words[n] ?? 0));
  for (let n = 0; n < 8; n++) write(s, s.offset + 7 * field + n * 10, 10, random.extended());
}

/** Selectors of Linux: user code and data, kernel ones, null, empty and absent descriptors, in a missing LDT. */
const SELECTORS = [
  0x23, 0x2b, 0x33, 0x2b, 0x2b, 0, 1, 3, 0x08, 0x10, 0x18, 0x20, 0x28, 0x2a, 0x31, 0x63, 0x80, 0xfff8, 4, 0x0f,
];
const CODE_SELECTORS = [0x33, 0x33, 0x23, 0x23, 0x2b, 0, 0x10, 0x31, 0x83, 0x07];

function prepareSelectors(s: Situation): void {
  const { random, state, row, size, values } = s;
  const stack = stackOffset(s);
  const selector = (): bigint => BigInt(random.pick(SELECTORS));
  const code = (): bigint => BigInt(random.pick(CODE_SELECTORS));
  const slots = (...words: bigint[]): void => words.forEach((word, n) => write(s, stack + n * size, size, word));

  if (row.operands === "Sw,Ew" || /^(VERR|VERW|LAR|LSL|ARPL)$/.test(row.mnemonic)) {
    if (s.memory) write(s, s.offset, 2, selector());
    else if (typeof s.target === "number")
      state.general[s.target] = ((state.general[s.target] ?? 0n) & ~0xffffn) | selector();
  }
  if (row.mnemonic === "POP" && /^[CDEFGS]S$/.test(row.operands)) write(s, stack, 2, selector());
  if (/^L[DEFGS]S$/.test(row.mnemonic)) {
    write(s, s.offset, size, random.integer(size * 8));
    write(s, s.offset + size, 2, selector());
  }
  if (/^(JMPF|CALLF)$/.test(row.mnemonic)) {
    const target = codeTarget(s);
    if (row.operands === "Ap") values[0] = BigInt.asUintN(size * 8, target) | (code() << 64n);
    else {
      write(s, s.offset, size, target);
      write(s, s.offset + size, 2, code());
    }
  }
  if (row.mnemonic === "RETF") slots(codeTarget(s), code());
  if (row.mnemonic === "RETF" && row.operands === "Iw") values[0] = BigInt(random.below(64));
  if (row.mnemonic === "IRET") {
    const flags = (BigInt(random.bits32()) & 0x24_0cd5n) | 0x202n;
    const data = BigInt(random.chance(85) ? 0x2b : random.pick(SELECTORS));
    slots(codeTarget(s), code(), flags, windowOffsetOf(s.mode) + BigInt(random.below(1000)), data);
  }
  // Vectors that user code may call end the process or a case.
  if (row.mnemonic === "INT") values[0] = BigInt(random.pick([0, 1, 2, 5, 8, 13, 14, 0x20, 0x7f, 0x81, 0xff]));
}
