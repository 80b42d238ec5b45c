// What several vCPUs share and what each has of its own, on the interpreter and with compiled code.
import { describe, expect, it } from "vitest";
import { DEFAULT_JIT_OPTIONS, type JitOptions } from "../../../../native-core/cpu/jit/jit.ts";
import { ACTIVITY } from "../../../../native-core/cpu/reset.ts";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { VcpuGroup } from "../../../../native-core/cpu/vcpu-group.ts";
import { RFLAGS } from "../../../../native-core/x86/registers.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import {
  CODE,
  DATA,
  enterLongMode,
  evaluatorMachine,
  interpreterModule,
  MODEL,
  PLATFORM,
  quadwords,
} from "../../../support/cpu/long-mode.ts";

const RAM_BYTES = 0x10_0000;
const OTHER_CODE = 0x1_2000;
const RBX = 3;
const RCX = 1;
const EAGER: JitOptions = { ...DEFAULT_JIT_OPTIONS, threshold: 4, batch: 1 };
const HLT = 0xf4;

interface Pair {
  readonly group: VcpuGroup;
  readonly first: InterpreterVcpu;
  readonly second: InterpreterVcpu;
}

/** Two vCPUs in long mode with the same page tables. */
function pair(jit?: JitOptions, platform = PLATFORM): Pair {
  const parts = {
    platform,
    model: MODEL,
    interrupts: { hasInterrupt: () => false, acknowledge: () => undefined },
  };
  const group = new VcpuGroup({
    ramBytes: RAM_BYTES,
    interpreterModule: interpreterModule(),
    bus: { readMmio: () => 0, writeMmio: () => {} },
    vcpus: [parts, parts],
    jit,
  });
  const [first, second] = group.vcpus as [InterpreterVcpu, InterpreterVcpu];
  for (const vcpu of [first, second]) {
    enterLongMode({ state: vcpu.state, write: (address, bytes) => group.ram.write(address, bytes) });
    vcpu.state.setNumber(STATE.halted, ACTIVITY.runs);
    vcpu.invalidateAll();
  }
  return { group, first, second };
}

function load({ group }: Pair, address: number, code: readonly number[]): void {
  group.ram.write(address, Uint8Array.from(code));
}

/** Runs both by turns of `quantum` instructions until both have halted. */
function runByTurns({ first, second }: Pair, quantum: number): void {
  for (let turn = 0; turn < 100_000; turn++) {
    const exits = [first.run(quantum), second.run(quantum)];
    if (exits.every((exit) => exit === "halted")) return;
  }
  throw new Error("the program does not end");
}

describe.each([
  ["interpreted", undefined],
  ["compiled", EAGER],
] as const)("several vCPUs, %s", (_name, jit) => {
  it("have registers of their own and share memory", () => {
    const machine = pair(jit);
    // mov [0x20000 + rbx*8], rcx; hlt
    load(machine, CODE, [0x48, 0x89, 0x0c, 0xdd, 0x00, 0x00, 0x02, 0x00, HLT]);
    for (const [index, vcpu] of machine.group.vcpus.entries()) {
      vcpu.state.setGeneral(RBX, BigInt(index));
      vcpu.state.setGeneral(RCX, BigInt(100 + index));
    }
    runByTurns(machine, 1000);
    expect(machine.group.ram.readU64(DATA)).toBe(100n);
    expect(machine.group.ram.readU64(DATA + 8)).toBe(101n);
    expect(machine.first.state.general(RCX)).toBe(100n);
    expect(machine.second.state.general(RCX)).toBe(101n);
  });

  it.each([1, 7, 100, 5000])("lose no locked increment with turns of %i instructions", (quantum) => {
    const machine = pair(jit);
    // mov ecx, 3000; again: lock inc qword [0x20000]; dec ecx; jnz again; hlt
    const loop = [0xb9, 0xb8, 0x0b, 0, 0, 0xf0, 0x48, 0xff, 0x04, 0x25, 0, 0, 2, 0, 0xff, 0xc9, 0x75, 0xf3, HLT];
    load(machine, CODE, loop);
    runByTurns(machine, quantum);
    expect(machine.group.ram.readU64(DATA)).toBe(6000n);
  });

  it("agree through a spin lock", () => {
    const machine = pair(jit);
    // mov ecx, 500
    // take: mov eax, 1; xchg [0x20000], eax; test eax, eax; jz held; pause; jmp take
    // held: mov rdx, [0x20008]; inc rdx; mov [0x20008], rdx; mov dword [0x20000], 0; dec ecx; jnz take; hlt
    load(machine, CODE, [
      ...[0xb9, 0xf4, 0x01, 0, 0],
      ...[0xb8, 1, 0, 0, 0, 0x87, 0x04, 0x25, 0, 0, 2, 0, 0x85, 0xc0, 0x74, 0x04, 0xf3, 0x90, 0xeb, 0xec],
      ...[0x48, 0x8b, 0x14, 0x25, 8, 0, 2, 0, 0x48, 0xff, 0xc2, 0x48, 0x89, 0x14, 0x25, 8, 0, 2, 0],
      ...[0xc7, 0x04, 0x25, 0, 0, 2, 0, 0, 0, 0, 0, 0xff, 0xc9, 0x75, 0xcb, HLT],
    ]);
    runByTurns(machine, 13);
    expect(machine.group.ram.readU64(DATA + 8)).toBe(1000n);
  });

  it("let the other one in between PAUSE and the next instruction", () => {
    // SeaBIOS: release a lock, PAUSE, take it again, until the other one has had it.
    let yielding: InterpreterVcpu | undefined;
    const machine = pair(jit, { ...PLATFORM, pause: () => yielding?.requestExit() });
    const { first, second } = machine;
    // again: mov dword [0x20000], 0; take: pause; lock bts dword [0x20000], 0; jc take; cmp dword [0x20008], 0; jz again; hlt
    load(machine, CODE, [
      ...[0xc7, 0x04, 0x25, 0, 0, 2, 0, 0, 0, 0, 0, 0xf3, 0x90, 0xf0, 0x0f, 0xba, 0x2c, 0x25, 0, 0, 2, 0, 0],
      ...[0x72, 0xf2, 0x83, 0x3c, 0x25, 8, 0, 2, 0, 0, 0x74, 0xdd, HLT],
    ]);
    // take: lock bts dword [0x20000], 0; jc spin; inc dword [0x20008]; mov dword [0x20000], 0; hlt; spin: pause; jmp take
    load(machine, OTHER_CODE, [
      ...[0xf0, 0x0f, 0xba, 0x2c, 0x25, 0, 0, 2, 0, 0, 0x72, 0x13, 0xff, 0x04, 0x25, 8, 0, 2, 0],
      ...[0xc7, 0x04, 0x25, 0, 0, 2, 0, 0, 0, 0, 0, HLT, 0xf3, 0x90, 0xeb, 0xdf],
    ]);
    machine.group.ram.writeU32(DATA, 1);
    second.state.set(STATE.rip, BigInt(OTHER_CODE));
    for (let turn = 0; turn < 100; turn++) {
      for (const vcpu of [first, second]) {
        yielding = vcpu;
        vcpu.run(1000);
      }
    }
    expect(first.runnable).toBe(false);
    expect(second.runnable).toBe(false);
  });

  it("notice at once when another one writes code that they have translated", () => {
    const machine = pair(jit);
    const { first, second } = machine;
    // again: mov eax, 1; add rbx, rax; dec ecx; jnz again; hlt
    load(machine, CODE, [0xb8, 1, 0, 0, 0, 0x48, 0x01, 0xc3, 0xff, 0xc9, 0x75, 0xf4, HLT]);
    // mov byte [0x10001], 5; hlt
    load(machine, OTHER_CODE, [0xc6, 0x04, 0x25, 0x01, 0x00, 0x01, 0x00, 0x05, HLT]);
    first.state.setGeneral(RCX, 300n);
    second.state.set(STATE.rip, BigInt(OTHER_CODE));
    expect(first.run(400)).toBe("deadline");
    const roundsBefore = 300n - first.state.general(RCX);
    expect(second.run(100)).toBe("halted");
    expect(first.run(10_000)).toBe("halted");
    const sum = first.state.general(RBX);
    // The round in which the write came may have read its immediate before.
    const roundsAfter = 300n - roundsBefore;
    expect([roundsBefore + 5n * roundsAfter, roundsBefore + 1n + 5n * (roundsAfter - 1n)]).toContain(sum);
  });

  it("keep stores out of pages that became code while they did not run", () => {
    const machine = pair(jit);
    const { first, second } = machine;
    // The second one has the page of the first one's code in its write TLB: mov byte [0x10800], 1; hlt ...
    load(machine, OTHER_CODE, [0xc6, 0x04, 0x25, 0x00, 0x08, 0x01, 0x00, 0x01, HLT]);
    second.state.set(STATE.rip, BigInt(OTHER_CODE));
    second.run(100);
    // ... then the first one translates it: mov eax, 1; hlt
    load(machine, CODE, [0xb8, 1, 0, 0, 0, HLT]);
    first.run(100);
    // ... and the second one changes the immediate: mov byte [0x10001], 9; hlt
    load(machine, OTHER_CODE + 0x40, [0xc6, 0x04, 0x25, 0x01, 0x00, 0x01, 0x00, 0x09, HLT]);
    second.state.setNumber(STATE.halted, ACTIVITY.runs);
    second.state.set(STATE.rip, BigInt(OTHER_CODE + 0x40));
    second.run(100);
    first.state.setNumber(STATE.halted, ACTIVITY.runs);
    first.state.set(STATE.rip, BigInt(CODE));
    first.run(100);
    expect(first.state.general(0)).toBe(9n);
  });

  it("cache mappings apart: INVLPG of one leaves the other's TLB alone, and none sees the other's page tables", () => {
    const machine = pair(jit);
    const { group, first, second } = machine;
    // A second set of page tables for the second vCPU: linear 0x40000 is data of its own.
    const tables = 0x8_0000;
    const page = (target: number): bigint => BigInt(target) | 7n;
    for (const [base, ownPage] of [
      [tables, 0x7_0000],
      [tables + 0x4000, 0x7_1000],
    ] as const) {
      group.ram.write(base, quadwords(page(base + 0x1000)));
      group.ram.write(base + 0x1000, quadwords(page(base + 0x2000)));
      group.ram.write(base + 0x2000, quadwords(page(base + 0x3000)));
      const entries = Array.from({ length: 256 }, (_, n) => page(n === 0x40 ? ownPage : n << 12));
      group.ram.write(base + 0x3000, quadwords(...entries));
    }
    first.state.set(STATE.cr3, BigInt(tables));
    second.state.set(STATE.cr3, BigInt(tables + 0x4000));
    first.invalidateAll();
    second.invalidateAll();
    group.ram.write(0x7_0000, quadwords(0x1111n));
    group.ram.write(0x7_1000, quadwords(0x2222n));
    group.ram.write(0x7_2000, quadwords(0x3333n));
    expect(first.memory.read(0x4_0000n, 8)).toBe(0x1111n);
    expect(second.memory.read(0x4_0000n, 8)).toBe(0x2222n);
    expect(first.memory.read(0x4_0000n, 8)).toBe(0x1111n);
    // A stale translation stays until its own vCPU invalidates it.
    group.ram.write(tables + 0x3000 + 0x40 * 8, quadwords(page(0x7_2000)));
    second.memory.invalidatePage(0x4_0000n);
    expect(first.memory.read(0x4_0000n, 8)).toBe(0x1111n);
    first.memory.invalidatePage(0x4_0000n);
    expect(first.memory.read(0x4_0000n, 8)).toBe(0x3333n);
    expect(second.memory.read(0x4_0000n, 8)).toBe(0x2222n);
  });

  it("run one page of code at different addresses without mixing up where its jumps lead", () => {
    const machine = pair(jit);
    const { group, first, second } = machine;
    // Shared code at 0x60000 (seen at 0x60000 by one, at 0x62000 by the other) jumps 0x1000 ahead, to another page for each.
    const tables = 0x8_0000;
    const page = (target: number): bigint => BigInt(target) | 7n;
    group.ram.write(tables, quadwords(page(tables + 0x1000)));
    group.ram.write(tables + 0x1000, quadwords(page(tables + 0x2000)));
    group.ram.write(tables + 0x2000, quadwords(page(tables + 0x3000)));
    const entries = Array.from({ length: 256 }, (_, n) => page((n === 0x62 ? 0x60 : n) << 12));
    group.ram.write(tables + 0x3000, quadwords(...entries));
    for (const vcpu of group.vcpus) {
      vcpu.state.set(STATE.cr3, BigInt(tables));
      vcpu.invalidateAll();
    }
    // 0x60000: jmp +0x1000; 0x61000: add rbx, 1; dec ecx; jnz 0x60000; hlt; 0x63000: the same with add rbx, 2
    load(machine, 0x6_0000, [0xe9, 0xfb, 0x0f, 0, 0]);
    for (const [base, step] of [
      [0x6_1000, 1],
      [0x6_3000, 2],
    ] as const)
      load(machine, base, [0x48, 0x83, 0xc3, step, 0xff, 0xc9, 0x0f, 0x85, 0xf4, 0xef, 0xff, 0xff, HLT]);
    first.state.set(STATE.rip, 0x6_0000n);
    second.state.set(STATE.rip, 0x6_2000n);
    for (const vcpu of group.vcpus) vcpu.state.setGeneral(RCX, 400n);
    runByTurns(machine, 11);
    expect(first.state.general(RBX)).toBe(400n);
    expect(second.state.general(RBX)).toBe(800n);
  });
});

describe("signals between vCPUs", () => {
  it("INIT resets a processor but keeps its counters and MSRs, and it waits for the start-up IPI", () => {
    const { second } = pair();
    second.state.set(STATE.lstar, 0x1234n);
    second.state.set(STATE.instructionCount, 77n);
    second.state.setVector(3, 5n);
    second.requestStartup(9);
    expect(second.state.getNumber(STATE.startupPending)).toBe(0);
    second.requestInit();
    expect(second.run(10)).toBe("halted");
    expect(second.runnable).toBe(false);
    expect(second.state.get(STATE.lstar)).toBe(0x1234n);
    expect(second.state.get(STATE.instructionCount)).toBe(77n);
    expect(second.state.vector(3)).toBe(5n);
    expect(second.state.getNumber(STATE.cr0) & 1).toBe(0);
    expect(second.state.getNumber(STATE.halted)).toBe(ACTIVITY.waitsForStartup);
    expect(second.state.segment("cs", "base")).toBe(0xffff_0000n);
  });

  it("a start-up IPI begins in real mode at the page it names", () => {
    const machine = pair();
    const { second } = machine;
    // mov ax, cs; hlt
    load(machine, 0x9000, [0x8c, 0xc8, HLT]);
    second.requestInit();
    second.requestStartup(9);
    expect(second.runnable).toBe(true);
    expect(second.run(10)).toBe("halted");
    expect(second.state.general(0)).toBe(0x900n);
    expect(second.state.get(STATE.rip)).toBe(3n);
  });

  it("neither NMI nor interrupts end the wait for a start-up IPI", () => {
    const { second } = pair();
    second.requestInit();
    second.run(1);
    second.requestNmi();
    second.state.flags |= BigInt(RFLAGS.IF);
    expect(second.runnable).toBe(false);
    expect(second.run(10)).toBe("halted");
  });

  it("INIT sends the bootstrap processor to the reset vector", () => {
    const { first } = pair();
    first.requestInit();
    first.run(0);
    expect(first.state.get(STATE.rip)).toBe(0xfff0n);
    expect(first.state.getNumber(STATE.halted)).toBe(ACTIVITY.runs);
  });
});

describe("MONITOR and MWAIT", () => {
  // mov eax, 20000h; xor ecx, ecx; xor edx, edx; monitor; mwait; inc rbx; hlt
  const PREPARE = [0xb8, 0x00, 0x00, 0x02, 0x00, 0x31, 0xc9, 0x31, 0xd2];
  const MONITOR = [0x0f, 0x01, 0xc8];
  const MWAIT = [0x0f, 0x01, 0xc9];
  const REST = [0x48, 0xff, 0xc3, HLT];
  const rounds = (vcpu: InterpreterVcpu): bigint => vcpu.state.general(RBX);
  const waiting = (): Pair => {
    const machine = pair();
    load(machine, CODE, [...PREPARE, ...MONITOR, ...MWAIT, ...REST]);
    machine.first.state.setGeneral(RBX, 0n);
    return machine;
  };

  it("sleep until another vCPU writes to the line", () => {
    const machine = waiting();
    const { first, second } = machine;
    expect(first.run(100)).toBe("halted");
    expect([first.runnable, rounds(first)]).toEqual([false, 0n]);
    // mov byte [20040h], 1: the next line; hlt
    load(machine, OTHER_CODE, [0xc6, 0x04, 0x25, 0x40, 0x00, 0x02, 0x00, 1, HLT]);
    second.state.set(STATE.rip, BigInt(OTHER_CODE));
    second.run(100);
    expect(first.runnable).toBe(false);
    load(machine, OTHER_CODE, [0xc6, 0x04, 0x25, 0x3f, 0x00, 0x02, 0x00, 1, HLT]);
    second.state.set(STATE.rip, BigInt(OTHER_CODE));
    second.state.setNumber(STATE.halted, ACTIVITY.runs);
    second.run(100);
    expect(first.runnable).toBe(true);
    first.run(100);
    expect(rounds(first)).toBe(1n);
  });

  it("do not sleep if the line changed in between, or none is watched", () => {
    const machine = waiting();
    const { first, group } = machine;
    first.run(4);
    group.ram.write(DATA, Uint8Array.of(7));
    expect(first.run(100)).toBe("halted");
    expect(rounds(first)).toBe(1n);
    load(machine, CODE, [...PREPARE, ...MWAIT, ...REST]);
    first.state.set(STATE.rip, BigInt(CODE));
    first.state.setNumber(STATE.halted, ACTIVITY.runs);
    first.run(100);
    expect(rounds(first)).toBe(2n);
  });

  it("wake up for an NMI, and after a restore", () => {
    const { first } = waiting();
    first.run(100);
    first.requestNmi();
    expect(first.runnable).toBe(true);
    expect(first.run(100)).toBe("halted");
    expect(first.memory.read(first.state.general(4), 8)).toBe(BigInt(CODE + 15));
    const copy = waiting().first;
    copy.state.setNumber(STATE.halted, ACTIVITY.monitors);
    expect(copy.runnable).toBe(true);
  });

  it.each([
    ["extensions that are not there", 1n, 0, 13],
    ["user code", 0n, 3, 6],
  ])("refuse %s", (_what, ecx, cpl, vector) => {
    for (const code of [MONITOR, MWAIT]) {
      const cpu = evaluatorMachine();
      cpu.state.setGeneral(RCX, ecx);
      cpu.state.setNumber(STATE.cpl, cpl);
      cpu.memory.bytes.set(code, CODE);
      cpu.step(false);
      expect(cpu.lastException?.vector).toBe(vector);
    }
  });
});
