// 32-bit code is compiled for flat segments: what happens where they are not, or no longer, and at the end of the address space.
import { beforeEach, describe, expect, it } from "vitest";
import type { CpuState } from "../../../../native-core/cpu/cpu-state.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { Lockstep } from "../../../support/cpu/lockstep.ts";
import { CODE, DATA, enterProtectedMode, quadwords, STACK } from "../../../support/cpu/long-mode.ts";

const GDT = 0x6000;
/** Data from 10000h on. */
const OFF_ZERO = 0x18;
const HLT = 0xf4;

const int32 = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];

let lockstep: Lockstep;

beforeEach(() => {
  lockstep = new Lockstep();
  for (const cpu of lockstep.both()) {
    enterProtectedMode({ state: cpu.state, write: (address, bytes) => cpu.ram.write(address, bytes) });
    cpu.ram.write(GDT + OFF_ZERO, quadwords(0x00cf_9301_0000_ffffn));
    cpu.state.setNumber(STATE.gdtLimit, 0x1f);
    cpu.modeChanged();
  }
});

function run(code: readonly number[], change: (state: CpuState) => void = () => {}): CpuState {
  lockstep.write(CODE, code);
  lockstep.set((state) => {
    state.setGeneral(4, BigInt(STACK));
    change(state);
  });
  lockstep.run(10_000, 3, "the program");
  return lockstep.compiled.state;
}

const regions = (): number => lockstep.compiled.jit?.statistics.regions ?? 0;

describe("a region of 32-bit code", () => {
  it("is made, with pushes, calls and memory operands", () => {
    // mov ecx, 50; 1: push ecx; call 2f; pop eax; add [data], eax; dec ecx; jnz 1b; hlt; 2: inc dword [esp + 4]; ret
    const code = [
      0xb9,
      ...int32(50),
      0x51,
      0xe8,
      ...int32(11),
      0x58,
      0x01,
      0x05,
      ...int32(DATA),
      0x49,
      0x75,
      0xf0,
      HLT,
    ];
    const callee = [0xff, 0x44, 0x24, 0x04, 0xc3];
    run([...code, 0x90, ...callee]);
    expect(regions()).toBeGreaterThan(0);
    const [interpreter, compiled] = lockstep.both().map(({ ram }) => Buffer.from(ram.bytes()).readUInt32LE(DATA));
    expect(compiled).toBe(interpreter);
  });

  it("is not entered while a segment starts elsewhere, and is again afterwards", () => {
    // mov ecx, 20; 1: mov ds, ax; inc dword [18000h]; xchg eax, ebx; dec ecx; jnz 1b; hlt
    const code = [0xb9, ...int32(20), 0x8e, 0xd8, 0xff, 0x05, ...int32(0x1_8000), 0x93, 0x49, 0x75, 0xf4, HLT];
    run(code, (state) => {
      state.setGeneral(0, BigInt(OFF_ZERO));
      state.setGeneral(3, 0x10n);
    });
    const { ram } = lockstep.compiled;
    const counts = [0x1_8000, 0x2_8000].map((address) => Buffer.from(ram.bytes()).readUInt32LE(address));
    expect(counts).toEqual([10, 10]);
    expect(regions()).toBeGreaterThan(0);
  });

  it("is not made again and again where segments are never flat", () => {
    // mov ecx, 2000; 1: inc dword [8000h]; dec ecx; jnz 1b; hlt
    const code = [0xb9, ...int32(2000), 0xff, 0x05, ...int32(0x8000), 0x49, 0x75, 0xf7, HLT];
    for (const cpu of lockstep.both()) cpu.ram.write(GDT + 0x10, quadwords(0x00cf_9301_0000_ffffn));
    lockstep.write(CODE - 0x10, [0xb8, ...int32(0x10), 0x8e, 0xd8, 0xeb, 0x07]);
    run(code, (state) => state.set(STATE.rip, BigInt(CODE - 0x10)));
    const { ram } = lockstep.compiled;
    expect(Buffer.from(ram.bytes()).readUInt32LE(0x1_8000)).toBe(2000);
    expect(regions()).toBeLessThan(40);
  });

  it.each([
    ["a load", [0x8b, 0x03]],
    ["a store", [0x89, 0x03]],
    ["a load through EBP", [0x8b, 0x45, 0x00]],
    ["a string instruction", [0xa5]],
  ])("leaves %s across the end of 4 GiB to the interpreter", (_, code) => {
    const state = run([...code, HLT], (cpu) => {
      for (const register of [3, 5, 6, 7]) cpu.setGeneral(register, 0xffff_fffen);
    });
    expect(state.get(STATE.rip)).toBe(BigInt(CODE + code.length + 1));
    expect(regions()).toBeGreaterThan(0);
  });

  it("wraps addresses at 4 GiB", () => {
    // mov eax, [ebx + 20010h] with EBX = -16
    const state = run([0x8b, 0x83, ...int32(DATA + 16), HLT], (cpu) => cpu.setGeneral(3, 0xffff_fff0n));
    expect(state.general(0)).toBe(0n);
    lockstep.write(DATA, [1, 2, 3, 4]);
    const again = run([0x8b, 0x83, ...int32(DATA + 16), HLT], (cpu) => {
      cpu.setGeneral(3, 0xffff_fff0n);
      cpu.set(STATE.rip, BigInt(CODE));
      cpu.setNumber(STATE.halted, 0);
    });
    expect(again.general(0)).toBe(0x0403_0201n);
  });
});
