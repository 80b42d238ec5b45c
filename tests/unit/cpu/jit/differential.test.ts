// Compiled regions against the interpreter: random instruction sequences, loops, branches; the state afterwards must be the same.
import { describe, it } from "vitest";
import { type CodeMode, decodeBlock } from "../../../../native-core/x86/decoder/decode-block.ts";
import type { InstructionRow } from "../../../../native-core/x86/row.ts";
import { ROWS } from "../../../../native-core/x86/rows.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { BASES, encodeRow } from "../../../support/cpu/encode-row.ts";
import { Lockstep } from "../../../support/cpu/lockstep.ts";
import { CODE, DATA, enableAvx, enterProtectedMode, STACK } from "../../../support/cpu/long-mode.ts";
import { Random } from "../../../support/cpu/random.ts";

const lockstep = new Lockstep();
const protectedMode = new Lockstep();
for (const cpu of protectedMode.both()) {
  enterProtectedMode({ state: cpu.state, write: (address, bytes) => cpu.ram.write(address, bytes) });
  enableAvx(cpu.state);
  cpu.modeChanged();
}

const HLT = 0xf4;

function randomize(random: Random, on = lockstep): void {
  const general = Array.from({ length: 16 }, () => random.operand());
  for (const base of BASES)
    general[base] = BigInt(DATA + random.pick([0x800, 0xff8, 0x1ff1, 0x2000]) + random.below(8));
  if (random.below(8) === 0)
    general[random.pick(BASES)] = random.pick([1n << 47n, 0x8000_0000n, 0xffff_ffff_ffff_fff0n]);
  general[1] = BigInt(random.below(64));
  general[4] = BigInt(STACK);
  const vectors = Array.from({ length: 16 }, () => (random.operand() << 64n) | random.operand());
  const flags = (random.u64() & 0xcd5n) | 2n;
  on.set((state) => {
    general.forEach((value, n) => {
      state.setGeneral(n, value);
    });
    vectors.forEach((value, n) => {
      state.setVector(n, value);
    });
    state.flags = flags;
    state.set(STATE.rip, BigInt(CODE));
    state.set(STATE.instructionCount, 0n);
    state.setNumber(STATE.halted, 0);
    state.setNumber(STATE.mxcsr, 0x1f80);
    state.set(STATE.cr2, 0n);
    state.set(STATE.rip, BigInt(CODE));
  });
}

function oneInstruction(row: InstructionRow, random: Random, mode: CodeMode): Uint8Array {
  const code = encodeRow(row, random, mode === 8);
  const padded = new Uint8Array(4096);
  padded.set(code);
  const block = decodeBlock(() => padded, 0n, mode, { maxInstructions: 1 });
  if ("faultOffset" in block) throw new Error("the code is there");
  return code.subarray(0, block.length);
}

const simple = ROWS.filter((row) => row.opcode !== "" && !row.system && !row.privileged && !row.endsBlock);
const rows = simple.filter((row) => row.mode !== "legacy");
const isPlain = (row: InstructionRow): boolean => !row.cold && !row.repeatable && row.operands !== "";
const plain = rows.filter(isPlain);
const plainLegacy = simple.filter((row) => row.mode !== "64" && isPlain(row));

function sequence(
  random: Random,
  length: number,
  from: readonly InstructionRow[] = plain,
  mode: CodeMode = 8,
): number[] {
  return Array.from({ length }, () => [...oneInstruction(random.pick(from), random, mode)]).flat();
}

const hex = (code: readonly number[]): string => Buffer.from(Uint8Array.from(code)).toString("hex");

describe("every instruction form", () => {
  for (const mnemonic of new Set(rows.map((row) => row.mnemonic))) {
    it(`${mnemonic} does the same compiled and interpreted`, () => {
      const random = new Random(mnemonic.length * 1000 + mnemonic.charCodeAt(0));
      for (const row of rows.filter((candidate) => candidate.mnemonic === mnemonic)) {
        for (let round = 0; round < 6; round++) {
          randomize(random);
          const code = [...oneInstruction(row, random, 8), HLT];
          lockstep.write(CODE, code);
          lockstep.run(200, 3, `${row.mnemonic} ${row.opcode} ${row.operands}: ${hex(code)}`);
        }
      }
    });
  }
});

describe("sequences", () => {
  it("of random instructions do the same", () => {
    const random = new Random(11);
    for (let round = 0; round < 200; round++) {
      randomize(random);
      const code = [...sequence(random, 12), HLT];
      lockstep.write(CODE, code);
      lockstep.run(100, 2, `round ${round}: ${hex(code)}`);
    }
  });

  it("with forward and backward branches do the same at every deadline", () => {
    const random = new Random(12);
    for (let round = 0; round < 150; round++) {
      randomize(random);
      const code = branchy(random);
      lockstep.write(CODE, code);
      lockstep.run(1 + random.below(40), 30, `round ${round}: ${hex(code)}`);
    }
  });
});

describe("32-bit code", () => {
  it("of random instructions does the same", () => {
    const random = new Random(21);
    for (let round = 0; round < 150; round++) {
      randomize(random, protectedMode);
      const code = [...sequence(random, 12, plainLegacy, 4), HLT];
      protectedMode.write(CODE, code);
      protectedMode.run(100, 2, `round ${round}: ${hex(code)}`);
    }
  });

  it("with forward and backward branches does the same at every deadline", () => {
    const random = new Random(22);
    for (let round = 0; round < 100; round++) {
      randomize(random, protectedMode);
      const code = branchy(random, plainLegacy, 4);
      protectedMode.write(CODE, code);
      protectedMode.run(1 + random.below(40), 30, `round ${round}: ${hex(code)}`);
    }
  });

  it("of functions that call each other does the same at every deadline", () => {
    const random = new Random(23);
    for (let round = 0; round < 80; round++) {
      randomize(random, protectedMode);
      const code = functions(random, plainLegacy, 4);
      protectedMode.write(CODE, code);
      protectedMode.run(1 + random.below(60), 40, `round ${round}: ${hex(code)}`);
    }
  });
});

describe("functions", () => {
  it("that call each other do the same at every deadline", () => {
    const random = new Random(13);
    for (let round = 0; round < 120; round++) {
      randomize(random);
      const code = functions(random);
      lockstep.write(CODE, code);
      lockstep.run(1 + random.below(60), 40, `round ${round}: ${hex(code)}`);
    }
  });
});

/**
 * Functions of a few pieces, each of which ends in a call of a later function, a call through RAX, a conditional jump back, or a return;
 * R15, or EBP, counts down and ends the program.
 */
function functions(random: Random, from = plain, mode: CodeMode = 8): number[] {
  const safe = from.filter((row) => !/^(PUSH|POP|XCHG|LEAVE|MOV)/.test(row.mnemonic));
  const body = (): number[] => sequence(random, 1 + random.below(4), safe, mode);
  const countDown = mode === 8 ? [0x49, 0xff, 0xcf] : [0x4d];
  const size = 0x100;
  const count = 5;
  const out: number[] = [];
  for (let n = 0; n < count; n++) {
    const at = out.length;
    // dec; jns +1; hlt
    out.push(...countDown, 0x79, 0x01, HLT);
    for (let piece = 0; piece < 3; piece++) {
      const code = body();
      if (out.length - at + code.length > size - 40) break;
      out.push(...code);
      const callee = Math.min(count - 1, n + 1 + random.below(2));
      const kind = random.below(3);
      if (n === count - 1 || kind === 2) continue;
      if (kind === 0) out.push(0xe8, ...int32(callee * size - (out.length + 5)));
      else out.push(0xb8, ...int32(CODE + callee * size), 0xff, 0xd0);
    }
    if (n === 0) out.push(0xe9, ...int32(-(out.length + 5)));
    else out.push(0xc3);
    while (out.length % size !== 0) out.push(0x90);
  }
  return out;
}

function int32(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
}

/** Pieces of straight code that end in a conditional jump to the start of any piece. */
function branchy(random: Random, from = plain, mode: CodeMode = 8): number[] {
  const pieces = Array.from({ length: 6 }, () => sequence(random, 1 + random.below(5), from, mode));
  const starts: number[] = [];
  let at = 0;
  for (const piece of pieces) {
    starts.push(at);
    at += piece.length + 6;
  }
  return pieces
    .flatMap((piece, n) => {
      const end = (starts[n] as number) + piece.length + 6;
      const distance = (random.pick(starts) - end) | 0;
      return [...piece, 0x0f, 0x80 + random.below(16), ...int32(distance)];
    })
    .concat(HLT);
}
