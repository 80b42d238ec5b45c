// Compiled regions against the interpreter: random instruction sequences, loops, branches; the state afterwards must be the same.
import { describe, expect, it } from "vitest";
import type { CpuState } from "../../../../native-core/cpu/cpu-state.ts";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { decodeBlock } from "../../../../native-core/x86/decoder/decode-block.ts";
import type { InstructionRow } from "../../../../native-core/x86/row.ts";
import { ROWS } from "../../../../native-core/x86/rows.ts";
import { STATE, STATE_SIZE, VECTOR_OFFSET } from "../../../../native-core/x86/state-layout.ts";
import { BASES, encodeRow } from "../../../support/cpu/encode-row.ts";
import { CODE, DATA, interpreterMachine, RAM_BYTES, STACK } from "../../../support/cpu/long-mode.ts";
import { Random } from "../../../support/cpu/random.ts";

const interpreter = interpreterMachine();
const compiled = interpreterMachine(undefined, undefined, undefined, { threshold: 1, batch: 1 });
const both: readonly InterpreterVcpu[] = [interpreter, compiled];

const HLT = 0xf4;

function writeBoth(address: number, bytes: Uint8Array): void {
  for (const cpu of both) cpu.ram.write(address, bytes);
}

function setBoth(change: (state: CpuState) => void): void {
  for (const cpu of both) change(cpu.state);
}

function randomize(random: Random): void {
  const general = Array.from({ length: 16 }, () => random.operand());
  for (const base of BASES)
    general[base] = BigInt(DATA + random.pick([0x800, 0xff8, 0x1ff1, 0x2000]) + random.below(8));
  if (random.below(8) === 0)
    general[random.pick(BASES)] = random.pick([1n << 47n, 0x8000_0000n, 0xffff_ffff_ffff_fff0n]);
  general[1] = BigInt(random.below(64));
  general[4] = BigInt(STACK);
  const vectors = Array.from({ length: 16 }, () => (random.operand() << 64n) | random.operand());
  const flags = (random.u64() & 0xcd5n) | 2n;
  setBoth((state) => {
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
  });
}

function visible(state: CpuState): Record<string, unknown> {
  const names = ["rip", "cr2", "mxcsr", "x87Status", "x87Tag", "cpl", "halted", "instructionCount"] as const;
  return {
    flags: state.flags,
    general: Array.from({ length: 16 }, (_, n) => state.general(n).toString(16)),
    ...Object.fromEntries(names.map((name) => [name, state.get(STATE[name]).toString(16)])),
    vectors: Buffer.from(state.bytes.subarray(VECTOR_OFFSET, STATE_SIZE)).toString("hex"),
  };
}

function expectSame(what: string): void {
  expect(visible(compiled.state), what).toEqual(visible(interpreter.state));
  const [a, b] = both.map((cpu) => Buffer.from(cpu.ram.bytes().buffer, 0, RAM_BYTES)) as [Buffer, Buffer];
  if (a.compare(b) === 0) return;
  expect.fail(`${what}: memory differs at 0x${a.findIndex((byte, n) => byte !== b[n]).toString(16)}`);
}

/** Runs both and compares at every step of `instructions`. */
function run(instructions: number, steps: number, what: string): void {
  for (let step = 0; step < steps; step++) {
    const ends = both.map((cpu) => cpu.run(instructions));
    expect(ends[1], what).toBe(ends[0]);
    expectSame(`${what} after ${(step + 1) * instructions}`);
    if (ends[0] !== "deadline") return;
  }
}

function oneInstruction(row: InstructionRow, random: Random): Uint8Array {
  const code = encodeRow(row, random);
  const padded = new Uint8Array(4096);
  padded.set(code);
  const block = decodeBlock(() => padded, 0n, 8, { maxInstructions: 1 });
  if ("faultOffset" in block) throw new Error("the code is there");
  return code.subarray(0, block.length);
}

const rows = ROWS.filter(
  (row) => row.opcode !== "" && row.mode !== "legacy" && !row.system && !row.privileged && !row.endsBlock,
);
const plain = rows.filter((row) => !row.cold && !row.repeatable && row.operands !== "");

function sequence(random: Random, length: number, from: readonly InstructionRow[] = plain): number[] {
  return Array.from({ length }, () => [...oneInstruction(random.pick(from), random)]).flat();
}

const hex = (code: readonly number[]): string => Buffer.from(Uint8Array.from(code)).toString("hex");

describe("every instruction form", () => {
  for (const mnemonic of new Set(rows.map((row) => row.mnemonic))) {
    it(`${mnemonic} does the same compiled and interpreted`, () => {
      const random = new Random(mnemonic.length * 1000 + mnemonic.charCodeAt(0));
      for (const row of rows.filter((candidate) => candidate.mnemonic === mnemonic)) {
        for (let round = 0; round < 6; round++) {
          randomize(random);
          const code = [...oneInstruction(row, random), HLT];
          writeBoth(CODE, Uint8Array.from(code));
          run(200, 3, `${row.mnemonic} ${row.opcode} ${row.operands}: ${hex(code)}`);
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
      writeBoth(CODE, Uint8Array.from(code));
      run(100, 2, `round ${round}: ${hex(code)}`);
    }
  });

  it("with forward and backward branches do the same at every deadline", () => {
    const random = new Random(12);
    for (let round = 0; round < 150; round++) {
      randomize(random);
      const code = branchy(random);
      writeBoth(CODE, Uint8Array.from(code));
      run(1 + random.below(40), 30, `round ${round}: ${hex(code)}`);
    }
  });
});

/** Pieces of straight code that end in a conditional jump to the start of any piece. */
function branchy(random: Random): number[] {
  const pieces = Array.from({ length: 6 }, () => sequence(random, 1 + random.below(5)));
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
      const bytes = [distance & 255, (distance >> 8) & 255, (distance >> 16) & 255, (distance >> 24) & 255];
      return [...piece, 0x0f, 0x80 + random.below(16), ...bytes];
    })
    .concat(HLT);
}
