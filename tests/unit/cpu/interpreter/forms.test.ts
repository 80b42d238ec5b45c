// The interpreter against the evaluator: every row with random encodings and operands, one instruction at a time and in sequences.
import { beforeAll, describe, expect, it } from "vitest";
import type { CpuState } from "../../../../native-core/cpu/cpu-state.ts";
import type { EvaluatorCpu } from "../../../../native-core/cpu/evaluator/evaluator-cpu.ts";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { decodeBlock } from "../../../../native-core/x86/decoder/decode-block.ts";
import type { InstructionRow } from "../../../../native-core/x86/row.ts";
import { ROWS } from "../../../../native-core/x86/rows.ts";
import { STATE, STATE_SIZE, VECTOR_OFFSET } from "../../../../native-core/x86/state-layout.ts";
import { BASES, encodeRow } from "../../../support/cpu/encode-row.ts";
import {
  CODE,
  DATA,
  enableAvx,
  enterProtectedMode,
  evaluatorMachine,
  interpreterMachine,
  RAM_BYTES,
  STACK,
} from "../../../support/cpu/long-mode.ts";
import { Random } from "../../../support/cpu/random.ts";

/** In 32-bit mode these leave segments behind that later cases would trip over. */
const LOADS_SEGMENTS = new Set(["POP", "LDS", "LES", "LFS", "LGS", "LSS"]);

/** Rows of both modes that do not change what the test machine stands on. */
const candidates = ROWS.filter((row) => row.opcode !== "" && !row.system && !row.privileged);
const rows = candidates.filter((row) => row.mode !== "legacy");
const legacyRows = candidates.filter((row) => row.mode !== "64" && !LOADS_SEGMENTS.has(row.mnemonic));

const evaluator = evaluatorMachine();
const interpreter = interpreterMachine();
allowAvx();

function allowAvx(): void {
  for (const cpu of [evaluator, interpreter]) {
    enableAvx(cpu.state);
    cpu.modeChanged();
  }
}

/** Puts the same bytes into both memories, at the same address. */
function writeBoth(address: number, bytes: Uint8Array): void {
  evaluator.memory.bytes.set(bytes, address);
  interpreter.ram.write(address, bytes);
}

function setBoth(change: (state: CpuState) => void): void {
  change(evaluator.state);
  change(interpreter.state);
}

function randomize(random: Random): void {
  const general = Array.from({ length: 16 }, () => random.operand());
  // Bases point into data, sometimes near the end of a page; RCX is an index, RSP a stack.
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
    state.setNumber(STATE.halted, 0);
    state.setNumber(STATE.mxcsr, 0x1f80);
    state.set(STATE.cr2, 0n);
  });
}

/** What the guest can see. The lazy flags and the pseudo registers are each tier's own business. */
function visible(state: CpuState): Record<string, unknown> {
  const names = ["rip", "cr2", "mxcsr", "x87Status", "x87Tag", "x87Control", "cpl", "halted"] as const;
  return {
    flags: state.flags,
    general: Array.from({ length: 16 }, (_, n) => state.general(n).toString(16)),
    ...Object.fromEntries(names.map((name) => [name, state.get(STATE[name]).toString(16)])),
    vectors: Buffer.from(state.bytes.subarray(VECTOR_OFFSET, STATE_SIZE)).toString("hex"),
  };
}

function expectSame(what: string): void {
  expect(visible(interpreter.state), what).toEqual(visible(evaluator.state));
  const memory = Buffer.from(interpreter.ram.bytes().buffer, interpreter.ram.bytes().byteOffset, RAM_BYTES);
  if (Buffer.compare(memory, evaluator.memory.bytes) === 0) return;
  const at = evaluator.memory.bytes.findIndex((byte, n) => byte !== memory[n]);
  expect.fail(`${what}: memory differs at 0x${at.toString(16)}`);
}

const describeCase = (row: InstructionRow, code: Uint8Array): string =>
  `${row.mnemonic} ${row.opcode} ${row.operands}: ${Buffer.from(code).toString("hex")}`;

function stepBoth(evaluatorCpu: EvaluatorCpu, interpreterCpu: InterpreterVcpu): void {
  evaluatorCpu.step();
  interpreterCpu.step();
}

function testRows(tested: readonly InstructionRow[], long: boolean): void {
  for (const mnemonic of new Set(tested.map((row) => row.mnemonic))) {
    it(`${mnemonic} does the same on interpreter and evaluator`, () => {
      const random = new Random(mnemonic.length * 1000 + mnemonic.charCodeAt(0));
      for (const row of tested.filter((candidate) => candidate.mnemonic === mnemonic)) {
        for (let round = 0; round < (long ? 12 : 6); round++) {
          randomize(random);
          const code = encodeRow(row, random, long);
          writeBoth(CODE, code);
          writeBoth(
            DATA + 0xff0,
            Uint8Array.from({ length: 48 }, () => random.below(256)),
          );
          stepBoth(evaluator, interpreter);
          expectSame(describeCase(row, code));
        }
      }
    });
  }
}

describe("every instruction form in 64-bit mode", () => {
  testRows(rows, true);
});

/** An instruction of a row without what follows it. */
function oneInstruction(row: InstructionRow, random: Random): Uint8Array {
  const code = encodeRow(row, random);
  const padded = new Uint8Array(4096);
  padded.set(code);
  const block = decodeBlock(() => padded, 0n, 8, { maxInstructions: 1 });
  if ("faultOffset" in block) throw new Error("the code is there");
  return code.subarray(0, block.length);
}

describe("sequences", () => {
  const plain = rows.filter((row) => !row.endsBlock && !row.cold && !row.repeatable && row.operands !== "");
  const HLT = 0xf4;

  it("run as blocks do the same as instruction by instruction", () => {
    const random = new Random(7);
    for (let round = 0; round < 150; round++) {
      randomize(random);
      const code = Array.from({ length: 12 }, () => [...oneInstruction(random.pick(plain), random)]).flat();
      writeBoth(CODE, Uint8Array.from([...code, HLT]));
      setBoth((state) => state.set(STATE.instructionCount, 0n));
      for (let n = 0; n < 100 && evaluator.step() !== "halted"; n++);
      interpreter.run(100);
      expectSame(`round ${round}: ${Buffer.from(Uint8Array.from(code)).toString("hex")}`);
    }
  });

  it("compare and branch as one handler as they do one after the other", () => {
    const random = new Random(11);
    const compares = rows.filter(({ mnemonic }) =>
      ["CMP", "TEST", "SUB", "AND", "ADD", "DEC", "INC"].includes(mnemonic),
    );
    for (let round = 0; round < 400; round++) {
      randomize(random);
      // jcc over `mov r15b, 1`, so that both ways meet again.
      const branch = [0x70 + random.below(16), 3, 0x41, 0xb7, 1];
      const code = [...oneInstruction(random.pick(compares), random), ...branch, HLT];
      writeBoth(CODE, Uint8Array.from(code));
      setBoth((state) => state.set(STATE.instructionCount, 0n));
      for (let n = 0; n < 10 && evaluator.step() !== "halted"; n++);
      interpreter.run(100);
      const text = `round ${round}: ${Buffer.from(Uint8Array.from(code)).toString("hex")}`;
      expectSame(text);
      expect(interpreter.state.get(STATE.instructionCount), text).toBe(evaluator.state.get(STATE.instructionCount));
    }
  });

  it("count the instructions they retire", () => {
    randomize(new Random(1));
    writeBoth(CODE, Uint8Array.of(0x90, 0x90, 0x40, 0x90, 0xeb, 0x00, 0x90, HLT));
    setBoth((state) => state.set(STATE.instructionCount, 0n));
    expect(interpreter.run(1000)).toBe("halted");
    expect(interpreter.state.get(STATE.instructionCount)).toBe(6n);
  });
});

describe("every instruction form in 32-bit mode", () => {
  beforeAll(() => {
    enterProtectedMode({
      state: evaluator.state,
      write: (address, bytes) => evaluator.memory.bytes.set(bytes, address),
    });
    enterProtectedMode({ state: interpreter.state, write: (address, bytes) => interpreter.ram.write(address, bytes) });
    allowAvx();
    evaluator.modeChanged();
    interpreter.invalidateAll();
  });
  testRows(legacyRows, false);
});
