// 32-bit protected mode: what 64-bit code does not show. Each case once went wrong.
import { describe, expect, it } from "vitest";
import type { EvaluatorCpu } from "../../../native-core/cpu/evaluator/evaluator-cpu.ts";
import { STATE } from "../../../native-core/x86/state-layout.ts";
import { CODE, DATA, enterProtectedMode, evaluatorMachine, HANDLERS, quadwords } from "../../support/cpu/long-mode.ts";

const GDT = 0x6000;
const DATA_32 = 0x10;
/** A second stack segment of 64 KiB with a 16-bit stack pointer. */
const DATA_16 = 0x18;
const READ_ONLY = 0x20;
const VECTOR_GP = 13;
const VECTOR_SS = 12;

function machine(...code: number[]): EvaluatorCpu {
  const cpu = evaluatorMachine();
  enterProtectedMode({ state: cpu.state, write: (address, bytes) => cpu.memory.bytes.set(bytes, address) });
  cpu.memory.bytes.set(quadwords(0x0000_9300_0000_ffffn, 0x00cf_9100_0000_ffffn), GDT + DATA_16);
  cpu.memory.bytes.set(code, CODE);
  cpu.modeChanged();
  return cpu;
}

function handlerOf(vector: number): bigint {
  return BigInt(HANDLERS + vector * 16);
}

it("an instruction of 16-bit operand size goes on with all of EIP", () => {
  const cpu = machine(0x8e, 0xd8); // mov ds, ax
  cpu.state.setGeneral(0, BigInt(DATA_32));
  cpu.step();
  expect(cpu.state.get(STATE.rip)).toBe(BigInt(CODE + 2));
});

it("a near branch of 16-bit operand size truncates EIP", () => {
  const cpu = machine(0x66, 0xe9, 0x00, 0x01); // jmp rel16
  cpu.step();
  expect(cpu.state.get(STATE.rip)).toBe(BigInt((CODE + 4 + 0x100) & 0xffff));
});

it("POP SS moves the stack pointer of the stack it pops from", () => {
  const cpu = machine(0x17); // pop ss
  cpu.memory.bytes.set([DATA_32, 0, 0, 0], 0xfffc);
  cpu.state.setSegment("ss", "selector", BigInt(DATA_16));
  cpu.state.setSegment("ss", "attributes", 0x93n);
  cpu.modeChanged();
  cpu.state.setGeneral(4, 0x2_fffcn);
  cpu.step();
  expect(cpu.state.segment("ss", "selector")).toBe(BigInt(DATA_32));
  expect(cpu.state.general(4)).toBe(0x2_0000n);
});

it("ENTER on a 16-bit stack takes the whole ESP into EBP", () => {
  const cpu = machine(0xc8, 0x08, 0x00, 0x00); // enter 8, 0
  cpu.state.setSegment("ss", "attributes", 0x93n);
  cpu.modeChanged();
  cpu.state.setGeneral(4, 0x1_1000n);
  cpu.state.setGeneral(5, 0x2_2222n);
  cpu.step();
  expect(cpu.state.general(5)).toBe(0x1_0ffcn);
  expect(cpu.state.general(4)).toBe(0x1_0ff4n);
});

describe("segment checks of memory operands", () => {
  it("refuse a write to read-only data but not a read", () => {
    const write = machine(0x89, 0x03); // mov [ebx], eax
    const read = machine(0x8b, 0x03); // mov eax, [ebx]
    for (const cpu of [write, read]) {
      cpu.state.setSegment("ds", "selector", BigInt(READ_ONLY));
      cpu.state.setSegment("ds", "attributes", 0xc091n);
      cpu.state.setGeneral(3, BigInt(DATA));
      cpu.step();
    }
    expect(write.state.get(STATE.rip)).toBe(handlerOf(VECTOR_GP));
    expect(read.state.get(STATE.rip)).toBe(BigInt(CODE + 2));
  });

  it.each([
    ["DS beyond its limit raises #GP", [0x8b, 0x03], VECTOR_GP], // mov eax, [ebx]
    ["SS beyond its limit raises #SS", [0x36, 0x8b, 0x03], VECTOR_SS], // mov eax, ss:[ebx]
  ])("%s", (_, code, vector) => {
    const cpu = machine(...code);
    for (const name of ["ds", "ss"] as const) cpu.state.setSegment(name, "limit", BigInt(DATA + 2));
    cpu.state.setGeneral(3, BigInt(DATA));
    cpu.state.setGeneral(4, BigInt(DATA - 0x100));
    cpu.step();
    expect(cpu.state.get(STATE.rip)).toBe(handlerOf(vector));
  });

  it("LEA does not look at the segment", () => {
    const cpu = machine(0x8d, 0x43, 0x04); // lea eax, [ebx + 4]
    cpu.state.setSegment("ds", "attributes", 0n);
    cpu.state.setSegment("ds", "base", 0x1000n);
    cpu.state.setGeneral(3, 0xffff_fffen);
    cpu.step();
    expect(cpu.state.general(0)).toBe(2n);
  });
});
