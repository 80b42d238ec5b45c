// Instructions that stop half-way and go on, what comes between two instructions, and segments that keep what protected mode gave them.
import { describe, expect, it } from "vitest";
import { DEFAULT_JIT_OPTIONS } from "../../../../native-core/cpu/jit/jit.ts";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { SEGMENTS, STATE } from "../../../../native-core/x86/state-layout.ts";
import {
  CODE,
  DATA,
  enterProtectedMode,
  HANDLERS,
  interpreterMachine,
  quadwords,
} from "../../../support/cpu/long-mode.ts";

const HLT = 0xf4;
const PF = 14;
const PD = 0x3000;
/** A second 2 MiB region: absent at first, then the same memory as the first. */
const REGION = 0x20_0000;
const [RAX, RCX, RSP, RSI, RDI] = [0, 1, 4, 6, 7] as const;
const EAGER = { ...DEFAULT_JIT_OPTIONS, threshold: 2, batch: 1 };

const vectorOf = ({ state }: InterpreterVcpu): number => (Number(state.get(STATE.rip)) - HANDLERS) >> 4;

describe.each([
  ["interpreted", undefined],
  ["compiled", EAGER],
] as const)("a repeated string instruction that faults half-way, %s", (_name, jit) => {
  it.each([
    ["MOVSB", [0xf3, 0xa4], 1n, 1n],
    ["STOSB", [0xf3, 0xaa], 0n, 1n],
    ["MOVSQ", [0xf3, 0x48, 0xa5], 8n, 8n],
  ])("stops in front of the element and goes on there: REP %s", (_mnemonic, code, sourceStep, step) => {
    const cpu = interpreterMachine(undefined, undefined, undefined, jit);
    const { state } = cpu;
    const before = 5n;
    const count = 20n;
    cpu.ram.write(
      DATA,
      Uint8Array.from({ length: 256 }, (_, n) => n + 1),
    );
    // The region's first bytes are those of memory from 0 on, once it is mapped.
    cpu.ram.write(CODE, Uint8Array.of(...code, HLT));
    const target = BigInt(REGION) - before * step;
    // What lies below the region is beyond RAM: map it to RAM by a page table of its own.
    cpu.ram.write(0x8000, quadwords(...Array.from({ length: 512 }, (_, n) => BigInt((n & 0x3f) << 12) | 7n)));
    cpu.ram.write(PD, quadwords(0x8007n, 0n));
    state.setGeneral(RAX, 0x5an);
    state.setGeneral(RSI, BigInt(DATA));
    state.setGeneral(RDI, target);
    state.setGeneral(RCX, count);
    cpu.invalidateAll();
    expect(cpu.run(1000)).toBe("halted");
    expect(vectorOf(cpu)).toBe(PF);
    expect(state.get(STATE.cr2)).toBe(BigInt(REGION));
    expect(state.general(RCX)).toBe(count - before);
    expect(state.general(RDI)).toBe(BigInt(REGION));
    expect(state.general(RSI)).toBe(BigInt(DATA) + before * sourceStep);
    const frame = state.general(RSP);
    expect(cpu.memory.read(frame + 8n, 8)).toBe(BigInt(CODE));
    cpu.ram.write(PD, quadwords(0x8007n, 0x9007n));
    cpu.ram.write(0x9000, quadwords(0x3_8007n));
    cpu.invalidateAll();
    state.set(STATE.rip, BigInt(CODE));
    state.setNumber(STATE.halted, 0);
    expect(cpu.run(1000)).toBe("halted");
    expect(state.get(STATE.rip)).toBe(BigInt(CODE + code.length + 1));
    expect([state.general(RCX), state.general(RDI)]).toEqual([0n, BigInt(REGION) + (count - before) * step]);
    const expected = sourceStep === 0n ? 0x5an : before * step + 1n;
    expect(cpu.memory.read(BigInt(REGION), 1)).toBe(expected & 0xffn);
  });
});

describe("the instruction behind MOV SS", () => {
  it("runs before an interrupt and an NMI", () => {
    let vector: number | undefined = 20;
    const cpu = interpreterMachine(undefined, {
      hasInterrupt: () => vector !== undefined,
      acknowledge: () => {
        const taken = vector;
        vector = undefined;
        return taken;
      },
    });
    // mov ss, ax; inc ecx; inc ecx; hlt
    cpu.ram.write(CODE, Uint8Array.of(0x8e, 0xd0, 0xff, 0xc1, 0xff, 0xc1, HLT));
    cpu.state.setGeneral(RAX, 0x10n);
    cpu.state.setGeneral(RCX, 0n);
    cpu.state.flags = 0x202n;
    cpu.invalidateAll();
    // Not taken before MOV SS: it arrives during it.
    const waiting = vector;
    vector = undefined;
    cpu.step();
    vector = waiting;
    cpu.requestNmi();
    expect(cpu.run(100)).toBe("halted");
    expect(cpu.state.general(RCX)).toBe(1n);
    expect(cpu.memory.read(cpu.state.general(RSP), 8)).toBe(BigInt(CODE + 4));
    expect(vectorOf(cpu)).toBe(2);
  });
});

describe("unreal mode", () => {
  it("keeps the limit that protected mode loaded, through loads of selectors", () => {
    const cpu = interpreterMachine(0x10_0000);
    const { state } = cpu;
    enterProtectedMode({ state, write: (address, bytes) => cpu.ram.write(address, bytes) });
    for (const segment of SEGMENTS) state.setSegment(segment, "attributes", segment === "cs" ? 0x9bn : 0xcf93n);
    // mov eax, cr0; and al, 0feh; mov cr0, eax; jmp 0:2000h, then as real-mode code: mov ax, 2000h; mov ds, ax; mov eax, [dword 60000h]; hlt
    cpu.ram.write(CODE, Uint8Array.of(0x0f, 0x20, 0xc0, 0x24, 0xfe, 0x0f, 0x22, 0xc0, 0xea, 0x00, 0x20, 0x00, 0x00));
    const real = [0xb8, 0x00, 0x20, 0x8e, 0xd8, 0x67, 0x66, 0xa1, 0x00, 0x00, 0x06, 0x00, HLT];
    cpu.ram.write(0x2000, Uint8Array.from(real));
    cpu.ram.writeU32(0x2_0000 + 0x6_0000, 0x1234_5678);
    cpu.invalidateAll();
    expect(cpu.run(100)).toBe("halted");
    expect(state.get(STATE.rip)).toBe(BigInt(0x2000 + real.length));
    expect(state.general(RAX)).toBe(0x1234_5678n);
    expect(state.get(STATE.cr0) & 1n).toBe(0n);
  });
});

describe("a conditional branch of 16-bit code", () => {
  it("goes both ways from one block, again and again", () => {
    const cpu = interpreterMachine();
    cpu.reset();
    cpu.state.setSegment("cs", "base", 0n);
    cpu.state.setSegment("cs", "selector", 0n);
    // again: inc bx; test bl, 1; jz even; inc dx; even: dec cx; jnz again; hlt
    cpu.ram.write(0x8000, Uint8Array.of(0x43, 0xf6, 0xc3, 0x01, 0x74, 0x01, 0x42, 0x49, 0x75, 0xf6, HLT));
    cpu.state.set(STATE.rip, 0x8000n);
    cpu.state.setGeneral(RCX, 1000n);
    cpu.invalidateAll();
    expect(cpu.run(20_000)).toBe("halted");
    expect([cpu.state.general(3), cpu.state.general(2), cpu.state.get(STATE.rip)]).toEqual([1000n, 500n, 0x800bn]);
  });
});

describe("RDPID", () => {
  it("reads IA32_TSC_AUX", () => {
    const cpu = interpreterMachine();
    cpu.state.set(STATE.tscAux, 0x1234n);
    cpu.ram.write(CODE, Uint8Array.of(0xf3, 0x0f, 0xc7, 0xf9, HLT));
    cpu.run(10);
    expect(cpu.state.general(RCX)).toBe(0x1234n);
  });
});
