// RAM that the chipset has locked: run and read as memory, written as what is on the bus there.
import { describe, expect, it } from "vitest";
import { DEFAULT_JIT_OPTIONS } from "../../../../native-core/cpu/jit/jit.ts";
import { PAGE_FLAG } from "../../../../native-core/cpu/mmu/memory-layout.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { CODE, DATA, interpreterMachine } from "../../../support/cpu/long-mode.ts";

const [RBX] = [3];
const TURNS = 100;
const FILLED = 64;

// mov ecx, 100; xor eax, eax; again: inc dword [DATA]; add eax, [DATA]; loop again;
// mov ebx, eax; mov edi, DATA + 10h; mov ecx, 64; mov al, 5; rep stosb; hlt
const PROGRAM = [
  ...[0xb9, TURNS, 0, 0, 0, 0x31, 0xc0, 0xff, 0x04, 0x25, 0, 0, 2, 0, 0x03, 0x04, 0x25, 0, 0, 2, 0, 0xe2, 0xf0],
  ...[0x89, 0xc3, 0xbf, 0x10, 0, 2, 0, 0xb9, FILLED, 0, 0, 0, 0xb0, 5, 0xf3, 0xaa, 0xf4],
];

describe.each([
  ["interpreted", undefined],
  ["compiled", { ...DEFAULT_JIT_OPTIONS, threshold: 4, batch: 1 }],
] as const)("Locked memory, %s", (_name, jit) => {
  it("keeps what it holds, also where it had been written before, until it is unlocked", () => {
    const writes: [address: number, size: number, value: number][] = [];
    const cpu = interpreterMachine(
      undefined,
      undefined,
      {
        readMmio: (address) => cpu.ram.readU32(address),
        writeMmio: (...write) => void writes.push(write),
      },
      jit,
    );
    cpu.ram.write(CODE, Uint8Array.from(PROGRAM));
    const run = (): bigint => {
      cpu.state.set(STATE.rip, BigInt(CODE));
      cpu.state.setNumber(STATE.halted, 0);
      for (let turn = 0; turn < 100; turn++) if (cpu.run(10_000) === "halted") return cpu.state.general(RBX);
      throw new Error("the program does not end");
    };
    const sumFrom = (value: number): bigint => BigInt(TURNS * value + (TURNS * (TURNS + 1)) / 2);
    const filled = () => cpu.ram.bytes()[DATA + 0x10];

    expect(run()).toBe(sumFrom(0));
    expect([cpu.ram.readU32(DATA), filled(), writes.length]).toEqual([TURNS, 5, 0]);

    cpu.ram.writeU32(DATA + 0x10, 0);
    cpu.ram.setReadOnly(DATA, 4096, true);
    cpu.ram.flags[DATA / 4096] = PAGE_FLAG.readOnly;
    expect(run()).toBe(BigInt(TURNS * TURNS));
    expect([cpu.ram.readU32(DATA), filled()]).toEqual([TURNS, 0]);
    expect(writes.slice(0, TURNS)).toEqual(Array.from({ length: TURNS }, () => [DATA, 4, TURNS + 1]));
    expect(writes.length).toBe(TURNS + FILLED);
    expect(cpu.ram.flags[DATA / 4096]).toBe(PAGE_FLAG.readOnly);

    cpu.ram.setReadOnly(DATA, 4096, false);
    expect(run()).toBe(sumFrom(TURNS));
    expect([cpu.ram.readU32(DATA), filled(), writes.length]).toEqual([2 * TURNS, 5, TURNS + FILLED]);
  });

  it("runs as code that nobody changes, and takes no accessed bits as a page table", () => {
    const cpu = interpreterMachine(undefined, undefined, { readMmio: () => 0, writeMmio: () => {} }, jit);
    // mov eax, 7; mov byte [CODE + 1], 9; hlt
    cpu.ram.write(CODE, Uint8Array.of(0xb8, 7, 0, 0, 0, 0xc6, 0x04, 0x25, 1, 0, 1, 0, 9, 0xf4));
    for (const page of [CODE, 0x1000]) cpu.ram.setReadOnly(page, 4096, true);
    for (let turn = 0; turn < 10; turn++) {
      cpu.state.set(STATE.rip, BigInt(CODE));
      cpu.state.setNumber(STATE.halted, 0);
      expect(cpu.run(100)).toBe("halted");
      expect(cpu.state.general(0)).toBe(7n);
    }
    expect(cpu.ram.readU64(0x1000) & 0x20n).toBe(0n);
  });
});
