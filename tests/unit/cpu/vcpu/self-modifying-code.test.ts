// Code that is written while it runs, by itself, by other code and by devices: the new bytes count from the next instruction on.
import { describe, expect, it } from "vitest";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { CODE, interpreterMachine } from "../../../support/cpu/long-mode.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const HLT = 0xf4;
/** mov byte [address], value */
const store = (address: number, value: number): number[] => [0xc6, 0x04, 0x25, ...le32(address), value];
const le32 = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
/** mov eax, value */
const movEax = (value: number): number[] => [0xb8, ...le32(value)];

describe("self-modifying code", () => {
  it("an instruction that changes the next one of its own block", () => {
    const cpu = interpreterMachine();
    // The immediate of the second instruction is at CODE + 9.
    cpu.ram.write(CODE, bytes(...store(CODE + 9, 0x22), ...movEax(0x11), HLT));
    expect(cpu.run(100)).toBe("halted");
    expect(cpu.state.general(0)).toBe(0x22n);
    expect(cpu.state.get(STATE.instructionCount)).toBe(3n);
  });

  it("a push over the next one, which has its handler in common with it", () => {
    const cpu = interpreterMachine();
    // push rax three times; what the first one writes: inc rbx; hlt
    cpu.ram.write(CODE, bytes(0x50, 0x50, 0x50, HLT));
    cpu.state.setGeneral(0, 0xf4_c3ff48n);
    cpu.state.setGeneral(3, 0n);
    cpu.state.setGeneral(4, BigInt(CODE + 1 + 8));
    expect(cpu.run(100)).toBe("halted");
    expect(cpu.state.general(3)).toBe(1n);
    expect(cpu.state.general(4)).toBe(BigInt(CODE + 1));
    expect(cpu.state.get(STATE.instructionCount)).toBe(3n);
  });

  it("a loop that changes an instruction before itself", () => {
    const cpu = interpreterMachine();
    // loop: add ebx, 1 (imm at CODE+2); mov byte [CODE+2], 5; dec ecx; jnz loop; hlt
    const code = [0x83, 0xc3, 0x01, ...store(CODE + 2, 5), 0xff, 0xc9, 0x75, 0xf1, HLT];
    cpu.ram.write(CODE, bytes(...code));
    cpu.state.setGeneral(1, 3n);
    cpu.state.setGeneral(3, 0n);
    expect(cpu.run(1000)).toBe("halted");
    expect(cpu.state.general(3)).toBe(1n + 5n + 5n);
  });

  it("a block that was linked to is run anew after its page was written", () => {
    const cpu = interpreterMachine();
    const target = CODE + 0x1000;
    // jmp target (in another page); target: mov eax, 1; hlt
    const jump = [0xe9, ...le32(target - (CODE + 5))];
    cpu.ram.write(CODE, bytes(...jump));
    cpu.ram.write(target, bytes(...movEax(1), HLT));
    cpu.run(100);
    expect(cpu.state.general(0)).toBe(1n);
    cpu.memory.write(BigInt(target + 1), 1, 9n);
    cpu.state.set(STATE.rip, BigInt(CODE));
    cpu.state.setNumber(STATE.halted, 0);
    cpu.run(100);
    expect(cpu.state.general(0)).toBe(9n);
  });

  it("DMA into code", () => {
    const cpu = interpreterMachine();
    cpu.ram.write(CODE, bytes(...movEax(1), HLT));
    cpu.run(100);
    cpu.ram.write(CODE + 1, bytes(2));
    cpu.state.set(STATE.rip, BigInt(CODE));
    cpu.state.setNumber(STATE.halted, 0);
    cpu.run(100);
    expect(cpu.state.general(0)).toBe(2n);
  });

  it("a write to data beside code leaves the code alone", () => {
    const cpu = interpreterMachine();
    cpu.ram.write(CODE, bytes(...store(CODE + 0x800, 0x33), ...movEax(1), HLT));
    cpu.run(100);
    const blocks = cpu.blocks.size;
    expect(cpu.ram.bytes()[CODE + 0x800]).toBe(0x33);
    expect(cpu.state.general(0)).toBe(1n);
    expect(blocks).toBeGreaterThan(0);
  });

  it("an instruction that crosses a page sees both pages change", () => {
    const cpu = interpreterMachine();
    const at = CODE + 0x1000 - 2;
    cpu.ram.write(at, bytes(...movEax(0x01020304), HLT));
    const again = (): bigint => {
      cpu.state.set(STATE.rip, BigInt(at));
      cpu.state.setNumber(STATE.halted, 0);
      cpu.run(100);
      return cpu.state.general(0);
    };
    expect(again()).toBe(0x01020304n);
    cpu.memory.write(BigInt(CODE + 0x1000), 1, 0x77n);
    expect(again()).toBe(0x01027704n);
    cpu.memory.write(BigInt(CODE + 0x0fff), 1, 0x55n);
    expect(again()).toBe(0x01027755n);
  });

  it("REP STOS over the code behind it", () => {
    const cpu = interpreterMachine();
    // rep stosb; then what it wrote: NOPs up to a HLT
    cpu.ram.write(CODE, bytes(0xf3, 0xaa, ...movEax(1), HLT));
    cpu.state.setGeneral(0, 0x90n);
    cpu.state.setGeneral(1, 5n);
    cpu.state.setGeneral(7, BigInt(CODE + 2));
    expect(cpu.run(100)).toBe("halted");
    expect(cpu.state.general(0)).toBe(0x90n);
  });
});
