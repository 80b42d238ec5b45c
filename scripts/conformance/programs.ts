// Random programs: a few instructions, loops of them and calls, that work on registers and the window. They show what single instructions can't:
// lazy flags that outlive several instructions, registers kept in locals, loops compiled as one region.
//
// RCX counts loops and R15 points into the window; nothing else is kept. What the architecture leaves undefined is tracked and not read.
import type { Size } from "../../native-core/ir/nodes.ts";
import type { OperandCode } from "../../native-core/x86/operands.ts";
import type { ArithmeticFlag } from "../../native-core/x86/row.ts";
import { type FormChoice, formChoices } from "./cases.ts";
import { encode, encodedBytes, type MemoryOperand } from "./encoder.ts";
import { FAMILIES, skipReason } from "./families.ts";
import type { Random } from "./random.ts";
import { background, type TestState, WINDOW_ADDRESS } from "./vector-format.ts";

const ALL: readonly ArithmeticFlag[] = ["CF", "PF", "AF", "ZF", "SF", "OF"];
const FLAG_BITS: Record<ArithmeticFlag, bigint> = { CF: 0x1n, PF: 0x4n, AF: 0x10n, ZF: 0x40n, SF: 0x80n, OF: 0x800n };
const POOL = [
  "arithmetic",
  "data-movement",
  "multiply",
  "shift",
  "bit",
  "sse-move",
  "sse-shuffle",
  "sse-integer",
  "sse-shift",
  "bit-count",
  "integer-extension",
  "sse3",
  "ssse3",
  "sse41-integer",
  "sse41-lane",
  "sse42-string",
  "crypto",
  "sha",
  "avx-derived",
  "avx-lane",
  "avx-integer",
  "bmi",
];
const FLOAT_POOL = ["sse-arithmetic", "sse-compare", "sse-convert", "sse41-float", "fma", "f16c"];
/** Approximations, divisions (mostly faults), what uses implicit registers of its own or RCX, and what only system code does. */
const EXCLUDED = /^(V?RCP|V?RSQRT|I?DIV|XLAT|V?MASKMOV(Q|DQU)|CMPXCHG8B|CMPXCHG16B|V?MOVNT|LEA|V?PCMP[EI]STRI)/;

const POINTER = 15;
const COUNTER = 1;
const STACK = 4;
const GENERAL = [0, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
const CMP_EAX_EAX = [0x39, 0xc0];
const DEC_ECX = [0xff, 0xc9];
const JNZ = [0x0f, 0x85];
const CALL = 0xe8;
const JMP = 0xeb;
const RET = 0xc3;
/** Three bodies and what joins them fit the 112 bytes that the runner has for code. */
const MAX_BODY = 22;

export interface Program {
  readonly code: Uint8Array;
  readonly input: TestState;
  /** Flags that are not defined when it stands before the instruction at an offset, or at its end. */
  readonly undefinedAt: ReadonlyMap<number, bigint>;
}

let cachedPool: readonly FormChoice[] | undefined;

function pool(): readonly FormChoice[] {
  cachedPool ??= [...POOL, ...FLOAT_POOL].flatMap((family) =>
    (FAMILIES[family] ?? [])
      .filter(
        (row) =>
          !skipReason(row, "64") && row.mode !== "legacy" && !row.system && !row.cold && !EXCLUDED.test(row.mnemonic),
      )
      .filter((row) => !/(^|,)(O|X|Y)/.test(row.operands))
      .flatMap((row) => formChoices(row, "64")),
  );
  return cachedPool;
}

export function makeProgram(random: Random): Program {
  const input = background("64");
  for (const register of GENERAL) input.general[register] = random.integer(64);
  for (let n = 0; n < 16; n++) {
    const kind = random.pick(["integer", "f32", "f64"] as const);
    input.vector[n] = random.vector(kind);
    input.upper[n] = random.vector(kind);
  }
  input.general[POINTER] = WINDOW_ADDRESS + 512n;
  input.general[STACK] = WINDOW_ADDRESS + 960n; // out of reach of the pointer
  input.general[COUNTER] = BigInt(random.chance(10) ? 250 : 1 + random.below(4));
  input.mxcsr = random.pick([0x1f80, 0x1f80, 0x1fa0, 0x5f80]);
  input.flags = 0x202n | (BigInt(random.bits32()) & 0x8d5n);

  const open = new Set<ArithmeticFlag>();
  const loops = random.chance(50);
  const calls = random.chance(40);
  // In the order of execution, which is what flags follow; the subroutine stands behind the end.
  const first = makeBody(random, open, loops ? CMP_EAX_EAX : []);
  const subroutine = calls ? makeBody(random, open) : undefined;
  const second = calls ? makeBody(random, open) : undefined;

  const code: number[] = [];
  const undefinedAt = new Map<number, bigint>();
  const place = (body: Body): void => {
    for (const [offset, mask] of body.undefinedAt) undefinedAt.set(code.length + offset, mask);
    code.push(...body.bytes);
  };
  place(first);
  const callAt = code.length;
  if (second) {
    code.push(CALL, 0, 0, 0, 0);
    place(second);
  }
  if (loops) {
    code.push(...DEC_ECX);
    for (const flag of ALL) if (flag !== "CF") open.delete(flag);
    code.push(...JNZ, ...displacement(-(code.length + 6)));
  }
  if (subroutine) {
    code.push(JMP, subroutine.bytes.length + 1);
    code.splice(callAt + 1, 4, ...displacement(code.length - (callAt + 5)));
    place(subroutine);
    code.push(RET);
  }
  undefinedAt.set(code.length, maskOf(open));
  return { code: Uint8Array.from(code), input, undefinedAt };
}

interface Body {
  readonly bytes: readonly number[];
  readonly undefinedAt: ReadonlyMap<number, bigint>;
}

/** A few instructions in a row. `open`: flags that are undefined; kept up to date. */
function makeBody(random: Random, open: Set<ArithmeticFlag>, head: readonly number[] = []): Body {
  const bytes: number[] = [...head];
  const undefinedAt = new Map<number, bigint>([[0, maskOf(open)]]);
  if (head.length > 0) open.clear();
  undefinedAt.set(bytes.length, maskOf(open));
  for (let left = 2 + random.below(6); left > 0 && bytes.length < MAX_BODY; left--) {
    const choice = random.pick(pool());
    const { row } = choice.encoding;
    if (row.reads?.some((flag) => open.has(flag))) continue;
    // A bit offset in a register reaches anywhere in memory.
    if (/^BT/.test(row.mnemonic) && choice.memory && row.operands === "Ev,Gv") continue;
    bytes.push(...encodeChoice(choice, random));
    // A shift by zero writes nothing, so only what must be written counts.
    const certain = !/^(SH|SA|RO|RC)/.test(row.mnemonic);
    if (certain) for (const flag of row.writes ?? []) open.delete(flag);
    for (const flag of row.undefines ?? []) open.add(flag);
    undefinedAt.set(bytes.length, maskOf(open));
  }
  return { bytes, undefinedAt };
}

function maskOf(open: ReadonlySet<ArithmeticFlag>): bigint {
  return [...open].reduce((mask, flag) => mask | FLAG_BITS[flag], 0n);
}

function displacement(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >> shift) & 0xff);
}

function encodeChoice(choice: FormChoice, random: Random): Uint8Array {
  const { encoding, size, memory } = choice;
  const { operands } = encoding;
  let register = 0;
  let target: number | MemoryOperand = memory ? windowOperand(random) : 0;
  let forceRex = false;
  let vvvv = 0;
  let is4 = 0;
  const values: (bigint | undefined)[] = [];
  operands.forEach((operand, n) => {
    if (operand.place === "immediate") values[n] = random.integer(encodedBytes(operand.encodedSize, size as Size) * 8);
    if (operand.place === "vex.vvvv") vvvv = chooseRegister(operand, random);
    if (operand.place === "vex.is4") is4 = chooseRegister(operand, random);
    if (operand.place !== "modrm.reg" && operand.place !== "opcode" && operand.place !== "modrm.rm") return;
    if (operand.place === "modrm.rm" && memory) return;
    const chosen = chooseRegister(operand, random);
    // SPL..DIL rather than AH..BH.
    if (operand.file === "general" && operand.registerSize === 1) forceRex = true;
    if (operand.place === "modrm.rm") target = chosen;
    else register = chosen;
  });
  return encode(encoding, { mode: "64", size, prefixes: [], register, target, values, forceRex, vvvv, is4 });
}

function chooseRegister(operand: OperandCode, random: Random): number {
  return operand.file === "general" ? random.pick(GENERAL) : random.below(16);
}

function windowOperand(random: Random): MemoryOperand {
  const aligned = (random.below(32) - 16) * 16;
  return { base: POINTER, scale: 0, displacement: random.chance(85) ? aligned : aligned + random.below(16) };
}
