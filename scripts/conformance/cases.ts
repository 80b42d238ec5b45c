// Makes cases of a row: picks form, registers, addressing and values, biased to edges, and encodes them.
import type { Size } from "../../native-core/ir/nodes.ts";
import { isVexOpcode } from "../../native-core/x86/decoder/vex-map.ts";
import { type RowEncoding, rowEncodings } from "../../native-core/x86/forms.ts";
import { mayBeMemory, mayBeRegister, type OperandCode, type SizeCode } from "../../native-core/x86/operands.ts";
import type { InstructionRow } from "../../native-core/x86/row.ts";
import { encode, encodedBytes, type MemoryOperand } from "./encoder.ts";
import { rowKey } from "./families.ts";
import type { NativeCase } from "./native.ts";
import { Random } from "./random.ts";
import { prepare } from "./situations.ts";
import { background, type Mode, STATE_IMAGE, type TestState, WINDOW_SIZE, windowOffsetOf } from "./vector-format.ts";

/** What of a row is held fixed in a group of cases. */
export interface FormChoice {
  readonly encoding: RowEncoding;
  readonly mode: Mode;
  readonly size: Size;
  readonly memory: boolean;
  readonly repeat: number | undefined;
}

const RSP = 4;
/** Bases and indexes: registers that no instruction uses implicitly together with a memory operand. */
const ADDRESS_REGISTERS: Record<Mode, readonly number[]> = {
  "64": [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  legacy: [5, 6, 7],
  "16": [5, 6, 7],
};

/** Rows have forms for 64-bit code and for all other. */
export function formMode(mode: Mode): "64" | "legacy" {
  return mode === "64" ? "64" : "legacy";
}

export function formChoices(row: InstructionRow, mode: Mode): FormChoice[] {
  const encoding = rowEncodings(formMode(mode)).find((candidate) => candidate.row === row);
  if (!encoding) return [];
  const memories = [
    ...(mayBeRegister(encoding.operands) ? [false] : []),
    ...(mayBeMemory(encoding.operands) ? [true] : []),
  ];
  const repeats = row.repeatable ? [undefined, 0xf3, 0xf2] : [undefined];
  // AMD and Intel differ in REX.W of far pointers.
  const sizes = sizesOf(encoding, mode).filter((size) => size !== 8 || !/^(JMPF|CALLF|L[SFG]S)$/.test(row.mnemonic));
  return sizes.flatMap((size) =>
    memories.flatMap((memory) => repeats.map((repeat) => ({ encoding, mode, size, memory, repeat }))),
  );
}

function sizesOf({ sizeRule, fixedSize, operands }: RowEncoding, mode: Mode): readonly Size[] {
  // Processors disagree on a 16-bit branch in 64-bit mode; it does not occur.
  const isBranch = operands.some(({ place }) => place === "relative");
  switch (sizeRule) {
    case "fixed":
      return [fixedSize];
    case "v":
      return mode === "64" ? [2, 4, 8] : [2, 4];
    case "z":
      return [2, 4];
    case "y":
      return mode === "64" ? [4, 8] : [4];
    case "d64":
      return mode === "64" ? [2, 8] : [2, 4];
    default:
      return mode === "64" ? [8] : isBranch ? [4] : [4];
  }
}

export function makeCase(choice: FormChoice, random: Random): NativeCase {
  const { encoding, mode, size, memory, repeat } = choice;
  const { row, operands } = encoding;
  const state = background(mode);
  const registers = mode === "64" ? 16 : 8;

  state.flags = 0x202n | randomFlags(random);
  const bytes = operands.map((operand) =>
    sizeOf(memory ? (operand.memorySize ?? operand.registerSize) : operand.registerSize, size),
  );
  const memoryBytes = operands.reduce(
    (sum, operand, n) => (operand.memorySize === undefined ? sum : (bytes[n] ?? 0)),
    0,
  );

  const offset = windowOffset(row, memoryBytes, random);
  const hasVectorIndex = operands.some(({ text }) => text.startsWith("VSIB"));
  const address = hasVectorIndex
    ? vectorIndexed(mode, random)
    : memory
      ? chooseAddress(mode, offset, state, random)
      : undefined;
  const used = address ? [address.base, address.index] : [];

  let register = 0;
  let target: number | MemoryOperand = address ?? 0;
  let forceRex = false;
  let vvvv = 0;
  let is4 = 0;
  const values: (bigint | undefined)[] = [];
  operands.forEach((operand, n) => {
    const width = sizeOf(operand.registerSize, size);
    switch (operand.place) {
      case "modrm.reg":
      case "opcode":
      case "modrm.rm": {
        if (operand.place === "modrm.rm" && memory) {
          fillMemory(state, offset, operand, memoryBytes, random);
          return;
        }
        const chosen = chooseRegister(operand, width, registers, used, random);
        if (chosen >= 4 && chosen < 8 && width === 1 && operand.file === "general") forceRex = true;
        setRegister(state, operand, chosen, width, mode, random);
        if (operand.place === "modrm.rm") target = chosen;
        else register = chosen;
        return;
      }
      case "vex.vvvv":
      case "vex.is4": {
        const chosen = chooseRegister(operand, width, registers, used, random);
        setRegister(state, operand, chosen, width, mode, random);
        if (operand.place === "vex.vvvv") vvvv = chosen;
        else is4 = chosen;
        return;
      }
      case "accumulator":
      case "fixed":
        if (operand.file === "general") setRegister(state, operand, operand.value ?? 0, width, mode, random);
        return;
      case "immediate": {
        const encoded = encodedBytes(operand.encodedSize, size);
        values[n] = random.integer(encoded * 8);
        return;
      }
      case "relative":
        // Behind the instruction or well before it: never onto itself.
        values[n] = BigInt(random.pick([1, -1]) * (20 + random.below(operand.encodedSize === 1 ? 100 : 1500)));
        return;
      case "offset":
        values[n] = windowOffsetOf(mode) + BigInt(offset);
        fillMemory(state, offset, operand, memoryBytes, random);
        return;
    }
  });
  // AH..BH exclude REX; if another operand asks for it, take the low bytes instead.
  if (isHighByte(register) && (forceRex || needsRex(target, address) || size === 8)) register -= 16;
  if (typeof target === "number" && isHighByte(target) && (forceRex || register >= 8 || size === 8)) target -= 16;
  if (mode !== "64") forceRex = false;

  const prefixes: number[] = repeat === undefined ? [] : [repeat];
  if (row.lockable && memory && random.chance(25)) prefixes.push(0xf0);
  const vex = isVexOpcode(row.opcode)
    ? { w: random.chance(50), l: random.chance(50), long: random.chance(50) }
    : undefined;
  if (vex && random.chance(2)) prefixes.push(random.pick([0x66, 0xf2, 0xf3, 0xf0]));
  if (vex && random.chance(3) && vvvv === 0) vvvv = 1 + random.below(7); // where it is unused: #UD
  if (/^(sse|avx|fma|f16c)/.test(row.feature ?? "")) state.mxcsr = randomMxcsr(random);
  prepare({ row, mode, size, memory, state, random, register, target, second: vvvv, values, offset, memoryBytes });
  const instance = { mode, size, prefixes, register, target, values, forceRex, vvvv, is4, ...(vex && { vex }) };
  return { mode, code: encode(encoding, instance), input: state };
}

/** `seed`: another text makes other cases of the same form. */
export function casesOf(choice: FormChoice, count: number, seed = ""): NativeCase[] {
  const { encoding, mode, size, memory, repeat } = choice;
  const random = new Random(`${rowKey(encoding.row)} ${mode} ${size} ${memory} ${repeat ?? ""}${seed}`);
  return Array.from({ length: count }, () => makeCase(choice, random));
}

// --- operands ----------------------------------------------------------------------------------------------------------

const isHighByte = (register: number): boolean => register >= 16;

function needsRex(target: number | MemoryOperand, address: MemoryOperand | undefined): boolean {
  if (address) return (address.base ?? 0) >= 8 || (address.index ?? 0) >= 8;
  return typeof target === "number" && target >= 8 && target < 16;
}

function sizeOf(code: SizeCode | undefined, size: Size): number {
  if (code === undefined) return 0;
  return typeof code === "number" ? code : code === "z" ? Math.min(size, 4) : size;
}

function chooseRegister(
  operand: OperandCode,
  width: number,
  registers: number,
  used: readonly (number | undefined)[],
  random: Random,
): number {
  if (operand.file === "x87" || operand.file === "mmx") return random.below(8);
  // Numbers that exist, and of segment registers now and then CS or none at all.
  if (operand.file === "segment") return random.chance(90) ? random.pick([0, 2, 3, 4, 5]) : random.pick([1, 6, 7]);
  if (operand.file === "control") return random.pick([0, 2, 3, 4]);
  if (operand.file === "debug") return random.pick([0, 1, 2, 3, 6, 7]);
  if (operand.file === "general" && width === 1 && random.chance(20)) return 16 + random.below(4);
  // Outside 64-bit mode byte registers 4..7 are AH..BH and need no REX; use the low four.
  const limit = operand.file === "general" && width === 1 && registers === 8 ? 4 : registers;
  for (;;) {
    const register = random.below(limit);
    if (operand.file === "general" && (used.includes(register) || register === RSP)) continue;
    return register;
  }
}

function setRegister(
  state: TestState,
  operand: OperandCode,
  register: number,
  width: number,
  mode: Mode,
  random: Random,
): void {
  if (operand.file === "x87") state.x87[register] = random.extended();
  else if (operand.file === "mmx")
    state.x87[register] = (0xffffn << 64n) | BigInt.asUintN(64, random.vector("integer"));
  else if (operand.file === "vector") {
    const kind = laneKind(operand, random);
    state.vector[register] = random.vector(kind);
    if (width > 16) state.upper[register] = random.vector(kind);
  } else if (operand.file === "general") {
    const high = register >= 16;
    const n = high ? register - 16 : register;
    const value = random.integer(width * 8);
    const rest = state.general[n] ?? 0n;
    const shift = high ? 8n : 0n;
    const mask = ((1n << BigInt(width * 8)) - 1n) << shift;
    state.general[n] = (rest & ~mask) | (value << shift);
    if (mode !== "64") state.general[n] = (state.general[n] ?? 0n) & 0xffff_ffffn;
  }
}

function laneKind(operand: OperandCode, random: Random): "integer" | "f32" | "f64" {
  const suffix = operand.text.replace(/^[A-Z]/, "");
  if (suffix === "ss" || suffix === "ps") return "f32";
  if (suffix === "sd" || suffix === "pd") return "f64";
  return random.pick(["integer", "integer", "integer", "f32", "f64"]);
}

function fillMemory(state: TestState, offset: number, operand: OperandCode, bytes: number, random: Random): void {
  const kind = laneKind(operand, random);
  const isVector = operand.file === "vector" || bytes > 8;
  let value = isVector ? random.vector(kind) : random.integer(bytes <= 8 ? bytes * 8 || 64 : 64);
  if (bytes > 16) value |= random.vector(kind) << 128n;
  for (let n = 0; n < Math.max(bytes, 1) && offset + n < WINDOW_SIZE; n++) {
    state.window[offset + n] = Number((value >> BigInt(8 * n)) & 0xffn);
  }
}

/** Mostly mid-window and aligned; sometimes misaligned, sometimes reaching into the absent page. */
function windowOffset(row: InstructionRow, bytes: number, random: Random): number {
  const size = Math.max(bytes, 1);
  if (STATE_IMAGE.test(row.mnemonic)) return random.chance(95) ? 0 : 1 + 2 * random.below(32);
  if (row.addressing !== "unused" && random.chance(5)) return WINDOW_SIZE - random.below(size + 1);
  const aligned = 256 + (bytes === 32 ? 32 * random.below(16) : 16 * random.below(32));
  const mustBeAligned = bytes === 16 && !isVexOpcode(row.opcode);
  return random.chance(mustBeAligned ? 90 : 60) ? aligned : aligned + random.below(bytes === 32 ? 32 : 16);
}

function chooseAddress(mode: Mode, offset: number, state: TestState, random: Random): MemoryOperand {
  if (mode === "16" && random.chance(75)) return chooseAddress16(offset, state, random);
  const target = windowOffsetOf(mode) + BigInt(offset);
  const registers = ADDRESS_REGISTERS[mode];
  const base = random.pick(registers);
  const displacement = random.pick([0, 0, random.below(256) - 128, random.below(0x20000) - 0x10000]);
  const wrap = (value: bigint): bigint => BigInt.asUintN(mode === "64" ? 64 : 32, value);
  switch (random.below(8)) {
    case 0:
      return mode === "64"
        ? { scale: 0, displacement: 0, ripTarget: target }
        : { scale: 0, displacement: Number(target) };
    case 1:
      return { scale: 0, displacement: Number(target) };
    case 2: {
      const scale = random.below(4);
      const step = BigInt(random.below(64)) - 32n;
      state.general[base] = wrap(step);
      return { index: base, scale, displacement: Number(target - (step << BigInt(scale))) };
    }
    case 3:
    case 4: {
      const index = random.pick(registers.filter((register) => register !== base));
      const scale = random.below(4);
      const step = random.pick([BigInt(random.below(4096)) - 2048n, random.bits64() >> 1n]);
      state.general[index] = wrap(step);
      state.general[base] = wrap(target - BigInt(displacement) - (step << BigInt(scale)));
      return { base, index, scale, displacement };
    }
    case 5:
      // RSP as base takes a SIB byte of its own.
      if (mode === "16") state.general[RSP] = (state.general[RSP] ?? 0n) & 0xffffn;
      return { base: RSP, scale: 0, displacement: Number(target - (state.general[RSP] ?? 0n)) };
    default:
      state.general[base] = wrap(target - BigInt(displacement));
      return { base, scale: 0, displacement };
  }
}

/** The index is a vector register. */
function vectorIndexed(mode: Mode, random: Random): MemoryOperand {
  const index = random.below(mode === "64" ? 16 : 8);
  const displacement = random.pick([0, random.below(256) - 128, random.below(0x20000) - 0x10000]);
  const place = { index, scale: random.below(4), displacement };
  return random.chance(20) ? place : { base: random.pick(ADDRESS_REGISTERS[mode]), ...place };
}

/** BX+SI, BX+DI, BP+SI, BP+DI, SI, DI, BP, BX, and a displacement alone; sums wrap at 64 KiB. */
const BASES_16: readonly (readonly number[])[] = [[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3], []];

function chooseAddress16(offset: number, state: TestState, random: Random): MemoryOperand {
  const target = Number(windowOffsetOf("16")) + offset;
  const rm16 = random.below(9);
  const [base, index] = BASES_16[rm16] ?? [];
  if (base === undefined) return { scale: 0, displacement: target, rm16 };
  const displacement = random.pick([0, random.below(256) - 128, random.below(0x10000) - 0x8000]);
  const setLow = (register: number, value: number): void => {
    state.general[register] = ((state.general[register] ?? 0n) & ~0xffffn) | BigInt(value & 0xffff);
  };
  const step = index === undefined ? 0 : random.below(0x10000);
  if (index !== undefined) setLow(index, step);
  setLow(base, target - displacement - step);
  return { base, ...(index === undefined ? {} : { index }), scale: 0, displacement, rm16 };
}

function randomFlags(random: Random): bigint {
  return BigInt(random.bits32()) & 0x8d5n;
}

/** Default control with and without sticky flags, other rounding modes, FTZ and DAZ, and now and then an unmasked exception. */
function randomMxcsr(random: Random): number {
  const roll = random.below(100);
  if (roll < 50) return 0x1f80;
  if (roll < 70) return 0x1fa0;
  const sticky = random.bits32() & 0x3f;
  if (roll < 80) return 0x1f80 | sticky | (random.below(4) << 13);
  if (roll < 92) return 0x1f80 | sticky | (random.below(4) << 13) | random.pick([0x8000, 0x40, 0x8040]);
  return 0x1f80 & ~(0x80 << random.below(6));
}
